//! Counts of independent events: probabilities, exact bounds and a two-sided test.

use crate::gamma::{self, Tail};

/// How often an interval must contain the truth.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Level {
    tail: f64,
}

impl Level {
    /// 95 %.
    pub const P95: Self = Self { tail: 0.025 };

    /// Takes a level in (0, 1), such as 0.95; `None` for any other number.
    #[must_use]
    pub fn new(level: f64) -> Option<Self> {
        let tail = (1.0 - level) / 2.0;
        (level > 0.0 && tail > 0.0).then_some(Self { tail })
    }

    /// The probability that is left beyond each end.
    #[must_use]
    pub fn tail(self) -> f64 {
        self.tail
    }
}

/// Two ends of an interval, in the unit of what was bounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Bounds {
    /// Both ends times a factor that is not negative.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { low: self.low * factor, high: self.high * factor }
    }
}

/// Exact bounds of the expected count where `count` events were seen (Garwood 1936): the lower one
/// is the expectation at which so many or more would have the tail's probability, the upper one
/// that at which so many or fewer would.
///
/// A count that is not whole is an effective one; below zero and no number are taken as zero.
#[must_use]
pub fn garwood(count: f64, level: Level) -> Bounds {
    let count = count.max(0.0);
    Bounds { low: lower_bound(count, level), high: gamma::quantile(count + 1.0, Tail::Above(level.tail)) }
}

/// The lower of [`garwood`]'s bounds.
pub(crate) fn lower_bound(count: f64, level: Level) -> f64 {
    if count > 0.0 { gamma::quantile(count, Tail::Below(level.tail)) } else { 0.0 }
}

/// The quantile that upper bounds of weighted counts are made of: half of a chi-square quantile of
/// 2 x `shape` degrees of freedom.
pub(crate) fn upper_quantile(shape: f64, level: Level) -> f64 {
    gamma::quantile(shape, Tail::Above(level.tail))
}

/// The probability of exactly `count` events where `expected` are expected.
#[must_use]
pub fn exactly(count: u64, expected: f64) -> f64 {
    if expected <= 0.0 {
        return if count == 0 { 1.0 } else { 0.0 };
    }
    let events = crate::number::count(count);
    if count == 0 { (-expected).exp() } else { gamma::weight(events, expected) / events }
}

/// The probability of `count` events or fewer where `expected` are expected.
#[must_use]
pub fn at_most(count: f64, expected: f64) -> f64 {
    gamma::upper(count.max(0.0) + 1.0, expected.max(0.0))
}

/// The probability of `count` events or more where `expected` are expected.
#[must_use]
pub fn at_least(count: f64, expected: f64) -> f64 {
    if count > 0.0 { gamma::lower(count, expected.max(0.0)) } else { 1.0 }
}

/// The two-sided p-value of a count: twice the smaller tail, at most 1.
///
/// It agrees with [`garwood`]: the p-value is below 5 % exactly where the 95 % bounds of the count
/// leave the expectation out.
#[must_use]
pub fn two_sided(count: f64, expected: f64) -> f64 {
    (2.0 * at_most(count, expected).min(at_least(count, expected))).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn levels_lie_between_nothing_and_certainty() {
        for level in [0.0, 1.0, -0.5, 1.5, f64::NAN] {
            assert_eq!(Level::new(level), None, "{level}");
        }
        let same = Level::new(0.95).unwrap();
        assert!((same.tail() - Level::P95.tail()).abs() < 1e-15);
    }

    #[test]
    fn zero_events_are_bounded_by_three_point_seven() {
        let bounds = garwood(0.0, Level::P95);
        assert_eq!(bounds.low.to_bits(), 0.0_f64.to_bits());
        // exp(-x) = 0.025
        assert!((bounds.high - 40_f64.ln()).abs() < 1e-12, "{}", bounds.high);
        assert!(garwood(f64::NAN, Level::P95) == bounds && garwood(-1.0, Level::P95) == bounds);
    }

    #[test]
    fn probabilities_of_all_counts_are_one() {
        for expected in [0.0, 0.5, 30.0, 2_000.0] {
            let sum: f64 = (0..4_000).map(|count| exactly(count, expected)).sum();
            assert!((sum - 1.0).abs() < 1e-10, "{expected}: {sum}");
        }
        assert!((at_most(3.0, 2.0) + at_least(4.0, 2.0) - 1.0).abs() < 1e-14);
        assert!((at_least(0.0, 2.0) - 1.0).abs() < 1e-14);
        assert!((at_most(0.0, 0.0) - 1.0).abs() < 1e-14);
    }

    proptest! {
        #[test]
        fn the_test_and_the_bounds_agree(count in 0_u32..2_000, factor in 0.5_f64..1.6) {
            let count = f64::from(count);
            let expected = (count + 1.0) * factor;
            let bounds = garwood(count, Level::P95);
            let left_out = expected < bounds.low || expected > bounds.high;
            let p = two_sided(count, expected);
            prop_assume!((p - 0.05).abs() > 1e-9);
            prop_assert_eq!(p < 0.05, left_out, "{} {:?}", p, bounds);
        }

        #[test]
        fn bounds_hold_the_count_and_grow_with_it(count in 0.0_f64..1e6, level in 0.5_f64..0.999_9) {
            let level = Level::new(level).unwrap();
            let (bounds, more) = (garwood(count, level), garwood(count + 1.0, level));
            prop_assert!(bounds.low <= count && count < bounds.high);
            prop_assert!(bounds.low < more.low && bounds.high < more.high);
        }
    }
}
