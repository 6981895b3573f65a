//! Quantities of lines as decimals of bounded places.

use ruint::aliases::U512;
use wb_units::rounding::div_half_even;

use crate::cell::NUMBER_PLACES;

/// A quantity in units of 10^-12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rounded {
    pub(super) unscaled: i128,
    /// Whether it was finer than that and was rounded, half to even.
    pub(super) is_rounded: bool,
}

/// Parses decimal text, or a fraction such as `1/7`. `None` for anything else and for values that do not fit.
pub(super) fn read(text: &str) -> Option<Rounded> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (numerator, denominator) = match unsigned.split_once('/') {
        Some((numerator, denominator)) => (whole(numerator)?, whole(denominator)?),
        None => {
            let (digits, places) = match unsigned.split_once('.') {
                Some((before, after)) if !after.is_empty() => (format!("{before}{after}"), after.len()),
                Some(_) => return None,
                None => (unsigned.to_owned(), 0),
            };
            (whole(&digits)?, ten_to(places)?)
        }
    };
    if denominator.is_zero() {
        return None;
    }
    let scaled = numerator.checked_mul(ten_to(usize::try_from(NUMBER_PLACES).ok()?)?)?;
    let is_rounded = !(scaled % denominator).is_zero();
    Some(Rounded { unscaled: div_half_even(scaled, denominator, negative)?, is_rounded })
}

fn whole(digits: &str) -> Option<U512> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { U512::from_str_radix(digits, 10).ok() } else { None }
}

fn ten_to(places: usize) -> Option<U512> {
    let mut power = U512::ONE;
    for _ in 0..places {
        power = power.checked_mul(U512::from(10_u8))?;
    }
    Some(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_fractions_rounded_half_to_even() {
        for (text, expected) in [
            ("2410387.2", Some((2_410_387_200_000_000_000, false))),
            ("-3", Some((-3_000_000_000_000, false))),
            ("0", Some((0, false))),
            ("1/3", Some((333_333_333_333, true))),
            ("-2/3", Some((-666_666_666_667, true))),
            ("1/4", Some((250_000_000_000, false))),
            ("0.0000000000005", Some((0, true))),
            ("0.0000000000015", Some((2, true))),
            ("", None),
            (".", None),
            ("1.", None),
            ("1/0", None),
            ("1e5", None),
            ("+1", None),
            ("--1", None),
            ("999999999999999999999999999999", None),
        ] {
            let read = read(text).map(|rounded| (rounded.unscaled, rounded.is_rounded));
            assert_eq!(read, expected, "{text}");
        }
    }
}
