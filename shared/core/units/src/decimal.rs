//! Decimal text to scaled integers and back, without a float on the way.

/// The longest decimal text that is read; longer input is refused unread.
pub const DECIMAL_TEXT_MAX: usize = 64;

/// Why a decimal text was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the form `-?digits[.digits][e[+-]digits]`.
    #[error("not a decimal number: write digits with at most one point, such as 12.5")]
    Malformed,
    /// More decimal places than the unit can hold.
    #[error("more decimal places than the unit holds: at most {places} are kept exactly")]
    TooPrecise {
        /// The number of places that fit.
        places: u32,
    },
    /// Larger than 128 bits.
    #[error("too large: the scaled value does not fit 128 bits")]
    TooLarge,
}

/// What to do with digits below the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Refuse them: prices and amounts must be exact.
    Refuse,
    /// Drop them, towards zero: readings of a device are truncated.
    Truncate,
}

/// Reads decimal text as an integer in units of 10^-`places`.
///
/// # Errors
/// [`DecimalError`] where the text is malformed, too long, too precise (with
/// [`Excess::Refuse`]) or too large for an `i128`.
pub fn parse(text: &str, places: u32, excess: Excess) -> Result<i128, DecimalError> {
    if text.len() > DECIMAL_TEXT_MAX {
        return Err(DecimalError::Malformed);
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix('+').unwrap_or(exponent);
            let value: i32 = digits.parse().map_err(|_| DecimalError::Malformed)?;
            if value.unsigned_abs() > 64 {
                return Err(DecimalError::TooLarge);
            }
            (mantissa, value)
        }
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let ill_formed = whole.is_empty()
        || (mantissa.contains('.') && fraction.is_empty())
        || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if ill_formed {
        return Err(DecimalError::Malformed);
    }
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        value = value
            .checked_mul(10)
            .and_then(|scaled| scaled.checked_add(i128::from(byte - b'0')))
            .ok_or(DecimalError::TooLarge)?;
    }
    // value * 10^(exponent - fraction digits) is the number; bring it to 10^-places.
    let fraction_digits = i64::try_from(fraction.len()).map_err(|_| DecimalError::Malformed)?;
    let mut shift = i64::from(places) + i64::from(exponent) - fraction_digits;
    while shift > 0 && value != 0 {
        value = value.checked_mul(10).ok_or(DecimalError::TooLarge)?;
        shift -= 1;
    }
    while shift < 0 && value != 0 {
        if value % 10 != 0 && excess == Excess::Refuse {
            return Err(DecimalError::TooPrecise { places });
        }
        value /= 10;
        shift += 1;
    }
    Ok(if negative { -value } else { value })
}

/// Writes an integer in units of 10^-`places` as decimal text with all its places.
#[must_use]
pub fn format(value: i128, places: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    let places = usize::try_from(places).unwrap_or(usize::MAX);
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let padded =
        if digits.len() <= places { format!("{digits:0>width$}", width = places + 1) } else { digits };
    let split = padded.len() - places;
    format!("{sign}{}.{}", &padded[..split], &padded[split..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimal_text_is_read_exactly() {
        for (text, places, expected) in [
            ("0", 0, Ok(0)),
            ("12.5", 2, Ok(1250)),
            ("-0.0725", 4, Ok(-725)),
            ("1e-3", 6, Ok(1000)),
            ("2.5E+3", 0, Ok(2500)),
            ("0.001", 2, Err(DecimalError::TooPrecise { places: 2 })),
            ("1.50", 1, Ok(15)),
            ("", 0, Err(DecimalError::Malformed)),
            (".5", 1, Err(DecimalError::Malformed)),
            ("5.", 1, Err(DecimalError::Malformed)),
            ("+5", 1, Err(DecimalError::Malformed)),
            ("1_000", 0, Err(DecimalError::Malformed)),
            ("NaN", 0, Err(DecimalError::Malformed)),
            ("1e99", 0, Err(DecimalError::TooLarge)),
        ] {
            assert_eq!(parse(text, places, Excess::Refuse), expected, "{text}");
        }
        assert_eq!(parse("3.999", 0, Excess::Truncate), Ok(3));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any::<i64>(), places in 0_u32..12) {
            let text = format(i128::from(value), places);
            prop_assert_eq!(parse(&text, places, Excess::Refuse), Ok(i128::from(value)));
        }
    }
}
