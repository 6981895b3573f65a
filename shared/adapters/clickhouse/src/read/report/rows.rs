//! The records of a few machines at a time.

use std::collections::{BTreeMap, BTreeSet};

use clickhouse::query::Query;
use wb_metering::energy::RegisterReading;
use wb_metering::energy::witness::Witness;
use wb_metering::report::machine::{Record, Register, Rules, Work};
use wb_metering::report::sources::{REACH_US, is_bounded, leave_out, times_read};
use wb_units::Interval;

use crate::error::StoreError;
use crate::read::energy::ENERGY_GAP_MAX_US;
use crate::read::readings::ReadingsOf;
use crate::read::times::Times;
use crate::read::work::WorkRow;
use crate::read::{Read, Selection, SeriesRange};

/// Algorithm names that mean SHA-256d; rates of other algorithms are never added to these.
const SHA256D: [&str; 3] = ["sha256d", "unknown", ""];

impl Read {
    /// Reads the records of machines, given with their stands.
    pub(super) async fn fill_records(
        &self,
        range: SeriesRange,
        rules: &Rules,
        records: &mut BTreeMap<String, Record>,
    ) -> Result<(), StoreError> {
        let (mut stands, mut held) = (Times::default(), Times::default());
        let mut allocated = Times::default();
        for record in records.values() {
            for stand in record.stands.iter().chain(&record.lent) {
                allocated.push(&record.machine_id, stand.interval);
            }
            for stand in &record.stands {
                stands.push(&record.machine_id, stand.interval);
                for part in record.assigned.iter().filter_map(|held| held.intersect(&stand.interval)) {
                    held.push(&record.machine_id, part);
                }
            }
        }
        let nodes: Vec<String> = records.keys().cloned().collect();
        // Of a machine that was never the scope's, nothing but allocations is read.
        let own = records.values().filter(|record| !record.stands.is_empty());
        let machines: Vec<String> = own.map(|record| record.machine_id.clone()).collect();
        for row in self.earning_work(&machines, range, &stands).await? {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            record.work.push(work(&row)?);
            record.suspense_q32 = record.suspense_q32.saturating_add(row.credited_q32);
        }
        for row in self.earning_work(&machines, range, &held).await? {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            record.suspense_q32 = record.suspense_q32.saturating_sub(row.credited_q32);
        }
        let corrections = self.corrections().await?;
        let ask = |sql: &str, times: &Times| -> Query {
            corrections
                .bind(times.bind(range.bind(self.query(sql)).param("machines", &machines)))
                .with_setting("max_result_rows", "0")
        };
        self.add_claims(records, &ask, &stands, rules).await?;
        self.add_samples(range, &machines, records, &stands, rules).await?;
        self.add_registers(range, &machines, rules, records).await?;
        for found in self.spans_within(&nodes, &allocated).await? {
            if let Some(record) = records.get_mut(&found.row.span.node_id) {
                record.spans.push(found.row);
            }
        }
        self.add_gpu_uses(records, &ask, &stands).await?;
        self.add_gpu_xids(records, &ask, &stands, rules).await
    }

    /// The registers of machines. Where a policy depends on when readings came, also that, and readings as far outside of
    /// the range as it takes to find one that is not left out.
    async fn add_registers(
        &self,
        range: SeriesRange,
        machines: &[String],
        rules: &Rules,
        records: &mut BTreeMap<String, Record>,
    ) -> Result<(), StoreError> {
        let time = range.interval();
        for reach_us in REACH_US {
            let window = Interval {
                start_us: time.start_us.saturating_sub(reach_us),
                end_us: time.end_us.saturating_add(reach_us),
            };
            for (machine_id, registers) in self.registers(window, machines, None).await? {
                if let Some(record) = records.get_mut(&machine_id) {
                    record.registers = registers;
                }
            }
            if !rules.policies.judge_arrival() {
                return Ok(());
            }
            self.add_appended(machines, records).await?;
            let is_bounded = |record: &Record| {
                let mut judged = Record { samples: Vec::new(), ..record.clone() };
                leave_out(&mut judged, rules, time);
                let mut both = record.registers.iter().zip(&judged.registers);
                both.all(|(loaded, taken)| is_bounded(&loaded.readings, &taken.readings, time, window))
            };
            if records.values().all(is_bounded) {
                break;
            }
        }
        Ok(())
    }

    /// When readings were appended.
    async fn add_appended(
        &self,
        machines: &[String],
        records: &mut BTreeMap<String, Record>,
    ) -> Result<(), StoreError> {
        let Some(read) = times_read(records.values().flat_map(|record| &record.registers)) else {
            return Ok(());
        };
        for row in self.readings_appended(machines, read).await? {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            for register in record.registers.iter_mut().filter(|one| one.meter_id == row.meter_id) {
                register.appended.insert(row.id, row.appended_at_us);
            }
        }
        Ok(())
    }

    async fn add_samples(
        &self,
        range: SeriesRange,
        machines: &[String],
        records: &mut BTreeMap<String, Record>,
        stands: &Times,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        // A customer sees only samples of its own time; a site's report also uses those just outside.
        let (margin_us, times) = match self.scope.customer() {
            Some(_) => (0, Some(stands)),
            None => (rules.speaks_us, None),
        };
        let Interval { start_us, end_us } = range.interval();
        let window = Interval {
            start_us: start_us.saturating_sub(margin_us),
            end_us: end_us.saturating_add(margin_us),
        };
        for row in self.samples_within(machines, window, times).await? {
            let Some(record) = records.get_mut(&row.machine_id) else { continue };
            record.is_other_algorithm |= !SHA256D.contains(&row.algorithm.as_str());
            record.samples.push(row.sample);
        }
        Ok(())
    }

    /// The registers of machines: readings in the window, and the nearest ones before and after it.
    async fn registers(
        &self,
        window: Interval,
        machines: &[String],
        meters: Option<&[String]>,
    ) -> Result<BTreeMap<String, Vec<Register>>, StoreError> {
        let reach_us = Some(ENERGY_GAP_MAX_US);
        let of = ReadingsOf { machines, meters, window, reach_us };
        let mut registers: BTreeMap<(String, String, &str), (Witness, Vec<RegisterReading>)> =
            BTreeMap::new();
        for row in self.readings(&of).await? {
            let key = (row.machine_id, row.meter_id, row.witness.as_str());
            registers.entry(key).or_insert((row.witness, Vec::new())).1.push(row.reading);
        }
        let resolved = &self.corrections().await?.resolved;
        let mut found: BTreeMap<String, Vec<Register>> = BTreeMap::new();
        for ((machine_id, meter_id, _), (witness, readings)) in registers {
            let corrections = resolved.of_meter(&meter_id).to_vec();
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
            self.registers(range.interval(), machines, Some(meters)).await?.into_values().flatten().collect();
        for meter_id in meters {
            // A meter without readings is reported as missing.
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

    /// The accepted work at a site by settlement interval, within the scope.
    pub(super) async fn report_site_work(
        &self,
        range: SeriesRange,
        at_site: &Selection,
    ) -> Result<Vec<(i64, Work)>, StoreError> {
        let rows = self.earning_work_by_interval(range, at_site, None).await?;
        rows.iter().map(|row| Ok((row.at_us, work(row)?))).collect()
    }

    /// The accepted work of some machines by settlement interval.
    pub(super) async fn report_machine_work(
        &self,
        range: SeriesRange,
        at_site: &Selection,
        machines: BTreeSet<String>,
    ) -> Result<BTreeMap<String, Vec<(i64, Work)>>, StoreError> {
        let machines: Vec<String> = machines.into_iter().collect();
        let mut found: BTreeMap<String, Vec<(i64, Work)>> =
            machines.iter().map(|machine_id| (machine_id.clone(), Vec::new())).collect();
        for row in self.earning_work_by_interval(range, at_site, Some(&machines)).await? {
            let work = work(&row)?;
            found.entry(row.machine_id).or_default().push((row.at_us, work));
        }
        Ok(found)
    }
}

fn work(row: &WorkRow) -> Result<Work, StoreError> {
    // A share is accepted under a target only, so this product never writes such a row.
    let target = wb_proof::Target::from_nbits(row.nbits).map_err(|error| StoreError::Row {
        table: "work_5m",
        problem: format!("accepted work under no target: {error}"),
    })?;
    Ok(Work { target: target.as_u256(), reward_sat: row.subsidy_sat, credited_q32: row.credited_q32 })
}
