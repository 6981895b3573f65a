//! Difficulty as people write and read it, exact: decimal text in, decimal text out, integers between.

use ruint::Uint;
use ruint::aliases::U256;

use crate::decimal::{Decimal, DecimalFault, MAX_DECIMAL_CHARS, MAX_EXPONENT};
use crate::hash::Hash256;

/// The target of difficulty 1 ("bdiff"): 0xffff * 2^208, which is what compact bits 1d00ffff encode.
pub const D1: U256 = U256::from_limbs([0, 0, 0, 0xffff_0000]);

/// D1 * 2^32. It fits 256 bits, and so does every quotient of it: no credit needs a cap on its target.
pub(crate) const D1_Q32: U256 = U256::from_limbs([0, 0, 0, 0xffff_0000_0000_0000]);

/// Most decimals that [`difficulty_decimal`] writes, also where more are asked for.
pub const MAX_DECIMAL_PLACES: usize = 80;

/// Why a text is not a difficulty that can be credited.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DifficultyError {
    /// Nothing between the quotes.
    #[code("WB-1130")]
    #[error("the difficulty is empty; write it as a decimal such as 65536 or 0.001")]
    Empty,
    /// Longer than any difficulty needs.
    #[code("WB-1131")]
    #[error("the difficulty has {chars} characters; at most {MAX_DECIMAL_CHARS} are read")]
    TooLong {
        /// Bytes of text given.
        chars: usize,
    },
    /// A minus sign in front.
    #[code("WB-1132")]
    #[error("the difficulty {text} is negative; it must be above zero")]
    Negative {
        /// The text given.
        text: String,
    },
    /// Something that is no decimal number.
    #[code("WB-1133")]
    #[error(
        "the difficulty {text:?} is no decimal number (position {position}); write digits, optionally .digits, optionally e and an exponent"
    )]
    NotDecimal {
        /// The text given.
        text: String,
        /// Byte offset at which reading failed, from 0.
        position: usize,
    },
    /// An exponent beyond the bound.
    #[code("WB-1134")]
    #[error("the exponent of the difficulty {text} is beyond {MAX_EXPONENT} in size")]
    ExponentOutOfRange {
        /// The text given.
        text: String,
    },
    /// Zero.
    #[code("WB-1135")]
    #[error("the difficulty is zero; it must be above zero, for a share of difficulty zero proves nothing")]
    Zero,
    /// Above zero, but under the unit of credit.
    #[code("WB-1136")]
    #[error("the difficulty {text} is under 2^-32, the smallest that can be credited")]
    TooSmall {
        /// The text given.
        text: String,
    },
    /// More than credit can hold.
    #[code("WB-1137")]
    #[error("the difficulty {text} is 2^96 or more, the end of what can be credited")]
    TooLarge {
        /// The text given.
        text: String,
    },
}

/// Reads a difficulty D from decimal text ("65536", "0.001", "1e-3") as floor(D * 2^32), without a float on the way.
///
/// # Errors
/// [`DifficultyError`] for zero, negative, under 2^-32, 2^96 or more, and for what is no decimal.
pub fn parse_difficulty_q32(text: &str) -> Result<u128, DifficultyError> {
    let decimal = Decimal::parse(text).map_err(|fault| match fault {
        DecimalFault::Empty => DifficultyError::Empty,
        DecimalFault::TooLong { chars } => DifficultyError::TooLong { chars },
        DecimalFault::Negative => DifficultyError::Negative { text: text.to_owned() },
        DecimalFault::NotDecimal { position } => {
            DifficultyError::NotDecimal { text: text.to_owned(), position }
        }
        DecimalFault::ExponentOutOfRange => DifficultyError::ExponentOutOfRange { text: text.to_owned() },
    })?;
    if decimal.is_zero() {
        return Err(DifficultyError::Zero);
    }
    match u128::try_from(decimal.floor_q32()) {
        Ok(0) => Err(DifficultyError::TooSmall { text: text.to_owned() }),
        Ok(q32) => Ok(q32),
        Err(_) => Err(DifficultyError::TooLarge { text: text.to_owned() }),
    }
}

/// The difficulty a hash reached, in units of 2^-32: floor(D1 * 2^32 / hash). For the hash zero it is `U256::MAX`.
///
/// For display and comparison, never for credit: credit is what was assigned.
#[must_use]
pub fn achieved_difficulty_q32(hash: &Hash256) -> U256 {
    D1_Q32.checked_div(U256::from_le_bytes(*hash)).unwrap_or(U256::MAX)
}

/// The difficulty a hash reached, D1 / hash, as decimal text cut after `places` decimals.
#[must_use]
pub fn achieved_difficulty_decimal(hash: &Hash256, places: usize) -> String {
    difficulty_decimal(D1, U256::from_le_bytes(*hash), places)
}

/// `numerator` / `denominator` as decimal text with exactly `places` decimals (at most [`MAX_DECIMAL_PLACES`]), cut, not
/// rounded: the text never claims more than was done. A denominator of zero gives "infinite".
#[must_use]
pub fn difficulty_decimal(numerator: U256, denominator: U256, places: usize) -> String {
    // One step multiplies a remainder under 2^256 by ten: 260 bits.
    type Wide = Uint<320, 5>;
    let Some((whole, mut rest)) =
        numerator.checked_div(denominator).map(|whole| (whole, Wide::from(numerator % denominator)))
    else {
        return "infinite".to_owned();
    };
    let mut text = whole.to_string();
    let denominator = Wide::from(denominator);
    let ten = Wide::from(10);
    for place in 0..places.min(MAX_DECIMAL_PLACES) {
        if place == 0 {
            text.push('.');
        }
        let (digit, next) = (rest * ten).div_rem(denominator);
        // A remainder is less than its divisor, so that the digit is 0 to 9.
        text.push(char::from(b'0' + u8::try_from(digit).unwrap_or(9)));
        rest = next;
    }
    text
}

/// The number of hashes that a credit stands for on average, as an exact fraction: (`credited_q32` * 65536, 65535).
///
/// Difficulty 1 takes 2^256 / D1 = 2^48 / 65535 hashes, and `credited_q32` counts 2^-32 of it. Never billed.
#[must_use]
pub fn expected_hashes(credited_q32: u128) -> (U256, u64) {
    (U256::from(credited_q32) << 16, 65_535)
}

/// [`expected_hashes`] as decimal text, cut after `places` decimals.
#[must_use]
pub fn expected_hashes_decimal(credited_q32: u128, places: usize) -> String {
    let (numerator, denominator) = expected_hashes(credited_q32);
    difficulty_decimal(numerator, U256::from(denominator), places)
}

/// The expected hashes of a credit as a formula that can be checked by hand: difficulty 400 is "400 x 2^48/65535".
///
/// The difficulty is written out exactly; a credit is a multiple of 2^-32, so that 32 decimals always end it.
#[must_use]
pub fn work_text(credited_q32: u128) -> String {
    let decimal = difficulty_decimal(U256::from(credited_q32), U256::from(1_u64 << 32), 32);
    format!("{} x 2^48/65535", decimal.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difficulty_text_becomes_exact_credit() {
        for (text, q32) in [
            ("1", 1_u128 << 32),
            ("65536", 65536 << 32),
            ("0.5", 1 << 31),
            ("0.001", 4_294_967),
            ("1e-3", 4_294_967),
            ("0.1e-2", 4_294_967),
            ("1E3", 1000 << 32),
            ("4e0", 4 << 32),
            // 2^-32 exactly, the smallest credit.
            ("0.00000000023283064365386962890625", 1),
            ("79228162514264337593543950335", ((1 << 96) - 1) << 32),
        ] {
            assert_eq!(parse_difficulty_q32(text), Ok(q32), "{text}");
        }
    }

    #[test]
    fn impossible_difficulties_are_refused_by_kind() {
        let text = |t: &str| t.to_owned();
        for (given, error) in [
            ("", DifficultyError::Empty),
            ("0", DifficultyError::Zero),
            ("0.000", DifficultyError::Zero),
            ("0e9", DifficultyError::Zero),
            ("-1", DifficultyError::Negative { text: text("-1") }),
            ("-0", DifficultyError::Negative { text: text("-0") }),
            ("2.3e-10", DifficultyError::TooSmall { text: text("2.3e-10") }),
            (
                "79228162514264337593543950336",
                DifficultyError::TooLarge { text: text("79228162514264337593543950336") },
            ),
            ("1e100", DifficultyError::TooLarge { text: text("1e100") }),
            ("1e101", DifficultyError::ExponentOutOfRange { text: text("1e101") }),
            ("abc", DifficultyError::NotDecimal { text: text("abc"), position: 0 }),
            ("null", DifficultyError::NotDecimal { text: text("null"), position: 0 }),
        ] {
            assert_eq!(parse_difficulty_q32(given), Err(error.clone()), "{given:?}");
            assert!(error.to_string().contains(error.code()), "{error}");
        }
        assert_eq!(
            parse_difficulty_q32(&"9".repeat(1 << 20)),
            Err(DifficultyError::TooLong { chars: 1 << 20 })
        );
    }

    #[test]
    fn decimals_are_cut_and_never_rounded() {
        let ratio = |n: u64, d: u64, places| difficulty_decimal(U256::from(n), U256::from(d), places);
        assert_eq!(ratio(2, 3, 0), "0");
        assert_eq!(ratio(2, 3, 4), "0.6666");
        assert_eq!(ratio(5, 2, 3), "2.500");
        assert_eq!(ratio(1, 0, 3), "infinite");
        assert_eq!(difficulty_decimal(U256::MAX, U256::MAX, 2), "1.00");
        assert_eq!(difficulty_decimal(U256::MAX - U256::from(1), U256::MAX, 80).len(), 82);
        assert_eq!(ratio(1, 3, 10_000).len(), 2 + MAX_DECIMAL_PLACES);
        assert_eq!(achieved_difficulty_decimal(&[0; 32], 2), "infinite");
        assert_eq!(achieved_difficulty_q32(&[0; 32]), U256::MAX);
    }

    #[test]
    fn work_is_shown_as_a_formula() {
        assert_eq!(work_text(400 << 32), "400 x 2^48/65535");
        assert_eq!(work_text(1 << 31), "0.5 x 2^48/65535");
        assert_eq!(work_text(0), "0 x 2^48/65535");
        assert_eq!(work_text(1), "0.00000000023283064365386962890625 x 2^48/65535");
        assert_eq!(expected_hashes(1 << 32), (U256::from(1_u64 << 48), 65_535));
        assert_eq!(expected_hashes_decimal(1 << 32, 6), "4295032833.000015");
        let (all, _) = expected_hashes(u128::MAX);
        assert_eq!(all >> 16, U256::from(u128::MAX), "the largest credit does not overflow");
    }
}
