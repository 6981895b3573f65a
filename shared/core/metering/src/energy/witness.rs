//! The witness of each energy quantity, and the best witness for every instant.
//!
//! Each witness gives pieces: an amount over an interval. A contract lists the witnesses it accepts in its order;
//! where the first has no piece, the second is used, and so on. The witness stays with the quantity, so that a month
//! can show "97.1 % meter, 2.9 % firmware".
//!
//! Energy is in nanojoules here: a milliwatt over a microsecond is one, so that integrated power,
//! counters in millijoules and registers in watt-hours all add without a remainder.

use wb_units::rounding::split_largest_remainder;
use wb_units::time::interval_start;
use wb_units::{Interval, Micros, SETTLEMENT_INTERVAL_US};

use crate::counters::until;
use crate::ratio::ONE_PPM;

/// Nanojoules in a watt-hour.
pub const NJ_PER_WH: u128 = 3_600_000_000_000;

/// The source of an energy figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Witness {
    /// A revenue meter's register.
    Meter,
    /// The outlet of a power distribution unit.
    Pdu,
    /// An energy counter of the machine.
    FirmwareCounter,
    /// The machine's power, integrated where its samples are close enough.
    FirmwarePower,
    /// Rated power times the time it is known to have run.
    Nameplate,
}

impl Witness {
    /// All witnesses, in the order that holds where a contract lists none.
    pub const ALL: [Self; 5] =
        [Self::Meter, Self::Pdu, Self::FirmwareCounter, Self::FirmwarePower, Self::Nameplate];

    /// The stable name that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Meter => "meter",
            Self::Pdu => "pdu",
            Self::FirmwareCounter => "firmware_counter",
            Self::FirmwarePower => "firmware_power",
            Self::Nameplate => "nameplate",
        }
    }

    /// The witness of a stored name; `firmware`, as energy readings have it, is the counter.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "firmware" => Some(Self::FirmwareCounter),
            _ => Self::ALL.into_iter().find(|witness| witness.as_str() == name),
        }
    }

    fn place(self) -> usize {
        match self {
            Self::Meter => 0,
            Self::Pdu => 1,
            Self::FirmwareCounter => 2,
            Self::FirmwarePower => 3,
            Self::Nameplate => 4,
        }
    }
}

/// An amount of energy over an interval, spread evenly over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// When it flowed.
    pub interval: Interval,
    /// The amount.
    pub energy_nj: u128,
    /// Whether its timing within this time is unknown.
    pub is_timing_estimated: bool,
}

impl Piece {
    /// The part of its energy that flowed from one instant to another.
    pub(crate) fn within(&self, part: &Interval) -> u128 {
        until(self.energy_nj, &self.interval, part.end_us)
            - until(self.energy_nj, &self.interval, part.start_us)
    }
}

/// One witness's pieces, in order of time and not overlapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Testimony {
    /// The witness.
    pub witness: Witness,
    /// The pieces.
    pub pieces: Vec<Piece>,
}

/// A quantity with its witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witnessed {
    /// When it flowed.
    pub interval: Interval,
    /// How much, in nanojoules.
    pub energy_nj: u128,
    /// The witness.
    pub witness: Witness,
    /// Whether its timing is estimated.
    pub is_timing_estimated: bool,
}

/// The quantities of a period by the best witness: in the contract's order, each for the time that those before it do
/// not cover. A witness that is not in the order is not used. Sorted by time.
#[must_use]
pub fn best(testimonies: &[Testimony], order: &[Witness], period: Interval) -> Vec<Witnessed> {
    let mut found = Vec::new();
    let mut open = vec![period];
    for witness in order {
        for testimony in testimonies.iter().filter(|testimony| testimony.witness == *witness) {
            open = hear(testimony, &open, &mut found);
        }
    }
    found.sort_by_key(|part: &Witnessed| part.interval);
    found
}

/// Takes a testimony's pieces within the open time; returns the time that stays open.
fn hear(testimony: &Testimony, open: &[Interval], found: &mut Vec<Witnessed>) -> Vec<Interval> {
    let mut left = Vec::with_capacity(open.len());
    let mut first = 0;
    for free in open {
        let mut from_us = free.start_us;
        // Both are in order of time: pieces that end before this one starts are not needed again.
        while testimony.pieces.get(first).is_some_and(|piece| piece.interval.end_us <= free.start_us) {
            first += 1;
        }
        for piece in testimony.pieces.get(first..).unwrap_or_default() {
            if piece.interval.start_us >= free.end_us {
                break;
            }
            let Some(part) = piece.interval.intersect(free) else { continue };
            if from_us < part.start_us {
                left.push(Interval { start_us: from_us, end_us: part.start_us });
            }
            from_us = from_us.max(part.end_us);
            found.push(Witnessed {
                interval: part,
                energy_nj: piece.within(&part),
                witness: testimony.witness,
                is_timing_estimated: piece.is_timing_estimated,
            });
        }
        if from_us < free.end_us {
            left.push(Interval { start_us: from_us, end_us: free.end_us });
        }
    }
    left
}

/// The energy of one settlement interval, by witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IntervalEnergy {
    /// The start of the interval.
    pub start_us: Micros,
    /// Energy in nanojoules by witness, in the order of [`Witness::ALL`].
    pub by_witness_nj: [u128; 5],
    /// The part of it whose amount is known but not its timing.
    pub estimated_nj: u128,
    /// Microseconds of the interval that a witness covers.
    pub covered_us: i64,
}

impl IntervalEnergy {
    /// Energy of all witnesses.
    #[must_use]
    pub fn energy_nj(&self) -> u128 {
        self.by_witness_nj.iter().sum()
    }

    /// Adds another interval's figures; the start stays.
    pub fn add(&mut self, other: &Self) {
        for (sum, part) in self.by_witness_nj.iter_mut().zip(other.by_witness_nj) {
            *sum += part;
        }
        self.estimated_nj += other.estimated_nj;
        self.covered_us = self.covered_us.saturating_add(other.covered_us);
    }

    /// The share of each witness that has one, in parts per million that sum to one.
    #[must_use]
    pub fn shares_ppm(&self) -> Vec<(Witness, u64)> {
        let parts = split_largest_remainder(u128::from(ONE_PPM), &self.by_witness_nj).unwrap_or_default();
        let shares = Witness::ALL.into_iter().zip(parts);
        shares
            .filter_map(|(witness, part)| Some((witness, u64::try_from(part).ok().filter(|part| *part > 0)?)))
            .collect()
    }
}

/// Adds up quantities, sorted by time, in settlement intervals. An interval without any is left out.
#[must_use]
pub fn by_interval(quantities: &[Witnessed]) -> Vec<IntervalEnergy> {
    let mut folded: Vec<IntervalEnergy> = Vec::new();
    for quantity in quantities {
        let piece = Piece {
            interval: quantity.interval,
            energy_nj: quantity.energy_nj,
            is_timing_estimated: quantity.is_timing_estimated,
        };
        let mut from_us = quantity.interval.start_us;
        let mut before_nj = 0;
        while from_us < quantity.interval.end_us {
            let start_us = interval_start(from_us);
            let end_us = quantity.interval.end_us.min(start_us.saturating_add(SETTLEMENT_INTERVAL_US));
            let until_nj = if end_us == quantity.interval.end_us {
                piece.energy_nj
            } else {
                until(piece.energy_nj, &piece.interval, end_us)
            };
            if folded.last().is_none_or(|last| last.start_us != start_us) {
                folded.push(IntervalEnergy { start_us, ..IntervalEnergy::default() });
            }
            if let Some(last) = folded.last_mut() {
                last.by_witness_nj[quantity.witness.place()] += until_nj - before_nj;
                last.covered_us += end_us - from_us;
                if quantity.is_timing_estimated {
                    last.estimated_nj += until_nj - before_nj;
                }
            }
            before_nj = until_nj;
            from_us = end_us;
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wb_units::time::SECOND_US;

    fn piece(start_s: i64, end_s: i64, energy_nj: u128) -> Piece {
        let interval = Interval { start_us: start_s * SECOND_US, end_us: end_s * SECOND_US };
        Piece { interval, energy_nj, is_timing_estimated: false }
    }

    fn period(start_s: i64, end_s: i64) -> Interval {
        Interval { start_us: start_s * SECOND_US, end_us: end_s * SECOND_US }
    }

    #[test]
    fn the_next_witness_speaks_where_the_first_is_silent() {
        let meter =
            Testimony { witness: Witness::Meter, pieces: vec![piece(0, 300, 300), piece(600, 900, 330)] };
        let power = Testimony { witness: Witness::FirmwarePower, pieces: vec![piece(0, 900, 810)] };
        let all = [power, meter];
        let heard = best(&all, &Witness::ALL, period(0, 1200));
        let short: Vec<_> = heard
            .iter()
            .map(|part| (part.witness, part.interval.start_us / SECOND_US, part.energy_nj))
            .collect();
        assert_eq!(
            short,
            [(Witness::Meter, 0, 300), (Witness::FirmwarePower, 300, 270), (Witness::Meter, 600, 330)]
        );
        // A contract that prefers the machine's counter, and one that takes meters only.
        let firmware_first = best(&all, &[Witness::FirmwarePower, Witness::Meter], period(0, 900));
        assert_eq!(firmware_first.iter().map(|part| part.energy_nj).sum::<u128>(), 810);
        let meters_only = best(&all, &[Witness::Meter], period(0, 900));
        assert_eq!(meters_only.iter().map(|part| part.energy_nj).sum::<u128>(), 630);
        let mut month = IntervalEnergy::default();
        for interval in by_interval(&heard) {
            month.add(&interval);
        }
        assert_eq!(month.shares_ppm(), [(Witness::Meter, 700_000), (Witness::FirmwarePower, 300_000)]);
        assert_eq!(month.covered_us, 900 * SECOND_US);
    }

    #[test]
    fn names_are_read_back() {
        for witness in Witness::ALL {
            assert_eq!(Witness::of_name(witness.as_str()), Some(witness));
            assert_eq!(Witness::ALL[witness.place()], witness);
        }
        assert_eq!(Witness::of_name("firmware"), Some(Witness::FirmwareCounter));
        assert_eq!(Witness::of_name("rumour"), None);
    }

    fn some_testimony(witness: Witness) -> impl Strategy<Value = Testimony> {
        prop::collection::vec((0_i64..400, 1_i64..900, 0_u128..1_000_000_007), 0..12).prop_map(move |parts| {
            let mut at_s = 0;
            let pieces = parts
                .into_iter()
                .map(|(pause, length, energy)| {
                    let start = at_s + pause;
                    at_s = start + length;
                    piece(start, at_s, energy)
                })
                .collect();
            Testimony { witness, pieces }
        })
    }

    proptest! {
        #[test]
        fn splitting_and_merging_conserve_energy(
            meter in some_testimony(Witness::Meter), power in some_testimony(Witness::FirmwarePower),
            mut cuts in prop::collection::vec(0_i64..8_000, 2..6),
        ) {
            let all = [meter, power];
            let total = |period| -> u128 {
                best(&all, &Witness::ALL, period).iter().map(|part| part.energy_nj).sum()
            };
            cuts.sort_unstable();
            let parts: u128 = cuts.windows(2).map(|cut| total(period(cut[0], cut[1]))).sum();
            prop_assert_eq!(parts, total(period(cuts[0], cuts[cuts.len() - 1])));
            // By settlement interval, and by the better witness alone: all of its energy counts.
            let whole = best(&all, &Witness::ALL, period(0, 20_000));
            let folded: u128 = by_interval(&whole).iter().map(IntervalEnergy::energy_nj).sum();
            prop_assert_eq!(folded, total(period(0, 20_000)));
            let metered: u128 = all[0].pieces.iter().map(|piece| piece.energy_nj).sum();
            let heard = whole.iter().filter(|part| part.witness == Witness::Meter);
            prop_assert_eq!(heard.map(|part| part.energy_nj).sum::<u128>(), metered);
            for pair in whole.windows(2) {
                prop_assert!(pair[0].interval.end_us <= pair[1].interval.start_us);
            }
        }
    }
}
