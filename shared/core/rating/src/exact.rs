//! Exact rational numbers: the numbers of a formula before the one rounding.
//!
//! A value is a fraction in lowest terms of 512-bit integers. Addition, multiplication and division lose
//! nothing; what does not fit gives `None`, never a wrapped number. Prices with different decimal places,
//! sevenths of a GPU and 65,535ths of a hash therefore add up without an intermediate rounding.

use std::cmp::Ordering;
use std::fmt;

use ruint::aliases::U512;
use wb_units::decimal::{self, DecimalError, Excess};
use wb_units::rounding::div_half_even;

/// The most decimal places of a number in a contract or a price: finer than any tariff.
pub const DECIMAL_PLACES_MAX: u32 = 12;

/// Places after which a decimal expansion without an end is written as a fraction instead.
const TEXT_PLACES_MAX: usize = 64;

/// A rational number, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exact {
    negative: bool,
    numerator: U512,
    denominator: U512,
}

impl Exact {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, numerator: U512::ZERO, denominator: U512::ONE };
    /// One.
    pub const ONE: Self = Self { negative: false, numerator: U512::ONE, denominator: U512::ONE };

    /// A fraction of wide integers; `None` for a denominator of zero.
    #[must_use]
    pub fn wide(negative: bool, numerator: U512, denominator: U512) -> Option<Self> {
        if denominator.is_zero() {
            return None;
        }
        if numerator.is_zero() {
            return Some(Self::ZERO);
        }
        let common = numerator.gcd(denominator);
        Some(Self { negative, numerator: numerator / common, denominator: denominator / common })
    }

    /// `numerator` / `denominator`; `None` for a denominator of zero.
    #[must_use]
    pub fn ratio(numerator: u128, denominator: u128) -> Option<Self> {
        Self::wide(false, U512::from(numerator), U512::from(denominator))
    }

    /// `value` / 10^`places`; `None` where the power does not fit.
    #[must_use]
    pub fn scaled(value: i128, places: u32) -> Option<Self> {
        let denominator = U512::from(10_u8).checked_pow(U512::from(places))?;
        Self::wide(value < 0, U512::from(value.unsigned_abs()), denominator)
    }

    /// Reads plain decimal text: no exponent, at most [`DECIMAL_PLACES_MAX`] places.
    ///
    /// # Errors
    /// [`DecimalError`] for anything else.
    pub fn decimal(text: &str) -> Result<Self, DecimalError> {
        if text.contains(['e', 'E']) || text == "-0" {
            return Err(DecimalError::Malformed);
        }
        let written = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let places = u32::try_from(written).ok().filter(|places| *places <= DECIMAL_PLACES_MAX);
        let places = places.ok_or(DecimalError::TooPrecise { places: DECIMAL_PLACES_MAX })?;
        let value = decimal::parse(text, places, Excess::Refuse)?;
        Self::scaled(value, places).ok_or(DecimalError::TooLarge)
    }

    /// The sum; `None` beyond 512 bits.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let common = self.denominator.gcd(other.denominator);
        let left = self.numerator.checked_mul(other.denominator / common)?;
        let right = other.numerator.checked_mul(self.denominator / common)?;
        let denominator = self.denominator.checked_mul(other.denominator / common)?;
        if self.negative == other.negative {
            return Self::wide(self.negative, left.checked_add(right)?, denominator);
        }
        if left >= right {
            Self::wide(self.negative, left - right, denominator)
        } else {
            Self::wide(other.negative, right - left, denominator)
        }
    }

    /// The difference; `None` beyond 512 bits.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated())
    }

    /// The product; `None` beyond 512 bits.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        let (across, back) = (self.numerator.gcd(other.denominator), other.numerator.gcd(self.denominator));
        let (across, back) = (across.max(U512::ONE), back.max(U512::ONE));
        let numerator = (self.numerator / across).checked_mul(other.numerator / back)?;
        let denominator = (self.denominator / back).checked_mul(other.denominator / across)?;
        Self::wide(self.negative != other.negative, numerator, denominator)
    }

    /// The quotient; `None` for division by zero and beyond 512 bits.
    #[must_use]
    pub fn over(self, other: Self) -> Option<Self> {
        let inverse = Self::wide(other.negative, other.denominator, other.numerator)?;
        self.times(inverse)
    }

    /// `self` x `percent` / 100; `None` beyond 512 bits.
    #[must_use]
    pub fn percent(self, percent: Self) -> Option<Self> {
        self.times(percent)?.over(Self::from(100_u32))
    }

    /// The same with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { negative: !self.negative && !self.numerator.is_zero(), ..self }
    }

    /// Which is greater; `None` where the cross products do not fit.
    #[must_use]
    pub fn compare(self, other: Self) -> Option<Ordering> {
        let difference = self.minus(other)?;
        Some(match (difference.is_zero(), difference.negative) {
            (true, _) => Ordering::Equal,
            (false, true) => Ordering::Less,
            (false, false) => Ordering::Greater,
        })
    }

    /// The lesser of two.
    #[must_use]
    pub fn lesser(self, other: Self) -> Option<Self> {
        Some(if self.compare(other)? == Ordering::Greater { other } else { self })
    }

    /// The greater of two.
    #[must_use]
    pub fn greater(self, other: Self) -> Option<Self> {
        Some(if self.compare(other)? == Ordering::Less { other } else { self })
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.numerator.is_zero()
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.negative
    }

    /// Rounded half to even to units of 10^-`places`: the one rounding of a line.
    #[must_use]
    pub fn minor(self, places: u32) -> Option<i128> {
        let scale = U512::from(10_u8).checked_pow(U512::from(places))?;
        div_half_even(self.numerator.checked_mul(scale)?, self.denominator, self.negative)
    }

    /// The greatest integer that is not above it; `None` where that does not fit 128 bits.
    #[must_use]
    pub fn floor(self) -> Option<i128> {
        let (whole, rest) = self.numerator.div_rem(self.denominator);
        let whole = i128::try_from(u128::try_from(whole).ok()?).ok()?;
        if self.negative { (-whole).checked_sub(i128::from(!rest.is_zero())) } else { Some(whole) }
    }

    /// The least integer that is not below it; `None` where that does not fit 128 bits.
    #[must_use]
    pub fn ceiling(self) -> Option<i128> {
        self.negated().floor()?.checked_neg()
    }

    /// The decimal text of all its digits, `None` where they do not end within reason.
    fn finite_decimal(self) -> Option<String> {
        let (two, five, ten) = (U512::from(2_u8), U512::from(5_u8), U512::from(10_u8));
        let mut rest = self.denominator;
        let (mut twos, mut fives) = (0_usize, 0_usize);
        while (rest % two).is_zero() {
            rest /= two;
            twos += 1;
        }
        while (rest % five).is_zero() {
            rest /= five;
            fives += 1;
        }
        let places = twos.max(fives);
        if rest != U512::ONE || places > TEXT_PLACES_MAX {
            return None;
        }
        let scale = ten.checked_pow(U512::from(places))?;
        let digits = self.numerator.checked_mul(scale / self.denominator)?.to_string();
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        let point = if fraction.is_empty() { "" } else { "." };
        Some(format!("{whole}{point}{fraction}"))
    }
}

/// Exact decimal text without trailing zeros, or the fraction `a/b` where the digits do not end.
impl fmt::Display for Exact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        match self.finite_decimal() {
            Some(text) => write!(formatter, "{sign}{text}"),
            None => write!(formatter, "{sign}{}/{}", self.numerator, self.denominator),
        }
    }
}

macro_rules! from_unsigned {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Exact {
            fn from(value: $integer) -> Self {
                Self { negative: false, numerator: U512::from(value), denominator: U512::ONE }
            }
        }
    )*};
}
from_unsigned!(u8, u32, u64, u128);

impl From<i128> for Exact {
    fn from(value: i128) -> Self {
        Self { negative: value < 0, ..Self::from(value.unsigned_abs()) }
    }
}

/// Adds all; `None` beyond 512 bits.
pub(crate) fn sum(values: impl IntoIterator<Item = Exact>) -> Option<Exact> {
    values.into_iter().try_fold(Exact::ZERO, Exact::plus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Exact {
        Exact::decimal(text).unwrap()
    }

    #[test]
    fn text_is_exact_and_short() {
        for (value, text) in [
            (number("0"), "0"),
            (number("-12.50"), "-12.5"),
            (number("0.000000000001"), "0.000000000001"),
            (Exact::ratio(1, 7).unwrap(), "1/7"),
            (Exact::ratio(u128::MAX, 1).unwrap(), "340282366920938463463374607431768211455"),
            (Exact::ratio(1, 1 << 32).unwrap(), "0.00000000023283064365386962890625"),
            (Exact::ratio(100, 10).unwrap(), "10"),
        ] {
            assert_eq!(value.to_string(), text);
        }
        for text in ["1e3", "-0", "0.0000000000001", "", "1,5", " 1"] {
            assert!(Exact::decimal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn halves_go_to_even_and_steps_to_their_side() {
        for (text, rounded, floor, ceiling) in
            [("2.5", 2, 2, 3), ("3.5", 4, 3, 4), ("-2.5", -2, -3, -2), ("-7", -7, -7, -7), ("0.1", 0, 0, 1)]
        {
            let value = number(text);
            let found = (value.minor(0), value.floor(), value.ceiling());
            assert_eq!(found, (Some(rounded), Some(floor), Some(ceiling)), "{text}");
        }
        assert_eq!(number("174753.072").minor(2), Some(17_475_307));
    }

    #[test]
    fn what_does_not_fit_is_nothing() {
        let huge = Exact::wide(false, U512::MAX, U512::ONE).unwrap();
        assert_eq!(huge.plus(Exact::ONE), None);
        assert_eq!(huge.times(huge), None);
        assert_eq!(Exact::ONE.over(Exact::ZERO), None);
        assert_eq!(Exact::ratio(1, 0), None);
    }

    proptest! {
        #[test]
        fn arithmetic_is_that_of_fractions(a in -1000_i64..1000, b in 1_i64..50, c in -1000_i64..1000, d in 1_i64..50) {
            let make = |top: i64, bottom: i64| Exact::from(i128::from(top)).over(Exact::from(i128::from(bottom))).unwrap();
            let (x, y) = (make(a, b), make(c, d));
            prop_assert_eq!(x.plus(y).unwrap(), make(a * d + c * b, b * d));
            prop_assert_eq!(x.minus(y).unwrap(), make(a * d - c * b, b * d));
            prop_assert_eq!(x.times(y).unwrap(), make(a * c, b * d));
            prop_assert_eq!(x.compare(y).unwrap(), (a * d).cmp(&(c * b)));
            if c != 0 {
                prop_assert_eq!(x.over(y).unwrap().times(y).unwrap(), x);
            }
        }
    }
}
