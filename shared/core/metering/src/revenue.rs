//! Bitcoin that work is expected to earn, from the network's targets.
//!
//! A block is expected each 2^256 / (target + 1) hashes; of work in units of 2^-32 of difficulty 1
//! that is `q32 * target / (D1 * 2^32)` blocks, the formula that bills use. A hashrate over a time
//! is hashes; hashes = q32 * 65536 / 65535.

use ruint::aliases::{U256, U512};
use wb_units::{Interval, Micros};

use crate::ratio::wide_div;

/// The target of difficulty 1: 0xffff * 2^208.
const D1: U256 = U256::from_limbs([0, 0, 0, 0xffff_0000]);

/// Microseconds in a second.
const SECOND_US: u64 = 1_000_000;

/// A time in which neither difficulty nor subsidy changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkStretch {
    /// When.
    pub interval: Interval,
    /// What a block's hash must not exceed.
    pub target: U256,
    /// What a block pays: subsidy, and mean fees where they are to be counted, in satoshi.
    pub reward_sat: u64,
}

/// Expected satoshi of a number of hashes at one target, rounded half to even once.
#[must_use]
pub fn expected_sat(hashes: u128, target: U256, reward_sat: u64) -> Option<u128> {
    let blocks = U512::from(hashes) * U512::from(65_535_u32) * U512::from(target);
    let denominator = (U512::from(D1) << 32) * U512::from(65_536_u32);
    wide_div(blocks * U512::from(reward_sat), denominator)
}

/// Expected satoshi of a steady hashrate over a period. `None` where the stretches do not cover the period without a
/// gap or overlap: an unknown difficulty does not count as zero.
#[must_use]
pub fn expected_sat_of_hashrate(
    hashrate_hs: u128,
    period: Interval,
    stretches: &[NetworkStretch],
) -> Option<u128> {
    let mut ordered: Vec<&NetworkStretch> =
        stretches.iter().filter(|stretch| stretch.interval.intersect(&period).is_some()).collect();
    ordered.sort_by_key(|stretch| stretch.interval);
    let mut at_us = period.start_us;
    // Numerators share one denominator, so that the sum is rounded once.
    let mut sum = U512::ZERO;
    for stretch in ordered {
        let part = stretch.interval.intersect(&period)?;
        if part.start_us != at_us {
            return None;
        }
        at_us = part.end_us;
        let hashes_e6 = U512::from(hashrate_hs) * U512::from(part.end_us.abs_diff(part.start_us));
        let numerator = hashes_e6
            .checked_mul(U512::from(65_535_u32))?
            .checked_mul(U512::from(stretch.target))?
            .checked_mul(U512::from(stretch.reward_sat))?;
        sum = sum.checked_add(numerator)?;
    }
    if at_us != period.end_us {
        return None;
    }
    wide_div(sum, (U512::from(D1) << 32) * U512::from(65_536_u32) * U512::from(SECOND_US))
}

/// Stretches from the starts of difficulty epochs, in order of time: each holds until the next
/// begins, the last until `end_us`.
#[must_use]
pub fn stretches(epochs: &[(Micros, U256)], end_us: Micros, reward_sat: u64) -> Vec<NetworkStretch> {
    let ends = epochs.iter().skip(1).map(|(start_us, _)| *start_us).chain([end_us]);
    let made = epochs.iter().zip(ends).filter_map(|((start_us, target), end_us)| {
        let interval = Interval::new(*start_us, end_us)?;
        Some(NetworkStretch { interval, target: *target, reward_sat })
    });
    made.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn at_difficulty_one_a_block_is_2_to_the_48_over_65535_hashes() {
        // 2^48 / 65535 = 4,295,032,833.0 hashes a block.
        assert_eq!(expected_sat(4_295_032_833, D1, 5_000_000_000), Some(5_000_000_000));
        assert_eq!(expected_sat(4_295_032_833, D1 >> 20, 5_000_000_000), Some(4_768));
        assert_eq!(expected_sat(0, D1, 5_000_000_000), Some(0));
    }

    #[test]
    fn a_period_is_covered_or_refused() {
        let seconds = |start: i64, end: i64| Interval { start_us: start * SECOND, end_us: end * SECOND };
        let stretch = |start, end, shift: usize| NetworkStretch {
            interval: seconds(start, end),
            target: D1 >> shift,
            reward_sat: 1_000_000,
        };
        let network = [stretch(10, 20, 1), stretch(0, 10, 0)];
        // Ten seconds at full target and ten at half: 1.5 times as much as the first ten alone.
        let rate = 429_503_283;
        assert_eq!(expected_sat_of_hashrate(rate, seconds(0, 10), &network), Some(1_000_000));
        assert_eq!(expected_sat_of_hashrate(rate, seconds(0, 20), &network), Some(1_500_000));
        assert_eq!(expected_sat_of_hashrate(rate, seconds(0, 21), &network), None);
        assert_eq!(
            expected_sat_of_hashrate(rate, seconds(0, 20), &[stretch(0, 9, 0), stretch(10, 20, 0)]),
            None
        );
        let made = stretches(&[(0, D1), (10 * SECOND, D1 >> 1)], 20 * SECOND, 1_000_000);
        assert_eq!(expected_sat_of_hashrate(rate, seconds(0, 20), &made), Some(1_500_000));
    }
}
