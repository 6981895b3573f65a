//! What is recorded of a few machines at a time.

use std::collections::{BTreeMap, BTreeSet};

use clickhouse::query::Query;
use serde::Deserialize;
use wb_metering::compare::own_claim;
use wb_metering::energy::RegisterReading;
use wb_metering::energy::witness::Witness;
use wb_metering::gpu::Span;
use wb_metering::report::machine::{Claims, Record, Register, Rules, Sample, SpanRow, Work};
use wb_metering::uptime::Found;
use wb_units::time::SECOND_US;
use wb_units::{Interval, SETTLEMENT_INTERVAL_US};

use crate::conditions::{COUNTED_ID, committed_among, not_voided};
use crate::error::StoreError;
use crate::read::energy::ENERGY_GAP_MAX_US;
use crate::read::hashrate::wide;
use crate::read::parts;
use crate::read::{Read, Selection, SeriesRange, bind_selection};
use crate::sealed::{reading_rows, work_rows};

/// The chain whose work earns.
const EARNING_CHAIN: &str = "main";

/// Keeps the rows of the machines that are read.
const OF_MACHINES: &str = "machine_id IN {machines:Array(String)}";

/// The times that are looked at, as a table: `of_machine`, `from_us`, `to_us`.
const TIMES: &str = "SELECT tupleElement(time, 1) AS of_machine, tupleElement(time, 2) AS from_us, \
       tupleElement(time, 3) AS to_us \
     FROM (SELECT arrayJoin(arrayZip({time_machines:Array(String)}, {time_starts:Array(Int64)}, \
       {time_ends:Array(Int64)})) AS time)";

/// Instants, as SQL, that no reading lies before or after the range.
const GAP_BEFORE: (&str, &str) = ("({from:Int64} - {gap:Int64})", "{from:Int64}");
const GAP_AFTER: (&str, &str) = ("{to:Int64}", "({to:Int64} + {gap:Int64})");

#[derive(Debug, clickhouse::Row, Deserialize)]
struct WorkRow {
    machine_id: String,
    nbits: u32,
    subsidy_sat: u64,
    credited_q32: u128,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct IntervalWorkRow {
    machine_id: String,
    at_us: i64,
    nbits: u32,
    subsidy_sat: u64,
    credited_q32: u128,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct ClaimRow {
    machine_id: String,
    hashes: u128,
    credited_q32: u128,
    squared: String,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct SampleRow {
    machine_id: String,
    event_time_us: i64,
    id: [u8; 16],
    append_time_us: i64,
    state: String,
    algorithm: String,
    power_mw: Option<u64>,
    uptime_s: Option<u64>,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct AnswerRow {
    machine_id: String,
    answers: String,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct ReadingRow {
    machine_id: String,
    meter_id: String,
    witness: String,
    event_time_us: i64,
    event_id: [u8; 16],
    register_wh: u64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct AppendRow {
    machine_id: String,
    meter_id: String,
    event_id: [u8; 16],
    append_time_us: i64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct SpanColumns {
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
}

/// Machines with times of them, as the parameters of [`TIMES`].
#[derive(Default)]
pub(super) struct Times {
    machines: Vec<String>,
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl Times {
    fn push(&mut self, machine_id: &str, interval: Interval) {
        self.machines.push(machine_id.to_owned());
        self.starts.push(interval.start_us);
        self.ends.push(interval.end_us);
    }

    fn bind(&self, query: Query) -> Query {
        query
            .param("time_machines", &self.machines)
            .param("time_starts", &self.starts)
            .param("time_ends", &self.ends)
    }
}

/// Joins rows (`rows`, with `machine_id` and the instant `at`) with the times that are looked at.
pub(super) fn within_times(columns: &str, rows: &str, at: &str) -> String {
    format!(
        "SELECT {columns} FROM ({rows}) AS r INNER JOIN ({TIMES}) AS t ON t.of_machine = r.machine_id \
         WHERE r.{at} >= t.from_us AND r.{at} < t.to_us"
    )
}

impl Read {
    /// Fills in what is recorded of machines, given with their stands.
    pub(super) async fn fill_records(
        &self,
        range: SeriesRange,
        rules: &Rules,
        records: &mut BTreeMap<String, Record>,
    ) -> Result<(), StoreError> {
        let (mut stands, mut held) = (Times::default(), Times::default());
        for record in records.values() {
            for stand in &record.stands {
                stands.push(&record.machine_id, stand.interval);
                for part in record.assigned.iter().filter_map(|held| held.intersect(&stand.interval)) {
                    held.push(&record.machine_id, part);
                }
            }
        }
        let machines: Vec<String> = records.keys().cloned().collect();
        let corrections = self.corrections().await?;
        let ask = |sql: &str, times: &Times| {
            corrections
                .bind(times.bind(range.bind(self.query(sql)).param("machines", &machines)))
                .with_setting("max_result_rows", "0")
        };
        self.add_work(records, &ask, &stands, &held).await?;
        self.add_claims(records, &ask, &stands, rules).await?;
        self.add_samples(records, &ask, &stands, rules).await?;
        let readings = self.readings_of(range, &machines, None).await?;
        for (machine_id, registers) in readings {
            if let Some(record) = records.get_mut(&machine_id) {
                record.registers = registers;
            }
        }
        if rules.policies.judge_lateness() {
            self.add_lateness(range, &machines, records).await?;
        }
        self.add_spans(records, &ask, &stands).await?;
        self.add_gpu_uses(records, &ask, &stands).await?;
        self.add_gpu_xids(records, &ask, &stands, rules).await
    }

    /// When readings were appended. Seals do not hold it, so the blocks are asked, and only where a policy makes
    /// something of it.
    async fn add_lateness(
        &self,
        range: SeriesRange,
        machines: &[String],
        records: &mut BTreeMap<String, Record>,
    ) -> Result<(), StoreError> {
        let later = format!(
            "{OF_MACHINES} AND event_time_us >= {{from:Int64}} AND event_time_us < {{to:Int64}} \
             AND append_time_us != event_time_us"
        );
        let sql = format!(
            "SELECT machine_id, meter_id, event_id, append_time_us FROM energy_readings WHERE {later} AND {}",
            committed_among("energy_readings", &later)
        );
        let query = range.bind(self.query(&sql)).param("machines", machines);
        let query = query.with_setting("max_result_rows", "0");
        let found: Vec<AppendRow> = self.fetch("read when readings came", query).await?;
        for row in found {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            for register in record.registers.iter_mut().filter(|one| one.meter_id == row.meter_id) {
                register.appended.insert(row.event_id, row.append_time_us);
            }
        }
        Ok(())
    }

    async fn add_work(
        &self,
        records: &mut BTreeMap<String, Record>,
        ask: &impl Fn(&str, &Times) -> Query,
        stands: &Times,
        held: &Times,
    ) -> Result<(), StoreError> {
        let accepted = format!("{OF_MACHINES} AND verdict = 'accepted' AND chain = '{EARNING_CHAIN}'");
        let rows = work_rows("{from:Int64}", "{to:Int64}", &accepted);
        let of_times = within_times("r.*", &rows, "interval_start_us");
        let sql = format!(
            "SELECT machine_id, nbits, subsidy_sat, sum(credited_q32) AS credited_q32 \
             FROM ({of_times}) GROUP BY machine_id, nbits, subsidy_sat ORDER BY machine_id, nbits, subsidy_sat"
        );
        let found: Vec<WorkRow> = self.fetch_counted("sum a report's work", ask(&sql, stands)).await?;
        for row in found {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            record.work.push(work(row.nbits, row.subsidy_sat, row.credited_q32)?);
            record.suspense_q32 = record.suspense_q32.saturating_add(row.credited_q32);
        }
        let found: Vec<WorkRow> = self.fetch_counted("sum a report's work", ask(&sql, held)).await?;
        for row in found {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            record.suspense_q32 = record.suspense_q32.saturating_sub(row.credited_q32);
        }
        Ok(())
    }

    /// What firmware claimed in the settlement intervals with a sample, beside the work of the same.
    async fn add_claims(
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
        // A sample that repeats the uptime of the one before comes from a cache: it claims nothing anew.
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
        let accepted = format!("{OF_MACHINES} AND verdict = 'accepted'");
        let rows = work_rows("{from:Int64}", "{to:Int64}", &accepted);
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
            // An answer that a later version cannot read any more says nothing here.
            let reading = wb_metering::miner::normalise(&row.answers).ok();
            record.own_claim = reading.and_then(|reading| own_claim(&reading, rules.firmware_class_ppm));
        }
        Ok(())
    }

    async fn add_samples(
        &self,
        records: &mut BTreeMap<String, Record>,
        ask: &impl Fn(&str, &Times) -> Query,
        stands: &Times,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        // A customer is told from samples of its own time; of a site also those just outside speak.
        let (margin_us, own) = match self.scope.customer() {
            Some(_) => (0, true),
            None => (rules.speaks_us, false),
        };
        let around = format!(
            "{OF_MACHINES} AND event_time_us >= {{from:Int64}} - {{margin:Int64}} \
             AND event_time_us < {{to:Int64}} + {{margin:Int64}}"
        );
        let samples = format!(
            "SELECT machine_id, event_time_us, \
               sipHash128(source, source_epoch, source_key, sequence) AS id, append_time_us, \
               toString(state) AS state, toString(algorithm) AS algorithm, power_mw, uptime_s \
             FROM miner_samples WHERE {around} AND {} AND {}",
            committed_among("miner_samples", &around),
            not_voided(COUNTED_ID)
        );
        let sql = if own { within_times("r.*", &samples, "event_time_us") } else { samples };
        let query = ask(&sql, stands).param("margin", margin_us);
        let found: Vec<SampleRow> = self.fetch("read a report's samples", query).await?;
        for row in found {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            record.is_other_algorithm |= !matches!(row.algorithm.as_str(), "sha256d" | "unknown" | "");
            record.samples.push(Sample {
                at_us: row.event_time_us,
                id: row.id,
                appended_at_us: row.append_time_us,
                uptime_s: row.uptime_s,
                found: Found::of_state(&row.state).ok_or_else(|| StoreError::Row {
                    table: "miner_samples",
                    problem: format!("no sample is in the state {:?}", row.state),
                })?,
                power_mw: row.power_mw,
            });
        }
        Ok(())
    }

    /// The registers of machines: the readings of the range, and the nearest before and after it.
    async fn readings_of(
        &self,
        range: SeriesRange,
        machines: &[String],
        meters: Option<&[String]>,
    ) -> Result<BTreeMap<String, Vec<Register>>, StoreError> {
        let mut condition = OF_MACHINES.to_owned();
        if meters.is_some() {
            condition.push_str(" AND meter_id IN {meters:Array(String)}");
        }
        let meter = "machine_id, meter_id, witness";
        let columns =
            "machine_id, meter_id, toString(witness) AS witness, event_time_us, event_id, register_wh";
        let (before, within, after) = (
            reading_rows(GAP_BEFORE.0, GAP_BEFORE.1, &condition),
            reading_rows("{from:Int64}", "{to:Int64}", &condition),
            reading_rows(GAP_AFTER.0, GAP_AFTER.1, &condition),
        );
        let sql = format!(
            "SELECT {columns} FROM ({within}) \
             UNION ALL SELECT * FROM (SELECT {columns} FROM ({before}) \
             ORDER BY event_time_us DESC, event_id ASC LIMIT 1 BY {meter}) \
             UNION ALL SELECT * FROM (SELECT {columns} FROM ({after}) \
             ORDER BY event_time_us ASC, event_id ASC LIMIT 1 BY {meter})"
        );
        let query = range
            .bind(self.query(&sql))
            .param("machines", machines)
            .param("meters", meters.unwrap_or_default())
            .param("gap", ENERGY_GAP_MAX_US)
            .with_setting("max_result_rows", "0");
        let rows: Vec<ReadingRow> = self.fetch_counted("read a report's registers", query).await?;
        let mut registers: BTreeMap<(String, String, String), Vec<RegisterReading>> = BTreeMap::new();
        for row in rows {
            let reading =
                RegisterReading { at_us: row.event_time_us, id: row.event_id, register_wh: row.register_wh };
            registers.entry((row.machine_id, row.meter_id, row.witness)).or_default().push(reading);
        }
        let mut found: BTreeMap<String, Vec<Register>> = BTreeMap::new();
        for ((machine_id, meter_id, witness), readings) in registers {
            let Some(witness) = Witness::of_commit(&witness) else { continue };
            let corrections = self.corrections().await?.resolved.of_meter(&meter_id).to_vec();
            let appended = BTreeMap::new();
            let register = Register { meter_id, witness, readings, corrections, appended };
            found.entry(machine_id).or_default().push(register);
        }
        Ok(found)
    }

    /// The registers of a site's own meters.
    pub(super) async fn report_site_meters(
        &self,
        range: SeriesRange,
        machines: &[String],
        meters: &[String],
    ) -> Result<Vec<Register>, StoreError> {
        if meters.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: Vec<Register> =
            self.readings_of(range, machines, Some(meters)).await?.into_values().flatten().collect();
        for meter_id in meters {
            // A meter that said nothing is missing, not left out.
            if found.iter().all(|register| register.meter_id != *meter_id) {
                found.push(Register {
                    meter_id: meter_id.clone(),
                    witness: Witness::Meter,
                    readings: Vec::new(),
                    corrections: Vec::new(),
                    appended: BTreeMap::new(),
                });
            }
        }
        Ok(found)
    }

    async fn add_spans(
        &self,
        records: &mut BTreeMap<String, Record>,
        ask: &impl Fn(&str, &Times) -> Query,
        stands: &Times,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT DISTINCT node_id, allocation_id, device, toString(profile) AS profile, account, \
               toString(state) AS state, gpus, start_us, end_us, event_time_us \
             FROM gpu_spans AS s INNER JOIN ({TIMES}) AS t ON t.of_machine = s.node_id \
             WHERE s.start_us < t.to_us AND (isNull(s.end_us) OR s.end_us > t.from_us) AND {} AND {}",
            committed_among("gpu_spans", "node_id IN {time_machines:Array(String)}"),
            not_voided("event_id")
        );
        let found: Vec<SpanColumns> = self.fetch("read a report's allocations", ask(&sql, stands)).await?;
        for row in found {
            let Some(record) = records.get_mut(&row.node_id) else { continue };
            let seen_us = row.end_us.unwrap_or(row.event_time_us).saturating_sub(row.start_us).max(0);
            record.spans.push(SpanRow {
                span: Span {
                    allocation_id: row.allocation_id,
                    account: row.account,
                    node_id: row.node_id,
                    state: row.state,
                    gpus: row.gpus,
                    start_us: row.start_us,
                    end_us: row.end_us,
                    elapsed_s: u64::try_from(seen_us / SECOND_US).unwrap_or(0),
                },
                device: row.device,
                profile: row.profile,
            });
        }
        Ok(())
    }

    /// The accepted work at a site by settlement interval, as far as the scope may see it.
    pub(super) async fn report_site_work(
        &self,
        range: SeriesRange,
        at_site: &Selection,
    ) -> Result<Vec<(i64, Work)>, StoreError> {
        let sql = format!(
            "SELECT '' AS machine_id, at_us, nbits, subsidy_sat, sum(credited_q32) AS credited_q32 \
             FROM ({}) WHERE verdict = 'accepted' AND chain = '{EARNING_CHAIN}' \
             GROUP BY at_us, nbits, subsidy_sat ORDER BY at_us, nbits, subsidy_sat",
            parts::work(&self.scope, at_site)
        );
        let rows = self.interval_work(bind_selection(range.bind(self.query(&sql)), at_site)).await?;
        Ok(rows.into_iter().map(|(_, at_us, work)| (at_us, work)).collect())
    }

    /// The same of some machines.
    pub(super) async fn report_machine_work(
        &self,
        range: SeriesRange,
        at_site: &Selection,
        machines: BTreeSet<String>,
    ) -> Result<BTreeMap<String, Vec<(i64, Work)>>, StoreError> {
        let sql = format!(
            "SELECT machine_id, at_us, nbits, subsidy_sat, sum(credited_q32) AS credited_q32 \
             FROM ({}) WHERE verdict = 'accepted' AND chain = '{EARNING_CHAIN}' AND {OF_MACHINES} \
             GROUP BY machine_id, at_us, nbits, subsidy_sat ORDER BY machine_id, at_us, nbits, subsidy_sat",
            parts::work(&self.scope, at_site)
        );
        let query = bind_selection(range.bind(self.query(&sql)), at_site);
        let machines: Vec<String> = machines.into_iter().collect();
        let mut found: BTreeMap<String, Vec<(i64, Work)>> =
            machines.iter().map(|machine_id| (machine_id.clone(), Vec::new())).collect();
        for (machine_id, at_us, work) in self.interval_work(query.param("machines", &machines)).await? {
            found.entry(machine_id).or_default().push((at_us, work));
        }
        Ok(found)
    }

    async fn interval_work(&self, query: Query) -> Result<Vec<(String, i64, Work)>, StoreError> {
        let query = query.with_setting("max_result_rows", "0");
        let rows: Vec<IntervalWorkRow> = self.fetch_counted("sum a report's work by interval", query).await?;
        rows.into_iter()
            .map(|row| Ok((row.machine_id, row.at_us, work(row.nbits, row.subsidy_sat, row.credited_q32)?)))
            .collect()
    }
}

fn work(nbits: u32, reward_sat: u64, credited_q32: u128) -> Result<Work, StoreError> {
    // A share is accepted under a target only, so no writer makes such a row.
    let target = wb_proof::Target::from_nbits(nbits).map_err(|error| StoreError::Row {
        table: "work_5m",
        problem: format!("accepted work under no target: {error}"),
    })?;
    Ok(Work { target: target.as_u256(), reward_sat, credited_q32 })
}
