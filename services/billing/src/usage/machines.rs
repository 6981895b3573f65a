//! Energy, time and curtailment of the machines under a contract.
//!
//! Machines are read a few at a time, so that memory does not depend on the size of the fleet. Samples are read only
//! if the contract needs to know what a machine did, or if registers leave gaps that the machine's own power can
//! fill.

use std::collections::{BTreeMap, BTreeSet};

use wb_events::facts;
use wb_metering::billable::{
    InputCompleteness, MachineEnergy, curtailed_nj, hear, machine_time, meters, order_of,
};
use wb_metering::corrections::Corrections;
use wb_metering::energy::witness::Witness;
use wb_metering::report::machine::{Record, Register, Rules, Stand};
use wb_metering::uptime::{Status, Windows};
use wb_rating::{CurtailedSlice, EnergyGroup, EnergySlice, FleetGroup, UptimeGroup, Usage};
use wb_units::time::rfc3339;
use wb_units::{Interval, Micros};

use super::UsageReader;
use crate::error::BillerError;
use crate::ports::{Backing, ReadingRow, UsageStore};
use crate::reference::Dated;
use crate::unbilled::unheard;

/// How many machines are in memory at once: a month of five-minute readings and samples of 64 machines is about
/// 1,200,000 rows.
pub(super) const MACHINES_AT_ONCE: usize = 64;

/// Nanojoules in a thousandth of a watt-hour.
const NJ_PER_MWH: u128 = 3_600_000_000;

/// Sums over machines.
#[derive(Default)]
struct Sums {
    slices: BTreeMap<Micros, u128>,
    fleet: BTreeMap<u64, (u128, u128)>,
    curtailed_nj: BTreeMap<Micros, u128>,
    coverage: InputCompleteness,
}

impl<S: UsageStore> UsageReader<'_, S> {
    /// The rules for counting machines under the contract.
    pub(super) fn rules(&self) -> Rules {
        let counting = &self.part.contract.counting;
        let statuses = [Status::Curtailed, Status::Maintenance, Status::Unknown];
        let left_out = statuses.into_iter().filter(|status| counting.carve_outs.contains(&status.as_str()));
        Rules { order: order_of(&counting.witnesses), carve_outs: left_out.collect(), ..Rules::default() }
    }

    /// Whether the use of machines' time matters.
    fn needs_time(&self) -> bool {
        self.needs.operation || self.needs.uptime || self.needs.curtailed
    }

    pub(super) async fn add_machines(&mut self, usage: &mut Usage) -> Result<InputCompleteness, BillerError> {
        let needs_energy = self.needs.energy || self.needs.curtailed;
        if !(needs_energy || self.needs_time() || self.needs.fleet) {
            return Ok(InputCompleteness::default());
        }
        let mut by_machine: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
        for holding in &self.holdings {
            by_machine.entry(holding.machine_id.clone()).or_default().push(holding.interval);
        }
        let machines: Vec<(String, Vec<Interval>)> = by_machine.into_iter().collect();
        let rules = self.rules();
        let mut sums = Sums::default();
        for chunk in machines.chunks(MACHINES_AT_ONCE) {
            let ids: Vec<String> = chunk.iter().map(|(machine_id, _)| machine_id.clone()).collect();
            let mut records = self.empty_records(&ids);
            if needs_energy {
                self.add_registers(&ids, &mut records).await?;
            }
            let asked = self.who_needs_samples(chunk, &records, &rules);
            self.add_samples(&asked, &mut records, &rules).await?;
            if self.needs.operation {
                self.add_allocations(&ids, self.part.interval, &mut records).await?;
            }
            for (machine_id, held) in chunk {
                let Some(record) = records.get(machine_id) else { continue };
                self.note_policy(record, held);
                for interval in held {
                    self.add_holding(record, *interval, &rules, usage, &mut sums)?;
                }
            }
        }
        usage.energy_slices = if self.needs.energy_slices {
            let slice = |(start_us, energy_mwh)| EnergySlice { start_us, energy_mwh };
            sums.slices.into_iter().map(slice).collect()
        } else {
            Vec::new()
        };
        let group = |(rated_power_mw, (assigned_us, operational_us))| FleetGroup {
            rated_power_mw,
            assigned_us,
            operational_us,
        };
        usage.fleet = sums.fleet.into_iter().map(group).collect();
        let slice = |(start_us, nj)| CurtailedSlice { start_us, curtailed_mwh: nj / NJ_PER_MWH };
        usage.curtailed = sums.curtailed_nj.into_iter().map(slice).collect();
        Ok(sums.coverage)
    }

    pub(super) fn empty_records(&self, ids: &[String]) -> BTreeMap<String, Record> {
        let record = |machine_id: &String| Record {
            machine_id: machine_id.clone(),
            stands: self
                .reference
                .facts
                .machine(machine_id, self.part.interval)
                .map(|(interval, fact)| stand(interval, fact))
                .collect(),
            ..Record::default()
        };
        ids.iter().map(|machine_id| (machine_id.clone(), record(machine_id))).collect()
    }

    pub(super) async fn add_registers(
        &mut self,
        ids: &[String],
        records: &mut BTreeMap<String, Record>,
    ) -> Result<(), BillerError> {
        let judged = self.judged(ids);
        let plain: Vec<String> = ids.iter().filter(|id| !judged.contains_key(*id)).cloned().collect();
        if !plain.is_empty() {
            let rows = self.store.readings(&plain, self.part.interval, self.cut).await?;
            self.note_rows(&rows);
            for (machine_id, registers) in registers(rows, &self.corrections) {
                if let Some(record) = records.get_mut(&machine_id) {
                    record.registers = registers;
                }
            }
        }
        if judged.is_empty() { Ok(()) } else { self.add_judged_registers(&judged, records).await }
    }

    /// Keeps what stands behind readings.
    pub(super) fn note_rows(&mut self, rows: &[ReadingRow]) {
        for row in rows {
            match row.stands_in(&self.sealed) {
                Backing::Named => {
                    self.blocks.insert(row.block.clone());
                }
                Backing::Above(day) => {
                    self.above.insert(row.block.clone());
                    self.days.insert(day);
                }
                Backing::Day(day) => {
                    self.days.insert(day);
                }
            }
        }
    }

    /// The machines whose samples are needed.
    fn who_needs_samples(
        &self,
        chunk: &[(String, Vec<Interval>)],
        records: &BTreeMap<String, Record>,
        rules: &Rules,
    ) -> Vec<String> {
        let estimated = |witness: &Witness| matches!(witness, Witness::FirmwarePower | Witness::Nameplate);
        let before: Vec<Witness> =
            rules.order.iter().copied().take_while(|witness| !estimated(witness)).collect();
        let may_estimate = self.needs.energy && before.len() < rules.order.len();
        let is_open = |machine_id: &String, held: &[Interval]| {
            let Some(record) = records.get(machine_id) else { return false };
            let meters = meters(record, &Windows::default(), rules, self.part.interval);
            held.iter().any(|interval| !hear(&meters, &before, *interval).unknown.is_empty())
        };
        let asked = chunk
            .iter()
            .filter(|(machine_id, held)| self.needs_time() || (may_estimate && is_open(machine_id, held)));
        asked.map(|(machine_id, _)| machine_id.clone()).collect()
    }

    pub(super) async fn add_samples(
        &mut self,
        ids: &[String],
        records: &mut BTreeMap<String, Record>,
        rules: &Rules,
    ) -> Result<(), BillerError> {
        if ids.is_empty() {
            return Ok(());
        }
        // Samples just outside the time count for time inside.
        let window = Interval {
            start_us: self.part.interval.start_us.saturating_sub(rules.speaks_us),
            end_us: self.part.interval.end_us.saturating_add(rules.speaks_us),
        };
        for row in self.store.samples(ids, window, self.cut).await? {
            if let Some(record) = records.get_mut(&row.machine_id) {
                record.samples.push(row.sample);
                self.blocks.insert(row.block);
            }
        }
        self.judge_samples(ids, records);
        Ok(())
    }

    fn add_holding(
        &mut self,
        record: &Record,
        held: Interval,
        rules: &Rules,
        usage: &mut Usage,
        sums: &mut Sums,
    ) -> Result<(), BillerError> {
        let windows = self.windows_of(record, held);
        let (mut of_machine, mut energy) = (Vec::new(), MachineEnergy::default());
        if self.needs.energy || self.needs.curtailed {
            of_machine = meters(record, &windows, rules, held);
            energy = hear(&of_machine, &rules.order, held);
        }
        if self.needs.energy {
            let read = (of_machine.as_slice(), rules.order.as_slice());
            self.unbilled.extend(unheard(&record.machine_id, read, &energy, held));
            add_energy(&record.machine_id, &energy, usage, sums);
            sums.coverage.add(&energy.coverage(held));
        }
        if self.needs.fleet || self.needs.curtailed {
            self.check_covered(record, held)?;
        }
        if !(self.needs_time() || self.needs.fleet) {
            return Ok(());
        }
        // Uptime does not depend on the machine's properties; the other quantities do, and those were checked.
        let unknown = Stand { interval: held, rated_power_mw: 0, rated_hashrate_hs: None, gpus: None };
        let mut stands: Vec<Stand> = record
            .stands
            .iter()
            .filter_map(|stand| Some(Stand { interval: stand.interval.intersect(&held)?, ..stand.clone() }))
            .collect();
        if length_us(&stands) < held.end_us.abs_diff(held.start_us) {
            stands = vec![unknown];
        }
        for stand in stands {
            self.add_stand(record, &stand, &windows, rules, &energy, usage, sums);
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "one step of a fold over all that is known of a machine")]
    fn add_stand(
        &self,
        record: &Record,
        stand: &Stand,
        windows: &Windows,
        rules: &Rules,
        energy: &MachineEnergy,
        usage: &mut Usage,
        sums: &mut Sums,
    ) {
        let length_us = stand.interval.end_us.abs_diff(stand.interval.start_us);
        let time = if self.needs_time() {
            machine_time(record, stand, windows, rules, stand.interval)
        } else {
            wb_metering::billable::MachineTime::default()
        };
        sums.coverage.add(&time.coverage);
        if self.needs.fleet {
            let group = sums.fleet.entry(stand.rated_power_mw).or_default();
            group.0 += u128::from(length_us);
            group.1 += u128::from(time.operational_us);
        }
        if self.needs.uptime && stand.gpus.is_none() {
            let left_out = rules.carve_outs.iter().map(|status| time.uptime.in_status_us(*status)).sum();
            usage.uptime.push(UptimeGroup {
                machine_id: record.machine_id.clone(),
                expected_us: length_us,
                up_us: time.uptime.in_status_us(Status::Hashing),
                left_out_us: left_out,
            });
        }
        if self.needs.curtailed {
            for (slot_us, nj) in curtailed_nj(stand.rated_power_mw, &time.stretches, &energy.parts) {
                *sums.curtailed_nj.entry(slot_us).or_default() += nj;
            }
        }
    }

    /// Returns an error if a part of the machine's time has no fact.
    pub(super) fn check_covered(&self, record: &Record, held: Interval) -> Result<(), BillerError> {
        let mut at_us = held.start_us;
        for stand in &record.stands {
            if stand.interval.start_us <= at_us {
                at_us = at_us.max(stand.interval.end_us);
            }
        }
        if at_us >= held.end_us {
            return Ok(());
        }
        Err(BillerError::NoMachine {
            contract_id: self.part.contract.contract_id.clone(),
            machine_id: record.machine_id.clone(),
            what: "rated power and GPUs",
            at: rfc3339(at_us),
        })
    }

    /// The windows of a machine: its own, and those of its site while it stood there.
    pub(super) fn windows_of(&mut self, record: &Record, held: Interval) -> Windows {
        let facts = &self.reference.facts;
        let sites: Vec<(Interval, &str)> = facts
            .machine(&record.machine_id, held)
            .map(|(interval, fact)| (interval, fact.body.site_id.as_str()))
            .collect();
        let mut blocks = BTreeSet::new();
        if self.needs_time() || self.needs.fleet {
            blocks.extend(facts.machine(&record.machine_id, held).map(|(_, fact)| fact.block.clone()));
        }
        let of = |window: Interval, site_id: &str, machine_id: Option<&str>| -> Vec<Interval> {
            let is_own = machine_id.is_none_or(|machine_id| machine_id == record.machine_id);
            let there = sites.iter().filter(|(_, site)| is_own && *site == site_id);
            there.filter_map(|(stood, _)| stood.intersect(&window)).collect()
        };
        let mut windows = Windows::default();
        for fact in &facts.curtailments {
            let body: &facts::Curtailment = &fact.body;
            let parts = of(fact.interval, &body.site_id, body.machine_id.as_deref());
            if !parts.is_empty() {
                blocks.insert(fact.block.clone());
            }
            windows.curtailment.extend(parts);
        }
        for fact in &facts.maintenance {
            let body: &facts::Maintenance = &fact.body;
            let parts = of(fact.interval, &body.site_id, body.machine_id.as_deref());
            if !parts.is_empty() {
                blocks.insert(fact.block.clone());
            }
            windows.maintenance.extend(parts);
        }
        windows.curtailment = Interval::union(windows.curtailment);
        windows.maintenance = Interval::union(windows.maintenance);
        if self.needs_time() || self.needs.fleet {
            self.blocks.extend(blocks);
        }
        windows
    }
}

fn length_us(stands: &[Stand]) -> u64 {
    stands.iter().map(|stand| stand.interval.end_us.abs_diff(stand.interval.start_us)).sum()
}

/// Readings as registers, by machine.
pub(super) fn registers(rows: Vec<ReadingRow>, corrections: &Corrections) -> BTreeMap<String, Vec<Register>> {
    let mut found: BTreeMap<(String, &str, String), Register> = BTreeMap::new();
    for row in rows {
        let witness = row.witness;
        let key = (row.machine_id, witness.as_str(), row.meter_id.clone());
        let meter_id = row.meter_id;
        let register = found.entry(key).or_insert_with(|| {
            let corrections = corrections.of_meter(&meter_id).to_vec();
            Register { meter_id, witness, readings: Vec::new(), corrections, appended: BTreeMap::new() }
        });
        register.readings.push(row.reading);
    }
    let mut by_machine: BTreeMap<String, Vec<Register>> = BTreeMap::new();
    for ((machine_id, _, _), register) in found {
        by_machine.entry(machine_id).or_default().push(register);
    }
    by_machine
}

pub(super) fn stand(interval: Interval, fact: &Dated<facts::Machine>) -> Stand {
    Stand {
        interval,
        rated_power_mw: fact.body.rated_power_mw,
        rated_hashrate_hs: fact.body.rated_hashrate_hs.as_deref().and_then(|text| text.parse().ok()),
        gpus: fact.body.gpus,
    }
}

fn add_energy(machine_id: &str, energy: &MachineEnergy, usage: &mut Usage, sums: &mut Sums) {
    for meter in &energy.meters {
        usage.energy.push(EnergyGroup {
            machine_id: machine_id.to_owned(),
            meter_id: meter.meter_id.clone(),
            witness: meter.witness.as_str().to_owned(),
            energy_mwh: meter.energy_mwh,
            resets: meter.resets,
            unknown_us: meter.unknown_us,
        });
    }
    for (slot_us, energy_mwh) in energy.slices() {
        let sum = sums.slices.entry(slot_us).or_default();
        *sum = sum.saturating_add(energy_mwh);
    }
}
