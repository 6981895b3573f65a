//! All units at the price of the tier that the quantity reaches.
//!
//! ```text
//! amount = half_even(quantity x price of the first tier whose bound the quantity does not exceed + its flat)
//! ```
//!
//! Bounds and flat amounts are those of a whole period; a stretch has its part of both, by intervals. With such a
//! price, a quantity above a bound can cost less than one below it.

use crate::components::common::{
    Measure, per,
    tiers::{Tier, Tiers},
};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of a volume price.
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
        let tier = if quantity.is_zero() {
            None
        } else {
            Tier::reached(&self.tiers, quantity, fraction).ok_or_else(wide)?
        };
        let amount =
            tier.map_or(Some(Exact::ZERO), |tier| tier.amount(quantity, fraction)).ok_or_else(wide)?;
        let draft = Draft {
            description: format!("Volume price of {}", self.measure.unit()),
            quantity,
            unit: self.measure.unit(),
            unit_price: Tier::words(&self.tiers),
            formula: "quantity x price of the tier reached + its flat amount by intervals".to_owned(),
            amount,
            inputs: vec![input([
                ("tier_up_to", tier.map_or_else(|| "none".to_owned(), Tier::bound_text)),
                ("fraction_of_period", fraction.to_string()),
            ])],
        };
        Ok(vec![scope.finish(&self.head, "volume", draft)?])
    }
}
