//! Each unit at the price of the tier it falls into.
//!
//! ```text
//! amount = half_even( sum over tiers of  units between its bounds x its price + its flat, if entered )
//! ```
//!
//! A tier holds the units above the bound before it up to and with its own. Bounds and flat amounts are
//! those of a whole period; a stretch has its part of both, by intervals.

use crate::components::common::{
    Measure, per,
    tiers::{Tier, Tiers},
};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of a graduated price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// What is counted.
    pub measure: Measure,
    /// The tiers, from the lowest bound up.
    pub tiers: Vec<Tier>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let measure = Measure::read(fields, head.currency)?;
        fields.unit("unit", &[per(head.currency, &measure.unit())])?;
        Ok(Self { head, measure, tiers: Tiers::PRICED.read(fields)? })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let wide = || scope.overflow("amount");
        let quantity = self.measure.quantity(scope)?;
        let fraction = scope.context()?.fraction().ok_or_else(wide)?;
        let (mut amount, mut before) = (Exact::ZERO, Exact::ZERO);
        let mut inputs = Vec::new();
        for tier in &self.tiers {
            let top = match &tier.up_to {
                Some(up_to) => {
                    up_to.value.times(fraction).and_then(|bound| quantity.lesser(bound)).ok_or_else(wide)?
                }
                None => quantity,
            };
            let units = top.minus(before).ok_or_else(wide)?;
            if units.is_zero() || units.is_negative() {
                break;
            }
            amount = tier.amount(units, fraction).and_then(|part| amount.plus(part)).ok_or_else(wide)?;
            before = top;
            inputs.push(input([("tier_up_to", tier.bound_text()), ("units", units.to_string())]));
        }
        let draft = Draft {
            description: format!("Graduated price of {}", self.measure.unit()),
            quantity,
            unit: self.measure.unit(),
            unit_price: Tier::words(&self.tiers),
            formula: "sum over tiers of units in the tier x its price + its flat amount by intervals"
                .to_owned(),
            amount,
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "graduated", draft)?])
    }
}
