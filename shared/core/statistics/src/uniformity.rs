//! Whether a worker's hashes are where chance puts them.
//!
//! The hash of an honest share is uniform below its target. Two tests look for what is not:
//! Kolmogorov's and Smirnov's ([`ks`]) for any other shape, and a binomial test of the tail just
//! under the target ([`invented`]) for shares that were made to pass rather than found.
//! [`Histogram`] holds what both need in one pass and constant memory.

mod histogram;
pub mod invented;
pub mod ks;

use ruint::aliases::{U256, U512};

use crate::number;

pub use histogram::{BINS, Histogram, KsBounds};
pub use invented::{Judgement, Tail, judge};
pub use ks::{EXACT_MAX_VALUES, Ks};

/// Target of difficulty 1 times 2^32 is this, shifted left by 240: a share's difficulty in units
/// of 2^-32 times its target.
const SCALE: u64 = 0xffff;
const SCALE_SHIFT: usize = 240;

/// Where a hash lies below its target: hash / target, 0 to 1.
///
/// `hash` is the share's hash as a number (the bytes of its internal order are little-endian),
/// `credited_q32` its credited difficulty. A hash above the target is at 1.
#[must_use]
pub fn position(hash: U256, credited_q32: u128) -> f64 {
    let product = U512::from(hash) * U512::from(credited_q32);
    (number::wide(U256::saturating_from(product)) / number::wide(U256::from(SCALE) << SCALE_SHIFT))
        .clamp(0.0, 1.0)
}

/// The bin of a hash among [`BINS`] of equal width below its target, in integers:
/// floor(hash x difficulty x 1024 / (0xffff x 2^240)), at most the last one.
#[must_use]
pub fn bin(hash: U256, credited_q32: u128) -> usize {
    let product = U512::from(hash) * U512::from(credited_q32);
    // 1024 is 2^10, so it comes off the shift.
    let bin = (product >> (SCALE_SHIFT - 10)) / U512::from(SCALE);
    usize::try_from(bin).unwrap_or(usize::MAX).min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_bins_agree() {
        let difficulty_q32 = 3_u128 << 32;
        let target = (U256::from(SCALE) << 208) / U256::from(3);
        for (part, bin_of) in [(1_u64, 1), (7, 7), (1_023, 1_023), (1_024, 1_023)] {
            // Just inside the bin, and the target itself.
            let hash = target / U256::from(1_024) * U256::from(part) + U256::from(9_999);
            assert_eq!(bin(hash, difficulty_q32), bin_of, "{part}");
            let expected = f64::from(u32::try_from(part).unwrap()) / 1_024.0;
            assert!((position(hash, difficulty_q32) - expected).abs() < 1e-12);
        }
        assert_eq!(bin(U256::ZERO, difficulty_q32), 0);
        assert_eq!(bin(U256::MAX, u128::MAX), BINS - 1);
        assert!((position(U256::MAX, u128::MAX) - 1.0).abs() < 1e-15);
    }
}
