//! The work of each five minutes up to an instant, for moving averages.

use ruint::aliases::U256;
use serde::Deserialize;
use wb_units::SETTLEMENT_INTERVAL_US;
use wb_units::time::Micros;

use super::hashrate::wide;
use super::{Read, STATISTICS_MAX_US, Selection, SeriesRange, bind_selection, parts};
use crate::error::StoreError;

/// Accepted work on one chain in each settlement interval before an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentWork {
    pub chain: String,
    /// Credited difficulty in units of 2^-32 per settlement interval, from the first one with work up to the instant;
    /// zero where there is none.
    pub credited_q32: Vec<U256>,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Row {
    chain: String,
    at_us: i64,
    credited_q32: String,
}

impl Read {
    /// Accepted work of the 31 days before an instant by chain and settlement interval, in order of
    /// chain and time. A chain without any has no row.
    ///
    /// # Errors
    /// [`StoreError::Range`] for an instant off the settlement grid or before 1970; [`StoreError::Query`] or
    /// [`StoreError::Row`].
    pub async fn recent_work(
        &self,
        at_us: Micros,
        selection: &Selection,
    ) -> Result<Vec<RecentWork>, StoreError> {
        if at_us <= 0 || at_us % SETTLEMENT_INTERVAL_US != 0 {
            let problem = "at must lie on full five minutes after 1970 began, such as 2026-10-01T00:05:00Z";
            return Err(StoreError::Range { problem: problem.into() });
        }
        let range = SeriesRange::whole(at_us.saturating_sub(STATISTICS_MAX_US).max(0), at_us)?;
        let sql = format!(
            "SELECT chain, at_us, toString(sum(toInt256(toInt128(credited_q32)))) AS credited_q32
             FROM ({}) WHERE verdict = 'accepted' GROUP BY chain, at_us ORDER BY chain, at_us",
            parts::work(&self.scope, selection)
        );
        let query = range.bind(bind_selection(self.query(&sql), selection));
        series(self.fetch_counted("read the recent work", query).await?, at_us)
    }
}

/// Groups rows by chain, in order of time, with zeros in the gaps.
fn series(rows: Vec<Row>, at_us: Micros) -> Result<Vec<RecentWork>, StoreError> {
    let mut chains: Vec<RecentWork> = Vec::new();
    let mut first_us = at_us;
    for row in rows {
        if chains.last().is_none_or(|last| last.chain != row.chain) {
            finish(&mut chains, first_us, at_us);
            first_us = row.at_us;
            chains.push(RecentWork { chain: row.chain, credited_q32: Vec::new() });
        }
        if let Some(last) = chains.last_mut() {
            last.credited_q32.resize(intervals(first_us, row.at_us), U256::ZERO);
            last.credited_q32.push(wide("work_5m", &row.credited_q32)?);
        }
    }
    finish(&mut chains, first_us, at_us);
    Ok(chains)
}

/// Appends zeros up to the instant.
fn finish(chains: &mut [RecentWork], first_us: Micros, at_us: Micros) {
    if let Some(last) = chains.last_mut() {
        last.credited_q32.resize(intervals(first_us, at_us), U256::ZERO);
    }
}

fn intervals(from_us: Micros, to_us: Micros) -> usize {
    usize::try_from(to_us.saturating_sub(from_us) / SETTLEMENT_INTERVAL_US).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_part_of_the_series_but_not_before_the_first_work() {
        let row = |chain: &str, interval: i64, q32: u32| Row {
            chain: chain.into(),
            at_us: interval * SETTLEMENT_INTERVAL_US,
            credited_q32: q32.to_string(),
        };
        let rows = vec![row("main", 5, 7), row("main", 6, 8), row("main", 9, 9), row("test", 9, 4)];
        let found = series(rows, 11 * SETTLEMENT_INTERVAL_US).unwrap();
        let plain: Vec<(&str, Vec<u64>)> = found
            .iter()
            .map(|work| (work.chain.as_str(), work.credited_q32.iter().map(U256::to::<u64>).collect()))
            .collect();
        assert_eq!(plain, [("main", vec![7, 8, 0, 0, 9, 0]), ("test", vec![4, 0])]);
        assert_eq!(series(Vec::new(), SETTLEMENT_INTERVAL_US).unwrap(), []);
        assert!(series(vec![row("main", 0, 1)], SETTLEMENT_INTERVAL_US).unwrap()[0].credited_q32.len() == 1);
    }
}
