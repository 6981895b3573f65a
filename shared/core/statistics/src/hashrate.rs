//! A hashrate from the shares that were credited, with the interval that chance leaves open.
//!
//! Shares arrive as a Poisson process: each one of difficulty d stands for d x 2^48 / 65535 hashes,
//! so the sum of credited difficulty over time is the rate, and sqrt(sum d^2) / sum d its relative
//! standard deviation. With equal difficulties the count is Poisson and Garwood's bounds are exact.
//! With unequal ones the effective count (sum d)^2 / sum d^2 takes its place: these are the
//! gamma bounds of Fay and Feuer (1997) for weighted Poisson counts, which are Garwood's where all
//! weights are equal.

use ruint::aliases::{U256, U512};

use crate::number;
use crate::poisson::{Level, lower_bound, upper_quantile};

/// Hashes that work in units of 2^-32 stands for: q32 x 65536 / 65535.
const HASHES_PER_Q32: f64 = 65_536.0 / 65_535.0;

/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;

/// Sums over the credited shares of a period. They add: the sums of two periods are the sums of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkSums {
    /// Credited shares.
    pub shares: u64,
    /// Their difficulty in units of 2^-32.
    pub credited_q32: U256,
    /// The sum of the squares of their difficulties, in units of 2^-64.
    pub credited_q32_squared: U256,
    /// The length of the period in microseconds, whether shares came or not.
    pub duration_us: u64,
    /// The largest difficulty that was assigned in the period, in units of 2^-32, where it is
    /// known. It makes the upper bound hold for unequal difficulties, and gives silence one.
    pub assigned_q32: Option<u128>,
}

/// A mean rate with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HashrateEstimate {
    /// The mean rate in hashes per second, half to even.
    pub mean_hs: U256,
    /// One standard deviation of it from chance alone, in hashes per second, rounded up.
    pub sigma_hs: U256,
    /// The lower bound in hashes per second, rounded down.
    pub low_hs: U256,
    /// The upper bound in hashes per second, rounded up; `None` where no share came and no
    /// assigned difficulty is known, because then silence bounds nothing.
    pub high_hs: Option<U256>,
    /// How many shares of equal difficulty would say as much: (sum d)^2 / sum d^2.
    pub effective_shares: f64,
}

impl WorkSums {
    /// The mean rate and the interval that holds the true one as often as `level` says.
    ///
    /// `None` for a period of no length.
    #[must_use]
    pub fn estimate(&self, level: Level) -> Option<HashrateEstimate> {
        let mean_hs = mean_hs(self.credited_q32, self.duration_us)?;
        let seconds = number::count(self.duration_us) / number::count(SECOND_US);
        let hs = |work_q32: f64| work_q32 * HASHES_PER_Q32 / seconds;
        let work = number::wide(self.credited_q32);
        let squared = number::wide(self.credited_q32_squared);
        let effective_shares = effective_shares(self.credited_q32, self.credited_q32_squared);
        let assigned = self.assigned_q32.map(|assigned_q32| number::wide(U256::from(assigned_q32)));
        if effective_shares <= 0.0 {
            let high = assigned.map(|assigned| number::ceil(hs(assigned * upper_quantile(1.0, level))));
            let none = U256::ZERO;
            return Some(HashrateEstimate {
                mean_hs,
                sigma_hs: none,
                low_hs: none,
                high_hs: high,
                effective_shares: 0.0,
            });
        }
        let effective_q32 = squared / work;
        let low = effective_q32 * lower_bound(effective_shares, level);
        // One more share of the largest weight, as Garwood's upper bound takes one more event.
        let next = assigned.unwrap_or(0.0).max(effective_q32);
        let (moved_work, moved_squared) = (work + next, squared + next * next);
        let high =
            moved_squared / moved_work * upper_quantile(moved_work * moved_work / moved_squared, level);
        Some(HashrateEstimate {
            mean_hs,
            sigma_hs: number::ceil(hs(squared.sqrt())),
            low_hs: number::floor(hs(low)).min(mean_hs),
            high_hs: Some(number::ceil(hs(high)).max(mean_hs)),
            effective_shares,
        })
    }
}

/// The mean rate of work over a time in hashes per second, half to even: q32 x 65536 / 65535 / s.
///
/// `None` for no time; the largest number where the rate does not fit.
#[must_use]
pub fn mean_hs(credited_q32: U256, duration_us: u64) -> Option<U256> {
    if duration_us == 0 {
        return None;
    }
    let hashes = U512::from(credited_q32) * U512::from(65_536 * SECOND_US);
    let divisor = U512::from(65_535) * U512::from(duration_us);
    let (quotient, remainder) = hashes.div_rem(divisor);
    let twice = remainder << 1;
    let up = twice > divisor || (twice == divisor && quotient.bit(0));
    let rounded = if up { quotient + U512::ONE } else { quotient };
    Some(U256::saturating_from(rounded))
}

/// How many shares of equal difficulty would say as much: (sum d)^2 / sum d^2; zero without work.
#[must_use]
pub fn effective_shares(credited_q32: U256, credited_q32_squared: U256) -> f64 {
    if credited_q32.is_zero() || credited_q32_squared.is_zero() {
        return 0.0;
    }
    let work = number::wide(credited_q32);
    work * (work / number::wide(credited_q32_squared))
}

/// The difficulty of those equal shares, in units of 2^-32: sum d^2 / sum d; `None` without work.
#[must_use]
pub fn effective_q32(credited_q32: U256, credited_q32_squared: U256) -> Option<f64> {
    (!credited_q32.is_zero() && !credited_q32_squared.is_zero())
        .then(|| number::wide(credited_q32_squared) / number::wide(credited_q32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poisson::garwood;
    use proptest::prelude::*;

    const DIFFICULTY_Q32: u128 = 65_536 << 32;

    fn equal(shares: u64, difficulty_q32: u128, duration_us: u64) -> WorkSums {
        let difficulty = U256::from(difficulty_q32);
        let count = U256::from(shares);
        WorkSums {
            shares,
            credited_q32: difficulty * count,
            credited_q32_squared: difficulty * difficulty * count,
            duration_us,
            assigned_q32: Some(difficulty_q32),
        }
    }

    #[test]
    fn means_are_exact_and_half_to_even() {
        for (q32, duration_us, expected) in [
            // One share of difficulty 65536 in five minutes: 65536 x 2^48 / 65535 / 300 = ...144.8.
            (U256::from(DIFFICULTY_Q32), 300 * SECOND_US, U256::from(938_264_239_145_u64)),
            (U256::ZERO, SECOND_US, U256::ZERO),
            // 65535 x 65536 / 65535 hashes in 2^17 s, 2^15 s and a third of 2^17 s: 0.5, 2 and 1.5.
            (U256::from(65_535), 131_072 * SECOND_US, U256::ZERO),
            (U256::from(65_535), 32_768 * SECOND_US, U256::from(2)),
            (U256::from(65_535 * 3), 131_072 * SECOND_US, U256::from(2)),
            (U256::from(65_535 * 5), 131_072 * SECOND_US, U256::from(2)),
            (U256::MAX, 1, U256::MAX),
        ] {
            assert_eq!(mean_hs(q32, duration_us), Some(expected), "{q32} in {duration_us}");
        }
        assert_eq!(mean_hs(U256::from(1), 0), None);
        assert_eq!(equal(1, 1, 0).estimate(Level::P95), None);
    }

    #[test]
    fn sigma_is_one_over_the_root_of_the_count() {
        for shares in [30_u32, 90, 100, 1_200, 8_640] {
            let estimate =
                equal(u64::from(shares), DIFFICULTY_Q32, 300 * SECOND_US).estimate(Level::P95).unwrap();
            let relative = number::wide(estimate.sigma_hs) / number::wide(estimate.mean_hs);
            assert!((relative * f64::from(shares).sqrt() - 1.0).abs() < 1e-9, "{shares}: {relative}");
            assert!((estimate.effective_shares / f64::from(shares) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn equal_shares_have_garwoods_bounds() {
        for shares in [0_u32, 1, 2, 10, 100, 300] {
            let duration_us = 3_600 * SECOND_US;
            let estimate =
                equal(u64::from(shares), DIFFICULTY_Q32, duration_us).estimate(Level::P95).unwrap();
            let one = number::wide(U256::from(DIFFICULTY_Q32)) * HASHES_PER_Q32 / 3_600.0;
            let bounds = garwood(f64::from(shares), Level::P95).scaled(one);
            let (low, high) = (number::wide(estimate.low_hs), number::wide(estimate.high_hs.unwrap()));
            assert!((low - bounds.low).abs() <= 1.0 + bounds.low * 1e-10, "{shares}: {low} {bounds:?}");
            assert!((high - bounds.high).abs() <= 1.0 + bounds.high * 1e-10, "{shares}: {high} {bounds:?}");
        }
    }

    #[test]
    fn silence_is_bounded_only_where_the_difficulty_is_known() {
        let mut silent = equal(0, DIFFICULTY_Q32, 300 * SECOND_US);
        let bounded = silent.estimate(Level::P95).unwrap();
        assert_eq!((bounded.mean_hs, bounded.low_hs), (U256::ZERO, U256::ZERO));
        // 3.688879 shares of it in five minutes.
        let one = 938_264_239_144.0;
        let high = number::wide(bounded.high_hs.unwrap());
        assert!((high / one - 3.688_879).abs() < 1e-6, "{high}");
        silent.assigned_q32 = None;
        assert_eq!(silent.estimate(Level::P95).unwrap().high_hs, None);
    }

    proptest! {
        #[test]
        fn bounds_hold_the_mean_and_a_known_difficulty_only_widens_them(
            difficulties in prop::collection::vec(1_u64..u64::MAX, 1..50),
            seconds in 1_u64..1_000_000,
        ) {
            let sum = |power: u32| difficulties.iter()
                .map(|difficulty| (0..power).fold(U256::from(1), |product, _| product * U256::from(*difficulty)))
                .fold(U256::ZERO, |sum, product| sum + product);
            let mut sums = WorkSums {
                shares: u64::try_from(difficulties.len()).unwrap(),
                credited_q32: sum(1),
                credited_q32_squared: sum(2),
                duration_us: seconds * SECOND_US,
                assigned_q32: None,
            };
            let unknown = sums.estimate(Level::P95).unwrap();
            sums.assigned_q32 = difficulties.iter().max().map(|difficulty| u128::from(*difficulty));
            let known = sums.estimate(Level::P95).unwrap();
            prop_assert!(unknown.low_hs <= unknown.mean_hs && Some(unknown.mean_hs) <= unknown.high_hs);
            prop_assert_eq!(unknown.low_hs, known.low_hs);
            // Integers are rounded outward, so one of the last place is allowed.
            let slack = U256::from(2) + (unknown.mean_hs >> 40);
            prop_assert!(known.high_hs.unwrap() + slack >= unknown.high_hs.unwrap());
            prop_assert!(unknown.effective_shares <= number::count(sums.shares) * (1.0 + 1e-12));
        }
    }
}
