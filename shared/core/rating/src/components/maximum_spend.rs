//! A maximum: what the named components exceed it by is taken off.
//!
//! ```text
//! amount = -half_even(max(0, sum of billed amounts - maximum x intervals of the stretch / intervals of the period))
//! ```

use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::scope::{Draft, Rated, Scope};

/// Terms of a maximum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The components that count towards it.
    pub of: Vec<String>,
    /// The maximum of a whole period.
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
        let maximum = self.amount.value.times(fraction).ok_or_else(wide)?;
        let excess = billed.minus(maximum).and_then(|rest| rest.greater(Exact::ZERO)).ok_or_else(wide)?;
        let code = self.head.currency.code();
        let draft = Draft {
            description: "Down to the maximum".to_owned(),
            quantity: fraction,
            unit: "period".to_owned(),
            unit_price: format!("at most {} {code}/period", self.amount.text),
            formula: format!(
                "-max(0, {} - {} x intervals of the stretch / intervals of the period)",
                self.of.join(" + "),
                self.amount.text
            ),
            amount: excess.negated(),
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "maximum_spend", draft)?])
    }
}
