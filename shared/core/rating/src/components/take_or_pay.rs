//! Take or pay: energy that the customer committed to and did not use is paid too.
//!
//! ```text
//! committed_kwh = percent / 100 x kW x hours of the stretch, less curtailed energy where the contract says so
//! short_kwh     = max(0, committed_kwh - metered kWh)
//! amount        = half_even(short_kwh x price)
//! ```

use crate::components::common::{Power, unit_price};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope, kwh};

/// Terms of a commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// Of which power.
    pub power: Power,
    /// How much of it.
    pub percent: Decimal,
    /// The price of a kilowatt-hour that was not taken.
    pub unit_price: Decimal,
    /// Whether curtailed energy counts as taken.
    pub leave_out_curtailed: bool,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let percent = fields.percent("percent")?;
        let power = Power::read(fields)?;
        let unit_price = unit_price(fields, head.currency, "kWh")?;
        let leave_out_curtailed = fields.truth("leave_out_curtailed")?;
        Ok(Self { head, power, percent, unit_price, leave_out_curtailed })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let wide = || scope.overflow("committed energy");
        let full = self.power.kwh(scope)?.percent(self.percent.value).ok_or_else(wide)?;
        let mut curtailed = Exact::ZERO;
        if self.leave_out_curtailed {
            scope.usage.check_curtailed(scope.stretch()?).map_err(|error| scope.refused(error))?;
            let mwh = scope
                .usage
                .curtailed
                .iter()
                .try_fold(0_u128, |sum, slice| sum.checked_add(slice.curtailed_mwh));
            curtailed = mwh.and_then(kwh).ok_or_else(wide)?;
        }
        let committed = full.minus(curtailed).ok_or_else(wide)?;
        let taken = scope.metered_kwh()?;
        let short = committed.minus(taken).and_then(|short| short.greater(Exact::ZERO)).ok_or_else(wide)?;
        let price = format!("{} {}/kWh", self.unit_price.text, self.head.currency.code());
        let draft = Draft {
            description: "Energy committed to and not taken".to_owned(),
            quantity: short,
            unit: "kWh".to_owned(),
            formula: format!(
                "max(0, {} percent of {} x hours{} - energy_kwh) x {price}",
                self.percent.text,
                self.power.words(),
                if self.leave_out_curtailed { " - curtailed_kwh" } else { "" }
            ),
            unit_price: price,
            amount: short.times(self.unit_price.value).ok_or_else(|| scope.overflow("amount"))?,
            inputs: vec![input([
                ("committed_kwh", full.to_string()),
                ("curtailed_kwh", curtailed.to_string()),
                ("energy_kwh", taken.to_string()),
            ])],
        };
        Ok(vec![scope.finish(&self.head, "take_or_pay", draft)?])
    }
}
