//! Management fee, by power or as a percentage.
//!
//! ```text
//! by power    amount = half_even(average kW x hours of the stretch / hours of the period x price per kW-month)
//! percent     amount = half_even(sum of the billed amounts of the named components x percent / 100)
//! ```
//!
//! A kW-month is a kilowatt over the whole period, however many days it has; a machine that was assigned
//! for half of it counts half.

use crate::components::common::{Power, unit_price};
use crate::context::{HOUR_US, duration_us};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of a management fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// What the fee is for.
    pub basis: Basis,
}

/// What a management fee is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// Power.
    Power {
        /// Which.
        power: Power,
        /// The price of a kilowatt over the period.
        unit_price: Decimal,
    },
    /// Other lines.
    Percent {
        /// How much of them.
        percent: Decimal,
        /// Of which components.
        of: Vec<String>,
    },
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let basis = if fields.exactly_one(&["unit_price", "percent"])? == "percent" {
            let percent = fields.percent("percent")?;
            Basis::Percent { percent, of: fields.components("of", head.currency)? }
        } else {
            let unit_price = unit_price(fields, head.currency, "kW-month")?;
            Basis::Power { power: Power::read(fields)?, unit_price }
        };
        Ok(Self { head, basis })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let code = self.head.currency.code();
        let draft = match &self.basis {
            Basis::Power { power, unit_price } => {
                let period_hours = Exact::ratio(duration_us(scope.context()?.period()), HOUR_US);
                let energy_kwh = power.kwh(scope)?;
                let quantity = period_hours
                    .and_then(|hours| energy_kwh.over(hours))
                    .ok_or_else(|| scope.overflow("kW-months"))?;
                let price = format!("{} {code}/kW-month", unit_price.text);
                Draft {
                    description: "Management fee".to_owned(),
                    quantity,
                    unit: "kW-month".to_owned(),
                    formula: format!("{} x hours / hours of the period x {price}", power.words()),
                    unit_price: price,
                    amount: quantity.times(unit_price.value).ok_or_else(|| scope.overflow("amount"))?,
                    inputs: vec![input([
                        ("kwh_at_that_power", energy_kwh.to_string()),
                        ("average_kw", power.average_kw(scope)?.to_string()),
                    ])],
                }
            }
            Basis::Percent { percent, of } => {
                let (base, inputs) = scope.billed_exact(of, self.head.currency)?;
                Draft {
                    description: "Management fee".to_owned(),
                    quantity: base,
                    unit: code.to_owned(),
                    unit_price: format!("{} percent", percent.text),
                    formula: format!("sum of {} x {} / 100", of.join(" + "), percent.text),
                    amount: base.percent(percent.value).ok_or_else(|| scope.overflow("amount"))?,
                    inputs,
                }
            }
        };
        Ok(vec![scope.finish(&self.head, "management_fee", draft)?])
    }
}
