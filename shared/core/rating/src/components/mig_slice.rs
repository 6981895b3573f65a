//! Slices of a GPU, at a fraction of its price.
//!
//! ```text
//! amount = half_even(billed units of slices x fraction x price per GPU-hour / units per hour)
//! ```
//!
//! Billed units are counted as for whole GPUs on demand, over the allocations of the slice's profile.

use crate::components::common::{RoundingUnit, unit_price};
use crate::components::gpu_on_demand::units_of;
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::scope::{Draft, Rated, Scope};

/// Terms of slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The profile in the driver's notation, such as `1g.10gb`.
    pub profile: String,
    /// The slice's part of a GPU, as the contract writes it.
    pub fraction_text: String,
    /// The same as a number, above zero and at most one.
    pub fraction: Exact,
    /// The price of a whole GPU for an hour.
    pub unit_price: Decimal,
    /// What lengths are rounded up to.
    pub rounding: RoundingUnit,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let profile = fields.id("profile")?;
        let node = fields.required("fraction")?;
        let fraction_text = crate::fields::text_of(node)?.to_owned();
        let fraction = read_fraction(&fraction_text).ok_or_else(|| {
            crate::fields::number(node, &fraction_text, "a fraction above 0 and at most 1, such as \"1/7\"")
        })?;
        let unit_price = unit_price(fields, head.currency, "GPU-hour")?;
        Ok(Self { head, profile, fraction_text, fraction, unit_price, rounding: RoundingUnit::read(fields)? })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let (units, inputs) = units_of(scope, &self.profile, self.rounding, &[])?;
        let amount = units
            .times(self.fraction)
            .and_then(|gpus| gpus.times(self.unit_price.value))
            .and_then(|amount| amount.over(Exact::from(self.rounding.per_hour())))
            .ok_or_else(|| scope.overflow("amount"))?;
        let price = format!("{} {}/GPU-hour", self.unit_price.text, self.head.currency.code());
        let name = self.rounding.name();
        let draft = Draft {
            description: format!("GPU slices {}", self.profile),
            quantity: units,
            unit: format!("slice-{name}"),
            formula: format!(
                "slice-{name}s, cumulative and rounded up by allocation, x {} x {price} / {}",
                self.fraction_text,
                self.rounding.per_hour()
            ),
            unit_price: format!("{} of {price}", self.fraction_text),
            amount,
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "mig_slice", draft)?])
    }
}

/// `a/b` with 0 < a <= b, digits only.
fn read_fraction(text: &str) -> Option<Exact> {
    let (top, bottom) = text.split_once('/')?;
    let whole = |part: &str| -> Option<u32> {
        part.parse().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (top, bottom) = (whole(top)?, whole(bottom)?);
    if top == 0 || top > bottom {
        return None;
    }
    Exact::ratio(u128::from(top), u128::from(bottom))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_of_one_gpu() {
        assert_eq!(read_fraction("1/7"), Exact::ratio(1, 7));
        assert_eq!(read_fraction("7/7"), Some(Exact::ONE));
        for text in ["0/7", "8/7", "1/0", "1", "-1/7", "+1/7", "1/7/7", "a/b", ""] {
            assert_eq!(read_fraction(text), None, "{text}");
        }
    }
}
