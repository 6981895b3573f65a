//! Exact decimal text of quantities, without trailing zeros.

use wb_proof::U256;

/// Binary places of a credited difficulty; its decimal text has at most as many decimal places.
const CREDIT_PLACES: usize = 32;

/// `value` / 10^`places` as exact decimal text.
pub(crate) fn scaled_decimal(value: u128, places: usize) -> String {
    let digits = format!("{value:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    without_trailing_zeros(&format!("{whole}.{fraction}"))
}

/// A credited difficulty in units of 2^-32 as exact decimal text.
pub(crate) fn difficulty_decimal(credited_q32: u128) -> String {
    let text = wb_proof::difficulty_decimal(
        U256::from(credited_q32),
        U256::from(1_u64 << CREDIT_PLACES),
        CREDIT_PLACES,
    );
    without_trailing_zeros(&text)
}

/// Takes the zeros, and then the point, off the end of a text that has a point.
fn without_trailing_zeros(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_exactly() {
        let largest = u128::MAX.to_string();
        for (value, places, text) in [
            (0, 6, "0"),
            (1, 6, "0.000001"),
            (1_500_000, 6, "1.5"),
            (12, 0, "12"),
            (100, 0, "100"),
            (u128::MAX, 0, largest.as_str()),
        ] {
            assert_eq!(scaled_decimal(value, places), text);
        }
        for (credited_q32, text) in [
            (0, "0"),
            (400 << 32, "400"),
            (1 << 31, "0.5"),
            (1, "0.00000000023283064365386962890625"),
            ((65_536 << 32) + 1, "65536.00000000023283064365386962890625"),
        ] {
            assert_eq!(difficulty_decimal(credited_q32), text);
        }
    }
}
