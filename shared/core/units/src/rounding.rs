//! The one rounding of an invoice line, and splitting a total without losing a unit.

use ruint::aliases::U512;

/// Divides and rounds half to even, the only rule that reaches a bill.
///
/// `None` where the denominator is zero or the quotient does not fit an `i128`.
#[must_use]
pub fn div_half_even(numerator: U512, denominator: U512, negative: bool) -> Option<i128> {
    if denominator.is_zero() {
        return None;
    }
    let (quotient, remainder) = numerator.div_rem(denominator);
    let twice = remainder.checked_mul(U512::from(2_u8))?;
    let odd = quotient.bit(0);
    let up = twice > denominator || (twice == denominator && odd);
    let rounded = if up { quotient.checked_add(U512::ONE)? } else { quotient };
    let magnitude = i128::try_from(u128::try_from(rounded).ok()?).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// Divides two `i128` and rounds half to even. `None` where the denominator is zero.
#[must_use]
pub fn div_half_even_i128(numerator: i128, denominator: i128) -> Option<i128> {
    div_half_even(
        U512::from(numerator.unsigned_abs()),
        U512::from(denominator.unsigned_abs()),
        (numerator < 0) != (denominator < 0),
    )
}

/// Splits a total by weights so that the parts sum to it: largest remainder, and among equal
/// remainders the earlier part.
///
/// `None` where all weights are zero or the products do not fit.
#[must_use]
pub fn split_largest_remainder(total: u128, weights: &[u128]) -> Option<Vec<u128>> {
    let sum = weights.iter().try_fold(U512::ZERO, |sum, weight| sum.checked_add(U512::from(*weight)))?;
    if sum.is_zero() {
        return None;
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut given: u128 = 0;
    for (index, weight) in weights.iter().enumerate() {
        let (part, remainder) = U512::from(total).checked_mul(U512::from(*weight))?.div_rem(sum);
        let part = u128::try_from(part).ok()?;
        given = given.checked_add(part)?;
        parts.push(part);
        remainders.push((remainder, index));
    }
    remainders.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
    let mut left = total.checked_sub(given)?;
    for (_, index) in remainders {
        if left == 0 {
            break;
        }
        if let Some(part) = parts.get_mut(index) {
            *part += 1;
        }
        left -= 1;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        for (numerator, denominator, expected) in [
            (5, 2, Some(2)),
            (7, 2, Some(4)),
            (-5, 2, Some(-2)),
            (-7, 2, Some(-4)),
            (1, 3, Some(0)),
            (2, 3, Some(1)),
            (1, 0, None),
        ] {
            assert_eq!(div_half_even_i128(numerator, denominator), expected);
        }
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_total(total in any::<u64>(), weights in prop::collection::vec(0_u128..1000, 1..20)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let parts = split_largest_remainder(u128::from(total), &weights).unwrap();
            prop_assert_eq!(parts.iter().sum::<u128>(), u128::from(total));
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*weight > 0 || *part == 0);
            }
        }
    }
}
