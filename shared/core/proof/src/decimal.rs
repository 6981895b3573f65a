//! Decimal text as an exact number: mantissa * 10^exponent, no floats.

use ruint::Uint;
use ruint::aliases::U256;

/// Wide enough for every product of a bounded decimal with 256-bit numbers (at most 821 bits, see the limits below).
pub(crate) type U1024 = Uint<1024, 16>;

/// Longest decimal text accepted. A double printed in full needs 24 characters.
pub(crate) const MAX_DECIMAL_CHARS: usize = 64;

/// Largest exponent accepted after `e`, either sign.
pub(crate) const MAX_EXPONENT: i32 = 100;

/// An exact non-negative decimal: `mantissa` * 10^`exponent`, with `mantissa` under 10^64 and `exponent` from -164 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    mantissa: U256,
    exponent: i32,
}

/// Why a text is not such a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecimalFault {
    Empty,
    TooLong { chars: usize },
    Negative,
    NotDecimal { position: usize },
    ExponentOutOfRange,
}

impl Decimal {
    /// Reads digits, then optionally a point with digits, then optionally `e` with a signed exponent.
    pub(crate) fn parse(text: &str) -> Result<Self, DecimalFault> {
        if text.is_empty() {
            return Err(DecimalFault::Empty);
        }
        if text.len() > MAX_DECIMAL_CHARS {
            return Err(DecimalFault::TooLong { chars: text.len() });
        }
        if text.starts_with('-') {
            return Err(DecimalFault::Negative);
        }
        let mut reader = Reader { bytes: text.as_bytes(), at: 0, mantissa: U256::ZERO };
        reader.digits()?;
        let mut exponent = 0;
        if reader.take(b".") {
            let decimals = reader.digits()?;
            exponent -= i32::try_from(decimals).map_err(|_| DecimalFault::ExponentOutOfRange)?;
        }
        if reader.take(b"eE") {
            exponent += reader.exponent()?;
        }
        if reader.at != text.len() {
            return Err(DecimalFault::NotDecimal { position: reader.at });
        }
        Ok(Self { mantissa: reader.mantissa, exponent })
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.mantissa.is_zero()
    }

    /// floor(self * 2^32), which is under 2^(213 + 333 + 32).
    pub(crate) fn floor_q32(&self) -> U1024 {
        let shifted = U1024::from(self.mantissa) << 32;
        let scale = power_of_ten(self.exponent.unsigned_abs());
        if self.exponent < 0 { shifted / scale } else { shifted * scale }
    }

    /// Whether self is `numerator` / `denominator` to the precision it is written with (one unit of its last digit), or
    /// to within one part in 2^52, as near as a double printed with all its digits comes.
    pub(crate) fn is_near_ratio(&self, numerator: U256, denominator: U256) -> bool {
        let scale = power_of_ten(self.exponent.unsigned_abs());
        // Both sides and the unit times denominator, and times 10^-exponent where that makes them whole.
        let (mut exact, mut unit) = (U1024::from(numerator), U1024::from(denominator));
        if self.exponent < 0 {
            exact *= scale;
        } else {
            unit *= scale;
        }
        let stated = U1024::from(self.mantissa) * unit;
        let difference = if exact > stated { exact - stated } else { stated - exact };
        difference <= unit || difference << 52 <= exact
    }
}

/// 10^`power`; `power` is at most 164, so that it has at most 545 bits.
fn power_of_ten(power: u32) -> U1024 {
    U1024::from(10).pow(U1024::from(power))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    mantissa: U256,
}

impl Reader<'_> {
    fn take(&mut self, any_of: &[u8]) -> bool {
        let found = self.bytes.get(self.at).is_some_and(|byte| any_of.contains(byte));
        if found {
            self.at += 1;
        }
        found
    }

    /// Takes one digit's value, if a digit is next.
    fn digit(&mut self) -> Option<u8> {
        let value = self.bytes.get(self.at)?.wrapping_sub(b'0');
        (value <= 9).then(|| {
            self.at += 1;
            value
        })
    }

    /// Appends at least one digit to the mantissa and returns how many there were.
    fn digits(&mut self) -> Result<usize, DecimalFault> {
        let start = self.at;
        while let Some(digit) = self.digit() {
            self.mantissa = self.mantissa * U256::from(10) + U256::from(digit);
        }
        if self.at == start {
            return Err(DecimalFault::NotDecimal { position: self.at });
        }
        Ok(self.at - start)
    }

    fn exponent(&mut self) -> Result<i32, DecimalFault> {
        let negative = !self.take(b"+") && self.take(b"-");
        let start = self.at;
        let mut size = 0_i32;
        while let Some(digit) = self.digit() {
            size = size.saturating_mul(10).saturating_add(i32::from(digit));
        }
        if self.at == start {
            return Err(DecimalFault::NotDecimal { position: self.at });
        }
        if size > MAX_EXPONENT {
            return Err(DecimalFault::ExponentOutOfRange);
        }
        Ok(if negative { -size } else { size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, mantissa, exponent) in [
            ("0", 0_u64, 0),
            ("65536", 65536, 0),
            ("0.001", 1, -3),
            ("1e-3", 1, -3),
            ("12.50E+2", 1250, 0),
            ("007", 7, 0),
            ("3.119297795464666e-10", 3_119_297_795_464_666, -25),
        ] {
            let expected = Decimal { mantissa: U256::from(mantissa), exponent };
            assert_eq!(Decimal::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_decimal_is_named() {
        use DecimalFault::{Empty, ExponentOutOfRange, Negative, NotDecimal, TooLong};
        let long = "1".repeat(65);
        for (text, fault) in [
            ("", Empty),
            ("-1", Negative),
            ("-", Negative),
            ("+1", NotDecimal { position: 0 }),
            (".5", NotDecimal { position: 0 }),
            ("5.", NotDecimal { position: 2 }),
            ("1e", NotDecimal { position: 2 }),
            ("1e+", NotDecimal { position: 3 }),
            ("1e+-2", NotDecimal { position: 3 }),
            ("1,5", NotDecimal { position: 1 }),
            ("1 ", NotDecimal { position: 1 }),
            ("1_000", NotDecimal { position: 1 }),
            ("0x10", NotDecimal { position: 1 }),
            ("NaN", NotDecimal { position: 0 }),
            ("inf", NotDecimal { position: 0 }),
            ("１", NotDecimal { position: 0 }),
            ("1e101", ExponentOutOfRange),
            ("1e-99999999999999999999", ExponentOutOfRange),
            (long.as_str(), TooLong { chars: 65 }),
        ] {
            assert_eq!(Decimal::parse(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn near_is_the_precision_written_or_one_part_in_two_to_the_52() {
        let near = |text: &str, n: u64, d: u64| {
            Decimal::parse(text).unwrap().is_near_ratio(U256::from(n), U256::from(d))
        };
        for text in
            ["0.3333333333333333", "0.33333", "0.33334", "0.3", "3333333e-7", "0.33333333333333331483"]
        {
            assert!(near(text, 1, 3), "{text}");
        }
        for text in ["0.33332", "0.33335", "0.2", "0.0"] {
            assert!(!near(text, 1, 3), "{text}");
        }
        for text in ["2.5", "25e-1", "0.25e1", "2.50000000000000000000000001"] {
            assert!(near(text, 5, 2), "{text}");
        }
        for text in ["2.7", "2.52", "2.48", "250", "0.25"] {
            assert!(!near(text, 5, 2), "{text}");
        }
        assert!(near("3e2", 300, 1) && near("2e2", 300, 1) && !near("1e2", 300, 1));
    }

    #[test]
    fn the_widest_decimal_stays_inside_its_type() {
        let nines = format!("{}e100", "9".repeat(59));
        let value = Decimal::parse(&nines).unwrap();
        assert!(value.floor_q32().bit_len() < 1024 - 53);
        assert!(!value.is_near_ratio(U256::MAX, U256::MAX));
    }
}
