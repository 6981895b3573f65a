//! Steps between integers and floats, in one place: each says what it does beyond 2^53.

use ruint::aliases::U256;

/// 2^32.
const TWO_POW_32: f64 = 4_294_967_296.0;

/// The nearest float to a count; exact up to 2^53.
pub(crate) fn count(value: u64) -> f64 {
    let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    let high = u32::try_from(value >> 32).unwrap_or(u32::MAX);
    f64::from(high) * TWO_POW_32 + f64::from(low)
}

/// The nearest float to a wide integer, to within a rounding of its last place.
pub(crate) fn wide(value: U256) -> f64 {
    f64::from(value)
}

/// The largest integer not above a float; zero below zero and for what is no number.
pub(crate) fn floor(value: f64) -> U256 {
    if value.is_nan() || value <= 0.0 {
        return U256::ZERO;
    }
    U256::try_from(value.floor()).unwrap_or(U256::MAX)
}

/// The smallest integer not below a float; zero below zero and for what is no number.
pub(crate) fn ceil(value: f64) -> U256 {
    if value.is_nan() || value <= 0.0 {
        return U256::ZERO;
    }
    U256::try_from(value.ceil()).unwrap_or(U256::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_meet_where_both_are_exact() {
        for value in [0_u64, 1, 65_535, 1 << 32, (1 << 53) - 1] {
            let float = count(value);
            assert_eq!(floor(float), U256::from(value));
            assert_eq!(ceil(float), U256::from(value));
            assert_eq!(wide(U256::from(value)).to_bits(), float.to_bits());
        }
        assert_eq!((floor(2.5), ceil(2.5)), (U256::from(2), U256::from(3)));
        assert_eq!((floor(-2.5), ceil(f64::NAN)), (U256::ZERO, U256::ZERO));
        assert_eq!(ceil(f64::INFINITY), U256::MAX);
        assert_eq!(floor(TWO_POW_32 * TWO_POW_32 * 3.0), U256::from(3) << 64);
    }
}
