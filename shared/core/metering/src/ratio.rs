//! Shares and ratios in parts per million, rounded half to even in wide integers.

use ruint::aliases::U512;
use wb_units::rounding::div_half_even;

/// One, in parts per million.
pub const ONE_PPM: u64 = 1_000_000;

/// `numerator` / `denominator` in parts per million; `None` where the denominator is zero or the
/// ratio does not fit.
#[must_use]
pub fn ppm(numerator: u128, denominator: u128) -> Option<u64> {
    u64::try_from(mul_div(numerator, u128::from(ONE_PPM), denominator)?).ok()
}

/// The signed difference `left - right` in parts per million of `right`.
#[must_use]
pub fn difference_ppm(left: u128, right: u128) -> Option<i64> {
    let size = i64::try_from(ppm(left.abs_diff(right), right)?).ok()?;
    Some(if left < right { -size } else { size })
}

/// `value` x `times` / `over`, rounded half to even; `None` where `over` is zero or the result
/// does not fit.
#[must_use]
pub fn mul_div(value: u128, times: u128, over: u128) -> Option<u128> {
    wide_div(U512::from(value) * U512::from(times), U512::from(over))
}

/// Half-even division of wide numbers.
pub(crate) fn wide_div(numerator: U512, denominator: U512) -> Option<u128> {
    u128::try_from(div_half_even(numerator, denominator, false)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_rounded_half_to_even() {
        for (numerator, denominator, expected) in [
            (1, 3, Some(333_333)),
            (2, 3, Some(666_667)),
            (1, 2_000_000, Some(0)),
            (3, 2_000_000, Some(2)),
            (5, 0, None),
            (u128::MAX, u128::MAX, Some(ONE_PPM)),
            (u128::MAX, 1, None),
        ] {
            assert_eq!(ppm(numerator, denominator), expected, "{numerator} / {denominator}");
        }
        assert_eq!(difference_ppm(90, 100), Some(-100_000));
        assert_eq!(difference_ppm(110, 100), Some(100_000));
    }
}
