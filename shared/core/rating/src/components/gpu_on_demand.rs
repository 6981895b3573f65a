//! Whole GPUs on demand, by the second, minute or hour.
//!
//! ```text
//! billed units = sum over allocations of  GPUs x (ceil(length until the end / unit) - ceil(length until the start / unit))
//! amount       = half_even(billed units x price per GPU-hour / units per hour)
//! ```
//!
//! The lengths are cumulative over an allocation's whole time (see the source of `usage::gpu`), so that months add up
//! to what the whole allocation would have cost in units.

use crate::components::common::{RoundingUnit, unit_price};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::{Input, input};
use crate::scope::{Draft, Rated, Scope};
use crate::usage::gpu::billed_units;

/// Terms of GPUs on demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The price of a GPU-hour.
    pub unit_price: Decimal,
    /// What lengths are rounded up to.
    pub rounding: RoundingUnit,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let unit_price = unit_price(fields, head.currency, "GPU-hour")?;
        Ok(Self { head, unit_price, rounding: RoundingUnit::read(fields)? })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let (units, inputs) = units_of(scope, "", self.rounding)?;
        let amount = units
            .times(self.unit_price.value)
            .and_then(|amount| amount.over(Exact::from(self.rounding.per_hour())))
            .ok_or_else(|| scope.overflow("amount"))?;
        let price = format!("{} {}/GPU-hour", self.unit_price.text, self.head.currency.code());
        let name = self.rounding.name();
        let draft = Draft {
            description: "GPUs on demand".to_owned(),
            quantity: units,
            unit: format!("GPU-{name}"),
            formula: format!(
                "sum over allocations of GPUs x (cumulative {name}s rounded up at the end - at the start) x {price} / {}",
                self.rounding.per_hour()
            ),
            unit_price: price,
            amount,
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "gpu_on_demand", draft)?])
    }
}

/// Billed units of all allocations of a profile, GPUs or slices times length, with an input for each.
pub(crate) fn units_of(
    scope: &Scope<'_>,
    profile: &str,
    rounding: RoundingUnit,
) -> Result<(Exact, Vec<Input>), RatingError> {
    let billed = billed_units(&scope.usage.gpu_spans, profile, rounding.length_us(), scope.stretch()?)
        .map_err(|error| scope.refused(error))?;
    let mut total = 0_u128;
    let mut inputs = Vec::with_capacity(billed.len());
    for ((allocation_id, device, _, gpus), units) in billed {
        total = units
            .checked_mul(u128::from(gpus))
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| scope.overflow("GPU time"))?;
        inputs.push(input([
            ("allocation_id", allocation_id.to_owned()),
            ("device", device.to_owned()),
            ("gpus", gpus.to_string()),
            (rounding.name(), units.to_string()),
        ]));
    }
    Ok((Exact::from(total), inputs))
}
