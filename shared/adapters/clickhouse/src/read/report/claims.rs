//! Firmware's claims of a few machines: the claimed hashrate beside the proven work, and the last answer.

use std::collections::BTreeMap;

use clickhouse::query::Query;
use serde::Deserialize;
use wb_metering::compare::own_claim;
use wb_metering::report::machine::{Claims, Record, Rules};
use wb_units::SETTLEMENT_INTERVAL_US;
use wb_units::time::SECOND_US;

use crate::conditions::{COUNTED_ID, committed_among, not_voided};
use crate::error::StoreError;
use crate::read::Read;
use crate::read::hashrate::wide;
use crate::read::times::{Times, within_times};
use crate::read::work::ACCEPTED;
use crate::sealed::work_rows;

/// Keeps the rows of the machines that are read.
const OF_MACHINES: &str = "machine_id IN {machines:Array(String)}";

#[derive(Debug, clickhouse::Row, Deserialize)]
struct ClaimRow {
    machine_id: String,
    hashes: u128,
    credited_q32: u128,
    squared: String,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct AnswerRow {
    machine_id: String,
    answers: String,
}

impl Read {
    /// The claimed hashrate in the settlement intervals that have a sample, beside the work of the same intervals.
    pub(super) async fn add_claims(
        &self,
        records: &mut BTreeMap<String, Record>,
        ask: &impl Fn(&str, &Times) -> Query,
        stands: &Times,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        let seconds = SETTLEMENT_INTERVAL_US / SECOND_US;
        let counts = not_voided(COUNTED_ID);
        let around = format!(
            "{OF_MACHINES} AND event_time_us >= {{from:Int64}} - {{margin:Int64}} AND event_time_us < {{to:Int64}}"
        );
        let committed = committed_among("miner_samples", &around);
        // A sample that repeats the uptime of the one before comes from a cache and is not a new claim.
        let samples = format!(
            "SELECT machine_id, event_time_us - positiveModulo(event_time_us, {SETTLEMENT_INTERVAL_US}) AS at_us, \
               assumeNotNull(rate) AS rate_hs \
             FROM (SELECT machine_id, event_time_us, algorithm, hashrate_hs AS rate, uptime_s AS now_s, \
                 lagInFrame(uptime_s) OVER in_order AS before_s \
               FROM miner_samples WHERE {around} AND {committed} AND {counts} \
               WINDOW in_order AS (PARTITION BY machine_id \
                 ORDER BY event_time_us, source, source_epoch, source_key, sequence \
                 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) \
             WHERE algorithm = 'sha256d' AND rate IS NOT NULL AND NOT ifNull(now_s = before_s, 0) \
               AND event_time_us >= {{from:Int64}}"
        );
        let rows = work_rows("{from:Int64}", "{to:Int64}", ACCEPTED);
        let sql = format!(
            "SELECT c.machine_id AS machine_id, sum(c.claimed) AS hashes, sum(w.q32) AS credited_q32, \
               toString(sum(w.squared)) AS squared \
             FROM (SELECT machine_id, at_us, intDiv(sum(rate_hs), toUInt128(count())) * toUInt128({seconds}) AS claimed \
                   FROM ({}) GROUP BY machine_id, at_us) AS c \
             LEFT JOIN (SELECT machine_id, interval_start_us, sum(credited_q32) AS q32, \
                   sum(credited_q32_squared) AS squared FROM ({rows}) GROUP BY machine_id, interval_start_us) AS w \
             ON w.machine_id = c.machine_id AND w.interval_start_us = c.at_us \
             GROUP BY machine_id ORDER BY machine_id",
            within_times(
                "r.machine_id AS machine_id, r.at_us AS at_us, r.rate_hs AS rate_hs",
                &samples,
                "at_us"
            )
        );
        let query = ask(&sql, stands).param("margin", rules.speaks_us);
        let found: Vec<ClaimRow> = self.fetch_counted("sum a report's claims", query).await?;
        for row in found {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            record.claims = Some(Claims {
                hashes: row.hashes,
                credited_q32: row.credited_q32,
                credited_q32_squared: wide("work_5m", &row.squared)?,
            });
        }
        let hashing = format!(
            "{OF_MACHINES} AND state = 'hashing' AND algorithm = 'sha256d' \
             AND event_time_us >= {{from:Int64}} AND event_time_us < {{to:Int64}}"
        );
        let answers = format!(
            "SELECT machine_id, event_time_us, answers FROM miner_samples WHERE {hashing} AND {} AND {counts}",
            committed_among("miner_samples", &hashing)
        );
        let sql = format!(
            "SELECT machine_id, argMax(answers, (event_time_us, answers)) AS answers FROM ({}) GROUP BY machine_id",
            within_times("r.*", &answers, "event_time_us")
        );
        let found: Vec<AnswerRow> = self.fetch("read a report's last answers", ask(&sql, stands)).await?;
        for row in found {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            // An answer that this version cannot parse is ignored.
            let reading = wb_metering::miner::normalise(&row.answers).ok();
            record.own_claim = reading.and_then(|reading| own_claim(&reading, rules.firmware_class_ppm));
        }
        Ok(())
    }
}
