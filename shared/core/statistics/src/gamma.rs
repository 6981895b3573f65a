//! The incomplete gamma function and its inverse, which Poisson probabilities are made of.
//!
//! Definitions as in Abramowitz and Stegun, chapter 6: `lower` is P(a, x), `upper` is Q(a, x).

use crate::normal;

/// Half of ln(2 pi).
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// From this shape on the quantile is taken from its expansion, whose first term left out is
/// below 1e-7 there (of a quantile of 1e5); summing would take ever more terms.
const EXPANSION_FROM_SHAPE: f64 = 1e5;

/// From this shape on the probability is taken from the cube root's normal distribution, whose
/// error falls with the shape and is below 1e-9 there.
const CUBE_ROOT_FROM_SHAPE: f64 = 1e9;

/// More terms than any argument below [`CUBE_ROOT_FROM_SHAPE`] needs (about 10 times its root).
const MAX_TERMS: u32 = 2_000_000;

/// Stirling's series for ln Gamma(a) less (a - 1/2) ln a - a + ln(2 pi)/2, for a >= 10: the first
/// term left out is below 2e-14.
fn stirling_rest(a: f64) -> f64 {
    let inverse = 1.0 / a;
    let square = inverse * inverse;
    inverse
        * (1.0 / 12.0
            - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0))))
}

/// ln Gamma(a) for a > 0.
pub(crate) fn ln_gamma(a: f64) -> f64 {
    let mut shifted = a;
    let mut product = 1.0;
    while shifted < 10.0 {
        product *= shifted;
        shifted += 1.0;
    }
    (shifted - 0.5) * shifted.ln() - shifted + HALF_LN_TWO_PI + stirling_rest(shifted) - product.ln()
}

/// x^a e^-x / Gamma(a), for a > 0 and x > 0, without the loss of places of its factors.
pub(crate) fn weight(a: f64, x: f64) -> f64 {
    if a < 10.0 {
        return (a * x.ln() - x - ln_gamma(a)).exp();
    }
    let excess = (x - a) / a;
    // Near the middle the two terms cancel to excess^2 / 2; what is lost is a tiny part of x - a.
    let exponent = excess.ln_1p() - excess;
    (a * exponent - stirling_rest(a)).exp() * (a / (2.0 * std::f64::consts::PI)).sqrt()
}

/// P(a, x): the probability that a gamma variable of shape `a` > 0 is at most `x`.
pub(crate) fn lower(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if a >= CUBE_ROOT_FROM_SHAPE {
        return normal::above(-cube_root_score(a, x));
    }
    if x < a + 1.0 { series(a, x) } else { 1.0 - fraction(a, x) }
}

/// Q(a, x) = 1 - P(a, x), with the places of a small value kept.
pub(crate) fn upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if a >= CUBE_ROOT_FROM_SHAPE {
        return normal::above(cube_root_score(a, x));
    }
    if x < a + 1.0 { 1.0 - series(a, x) } else { fraction(a, x) }
}

/// The score of x by Wilson and Hilferty (1931): the cube root of a gamma variable is nearly normal.
fn cube_root_score(a: f64, x: f64) -> f64 {
    ((x / a).cbrt() - 1.0 + 1.0 / (9.0 * a)) * 3.0 * a.sqrt()
}

/// P(a, x) by its power series, for x < a + 1: 6.5.29.
fn series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut shape) = (1.0 / a, 1.0 / a, a);
    for _ in 0..MAX_TERMS {
        shape += 1.0;
        term *= x / shape;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    (sum * weight(a, x)).min(1.0)
}

/// Q(a, x) by its continued fraction, for x >= a + 1: 6.5.31, evaluated as Lentz does.
fn fraction(a: f64, x: f64) -> f64 {
    let mut denominator_b = x + 1.0 - a;
    let mut c = f64::MAX;
    let mut d = 1.0 / denominator_b;
    let mut value = d;
    let mut index = 0.0;
    for _ in 0..MAX_TERMS {
        index += 1.0;
        let numerator = index * (a - index);
        denominator_b += 2.0;
        d = 1.0 / (numerator * d + denominator_b);
        c = denominator_b + numerator / c;
        let change = c * d;
        value *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (value * weight(a, x)).clamp(0.0, 1.0)
}

/// Which end of the distribution a probability is counted from, so that a small one keeps its places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Tail {
    /// The probability of a smaller value.
    Below(f64),
    /// The probability of a larger value.
    Above(f64),
}

/// The x with P(a, x) = p or Q(a, x) = q, for a > 0 and a probability strictly between 0 and 1.
pub(crate) fn quantile(a: f64, tail: Tail) -> f64 {
    let z = match tail {
        Tail::Below(p) => -normal::exceeded_with(p),
        Tail::Above(q) => normal::exceeded_with(q),
    };
    if a >= EXPANSION_FROM_SHAPE { expansion(a, z) } else { solve(a, z, tail) }
}

/// Cornish and Fisher's expansion of the quantile in powers of the shape's root, by the cumulants
/// of the gamma distribution.
fn expansion(a: f64, z: f64) -> f64 {
    let (root, square) = (a.sqrt(), z * z);
    a + root * z + (square - 1.0) / 3.0 + z * (square - 7.0) / (36.0 * root)
        - (square * (3.0 * square + 7.0) - 16.0) / (810.0 * a)
}

/// Newton's steps, kept within a bracket that every step narrows; halving where a step leaves it.
fn solve(a: f64, z: f64, tail: Tail) -> f64 {
    let cube = 1.0 - 1.0 / (9.0 * a) + z / (3.0 * a.sqrt());
    let mut x = (a * cube * cube * cube).max(a * 1e-3);
    let (mut low, mut high) = (0.0, f64::INFINITY);
    for _ in 0..200 {
        let error = match tail {
            Tail::Below(p) => lower(a, x) - p,
            Tail::Above(q) => q - upper(a, x),
        };
        if error > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let step = error * x / weight(a, x);
        // Halley's term: the density's slope at x as a part of the density, never above half a step.
        let bend = (0.5 * step * ((a - 1.0) / x - 1.0)).clamp(-0.5, 0.5);
        let mut next = x - step / (1.0 - bend);
        if !(next > low && next < high) {
            next = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * x };
        }
        let moved = (next - x).abs();
        x = next;
        if moved <= x * 1e-14 {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(left: f64, right: f64, relative: f64) -> bool {
        (left - right).abs() <= relative * right.abs()
    }

    #[test]
    fn ln_gamma_is_the_factorials_logarithm() {
        let mut ln_factorial = 0.0_f64;
        for n in 1..=170_u32 {
            ln_factorial += f64::from(n).ln();
            let found = ln_gamma(f64::from(n) + 1.0);
            assert!((found - ln_factorial).abs() <= 1e-12 * ln_factorial.max(1.0), "{n}: {found}");
        }
        let half = ln_gamma(0.5);
        assert!((half - std::f64::consts::PI.sqrt().ln()).abs() < 1e-13, "{half}");
    }

    #[test]
    fn whole_shapes_are_poisson_sums() {
        // Q(k + 1, x) is the probability of at most k events where x are expected.
        for (k, x) in [(0_u32, 0.3_f64), (3, 2.0), (10, 18.4), (30, 20.2), (150, 131.0), (150, 171.0)] {
            let mut term = (-x).exp();
            let mut sum = term;
            for i in 1..=k {
                term *= x / f64::from(i);
                sum += term;
            }
            let found = upper(f64::from(k) + 1.0, x);
            assert!(near(found, sum, 1e-11), "{k} {x}: {found} {sum}");
            assert!((lower(f64::from(k) + 1.0, x) + found - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn the_expansion_meets_the_solution_where_it_takes_over() {
        for tail in [Tail::Below(0.025), Tail::Above(0.025), Tail::Above(1e-6), Tail::Below(0.5)] {
            let z = match tail {
                Tail::Below(p) => -normal::exceeded_with(p),
                Tail::Above(q) => normal::exceeded_with(q),
            };
            let (solved, expanded) =
                (solve(EXPANSION_FROM_SHAPE, z, tail), expansion(EXPANSION_FROM_SHAPE, z));
            assert!(near(expanded, solved, 1e-11), "{tail:?}: {expanded} {solved}");
        }
    }

    #[test]
    fn the_cube_root_meets_the_sum_where_it_takes_over() {
        let a = 1e8_f64;
        for z in [-4.0, -1.0, 0.5, 3.0] {
            let x = a + z * a.sqrt();
            let (sum, normal) = (lower(a, x), normal::above(-cube_root_score(a, x)));
            assert!((sum - normal).abs() < 1e-8, "{z}: {sum} {normal}");
        }
    }

    proptest! {
        #[test]
        fn a_quantile_has_its_probability(shape in 0.5_f64..5_000.0, exponent in -9.0_f64..-0.31) {
            let p = 10_f64.powf(exponent);
            let below = quantile(shape, Tail::Below(p));
            prop_assert!(near(lower(shape, below), p, 1e-8), "{} at {below}", lower(shape, below));
            let above = quantile(shape, Tail::Above(p));
            prop_assert!(near(upper(shape, above), p, 1e-8), "{} at {above}", upper(shape, above));
        }
    }
}
