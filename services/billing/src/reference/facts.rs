//! The other facts that a bill may need, besides contracts and assignments.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use wb_events::facts;
use wb_units::{Interval, Micros};

use crate::error::BillerError;
use crate::ports::{BlockId, FactRow};
use crate::timeline::timelines;

/// A fact and the time for which it holds, on the settlement grid.
pub(crate) struct Dated<T> {
    pub(crate) entity: String,
    pub(crate) interval: Interval,
    pub(crate) body: T,
    pub(crate) block: BlockId,
}

/// A fact with an instant or a start as recorded, which may be off the grid.
pub(crate) struct Recorded<T> {
    pub(crate) entity: String,
    pub(crate) at_us: Micros,
    pub(crate) end_us: Option<Micros>,
    pub(crate) body: T,
    pub(crate) block: BlockId,
}

/// All facts of these kinds at a cut.
pub(crate) struct Facts {
    /// By machine, in order of time.
    pub(crate) machines: BTreeMap<String, Vec<Dated<facts::Machine>>>,
    pub(crate) curtailments: Vec<Dated<facts::Curtailment>>,
    pub(crate) maintenance: Vec<Dated<facts::Maintenance>>,
    pub(crate) outages: Vec<Dated<facts::Outage>>,
    pub(crate) meters: Vec<Dated<facts::Meter>>,
    pub(crate) payouts: Vec<Recorded<facts::PoolPayout>>,
    pub(crate) earnings: Vec<Recorded<facts::PoolEarning>>,
    pub(crate) counts: Vec<Recorded<facts::Count>>,
    pub(crate) grants: Vec<Recorded<facts::PrepaidGrant>>,
    pub(crate) deposits: Vec<Recorded<facts::DepositHeld>>,
    /// How often sources must send, and which of their events are left out.
    pub(crate) policies: Vec<Dated<facts::DataPolicy>>,
}

/// The kinds of [`Facts`].
pub(crate) const KINDS: [&str; 11] = [
    "machine",
    "curtailment",
    "maintenance",
    "outage",
    "meter",
    "pool_payout",
    "pool_earning",
    "count",
    "prepaid_grant",
    "deposit_held",
    facts::DATA_POLICY,
];

impl Facts {
    /// Parses them from the rows of each of [`KINDS`].
    pub(crate) fn read(rows_of: &mut impl FnMut(&str) -> Vec<FactRow>) -> Result<Self, BillerError> {
        let mut machines: BTreeMap<String, Vec<Dated<facts::Machine>>> = BTreeMap::new();
        for machine in dated("machine", rows_of)? {
            machines.entry(machine.entity.clone()).or_default().push(machine);
        }
        Ok(Self {
            machines,
            curtailments: dated("curtailment", rows_of)?,
            maintenance: dated("maintenance", rows_of)?,
            outages: dated("outage", rows_of)?,
            meters: dated("meter", rows_of)?,
            payouts: recorded("pool_payout", rows_of, Same::Instant)?,
            earnings: recorded("pool_earning", rows_of, Same::Instant)?,
            counts: recorded("count", rows_of, Same::Instant)?,
            grants: recorded("prepaid_grant", rows_of, Same::Entity)?,
            deposits: recorded("deposit_held", rows_of, Same::Entity)?,
            policies: dated(facts::DATA_POLICY, rows_of)?,
        })
    }

    /// The facts of a machine within a time, in order, each with its part of the time.
    pub(crate) fn machine(
        &self,
        machine_id: &str,
        within: Interval,
    ) -> impl Iterator<Item = (Interval, &Dated<facts::Machine>)> {
        let facts = self.machines.get(machine_id).into_iter().flatten();
        facts.filter_map(move |fact| Some((fact.interval.intersect(&within)?, fact)))
    }
}

/// Which facts replace each other, so that the one recorded last holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Same {
    /// Facts of one entity.
    Entity,
    /// Facts of one entity and instant.
    Instant,
}

pub(super) fn read<T: DeserializeOwned>(
    kind: &'static str,
    entity: &str,
    body: &str,
) -> Result<T, BillerError> {
    serde_json::from_str(body).map_err(|error| BillerError::Fact {
        kind,
        entity: entity.to_owned(),
        detail: error.to_string(),
    })
}

fn dated<T: DeserializeOwned>(
    kind: &'static str,
    rows_of: &mut impl FnMut(&str) -> Vec<FactRow>,
) -> Result<Vec<Dated<T>>, BillerError> {
    let mut found = Vec::new();
    for (entity, spans) in timelines(rows_of(kind)) {
        for span in spans {
            let body = read(kind, &entity, &span.body)?;
            found.push(Dated { entity: entity.clone(), interval: span.interval, body, block: span.block });
        }
    }
    Ok(found)
}

fn recorded<T: DeserializeOwned>(
    kind: &'static str,
    rows_of: &mut impl FnMut(&str) -> Vec<FactRow>,
    same: Same,
) -> Result<Vec<Recorded<T>>, BillerError> {
    let mut rows = rows_of(kind);
    let order = |row: &FactRow| (row.block.partition, row.block.block, row.idx);
    rows.sort_by_key(order);
    let mut latest: BTreeMap<(String, Micros), FactRow> = BTreeMap::new();
    for row in rows {
        let at_us = if same == Same::Instant { row.valid_from_us } else { 0 };
        latest.insert((row.entity.clone(), at_us), row);
    }
    let made = latest.into_values().map(|row| {
        let body = read(kind, &row.entity, &row.body)?;
        Ok(Recorded {
            entity: row.entity,
            at_us: row.valid_from_us,
            end_us: row.valid_to_us,
            body,
            block: row.block,
        })
    });
    made.collect()
}
