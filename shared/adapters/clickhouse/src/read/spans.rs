//! Spans of GPU allocations.

use clickhouse::query::Query;
use serde::Deserialize;
use wb_counted::{AllocationRow, BlockId};
use wb_metering::gpu::Span;
use wb_metering::report::machine::SpanRow;
use wb_units::Interval;
use wb_units::time::SECOND_US;

use super::Read;
use super::times::{TIMES, Times};
use crate::conditions::{committed_among, not_voided};
use crate::error::StoreError;

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Columns {
    node_id: String,
    allocation_id: String,
    device: String,
    profile: String,
    account: String,
    state: String,
    gpus: u32,
    start_us: i64,
    end_us: Option<i64>,
    event_time_us: i64,
    topic: String,
    partition: u32,
    block: u64,
}

impl Columns {
    fn row(self) -> AllocationRow {
        let seen_us = self.end_us.unwrap_or(self.event_time_us).saturating_sub(self.start_us).max(0);
        AllocationRow {
            row: SpanRow {
                span: Span {
                    allocation_id: self.allocation_id,
                    account: self.account,
                    node_id: self.node_id,
                    state: self.state,
                    gpus: self.gpus,
                    start_us: self.start_us,
                    end_us: self.end_us,
                    elapsed_s: u64::try_from(seen_us / SECOND_US).unwrap_or(0),
                },
                device: self.device,
                profile: self.profile,
            },
            block: BlockId { topic: self.topic, partition: self.partition, block: self.block },
        }
    }
}

/// All rows of the allocations of some nodes that have a touched row. Untouched rows matter too: an allocation whose
/// end lies before a time may have an earlier row that shows it running in that time.
fn rows_of_touched(touched: &str) -> String {
    let own = "node_id IN {nodes:Array(String)}";
    let of_nodes = format!("{own} AND {} AND {}", committed_among("gpu_spans", own), not_voided("event_id"));
    format!(
        "SELECT DISTINCT node_id, allocation_id, device, toString(profile) AS profile, account, \
           toString(state) AS state, gpus, start_us, end_us, event_time_us, topic, partition, block \
         FROM gpu_spans WHERE {of_nodes} AND (node_id, allocation_id) IN (\
           SELECT node_id, allocation_id FROM (\
             SELECT node_id, allocation_id, start_us, end_us FROM gpu_spans WHERE {of_nodes}) AS s {touched})"
    )
}

/// Rows of allocations of some accounts that touch a time.
const OF_ACCOUNTS: &str = "account IN {accounts:Array(String)} AND start_us < {end:Int64} \
     AND (isNull(end_us) OR end_us > {start:Int64})";

#[derive(Debug, clickhouse::Row, Deserialize)]
struct HeldRow {
    node_id: String,
    account: String,
    start_us: i64,
    until_us: i64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct NodeRow {
    node_id: String,
}

impl Read {
    /// The nodes on which allocations of some accounts touch a time, in order. Their other allocations may be of other
    /// accounts.
    pub(crate) async fn nodes_of_accounts(
        &self,
        accounts: &[String],
        window: Interval,
    ) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT node_id FROM gpu_spans WHERE {OF_ACCOUNTS} AND {} AND {} ORDER BY node_id",
            committed_among("gpu_spans", OF_ACCOUNTS),
            not_voided("event_id")
        );
        let query = self.query(&sql).param("accounts", accounts);
        let query = query.param("start", window.start_us).param("end", window.end_us);
        let query = self.corrections().await?.bind(query).with_setting("max_result_rows", "0");
        let found: Vec<NodeRow> = self.fetch("find the nodes of accounts", query).await?;
        Ok(found.into_iter().map(|row| row.node_id).collect())
    }

    /// The nodes with rows that touch a time, whether they count or not: a quick look before they are read.
    pub(crate) async fn nodes_with_spans(&self, window: Interval) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT node_id FROM gpu_spans WHERE start_us < {end:Int64} \
                   AND (isNull(end_us) OR end_us > {start:Int64}) ORDER BY node_id";
        let query = self.query(sql).param("start", window.start_us).param("end", window.end_us);
        let query = query.with_setting("max_result_rows", "0");
        let found: Vec<NodeRow> = self.fetch("find nodes with allocations", query).await?;
        Ok(found.into_iter().map(|row| row.node_id).collect())
    }

    /// The times of allocations of some accounts that touch a time, by account and node. An open allocation is held until
    /// its row was taken.
    pub(super) async fn held_by_accounts(
        &self,
        accounts: &[String],
        window: Interval,
    ) -> Result<Vec<(String, String, Interval)>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT node_id, account, start_us, ifNull(end_us, event_time_us) AS until_us \
             FROM gpu_spans WHERE {OF_ACCOUNTS} AND until_us > start_us AND {} AND {}",
            committed_among("gpu_spans", OF_ACCOUNTS),
            not_voided("event_id")
        );
        let query = self.query(&sql).param("accounts", accounts);
        let query = query.param("start", window.start_us).param("end", window.end_us);
        let query = self.corrections().await?.bind(query).with_setting("max_result_rows", "0");
        let found: Vec<HeldRow> = self.fetch("find what accounts held", query).await?;
        let held = |row: HeldRow| {
            let time = Interval { start_us: row.start_us, end_us: row.until_us };
            (row.account, row.node_id, time)
        };
        Ok(found.into_iter().map(held).collect())
    }

    /// All rows that count of the allocations of some nodes that touch a time, including rows that do not touch it.
    pub(crate) async fn spans(
        &self,
        nodes: &[String],
        window: Interval,
    ) -> Result<Vec<AllocationRow>, StoreError> {
        let sql = rows_of_touched(
            "WHERE s.start_us < {end:Int64} AND (isNull(s.end_us) OR s.end_us > {start:Int64})",
        );
        let query = self.query(&sql).param("start", window.start_us).param("end", window.end_us);
        self.fetch_spans(query, nodes).await
    }

    /// The same for allocations that touch times of the nodes.
    pub(super) async fn spans_within(
        &self,
        nodes: &[String],
        times: &Times,
    ) -> Result<Vec<AllocationRow>, StoreError> {
        let sql = rows_of_touched(&format!(
            "INNER JOIN ({TIMES}) AS t ON t.of_machine = s.node_id \
             WHERE s.start_us < t.to_us AND (isNull(s.end_us) OR s.end_us > t.from_us)"
        ));
        self.fetch_spans(times.bind(self.query(&sql)), nodes).await
    }

    async fn fetch_spans(&self, query: Query, nodes: &[String]) -> Result<Vec<AllocationRow>, StoreError> {
        let query = self.corrections().await?.bind(query.param("nodes", nodes));
        let query = query.with_setting("max_result_rows", "0");
        let found: Vec<Columns> = self.fetch("read GPU allocations", query).await?;
        Ok(found.into_iter().map(Columns::row).collect())
    }
}
