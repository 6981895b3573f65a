//! The content of a seal: as it must be, summed here, and as it is stored.

use std::collections::BTreeMap;

use ruint::aliases::U256;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use wb_fold::merkle;
use wb_fold::rowbinary::Row;
use wb_units::time::DAY_US;

use super::{BLOCK_COLUMNS, HOUR_US, READING_COLUMNS, SealOf, TABLES, WORK_COLUMNS, WORK_KEY};
use crate::client::Store;
use crate::error::{StoreError, query_failed};

/// The content of a seal: the number and SHA-256 of its rows, without their tag, and its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SealContent {
    /// Rows of all tables.
    pub rows: u64,
    /// The hash of all tables.
    pub hash: [u8; 32],
    /// How many blocks.
    pub blocks: u64,
    /// The root over the blocks, sorted.
    pub blocks_root: [u8; 32],
}

/// Hashes the rows of one table one by one.
#[derive(Default)]
struct TableHash {
    rows: u64,
    bytes: Sha256,
}

impl TableHash {
    fn row(&mut self, row: &Row) {
        self.rows = self.rows.saturating_add(1);
        self.bytes.update(row.as_bytes());
    }
}

/// SHA-256 over the name, row count and row hash of each table, in the order of [`TABLES`].
fn content(tables: [TableHash; TABLES.len()], leaves: Vec<[u8; 32]>) -> SealContent {
    let (mut all, mut rows) = (Sha256::new(), 0_u64);
    for (name, table) in TABLES.iter().zip(tables) {
        rows = rows.saturating_add(table.rows);
        all.update(name.as_bytes());
        all.update([0]);
        all.update(table.rows.to_le_bytes());
        all.update(table.bytes.finalize());
    }
    let blocks = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    SealContent { rows, hash: all.finalize().into(), blocks, blocks_root: merkle::root(leaves) }
}

/// A row of work to be summed.
#[derive(clickhouse::Row, Deserialize)]
struct WorkRow {
    machine_id: String,
    interval_start_us: i64,
    site_id: String,
    chain: String,
    nbits: u32,
    subsidy_sat: u64,
    verdict: String,
    reason: String,
    shares: u64,
    credited_q32: u128,
    squared: [u8; 32],
    blocks: u64,
    largest: [u8; 32],
}

/// The key of a sum without the machine, in the order of the tables.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    start_us: i64,
    site_id: String,
    chain: String,
    nbits: u32,
    subsidy_sat: u64,
    verdict: String,
    reason: String,
}

/// Sums that wrap as those of ClickHouse do.
#[derive(Default, Clone, Copy)]
struct Sums {
    shares: u64,
    credited_q32: u128,
    squared: U256,
    blocks: u64,
    largest_q32: U256,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.shares = self.shares.wrapping_add(other.shares);
        self.credited_q32 = self.credited_q32.wrapping_add(other.credited_q32);
        self.squared = self.squared.wrapping_add(other.squared);
        self.blocks = self.blocks.wrapping_add(other.blocks);
        self.largest_q32 = self.largest_q32.max(other.largest_q32);
    }
}

fn encode(machine_id: &str, key: &Key, sums: &Sums) -> Row {
    let mut row = Row::new();
    row.text(machine_id).i64(key.start_us).text(&key.site_id).text(&key.chain);
    row.u32(key.nbits).u64(key.subsidy_sat).text(&key.verdict).text(&key.reason);
    row.u64(sums.shares).u128(sums.credited_q32);
    row.fixed(&sums.squared.to_le_bytes::<32>()).u64(sums.blocks);
    row.fixed(&sums.largest_q32.to_le_bytes::<32>());
    row
}

/// Sums the work of a day machine by machine, so that only one machine's day is in memory.
#[derive(Default)]
struct Adder {
    machine_id: String,
    /// By settlement interval, hour and day.
    sums: [BTreeMap<Key, Sums>; 3],
    hashes: [TableHash; 3],
}

impl Adder {
    fn add(&mut self, row: WorkRow) {
        if row.machine_id != self.machine_id {
            self.finish_machine();
            self.machine_id = row.machine_id;
        }
        let sums = Sums {
            shares: row.shares,
            credited_q32: row.credited_q32,
            squared: U256::from_le_bytes(row.squared),
            blocks: row.blocks,
            largest_q32: U256::from_le_bytes(row.largest),
        };
        let key = Key {
            start_us: row.interval_start_us,
            site_id: row.site_id,
            chain: row.chain,
            nbits: row.nbits,
            subsidy_sat: row.subsidy_sat,
            verdict: row.verdict,
            reason: row.reason,
        };
        for (level, width_us) in self.sums.iter_mut().zip([1, HOUR_US, DAY_US]) {
            let start_us = key.start_us.saturating_sub(key.start_us.rem_euclid(width_us));
            level.entry(Key { start_us, ..key.clone() }).or_default().add(&sums);
        }
    }

    fn finish_machine(&mut self) {
        for (level, hash) in self.sums.iter_mut().zip(&mut self.hashes) {
            for (key, sums) in std::mem::take(level) {
                hash.row(&encode(&self.machine_id, &key, &sums));
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, clickhouse::Row, Deserialize)]
pub struct DayBlock {
    pub topic: String,
    pub partition: u32,
    pub block: u64,
    /// The content hash of the block.
    pub content_hash: [u8; 32],
    /// The root over the block's events.
    pub merkle_root: [u8; 32],
}

impl DayBlock {
    /// Its leaf in the tree over the day's blocks.
    #[must_use]
    pub fn leaf(&self) -> [u8; 32] {
        let place = (self.topic.as_str(), self.partition, self.block);
        merkle::block_leaf(place, &self.content_hash, &self.merkle_root)
    }
}

impl Store {
    /// The content that a seal must have: the rows of its base and of the later blocks, read again and summed here.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn expected_seal(&self, seal: &SealOf) -> Result<SealContent, StoreError> {
        let failed = || query_failed("read a day to be sealed");
        let sql = format!(
            "SELECT {WORK_KEY}, shares, credited_q32, reinterpretAsFixedString(credited_q32_squared) AS squared, \
             blocks, reinterpretAsFixedString(largest_q32) AS largest FROM ({}) ORDER BY machine_id",
            seal.work()
        );
        let mut rows = self.sealing().query(&sql).fetch::<WorkRow>().map_err(failed())?;
        let mut adder = Adder::default();
        while let Some(row) = rows.next().await.map_err(failed())? {
            adder.add(row);
        }
        adder.finish_machine();
        let readings = self.hash_rows(READING_COLUMNS, &format!("({})", seal.readings())).await?;
        let [by_interval, by_hour, by_day] = adder.hashes;
        let (blocks, leaves) = self.hash_blocks(&format!("({})", seal.blocks())).await?;
        Ok(content([by_interval, by_hour, by_day, readings, blocks], leaves))
    }

    /// The blocks of a day below a cut, read from the tables; sorted.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn blocks_of_day(&self, day: i32, cut: u64) -> Result<Vec<DayBlock>, StoreError> {
        let seal = SealOf { day, seal: 0, base: None, cut };
        let sql = format!("SELECT {BLOCK_COLUMNS} FROM ({}) ORDER BY {BLOCK_COLUMNS}", seal.blocks());
        self.sealing().query(&sql).fetch_all().await.map_err(query_failed("read the blocks of a day"))
    }

    /// Hashes rows of blocks in order; returns also their leaves.
    async fn hash_blocks(&self, from: &str) -> Result<(TableHash, Vec<[u8; 32]>), StoreError> {
        let failed = || query_failed("read the blocks of a day to be sealed");
        let sql = format!("SELECT {BLOCK_COLUMNS} FROM {from} ORDER BY {BLOCK_COLUMNS}");
        let mut rows = self.sealing().query(&sql).fetch::<DayBlock>().map_err(failed())?;
        let (mut hash, mut leaves) = (TableHash::default(), Vec::new());
        while let Some(block) = rows.next().await.map_err(failed())? {
            let mut row = Row::new();
            row.text(&block.topic).u32(block.partition).u64(block.block);
            hash.row(row.fixed(&block.content_hash).fixed(&block.merkle_root));
            leaves.push(block.leaf());
        }
        Ok((hash, leaves))
    }

    /// The stored content under a tag.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn stored_seal(&self, day: i32, seal: u64) -> Result<SealContent, StoreError> {
        let mut tables = <[TableHash; TABLES.len()]>::default();
        let mut leaves = Vec::new();
        for (name, table) in TABLES.iter().zip(&mut tables) {
            let rows = format!("{name} WHERE day = {day} AND seal = {seal}");
            *table = match *name {
                "sealed_blocks" => {
                    let (blocks, of_blocks) = self.hash_blocks(&rows).await?;
                    leaves = of_blocks;
                    blocks
                }
                "sealed_energy_readings" => self.hash_rows(READING_COLUMNS, &rows).await?,
                _ => self.hash_rows(WORK_COLUMNS, &rows).await?,
            };
        }
        Ok(content(tables, leaves))
    }

    /// Hashes rows in the order of all their columns.
    async fn hash_rows(&self, columns: &str, from: &str) -> Result<TableHash, StoreError> {
        let failed = || query_failed("read a sealed day back");
        let client = self.sealing();
        let sql = format!("SELECT count() FROM {from}");
        let mut hash = TableHash {
            rows: client.query(&sql).fetch_one().await.map_err(failed())?,
            ..TableHash::default()
        };
        let sql = format!("SELECT {columns} FROM {from} ORDER BY {columns}");
        let mut chunks = client.query(&sql).fetch_bytes("RowBinary").map_err(failed())?;
        while let Some(chunk) = chunks.next().await.map_err(failed())? {
            hash.bytes.update(&chunk);
        }
        Ok(hash)
    }
}
