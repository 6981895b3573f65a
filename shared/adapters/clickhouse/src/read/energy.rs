//! Energy over time, from the differences of cumulative registers.
//!
//! The difference between two consecutive readings is spread linearly over the time between them, by the
//! cumulative-floor method: the part before an instant is floor(difference * elapsed / whole), and an interval gets
//! the part before its end minus the part before its start. So the parts always add up to the difference. If a
//! register fell, it was reset: the difference is unknown and counts nothing. This is the rule of
//! `wb_metering::energy`, written in SQL so that a whole site can be drawn; the engine test compares the two.

use clickhouse::query::Query;
use serde::Deserialize;
use wb_metering::corrections::Corrections;
use wb_units::SETTLEMENT_INTERVAL_US;

use super::{Bucket, Read, Selection, SeriesRange, bind_selection, parts};
use crate::error::StoreError;
use crate::sealed::reading_rows;

/// How far outside the range to look for readings that bound a gap at its ends: 92 days, so a register that was not
/// read for a quarter still counts.
pub const ENERGY_GAP_MAX_US: i64 = 92 * 86_400 * 1_000_000;

/// Energy of one bucket by one kind of witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnergyPoint {
    pub bucket: Bucket,
    /// The witness: `meter`, `pdu` or `firmware`, the best one of each machine and settlement interval.
    pub witness: String,
    /// Energy in thousandths of a watt-hour.
    pub energy_mwh: i128,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Row {
    bucket_start_us: i64,
    witness: String,
    energy_mwh: i128,
}

impl Read {
    /// Energy by bucket and witness, in order; buckets without any have no point.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn energy(
        &self,
        range: SeriesRange,
        selection: &Selection,
    ) -> Result<Vec<EnergyPoint>, StoreError> {
        let ratios = Ratios::of(&self.corrections().await?.resolved);
        let sql = format!(
            "SELECT {} AS bucket_start_us, witness, sum(energy_mwh) AS energy_mwh
             FROM ({}) GROUP BY bucket_start_us, witness ORDER BY bucket_start_us, witness",
            parts::BUCKET_START,
            parts::allowed(&slots(!ratios.meters.is_empty()), &self.scope, selection)
        );
        let query = ratios.bind(range.bind(bind_selection(self.query(&sql), selection)));
        let rows: Vec<Row> = self.fetch_counted("read the energy", query).await?;
        let point = |row: Row| EnergyPoint {
            bucket: range.bucket_at(row.bucket_start_us),
            witness: row.witness,
            energy_mwh: row.energy_mwh,
        };
        Ok(rows.into_iter().map(point).collect())
    }
}

/// Parameters of a query for the meters whose ratio is corrected.
#[derive(Default)]
struct Ratios {
    meters: Vec<String>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    right: Vec<u64>,
    used: Vec<u64>,
}

impl Ratios {
    fn of(corrections: &Corrections) -> Self {
        let mut ratios = Self::default();
        for (meter_id, of_meter) in corrections.meters() {
            for correction in of_meter {
                ratios.meters.push(meter_id.to_owned());
                ratios.starts.push(correction.interval.start_us);
                ratios.ends.push(correction.interval.end_us);
                ratios.right.push(correction.right);
                ratios.used.push(correction.used);
            }
        }
        ratios
    }

    fn bind(&self, query: Query) -> Query {
        query
            .param("ratio_meters", &self.meters)
            .param("ratio_starts", &self.starts)
            .param("ratio_ends", &self.ends)
            .param("ratio_right", &self.right)
            .param("ratio_used", &self.used)
    }
}

/// Pairs of readings, cut where a correction of their meter's ratio begins or ends. Adds the ends of each part, `s0`
/// and `s1`, and the factor of the register in it, `right_num` over `used_num`.
fn corrected(pairs: &str) -> String {
    let ratios = "arrayZip({ratio_meters:Array(String)}, {ratio_starts:Array(Int64)}, {ratio_ends:Array(Int64)}, \
         {ratio_right:Array(UInt64)}, {ratio_used:Array(UInt64)})";
    format!(
        "SELECT site_id, machine_id, witness, t0, t1, r0, r1, tupleElement(part, 1) AS s0, tupleElement(part, 2) AS s1,
           if(tupleElement(tupleElement(part, 3), 5) = 0, toUInt64(1), tupleElement(tupleElement(part, 3), 4)) AS right_num,
           greatest(tupleElement(tupleElement(part, 3), 5), toUInt64(1)) AS used_num
         FROM (
           SELECT *,
             arrayFilter(r -> tupleElement(r, 1) = meter_id AND tupleElement(r, 2) < t1 AND tupleElement(r, 3) > t0,
               {ratios}) AS of_meter,
             arraySort(arrayDistinct(arrayConcat([t0, t1],
               arrayMap(r -> greatest(tupleElement(r, 2), t0), of_meter),
               arrayMap(r -> least(tupleElement(r, 3), t1), of_meter)))) AS edges,
             arrayJoin(arrayMap(
               (a, b) -> (a, b, arrayFirst(r -> tupleElement(r, 2) <= a AND tupleElement(r, 3) > a, of_meter)),
               arrayPopBack(edges), arrayPopFront(edges))) AS part
           FROM ({pairs}) WHERE t0 < t1 AND r0 <= r1)"
    )
}

/// Energy per machine and settlement interval by the best witness: `site_id`, `machine_id`,
/// `at_us`, `witness`, `energy_mwh`.
fn slots(has_ratios: bool) -> String {
    let rows = reading_rows(
        &format!("({{from:Int64}} - {ENERGY_GAP_MAX_US})"),
        &format!("({{to:Int64}} + {ENERGY_GAP_MAX_US})"),
        "witness IN ('meter', 'pdu', 'firmware')",
    );
    // Of several readings of one instant the one with the lowest id counts, as in `wb_metering`.
    let readings = format!(
        "SELECT machine_id, meter_id, witness, event_time_us,
           argMin(e.site_id, (e.event_id, e.register_wh)) AS site_id,
           argMin(e.register_wh, (e.event_id, e.register_wh)) AS register_wh
         FROM ({rows}) AS e
         GROUP BY machine_id, meter_id, witness, event_time_us"
    );
    // Pairs of consecutive readings.
    let pairs = format!(
        "SELECT site_id, machine_id, meter_id, witness, event_time_us AS t1, register_wh AS r1,
           lagInFrame(event_time_us, 1, event_time_us) OVER in_order AS t0,
           lagInFrame(register_wh, 1, register_wh) OVER in_order AS r0
         FROM ({readings})
         WINDOW in_order AS (PARTITION BY machine_id, meter_id, witness ORDER BY event_time_us
           ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    );
    let parts = if has_ratios {
        corrected(&pairs)
    } else {
        format!(
            "SELECT site_id, machine_id, witness, t0, t1, r0, r1, t0 AS s0, t1 AS s1, toUInt64(1) AS right_num,
               toUInt64(1) AS used_num
             FROM ({pairs}) WHERE t0 < t1 AND r0 <= r1"
        )
    };
    // One row per part of a pair and settlement interval that it touches inside the range.
    let touched = format!(
        "SELECT site_id, machine_id, witness, t0, t1, s0, s1, toInt128(r0) AS from_wh,
           toInt128(r1) - toInt128(r0) AS wh, right_num, used_num,
           toInt64(arrayJoin(range(
             toUInt64(intDiv(greatest(s0, {{from:Int64}}), {SETTLEMENT_INTERVAL_US})),
             toUInt64(intDiv(least(s1, {{to:Int64}}) - 1, {SETTLEMENT_INTERVAL_US}) + 1)
           ))) * {SETTLEMENT_INTERVAL_US} AS at_us
         FROM ({parts}) WHERE s0 < {{to:Int64}} AND s1 > {{from:Int64}}"
    );
    // The energy up to an instant. With a wrong ratio it is counted from the register's zero, as the register would
    // stand.
    let until = |at: &str| {
        let counted = format!("intDiv(wh * 1000 * toInt128({at} - t0), toInt128(t1 - t0))");
        if !has_ratios {
            return counted;
        }
        format!(
            "if(right_num = used_num, {counted}, toInt128(intDiv(toInt256(from_wh * 1000 + {counted}) \
               * toInt256(right_num), toInt256(used_num))))"
        )
    };
    let shares = format!(
        "SELECT site_id, machine_id, witness, at_us,
           transform(witness, ['meter', 'pdu', 'firmware'], [0, 1, 2], 3) AS witness_rank,
           {} - {} AS part_mwh
         FROM ({touched})",
        until(&format!("least(at_us + {SETTLEMENT_INTERVAL_US}, s1)")),
        until("greatest(at_us, s0)")
    );
    let by_witness = format!(
        "SELECT machine_id, at_us, witness_rank, toString(any(witness)) AS named_witness,
           argMax(site_id, (part_mwh, site_id)) AS at_site, sum(part_mwh) AS whole_mwh
         FROM ({shares}) GROUP BY machine_id, at_us, witness_rank"
    );
    format!(
        "SELECT argMin(at_site, witness_rank) AS site_id, machine_id, at_us,
           argMin(named_witness, witness_rank) AS witness, argMin(whole_mwh, witness_rank) AS energy_mwh
         FROM ({by_witness}) GROUP BY machine_id, at_us"
    )
}
