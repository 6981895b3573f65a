//! Kolmogorov's and Smirnov's test against the uniform distribution on (0, 1).

use crate::number;

/// The most values [`exact`] takes: sorting them is bounded work.
pub const EXACT_MAX_VALUES: usize = 100_000;

/// The statistic with its p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ks {
    /// How many values.
    pub count: u64,
    /// The largest distance between the share of values below a point and the point.
    pub statistic: f64,
    /// The probability of such a distance or a larger one by chance.
    pub p_value: f64,
}

/// The test of all values, which it sorts. `None` for no values, more than [`EXACT_MAX_VALUES`], or
/// one that is no number.
#[must_use]
pub fn exact(values: &mut [f64]) -> Option<Ks> {
    if values.is_empty() || values.len() > EXACT_MAX_VALUES || values.iter().any(|value| value.is_nan()) {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let count = u64::try_from(values.len()).ok()?;
    let step = 1.0 / number::count(count);
    let mut below = 0.0_f64;
    let mut statistic = 0.0_f64;
    for value in values.iter().map(|value| value.clamp(0.0, 1.0)) {
        let above = below + 1.0;
        statistic = statistic.max(above * step - value).max(value - below * step);
        below = above;
    }
    Some(Ks { count, statistic, p_value: p_value(statistic, count) })
}

/// The probability of a distance of `statistic` or more among `count` uniform values: Kolmogorov's
/// limit at (sqrt n + 0.12 + 0.11 / sqrt n) times the distance, Stephens's correction (1970), good
/// to a few parts in a thousand from five values on.
#[must_use]
pub fn p_value(statistic: f64, count: u64) -> f64 {
    let root = number::count(count).sqrt();
    if root > 0.0 { limit((root + 0.12 + 0.11 / root) * statistic) } else { 1.0 }
}

/// Kolmogorov's limiting probability of a scaled distance above `x`.
fn limit(x: f64) -> f64 {
    if x <= 0.05 {
        return 1.0;
    }
    if x < 1.0 {
        // The theta function's other form, of which a few terms suffice where x is small.
        let exponent = std::f64::consts::PI * std::f64::consts::PI / (8.0 * x * x);
        let sum: f64 = [1.0, 3.0, 5.0, 7.0].iter().map(|odd: &f64| (-odd * odd * exponent).exp()).sum();
        return (1.0 - (2.0 * std::f64::consts::PI).sqrt() / x * sum).clamp(0.0, 1.0);
    }
    let term = |j: f64| (-2.0 * j * j * x * x).exp();
    (2.0 * (term(1.0) - term(2.0) + term(3.0) - term(4.0))).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_published_one() {
        // Smirnov's table (1948) of the limiting distribution.
        for (x, p) in
            [(0.5, 0.963_945), (1.0, 0.269_999_7), (1.36, 0.049_486), (1.63, 0.009_846), (2.0, 0.000_671)]
        {
            assert!((limit(x) - p).abs() < 2e-6, "{x}: {}", limit(x));
        }
        assert!((limit(0.999_999_9) - limit(1.0)).abs() < 1e-6, "both forms meet");
        assert!((limit(0.0) - 1.0).abs() < 1e-15 && limit(40.0).abs() < 1e-15);
    }

    #[test]
    fn critical_values_are_masseys() {
        // Massey (1951), 5 % and 1 %: the correction is good to 3 parts in a hundred of p.
        for (count, five, one) in [(10, 0.409, 0.489), (20, 0.294, 0.352), (30, 0.242, 0.290)] {
            assert!((p_value(five, count) - 0.05).abs() < 0.002, "{count}: {}", p_value(five, count));
            assert!((p_value(one, count) - 0.01).abs() < 0.000_6, "{count}: {}", p_value(one, count));
        }
    }

    #[test]
    fn the_distance_is_taken_on_both_sides_of_each_value() {
        // Below 0.5 lies nothing, at it half of all.
        let ks = exact(&mut [0.9, 0.5]).unwrap();
        assert!((ks.statistic - 0.5).abs() < 1e-15, "{ks:?}");
        let ks = exact(&mut [0.1]).unwrap();
        assert!((ks.statistic - 0.9).abs() < 1e-15, "{ks:?}");
        assert_eq!(exact(&mut []), None);
        assert_eq!(exact(&mut [0.5, f64::NAN]), None);
        assert_eq!(exact(&mut vec![0.5; EXACT_MAX_VALUES + 1]), None);
    }
}
