//! Usage and facts as ClickHouse holds them.
//!
//! Every query counts only rows of attempts that are committed before the cut, or of the seals that hold
//! them; `manifest` is used as a set, so that a name projected twice counts once. Sums are of integers:
//! their order does not matter. A seal says with a root of which blocks it is, so only those above the
//! seals are asked for one by one.

mod commits;
mod facts;
mod parties;
mod telemetry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use clickhouse::{Client, Row};
use serde::Deserialize;
use wb_clickhouse::StoreError;
use wb_clickhouse::corrections::CorrectionsAt;
use wb_clickhouse::sealed::{reading_rows, sealed_cut_query, work_rows};
use wb_clickhouse::whole_days::SealsAt;
use wb_ledger::{ChainHead, EvidenceBlock, EvidenceDay, Hash};
use wb_metering::energy::RegisterReading;
use wb_rating::WorkSlice;
use wb_units::Interval;

use crate::error::PortError;
use crate::ports::{
    AllocationRow, BlockId, CorrectionsRead, EachWork, FactRow, Holding, ReadingRow, Recorded, SampleRow,
    SealedDays, Touched, UsageStore, WorkRead,
};

use commits::{NameColumns, Standing};

/// Machines of one query: their ids, up to 128 bytes each, go along as a parameter.
const MACHINES_PER_QUERY: usize = 1_000;

/// Instants, as SQL, that no reading lies before or after.
const EARLIEST: &str = "toInt64(-9000000000000000000)";
const LATEST: &str = "toInt64(9000000000000000000)";

/// Where an energy reading belongs.
const METER: &str = "machine_id, meter_id, witness";

/// The usage store over ClickHouse.
#[derive(Clone)]
pub struct ClickHouseUsage {
    client: Client,
    standing: Arc<Mutex<Option<Standing>>>,
}

#[derive(Row, Deserialize)]
struct SliceColumns {
    interval_start_us: i64,
    chain: String,
    credited: u128,
}

#[derive(Row, Deserialize)]
struct ReadingColumns {
    machine_id: String,
    meter_id: String,
    witness: String,
    event_time_us: i64,
    event_id: [u8; 16],
    register_wh: u64,
    topic: String,
    partition: u32,
    block: u64,
    is_sealed: bool,
}

impl ClickHouseUsage {
    /// Reads through a client whose URL and database are configured.
    ///
    /// The bounds of an interactive query do not fit a month of a large customer: results are not cut
    /// and may take ten minutes. The biller itself asks for bounded portions.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let client = client
            .with_setting("max_result_rows", "0")
            .with_setting("max_execution_time", "600")
            .with_setting("transform_null_in", "0")
            // Compiling costs more than the few rows of most of its questions, and comes and goes.
            .with_setting("compile_expressions", "0")
            .with_setting("compile_aggregate_expressions", "0")
            .with_setting("compile_sort_description", "0");
        Self { client, standing: Arc::default() }
    }
}

/// What stands for blocks among seals.
fn sealed_days(seals: &SealsAt) -> SealedDays {
    let days = seals.days.iter().map(|seal| EvidenceDay {
        day: seal.day,
        commit_offset: seal.commit_offset,
        seal_hash: Hash::from_bytes(seal.seal_hash),
        blocks_count: seal.blocks,
        blocks_root: Hash::from_bytes(seal.blocks_root),
    });
    SealedDays { cut: seals.cut, days: days.map(|day| (day.day, day)).collect() }
}

/// Corrections as the biller takes them.
fn corrected(read: Result<CorrectionsAt, StoreError>) -> Result<CorrectionsRead, PortError> {
    let read = read.map_err(|error| PortError::new("reading corrections from ClickHouse", error))?;
    let block = |(topic, partition, block)| BlockId { topic, partition, block };
    Ok(CorrectionsRead { resolved: read.resolved, blocks: read.blocks.into_iter().map(block).collect() })
}

fn failed(what: &'static str) -> impl Fn(clickhouse::error::Error) -> PortError {
    move |error| PortError::new(format!("reading {what} from ClickHouse"), error)
}

impl UsageStore for ClickHouseUsage {
    async fn committed_cut(&self, below: u64) -> Result<u64, PortError> {
        self.read_committed_cut(below).await
    }

    async fn committed_heads(&self, settled: u64) -> Result<(u64, Option<Vec<ChainHead>>), PortError> {
        self.read_committed_heads(settled).await
    }

    async fn touched(&self, from: u64, to: u64) -> Result<Option<Touched>, PortError> {
        self.read_touched(from, to).await.map(Some)
    }

    async fn facts(&self, kind: &str, cut: u64) -> Result<Vec<FactRow>, PortError> {
        self.read_facts(kind, None, cut).await
    }

    async fn recorded(&self, kinds: &[&'static str], cut: u64) -> Result<Recorded, PortError> {
        self.read_recorded(kinds, cut).await
    }

    async fn facts_of(&self, kind: &str, entities: &[String], cut: u64) -> Result<Vec<FactRow>, PortError> {
        self.read_facts(kind, Some(entities), cut).await
    }

    async fn work_slices(&self, holdings: &[Holding], cut: u64) -> Result<Vec<WorkSlice>, PortError> {
        let mut sums: BTreeMap<(i64, String), u128> = BTreeMap::new();
        for (interval, machine_ids) in by_interval(holdings) {
            for chunk in machine_ids.chunks(MACHINES_PER_QUERY) {
                for slice in self.read_slices(interval, chunk, cut).await? {
                    let sum = sums.entry((slice.interval_start_us, slice.chain)).or_default();
                    *sum = sum.saturating_add(slice.credited);
                }
            }
        }
        let slice = |((start_us, chain), credited_q32)| WorkSlice { start_us, chain, credited_q32 };
        Ok(sums.into_iter().map(slice).collect())
    }

    async fn samples(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<SampleRow>, PortError> {
        self.read_samples(machine_ids, window, cut).await
    }

    async fn allocations(
        &self,
        node_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<AllocationRow>, PortError> {
        self.read_allocations(node_ids, window, cut).await
    }

    async fn work(&self, holdings: &[Holding], cut: u64) -> Result<WorkRead, PortError> {
        let corrections = self.corrections(cut).await?;
        let mut each = self.read_work_of_each(&[holdings.to_vec()], &corrections, cut).await?;
        Ok(each.works.pop().unwrap_or_default())
    }

    async fn corrections(&self, cut: u64) -> Result<CorrectionsRead, PortError> {
        corrected(CorrectionsAt::read(&self.client, cut).await)
    }

    async fn work_of_each(
        &self,
        parties: &[Vec<Holding>],
        corrections: &CorrectionsRead,
        cut: u64,
    ) -> Result<EachWork, PortError> {
        self.read_work_of_each(parties, corrections, cut).await
    }

    async fn readings(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<ReadingRow>, PortError> {
        let columns =
            format!("{METER}, event_time_us, event_id, register_wh, topic, partition, block, is_sealed");
        let of_machines = "machine_id IN {machines:Array(String)}";
        let (earliest, start, end, latest) = (EARLIEST, "{start:Int64}", "{end:Int64}", LATEST);
        let (before, within, after) = (
            reading_rows(earliest, start, of_machines),
            reading_rows(start, end, of_machines),
            reading_rows(end, latest, of_machines),
        );
        let sql = format!(
            "SELECT {columns} FROM ({within}) \
             UNION ALL SELECT * FROM (SELECT {columns} FROM ({before}) \
             ORDER BY event_time_us DESC, event_id ASC LIMIT 1 BY {METER}) \
             UNION ALL SELECT * FROM (SELECT {columns} FROM ({after}) \
             ORDER BY event_time_us ASC, event_id ASC LIMIT 1 BY {METER})"
        );
        let mut rows = Vec::new();
        let corrections = self.read_corrections(cut).await?;
        for chunk in machine_ids.chunks(MACHINES_PER_QUERY) {
            let sealed_cut = self.sealed_cut(cut).await?;
            let found = corrections
                .bind(self.client.query(&sql))
                .param("sealed_cut", sealed_cut)
                .param("machines", chunk)
                .param("start", window.start_us)
                .param("end", window.end_us)
                .param("cut", cut)
                .fetch_all::<ReadingColumns>()
                .await
                .map_err(failed("energy readings"))?;
            rows.extend(found.into_iter().map(|row| ReadingRow {
                machine_id: row.machine_id,
                meter_id: row.meter_id,
                witness: row.witness,
                reading: RegisterReading {
                    at_us: row.event_time_us,
                    id: row.event_id,
                    register_wh: row.register_wh,
                },
                block: BlockId { topic: row.topic, partition: row.partition, block: row.block },
                is_sealed: row.is_sealed,
            }));
        }
        Ok(rows)
    }

    async fn blocks(&self, ids: &BTreeSet<BlockId>, cut: u64) -> Result<Vec<EvidenceBlock>, PortError> {
        self.blocks_above(ids, 0, cut).await
    }

    async fn sealed_days(&self, cut: u64) -> Result<SealedDays, PortError> {
        Ok(sealed_days(&self.seals(cut).await?))
    }

    async fn blocks_above(
        &self,
        ids: &BTreeSet<BlockId>,
        from: u64,
        cut: u64,
    ) -> Result<Vec<EvidenceBlock>, PortError> {
        let committed = self.read_commits(ids, from, cut).await?;
        Ok(committed.into_values().map(NameColumns::evidence).collect())
    }

    async fn chain_heads(&self, cut: u64) -> Result<Vec<ChainHead>, PortError> {
        self.read_chain_heads(cut).await
    }
}

impl ClickHouseUsage {
    async fn read_slices(
        &self,
        interval: Interval,
        machine_ids: &[&str],
        cut: u64,
    ) -> Result<Vec<SliceColumns>, PortError> {
        let accepted = "machine_id IN {machines:Array(String)} AND verdict = 'accepted'";
        let sealed_cut = self.sealed_cut(cut).await?;
        let sql = format!(
            "SELECT interval_start_us, chain, sum(credited_q32) AS credited FROM ({}) \
             GROUP BY interval_start_us, chain",
            work_rows("{start:Int64}", "{end:Int64}", accepted)
        );
        let query = self.read_corrections(cut).await?.bind(self.client.query(&sql));
        let query = query.param("machines", machine_ids).param("sealed_cut", sealed_cut);
        let query = query.param("start", interval.start_us).param("end", interval.end_us).param("cut", cut);
        query.fetch_all::<SliceColumns>().await.map_err(failed("work by interval"))
    }

    /// The corrections that hold at a cut.
    async fn read_corrections(&self, cut: u64) -> Result<CorrectionsAt, PortError> {
        CorrectionsAt::read(&self.client, cut)
            .await
            .map_err(|error| PortError::new("reading corrections from ClickHouse", error))
    }

    /// Up to where a query takes sealed days.
    async fn sealed_cut(&self, cut: u64) -> Result<u64, PortError> {
        let query = self.client.query(&sealed_cut_query()).param("cut", cut);
        query.fetch_one().await.map_err(failed("the latest seals"))
    }
}

/// Machines by the stretch they were held: nearly always one stretch for all of them.
fn by_interval(holdings: &[Holding]) -> BTreeMap<Interval, Vec<&str>> {
    let mut intervals: BTreeMap<Interval, Vec<&str>> = BTreeMap::new();
    for holding in holdings {
        intervals.entry(holding.interval).or_default().push(&holding.machine_id);
    }
    intervals
}
