//! Pieces of energy from the data of each witness: registers with their rollovers and replaced meters, counters,
//! power samples, nameplates.

use wb_units::{Interval, Micros};

use super::witness::{NJ_PER_WH, Piece};
use super::{MWH_PER_WH, RegisterReading};
use crate::corrections::cut;
use crate::counters::until;

pub use crate::corrections::RatioCorrection;

/// Facts about a meter beside its readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterFacts {
    /// Where the register starts again at zero: 10^6 kWh for six digits. `None` where it never
    /// does.
    pub rollover_wh: Option<u64>,
    /// The most power that can flow through it, in milliwatts: tells a rollover from a reset.
    pub power_max_mw: u64,
    /// How far apart two readings may be before the timing of their difference is an estimate.
    pub longest_us: i64,
    /// When the meter was exchanged, in order of time.
    pub replacements: Vec<Replacement>,
    /// Corrections of a wrong transformer ratio, in order of time and not overlapping.
    pub corrections: Vec<RatioCorrection>,
}

/// A meter was exchanged for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replacement {
    /// When.
    pub at_us: Micros,
    /// The last register of the old meter, in watt-hours, where it was noted.
    pub old_last_wh: Option<u64>,
    /// The first register of the new one, where it was noted.
    pub new_first_wh: Option<u64>,
}

/// A register's pieces. A fall of the register is a rollover where the meter can have counted so
/// far in that time, and otherwise a reset: no piece, never a negative one. A meter that was
/// exchanged gives no piece across the exchange unless its last and first registers were noted.
#[must_use]
pub fn of_register(readings: &[RegisterReading], facts: &MeterFacts) -> Vec<Piece> {
    let mut ordered = readings.to_vec();
    ordered.sort_unstable();
    ordered.dedup_by_key(|reading| reading.at_us);
    let mut pieces = Vec::with_capacity(ordered.len());
    for pair in ordered.windows(2) {
        let [before, after] = pair else { continue };
        let mut from = *before;
        for exchange in facts
            .replacements
            .iter()
            .filter(|exchange| before.at_us < exchange.at_us && exchange.at_us <= after.at_us)
        {
            if let Some(last_wh) = exchange.old_last_wh {
                let last = RegisterReading { at_us: exchange.at_us, register_wh: last_wh, ..from };
                push_difference(&from, &last, facts, &mut pieces);
            }
            let Some(first_wh) = exchange.new_first_wh else {
                // What the new meter counted before it was first read is not known.
                from = *after;
                continue;
            };
            from = RegisterReading { at_us: exchange.at_us, register_wh: first_wh, ..from };
        }
        push_difference(&from, after, facts, &mut pieces);
    }
    pieces
}

/// The difference between two registers of one meter, cut where a correction begins or ends.
fn push_difference(
    before: &RegisterReading,
    after: &RegisterReading,
    facts: &MeterFacts,
    pieces: &mut Vec<Piece>,
) {
    let interval = Interval { start_us: before.at_us, end_us: after.at_us };
    let Some(difference_wh) = difference_wh(before, after, facts).filter(|_| interval.duration_us() > 0)
    else {
        return;
    };
    let whole = Piece {
        interval,
        energy_nj: u128::from(difference_wh) * NJ_PER_WH,
        is_timing_estimated: interval.duration_us() > facts.longest_us,
    };
    for (part, correction) in cut(interval, &facts.corrections) {
        // What was counted up to an instant, from the register's own zero: the same for any choice of readings. It is
        // rounded down to a thousandth of a watt-hour, as bills count. At a reading without a correction nothing is
        // rounded.
        let register_nj = |at_us| {
            let counted_nj = until(whole.energy_nj, &interval, at_us);
            let stands_nj = match correction {
                None => counted_nj,
                Some(correction) => {
                    correction.register(u128::from(before.register_wh) * NJ_PER_WH + counted_nj)
                }
            };
            stands_nj - stands_nj % (NJ_PER_WH / MWH_PER_WH)
        };
        let energy_nj = register_nj(part.end_us).saturating_sub(register_nj(part.start_us));
        pieces.push(Piece { interval: part, energy_nj, ..whole });
    }
}

/// What a register counted between two readings; `None` where it was reset.
fn difference_wh(before: &RegisterReading, after: &RegisterReading, facts: &MeterFacts) -> Option<u64> {
    if let Some(difference) = after.register_wh.checked_sub(before.register_wh) {
        return Some(difference);
    }
    let rollover_wh = facts.rollover_wh?;
    let to_end = rollover_wh.checked_sub(before.register_wh)?;
    let difference = to_end.checked_add(after.register_wh)?;
    // power [mW] x time [us] is nanojoules.
    let possible_nj =
        u128::from(facts.power_max_mw) * u128::from(after.at_us.abs_diff(before.at_us)) + NJ_PER_WH;
    (u128::from(difference) * NJ_PER_WH <= possible_nj).then_some(difference)
}

/// One reading of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PowerSample {
    /// When it was read.
    pub at_us: Micros,
    /// The event's identity; orders samples of one instant.
    pub id: [u8; 16],
    /// The firmware's uptime in seconds, which tells a cached answer from a new one.
    pub uptime_s: Option<u64>,
    /// Power in milliwatts.
    pub power_mw: u64,
}

/// Power integrated between samples that are at most `longest_us` apart: the mean of the two over the time between
/// them. A gap, a restart or a repeated answer adds nothing.
#[must_use]
pub fn of_power(samples: &[PowerSample], longest_us: i64) -> Vec<Piece> {
    let mut ordered = samples.to_vec();
    ordered.sort_unstable();
    ordered.dedup_by_key(|sample| sample.at_us);
    ordered.dedup_by(|after, before| {
        before.uptime_s.is_some() && before.uptime_s == after.uptime_s && before.power_mw == after.power_mw
    });
    let pieces = ordered.windows(2).filter_map(|pair| {
        let [before, after] = pair else { return None };
        let interval = Interval { start_us: before.at_us, end_us: after.at_us };
        let has_restarted = after.uptime_s < before.uptime_s && after.uptime_s.is_some();
        if interval.duration_us() > longest_us || has_restarted {
            return None;
        }
        let twice_nj = (u128::from(before.power_mw) + u128::from(after.power_mw))
            * u128::from(after.at_us.abs_diff(before.at_us));
        Some(Piece { interval, energy_nj: twice_nj / 2, is_timing_estimated: false })
    });
    pieces.collect()
}

/// Rated power over the times in which the machine is known to have run, in order of time.
#[must_use]
pub fn of_nameplate(rated_power_mw: u64, ran: &[Interval]) -> Vec<Piece> {
    let pieces = ran.iter().filter(|interval| interval.duration_us() > 0).map(|interval| Piece {
        interval: *interval,
        energy_nj: u128::from(rated_power_mw) * u128::from(interval.end_us.abs_diff(interval.start_us)),
        is_timing_estimated: false,
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wb_units::time::SECOND_US;

    const HOUR: i64 = 3_600 * SECOND_US;

    fn reading(at_us: i64, register_wh: u64) -> RegisterReading {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&at_us.to_be_bytes());
        RegisterReading { at_us, id, register_wh }
    }

    fn facts() -> MeterFacts {
        MeterFacts {
            rollover_wh: Some(1_000_000),
            power_max_mw: 10_000_000,
            longest_us: HOUR,
            replacements: Vec::new(),
            corrections: Vec::new(),
        }
    }

    fn wh(pieces: &[Piece]) -> Vec<(i64, i64, u128)> {
        let whole = |piece: &Piece| {
            (piece.interval.start_us / HOUR, piece.interval.end_us / HOUR, piece.energy_nj / NJ_PER_WH)
        };
        pieces.iter().map(whole).collect()
    }

    #[test]
    fn a_rollover_is_told_from_a_reset() {
        // 10 kW at most: 8 kWh in an hour is a rollover, 11 kWh or more cannot be one.
        let rolls = [reading(0, 997_000), reading(HOUR, 5_000)];
        assert_eq!(wh(&of_register(&rolls, &facts())), [(0, 1, 8_000)]);
        let resets = [reading(0, 500_000), reading(HOUR, 5_000), reading(2 * HOUR, 6_000)];
        assert_eq!(wh(&of_register(&resets, &facts())), [(1, 2, 1_000)]);
        let never = MeterFacts { rollover_wh: None, ..facts() };
        assert_eq!(wh(&of_register(&rolls, &never)), []);
    }

    #[test]
    fn an_exchanged_meter_counts_on_where_its_registers_were_noted() {
        let readings = [reading(0, 100), reading(2 * HOUR, 50)];
        let exchange = |old_last_wh, new_first_wh| MeterFacts {
            replacements: vec![Replacement { at_us: HOUR, old_last_wh, new_first_wh }],
            ..facts()
        };
        assert_eq!(wh(&of_register(&readings, &exchange(Some(140), Some(10)))), [(0, 1, 40), (1, 2, 40)]);
        assert_eq!(wh(&of_register(&readings, &exchange(None, Some(10)))), [(1, 2, 40)]);
        assert_eq!(wh(&of_register(&readings, &exchange(Some(140), None))), [(0, 1, 40)]);
        assert_eq!(wh(&of_register(&readings, &exchange(None, None))), []);
    }

    #[test]
    fn a_wrong_ratio_is_corrected_for_its_time_only() {
        let correction = RatioCorrection {
            interval: Interval { start_us: HOUR, end_us: 3 * HOUR },
            right: 400,
            used: 200,
        };
        let corrected = MeterFacts { corrections: vec![correction], ..facts() };
        let readings = [reading(0, 0), reading(2 * HOUR, 2_000), reading(4 * HOUR, 4_000)];
        assert_eq!(
            wh(&of_register(&readings, &corrected)),
            [(0, 1, 1_000), (1, 2, 2_000), (2, 3, 2_000), (3, 4, 1_000)]
        );
    }

    #[test]
    fn a_register_goes_on_through_a_gap_and_power_does_not() {
        let pieces = of_register(&[reading(0, 0), reading(5 * HOUR, 10)], &facts());
        assert_eq!((wh(&pieces), pieces[0].is_timing_estimated), (vec![(0, 5, 10)], true));
        let sample = |at_us, uptime_s, power_mw| PowerSample { at_us, id: [0; 16], uptime_s, power_mw };
        let close = [sample(0, Some(5), 1_000_000), sample(HOUR, Some(3_605), 3_000_000)];
        assert_eq!(wh(&of_power(&close, HOUR)), [(0, 1, 2_000)]);
        assert_eq!(of_power(&close, HOUR - 1), []);
        let restarted = [sample(0, Some(5_000), 1_000_000), sample(HOUR, Some(10), 3_000_000)];
        assert_eq!(of_power(&restarted, HOUR), []);
        let cached = [sample(0, Some(5), 1_000_000), sample(HOUR, Some(5), 1_000_000)];
        assert_eq!(of_power(&cached, HOUR), []);
        let ran = [Interval { start_us: 0, end_us: 2 * HOUR }];
        assert_eq!(wh(&of_nameplate(3_000_000, &ran)), [(0, 2, 6_000)]);
    }

    /// A meter that counts on, is reset now and then, and is read in some hours.
    fn a_life() -> impl Strategy<Value = (Vec<RegisterReading>, u64)> {
        let hour = (0_u64..10_000, prop::bool::weighted(0.1), prop::bool::weighted(0.7));
        (0_u64..999_999, prop::collection::vec(hour, 1..40)).prop_map(|(first, hours)| {
            let (mut register, mut total, mut at_us) = (first, 0_u64, 0_i64);
            let mut readings = vec![reading(0, register)];
            for (amount, resets, is_read) in hours {
                at_us += HOUR;
                total += amount;
                // A reset to zero: what the hour brought is counted from there.
                register = if resets { amount } else { (register + amount) % 1_000_000 };
                if is_read {
                    readings.push(reading(at_us, register));
                }
            }
            (readings, total)
        })
    }

    proptest! {
        #[test]
        fn a_reset_never_makes_energy_negative_or_larger_than_the_meter_can_pass(
            (readings, total) in a_life(), turn in 0_usize..40,
        ) {
            let mut turned = readings.clone();
            turned.extend_from_slice(&readings);
            turned.rotate_left(turn % readings.len());
            let pieces = of_register(&readings, &facts());
            prop_assert_eq!(&pieces, &of_register(&turned, &facts()), "order and repeats");
            let counted: u128 = pieces.iter().map(|piece| piece.energy_nj).sum();
            // A reset can pass for less than was used, or for a rollover the meter could have done.
            let hours = u128::from(readings[readings.len() - 1].at_us.unsigned_abs()) / u128::from(HOUR.unsigned_abs());
            prop_assert!(counted <= hours * 10_001 * NJ_PER_WH + NJ_PER_WH);
            let never = MeterFacts { rollover_wh: None, ..facts() };
            if readings.windows(2).all(|pair| pair[0].register_wh <= pair[1].register_wh) {
                let counted: u128 = of_register(&readings, &never).iter().map(|piece| piece.energy_nj).sum();
                let seen = readings[readings.len() - 1].register_wh - readings[0].register_wh;
                prop_assert_eq!(counted, u128::from(seen) * NJ_PER_WH);
                prop_assert!(seen <= total + 999_999);
            }
        }
    }
}
