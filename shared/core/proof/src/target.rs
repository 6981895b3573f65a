//! Targets: the number a hash must not exceed, from compact bits, difficulty or credit.

use std::fmt;

use ruint::aliases::U256;

use crate::difficulty::{D1, D1_Q32, difficulty_decimal};
use crate::hash::Hash256;
use crate::hex;

/// Why no target can be made.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The sign bit of the compact form is set.
    #[code("WB-1120")]
    #[error("nBits {nbits:08x} encode a negative target (bit 0x00800000 is set); a target is positive")]
    NegativeCompact {
        /// The bits given.
        nbits: u32,
    },
    /// The exponent of the compact form shifts the mantissa out of 256 bits.
    #[code("WB-1121")]
    #[error("nBits {nbits:08x} encode a target of more than 256 bits; mainnet's easiest is 1d00ffff")]
    OverflowingCompact {
        /// The bits given.
        nbits: u32,
    },
    /// The compact form encodes zero.
    #[code("WB-1122")]
    #[error("nBits {nbits:08x} encode the target zero, which no hash can meet")]
    ZeroCompact {
        /// The bits given.
        nbits: u32,
    },
    /// A target of zero.
    #[code("WB-1123")]
    #[error("the target is zero, which no hash can meet; a target is at least 1")]
    ZeroTarget,
    /// A difficulty or credit of zero.
    #[code("WB-1124")]
    #[error("the difficulty is zero; a share's difficulty must be assigned and positive")]
    ZeroDifficulty,
}

/// A target, 1 to 2^256 - 1: a hash, read as a little-endian number, meets it when it is not greater.
///
/// Targets order by number: a greater target is easier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(U256);

impl Target {
    /// The target itself as a number.
    ///
    /// # Errors
    /// [`TargetError::ZeroTarget`].
    pub fn from_u256(value: U256) -> Result<Self, TargetError> {
        if value.is_zero() { Err(TargetError::ZeroTarget) } else { Ok(Self(value)) }
    }

    /// The target that a header's `nbits` encode: an 8-bit length in bytes, a sign bit and a 23-bit mantissa, by the
    /// rules of Bitcoin Core's `arith_uint256::SetCompact`.
    ///
    /// A chain's own upper limit (mainnet: 1d00ffff) is not applied here; it is the chain's, not the encoding's.
    ///
    /// # Errors
    /// [`TargetError`] for a negative, overflowing or zero target.
    pub fn from_nbits(nbits: u32) -> Result<Self, TargetError> {
        let length_bytes = nbits >> 24;
        let mantissa = nbits & 0x007f_ffff;
        // A length under 3 drops mantissa bytes before sign and size are checked.
        let word = match length_bytes {
            0..=2 => mantissa >> (8 * (3 - length_bytes)),
            _ => mantissa,
        };
        if word == 0 {
            return Err(TargetError::ZeroCompact { nbits });
        }
        if nbits & 0x0080_0000 != 0 {
            return Err(TargetError::NegativeCompact { nbits });
        }
        let shift_bits = 8 * length_bytes.saturating_sub(3);
        let word_bits = u32::BITS - word.leading_zeros();
        if word_bits + shift_bits > 256 {
            return Err(TargetError::OverflowingCompact { nbits });
        }
        Ok(Self(U256::from(word) << shift_bits))
    }

    /// The compact form, low-order bits dropped as the encoding demands: [`Target::from_nbits`] of it is never greater.
    #[must_use]
    pub fn to_nbits(&self) -> u32 {
        let bytes = self.0.to_be_bytes::<32>();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let mut digits = bytes[zeros..].iter().copied().chain([0, 0, 0]);
        let mut next = || digits.next().unwrap_or(0);
        let mut length = u8::try_from(32 - zeros).unwrap_or(32);
        let mut mantissa = [next(), next(), next()];
        // A mantissa whose top bit is set would read as negative: move it down one byte.
        if mantissa[0] & 0x80 != 0 {
            mantissa = [0, mantissa[0], mantissa[1]];
            length += 1;
        }
        u32::from_be_bytes([length, mantissa[0], mantissa[1], mantissa[2]])
    }

    /// The target of a credited difficulty in units of 2^-32: floor(D1 * 2^32 / `credited_q32`).
    ///
    /// The smallest credit, 1, has the target 0xffff * 2^240, which is under 2^256: nothing needs a cap.
    ///
    /// # Errors
    /// [`TargetError::ZeroDifficulty`].
    pub fn from_credit_q32(credited_q32: u128) -> Result<Self, TargetError> {
        D1_Q32.checked_div(U256::from(credited_q32)).map(Self).ok_or(TargetError::ZeroDifficulty)
    }

    /// The target of a whole difficulty: floor(D1 / `difficulty`).
    ///
    /// # Errors
    /// [`TargetError::ZeroDifficulty`].
    pub fn from_difficulty(difficulty: u64) -> Result<Self, TargetError> {
        D1.checked_div(U256::from(difficulty)).map(Self).ok_or(TargetError::ZeroDifficulty)
    }

    /// Whether `hash`, read little endian, is not greater than this target.
    #[must_use]
    pub fn is_met_by(&self, hash: &Hash256) -> bool {
        U256::from_le_bytes(*hash) <= self.0
    }

    /// The target as a number.
    #[must_use]
    pub fn as_u256(&self) -> U256 {
        self.0
    }

    /// The 32 bytes, most significant first.
    #[must_use]
    pub fn to_be_bytes(&self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// The difficulty of this target, D1 / target, as decimal text cut after `places` decimals.
    #[must_use]
    pub fn difficulty_decimal(&self, places: usize) -> String {
        difficulty_decimal(D1, self.0, places)
    }
}

impl fmt::Display for Target {
    /// 64 hex digits, most significant first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.to_be_bytes()))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// What a share under an assigned target is credited with, in units of 2^-32 of difficulty: floor(D1 * 2^32 / target).
///
/// Targets under 2^112 or so (difficulty 2^96, some 2^144 hashes for one share) are worth more than the type holds
/// and give `u128::MAX`; [`crate::parse_difficulty_q32`] refuses such difficulties.
#[must_use]
pub fn credit_q32_of_target(target: &Target) -> u128 {
    u128::try_from(D1_Q32 / target.0).unwrap_or(u128::MAX)
}

/// Whether `hash` meets the target of `credited_q32`; a credit of zero has no target and is met by nothing.
///
/// The same answer as [`Target::from_credit_q32`] with [`Target::is_met_by`], by one multiplication instead of a
/// 256-bit division: hash <= floor(X / q) exactly when hash * q <= X.
#[must_use]
pub fn meets_credit_q32(hash: &Hash256, credited_q32: u128) -> bool {
    credited_q32 != 0
        && U256::from_le_bytes(*hash)
            .checked_mul(U256::from(credited_q32))
            .is_some_and(|scaled| scaled <= D1_Q32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_what_their_formulas_say() {
        assert_eq!(D1, U256::from(0xffff_u32) << 208);
        assert_eq!(D1_Q32, U256::from(0xffff_u32) << 240);
        assert_eq!(Target::from_nbits(0x1d00_ffff).map(|t| t.as_u256()), Ok(D1));
    }

    #[test]
    fn compact_form_follows_bitcoin_core() {
        let ok: [(u32, u64); 9] = [
            (0x0112_3456, 0x12),
            (0x0212_3456, 0x1234),
            (0x0312_3456, 0x12_3456),
            (0x0412_3456, 0x1234_5600),
            (0x0500_9234, 0x9234_0000),
            (0x0200_8000, 0x80),
            (0x0100_ffff, 0),
            (0x0301_0000, 0x1_0000),
            (0x087f_ffff, 0x7fff_ff00_0000_0000),
        ];
        for (nbits, value) in ok {
            match Target::from_nbits(nbits) {
                Ok(target) => assert_eq!(target.as_u256(), U256::from(value), "{nbits:08x}"),
                Err(error) => {
                    assert_eq!((error, value), (TargetError::ZeroCompact { nbits }, 0));
                }
            }
        }
    }

    #[test]
    fn impossible_compact_forms_are_refused_by_kind() {
        for nbits in [
            0,
            0x0012_3456,
            0x0100_3456,
            0x0200_0056,
            0x0300_0000,
            0x2000_0000,
            0xff00_0000,
            0x0080_0000,
            0x0180_0000,
        ] {
            assert_eq!(Target::from_nbits(nbits), Err(TargetError::ZeroCompact { nbits }), "{nbits:08x}");
        }
        for nbits in [0x01fe_dcba, 0x0492_3456, 0x1d80_ffff, 0x2080_0001] {
            assert_eq!(Target::from_nbits(nbits), Err(TargetError::NegativeCompact { nbits }), "{nbits:08x}");
        }
        for nbits in [0xff12_3456, 0x2101_0000, 0x2200_0100, 0x2300_0001] {
            assert_eq!(
                Target::from_nbits(nbits),
                Err(TargetError::OverflowingCompact { nbits }),
                "{nbits:08x}"
            );
        }
        // The largest that still fit.
        for nbits in [0x207f_ffff, 0x2100_ffff, 0x2200_00ff] {
            assert!(Target::from_nbits(nbits).is_ok(), "{nbits:08x}");
        }
    }

    #[test]
    fn zero_is_no_difficulty_and_no_target() {
        assert_eq!(Target::from_credit_q32(0), Err(TargetError::ZeroDifficulty));
        assert_eq!(Target::from_difficulty(0), Err(TargetError::ZeroDifficulty));
        assert_eq!(Target::from_u256(U256::ZERO), Err(TargetError::ZeroTarget));
        assert!(!meets_credit_q32(&[0; 32], 0), "not even the hash zero meets a credit of zero");
        for error in
            [TargetError::ZeroDifficulty, TargetError::ZeroTarget, TargetError::ZeroCompact { nbits: 0 }]
        {
            assert!(error.to_string().contains(error.code()));
        }
    }

    #[test]
    fn credit_and_target_at_the_ends_of_the_range() {
        let easiest = Target::from_credit_q32(1).unwrap();
        assert_eq!(easiest.as_u256(), D1_Q32);
        assert_eq!(credit_q32_of_target(&easiest), 1);
        let hardest = Target::from_credit_q32(u128::MAX).unwrap();
        assert_eq!(credit_q32_of_target(&hardest), u128::MAX);
        assert_eq!(credit_q32_of_target(&Target::from_u256(U256::from(1)).unwrap()), u128::MAX);
        assert_eq!(credit_q32_of_target(&Target::from_u256(U256::MAX).unwrap()), 0);
        assert_eq!(credit_q32_of_target(&Target::from_u256(D1).unwrap()), 1 << 32);
    }

    #[test]
    fn met_means_not_greater() {
        let target = Target::from_difficulty(1).unwrap();
        let mut exact = target.to_be_bytes();
        exact.reverse();
        assert!(target.is_met_by(&exact) && meets_credit_q32(&exact, 1 << 32));
        let mut above = exact;
        above[0] = 1;
        assert!(!target.is_met_by(&above) && !meets_credit_q32(&above, 1 << 32));
        assert!(target.is_met_by(&[0; 32]));
        assert!(!target.is_met_by(&[0xff; 32]) && !meets_credit_q32(&[0xff; 32], 1 << 32));
    }
}
