//! The inputs of machine statistics: sums of accepted work, where hashes lie below their targets, nameplates, and the
//! last assigned difficulty.

use std::collections::BTreeMap;

use clickhouse::query::Query;
use ruint::aliases::U256;
use serde::Deserialize;
use serde_json::Value;

use super::hashrate::wide;
use super::{Page, PageRequest, Read, Selection, SeriesRange, bind_selection, parts};
use crate::error::StoreError;

/// The most shares of one machine and chain whose positions are counted. Those with the smallest ids are taken; ids
/// are the low bits of hashes, which do not depend on where a hash lies.
pub const POSITION_MAX_SHARES: u32 = 50_000;

/// The most machines of one page, because each may have 1,024 bins to read.
pub const WORKERS_PAGE_MAX_ROWS: u32 = 100;

/// Accepted work of one machine on one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainWork {
    pub chain: String,
    /// Accepted shares.
    pub shares: u64,
    /// Their difficulty in units of 2^-32.
    pub credited_q32: U256,
    /// The sum of the squares of their difficulties, in units of 2^-64.
    pub credited_q32_squared: U256,
    /// The largest difficulty among them, in units of 2^-32, as far as five-minute sums show it.
    pub largest_q32: U256,
    /// Where their hashes lie below their targets: bins of 1/1024 with their shares, for at most
    /// [`POSITION_MAX_SHARES`] of them.
    pub positions: Vec<(u16, u64)>,
}

/// What is known of one machine in a time range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    pub machine_id: String,
    /// How long it was in the scope within the range, in microseconds.
    pub duration_us: u64,
    /// How long of that it had a rated hashrate, in microseconds.
    pub rated_us: u64,
    /// The rated hashrate summed over that time, in hashes per second times microseconds.
    pub rated_hs_us: U256,
    /// The assignment of its latest session in the range.
    pub assigned: Option<Assigned>,
    /// Its work by chain, in order; empty if no share was accepted.
    pub work: Vec<ChainWork>,
}

/// The assignment of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The chain it works on.
    pub chain: String,
    /// The difficulty, decimal text.
    pub difficulty: String,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct IdRow {
    machine_id: String,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct WindowRow {
    machine_id: String,
    body: String,
    from_us: i64,
    to_us: i64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct SessionRow {
    machine_id: String,
    chain: String,
    difficulty: String,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct WorkRow {
    machine_id: String,
    chain: String,
    shares: u64,
    credited_q32: String,
    credited_q32_squared: String,
    largest_q32: String,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct PositionRow {
    machine_id: String,
    chain: String,
    bin: u16,
    shares: u64,
}

impl Read {
    /// The machines that were in the scope or worked for it in a range, in order of id, with the inputs of their
    /// statistics.
    ///
    /// # Errors
    /// [`StoreError::Range`] for more than 31 days; [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn workers(
        &self,
        page: &PageRequest,
        range: SeriesRange,
        selection: &Selection,
    ) -> Result<Page<Worker>, StoreError> {
        range.at_most_31_days()?;
        let page = &page.at_most(WORKERS_PAGE_MAX_ROWS);
        let windows = parts::machine_windows(&self.scope, selection);
        let work = parts::work(&self.scope, selection);
        let sql = format!(
            "SELECT DISTINCT machine_id FROM (
               SELECT machine_id FROM ({windows}) UNION ALL
               SELECT machine_id FROM ({work}) WHERE verdict = 'accepted'
             ) WHERE machine_id > {{after:String}} ORDER BY machine_id LIMIT {{limit:UInt32}}"
        );
        let bind = |query: Query| range.bind(bind_selection(query, selection)).param("after", page.after());
        let query = bind(self.query(&sql)).param("limit", page.limit());
        let ids: Vec<IdRow> = self.fetch_counted("list the machines that worked", query).await?;
        let ids = page.page(ids, |row| row.machine_id.clone());
        let Some(last) = ids.end_cursor.clone() else {
            return Ok(Page { rows: Vec::new(), end_cursor: None, has_next: false });
        };
        let mut workers: BTreeMap<String, Worker> =
            ids.rows.into_iter().map(|row| (row.machine_id.clone(), nothing_known(row.machine_id))).collect();

        // All further queries are limited to the machines of this page.
        let bind = |query: Query| bind(query).param("last", &last);
        let these = "machine_id > {after:String} AND machine_id <= {last:String}";
        let sql = format!("SELECT machine_id, body, from_us, to_us FROM ({windows}) WHERE {these}");
        for row in self.fetch::<WindowRow>("read the machines' nameplates", bind(self.query(&sql))).await? {
            if let Some(worker) = workers.get_mut(&row.machine_id) {
                add_window(worker, &row)?;
            }
        }
        let sessions = parts::versions("session");
        let sql = format!(
            "SELECT w.machine_id AS machine_id,
               argMax(JSONExtractString(s.body, 'chain'), (s.start_us, s.entity)) AS chain,
               argMax(JSONExtractString(s.body, 'assigned_difficulty'), (s.start_us, s.entity)) AS difficulty
             FROM (SELECT machine_id, from_us, to_us FROM ({windows}) WHERE {these}) AS w
             INNER JOIN (
               SELECT entity, body, start_us, end_us, JSONExtractString(body, 'machine_id') AS session_machine_id
               FROM ({sessions})
             ) AS s ON s.session_machine_id = w.machine_id
             WHERE s.start_us < w.to_us AND s.end_us > w.from_us GROUP BY machine_id"
        );
        for row in self.fetch::<SessionRow>("read the assigned difficulties", bind(self.query(&sql))).await? {
            if let Some(worker) = workers.get_mut(&row.machine_id) {
                worker.assigned = Some(Assigned { chain: row.chain, difficulty: row.difficulty });
            }
        }
        let sql = format!(
            "SELECT machine_id, chain, sum(shares) AS shares,
               toString(sum(toInt256(toInt128(credited_q32)))) AS credited_q32,
               toString(sum(credited_q32_squared)) AS credited_q32_squared,
               toString(max(largest_q32)) AS largest_q32
             FROM ({work}) WHERE verdict = 'accepted' AND {these}
             GROUP BY machine_id, chain ORDER BY machine_id, chain"
        );
        for row in self.fetch_counted::<WorkRow>("read the machines' work", bind(self.query(&sql))).await? {
            if let Some(worker) = workers.get_mut(&row.machine_id) {
                worker.work.push(chain_work(row)?);
            }
        }
        let corrections = self.corrections().await?;
        let positions = parts::positions(&self.scope, selection);
        let sql = format!(
            "SELECT machine_id, chain, bin, count() AS shares FROM (
               SELECT machine_id, chain, bin FROM ({positions}) WHERE {these}
               ORDER BY share_id LIMIT {POSITION_MAX_SHARES} BY machine_id, chain
             ) GROUP BY machine_id, chain, bin ORDER BY machine_id, chain, bin"
        );
        for row in self
            .fetch::<PositionRow>("read where the shares lie", corrections.bind(bind(self.query(&sql))))
            .await?
        {
            let worker = workers.get_mut(&row.machine_id);
            let of_chain = |worker: &'_ &mut ChainWork| worker.chain == row.chain;
            if let Some(work) = worker.and_then(|worker| worker.work.iter_mut().find(of_chain)) {
                work.positions.push((row.bin, row.shares));
            }
        }
        Ok(Page { rows: workers.into_values().collect(), end_cursor: Some(last), has_next: ids.has_next })
    }
}

fn nothing_known(machine_id: String) -> Worker {
    Worker {
        machine_id,
        duration_us: 0,
        rated_us: 0,
        rated_hs_us: U256::ZERO,
        assigned: None,
        work: Vec::new(),
    }
}

fn add_window(worker: &mut Worker, row: &WindowRow) -> Result<(), StoreError> {
    let length_us = u64::try_from(row.to_us.saturating_sub(row.from_us)).unwrap_or(0);
    worker.duration_us = worker.duration_us.saturating_add(length_us);
    let body: Value = serde_json::from_str(&row.body)
        .map_err(|error| StoreError::Row { table: "facts", problem: format!("body is not JSON: {error}") })?;
    let rated_hs = match body.get("rated_hashrate_hs") {
        Some(Value::String(text)) => text.parse::<u128>().ok(),
        Some(value) => value.as_u64().map(u128::from),
        None => None,
    };
    if let Some(rated_hs) = rated_hs.filter(|rated_hs| *rated_hs > 0) {
        worker.rated_us = worker.rated_us.saturating_add(length_us);
        let part = U256::from(rated_hs).saturating_mul(U256::from(length_us));
        worker.rated_hs_us = worker.rated_hs_us.saturating_add(part);
    }
    Ok(())
}

fn chain_work(row: WorkRow) -> Result<ChainWork, StoreError> {
    Ok(ChainWork {
        shares: row.shares,
        credited_q32: wide("work_5m", &row.credited_q32)?,
        credited_q32_squared: wide("work_5m", &row.credited_q32_squared)?,
        largest_q32: wide("work_5m", &row.largest_q32)?,
        chain: row.chain,
        positions: Vec::new(),
    })
}
