//! A fixed amount for each period.
//!
//! ```text
//! amount = half_even(amount of the period x five-minute intervals of the stretch / intervals of the period)
//! ```

use crate::error::{ContractError, RatingError};
use crate::fields::{Decimal, Fields, Head};
use crate::scope::{Draft, Rated, Scope};

/// Terms of a fixed fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The amount of a whole period.
    pub amount: Decimal,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        Ok(Self { head: fields.head()?, amount: fields.price("amount")? })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let quantity = scope.context()?.fraction().ok_or_else(|| scope.overflow("fraction"))?;
        let price = format!("{} {}/period", self.amount.text, self.head.currency.code());
        let draft = Draft {
            description: "Fixed fee".to_owned(),
            quantity,
            unit: "period".to_owned(),
            formula: format!("{price} x intervals of the stretch / intervals of the period"),
            unit_price: price,
            amount: quantity.times(self.amount.value).ok_or_else(|| scope.overflow("amount"))?,
            inputs: Vec::new(),
        };
        Ok(vec![scope.finish(&self.head, "fixed_fee", draft)?])
    }
}
