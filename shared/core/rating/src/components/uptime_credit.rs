//! Credit for uptime under the level agreed.
//!
//! ```text
//! adjusted uptime = 100 x sum of up time / (sum of expected time - sum of time left out)
//! tiers           credit = half_even(billed amounts x credit percent of the lowest tier it is under / 100)
//! proportional    credit = half_even(billed amounts x (level - adjusted uptime) / level), if under the level
//! ```
//!
//! Time left out is time that the contract excludes from the operator's promise: curtailment, agreed maintenance.
//! Without expected time there is no credit. The line is negative.

use std::collections::BTreeSet;

use crate::components::common::{ServiceTier, counted, hours_text, service_credit, service_tiers};
use crate::error::{ContractError, RatingError};
use crate::exact::{Exact, sum};
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of an uptime credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The components whose billed amounts are credited in part.
    pub of: Vec<String>,
    /// How much is credited.
    pub credit: Credit,
}

/// How much is credited for uptime under the level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credit {
    /// By steps.
    Tiers(Vec<ServiceTier>),
    /// In proportion to what is missing from this percentage.
    Proportional(Decimal),
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let of = fields.components("of", head.currency)?;
        let credit = if fields.exactly_one(&["tiers", "proportional_below_percent"])? == "tiers" {
            Credit::Tiers(service_tiers(fields)?)
        } else {
            let level = fields.percent("proportional_below_percent")?;
            if level.value.is_zero() {
                let node = fields.required("proportional_below_percent")?;
                return Err(crate::fields::number(node, &level.text, "a percentage above 0, such as \"98\""));
            }
            Credit::Proportional(level)
        };
        Ok(Self { head, of, credit })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        scope.usage.check_uptime().map_err(|error| scope.refused(error))?;
        let wide = || scope.overflow("uptime");
        let add = |of: fn(&crate::UptimeGroup) -> u64| {
            sum(scope.usage.uptime.iter().map(|group| Exact::from(of(group)))).ok_or_else(wide)
        };
        let (expected, up, left_out) =
            (add(|group| group.expected_us)?, add(|group| group.up_us)?, add(|group| group.left_out_us)?);
        let held_to = expected.minus(left_out).ok_or_else(wide)?;
        let machines: BTreeSet<&str> =
            scope.usage.uptime.iter().map(|group| group.machine_id.as_str()).collect();
        let hours =
            |time: Exact| time.floor().and_then(|us| hours_text(u128::try_from(us).ok()?)).ok_or_else(wide);
        let hundred = Exact::from(100_u32);
        let adjusted = if held_to.is_zero() {
            hundred
        } else {
            up.times(hundred).and_then(|up| up.over(held_to)).ok_or_else(wide)?
        };
        let raw = if expected.is_zero() {
            Some(hundred)
        } else {
            up.times(hundred).and_then(|up| up.over(expected))
        };
        let (percent, words) = match &self.credit {
            Credit::Tiers(tiers) => {
                (service_credit(tiers, adjusted), "credit percent of its tier".to_owned())
            }
            Credit::Proportional(level) => {
                let missing = level.value.minus(adjusted).and_then(|missing| missing.greater(Exact::ZERO));
                let percent = missing.and_then(|missing| missing.times(hundred)?.over(level.value));
                (percent, format!("({0} - adjusted uptime) / {0}, if under", level.text))
            }
        };
        let percent = percent.ok_or_else(wide)?;
        let (base, mut inputs) = scope.billed_exact(&self.of, self.head.currency)?;
        inputs.push(input([
            ("expected_us", expected.to_string()),
            ("up_us", up.to_string()),
            ("left_out_us", left_out.to_string()),
            ("uptime_percent", raw.ok_or_else(wide)?.to_string()),
            ("adjusted_percent", adjusted.to_string()),
        ]));
        let credit = base.percent(percent).ok_or_else(|| scope.overflow("amount"))?;
        let draft = Draft {
            description: "Credit for uptime".to_owned(),
            quantity: adjusted,
            unit: "percent adjusted uptime".to_owned(),
            unit_price: format!("{percent} percent credited"),
            formula: format!(
                "-(sum of {}) x {words}; adjusted uptime: {} of {} machine-hours of {}, {} more left out",
                self.of.join(" + "),
                hours(up)?,
                hours(held_to)?,
                counted(machines.len(), "machine"),
                hours(left_out)?
            ),
            amount: credit.negated(),
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "uptime_credit", draft)?])
    }
}

#[cfg(test)]
mod tests {
    use crate::components::testing::{amounts, contract, lines, november};
    use crate::{Context, UptimeGroup, Usage, rate_in};
    use serde_json::{Value, json};

    fn components(credit: (&str, Value)) -> Vec<Value> {
        let mut uptime = json!({"id": "sla", "kind": "uptime_credit", "currency": "USD", "of": ["fee"]});
        uptime[credit.0] = credit.1;
        vec![json!({"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "1000"}), uptime]
    }

    fn usage(expected_us: u64, up_us: u64, left_out_us: u64) -> Usage {
        let group = UptimeGroup { machine_id: "m".to_owned(), expected_us, up_us, left_out_us };
        Usage { uptime: vec![group], ..Usage::default() }
    }

    #[test]
    fn the_lowest_tier_reached_decides_on_adjusted_uptime() {
        let tiers = json!([{"below_percent": "98", "credit_percent": "5"}, {"below_percent": "90", "credit_percent": "20"}]);
        let proportional = json!("98");
        for (expected, up, left_out, by_tier, in_proportion) in [
            (1000, 980, 0, "0.00", "0.00"),
            (1000, 979, 0, "-50.00", "-1.02"),
            (1000, 900, 0, "-50.00", "-81.63"),
            (1000, 899, 0, "-200.00", "-82.65"),
            (1000, 500, 500, "0.00", "0.00"),
            (1000, 0, 0, "-200.00", "-1000.00"),
            (0, 0, 0, "0.00", "0.00"),
            (1000, 0, 1000, "0.00", "0.00"),
        ] {
            let usage = usage(expected, up, left_out);
            let found = amounts(&lines(&components(("tiers", tiers.clone())), &usage));
            assert_eq!(found[1], by_tier, "{up} of {expected}");
            let field = ("proportional_below_percent", proportional.clone());
            assert_eq!(amounts(&lines(&components(field), &usage))[1], in_proportion, "{up} of {expected}");
        }
    }

    #[test]
    fn a_machine_cannot_run_longer_than_there_was_time() {
        let contract = contract(&components(("proportional_below_percent", json!("98"))));
        let context = Context::whole(november()).unwrap();
        for usage in [usage(10, 11, 0), usage(10, 5, 6), usage(u64::MAX, u64::MAX, 1)] {
            assert_eq!(rate_in(&contract, &context, &usage).unwrap_err().code(), "WB-5155");
        }
    }
}
