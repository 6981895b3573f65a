//! An amount that is charged or credited once.
//!
//! It is on the bill of the stretch that holds the first five-minute boundary at or after its instant; any
//! other stretch has no line.

use wb_units::Micros;
use wb_units::time::{boundary_at_or_after, rfc3339};

use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of a one-off charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// How much.
    pub amount: Decimal,
    /// Whether it credits the customer.
    pub credits: bool,
    /// When.
    pub at_us: Micros,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        Ok(Self {
            head: fields.head()?,
            amount: fields.price("amount")?,
            credits: fields.word("direction", &["charge", "credit"])? == "credit",
            at_us: fields.instant("at")?,
        })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        if !scope.stretch()?.contains(boundary_at_or_after(self.at_us)) {
            return Ok(Vec::new());
        }
        let sign = if self.credits { "-" } else { "" };
        let price = format!("{sign}{} {}", self.amount.text, self.head.currency.code());
        let draft = Draft {
            description: "One-off".to_owned(),
            quantity: Exact::ONE,
            unit: "time".to_owned(),
            formula: format!("{price}, once"),
            unit_price: price,
            amount: if self.credits { self.amount.value.negated() } else { self.amount.value },
            inputs: vec![input([("at", rfc3339(self.at_us))])],
        };
        Ok(vec![scope.finish(&self.head, "one_off", draft)?])
    }
}
