//! A minimum: what the named components lack of it.
//!
//! ```text
//! amount = half_even(max(0, minimum x intervals of the stretch / intervals of the period - sum of billed amounts))
//! ```

use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::scope::{Draft, Rated, Scope};

/// Terms of a minimum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The components that count towards it.
    pub of: Vec<String>,
    /// The minimum of a whole period.
    pub amount: Decimal,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        Ok(Self { of: fields.components("of", head.currency)?, amount: fields.price("amount")?, head })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let wide = || scope.overflow("amount");
        let (billed, inputs) = scope.billed_exact(&self.of, self.head.currency)?;
        let fraction = scope.context()?.fraction().ok_or_else(wide)?;
        let minimum = self.amount.value.times(fraction).ok_or_else(wide)?;
        let lacking = minimum.minus(billed).and_then(|rest| rest.greater(Exact::ZERO)).ok_or_else(wide)?;
        let code = self.head.currency.code();
        let draft = Draft {
            description: "Up to the minimum".to_owned(),
            quantity: fraction,
            unit: "period".to_owned(),
            unit_price: format!("at least {} {code}/period", self.amount.text),
            formula: format!(
                "max(0, {} x intervals of the stretch / intervals of the period - ({}))",
                self.amount.text,
                self.of.join(" + ")
            ),
            amount: lacking,
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "minimum_spend", draft)?])
    }
}
