//! Uplift of an energy line for what the site uses beside the machines, or loses on the way to them.
//!
//! ```text
//! fixed PUE       amount = energy amount x (pue - 1)
//! fixed loss      amount = energy amount x loss_percent / 100
//! measured        amount = energy amount x (sum of site_mwh / sum of machines_mwh - 1), at most max_pue - 1
//! ```
//!
//! The energy amount is that of the component in `of`, before its rounding. A site meter that counts less than its
//! machines is an error and never a credit.

use std::collections::BTreeMap;

use crate::components::ENERGY_KINDS;
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::{Input, input};
use crate::scope::{Draft, Rated, Scope};

/// Terms of an uplift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The energy component that is lifted.
    pub of: String,
    /// By how much.
    pub factor: Factor,
}

/// How the uplift is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// An agreed power usage effectiveness of one or more.
    Pue(Decimal),
    /// An agreed loss in percent of the metered energy.
    Loss(Decimal),
    /// Measured by the site's meter, bounded where the contract has a bound.
    Measured {
        /// The most that is charged.
        max_pue: Option<Decimal>,
    },
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let of = fields.component("of", head.currency, &ENERGY_KINDS)?;
        let factor = match fields.exactly_one(&["pue", "loss_percent", "measured"])? {
            "pue" => Factor::Pue(at_least_one(fields, "pue")?),
            "loss_percent" => Factor::Loss(fields.percent("loss_percent")?),
            _ => {
                fields.word("measured", &["site"])?;
                let max_pue = if fields.optional("max_pue").is_some() {
                    Some(at_least_one(fields, "max_pue")?)
                } else {
                    None
                };
                Factor::Measured { max_pue }
            }
        };
        Ok(Self { head, of, factor })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let mut rated = Vec::new();
        for base in scope.lines_of(&self.of) {
            let (extra, words, inputs) = self.extra(scope)?;
            let product = |value: Exact| value.times(extra).ok_or_else(|| scope.overflow("uplift"));
            let draft = Draft {
                description: "Uplift of energy for the site's own use and losses".to_owned(),
                quantity: product(base.quantity)?,
                unit: base.line.unit.clone(),
                unit_price: base.line.unit_price.clone(),
                formula: format!("unrounded amount of {} x {words}", self.of),
                amount: product(base.exact)?,
                inputs,
            };
            rated.push(scope.finish(&self.head, "energy_uplift", draft)?);
        }
        Ok(rated)
    }

    /// What is added to each unit of energy, as text, and the inputs of its measurement.
    fn extra(&self, scope: &Scope<'_>) -> Result<(Exact, String, Vec<Input>), RatingError> {
        let less_one = |pue: Exact| pue.minus(Exact::ONE).ok_or_else(|| scope.overflow("uplift"));
        match &self.factor {
            Factor::Pue(pue) => Ok((less_one(pue.value)?, format!("({} - 1)", pue.text), Vec::new())),
            Factor::Loss(percent) => {
                let extra = Exact::ONE.percent(percent.value).ok_or_else(|| scope.overflow("uplift"))?;
                Ok((extra, format!("{} / 100", percent.text), Vec::new()))
            }
            Factor::Measured { max_pue } => {
                let (measured, inputs) = measure(scope)?;
                let bound = max_pue.as_ref().map_or(Some(measured), |most| measured.lesser(most.value));
                let bound = bound.ok_or_else(|| scope.overflow("uplift"))?;
                let most = max_pue.as_ref().map_or(String::new(), |most| format!(", at most {}", most.text));
                Ok((less_one(bound)?, format!("(site_kwh / machines_kwh - 1{most})"), inputs))
            }
        }
    }
}

fn at_least_one(fields: &mut Fields<'_>, name: &'static str) -> Result<Decimal, ContractError> {
    let pue = fields.price(name)?;
    if pue.value.minus(Exact::ONE).is_none_or(Exact::is_negative) {
        let right = "a power usage effectiveness of at least 1, such as \"1.06\"";
        return Err(crate::fields::number(fields.required(name)?, &pue.text, right));
    }
    Ok(pue)
}

fn measure(scope: &Scope<'_>) -> Result<(Exact, Vec<Input>), RatingError> {
    let wide = || scope.overflow("energy");
    let mut sites: BTreeMap<&str, (u128, u128)> = BTreeMap::new();
    let (mut site_mwh, mut machines_mwh) = (0_u128, 0_u128);
    for site in &scope.usage.sites {
        let sums = sites.entry(&site.site_id).or_default();
        for (sum, part) in [
            (&mut sums.0, site.site_mwh),
            (&mut sums.1, site.machines_mwh),
            (&mut site_mwh, site.site_mwh),
            (&mut machines_mwh, site.machines_mwh),
        ] {
            *sum = sum.checked_add(part).ok_or_else(wide)?;
        }
    }
    let unmeasured =
        |detail: String| RatingError::Unmeasured { component: scope.component.to_owned(), detail };
    let measured = Exact::ratio(site_mwh, machines_mwh);
    let measured =
        measured.ok_or_else(|| unmeasured("its machines used no energy by their meters".to_owned()))?;
    if site_mwh < machines_mwh {
        let detail =
            format!("the site's meter says {site_mwh} mWh, less than the {machines_mwh} mWh of its machines");
        return Err(unmeasured(detail));
    }
    let kwh = |energy_mwh| crate::text::scaled_decimal(energy_mwh, 6);
    let inputs = sites
        .into_iter()
        .map(|(site_id, (site_mwh, machines_mwh))| {
            input([
                ("site_id", site_id.to_owned()),
                ("site_kwh", kwh(site_mwh)),
                ("machines_kwh", kwh(machines_mwh)),
            ])
        })
        .collect();
    Ok((measured, inputs))
}

#[cfg(test)]
mod tests {
    use crate::components::testing::{amounts, contract, lines, november};
    use crate::{Context, EnergyGroup, SiteEnergy, Usage, rate_in};
    use serde_json::{Value, json};

    fn components(factor: (&str, &str)) -> Vec<Value> {
        let mut uplift = json!({"id": "uplift", "kind": "energy_uplift", "currency": "USD", "of": "power"});
        uplift[factor.0] = json!(factor.1);
        vec![
            json!({"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "0.1"}),
            uplift,
        ]
    }

    fn usage(site_mwh: u128) -> Usage {
        let energy = EnergyGroup {
            machine_id: "m".to_owned(),
            meter_id: "e".to_owned(),
            witness: "meter".to_owned(),
            energy_mwh: 1_000_000_000,
            resets: 0,
            unknown_us: 0,
        };
        let site = SiteEnergy { site_id: "s".to_owned(), site_mwh, machines_mwh: 3_000_000_000 };
        Usage { energy: vec![energy], sites: vec![site], ..Usage::default() }
    }

    #[test]
    fn the_uplift_is_on_the_unrounded_energy() {
        for (factor, amount) in [
            (("pue", "1.06"), "6.00"),
            (("pue", "1"), "0.00"),
            (("loss_percent", "2.5"), "2.50"),
            (("measured", "site"), "3.33"),
        ] {
            assert_eq!(amounts(&lines(&components(factor), &usage(3_100_000_000)))[1], amount, "{factor:?}");
        }
    }

    #[test]
    fn a_site_that_uses_less_than_its_machines_is_an_error() {
        let contract = contract(&components(("measured", "site")));
        let context = Context::whole(november()).unwrap();
        for usage in [usage(2_999_999_999), Usage::default()] {
            assert_eq!(rate_in(&contract, &context, &usage).unwrap_err().code(), "WB-5154");
        }
    }
}
