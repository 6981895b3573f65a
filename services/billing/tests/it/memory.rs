//! The biller's ports in memory, with simulated failures.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod clock;
mod cuts;
mod log;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::json;
use wb_billing::PortError;
use wb_billing::ports::{
    AllocationRow, AppendedRow, BlockId, CorrectionsRead, EachWork, EventId, FactRow, Holding, ReadingRow,
    SampleRow, Touched, UsageStore, WorkRead,
};
use wb_events::facts::{METER_RATIO, MeterRatio, VOID, Void};
use wb_ledger::{ChainHead, EvidenceBlock, Hash};
use wb_metering::corrections::{Corrections, RatioFact, Recorded, TransformerRatio, VoidFact};
use wb_metering::energy::witness::Witness;
use wb_rating::{WorkGroup, WorkSlice};
use wb_units::{Interval, Micros};

/// 2200-01-01: after all that tests bill.
const LATER_US: Micros = 7_258_118_400_000_000;

pub(crate) use clock::TestClock;
pub(crate) use cuts::MemoryCuts;
pub(crate) use log::{Fault, MemoryLog};

/// The place of a row: its block, committed at an offset.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) commit_offset: u64,
    pub(crate) block: BlockId,
}

/// All counted and recorded data.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) facts: Vec<(Place, String, FactRow)>,
    pub(crate) work: Vec<(Place, String, Micros, WorkGroup)>,
    pub(crate) readings: Vec<(Place, ReadingRow)>,
    pub(crate) samples: Vec<(Place, SampleRow)>,
    pub(crate) allocations: Vec<(Place, AllocationRow)>,
    /// Whether readings are read as the tables give them: in the window, and the nearest ones outside.
    pub(crate) windowed: bool,
    /// When readings came that did not come in the moment in which they were read.
    pub(crate) appended: Vec<AppendedRow>,
    /// One past the last commit in the tables.
    pub(crate) held: u64,
    /// How often a machine's work or readings, or any facts, were read.
    pub(crate) machine_reads: BTreeMap<String, u64>,
    pub(crate) fact_reads: u64,
    next: u64,
}

pub(crate) fn contract_body(contract_id: &str, customer_id: &str, price: &str) -> serde_json::Value {
    json!({
        "contract_id": contract_id, "customer_id": customer_id, "legal_entity": "genesis-hosting", "time_zone": "UTC",
        "components": [
            {"id": "earnings", "kind": "pool_earnings", "chain": "main", "currency": "BTC", "mean_fees_sat": "0"},
            {"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": price},
        ],
    })
}

/// The identity of the correction in its own block.
pub(crate) fn correction_id(block: u64) -> [u8; 16] {
    let mut id = [0xcc; 16];
    id[..8].copy_from_slice(&block.to_be_bytes());
    id
}

/// The readings of a window, and of each meter the last one before it and the first one after it.
fn within_reach(rows: Vec<ReadingRow>, window: Interval) -> Vec<ReadingRow> {
    let mut by_meter: BTreeMap<(String, String, Witness), Vec<ReadingRow>> = BTreeMap::new();
    for row in rows {
        let key = (row.machine_id.clone(), row.meter_id.clone(), row.witness);
        by_meter.entry(key).or_default().push(row);
    }
    let mut found = Vec::new();
    for mut of_meter in by_meter.into_values() {
        of_meter.sort_by_key(|row| row.reading);
        let first = of_meter.partition_point(|row| row.reading.at_us < window.start_us).saturating_sub(1);
        let last = of_meter.partition_point(|row| row.reading.at_us < window.end_us);
        found.extend(of_meter.into_iter().take(last + 1).skip(first));
    }
    found
}

/// The data behind the usage port.
#[derive(Clone, Default)]
pub(crate) struct MemoryStore(pub(crate) Arc<Mutex<World>>);

impl MemoryStore {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.0.lock().unwrap());
    }

    fn committed(&self, cut: u64) -> BTreeMap<BlockId, u64> {
        let world = self.0.lock().unwrap();
        let places = world
            .facts
            .iter()
            .map(|(place, ..)| place)
            .chain(world.work.iter().map(|(place, ..)| place))
            .chain(world.readings.iter().map(|(place, ..)| place))
            .chain(world.samples.iter().map(|(place, ..)| place))
            .chain(world.allocations.iter().map(|(place, ..)| place));
        places
            .filter(|place| place.commit_offset < cut)
            .map(|place| (place.block.clone(), place.commit_offset))
            .collect()
    }
}

impl MemoryStore {
    fn facts_below(&self, kind: &str, cut: u64) -> Vec<FactRow> {
        let world = self.0.lock().unwrap();
        let is_committed = |place: &Place| place.commit_offset < cut;
        let of_kind = world.facts.iter().filter(|(place, of_kind, _)| is_committed(place) && of_kind == kind);
        of_kind.map(|(_, _, row)| row.clone()).collect()
    }
}

impl UsageStore for MemoryStore {
    async fn committed_cut(&self, below: u64) -> Result<u64, PortError> {
        let held = self.0.lock().unwrap().held;
        Ok(self
            .committed(held)
            .values()
            .filter(|offset| **offset < below)
            .max()
            .map_or(0, |offset| offset + 1))
    }

    async fn facts(
        &self,
        kind: &str,
        entities: Option<&[String]>,
        cut: u64,
    ) -> Result<Vec<FactRow>, PortError> {
        tokio::task::yield_now().await;
        self.0.lock().unwrap().fact_reads += 1;
        let mut rows = self.facts_below(kind, cut);
        rows.retain(|row| entities.is_none_or(|entities| entities.contains(&row.entity)));
        Ok(rows)
    }

    async fn known_events(&self, ids: &[EventId], cut: u64) -> Result<Option<BTreeSet<EventId>>, PortError> {
        let world = self.0.lock().unwrap();
        let readings = world.readings.iter().filter(|(place, _)| place.commit_offset < cut);
        let readings = readings.map(|(_, row)| row.reading.id);
        let facts = world.facts.iter().filter(|(place, ..)| place.commit_offset < cut);
        let facts = facts.map(|(place, ..)| correction_id(place.block.block));
        let known: BTreeSet<EventId> = readings.chain(facts).collect();
        Ok(Some(ids.iter().filter(|id| known.contains(*id)).copied().collect()))
    }

    async fn touched(&self, from: u64, to: u64) -> Result<Option<Touched>, PortError> {
        let world = self.0.lock().unwrap();
        let is_new = |place: &Place| (from..to).contains(&place.commit_offset);
        let work = world.work.iter().filter(|(place, ..)| is_new(place)).map(|(_, id, ..)| id);
        let readings = world.readings.iter().filter(|(place, _)| is_new(place));
        let samples = world.samples.iter().filter(|(place, _)| is_new(place));
        let allocations = world.allocations.iter().filter(|(place, _)| is_new(place));
        let machine_ids = work
            .chain(readings.map(|(_, row)| &row.machine_id))
            .chain(samples.map(|(_, row)| &row.machine_id))
            .chain(allocations.map(|(_, found)| &found.row.span.node_id));
        let machine_ids = machine_ids.cloned().collect();
        Ok(Some(Touched { machine_ids, facts: world.facts.iter().any(|(place, ..)| is_new(place)) }))
    }

    async fn work_of_each(
        &self,
        parties: &[Vec<Holding>],
        _corrections: &CorrectionsRead,
        cut: u64,
    ) -> Result<EachWork, PortError> {
        tokio::task::yield_now().await;
        let mut world = self.0.lock().unwrap();
        for holding in parties.iter().flatten() {
            *world.machine_reads.entry(holding.machine_id.clone()).or_default() += 1;
        }
        let work_of = |holdings: &Vec<Holding>| {
            let mut read = WorkRead::default();
            for (place, machine_id, at_us, group) in &world.work {
                let held =
                    holdings.iter().any(|h| h.machine_id == *machine_id && h.interval.contains(*at_us));
                if place.commit_offset < cut && held {
                    read.groups.push(group.clone());
                    read.above.insert(place.block.clone());
                }
            }
            read
        };
        Ok(EachWork { works: parties.iter().map(work_of).collect(), ..EachWork::default() })
    }

    async fn work_slices(&self, holdings: &[Holding], cut: u64) -> Result<Vec<WorkSlice>, PortError> {
        let world = self.0.lock().unwrap();
        let held = world.work.iter().filter(|(place, machine_id, at_us, _)| {
            place.commit_offset < cut
                && holdings.iter().any(|h| h.machine_id == *machine_id && h.interval.contains(*at_us))
        });
        let slice = |(_, _, at_us, group): &(Place, String, Micros, WorkGroup)| WorkSlice {
            start_us: *at_us,
            chain: group.chain.clone(),
            credited_q32: group.credited_q32,
        };
        Ok(held.map(slice).collect())
    }

    async fn samples(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<SampleRow>, PortError> {
        let world = self.0.lock().unwrap();
        let committed = world.samples.iter().filter(|(place, row)| {
            place.commit_offset < cut
                && machine_ids.contains(&row.machine_id)
                && window.contains(row.sample.at_us)
        });
        Ok(committed.map(|(_, row)| row.clone()).collect())
    }

    async fn allocations(
        &self,
        node_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<AllocationRow>, PortError> {
        let world = self.0.lock().unwrap();
        let committed = world.allocations.iter().filter(|(place, _)| place.commit_offset < cut);
        let touching = committed.filter(|(_, found)| {
            let span = &found.row.span;
            node_ids.contains(&span.node_id)
                && span.start_us < window.end_us
                && span.end_us.is_none_or(|end_us| end_us > window.start_us)
        });
        Ok(touching.map(|(_, row)| row.clone()).collect())
    }

    async fn nodes_with_allocations(
        &self,
        window: Interval,
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        let world = self.0.lock().unwrap();
        let committed = world.allocations.iter().filter(|(place, _)| place.commit_offset < cut);
        let touching = committed.map(|(_, found)| &found.row.span).filter(|span| {
            span.start_us < window.end_us && span.end_us.is_none_or(|end_us| end_us > window.start_us)
        });
        Ok(touching.map(|span| span.node_id.clone()).collect())
    }

    async fn machines_with_readings(
        &self,
        machine_ids: &[String],
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        let world = self.0.lock().unwrap();
        let committed = world.readings.iter().filter(|(place, _)| place.commit_offset < cut);
        let asked = committed.filter(|(_, row)| machine_ids.contains(&row.machine_id));
        Ok(asked.map(|(_, row)| row.machine_id.clone()).collect())
    }

    async fn nodes_of_accounts(
        &self,
        accounts: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        let world = self.0.lock().unwrap();
        let committed = world.allocations.iter().filter(|(place, _)| place.commit_offset < cut);
        let touching = committed.map(|(_, found)| &found.row.span).filter(|span| {
            accounts.contains(&span.account)
                && span.start_us < window.end_us
                && span.end_us.is_none_or(|end_us| end_us > window.start_us)
        });
        Ok(touching.map(|span| span.node_id.clone()).collect())
    }

    async fn corrections(&self, cut: u64) -> Result<CorrectionsRead, PortError> {
        // Every read uses the corrections, so they do not count as facts that a bill reads.
        let rows = [self.facts_below(VOID, cut), self.facts_below(METER_RATIO, cut)];
        let recorded = |row: &FactRow| Recorded { partition: 0, block: row.block.block, idx: row.idx };
        let voids: Vec<VoidFact> = rows[0]
            .iter()
            .map(|row| VoidFact {
                recorded: recorded(row),
                id: correction_id(row.block.block),
                voids: serde_json::from_str::<Void>(&row.body).unwrap().voids().unwrap(),
            })
            .collect();
        let ratios: Vec<RatioFact> = rows[1]
            .iter()
            .map(|row| {
                let body: MeterRatio = serde_json::from_str(&row.body).unwrap();
                RatioFact {
                    recorded: recorded(row),
                    id: correction_id(row.block.block),
                    meter_id: body.meter_id,
                    interval: Interval { start_us: row.valid_from_us, end_us: row.valid_to_us.unwrap() },
                    used: TransformerRatio { num: body.used_num, den: body.used_den },
                    right: TransformerRatio { num: body.right_num, den: body.right_den },
                }
            })
            .collect();
        let blocks = rows.iter().flatten().map(|row| row.block.clone()).collect();
        Ok(CorrectionsRead { resolved: Corrections::new(&voids, &ratios), blocks })
    }

    async fn readings(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<ReadingRow>, PortError> {
        let corrections = self.corrections(cut).await?.resolved;
        let mut world = self.0.lock().unwrap();
        for machine_id in machine_ids {
            *world.machine_reads.entry(machine_id.clone()).or_default() += 1;
        }
        let rows = world
            .readings
            .iter()
            .filter(|(place, row)| place.commit_offset < cut && machine_ids.contains(&row.machine_id))
            .filter(|(_, row)| !corrections.is_voided(&row.reading.id))
            .map(|(_, row)| row.clone())
            .collect();
        Ok(if world.windowed { within_reach(rows, window) } else { rows })
    }

    async fn readings_appended(
        &self,
        machine_ids: &[String],
        window: Interval,
        _: u64,
    ) -> Result<Vec<AppendedRow>, PortError> {
        let world = self.0.lock().unwrap();
        let at_us = |row: &AppendedRow| i64::from_be_bytes(row.id[..8].try_into().unwrap());
        let found = world
            .appended
            .iter()
            .filter(|row| machine_ids.contains(&row.machine_id) && window.contains(at_us(row)));
        Ok(found.cloned().collect())
    }

    async fn blocks(
        &self,
        ids: &BTreeSet<BlockId>,
        _from: u64,
        cut: u64,
    ) -> Result<Vec<EvidenceBlock>, PortError> {
        Ok(self
            .committed(cut)
            .into_keys()
            .filter(|id| ids.contains(id))
            .map(|id| EvidenceBlock {
                content_hash: Hash::of(format!("{id:?}").as_bytes()),
                merkle_root: Hash::of(b"root"),
                topic: id.topic,
                partition: id.partition,
                block: id.block,
            })
            .collect())
    }

    async fn chain_heads(&self, cut: u64) -> Result<Vec<ChainHead>, PortError> {
        let mut heads: BTreeMap<(String, u32), u64> = BTreeMap::new();
        for id in self.committed(cut).into_keys() {
            let head = heads.entry((id.topic, id.partition)).or_default();
            *head = (*head).max(id.block);
        }
        Ok(heads
            .into_iter()
            .map(|((topic, partition), block)| ChainHead {
                commit_hash: Hash::of(format!("{topic}/{partition}/{block}").as_bytes()),
                topic,
                partition,
                block,
            })
            .collect())
    }
}
