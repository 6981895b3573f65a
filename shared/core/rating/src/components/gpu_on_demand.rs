//! Whole GPUs on demand, by the second, minute or hour.
//!
//! ```text
//! billed units = sum over GPUs of allocations of  ceil(length until the end / unit) - ceil(length until the start / unit)
//! amount       = half_even(billed units x price per GPU-hour / units per hour)
//! ```
//!
//! The lengths are cumulative over an allocation's life (see the source of `usage::reserved`), so that months add
//! up to what the allocation's whole length would have cost in units. With `covered_by` only the time counts in which a
//! GPU is above what the reservations cover.

use crate::components::common::{RoundingUnit, unit_price};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::{Input, input};
use crate::scope::{Draft, Rated, Scope};
use crate::usage::reserved::allocated;

/// Terms of GPUs on demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The price of a GPU-hour.
    pub unit_price: Decimal,
    /// What lengths are rounded up to.
    pub rounding: RoundingUnit,
    /// The reservations that cover allocations first. Where the contract has a reservation, the document says it, with
    /// an empty list where none covers.
    pub covered_by: Option<Vec<String>>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let unit_price = unit_price(fields, head.currency, "GPU-hour")?;
        let rounding = RoundingUnit::read(fields)?;
        let covered_by = fields.covered_by(head.currency)?;
        Ok(Self { head, unit_price, rounding, covered_by })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let covered_by = self.covered_by.as_deref().unwrap_or_default();
        let (units, inputs) = units_of(scope, "", self.rounding, covered_by)?;
        let above = match covered_by {
            [] => String::new(),
            ids => format!(" above {}", ids.join(" + ")),
        };
        let amount = units
            .times(self.unit_price.value)
            .and_then(|amount| amount.over(Exact::from(self.rounding.per_hour())))
            .ok_or_else(|| scope.overflow("amount"))?;
        let price = format!("{} {}/GPU-hour", self.unit_price.text, self.head.currency.code());
        let name = self.rounding.name();
        let draft = Draft {
            description: format!("GPUs on demand{above}"),
            quantity: units,
            unit: format!("GPU-{name}"),
            formula: format!(
                "sum over allocations of GPUs{above} x (cumulative {name}s rounded up at the end - at the start) x {price} / {}",
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
    covered_by: &[String],
) -> Result<(Exact, Vec<Input>), RatingError> {
    let stretch = scope.stretch()?;
    let reserved = scope.reserved(covered_by);
    let found = allocated(&scope.usage.gpu_spans, profile, &reserved, stretch.end_us)
        .map_err(|error| scope.refused(error))?;
    let wide = || scope.overflow("GPU time");
    let mut total = 0_u128;
    let mut inputs = Vec::new();
    for one in &found {
        let units = one.units_above(rounding.length_us(), stretch).ok_or_else(wide)?;
        let covered_us = one.exact_us(stretch, |piece| piece.covered).ok_or_else(wide)?;
        if (units, covered_us) == (0, 0) {
            continue;
        }
        total = total.checked_add(units).ok_or_else(wide)?;
        let (allocation_id, device, _, gpus) = one.key;
        let mut row = input([
            ("allocation_id", allocation_id.to_owned()),
            ("device", device.to_owned()),
            ("gpus", gpus.to_string()),
        ]);
        if covered_by.is_empty() {
            row.insert(rounding.name().to_owned(), (units / u128::from(gpus.max(1))).to_string());
        } else {
            row.insert(format!("gpu_{}", rounding.name()), units.to_string());
            row.insert("covered_gpu_us".to_owned(), covered_us.to_string());
        }
        inputs.push(row);
    }
    Ok((Exact::from(total), inputs))
}
