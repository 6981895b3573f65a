//! The rows that count at a cut, read from sealed days as far as possible.
//!
//! A seal of all days with cut F states that everything committed before F lies in the seals of its days. A reader at
//! a cut R takes the latest such seal committed below R. It reads the seals of days as of F, and the rows of blocks
//! committed in [F, R). Without such a seal F is 0, and all rows come from blocks. Both ways add up to the same.
//!
//! The SQL uses the parameters `cut:UInt64`, the reader's cut R, and `sealed_cut:UInt64`, which is F. The caller gets
//! F with [`sealed_cut_query`] and sets both. Events voided at R are left out;
//! [`crate::corrections::CorrectionsAt::bind`] sets the parameters for that.

use wb_events::commits::ALL_DAYS;
use wb_units::SETTLEMENT_INTERVAL_US;
use wb_units::time::DAY_US;

use crate::conditions::{committed_among, committed_between, not_voided, voided_shares};

/// The difficulty of the largest share of a row of `work_5m`, if all of its shares had the same.
const LARGEST_Q32: &str = "intDiv(credited_q32_squared, greatest(toUInt256(credited_q32), toUInt256(1)))";

/// The columns of both `work_5m` and its sealed form, in the order of [`work_source`].
pub(crate) const WORK_COLUMNS: &str = "machine_id, interval_start_us, site_id, chain, nbits, subsidy_sat, \
     verdict, reason, shares, credited_q32, credited_q32_squared, blocks, largest_q32";

/// The columns of both `energy_readings` and its sealed form.
pub(crate) const READING_COLUMNS: &str = "machine_id, meter_id, witness, event_time_us, event_id, \
     register_wh, site_id, topic, partition, block";

/// SQL for the UTC day of an instant, counted since 1970-01-01.
pub(crate) fn day_sql(instant: &str) -> String {
    format!("toInt32(intDiv({instant} - positiveModulo({instant}, {DAY_US}), {DAY_US}))")
}

/// The query for F, 0 if there is no seal. It uses the parameter `cut:UInt64`; its result is the parameter
/// `sealed_cut:UInt64` of [`work_rows`] and [`reading_rows`].
///
/// Run it before each query, so that all parts of the query use the same seals, and do not keep its result: replaced
/// seals are kept only for a little longer than a query may take.
#[must_use]
pub fn sealed_cut_query() -> String {
    format!(
        "SELECT max(cut) FROM seals WHERE day = {ALL_DAYS} AND commit_offset < {{cut:UInt64}} \
         AND commit_offset >= (SELECT max(commit_offset) FROM seal_floor)"
    )
}

/// Keeps the rows of attempts committed above the seals. The block number is tested first: this one narrow column
/// excludes nearly all old rows of a part that holds old and new blocks.
fn above_seals() -> String {
    let (from, to) = ("{sealed_cut:UInt64}", "{cut:UInt64}");
    format!(
        "block IN (SELECT block FROM manifest WHERE commit_offset >= {from} AND commit_offset < {to}) AND {}",
        committed_between(from, to)
    )
}

/// Keeps the rows of the seals in use, of days that may touch `[from, to)`.
fn of_seals(from: &str, to: &str) -> String {
    let days = format!("day >= {} AND day <= {}", day_sql(from), day_sql(to));
    format!(
        "{days} AND (day, seal) IN (\
           SELECT day, argMax(seal, cut) FROM seals \
           WHERE day != {ALL_DAYS} AND {days} AND commit_offset < {{cut:UInt64}} \
           AND cut <= {{sealed_cut:UInt64}} GROUP BY day)"
    )
}

/// Rows of work from seals and from blocks, each with its own condition.
pub(crate) fn work_source(of_seals: &str, of_blocks: &str) -> String {
    // Columns are listed, because the two tables have different orders.
    let without_largest = WORK_COLUMNS.trim_end_matches(", largest_q32");
    format!(
        "SELECT {WORK_COLUMNS} FROM sealed_work_5m WHERE {of_seals} \
         UNION ALL SELECT {without_largest}, {LARGEST_Q32} AS largest_q32 FROM work_5m WHERE {of_blocks}"
    )
}

/// Readings from seals and from blocks, each with its own condition.
pub(crate) fn reading_source(of_seals: &str, of_blocks: &str) -> String {
    format!(
        "SELECT {READING_COLUMNS} FROM sealed_energy_readings WHERE {of_seals} \
         UNION ALL SELECT {READING_COLUMNS} FROM energy_readings WHERE {of_blocks}"
    )
}

/// The rows of work that count at the cut, of settlement intervals that start in `[from, to)`: the columns of
/// `work_5m` without those of the block, and `largest_q32`, the largest difficulty of a share as far as the rows show
/// it.
///
/// A machine and interval may have several rows; use only sums and maxima over them. A voided share is a further row
/// that subtracts it: -1 in two's complement, so a sum must have the column's own width or be signed. `from` and `to`
/// are SQL for instants in microseconds, such as a parameter; `condition` is SQL over the columns of a row. None of
/// the three may contain a caller's text.
#[must_use]
pub fn work_rows(from: &str, to: &str, condition: &str) -> String {
    let within = format!("interval_start_us >= {from} AND interval_start_us < {to} AND ({condition})");
    let counted = work_source(
        &format!("{} AND {within}", of_seals(from, to)),
        &format!("{within} AND {}", above_seals()),
    );
    format!("{counted} UNION ALL {}", voided_work(from, to, condition))
}

/// Rows that subtract voided shares.
pub(crate) fn voided_work(from: &str, to: &str, condition: &str) -> String {
    let q32 = "credited_q32";
    let voided = format!(
        "{} AND verdict = 'accepted' \
         AND event_time_us >= {from} AND event_time_us < {to} + {SETTLEMENT_INTERVAL_US}",
        voided_shares()
    );
    // The condition applies inside, where rows have the columns of their commit.
    let shares = format!(
        "SELECT machine_id, event_time_us - positiveModulo(event_time_us, {SETTLEMENT_INTERVAL_US}) \
             AS interval_start_us, \
           site_id, chain, nbits, subsidy_sat, verdict, reason, toUInt64(1) AS one, {q32} AS q32, solves_block \
         FROM shares WHERE {voided} AND {}",
        committed_among("shares", &voided)
    );
    format!(
        "SELECT machine_id, interval_start_us, site_id, chain, nbits, subsidy_sat, verdict, reason, \
           toUInt64(-toInt64(one)) AS shares, toUInt128(-toInt128(q32)) AS credited_q32, \
           toUInt256(-(toInt256(q32) * toInt256(q32))) AS credited_q32_squared, \
           toUInt64(-toInt64(solves_block)) AS blocks, toUInt256(0) AS largest_q32 \
         FROM ({shares}) WHERE interval_start_us >= {from} AND interval_start_us < {to} AND ({condition})"
    )
}

/// The register readings that count at the cut, with event times in `[from, to)`: machine, meter, witness, event time
/// and id, register, site, the reading's block, and whether it comes from the seal of its day (`is_sealed`).
///
/// `from`, `to` and `condition` are as for [`work_rows`].
#[must_use]
pub fn reading_rows(from: &str, to: &str, condition: &str) -> String {
    let counts = not_voided("event_id");
    let within = format!("event_time_us >= {from} AND event_time_us < {to} AND ({condition}) AND {counts}");
    format!(
        "SELECT {READING_COLUMNS}, true AS is_sealed FROM sealed_energy_readings WHERE {} AND {within} \
         UNION ALL SELECT {READING_COLUMNS}, false AS is_sealed FROM energy_readings WHERE {within} AND {}",
        of_seals(from, to),
        above_seals()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_bound_to_the_cut_and_the_range() {
        for sql in [work_rows("{a:Int64}", "{b:Int64}", "1"), reading_rows("{a:Int64}", "{b:Int64}", "1")] {
            let halves: Vec<&str> = sql.split("UNION ALL").collect();
            assert!(halves.len() >= 2, "{sql}");
            for half in &halves[..2] {
                assert!(half.contains("commit_offset < {cut:UInt64}"), "{half}");
                assert!(half.contains("{sealed_cut:UInt64}"), "{half}");
                assert!(half.contains(">= {a:Int64}") && half.contains("< {b:Int64}"), "{half}");
            }
            assert!(sql.contains("{voided:Array(String)}"), "{sql}");
            for rest in &halves[2..] {
                assert!(
                    rest.contains("FROM shares") && rest.contains("commit_offset < {cut:UInt64}"),
                    "{rest}"
                );
            }
        }
    }
}
