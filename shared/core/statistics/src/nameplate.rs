//! A machine's shares against its nameplate.
//!
//! At its rated hashrate a machine finds shares as a Poisson process of a known rate. How many it
//! found can then be told from bad luck, and so can silence.

use crate::number;
use crate::poisson;
use ruint::aliases::U256;

/// What a count says of a nameplate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NameplateTest {
    /// Shares expected at the rated hashrate.
    pub expected: f64,
    /// Shares found, as a part of those expected; 1 is as rated.
    pub ratio: f64,
    /// The probability of so few shares or fewer at the rated hashrate.
    pub so_few_p: f64,
    /// The probability of so many shares or more at the rated hashrate.
    pub so_many_p: f64,
    /// The two-sided p-value: twice the smaller of both, at most 1.
    pub two_sided_p: f64,
}

/// Shares of one difficulty that a machine finds in a time on average.
///
/// `difficulty_q32` is in units of 2^-32; for shares of several difficulties take the effective one
/// (`hashrate::effective_q32`) and test the effective count. Zero where the difficulty is not positive.
#[must_use]
pub fn expected_shares(rated_hs: U256, duration_us: u64, difficulty_q32: f64) -> f64 {
    if difficulty_q32 > 0.0 {
        number::wide(rated_hs) * (65_535.0 / 65_536.0) / difficulty_q32 * (number::count(duration_us) / 1e6)
    } else {
        0.0
    }
}

/// Tests a count, which may be an effective one, against its expectation.
///
/// `None` where the expectation is not a positive number: nothing can be told then.
#[must_use]
pub fn test(count: f64, expected: f64) -> Option<NameplateTest> {
    if !(expected > 0.0 && expected.is_finite()) {
        return None;
    }
    let count = count.max(0.0);
    Some(NameplateTest {
        expected,
        ratio: count / expected,
        so_few_p: poisson::at_most(count, expected),
        so_many_p: poisson::at_least(count, expected),
        two_sided_p: poisson::two_sided(count, expected),
    })
}

/// How long no share must come before bad luck alone explains it with a probability of `alpha`
/// only, in microseconds rounded up: -ln(alpha) times the mean time between shares.
///
/// `None` where the machine expects no share at all, or `alpha` is not in (0, 1).
#[must_use]
pub fn telling_silence_us(rated_hs: U256, difficulty_q32: f64, alpha: f64) -> Option<u64> {
    let per_second = expected_shares(rated_hs, 1_000_000, difficulty_q32);
    if !(per_second > 0.0 && alpha > 0.0 && alpha < 1.0) {
        return None;
    }
    u64::try_from(number::ceil(-alpha.ln() / per_second * 1e6)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 TH/s at difficulty 65536: one share in about 2.8 s.
    const RATED_HS: u64 = 100_000_000_000_000;
    const DIFFICULTY_Q32: f64 = 65_536.0 * 4_294_967_296.0;

    #[test]
    fn a_machine_as_rated_passes_and_a_halved_one_does_not() {
        let expected = expected_shares(U256::from(RATED_HS), 300_000_000, DIFFICULTY_Q32);
        assert!((expected - 106.579).abs() < 1e-2, "{expected}");
        for (found, passes) in [(107.0, true), (90.0, true), (53.0, false), (160.0, false)] {
            let test = test(found, expected).unwrap();
            assert_eq!(test.two_sided_p > 0.01, passes, "{test:?}");
            assert!((test.ratio - found / expected).abs() < 1e-12);
        }
    }

    #[test]
    fn silence_tells_after_its_time_and_not_before() {
        let silence_us = telling_silence_us(U256::from(RATED_HS), DIFFICULTY_Q32, 0.001).unwrap();
        for (part, tells) in [(0.99, false), (1.01, true)] {
            let waited_us = u64::try_from(number::floor(number::count(silence_us) * part)).unwrap();
            let expected = expected_shares(U256::from(RATED_HS), waited_us, DIFFICULTY_Q32);
            assert_eq!(test(0.0, expected).unwrap().so_few_p < 0.001, tells, "{expected}");
        }
    }

    #[test]
    fn nothing_expected_tells_nothing() {
        assert_eq!(test(5.0, 0.0), None);
        assert_eq!(test(5.0, f64::NAN), None);
        assert_eq!(telling_silence_us(U256::ZERO, DIFFICULTY_Q32, 0.01), None);
        assert_eq!(telling_silence_us(U256::from(1), DIFFICULTY_Q32, 1.0), None);
        assert!(expected_shares(U256::from(1), 1, 0.0).abs() < f64::MIN_POSITIVE);
    }
}
