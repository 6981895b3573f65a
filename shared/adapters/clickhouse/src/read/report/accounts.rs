//! What accounts of schedulers held, and whose they are.
//!
//! A customer sees an allocation that it is billed for, on any node; of a node that is not its own it sees nothing else.

use std::collections::BTreeMap;

use serde::Deserialize;
use wb_events::facts::{ACCOUNT, Account, Machine};
use wb_metering::gpu::accounts::Accounts;
use wb_metering::report::machine::{Stand, Whose};
use wb_units::Interval;

use crate::error::StoreError;
use crate::facts::RecordedFact;
use crate::read::{Read, Selection, SeriesRange, parts};

/// Machines with the times for which a customer's accounts held them while they stood at a site, in order.
pub(super) type LentMachines = BTreeMap<String, Vec<Stand>>;

/// Whose allocations are, and what the accounts of a customer's scope held.
#[derive(Debug, Default)]
pub(super) struct Lent {
    pub(super) whose: Whose,
    /// By the site where the machines stood then.
    pub(super) by_site: BTreeMap<String, LentMachines>,
}

impl Lent {
    pub(super) fn at(&self, site_id: &str) -> LentMachines {
        self.by_site.get(site_id).cloned().unwrap_or_default()
    }
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct PlaceRow {
    machine_id: String,
    body: String,
    from_us: i64,
    to_us: i64,
}

/// The parts of lent times outside of a machine's own stands.
pub(super) fn outside(lent: Option<&Vec<Stand>>, stands: &[Stand]) -> Vec<Stand> {
    let mut found = Vec::new();
    for one in lent.into_iter().flatten() {
        let mut from_us = one.interval.start_us;
        let mut part = |start_us: i64, end_us: i64| {
            let interval = Interval { start_us, end_us };
            found.extend((interval.duration_us() > 0).then(|| Stand { interval, ..one.clone() }));
        };
        for stand in stands.iter().map(|stand| stand.interval) {
            part(from_us, stand.start_us.min(one.interval.end_us));
            from_us = from_us.max(stand.end_us);
        }
        part(from_us, one.interval.end_us);
    }
    found
}

impl Read {
    /// The customers that accounts are mapped to.
    async fn accounts(&self) -> Result<Accounts<String>, StoreError> {
        let mut rows = RecordedFact::read(&self.client, &[ACCOUNT], None, self.cut.0).await?;
        rows.sort_by_key(RecordedFact::recorded);
        let said = rows.into_iter().map(|row| {
            let body: Account = serde_json::from_str(&row.body).map_err(|error| StoreError::Row {
                table: "facts",
                problem: format!("the account {:?} is not of its form: {error}", row.entity),
            })?;
            Ok((row.entity, row.valid_from_us, row.valid_to_us, body.customer_id))
        });
        Ok(Accounts::new(said.collect::<Result<Vec<_>, StoreError>>()?))
    }

    /// Whose allocations are, and for a customer what its accounts held in the range.
    pub(super) async fn report_lent(&self, range: SeriesRange) -> Result<Lent, StoreError> {
        let accounts = self.accounts().await?;
        let Some(customer) = self.scope.customer().map(|customer| customer.as_str().to_owned()) else {
            return Ok(Lent { whose: Whose { accounts, customer: None }, ..Lent::default() });
        };
        let window = range.interval();
        let mut own: BTreeMap<&str, Vec<Interval>> = BTreeMap::new();
        for (account, held) in accounts.all().filter(|(_, held)| held.body == customer) {
            own.entry(account).or_default().extend(held.interval.intersect(&window));
        }
        let names: Vec<String> = own.keys().map(|account| (*account).to_owned()).collect();
        let mut held: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
        if !names.is_empty() {
            for (account, node_id, time) in self.held_by_accounts(&names, window).await? {
                let mapped = own.get(account.as_str()).into_iter().flatten();
                held.entry(node_id).or_default().extend(mapped.filter_map(|own| own.intersect(&time)));
            }
        }
        let by_site = self.stood_at(range, held).await?;
        Ok(Lent { whose: Whose { accounts, customer: Some(customer) }, by_site })
    }

    /// The times by the sites where the machines stood then.
    async fn stood_at(
        &self,
        range: SeriesRange,
        held: BTreeMap<String, Vec<Interval>>,
    ) -> Result<BTreeMap<String, LentMachines>, StoreError> {
        let mut by_site: BTreeMap<String, LentMachines> = BTreeMap::new();
        let nodes: Vec<&String> = held.keys().collect();
        if nodes.is_empty() {
            return Ok(by_site);
        }
        // Not the scope's machines: only what its accounts held of them goes on.
        let windows = parts::machine_windows(&wb_auth::TenantScope::Operator, &Selection::All);
        let sql = format!(
            "SELECT machine_id, body, from_us, to_us FROM ({windows}) \
             WHERE machine_id IN {{nodes:Array(String)}} ORDER BY machine_id, from_us"
        );
        let query = range.bind(self.query(&sql)).param("nodes", &nodes).with_setting("max_result_rows", "0");
        let rows: Vec<PlaceRow> = self.fetch("find where a report's accounts held GPUs", query).await?;
        for row in rows {
            let machine: Machine = serde_json::from_str(&row.body).map_err(|error| StoreError::Row {
                table: "facts",
                problem: format!("the machine {:?} is not of its form: {error}", row.machine_id),
            })?;
            let stood = Interval { start_us: row.from_us, end_us: row.to_us };
            let times = held.get(&row.machine_id).into_iter().flatten();
            let there = Interval::union(times.filter_map(|time| time.intersect(&stood)).collect());
            // Of the machine itself, its GPUs alone are needed: they bound what can be held.
            let stand =
                |interval| Stand { interval, rated_power_mw: 0, rated_hashrate_hs: None, gpus: machine.gpus };
            if !there.is_empty() {
                let of_machine =
                    by_site.entry(machine.site_id).or_default().entry(row.machine_id).or_default();
                of_machine.extend(there.into_iter().map(stand));
            }
        }
        Ok(by_site)
    }
}
