//! A flat amount by the tier that the quantity reaches, like stairs.
//!
//! ```text
//! amount = half_even(flat amount of the first tier whose bound the quantity does not exceed)
//! ```
//!
//! Bounds and flat amounts are those of a whole period; a stretch has its part of both, by intervals, so that a
//! change of contract within a month does not change the tier. Without use there is no charge.

use crate::components::common::{
    Measure,
    tiers::{Tier, Tiers},
};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of a stair price.
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
        Ok(Self { head, measure, tiers: Tiers::FLAT.read(fields)? })
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
        let flat = tier.and_then(|tier| tier.flat.as_ref());
        let amount = flat.map_or(Some(Exact::ZERO), |flat| flat.value.times(fraction)).ok_or_else(wide)?;
        let draft = Draft {
            description: format!("Price by tier of {}", self.measure.unit()),
            quantity,
            unit: self.measure.unit(),
            unit_price: Tier::words(&self.tiers),
            formula: "flat amount of the tier reached x intervals of the stretch / intervals of the period"
                .to_owned(),
            amount,
            inputs: vec![input([
                ("tier_up_to", tier.map_or_else(|| "none".to_owned(), Tier::bound_text)),
                ("fraction_of_period", fraction.to_string()),
            ])],
        };
        Ok(vec![scope.finish(&self.head, "tiered", draft)?])
    }
}
