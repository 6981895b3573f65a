//! Differences of the counters of a machine: shares, work, energy.
//!
//! A counter belongs to one run of the firmware. It was reset where it fell, or where the firmware's uptime and the
//! wall clock disagree by more than a second: a counter can be above its last value again after a restart, and only
//! the uptime shows that. What a run counted before its first sample is not known, so across a reset nothing is
//! counted, never a negative and never the whole register.
//!
//! Samples are taken in the order of (event time, id), in whatever order they came. A sample that repeats uptime and
//! value of the one before is stale: the collector read a cache, and the sample does not show that the machine ran.

use wb_units::time::SECOND_US;
use wb_units::{Interval, Micros};

/// How far the firmware's own clock may be from the wall clock between two samples, in
/// microseconds. Both are read to the second.
pub const CLOCK_TOLERANCE_US: i64 = SECOND_US;

/// One sample of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CounterSample {
    /// When it was read.
    pub at_us: Micros,
    /// The event's identity; orders samples of one instant.
    pub id: [u8; 16],
    /// The firmware's uptime in seconds; `None` where it is not reported.
    pub uptime_s: Option<u64>,
    /// The counter.
    pub value: u64,
}

/// What lies between two samples that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// The counter went on: this much was counted.
    Counted(u64),
    /// The counter went on through a longer time than samples should be apart: the amount is exact, its timing is not
    /// known.
    CountedOverGap(u64),
    /// The firmware restarted in between: what it counted there is not known.
    Reset,
    /// The second sample only repeats the first: nothing is known of the time in between.
    Stale,
}

/// The time between two samples and what was counted in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// From the first sample to the second.
    pub interval: Interval,
    /// What was counted.
    pub kind: StepKind,
}

impl Step {
    /// What was counted; `None` where it is not known.
    #[must_use]
    pub fn counted(&self) -> Option<u64> {
        match self.kind {
            StepKind::Counted(amount) | StepKind::CountedOverGap(amount) => Some(amount),
            StepKind::Reset | StepKind::Stale => None,
        }
    }
}

/// The steps between a counter's samples, given in any order and with any repeats.
///
/// `longest_us` is how far apart two samples may be before the time between them is a gap. No step ends at a stale
/// sample: what was counted until the next good sample is one step.
#[must_use]
pub fn steps(samples: &[CounterSample], longest_us: i64) -> Vec<Step> {
    let ordered = in_order(samples);
    let mut steps = Vec::with_capacity(ordered.len());
    let mut living: Option<CounterSample> = None;
    let mut stale_until: Option<Micros> = None;
    for sample in ordered {
        if let Some(before) = living {
            if is_stale(&before, &sample) {
                stale_until = Some(sample.at_us);
                continue;
            }
            let interval = Interval { start_us: before.at_us, end_us: sample.at_us };
            steps.push(Step { interval, kind: kind(&before, &sample, longest_us) });
        }
        living = Some(sample);
        stale_until = None;
    }
    // Stale samples at the end have no good sample after them.
    if let (Some(before), Some(end_us)) = (living, stale_until) {
        steps.push(Step { interval: Interval { start_us: before.at_us, end_us }, kind: StepKind::Stale });
    }
    steps
}

/// What was counted in a period: the steps' amounts, each spread evenly over its time, rounded
/// down at the period's ends in a way that adjoining periods add up exactly.
#[must_use]
pub fn counted_in(steps: &[Step], period: Interval) -> u128 {
    let parts = steps.iter().filter_map(|step| {
        let part = period.intersect(&step.interval)?;
        let amount = u128::from(step.counted()?);
        Some(until(amount, &step.interval, part.end_us) - until(amount, &step.interval, part.start_us))
    });
    parts.sum()
}

/// Of an amount spread over an interval, what lies before an instant of it, rounded down.
#[must_use]
pub fn until(amount: u128, interval: &Interval, at_us: Micros) -> u128 {
    // At both ends there is nothing to divide; most calls are there.
    if at_us >= interval.end_us && interval.start_us < interval.end_us {
        return amount;
    }
    let length_us = u128::from(interval.end_us.abs_diff(interval.start_us));
    let elapsed_us = u128::from(at_us.clamp(interval.start_us, interval.end_us).abs_diff(interval.start_us));
    if length_us == 0 || elapsed_us == 0 {
        return 0;
    }
    // floor(amount * elapsed / length), split so that no product passes 128 bits.
    let (whole, rest) = (amount / length_us, amount % length_us);
    whole * elapsed_us + rest * elapsed_us / length_us
}

/// By (time, id), one sample an instant: of several the lowest id counts.
fn in_order(samples: &[CounterSample]) -> Vec<CounterSample> {
    let mut ordered = samples.to_vec();
    ordered.sort_unstable();
    ordered.dedup_by_key(|sample| sample.at_us);
    ordered
}

fn is_stale(before: &CounterSample, after: &CounterSample) -> bool {
    before.uptime_s.is_some() && before.uptime_s == after.uptime_s && before.value == after.value
}

fn kind(before: &CounterSample, after: &CounterSample, longest_us: i64) -> StepKind {
    let Some(amount) = after.value.checked_sub(before.value) else { return StepKind::Reset };
    let wall_us = i128::from(after.at_us) - i128::from(before.at_us);
    if let (Some(earlier), Some(later)) = (before.uptime_s, after.uptime_s) {
        let ran_us = (i128::from(later) - i128::from(earlier)) * i128::from(SECOND_US);
        if (ran_us - wall_us).abs() > i128::from(CLOCK_TOLERANCE_US) {
            return StepKind::Reset;
        }
    }
    if wall_us > i128::from(longest_us) {
        StepKind::CountedOverGap(amount)
    } else {
        StepKind::Counted(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(at_s: i64, uptime_s: Option<u64>, value: u64) -> CounterSample {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&at_s.to_be_bytes());
        CounterSample { at_us: at_s * SECOND_US, id, uptime_s, value }
    }

    fn kinds(samples: &[CounterSample]) -> Vec<StepKind> {
        steps(samples, 300 * SECOND_US).into_iter().map(|step| step.kind).collect()
    }

    #[test]
    fn resets_gaps_and_stale_repeats_are_told_apart() {
        use StepKind::{Counted, CountedOverGap, Reset, Stale};
        let up = Some;
        for (name, samples, expected) in [
            ("goes on", vec![sample(0, up(10), 5), sample(60, up(70), 9)], vec![Counted(4)]),
            ("no uptime", vec![sample(0, None, 5), sample(60, None, 9)], vec![Counted(4)]),
            ("fell", vec![sample(0, None, 5), sample(60, None, 4)], vec![Reset]),
            ("restarted, above", vec![sample(0, up(10), 5), sample(60, up(30), 9)], vec![Reset]),
            ("a second is no reset", vec![sample(0, up(10), 5), sample(60, up(69), 9)], vec![Counted(4)]),
            ("two are", vec![sample(0, up(10), 5), sample(60, up(68), 9)], vec![Reset]),
            ("clock jumped ahead", vec![sample(0, up(10), 5), sample(60, up(90), 9)], vec![Reset]),
            ("gap", vec![sample(0, up(10), 5), sample(900, up(910), 50)], vec![CountedOverGap(45)]),
            (
                "stale in the middle",
                vec![sample(0, up(10), 5), sample(60, up(10), 5), sample(120, up(130), 9)],
                vec![Counted(4)],
            ),
            ("stale at the end", vec![sample(0, up(10), 5), sample(60, up(10), 5)], vec![Stale]),
            ("idle, not stale", vec![sample(0, up(10), 5), sample(60, up(70), 5)], vec![Counted(0)]),
        ] {
            assert_eq!(kinds(&samples), expected, "{name}");
        }
    }

    #[test]
    fn a_counter_is_counted_to_the_last_unit() {
        let samples = [sample(0, Some(0), 0), sample(3, Some(3), 10)];
        let steps = steps(&samples, 300 * SECOND_US);
        let part = |from: i64, to: i64| {
            counted_in(&steps, Interval { start_us: from * SECOND_US, end_us: to * SECOND_US })
        };
        assert_eq!([part(0, 1), part(1, 2), part(2, 3), part(-5, 9)], [3, 3, 4, 10]);
    }

    fn some_samples() -> impl Strategy<Value = Vec<CounterSample>> {
        let one = (0_i64..2_000, any::<u8>(), prop::option::of(0_u64..2_000), 0_u64..1_000).prop_map(
            |(at_s, id, uptime_s, value)| CounterSample {
                at_us: at_s * SECOND_US,
                id: [id; 16],
                uptime_s,
                value,
            },
        );
        prop::collection::vec(one, 0..40)
    }

    /// A counter that runs on, restarting now and then: (samples, true total).
    fn a_life() -> impl Strategy<Value = (Vec<CounterSample>, u64)> {
        let minute = (0_u64..50, prop::bool::weighted(0.1), prop::bool::weighted(0.7));
        prop::collection::vec(minute, 1..60).prop_map(|minutes| {
            let (mut value, mut uptime_s, mut total, mut at_s) = (7_u64, 100_u64, 0_u64, 0_i64);
            let mut samples = vec![sample(at_s, Some(uptime_s), value)];
            for (amount, restarts, is_seen) in minutes {
                at_s += 60;
                total += amount;
                if restarts {
                    value = amount;
                    uptime_s = 20;
                } else {
                    value += amount;
                    uptime_s += 60;
                }
                if is_seen {
                    samples.push(sample(at_s, Some(uptime_s), value));
                }
            }
            (samples, total)
        })
    }

    proptest! {
        #[test]
        fn order_and_repeats_change_nothing(
            samples in some_samples(), repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut shuffled: Vec<_> = samples.iter().rev().copied().collect();
            if !samples.is_empty() {
                shuffled.extend(repeats.iter().map(|index| *index.get(&samples)));
                let middle = shuffled.len() / 2;
                shuffled.rotate_left(middle);
            }
            prop_assert_eq!(steps(&shuffled, 300 * SECOND_US), steps(&samples, 300 * SECOND_US));
        }

        #[test]
        fn a_period_split_anywhere_adds_up(
            samples in some_samples(), mut cuts in prop::collection::vec(0_i64..2_000 * SECOND_US, 2..8),
        ) {
            let steps = steps(&samples, 300 * SECOND_US);
            cuts.sort_unstable();
            let inside = |start_us, end_us| counted_in(&steps, Interval { start_us, end_us });
            let parts: u128 = cuts.windows(2).map(|cut| inside(cut[0], cut[1])).sum();
            prop_assert_eq!(parts, inside(cuts[0], cuts[cuts.len() - 1]));
        }

        #[test]
        fn a_reset_never_counts_more_than_was_done((samples, total) in a_life()) {
            let steps = steps(&samples, 300 * SECOND_US);
            let counted: u64 = steps.iter().filter_map(Step::counted).sum();
            prop_assert!(counted <= total, "{counted} of {total}");
            if steps.iter().all(|step| step.counted().is_some()) && samples.len() > 1 {
                let seen = samples[samples.len() - 1].value - samples[0].value;
                prop_assert_eq!(counted, seen);
            }
        }
    }
}
