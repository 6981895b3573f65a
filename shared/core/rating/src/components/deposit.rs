//! Deposit for months of energy at rated power.
//!
//! ```text
//! required = kW x hours_per_month x months x price
//! amount   = half_even(max(0, required - deposit held))
//! ```
//!
//! It is charged once, in the stretch that holds the first five-minute boundary at or after `due`; in any
//! other stretch there is no line. What is held is never paid back by this line.

use wb_units::Micros;
use wb_units::time::boundary_at_or_after;

use crate::components::common::{Power, unit_price};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of a deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// Of which power.
    pub power: Power,
    /// How many months.
    pub months: Decimal,
    /// The hours that count as a month.
    pub hours_per_month: Decimal,
    /// The price of a kilowatt-hour.
    pub unit_price: Decimal,
    /// When it is due.
    pub due_us: Micros,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        Ok(Self {
            power: Power::read(fields)?,
            months: fields.size("months")?,
            hours_per_month: fields.size("hours_per_month")?,
            unit_price: unit_price(fields, head.currency, "kWh")?,
            due_us: fields.instant("due")?,
            head,
        })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        if !scope.stretch()?.contains(boundary_at_or_after(self.due_us)) {
            return Ok(Vec::new());
        }
        let wide = || scope.overflow("deposit");
        let power_kw = self.power.average_kw(scope)?;
        let quantity = power_kw
            .times(self.hours_per_month.value)
            .and_then(|kwh| kwh.times(self.months.value))
            .ok_or_else(wide)?;
        let required = quantity.times(self.unit_price.value).ok_or_else(wide)?;
        let held = scope.context()?.deposits.iter().filter(|deposit| deposit.component == self.head.id);
        let held_minor = held.map(|deposit| deposit.held_minor).try_fold(0_u128, u128::checked_add);
        let held = held_minor
            .and_then(|minor| i128::try_from(minor).ok())
            .and_then(|minor| Exact::scaled(minor, self.head.currency.scale()))
            .ok_or_else(wide)?;
        let amount = required.minus(held).and_then(|rest| rest.greater(Exact::ZERO)).ok_or_else(wide)?;
        let price = format!("{} {}/kWh", self.unit_price.text, self.head.currency.code());
        let draft = Draft {
            description: "Deposit".to_owned(),
            quantity,
            unit: "kWh".to_owned(),
            formula: format!(
                "max(0, {} x {} h x {} months x {price} - deposit held)",
                self.power.words(),
                self.hours_per_month.text,
                self.months.text
            ),
            unit_price: price,
            amount,
            inputs: vec![input([
                ("power_kw", power_kw.to_string()),
                ("required", required.to_string()),
                ("held", held.to_string()),
            ])],
        };
        Ok(vec![scope.finish(&self.head, "deposit", draft)?])
    }
}
