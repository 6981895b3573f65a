//! The biller's ports over the blocks of a reading: rows count if their block has a commit before the cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use wb_billing::ports::{
    AllocationRow, AppendedRow, BlockId, Clock, CorrectionsRead, CutSource, EachWork, FactRow, Holding,
    LedgerLog, ReadingRow, SampleRow, UsageStore, WorkRead,
};
use wb_billing::{Biller, PortError};
use wb_ledger::{ChainHead, EvidenceBlock, Hash};
use wb_metering::energy::RegisterReading;
use wb_metering::energy::witness::Witness;
use wb_metering::gpu::Span;
use wb_metering::report::machine::{Sample, SpanRow};
use wb_metering::uptime::Found;
use wb_rating::{WorkGroup, WorkSlice};
use wb_units::{Interval, Micros};

use crate::reading::{Blocks, Commits};
use crate::tables::Schema;

/// 2026-11-03T00:00:00Z: both months are over.
const NOW_US: Micros = 1_793_664_000_000_000;

/// The months that are closed.
const MONTHS: [&str; 2] = ["2009-01", "2026-10"];

/// Rows that bills are made of, each with the offset of its block's commit.
#[derive(Default)]
struct Rows {
    facts: Vec<(u64, String, FactRow)>,
    /// By machine; only accepted work.
    work: BTreeMap<String, Vec<(u64, BlockId, Micros, WorkGroup)>>,
    readings: BTreeMap<String, Vec<(u64, ReadingRow)>>,
    samples: BTreeMap<String, Vec<(u64, SampleRow)>>,
    allocations: BTreeMap<String, Vec<(u64, AllocationRow)>>,
    blocks: BTreeMap<BlockId, (u64, EvidenceBlock)>,
    heads: Vec<(u64, ChainHead)>,
}

/// The committed rows of a reading, behind the usage port.
#[derive(Clone, Default)]
pub(crate) struct CommittedStore(Arc<Rows>);

impl CommittedStore {
    pub(crate) fn new(schema: &Schema, blocks: &Blocks, commits: &Commits) -> Self {
        let mut rows = Rows::default();
        for won in &commits.won {
            let commit = &won.commit;
            let id =
                BlockId { topic: commit.topic.clone(), partition: commit.partition, block: commit.block };
            let evidence = EvidenceBlock {
                topic: commit.topic.clone(),
                partition: commit.partition,
                block: commit.block,
                content_hash: Hash::from_bytes(commit.content_hash.as_slice().try_into().unwrap()),
                merkle_root: Hash::from_bytes(commit.merkle_root.as_slice().try_into().unwrap()),
            };
            let head = ChainHead {
                topic: commit.topic.clone(),
                partition: commit.partition,
                block: commit.block,
                commit_hash: Hash::from_bytes(won.commit_hash),
            };
            rows.heads.push((won.commit_offset, head));
            rows.blocks.insert(id, (won.commit_offset, evidence));
        }
        for block in blocks.values().flatten() {
            let id = BlockId {
                topic: block.id.topic.clone(),
                partition: block.id.partition,
                block: block.id.block,
            };
            let committed = rows.blocks[&id].0;
            for table in &block.tables {
                let columns = schema.of(table.name);
                for row in table.iter().map(|row| columns.cut(row)) {
                    match table.name {
                        "facts" => rows.add_fact(committed, &id, &row),
                        "work_5m" if row.text("verdict") == "accepted" => rows.add_work(committed, &id, &row),
                        "energy_readings" => rows.add_reading(committed, &id, &row),
                        "miner_samples" => rows.add_sample(committed, &id, &row),
                        "gpu_spans" => rows.add_allocation(committed, &id, &row),
                        _ => {}
                    }
                }
            }
        }
        Self(Arc::new(rows))
    }
}

impl Rows {
    fn add_fact(&mut self, committed: u64, id: &BlockId, row: &crate::tables::Row<'_>) {
        let fact = FactRow {
            entity: row.text("entity").to_owned(),
            valid_from_us: row.i64("valid_from_us"),
            valid_to_us: row.optional_i64("valid_to_us"),
            block: id.clone(),
            idx: row.u32("idx"),
            body: row.text("body").to_owned(),
        };
        self.facts.push((committed, row.text("kind").to_owned(), fact));
    }

    fn add_work(&mut self, committed: u64, id: &BlockId, row: &crate::tables::Row<'_>) {
        let group = WorkGroup {
            chain: row.text("chain").to_owned(),
            nbits: row.u32("nbits"),
            subsidy_sat: row.u64("subsidy_sat"),
            credited_q32: row.u128("credited_q32"),
            shares: row.u64("shares"),
        };
        let of_machine = self.work.entry(row.text("machine_id").to_owned()).or_default();
        of_machine.push((committed, id.clone(), row.i64("interval_start_us"), group));
    }

    fn add_reading(&mut self, committed: u64, id: &BlockId, row: &crate::tables::Row<'_>) {
        let reading = ReadingRow {
            machine_id: row.text("machine_id").to_owned(),
            meter_id: row.text("meter_id").to_owned(),
            witness: Witness::of_name(row.text("witness")).unwrap(),
            reading: RegisterReading {
                at_us: row.i64("event_time_us"),
                id: row.fixed("event_id"),
                register_wh: row.u64("register_wh"),
            },
            block: id.clone(),
            is_sealed: false,
        };
        self.readings.entry(reading.machine_id.clone()).or_default().push((committed, reading));
    }
}

impl Rows {
    fn add_sample(&mut self, committed: u64, id: &BlockId, row: &crate::tables::Row<'_>) {
        let at_us = row.i64("event_time_us");
        let mut event_id = [0; 16];
        event_id[..8].copy_from_slice(&row.u64("sequence").to_be_bytes());
        let sample = Sample {
            at_us,
            id: event_id,
            appended_at_us: row.i64("append_time_us"),
            uptime_s: row.optional_u64("uptime_s"),
            found: match row.text("state") {
                "hashing" => Found::Hashing,
                "curtailed" => Found::Asleep,
                _ => Found::Reachable,
            },
            power_mw: row.optional_u64("power_mw"),
        };
        let machine_id = row.text("machine_id").to_owned();
        let found = SampleRow {
            machine_id: machine_id.clone(),
            sample,
            algorithm: row.text("algorithm").to_owned(),
            block: id.clone(),
        };
        self.samples.entry(machine_id).or_default().push((committed, found));
    }

    fn add_allocation(&mut self, committed: u64, id: &BlockId, row: &crate::tables::Row<'_>) {
        let (start_us, end_us) = (row.i64("start_us"), row.optional_i64("end_us"));
        let seen_us = end_us.unwrap_or(row.i64("event_time_us")).saturating_sub(start_us).max(0);
        let node_id = row.text("node_id").to_owned();
        let span = Span {
            allocation_id: row.text("allocation_id").to_owned(),
            account: row.text("account").to_owned(),
            node_id: node_id.clone(),
            state: row.text("state").to_owned(),
            gpus: row.u32("gpus"),
            start_us,
            end_us,
            elapsed_s: u64::try_from(seen_us / 1_000_000).unwrap(),
        };
        let (device, profile) = (row.text("device").to_owned(), row.text("profile").to_owned());
        let found = AllocationRow { row: SpanRow { span, device, profile }, block: id.clone() };
        self.allocations.entry(node_id).or_default().push((committed, found));
    }
}

impl UsageStore for CommittedStore {
    async fn committed_cut(&self, below: u64) -> Result<u64, PortError> {
        let offsets = self.0.heads.iter().map(|(offset, _)| *offset);
        Ok(offsets.filter(|offset| *offset < below).max().map_or(0, |last| last + 1))
    }

    async fn facts(
        &self,
        kind: &str,
        entities: Option<&[String]>,
        cut: u64,
    ) -> Result<Vec<FactRow>, PortError> {
        let committed = self.0.facts.iter().filter(|(offset, of_kind, _)| *offset < cut && of_kind == kind);
        let rows = committed.map(|(_, _, row)| row);
        let about = rows.filter(|row| entities.is_none_or(|entities| entities.contains(&row.entity)));
        Ok(about.cloned().collect())
    }

    async fn work_of_each(
        &self,
        parties: &[Vec<Holding>],
        _: &CorrectionsRead,
        cut: u64,
    ) -> Result<EachWork, PortError> {
        let mut works = Vec::new();
        for holdings in parties {
            let mut read = WorkRead::default();
            for holding in holdings {
                let of_machine = self.0.work.get(&holding.machine_id).into_iter().flatten();
                for (offset, block, at_us, group) in of_machine {
                    if *offset < cut && holding.interval.contains(*at_us) {
                        read.groups.push(group.clone());
                        read.above.insert(block.clone());
                    }
                }
            }
            works.push(read);
        }
        Ok(EachWork { works, ..EachWork::default() })
    }

    // The logs of this test hold no corrections.
    async fn corrections(&self, _: u64) -> Result<CorrectionsRead, PortError> {
        Ok(CorrectionsRead::default())
    }

    async fn work_slices(&self, holdings: &[Holding], cut: u64) -> Result<Vec<WorkSlice>, PortError> {
        let mut slices = Vec::new();
        for holding in holdings {
            for (offset, _, at_us, group) in self.0.work.get(&holding.machine_id).into_iter().flatten() {
                if *offset < cut && holding.interval.contains(*at_us) {
                    let (chain, credited_q32) = (group.chain.clone(), group.credited_q32);
                    slices.push(WorkSlice { start_us: *at_us, chain, credited_q32 });
                }
            }
        }
        Ok(slices)
    }

    async fn samples(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<SampleRow>, PortError> {
        let rows = machine_ids.iter().filter_map(|machine| self.0.samples.get(machine)).flatten();
        let committed = rows.filter(|(offset, row)| *offset < cut && window.contains(row.sample.at_us));
        Ok(committed.map(|(_, row)| row.clone()).collect())
    }

    async fn allocations(
        &self,
        node_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<AllocationRow>, PortError> {
        let rows = node_ids.iter().filter_map(|node| self.0.allocations.get(node)).flatten();
        let touching = rows.filter(|(offset, found)| {
            let span = &found.row.span;
            *offset < cut
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
        let _ = (window, cut);
        Ok(self.0.allocations.keys().cloned().collect())
    }

    async fn machines_with_readings(
        &self,
        machine_ids: &[String],
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        let _ = cut;
        Ok(machine_ids.iter().cloned().collect())
    }

    async fn nodes_of_accounts(
        &self,
        accounts: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        let touching = self.0.allocations.iter().filter(|(_, rows)| {
            rows.iter().any(|(offset, found)| {
                let span = &found.row.span;
                *offset < cut
                    && accounts.contains(&span.account)
                    && span.start_us < window.end_us
                    && span.end_us.is_none_or(|end_us| end_us > window.start_us)
            })
        });
        Ok(touching.map(|(node, _)| node.clone()).collect())
    }

    // The logs of this test hold no policies.
    async fn readings_appended(
        &self,
        _: &[String],
        _: Interval,
        _: u64,
    ) -> Result<Vec<AppendedRow>, PortError> {
        Ok(Vec::new())
    }

    async fn readings(
        &self,
        machine_ids: &[String],
        _window: Interval,
        cut: u64,
    ) -> Result<Vec<ReadingRow>, PortError> {
        let rows = machine_ids.iter().filter_map(|machine| self.0.readings.get(machine)).flatten();
        Ok(rows.filter(|(offset, _)| *offset < cut).map(|(_, row)| row.clone()).collect())
    }

    async fn blocks(
        &self,
        ids: &BTreeSet<BlockId>,
        _: u64,
        cut: u64,
    ) -> Result<Vec<EvidenceBlock>, PortError> {
        let known = ids.iter().filter_map(|id| self.0.blocks.get(id));
        Ok(known.filter(|(offset, _)| *offset < cut).map(|(_, block)| block.clone()).collect())
    }

    async fn chain_heads(&self, cut: u64) -> Result<Vec<ChainHead>, PortError> {
        let mut heads = BTreeMap::new();
        for (_, head) in self.0.heads.iter().filter(|(offset, _)| *offset < cut) {
            heads.insert((head.topic.clone(), head.partition), head.clone());
        }
        Ok(heads.into_values().collect())
    }
}

impl CutSource for CommittedStore {
    async fn settled_cut(&self) -> Result<u64, PortError> {
        self.committed_cut(u64::MAX).await
    }

    async fn check_conserved(&self, _: std::ops::RangeInclusive<i32>, _: u64) -> Result<(), PortError> {
        Ok(())
    }
}

struct After;

impl Clock for After {
    fn now_us(&self) -> Micros {
        NOW_US
    }
}

#[derive(Default)]
struct MemoryLedger(Mutex<Vec<Vec<u8>>>);

impl LedgerLog for MemoryLedger {
    async fn append(&self, bytes: Vec<u8>) -> Result<u64, PortError> {
        let mut records = self.0.lock().unwrap();
        records.push(bytes);
        Ok(u64::try_from(records.len()).unwrap() - 1)
    }

    async fn read_all_from(&self, offset: u64) -> Result<Vec<(u64, Vec<u8>)>, PortError> {
        let records = self.0.lock().unwrap();
        Ok((0..).zip(records.iter().cloned()).filter(|(at, _)| *at >= offset).collect())
    }
}

/// Invoice number and bill digest by month and contract.
pub(crate) type Digests = BTreeMap<(&'static str, String), (String, Hash)>;

/// The digests of all invoices of both months.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bills {
    /// What is charged, by month and contract, with the invoice's number.
    pub(crate) bills: Digests,
    /// What it was computed from.
    pub(crate) evidence: Vec<Hash>,
}

/// Closes both months over a reading.
pub(crate) async fn close(store: &CommittedStore) -> Bills {
    let biller = Biller::new(MemoryLedger::default(), store.clone(), store.clone(), After, "biller");
    let mut all = Bills::default();
    for month in MONTHS {
        for issued in biller.close(month, None).await.unwrap() {
            all.evidence.push(issued.evidence_digest);
            all.bills.insert((month, issued.contract_id), (issued.number, issued.bill_digest));
        }
    }
    all
}
