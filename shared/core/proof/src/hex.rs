//! Hex text to bytes, with errors that say which field, where and what would be right.

/// Why a text is not the hex that its field asks for.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// More digits than the field may have.
    #[code("WB-1110")]
    #[error("{field}: {digits} hex digits are too many; the limit is {limit_digits}")]
    TooLong {
        /// The field, as the protocol calls it.
        field: &'static str,
        /// Most digits allowed.
        limit_digits: usize,
        /// Bytes of text given.
        digits: usize,
    },
    /// A field of fixed size with another number of digits.
    #[code("WB-1111")]
    #[error("{field}: {digits} hex digits given; it takes exactly {expected_digits}")]
    WrongLength {
        /// The field, as the protocol calls it.
        field: &'static str,
        /// Digits it takes.
        expected_digits: usize,
        /// Digits given.
        digits: usize,
    },
    /// An odd number of digits is not a whole number of bytes.
    #[code("WB-1112")]
    #[error("{field}: {digits} hex digits are half a byte too many or too few; each byte takes two")]
    OddLength {
        /// The field, as the protocol calls it.
        field: &'static str,
        /// Digits given.
        digits: usize,
    },
    /// A character outside ASCII.
    #[code("WB-1113")]
    #[error("{field}: byte {position} is not ASCII; only 0-9, a-f and A-F can stand here")]
    NotAscii {
        /// The field, as the protocol calls it.
        field: &'static str,
        /// Byte offset of the character, from 0.
        position: usize,
    },
    /// An ASCII character that is no hex digit.
    #[code("WB-1114")]
    #[error(
        "{field}: {found:?} at position {position} is no hex digit; only 0-9, a-f and A-F can stand here"
    )]
    NotHex {
        /// The field, as the protocol calls it.
        field: &'static str,
        /// Offset of the character, from 0.
        position: usize,
        /// The character found.
        found: char,
    },
}

impl HexError {
    /// The field that was refused.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::TooLong { field, .. }
            | Self::WrongLength { field, .. }
            | Self::OddLength { field, .. }
            | Self::NotAscii { field, .. }
            | Self::NotHex { field, .. } => field,
        }
    }
}

/// Lower-case hex of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    faster_hex::hex_string(bytes)
}

/// Decodes hex of any whole number of bytes up to `limit_bytes`; empty text is no bytes.
///
/// # Errors
/// [`HexError`]; the length is checked first, so that an oversized text costs nothing.
pub fn decode_vec(field: &'static str, text: &str, limit_bytes: usize) -> Result<Vec<u8>, HexError> {
    let limit_digits = limit_bytes.saturating_mul(2);
    if text.len() > limit_digits {
        return Err(HexError::TooLong { field, limit_digits, digits: text.len() });
    }
    check_ascii(field, text)?;
    if !text.len().is_multiple_of(2) {
        return Err(HexError::OddLength { field, digits: text.len() });
    }
    let mut bytes = vec![0; text.len() / 2];
    decode_into(field, text, &mut bytes)?;
    Ok(bytes)
}

/// Decodes hex of exactly `N` bytes.
///
/// # Errors
/// [`HexError`], [`HexError::WrongLength`] for any other number of digits than 2 `N`.
pub fn decode_array<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], HexError> {
    let expected_digits = N.saturating_mul(2);
    if text.len() > expected_digits {
        return Err(HexError::WrongLength { field, expected_digits, digits: text.len() });
    }
    check_ascii(field, text)?;
    if text.len() != expected_digits {
        return Err(HexError::WrongLength { field, expected_digits, digits: text.len() });
    }
    let mut bytes = [0; N];
    decode_into(field, text, &mut bytes)?;
    Ok(bytes)
}

/// Decodes eight hex digits, most significant first, as Stratum V1 and BIP310 write 32-bit numbers.
///
/// # Errors
/// [`HexError`].
pub fn decode_u32(field: &'static str, text: &str) -> Result<u32, HexError> {
    decode_array(field, text).map(u32::from_be_bytes)
}

fn check_ascii(field: &'static str, text: &str) -> Result<(), HexError> {
    match text.bytes().position(|byte| !byte.is_ascii()) {
        None => Ok(()),
        Some(position) => Err(HexError::NotAscii { field, position }),
    }
}

fn decode_into(field: &'static str, text: &str, bytes: &mut [u8]) -> Result<(), HexError> {
    if faster_hex::hex_decode(text.as_bytes(), bytes).is_ok() {
        return Ok(());
    }
    let (position, found) = text
        .char_indices()
        .find(|(_, digit)| !digit.is_ascii_hexdigit())
        .unwrap_or((0, char::REPLACEMENT_CHARACTER));
    Err(HexError::NotHex { field, position, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_hex_is_named_by_kind_field_and_place() {
        type Case = (&'static str, HexError);
        let field = "coinb1";
        let table: [Case; 7] = [
            ("abc", HexError::OddLength { field, digits: 3 }),
            ("0x", HexError::NotHex { field, position: 1, found: 'x' }),
            ("00 0", HexError::NotHex { field, position: 2, found: ' ' }),
            ("0g", HexError::NotHex { field, position: 1, found: 'g' }),
            ("00é", HexError::NotAscii { field, position: 2 }),
            ("０", HexError::NotAscii { field, position: 0 }),
            ("0000000000", HexError::TooLong { field, limit_digits: 8, digits: 10 }),
        ];
        for (text, expected) in table {
            let error = decode_vec(field, text, 4).unwrap_err();
            assert_eq!(error, expected, "{text:?}");
            assert_eq!(error.field(), field);
            assert!(error.to_string().contains(error.code()), "{error}");
        }
    }

    #[test]
    fn fixed_size_takes_exactly_its_digits() {
        assert_eq!(decode_u32("ntime", "4f521D0E"), Ok(0x4f52_1d0e));
        for (text, digits) in [("", 0), ("4f521d0", 7), ("4f521d0e0", 9)] {
            assert_eq!(
                decode_u32("ntime", text),
                Err(HexError::WrongLength { field: "ntime", expected_digits: 8, digits })
            );
        }
        assert_eq!(
            decode_u32("ntime", "-0000001"),
            Err(HexError::NotHex { field: "ntime", position: 0, found: '-' })
        );
        assert_eq!(decode_vec("coinb2", "", 4), Ok(vec![]));
    }
}
