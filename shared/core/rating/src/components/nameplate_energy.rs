//! Energy by nameplate: what the operational machines would have used at their rated power.
//!
//! ```text
//! energy_kwh = sum over rated powers of  rated_power_mw x operational machine-microseconds / 3.6 x 10^15
//! amount     = half_even(energy_kwh x price)
//! ```
//!
//! The weighted average of operational machines is their machine-time over the length of the stretch, so
//! average x rated power x hours is the same sum.

use std::collections::BTreeMap;

use crate::components::common::unit_price;
use crate::context::duration_us;
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of energy by nameplate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The price of a kilowatt-hour.
    pub unit_price: Decimal,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let unit_price = unit_price(fields, head.currency, "kWh")?;
        Ok(Self { head, unit_price })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let stretch_us = duration_us(scope.stretch()?);
        let quantity = scope.rated_kwh(|group| group.operational_us)?;
        let mut powers: BTreeMap<u64, u128> = BTreeMap::new();
        for group in &scope.usage.fleet {
            let sum = powers.entry(group.rated_power_mw).or_default();
            *sum = sum.checked_add(group.operational_us).ok_or_else(|| scope.overflow("machine time"))?;
        }
        let inputs = powers
            .into_iter()
            .map(|(rated_power_mw, operational_us)| {
                let average = Exact::ratio(operational_us, stretch_us).unwrap_or(Exact::ZERO);
                input([
                    ("rated_power_mw", rated_power_mw.to_string()),
                    ("operational_us", operational_us.to_string()),
                    ("average_machines", average.to_string()),
                ])
            })
            .collect();
        let amount = quantity.times(self.unit_price.value).ok_or_else(|| scope.overflow("amount"))?;
        let price = format!("{} {}/kWh", self.unit_price.text, self.head.currency.code());
        let draft = Draft {
            description: "Energy by nameplate".to_owned(),
            quantity,
            unit: "kWh".to_owned(),
            formula: format!("sum of average operational machines x rated power x hours x {price}"),
            unit_price: price,
            amount,
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "nameplate_energy", draft)?])
    }
}

#[cfg(test)]
mod tests {
    use crate::components::testing::{contract, lines, november};
    use crate::{Context, FleetGroup, Usage, rate_in};
    use serde_json::json;

    #[test]
    fn machine_time_at_rated_power_is_billed() {
        let component = json!({"id": "n", "kind": "nameplate_energy", "currency": "USD", "unit": "USD/kWh",
            "unit_price": "0.10"});
        let hour_us = 3_600_000_000;
        let fleet = |rated_power_mw, hours: u128| FleetGroup {
            rated_power_mw,
            assigned_us: hours * hour_us,
            operational_us: hours * hour_us,
        };
        let usage = Usage {
            fleet: vec![fleet(3_000_000, 10), fleet(5_000_000, 2), fleet(3_000_000, 10)],
            ..Usage::default()
        };
        let line = lines(std::slice::from_ref(&component), &usage).remove(0);
        assert_eq!((line.quantity.as_str(), line.amount.decimal_text().as_str()), ("70", "7.00"));
        assert_eq!(line.inputs.len(), 2);
        let mut wrong = usage;
        wrong.fleet[0].operational_us += 1;
        let context = Context::whole(november()).unwrap();
        let error = rate_in(&contract(&[component]), &context, &wrong).unwrap_err();
        assert_eq!(error.code(), "WB-5155");
    }
}
