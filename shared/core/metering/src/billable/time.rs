//! What a machine did in the time of a bill, and the energy that it did not use because it was curtailed.

use std::collections::BTreeMap;

use wb_units::{Interval, Micros};

use super::energy::{Part, length_us};
use super::{InputCompleteness, by_slot, polls};
use crate::counters::until;
use crate::report::machine::{Record, Rules, Stand, holdings};
use crate::uptime::{Status, Stretch, Uptime, Windows, timeline};

/// Nanojoules in a thousandth of a watt-hour.
const NJ_PER_MWH: u128 = 3_600_000_000;

/// The time of a machine in a stretch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachineTime {
    /// Time by status. A GPU node has none: its spans show what it did.
    pub uptime: Uptime,
    /// Time in microseconds in which it operated: it hashed, or its GPUs were held.
    pub operational_us: u64,
    /// Its statuses, in order of time.
    pub stretches: Vec<Stretch>,
    /// How much of the time is known.
    pub coverage: InputCompleteness,
}

/// What a machine did in a stretch in which it stood as `stand` states.
#[must_use]
pub fn machine_time(
    record: &Record,
    stand: &Stand,
    windows: &Windows,
    rules: &Rules,
    stretch: Interval,
) -> MachineTime {
    if stand.gpus.is_some() || !record.spans.is_empty() {
        let allocations = holdings::allocations(record, stretch).accepted;
        let held = allocations
            .iter()
            .map(|held| Interval { start_us: held.start_us, end_us: held.end_us.unwrap_or(stretch.end_us) });
        let held = Interval::union(held.filter_map(|held| held.intersect(&stretch)).collect());
        return MachineTime { operational_us: length_us(&held), ..MachineTime::default() };
    }
    let stretches = timeline(&polls(record), windows, rules.speaks_us, stretch);
    let uptime = Uptime::of(&stretches, stretch);
    let mut slots: BTreeMap<Micros, bool> = BTreeMap::new();
    for one in &stretches {
        for (slot_us, _) in by_slot(one.interval) {
            *slots.entry(slot_us).or_insert(false) |= one.status != Status::Unknown;
        }
    }
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let coverage = InputCompleteness {
        expected: count(slots.len()),
        received: count(slots.values().filter(|known| **known).count()),
        unknown_us: uptime.in_status_us(Status::Unknown),
        ..InputCompleteness::default()
    };
    MachineTime { operational_us: uptime.in_status_us(Status::Hashing), uptime, stretches, coverage }
}

/// Energy by settlement interval, in nanojoules, that a machine of a rated power did not use while it was
/// curtailed: rated power times the time, less what was used.
#[must_use]
pub fn curtailed_nj(rated_power_mw: u64, stretches: &[Stretch], used: &[Part]) -> BTreeMap<Micros, u128> {
    let mut by_start: BTreeMap<Micros, (u128, u128)> = BTreeMap::new();
    for stretch in stretches.iter().filter(|stretch| stretch.status == Status::Curtailed) {
        for (slot_us, interval) in by_slot(stretch.interval) {
            let slot = by_start.entry(slot_us).or_default();
            slot.0 += u128::from(rated_power_mw) * u128::from(interval.end_us.abs_diff(interval.start_us));
            let first = used.partition_point(|part| part.slot_us < slot_us);
            for part in used.iter().skip(first).take_while(|part| part.slot_us == slot_us) {
                let Some(common) = part.interval.intersect(&interval) else { continue };
                let energy_nj = part.energy_mwh.saturating_mul(NJ_PER_MWH);
                slot.1 += until(energy_nj, &part.interval, common.end_us)
                    - until(energy_nj, &part.interval, common.start_us);
            }
        }
    }
    by_start.into_iter().map(|(slot_us, (rated, used))| (slot_us, rated.saturating_sub(used))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::machine::Sample;
    use crate::uptime::Found;
    use wb_units::SETTLEMENT_INTERVAL_US as STEP_US;

    fn sample(step: i64, found: Found) -> Sample {
        Sample {
            at_us: step * STEP_US,
            id: [0; 16],
            appended_at_us: step * STEP_US,
            uptime_s: None,
            found,
            power_mw: None,
        }
    }

    #[test]
    fn time_is_told_by_status_and_curtailment_by_what_was_not_used() {
        let stretch = Interval { start_us: 0, end_us: 8 * STEP_US };
        let stand =
            Stand { interval: stretch, rated_power_mw: 3_600_000, rated_hashrate_hs: None, gpus: None };
        let record = Record {
            samples: (0..=5)
                .map(|step| sample(step, if step < 2 { Found::Hashing } else { Found::Reachable }))
                .collect(),
            ..Record::default()
        };
        let windows = Windows {
            curtailment: vec![Interval { start_us: 3 * STEP_US, end_us: 5 * STEP_US }],
            maintenance: Vec::new(),
        };
        let time = machine_time(&record, &stand, &windows, &Rules::default(), stretch);
        let step_us = STEP_US.unsigned_abs();
        assert_eq!(time.operational_us, 2 * step_us);
        assert_eq!(time.uptime.in_status_us(Status::Curtailed), 2 * step_us);
        assert_eq!((time.coverage.expected, time.coverage.received), (8, 5));
        assert_eq!(time.coverage.unknown_us, 3 * step_us);
        // 3.6 kW over five minutes are 300 Wh; 30 of them were used in the first of the two.
        let used = [Part {
            slot_us: 3 * STEP_US,
            interval: Interval { start_us: 3 * STEP_US, end_us: 4 * STEP_US },
            energy_mwh: 30_000,
            is_timing_estimated: false,
        }];
        let curtailed = curtailed_nj(stand.rated_power_mw, &time.stretches, &used);
        let mwh: Vec<_> = curtailed.into_iter().map(|(at, nj)| (at / STEP_US, nj / NJ_PER_MWH)).collect();
        assert_eq!(mwh, [(3, 270_000), (4, 300_000)]);
    }
}
