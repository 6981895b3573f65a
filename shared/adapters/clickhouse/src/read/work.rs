//! Sums of accepted work.

use serde::Deserialize;
use wb_units::Interval;

use super::times::{Times, within_times};
use super::{Read, Selection, SeriesRange, bind_selection, parts};
use crate::error::StoreError;
use crate::sealed::work_rows;

/// The chain whose work earns.
const EARNING_CHAIN: &str = "main";

/// Keeps the accepted work of the given machines.
pub(crate) const ACCEPTED: &str = "machine_id IN {machines:Array(String)} AND verdict = 'accepted'";

/// A sum of accepted work. Columns that are summed over are empty or zero.
#[derive(Debug, Clone, clickhouse::Row, Deserialize)]
pub(crate) struct WorkRow {
    pub(crate) machine_id: String,
    pub(crate) chain: String,
    pub(crate) nbits: u32,
    pub(crate) subsidy_sat: u64,
    pub(crate) shares: u64,
    pub(crate) credited_q32: u128,
    /// The start of the settlement interval.
    pub(crate) at_us: i64,
}

impl Read {
    /// The work of some machines by settlement interval and chain.
    pub(crate) async fn work_by_interval(
        &self,
        machines: &[&str],
        interval: Interval,
    ) -> Result<Vec<WorkRow>, StoreError> {
        let sql = format!(
            "SELECT '' AS machine_id, chain, toUInt32(0) AS nbits, toUInt64(0) AS subsidy_sat, \
               sum(shares) AS shares, sum(credited_q32) AS credited_q32, interval_start_us AS at_us FROM ({}) \
             GROUP BY at_us, chain",
            work_rows("{start:Int64}", "{end:Int64}", ACCEPTED)
        );
        let query = self.query(&sql).param("machines", machines);
        let query = query.param("start", interval.start_us).param("end", interval.end_us);
        self.fetch_counted("sum work by interval", query.with_setting("max_result_rows", "0")).await
    }

    /// Earning work of some machines within their times, by machine and worth.
    pub(super) async fn earning_work(
        &self,
        machines: &[String],
        range: SeriesRange,
        times: &Times,
    ) -> Result<Vec<WorkRow>, StoreError> {
        let of_chain = format!("{ACCEPTED} AND chain = '{EARNING_CHAIN}'");
        let rows = work_rows("{from:Int64}", "{to:Int64}", &of_chain);
        let sql = format!(
            "SELECT machine_id, chain, nbits, subsidy_sat, sum(shares) AS shares, sum(credited_q32) AS credited_q32, \
               toInt64(0) AS at_us \
             FROM ({}) GROUP BY machine_id, chain, nbits, subsidy_sat ORDER BY machine_id, nbits, subsidy_sat",
            within_times("r.*", &rows, "interval_start_us")
        );
        let query = times.bind(range.bind(self.query(&sql)).param("machines", machines));
        self.fetch_counted("sum a report's work", query.with_setting("max_result_rows", "0")).await
    }

    /// Earning work at a site by settlement interval and worth, within the scope; with `machines`, that of these
    /// machines, by machine.
    pub(super) async fn earning_work_by_interval(
        &self,
        range: SeriesRange,
        at_site: &Selection,
        machines: Option<&[String]>,
    ) -> Result<Vec<WorkRow>, StoreError> {
        let (machine, of_machines) = match machines {
            Some(_) => ("machine_id", "machine_id IN {machines:Array(String)}"),
            None => ("'' AS machine_id", "1"),
        };
        let sql = format!(
            "SELECT {machine}, chain, nbits, subsidy_sat, sum(shares) AS shares, \
               sum(credited_q32) AS credited_q32, at_us \
             FROM ({}) WHERE verdict = 'accepted' AND chain = '{EARNING_CHAIN}' AND {of_machines} \
             GROUP BY machine_id, at_us, chain, nbits, subsidy_sat ORDER BY machine_id, at_us, nbits, subsidy_sat",
            parts::work(&self.scope, at_site)
        );
        let query = bind_selection(range.bind(self.query(&sql)), at_site);
        let query = match machines {
            Some(machines) => query.param("machines", machines),
            None => query,
        };
        self.fetch_counted("sum a report's work by interval", query.with_setting("max_result_rows", "0"))
            .await
    }
}
