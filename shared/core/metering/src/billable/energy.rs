//! Energy of a machine by the best witness of every instant, meter by meter.

use std::collections::BTreeMap;

use wb_units::{Interval, Micros};

use super::{InputCompleteness, by_slot};
use crate::counters::until;
use crate::energy::RegisterReading;
use crate::energy::witness::{Piece, Witness};

/// Nanojoules in a thousandth of a watt-hour.
const NJ_PER_MWH: u128 = 3_600_000_000;

/// One meter, counter or estimate of a machine's energy. Two meters of one witness are added: a machine with two
/// supplies has two outlets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// The meter; for an estimate the witness's name.
    pub meter_id: String,
    /// What kind of witness it is.
    pub witness: Witness,
    /// Pieces in thousandths of a watt-hour.
    pieces: Vec<Piece>,
    /// When its register fell.
    falls_us: Vec<Micros>,
}

impl Meter {
    /// From pieces in nanojoules, in order of time. Each piece is rounded once, half to even; pieces of registers are
    /// whole watt-hours and need no rounding.
    #[must_use]
    pub fn new(meter_id: String, witness: Witness, pieces: Vec<Piece>, readings: &[RegisterReading]) -> Self {
        let pieces = pieces.into_iter().map(|piece| Piece { energy_nj: to_mwh(piece.energy_nj), ..piece });
        let mut ordered = readings.to_vec();
        ordered.sort_unstable();
        ordered.dedup_by_key(|reading| reading.at_us);
        let falls = ordered.windows(2).filter_map(|pair| match pair {
            [before, after] if after.register_wh < before.register_wh => Some(after.at_us),
            _ => None,
        });
        Self { meter_id, witness, pieces: pieces.collect(), falls_us: falls.collect() }
    }
}

fn to_mwh(energy_nj: u128) -> u128 {
    let (whole, rest) = (energy_nj / NJ_PER_MWH, energy_nj % NJ_PER_MWH);
    let is_up = rest * 2 > NJ_PER_MWH || (rest * 2 == NJ_PER_MWH && whole % 2 == 1);
    whole + u128::from(is_up)
}

/// Energy by one meter in a part of one settlement interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The settlement interval's start.
    pub slot_us: Micros,
    /// The part.
    pub interval: Interval,
    /// Energy in thousandths of a watt-hour.
    pub energy_mwh: u128,
    /// Whether the timing within a longer time is unknown.
    pub is_timing_estimated: bool,
}

/// The billed energy of one meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterEnergy {
    /// The meter.
    pub meter_id: String,
    /// What kind of witness it is.
    pub witness: Witness,
    /// Energy in thousandths of a watt-hour.
    pub energy_mwh: u128,
    /// How often its register fell.
    pub resets: u64,
    /// Time in microseconds without data from it or from another meter of its witness.
    pub unknown_us: u64,
}

/// A machine's energy in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachineEnergy {
    /// By meter, the best witness first.
    pub meters: Vec<MeterEnergy>,
    /// By part of the time, in order; parts of two meters of one witness may overlap.
    pub parts: Vec<Part>,
    /// The times without any witness, in order.
    pub unknown: Vec<Interval>,
}

impl MachineEnergy {
    /// Energy by settlement interval, in thousandths of a watt-hour.
    pub fn slices(&self) -> impl Iterator<Item = (Micros, u128)> {
        self.parts.iter().map(|part| (part.slot_us, part.energy_mwh))
    }

    /// How complete the energy of a stretch is.
    #[must_use]
    pub fn coverage(&self, stretch: Interval) -> InputCompleteness {
        let mut slots: BTreeMap<Micros, bool> = BTreeMap::new();
        let mut coverage =
            InputCompleteness { unknown_us: length_us(&self.unknown), ..InputCompleteness::default() };
        for part in &self.parts {
            let is_known = slots.entry(part.slot_us).or_insert(false);
            *is_known |= !part.is_timing_estimated;
            coverage.energy_mwh = coverage.energy_mwh.saturating_add(part.energy_mwh);
            if part.is_timing_estimated {
                coverage.estimated_mwh = coverage.estimated_mwh.saturating_add(part.energy_mwh);
            }
        }
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        coverage.expected = count(by_slot(stretch).count());
        coverage.received = count(slots.values().filter(|is_known| **is_known).count());
        coverage.estimated = count(slots.values().filter(|is_known| !**is_known).count());
        coverage
    }
}

/// The energy of a stretch: the witnesses are used in the order given, each for the time that those before it do not
/// cover. A witness that is not in the order is not used.
#[must_use]
pub fn hear(meters: &[Meter], order: &[Witness], stretch: Interval) -> MachineEnergy {
    let mut heard = MachineEnergy::default();
    let mut open = vec![stretch];
    let mut best = None;
    for witness in order {
        let of_witness: Vec<&Meter> = meters.iter().filter(|meter| meter.witness == *witness).collect();
        let mut told = Vec::with_capacity(of_witness.len());
        let mut still_open = open.clone();
        for meter in of_witness {
            let (parts, left) = take(&meter.pieces, &open);
            still_open = common(&still_open, &left);
            told.push((meter, parts, left));
        }
        if length_us(&still_open) == length_us(&open) {
            continue;
        }
        best.get_or_insert(*witness);
        for (meter, parts, left) in told {
            let falls = meter.falls_us.iter().filter(|at_us| stretch.contains(**at_us)).count();
            heard.meters.push(MeterEnergy {
                meter_id: meter.meter_id.clone(),
                witness: *witness,
                energy_mwh: parts.iter().fold(0, |sum, part| sum.saturating_add(part.energy_mwh)),
                resets: u64::try_from(falls).unwrap_or(u64::MAX),
                // Time that another meter of its witness covers is no gap of this meter.
                unknown_us: length_us(&left).saturating_sub(length_us(&still_open)),
            });
            heard.parts.extend(parts);
        }
        open = still_open;
    }
    // The time that is left has no witness: it is reported once, with the best witness.
    let unknown_us = length_us(&open);
    for meter in heard.meters.iter_mut().filter(|meter| Some(meter.witness) == best) {
        meter.unknown_us = meter.unknown_us.saturating_add(unknown_us);
    }
    heard.parts.sort_by_key(|part| part.interval);
    heard.unknown = open;
    heard
}

/// The energy of pieces within the open time, and the time that stays open. Amounts within a piece are differences of
/// amounts up to an instant, rounded down, so that parts add up to their piece wherever it is cut.
fn take(pieces: &[Piece], open: &[Interval]) -> (Vec<Part>, Vec<Interval>) {
    let (mut parts, mut left) = (Vec::new(), Vec::new());
    let mut first = 0;
    for free in open {
        let mut from_us = free.start_us;
        while pieces.get(first).is_some_and(|piece| piece.interval.end_us <= free.start_us) {
            first += 1;
        }
        for piece in pieces.get(first..).unwrap_or_default() {
            if piece.interval.start_us >= free.end_us {
                break;
            }
            let Some(common) = piece.interval.intersect(free) else { continue };
            if from_us < common.start_us {
                left.push(Interval { start_us: from_us, end_us: common.start_us });
            }
            from_us = from_us.max(common.end_us);
            let mut before = until(piece.energy_nj, &piece.interval, common.start_us);
            for (slot_us, interval) in by_slot(common) {
                let after = until(piece.energy_nj, &piece.interval, interval.end_us);
                parts.push(Part {
                    slot_us,
                    interval,
                    energy_mwh: after - before,
                    is_timing_estimated: piece.is_timing_estimated,
                });
                before = after;
            }
        }
        if from_us < free.end_us {
            left.push(Interval { start_us: from_us, end_us: free.end_us });
        }
    }
    (parts, left)
}

/// The time that two lists of intervals, each in order, have in common.
fn common(left: &[Interval], right: &[Interval]) -> Vec<Interval> {
    let mut found = Vec::new();
    let (mut at_left, mut at_right) = (0, 0);
    while let (Some(one), Some(other)) = (left.get(at_left), right.get(at_right)) {
        found.extend(one.intersect(other).filter(|both| both.duration_us() > 0));
        if one.end_us <= other.end_us { at_left += 1 } else { at_right += 1 }
    }
    found
}

/// The length of intervals that do not overlap.
pub(super) fn length_us(intervals: &[Interval]) -> u64 {
    intervals.iter().map(|interval| interval.end_us.abs_diff(interval.start_us)).sum()
}

#[cfg(test)]
#[path = "energy_tests.rs"]
mod tests;
