//! Seals a UTC day: sums its rows over the blocks committed before a cut, writes the sums under a random tag, and
//! compares them with sums made here from a second reading. The tag counts once it is committed in the log; no row is
//! ever replaced.
//!
//! A seal builds on the previous seal of the day and on the blocks between the two cuts, so sealing a day again costs
//! only what is new.

mod content;
mod garbage;
mod own;
mod project;

use clickhouse::Client;
use serde::Deserialize;
use wb_units::time::{DAY_US, day_start};

use crate::client::Store;
use crate::conditions::committed_between;
use crate::error::{StoreError, query_failed};
use crate::sealed::{READING_COLUMNS, WORK_COLUMNS, day_sql, reading_source, work_source};

pub use content::{DayBlock, SealContent};

/// The tables of a seal, in the order in which they are written and hashed.
pub const TABLES: [&str; 5] =
    ["sealed_work_5m", "sealed_work_1h", "sealed_work_1d", "sealed_energy_readings", "sealed_blocks"];

/// The columns of a block, by which they are sorted.
const BLOCK_COLUMNS: &str = "topic, partition, block, content_hash, merkle_root";

/// The key of rows of a seal: they are ordered by it, and rows with equal keys are merged.
const WORK_KEY: &str = "machine_id, interval_start_us, site_id, chain, nbits, subsidy_sat, verdict, reason";

/// The longest time of one step of sealing, in seconds.
const STEP_MAX_S: u32 = 600;

/// Bytes of memory from which a sort or a sum uses the disk: half of a query's limit.
const SPILL_BYTES: u64 = 512 * 1024 * 1024;

/// A seal on which another one builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealBase {
    /// The tag of its rows.
    pub seal: u64,
    pub cut: u64,
}

/// A day to be sealed under a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealOf {
    /// The day, counted since 1970-01-01 UTC.
    pub day: i32,
    /// The random tag of the rows.
    pub seal: u64,
    /// The previous seal of the day; `None` to read all blocks.
    pub base: Option<SealBase>,
    /// The seal holds everything committed below this offset.
    pub cut: u64,
}

/// A day with rows of new blocks.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct TouchedDay {
    /// The day, counted since 1970-01-01 UTC.
    pub day: i32,
    /// The offset of the last commit of a block with rows of the day.
    pub last_commit_offset: u64,
}

impl SealOf {
    /// The conditions on the rows of the previous seal and on the rows of blocks.
    fn conditions(&self, instant: &str) -> (String, String) {
        let (sealed, from) = match self.base {
            Some(base) => (format!("day = {} AND seal = {}", self.day, base.seal), base.cut),
            None => ("0".to_owned(), 0),
        };
        let start_us = day_start(self.day);
        let end_us = start_us.saturating_add(DAY_US);
        let committed = committed_between(&from.to_string(), &self.cut.to_string());
        (sealed, format!("{instant} >= {start_us} AND {instant} < {end_us} AND {committed}"))
    }

    fn work(&self) -> String {
        let (sealed, blocks) = self.conditions("interval_start_us");
        work_source(&sealed, &blocks)
    }

    /// The blocks with rows of the day.
    fn blocks(&self) -> String {
        let (sealed, from) = match self.base {
            Some(base) => (format!("day = {} AND seal = {}", self.day, base.seal), base.cut),
            None => ("0".to_owned(), 0),
        };
        let (start_us, cut) = (day_start(self.day), self.cut);
        let end_us = start_us.saturating_add(DAY_US);
        let with_rows = |table: &str, instant: &str| {
            format!(
                "SELECT DISTINCT topic, partition, block, attempt FROM {table} \
                 WHERE {instant} >= {start_us} AND {instant} < {end_us}"
            )
        };
        // A commit that was projected twice has two rows.
        format!(
            "SELECT {BLOCK_COLUMNS} FROM sealed_blocks WHERE {sealed} UNION ALL \
             SELECT DISTINCT {BLOCK_COLUMNS} FROM manifest WHERE commit_offset >= {from} AND commit_offset < {cut} \
             AND (topic, partition, block, attempt) IN ({} UNION ALL {})",
            with_rows("work_5m", "interval_start_us"),
            with_rows("energy_readings", "event_time_us"),
        )
    }

    fn readings(&self) -> String {
        let (sealed, blocks) = self.conditions("event_time_us");
        reading_source(&sealed, &blocks)
    }
}

/// SELECT of work summed by settlement interval (`width_us` 0) or by `width_us`.
fn sums(seal: &SealOf, width_us: i64, from: &str) -> String {
    let start = match width_us {
        0 => "interval_start_us".to_owned(),
        width => format!("interval_start_us - positiveModulo(interval_start_us, {width}) AS start_us"),
    };
    let keys =
        WORK_KEY.replace("interval_start_us", if width_us == 0 { "interval_start_us" } else { "start_us" });
    let selected = WORK_KEY.replace("interval_start_us", &start);
    format!(
        "SELECT toInt32({}), toUInt64({}), {selected}, sum(shares), sum(credited_q32), sum(credited_q32_squared), \
         sum(blocks), max(largest_q32) FROM ({from}) GROUP BY {keys}",
        seal.day, seal.seal
    )
}

/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;

impl Store {
    /// A client for long sealing queries, without a limit of rows.
    fn sealing(&self) -> Client {
        self.client()
            .clone()
            .with_setting("max_result_rows", "0")
            .with_setting("max_execution_time", STEP_MAX_S.to_string())
            .with_setting("max_bytes_before_external_group_by", SPILL_BYTES.to_string())
            .with_setting("max_bytes_before_external_sort", SPILL_BYTES.to_string())
    }

    /// How many blocks of some topics were committed at offsets in `[from, to)`.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn count_committed(&self, topics: &[&str], from: u64, to: u64) -> Result<u64, StoreError> {
        let sql = "SELECT uniqExact(topic, partition, block) FROM manifest \
             WHERE commit_offset >= ? AND commit_offset < ? AND topic IN ?";
        let query = self.client().query(sql).bind(from).bind(to).bind(topics);
        query.fetch_one().await.map_err(query_failed("count the blocks above the seals"))
    }

    /// The days with rows of the blocks committed at offsets in `[from, to)`, in order.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn touched_days(&self, from: u64, to: u64) -> Result<Vec<TouchedDay>, StoreError> {
        let (low, high) = (from.to_string(), to.to_string());
        let committed = committed_between(&low, &high);
        let days = |table: &str, instant: &str| {
            let day = day_sql(instant);
            format!(
                "SELECT DISTINCT {day} AS day, topic, partition, block, attempt FROM {table} WHERE {committed}"
            )
        };
        let sql = format!(
            "SELECT day, max(commit_offset) AS last_commit_offset FROM ({} UNION ALL {}) AS rows INNER JOIN (\
               SELECT topic, partition, block, attempt, min(manifest.commit_offset) AS commit_offset FROM manifest \
               WHERE manifest.commit_offset >= {low} AND manifest.commit_offset < {high} \
               GROUP BY topic, partition, block, attempt) AS commits USING (topic, partition, block, attempt) \
             GROUP BY day ORDER BY day",
            days("work_5m", "interval_start_us"),
            days("energy_readings", "event_time_us"),
        );
        let query = self.sealing().query(&sql);
        query.fetch_all().await.map_err(query_failed("find the days that blocks touch"))
    }

    /// Writes the rows of a seal, table by table.
    ///
    /// # Errors
    /// [`StoreError::Query`]; some rows may have been written. They are never committed: retry with another tag.
    pub async fn write_seal(&self, seal: &SealOf) -> Result<(), StoreError> {
        let SealOf { day, seal: tag, cut, .. } = *seal;
        let own = format!("SELECT {WORK_COLUMNS} FROM sealed_work_5m WHERE day = {day} AND seal = {tag}");
        for (table, rows) in [
            ("seal_attempts", format!("SELECT toInt32({day}), toUInt64({tag}), toUInt64({cut})")),
            ("sealed_work_5m", sums(seal, 0, &seal.work())),
            ("sealed_work_1h", sums(seal, HOUR_US, &own)),
            ("sealed_work_1d", sums(seal, DAY_US, &own)),
            (
                "sealed_energy_readings",
                format!(
                    "SELECT toInt32({day}), toUInt64({tag}), {READING_COLUMNS} FROM ({})",
                    seal.readings()
                ),
            ),
            (
                "sealed_blocks",
                format!("SELECT toInt32({day}), toUInt64({tag}), {BLOCK_COLUMNS} FROM ({})", seal.blocks()),
            ),
        ] {
            let sql = format!("INSERT INTO {table} {rows}");
            self.sealing().query(&sql).execute().await.map_err(query_failed("write a seal"))?;
        }
        Ok(())
    }
}
