//! The moving averages in integers: the same on every machine, for a rule that could reach a bill.
//!
//! Rates are in units of 2^-32 of difficulty per second with 32 more binary places; factors have 64
//! binary places. Every division and product is rounded down, towards the interval's own rate.
#![deny(clippy::float_arithmetic)]

use ruint::aliases::{U256, U512};

use super::{STEP_US, Window};

/// One, with 64 binary places.
const ONE_Q64: u128 = 1 << 64;

/// ln 2 with 64 binary places, rounded down.
const LN_2_Q64: u128 = 0xb172_17f7_d1cf_79ab;

/// ckpool's bound on elapsed / window.
const MAX_WINDOWS_Q64: u128 = 36 << 64;

/// Terms of the exponential's series: the one after is below 2^-64 for arguments below ln 2.
const TERMS: u128 = 20;

/// Binary places that a rate has beyond its unit.
const RATE_PLACES: usize = 32;

/// Moving averages of work over all windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FixedAverages {
    /// 2^-64 of difficulty per second, by window.
    rates: [U256; Window::ALL.len()],
}

impl FixedAverages {
    /// Takes the work that was credited in the interval that follows, in units of 2^-32, with the
    /// interval's length. Intervals without work must be taken too: silence is what decays.
    ///
    /// Work above 2^192 is taken as that.
    pub fn advance(&mut self, credited_q32: U256, duration_us: u64) {
        self.advance_each([credited_q32], duration_us);
    }

    /// Takes the work of one interval after the other, all of one length. The same as
    /// [`FixedAverages::advance`] for each, but what follows from the length is worked out once.
    pub fn advance_each(&mut self, credited_q32: impl IntoIterator<Item = U256>, duration_us: u64) {
        if duration_us == 0 {
            return;
        }
        let count = duration_us.div_ceil(STEP_US).max(1);
        let kept_q64 = Window::ALL.map(|window| kept_q64(duration_us, count, window));
        for work in credited_q32 {
            let work = work.min(U256::from(1) << 192);
            let rate = ((work << RATE_PLACES) * U256::from(1_000_000)) / U256::from(duration_us);
            for (average, kept_q64) in self.rates.iter_mut().zip(kept_q64) {
                *average = if *average >= rate {
                    rate + times_q64(*average - rate, kept_q64)
                } else {
                    rate - times_q64(rate - *average, kept_q64)
                };
            }
        }
    }

    /// The average over a window in units of 2^-32 of difficulty per second, rounded down.
    #[must_use]
    pub fn per_second_q32(&self, window: Window) -> U256 {
        self.rate(window) >> RATE_PLACES
    }

    /// The average over a window in hashes per second, rounded down.
    #[must_use]
    pub fn hashrate_hs(&self, window: Window) -> U256 {
        let hashes = U512::from(self.rate(window)) * U512::from(65_536) / U512::from(65_535);
        U256::saturating_from(hashes >> RATE_PLACES)
    }

    fn rate(&self, window: Window) -> U256 {
        let place = Window::ALL.iter().position(|each| *each == window);
        place.and_then(|place| self.rates.get(place)).copied().unwrap_or_default()
    }
}

/// What is kept of the distance to the interval's rate after `count` equal steps: (1 / (1 + p))^count
/// with p = 1 - e^(-step / window), 64 binary places.
fn kept_q64(duration_us: u64, count: u64, window: Window) -> u128 {
    let whole_us = u128::from(count) * u128::from(window.seconds()) * 1_000_000;
    // A step is at most STEP_US, so the quotient is far below 2^64 and the shift holds.
    let windows = ((u128::from(duration_us) << 64) / whole_us).min(MAX_WINDOWS_Q64);
    let forgotten = ONE_Q64 - exp_minus_q64(windows);
    let one_step = U256::from(ONE_Q64) * U256::from(ONE_Q64) / U256::from(ONE_Q64 + forgotten);
    power_q64(u128::try_from(one_step).unwrap_or(ONE_Q64), count)
}

/// e^-x for 0 <= x <= 36, both with 64 binary places: x = k ln 2 + r, e^-r by its series, halved k
/// times.
fn exp_minus_q64(x: u128) -> u128 {
    let halvings = x / LN_2_Q64;
    let rest = x % LN_2_Q64;
    let (mut term, mut even, mut odd) = (ONE_Q64, ONE_Q64, 0);
    for n in 1..=TERMS {
        // Below 2^64 x 2^64: the first term is one and `rest` is below ln 2.
        term = ((term * rest) >> 64) / n;
        if n % 2 == 0 {
            even += term;
        } else {
            odd += term;
        }
    }
    (even - odd) >> u32::try_from(halvings).unwrap_or(u32::MAX).min(127)
}

/// base^exponent for a base of at most one, by squaring.
fn power_q64(base: u128, exponent: u64) -> u128 {
    let (mut square, mut result, mut rest) = (base, ONE_Q64, exponent);
    while rest > 0 {
        if rest % 2 == 1 {
            result = product_q64(result, square);
        }
        square = product_q64(square, square);
        rest /= 2;
    }
    result
}

/// The product of two factors of at most one.
fn product_q64(left: u128, right: u128) -> u128 {
    // One is the only factor of 65 bits.
    if left == ONE_Q64 {
        right
    } else if right == ONE_Q64 {
        left
    } else {
        (left * right) >> 64
    }
}

/// A rate times a factor of at most one.
fn times_q64(rate: U256, factor: u128) -> U256 {
    U256::saturating_from((U512::from(rate) * U512::from(factor)) >> 64)
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the integers are compared with floats")]
mod tests {
    use super::super::Averages;
    use super::*;
    use crate::number;
    use proptest::prelude::*;

    const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;

    fn q64(value: u128) -> f64 {
        number::wide(U256::from(value)) / TWO_POW_64
    }

    #[test]
    fn the_exponential_has_sixty_binary_places() {
        assert_eq!(exp_minus_q64(0), ONE_Q64);
        for (x, expected) in [
            (0.001_f64, 0.999_000_499_833_375),
            (0.5, 0.606_530_659_712_633_4),
            (1.0, 0.367_879_441_171_442_33),
            (5.0, 0.006_737_946_999_085_467),
            (20.0, 2.061_153_622_438_558e-9),
        ] {
            let fixed = u128::try_from(number::floor(x * TWO_POW_64)).unwrap();
            let found = q64(exp_minus_q64(fixed));
            assert!((found - expected).abs() < 4e-16, "{x}: {found} {expected}");
        }
        assert!(exp_minus_q64(MAX_WINDOWS_Q64) < 1 << 13);
    }

    #[test]
    fn no_input_overflows() {
        let mut averages = FixedAverages::default();
        for duration_us in [1, 299_999_999, u64::MAX] {
            averages.advance(U256::MAX, duration_us);
            averages.advance(U256::ZERO, duration_us);
        }
        averages.advance(U256::MAX, 0);
        assert!(Window::ALL.iter().all(|window| averages.hashrate_hs(*window) < U256::MAX));
    }

    #[test]
    fn a_series_is_its_intervals_one_after_the_other() {
        let works = [7_000_003_u64, 0, 0, 90_000_049, 11].map(U256::from);
        let (mut at_once, mut one_by_one) = (FixedAverages::default(), FixedAverages::default());
        at_once.advance_each(works, 300_000_000);
        works.into_iter().for_each(|work| one_by_one.advance(work, 300_000_000));
        assert_eq!(at_once, one_by_one);
        assert_ne!(at_once, FixedAverages::default());
        at_once.advance_each([U256::MAX], 0);
        assert_eq!(at_once, one_by_one, "no time changes nothing");
    }

    proptest! {
        #[test]
        fn integers_follow_the_floats(
            work in prop::collection::vec((0_u128..1 << 90, 1_u64..900_000_000), 1..40),
        ) {
            let (mut fixed, mut floating) = (FixedAverages::default(), Averages::default());
            let mut largest = 0.0_f64;
            for (credited_q32, duration_us) in work {
                fixed.advance(U256::from(credited_q32), duration_us);
                floating.advance(U256::from(credited_q32), duration_us);
                largest = largest.max(number::wide(U256::from(credited_q32)) / number::count(duration_us) * 1e6);
                for window in Window::ALL {
                    let (integer, float) =
                        (number::wide(fixed.per_second_q32(window)), floating.per_second_q32(window));
                    prop_assert!((integer - float).abs() <= 1.0 + largest * 1e-12, "{integer} {float}");
                    let (integer, float) = (number::wide(fixed.hashrate_hs(window)), floating.hashrate_hs(window));
                    prop_assert!((integer - float).abs() <= 1.0 + largest * 1e-12, "{integer} {float}");
                }
            }
        }
    }
}
