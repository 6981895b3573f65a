//! What a bill needs of one machine: energy by the best witness of every instant, time by status, curtailed energy,
//! and completeness.
//!
//! Everything is cut at the settlement grid by rules that do not depend on the period asked for: a period split at
//! any boundary of the grid adds up exactly to the whole.

mod energy;
mod time;

pub use energy::{MachineEnergy, Meter, MeterEnergy, Part, hear};
pub use time::{MachineTime, curtailed_nj, machine_time};

use wb_units::{Interval, Micros, SETTLEMENT_INTERVAL_US};

use crate::energy::witness::Witness;
use crate::gpu::allocation::Allocation;
use crate::report::machine::{Record, Rules, Sample, holdings, witnesses};
use crate::uptime::{Poll, Windows};

/// The meters, counters and estimates of a machine's energy. Only the nameplate uses `windows`: it counts the time in
/// which the machine ran.
#[must_use]
pub fn meters(record: &Record, windows: &Windows, rules: &Rules, period: Interval) -> Vec<Meter> {
    let polls = polls(record);
    let allocations = holdings::allocations(record, period).accepted;
    let by_witness = witnesses::by_witness(record, &polls, windows, &allocations, rules, period);
    let mut found = Vec::new();
    for (witness, of_witness) in by_witness {
        for (meter_id, pieces) in of_witness {
            let readings = record
                .registers
                .iter()
                .find(|register| register.witness == witness && register.meter_id == meter_id)
                .map(|register| register.readings.as_slice())
                .unwrap_or_default();
            // A meter without readings is left out, and so is an estimate without pieces.
            if !readings.is_empty() || !pieces.is_empty() {
                found.push(Meter::new(meter_id, witness, pieces, readings));
            }
        }
    }
    found
}

/// The allocations of a GPU node that can all hold, and those that cannot, each with the reason.
#[must_use]
pub fn allocations(record: &Record, period: Interval) -> (Vec<Allocation>, Vec<(Allocation, String)>) {
    let held = holdings::allocations(record, period);
    (held.accepted, held.excluded)
}

/// Witnesses by their stored names, in that order; unknown names are left out.
#[must_use]
pub fn order_of(names: &[&str]) -> Vec<Witness> {
    names.iter().filter_map(|name| Witness::of_name(name)).collect()
}

fn polls(record: &Record) -> Vec<Poll> {
    let poll = |sample: &Sample| Poll {
        at_us: sample.at_us,
        id: sample.id,
        uptime_s: sample.uptime_s,
        found: sample.found,
    };
    record.samples.iter().map(poll).collect()
}

/// The settlement intervals that overlap a time: each one's start, and the overlap.
pub(crate) fn by_slot(interval: Interval) -> impl Iterator<Item = (Micros, Interval)> {
    let mut from_us = interval.start_us;
    std::iter::from_fn(move || {
        if from_us >= interval.end_us {
            return None;
        }
        let slot_us = wb_units::time::interval_start(from_us);
        let part = Interval {
            start_us: from_us,
            end_us: interval.end_us.min(slot_us.saturating_add(SETTLEMENT_INTERVAL_US)),
        };
        from_us = part.end_us;
        Some((slot_us, part))
    })
}

/// Completeness of the time of one or several machines; adds exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InputCompleteness {
    /// Settlement intervals of machines for which something should be known.
    pub expected: u64,
    /// Of them, those with a sample or reading.
    pub received: u64,
    /// Of the others, those whose energy follows from a register that went on through a gap: the amount is exact, its
    /// timing an estimate.
    pub estimated: u64,
    /// Machine time in microseconds of which nothing is known.
    pub unknown_us: u64,
    /// Energy in thousandths of a watt-hour...
    pub energy_mwh: u128,
    /// ...and of it, what has an estimated timing.
    pub estimated_mwh: u128,
}

impl InputCompleteness {
    /// Adds the figures of another machine or time.
    pub fn add(&mut self, other: &Self) {
        self.expected = self.expected.saturating_add(other.expected);
        self.received = self.received.saturating_add(other.received);
        self.estimated = self.estimated.saturating_add(other.estimated);
        self.unknown_us = self.unknown_us.saturating_add(other.unknown_us);
        self.energy_mwh = self.energy_mwh.saturating_add(other.energy_mwh);
        self.estimated_mwh = self.estimated_mwh.saturating_add(other.estimated_mwh);
    }

    /// How much of what was expected is known, received or estimated, in parts per million; all of it where nothing
    /// was expected.
    #[must_use]
    pub fn known_ppm(&self) -> u32 {
        let known = self.received.saturating_add(self.estimated).min(self.expected);
        let ppm = crate::ratio::ppm(u128::from(known), u128::from(self.expected)).unwrap_or(1_000_000);
        // Rounded, but never up to the whole while something is missing.
        let ppm = if known < self.expected { ppm.min(999_999) } else { ppm };
        u32::try_from(ppm).unwrap_or(1_000_000)
    }

    /// Received over expected in parts per million; `None` where nothing was expected.
    #[must_use]
    pub fn received_ppm(&self) -> Option<u64> {
        crate::ratio::ppm(u128::from(self.received), u128::from(self.expected))
    }
}
