//! Energy of a period from the cumulative register of one meter.
//!
//! A difference between two readings is spread linearly over the time between them. The energy
//! up to an instant is rounded down once, and a period's energy is the energy up to its end less
//! the energy up to its start: periods that meet at any boundary therefore add up exactly, to
//! the last unit.
//!
//! - [`sources`] makes pieces of energy from registers, counters, power and nameplates.
//! - [`witness`] takes the best witness for every instant and keeps it with the quantity.
//! - [`reconcile`] compares a site's meters with its machines.

pub mod reconcile;
pub mod sources;
pub mod witness;

use wb_units::{Interval, Micros};

use crate::corrections::{RatioCorrection, cut};

/// Thousandths of a watt-hour in a watt-hour: the unit of [`EnergyFold::energy_mwh`].
pub const MWH_PER_WH: u128 = 1000;

/// One reading of a cumulative register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegisterReading {
    /// When the register was read.
    pub at_us: Micros,
    /// The event's identity; orders readings of one instant.
    pub id: [u8; 16],
    /// The register in watt-hours.
    pub register_wh: u64,
}

/// Why the energy of a part of a period is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// No reading lies at or before this part.
    BeforeFirst,
    /// No reading lies at or after this part.
    AfterLast,
    /// The register fell: it was replaced or reset somewhere in between.
    Reset,
}

/// A part of the period whose energy is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The part, inside the period asked for.
    pub interval: Interval,
    /// Why.
    pub reason: GapReason,
}

/// The energy of a period by a meter's readings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnergyFold {
    /// Energy in thousandths of a watt-hour.
    pub energy_mwh: u128,
    /// Readings inside the period at which the register had fallen.
    pub resets: u32,
    /// Readings inside the period at an instant that already had one, with another register. The one with the lowest
    /// id counts; a running total loses nothing by that.
    pub conflicts: u32,
    /// Where the energy is not known, in order of time. Nothing is estimated there.
    pub gaps: Vec<Gap>,
    /// The first reading that was used; it may lie before the period.
    pub first: Option<RegisterReading>,
    /// The last reading that was used; it may lie after the period.
    pub last: Option<RegisterReading>,
    /// The longest time between two readings that were used. Where it exceeds a settlement interval, the amount is
    /// exact and its timing is an estimate.
    pub longest_step_us: i64,
}

/// The energy of a period from one meter's readings, in any order and with any repeats.
#[must_use]
pub fn energy_in(readings: &[RegisterReading], period: Interval) -> EnergyFold {
    corrected_energy_in(readings, period, &[])
}

/// [`energy_in`] of a meter that counted with wrong ratios: `corrections` are in order of time and do not overlap.
#[must_use]
pub fn corrected_energy_in(
    readings: &[RegisterReading],
    period: Interval,
    corrections: &[RatioCorrection],
) -> EnergyFold {
    let mut fold = EnergyFold::default();
    if period.duration_us() == 0 {
        return fold;
    }
    let ordered = one_per_instant(readings, period, &mut fold);
    let outside = match (ordered.first(), ordered.last()) {
        (Some(first), Some(last)) => [
            (period.start_us, first.at_us.min(period.end_us), GapReason::BeforeFirst),
            (last.at_us.max(period.start_us), period.end_us, GapReason::AfterLast),
        ],
        _ => [
            (period.start_us, period.end_us, GapReason::BeforeFirst),
            (period.end_us, period.end_us, GapReason::AfterLast),
        ],
    };
    for (before, after) in ordered.iter().zip(ordered.iter().skip(1)) {
        let Some(part) = period.intersect(&Interval { start_us: before.at_us, end_us: after.at_us }) else {
            continue;
        };
        if after.register_wh < before.register_wh {
            fold.gaps.push(Gap { interval: part, reason: GapReason::Reset });
            continue;
        }
        for (part, correction) in cut(part, corrections) {
            let until = |at_us| corrected_until(before, after, at_us, correction);
            let energy_mwh = until(part.end_us).saturating_sub(until(part.start_us));
            fold.energy_mwh = fold.energy_mwh.saturating_add(energy_mwh);
        }
        fold.first = fold.first.or(Some(*before));
        fold.last = Some(*after);
        fold.longest_step_us = fold.longest_step_us.max(after.at_us.saturating_sub(before.at_us));
    }
    fold.resets =
        count(ordered.iter().zip(ordered.iter().skip(1)).filter(|(before, after)| {
            after.register_wh < before.register_wh && period.contains(after.at_us)
        }));
    for (start_us, end_us, reason) in outside {
        if start_us < end_us {
            fold.gaps.push(Gap { interval: Interval { start_us, end_us }, reason });
        }
    }
    fold.gaps.sort_by_key(|gap| gap.interval);
    fold
}

/// Sorts by (time, id) and keeps one reading per instant, counting the ones that disagree.
fn one_per_instant(
    readings: &[RegisterReading],
    period: Interval,
    fold: &mut EnergyFold,
) -> Vec<RegisterReading> {
    let mut ordered = readings.to_vec();
    ordered.sort_unstable();
    ordered.dedup();
    fold.conflicts = count(ordered.iter().zip(ordered.iter().skip(1)).filter(|(before, after)| {
        before.at_us == after.at_us && before.register_wh != after.register_wh && period.contains(after.at_us)
    }));
    ordered.dedup_by_key(|reading| reading.at_us);
    ordered
}

/// Thousandths of a watt-hour from `before` until an instant between two readings, rounded down.
fn energy_until(before: &RegisterReading, after: &RegisterReading, at_us: Micros) -> u128 {
    let difference_mwh = u128::from(after.register_wh - before.register_wh) * MWH_PER_WH;
    let step_us = u128::from(after.at_us.abs_diff(before.at_us));
    let elapsed_us = u128::from(at_us.abs_diff(before.at_us));
    if step_us == 0 {
        return 0;
    }
    // floor(difference * elapsed / step), split so that no product passes 128 bits.
    let (whole, rest) = (difference_mwh / step_us, difference_mwh % step_us);
    whole * elapsed_us + rest * elapsed_us / step_us
}

/// [`energy_until`] with the right ratio. It is computed from the whole register, so that it does not depend on which
/// readings are given, and the readings in between are not rounded.
fn corrected_until(
    before: &RegisterReading,
    after: &RegisterReading,
    at_us: Micros,
    correction: Option<&RatioCorrection>,
) -> u128 {
    let counted_mwh = energy_until(before, after, at_us);
    match correction {
        None => counted_mwh,
        Some(correction) => correction.register(u128::from(before.register_wh) * MWH_PER_WH + counted_mwh),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reading(at_us: i64, register_wh: u64) -> RegisterReading {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&at_us.to_be_bytes());
        RegisterReading { at_us, id, register_wh }
    }

    fn period(start_us: i64, end_us: i64) -> Interval {
        Interval::new(start_us, end_us).unwrap()
    }

    #[test]
    fn a_difference_is_spread_over_its_time() {
        let readings = [reading(0, 100), reading(300, 400), reading(600, 400)];
        for (start, end, energy_mwh) in [
            (0, 300, 300_000),
            (0, 150, 150_000),
            (299, 600, 1_000),
            (300, 600, 0),
            (0, 600, 300_000),
            (100, 101, 1_000),
        ] {
            assert_eq!(energy_in(&readings, period(start, end)).energy_mwh, energy_mwh, "[{start}, {end})");
        }
        assert!(energy_in(&readings, period(0, 600)).gaps.is_empty());
    }

    #[test]
    fn thirds_are_rounded_down_once_and_add_up() {
        let readings = [reading(0, 0), reading(3, 1)];
        let parts = [(0, 1), (1, 2), (2, 3)].map(|(a, b)| energy_in(&readings, period(a, b)).energy_mwh);
        assert_eq!(parts, [333, 333, 334]);
    }

    #[test]
    fn a_falling_register_is_a_gap_and_never_negative() {
        let readings = [reading(0, 500), reading(10, 510), reading(20, 3), reading(30, 13)];
        let fold = energy_in(&readings, period(0, 30));
        assert_eq!((fold.energy_mwh, fold.resets), (20_000, 1));
        assert_eq!(fold.gaps, [Gap { interval: period(10, 20), reason: GapReason::Reset }]);
        let beside = energy_in(&readings, period(15, 18));
        assert_eq!((beside.energy_mwh, beside.resets), (0, 0));
        assert_eq!(beside.gaps, [Gap { interval: period(15, 18), reason: GapReason::Reset }]);
    }

    #[test]
    fn what_no_reading_covers_is_reported() {
        let readings = [reading(10, 0), reading(20, 5)];
        let fold = energy_in(&readings, period(0, 40));
        assert_eq!(fold.energy_mwh, 5_000);
        assert_eq!(
            fold.gaps,
            [
                Gap { interval: period(0, 10), reason: GapReason::BeforeFirst },
                Gap { interval: period(20, 40), reason: GapReason::AfterLast },
            ]
        );
        assert_eq!((fold.first, fold.last), (Some(readings[0]), Some(readings[1])));
        let nothing = energy_in(&[], period(0, 40));
        assert_eq!(nothing.gaps, [Gap { interval: period(0, 40), reason: GapReason::BeforeFirst }]);
        assert_eq!(energy_in(&readings, period(30, 40)).energy_mwh, 0);
    }

    #[test]
    fn of_two_registers_at_one_instant_the_lowest_id_counts() {
        let mut other = reading(10, 7);
        other.id = [255; 16];
        let readings = [reading(0, 0), reading(10, 5), other, reading(20, 9)];
        let fold = energy_in(&readings, period(0, 20));
        assert_eq!((fold.energy_mwh, fold.conflicts, fold.resets), (9_000, 1, 0));
    }

    #[test]
    fn the_largest_registers_and_times_do_not_overflow() {
        let readings = [reading(i64::MIN, 0), reading(i64::MAX, u64::MAX)];
        let fold = energy_in(&readings, period(0, i64::MAX));
        assert!(fold.energy_mwh > 0 && fold.energy_mwh < u128::from(u64::MAX) * MWH_PER_WH);
    }

    fn some_readings() -> impl Strategy<Value = Vec<RegisterReading>> {
        let one = (0_i64..5_000, 0_u64..1_000, any::<u8>())
            .prop_map(|(at_us, register_wh, id)| RegisterReading { at_us, id: [id; 16], register_wh });
        prop::collection::vec(one, 0..30)
    }

    proptest! {
        #[test]
        fn a_period_split_anywhere_adds_up(
            readings in some_readings(), mut cuts in prop::collection::vec(0_i64..6_000, 2..8),
        ) {
            cuts.sort_unstable();
            let whole = energy_in(&readings, period(cuts[0], cuts[cuts.len() - 1]));
            let parts: Vec<_> = cuts.windows(2).map(|cut| energy_in(&readings, period(cut[0], cut[1]))).collect();
            prop_assert_eq!(whole.energy_mwh, parts.iter().map(|part| part.energy_mwh).sum::<u128>());
            prop_assert_eq!(whole.resets, parts.iter().map(|part| part.resets).sum::<u32>());
            let unknown = |fold: &EnergyFold| fold.gaps.iter().map(|gap| gap.interval.duration_us()).sum::<i64>();
            prop_assert_eq!(unknown(&whole), parts.iter().map(unknown).sum::<i64>());
        }

        #[test]
        fn order_and_repeats_change_nothing(
            readings in some_readings(), repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut shuffled: Vec<_> = readings.iter().rev().copied().collect();
            if !readings.is_empty() {
                shuffled.extend(repeats.iter().map(|index| *index.get(&readings)));
                let middle = shuffled.len() / 2;
                shuffled.rotate_left(middle);
            }
            prop_assert_eq!(energy_in(&shuffled, period(0, 5_000)), energy_in(&readings, period(0, 5_000)));
        }
    }
}
