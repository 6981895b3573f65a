//! The luck of a period: blocks found against blocks expected. 100 % is as expected.

use ruint::aliases::U256;

use crate::number;
use crate::poisson::{self, Level, garwood};

/// Work that was credited under one network difficulty, both in units of 2^-32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkAtDifficulty {
    /// The credited work.
    pub credited_q32: U256,
    /// The network's difficulty.
    pub network_difficulty_q32: u128,
}

/// Blocks found against blocks expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Luck {
    /// Blocks found.
    pub blocks: u64,
    /// Blocks expected: work over network difficulty.
    pub expected: f64,
    /// Found over expected, in per cent; 100 is as expected.
    pub percent: f64,
    /// The lower bound of that, in per cent: Garwood's of the blocks.
    pub low_percent: f64,
    /// The upper bound of that, in per cent.
    pub high_percent: f64,
    /// The two-sided p-value of the count.
    pub two_sided_p: f64,
}

/// Blocks expected of work done under one or more difficulties of the network, so that a period may
/// hold a change of it. Work under a difficulty of zero expects none.
#[must_use]
pub fn expected_blocks(work: &[WorkAtDifficulty]) -> f64 {
    work.iter()
        .filter(|part| part.network_difficulty_q32 > 0)
        .map(|part| number::wide(part.credited_q32) / number::wide(U256::from(part.network_difficulty_q32)))
        .sum()
}

/// The luck of a period; `None` where no block is expected of it.
#[must_use]
pub fn luck(blocks: u64, expected: f64, level: Level) -> Option<Luck> {
    if !(expected > 0.0 && expected.is_finite()) {
        return None;
    }
    let found = number::count(blocks);
    let per_block = 100.0 / expected;
    let bounds = garwood(found, level).scaled(per_block);
    Some(Luck {
        blocks,
        expected,
        percent: found * per_block,
        low_percent: bounds.low,
        high_percent: bounds.high,
        two_sided_p: poisson::two_sided(found, expected),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_blocks_as_expected_are_a_hundred_per_cent() {
        let difficulty = 100_u128 << 32;
        let work = |share: u64, network_difficulty_q32| WorkAtDifficulty {
            credited_q32: U256::from(share) << 32,
            network_difficulty_q32,
        };
        // 600 of 100 and 800 of 200: six and four blocks.
        let expected = expected_blocks(&[work(600, difficulty), work(800, 2 * difficulty), work(9, 0)]);
        assert!((expected - 10.0).abs() < 1e-12, "{expected}");
        let luck = luck(10, expected, Level::P95).unwrap();
        assert!((luck.percent - 100.0).abs() < 1e-9, "{luck:?}");
        assert!((luck.low_percent - 47.953_89).abs() < 1e-4, "{luck:?}");
        assert!((luck.high_percent - 183.903_56).abs() < 1e-4, "{luck:?}");
        assert!(luck.two_sided_p > 0.9);
    }

    #[test]
    fn luck_that_chance_does_not_explain_has_a_small_p_value() {
        assert!(luck(25, 10.0, Level::P95).unwrap().two_sided_p < 0.001);
        assert!(luck(0, 10.0, Level::P95).unwrap().two_sided_p < 0.001);
        assert_eq!(luck(3, 0.0, Level::P95), None);
        assert_eq!(luck(3, f64::INFINITY, Level::P95), None);
    }
}
