//! Rows of committed blocks, block by block, for publishing. They are the rows of all tenants, so only the operator's
//! own services may read them.
//!
//! Numbers of blocks and attempts are written into SQL; texts are query parameters.

use clickhouse::{RowOwned, RowRead};
use serde::Deserialize;

use crate::client::Store;
use crate::conditions::boundary;
use crate::error::{StoreError, query_failed};

pub const COMMITTED_PAGE_ROWS: u32 = 20_000;

/// A committed block.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct CommittedBlock {
    pub commit_offset: u64,
    pub topic: String,
    pub partition: u32,
    pub block: u64,
    /// The committed attempt.
    pub attempt: u64,
    pub events: u64,
    /// Accepted events.
    pub accepted: u64,
    /// Rejected events.
    pub rejected: u64,
}

/// The place of a row: the offset of its block's commit, and its index in the table's rows of that block.
pub type RowPlace = (u64, u32);

/// Accepted work of a machine in an interval, as one block counted it.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct CommittedWork {
    /// The offset of its block's commit.
    pub commit_offset: u64,
    /// Its index in the block.
    pub idx: u32,
    pub machine_id: String,
    pub site_id: String,
    /// The settlement interval's start, UTC microseconds.
    pub interval_start_us: i64,
    pub chain: String,
    /// The network's target, compact.
    pub nbits: u32,
    /// The block subsidy in satoshi.
    pub subsidy_sat: u64,
    pub shares: u64,
    /// Credited difficulty in units of 2^-32.
    pub credited_q32: u128,
    /// Shares that solved a block.
    pub blocks: u64,
    /// The machine's customer, as known when the block was committed; empty if it had none.
    pub customer_id: String,
    /// The customer's contract.
    pub contract_id: String,
}

/// A reading of a cumulative register.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct CommittedEnergy {
    /// The offset of its block's commit.
    pub commit_offset: u64,
    /// Its index in the block.
    pub idx: u32,
    /// The event's id.
    pub event_id: [u8; 16],
    pub machine_id: String,
    pub site_id: String,
    pub meter_id: String,
    /// `meter`, `pdu` or `firmware`.
    pub witness: String,
    /// When it was read, UTC microseconds.
    pub event_time_us: i64,
    /// The register, watt-hours.
    pub register_wh: u64,
    /// The machine's customer, as known when the block was committed; empty if it had none.
    pub customer_id: String,
    /// The customer's contract.
    pub contract_id: String,
}

/// A span of a GPU allocation.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct CommittedGpu {
    /// The offset of its block's commit.
    pub commit_offset: u64,
    /// Its index in the block.
    pub idx: u32,
    /// The event's id.
    pub event_id: [u8; 16],
    /// The node; nodes are machines.
    pub node_id: String,
    pub site_id: String,
    pub allocation_id: String,
    /// The GPU or slice, if the allocation was bound to one.
    pub device: String,
    /// The MIG profile, empty for whole GPUs.
    pub profile: String,
    /// The scheduler's account that held the GPUs.
    pub account: String,
    /// The allocation's state.
    pub state: String,
    /// How many GPUs.
    pub gpus: u32,
    /// The start, UTC microseconds.
    pub start_us: i64,
    /// The end; none if the allocation goes on.
    pub end_us: Option<i64>,
    /// The time of the event.
    pub event_time_us: i64,
    /// The node's customer at the start, as known when the block was committed.
    pub customer_id: String,
    /// The customer's contract.
    pub contract_id: String,
}

/// A table of rows that count for a customer.
struct Counted {
    table: &'static str,
    machine: &'static str,
    at: &'static str,
    only: &'static str,
    columns: &'static str,
    what: &'static str,
}

const WORK: Counted = Counted {
    table: "work_5m",
    machine: "machine_id",
    at: "interval_start_us",
    only: "verdict = 'accepted'",
    columns: "machine_id, site_id, interval_start_us, chain, nbits, subsidy_sat, shares, credited_q32, blocks",
    what: "read the work of committed blocks",
};

const ENERGY: Counted = Counted {
    table: "energy_readings",
    machine: "machine_id",
    at: "event_time_us",
    only: "1",
    columns: "event_id, machine_id, site_id, meter_id, witness, event_time_us, register_wh",
    what: "read the readings of committed blocks",
};

const GPU: Counted = Counted {
    table: "gpu_spans",
    machine: "node_id",
    at: "start_us",
    only: "1",
    columns: "event_id, node_id, site_id, allocation_id, device, profile, account, state, gpus, start_us, \
              end_us, event_time_us",
    what: "read the spans of committed blocks",
};

fn list<T: ToString>(numbers: impl Iterator<Item = T>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(", ")
}

/// SQL for the rows after a place, each with its customer as known when its block was committed.
fn page_sql(of: &Counted, blocks: &[CommittedBlock], after: Option<RowPlace>) -> String {
    let Counted { table, machine, at, only, columns, .. } = of;
    let attempts = list(blocks.iter().map(|block| block.attempt));
    let offsets = list(blocks.iter().map(|block| block.commit_offset));
    let numbers = list(blocks.iter().map(|block| block.block));
    let after = match after {
        None => "1".to_owned(),
        Some((commit_offset, idx)) => format!("(commit_offset, idx) > ({commit_offset}, {idx})"),
    };
    // An attempt is a random 64-bit number drawn for one block; the tuple makes the match exact.
    let tuples = list(blocks.iter().map(|block| {
        format!("(toUInt32({}), toUInt64({}), toUInt64({}))", block.partition, block.block, block.attempt)
    }));
    let page = format!(
        "SELECT toUInt64(transform(attempt, [{attempts}], [{offsets}], toUInt64(0))) AS commit_offset, idx,
           {machine} AS of_machine, {at} AS at_us, {columns}
         FROM {table}
         WHERE attempt IN ({attempts}) AND block IN ({numbers}) AND (partition, block, attempt) IN ({tuples})
           AND {only} AND {after}
         ORDER BY commit_offset, idx LIMIT {COMMITTED_PAGE_ROWS}"
    );
    let facts = format!("kind = 'assignment' AND entity IN (SELECT of_machine FROM ({page}))");
    let (from, to) = (boundary("valid_from_us"), boundary("assumeNotNull(valid_to_us)"));
    // The same rule as for versions in reads, but as of each row's own block: of the assignments committed by then
    // and begun, the last one holds, until its own end.
    let assignments = format!(
        "SELECT entity AS assigned, {from} AS from_us,
           if(isNull(valid_to_us), toInt64({}), {to}) AS to_us,
           JSONExtractString(body, 'customer_id') AS whose, JSONExtractString(body, 'contract_id') AS under,
           (valid_from_us, partition, block, facts.idx) AS recorded, fact_commit_offset
         FROM facts INNER JOIN (
           SELECT DISTINCT commit_offset AS fact_commit_offset, topic, partition, block, attempt FROM manifest
           WHERE (topic, partition, block) IN (SELECT topic, partition, block FROM facts WHERE {facts})
         ) AS committed USING (topic, partition, block, attempt)
         WHERE {facts}",
        i64::MAX
    );
    format!(
        "SELECT commit_offset, idx, {columns}, if(at_us < held.3, held.1, '') AS customer_id,
           if(at_us < held.3, held.2, '') AS contract_id
         FROM (
           SELECT commit_offset, idx, at_us, {columns},
             argMaxIf((whose, under, to_us), recorded, from_us <= at_us AND fact_commit_offset <= commit_offset)
               AS held
           FROM ({page}) AS page LEFT JOIN ({assignments}) AS a ON a.assigned = page.of_machine
           GROUP BY commit_offset, idx, at_us, {columns}
         ) ORDER BY commit_offset, idx"
    )
}

impl Store {
    /// Committed and projected blocks in commit order, from an offset of `commits` on. The list has no gaps.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn committed_blocks(
        &self,
        from_commit_offset: u64,
        limit: u32,
    ) -> Result<Vec<CommittedBlock>, StoreError> {
        let sql =
            "SELECT DISTINCT commit_offset, topic, partition, block, attempt, events, accepted, rejected
             FROM manifest WHERE commit_offset >= {from:UInt64} ORDER BY commit_offset LIMIT {limit:UInt32}";
        let query = self.client().query_raw(sql).param("from", from_commit_offset).param("limit", limit);
        query.fetch_all().await.map_err(query_failed("list the committed blocks"))
    }

    async fn committed_page<T: RowOwned + RowRead>(
        &self,
        of: &Counted,
        blocks: &[CommittedBlock],
        after: Option<RowPlace>,
    ) -> Result<Vec<T>, StoreError> {
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let sql = page_sql(of, blocks, after);
        self.client().query_raw(&sql).fetch_all().await.map_err(query_failed(of.what))
    }

    /// Accepted work of committed blocks of `shares`, after a place.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn committed_work(
        &self,
        blocks: &[CommittedBlock],
        after: Option<RowPlace>,
    ) -> Result<Vec<CommittedWork>, StoreError> {
        self.committed_page(&WORK, blocks, after).await
    }

    /// Readings of committed blocks of `energy`, after a place.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn committed_energy(
        &self,
        blocks: &[CommittedBlock],
        after: Option<RowPlace>,
    ) -> Result<Vec<CommittedEnergy>, StoreError> {
        self.committed_page(&ENERGY, blocks, after).await
    }

    /// Spans of committed blocks of `gpu`, after a place.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn committed_gpu(
        &self,
        blocks: &[CommittedBlock],
        after: Option<RowPlace>,
    ) -> Result<Vec<CommittedGpu>, StoreError> {
        self.committed_page(&GPU, blocks, after).await
    }
}
