//! What a line of tax follows from, so that a credit of what it taxes credits the tax too.

use serde::{Deserialize, Serialize};

use crate::exact::Exact;

/// The jurisdiction, the rate and the taxed lines of a line of tax.
///
/// ```text
/// amount = half_even(sum of the amounts of the taxed lines x percent / 100)
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineTax {
    /// The jurisdiction's code, such as `US-TX`.
    pub jurisdiction: String,
    /// The rate in percent, decimal text.
    pub percent: String,
    /// The ids of the taxed lines, which have the same currency, sorted.
    pub of: Vec<String>,
}

impl LineTax {
    /// The tax on a sum in minor units, rounded once half to even; `None` where the rate is no decimal text or the tax
    /// does not fit 128 bits.
    #[must_use]
    pub fn on_minor(&self, base_minor: i128) -> Option<i128> {
        let percent = Exact::decimal(&self.percent).ok()?;
        Exact::scaled(base_minor, 0)?.percent(percent)?.minor(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

    use super::LineTax;

    #[test]
    fn tax_is_rounded_half_to_even_in_both_directions() {
        let tax = |percent: &str| LineTax {
            jurisdiction: "GB".to_owned(),
            percent: percent.to_owned(),
            of: Vec::new(),
        };
        for (percent, base_minor, expected) in [
            ("5", 1_619_780, Some(80_989)),
            ("5", 10, Some(0)),
            ("5", 30, Some(2)),
            ("5", -30, Some(-2)),
            ("8.25", 1_000, Some(82)),
            ("0", i128::MAX, Some(0)),
            ("five", 100, None),
        ] {
            assert_eq!(tax(percent).on_minor(base_minor), expected, "{percent} of {base_minor}");
        }
    }
}
