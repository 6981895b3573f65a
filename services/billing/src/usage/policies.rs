//! Policies of sources, applied to bills by the functions that apply them to reports.

use std::collections::BTreeMap;

use wb_metering::report::machine::{Record, Rules, Stand};
use wb_metering::report::sources::{
    Policies, PolicyFact, PolicyOf, REACH_US, is_bounded, leave_out, sources, times_read,
};
use wb_units::{Interval, Micros};

use super::UsageReader;
use super::machines::registers;
use crate::error::BillerError;
use crate::policy::ByPolicy;
use crate::ports::UsageStore;

impl<S: UsageStore> UsageReader<'_, S> {
    /// The rules for those of some machines that have a policy.
    pub(super) fn judged(&mut self, ids: &[String]) -> BTreeMap<String, Rules> {
        let mut judged = BTreeMap::new();
        if self.reference.facts.policies.is_empty() {
            return judged;
        }
        for machine_id in ids {
            let policies = self.policies(machine_id);
            if !policies.facts.is_empty() {
                judged.insert(machine_id.clone(), Rules { policies, ..self.rules() });
            }
        }
        judged
    }

    /// The policies for a machine. Those of a site hold from the machine's arrival there until its arrival at the next
    /// site: a reading just outside of the time is judged by the same policy as those inside.
    fn policies(&mut self, machine_id: &str) -> Policies {
        let facts = &self.reference.facts;
        let mut arrivals: Vec<(Micros, &str)> = Vec::new();
        for (interval, machine) in facts.machine(machine_id, self.part.interval) {
            let site_id = machine.body.site_id.as_str();
            if arrivals.last().is_none_or(|(_, last)| *last != site_id) {
                let start_us = if arrivals.is_empty() { Micros::MIN } else { interval.start_us };
                arrivals.push((start_us, site_id));
            }
        }
        let mut found = Policies::default();
        for (place, (start_us, site_id)) in arrivals.iter().enumerate() {
            let end_us = arrivals.get(place + 1).map_or(Micros::MAX, |(next_us, _)| *next_us);
            let there = Interval { start_us: *start_us, end_us };
            for fact in facts.policies.iter().filter(|fact| fact.body.site_id == *site_id) {
                let Some(interval) = fact.interval.intersect(&there) else { continue };
                let body = &fact.body;
                if body.meter_id.is_none() && body.machine_id.as_ref().is_some_and(|id| id != machine_id) {
                    continue;
                }
                if interval.intersect(&self.part.interval).is_some() {
                    self.blocks.insert(fact.block.clone());
                }
                found.facts.push(PolicyFact {
                    of: PolicyOf::narrowest(body.machine_id.clone(), body.meter_id.clone()),
                    interval,
                    every_us: body.every_us,
                    late_after_us: body.late_after_us,
                    late_max_us: body.late_max_us,
                    future_max_us: body.future_max_us,
                });
            }
        }
        found
    }

    /// Adds the registers of machines with policies, without the readings that are left out. Where the nearest reading
    /// outside of the time is left out, the one behind it is read: periods that adjoin go by the same readings.
    pub(super) async fn add_judged_registers(
        &mut self,
        judged: &BTreeMap<String, Rules>,
        records: &mut BTreeMap<String, Record>,
    ) -> Result<(), BillerError> {
        let ids: Vec<String> = judged.keys().cloned().collect();
        let time = self.part.interval;
        let mut rows = Vec::new();
        let mut found: BTreeMap<String, Record> = BTreeMap::new();
        for reach_us in REACH_US {
            let window = Interval {
                start_us: time.start_us.saturating_sub(reach_us),
                end_us: time.end_us.saturating_add(reach_us),
            };
            rows = self.store.readings(&ids, window, self.cut).await?;
            let loaded = registers(rows.clone(), &self.corrections);
            let mut appended: BTreeMap<(String, String), BTreeMap<[u8; 16], Micros>> = BTreeMap::new();
            if let Some(read) = times_read(loaded.values().flatten())
                && judged.values().any(|rules| rules.policies.judge_arrival())
            {
                for row in self.store.readings_appended(&ids, read, self.cut).await? {
                    let of_meter = appended.entry((row.machine_id, row.meter_id)).or_default();
                    of_meter.insert(row.id, row.appended_at_us);
                }
            }
            let mut are_bounded = true;
            found.clear();
            for (machine_id, mut registers) in loaded {
                let Some(rules) = judged.get(&machine_id) else { continue };
                for register in &mut registers {
                    let of_meter = appended.get(&(machine_id.clone(), register.meter_id.clone()));
                    register.appended = of_meter.cloned().unwrap_or_default();
                }
                let all = registers.clone();
                let mut record = Record { machine_id: machine_id.clone(), registers, ..Record::default() };
                // Told are those of the time itself: each is told in one period.
                record.left_out = leave_out(&mut record, rules, time);
                let mut both = all.iter().zip(&record.registers);
                are_bounded &=
                    both.all(|(loaded, taken)| is_bounded(&loaded.readings, &taken.readings, time, window));
                found.insert(machine_id, record);
            }
            if are_bounded {
                break;
            }
        }
        self.note_rows(&rows);
        for (machine_id, judged) in found {
            if let Some(record) = records.get_mut(&machine_id) {
                record.registers = judged.registers;
                record.left_out = judged.left_out;
            }
        }
        Ok(())
    }

    /// Takes out the samples of machines that their policies leave out.
    pub(super) fn judge_samples(&mut self, ids: &[String], records: &mut BTreeMap<String, Record>) {
        let time = self.part.interval;
        for (machine_id, rules) in self.judged(ids) {
            let Some(record) = records.get_mut(&machine_id) else { continue };
            let of_samples = leave_out(record, &rules, time).first().copied().unwrap_or(0);
            // The registers were judged when they were read.
            match record.left_out.first_mut() {
                Some(first) => *first = of_samples,
                None => record.left_out.push(of_samples),
            }
        }
    }

    /// Keeps what the policies decided about a machine's sources while it was held.
    pub(super) fn note_policy(&mut self, record: &Record, held: &[Interval]) {
        let Some(rules) = self.judged(std::slice::from_ref(&record.machine_id)).remove(&record.machine_id)
        else {
            return;
        };
        let part = |stand: &Stand, held: &Interval| {
            Some(Stand { interval: stand.interval.intersect(held)?, ..stand.clone() })
        };
        let stands: Vec<Stand> = record
            .stands
            .iter()
            .flat_map(|stand| held.iter().filter_map(move |held| part(stand, held)))
            .collect();
        // Samples that the contract does not need are not read.
        let has_samples =
            !record.samples.is_empty() || record.left_out.first().is_some_and(|count| *count > 0);
        let is_gpu_node = record.stands.iter().any(|stand| stand.gpus.is_some());
        let held_record = Record { stands, ..record.clone() };
        let found =
            sources(&held_record, &record.left_out, is_gpu_node || !has_samples, &rules, self.part.interval);
        for source in found {
            if source.left_out > 0 || source.slots.late > 0 {
                self.by_policy.push(ByPolicy {
                    machine_id: source.machine_id,
                    meter_id: source.meter_id,
                    left_out: source.left_out,
                    expected: source.slots.expected,
                    received: source.slots.received,
                    late: source.slots.late,
                    estimated: source.slots.estimated,
                });
            }
        }
    }
}
