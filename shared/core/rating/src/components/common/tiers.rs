//! Tiers of a price: bounds that rise, the last without one.

use crate::error::ContractError;
use crate::exact::Exact;
use crate::fields::{Decimal, Fields};

/// A tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The greatest quantity of a whole period that is still in it; none for the last.
    pub up_to: Option<Decimal>,
    /// The price of a unit, where tiers have one.
    pub unit_price: Option<Decimal>,
    /// An amount for entering it, for a whole period.
    pub flat: Option<Decimal>,
}

/// What each tier of a kind has.
pub(crate) struct Tiers {
    priced: bool,
}

impl Tiers {
    /// A flat amount each.
    pub(crate) const FLAT: Self = Self { priced: false };
    /// A unit price each, and a flat amount where the contract has one.
    pub(crate) const PRICED: Self = Self { priced: true };

    /// Reads `tiers`.
    pub(crate) fn read(&self, fields: &mut Fields<'_>) -> Result<Vec<Tier>, ContractError> {
        let place = fields.required("tiers")?.place.clone();
        let mut tiers: Vec<Tier> = Vec::new();
        let mut ended = false;
        let mut bound = Exact::ZERO;
        for mut entry in fields.tables("tiers")? {
            let up_to = if entry.optional("up_to").is_some() { Some(entry.size("up_to")?) } else { None };
            let rises = match &up_to {
                Some(up_to) => {
                    up_to.value.minus(bound).is_some_and(|gap| !gap.is_negative() && !gap.is_zero())
                }
                None => true,
            };
            if ended || !rises {
                let detail = "the bounds of tiers rise from entry to entry, and only the last has none";
                return Err(ContractError::Steps { field: entry.place(), detail });
            }
            ended = up_to.is_none();
            bound = up_to.as_ref().map_or(bound, |up_to| up_to.value);
            let (unit_price, flat) = if self.priced {
                (Some(entry.price("unit_price")?), entry.price_or_none("flat")?)
            } else {
                (None, Some(entry.price("flat")?))
            };
            entry.finish()?;
            tiers.push(Tier { up_to, unit_price, flat });
        }
        if !ended {
            let detail = "the last tier has no up_to: every quantity has a price";
            return Err(ContractError::Steps { field: place, detail });
        }
        Ok(tiers)
    }
}

impl Tier {
    /// The tier that a quantity above zero reaches. The outer `None` is a number that does not fit.
    pub(crate) fn reached(tiers: &[Self], quantity: Exact, fraction: Exact) -> Option<Option<&Self>> {
        for tier in tiers {
            let Some(up_to) = &tier.up_to else { return Some(Some(tier)) };
            let over = quantity.minus(up_to.value.times(fraction)?)?;
            if over.is_negative() || over.is_zero() {
                return Some(Some(tier));
            }
        }
        Some(None)
    }

    /// Units at its price and its flat amount for the fraction of the period.
    pub(crate) fn amount(&self, units: Exact, fraction: Exact) -> Option<Exact> {
        let at_price =
            self.unit_price.as_ref().map_or(Some(Exact::ZERO), |price| units.times(price.value))?;
        let flat = self.flat.as_ref().map_or(Some(Exact::ZERO), |flat| flat.value.times(fraction))?;
        at_price.plus(flat)
    }

    /// Its bound as text.
    pub(crate) fn bound_text(&self) -> String {
        self.up_to.as_ref().map_or_else(|| "any".to_owned(), |up_to| up_to.text.clone())
    }

    /// Tiers as text.
    pub(crate) fn words(tiers: &[Self]) -> String {
        let one = |tier: &Self| {
            let price =
                tier.unit_price.as_ref().map_or(String::new(), |price| format!(" {} each", price.text));
            let flat = tier.flat.as_ref().map_or(String::new(), |flat| format!(" flat {}", flat.text));
            format!("up to {}:{price}{flat}", tier.bound_text())
        };
        tiers.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use crate::components::testing::{contract, november};
    use crate::{Context, CountGroup, Usage, rate_in};
    use serde_json::{Value, json};
    use wb_units::Interval;

    /// Amounts of stair, graduated, volume and package prices of a count, over a part of November.
    fn amounts(count: u128, days: i64) -> Vec<String> {
        let priced = json!([{"up_to": "10", "unit_price": "3"}, {"up_to": "20", "unit_price": "2", "flat": "5"},
            {"unit_price": "1"}]);
        let flat = json!([{"up_to": "10", "flat": "30"}, {"up_to": "20", "flat": "60"}, {"flat": "90"}]);
        let component = |kind: &str, more: Value| {
            let mut c =
                json!({"id": kind, "kind": kind, "currency": "USD", "measure": "count", "meter": "hands"});
            for (name, value) in more.as_object().unwrap() {
                c[name] = value.clone();
            }
            c
        };
        let contract = contract(&[
            component("tiered", json!({"tiers": flat})),
            component("graduated", json!({"unit": "USD/hands", "tiers": priced})),
            component("volume", json!({"unit": "USD/hands", "tiers": priced})),
            component("package", json!({"size": "5", "package_price": "4", "free": "3"})),
        ]);
        let start_us = november().start_us;
        let stretch = Interval { start_us, end_us: start_us + days * 86_400_000_000 };
        let context = Context::new(november(), stretch).unwrap();
        let group = CountGroup { meter: "hands".to_owned(), value_micro: count * 1_000_000 };
        let usage = Usage { counts: vec![group], ..Usage::default() };
        let lines = rate_in(&contract, &context, &usage).unwrap();
        lines.iter().map(|line| line.amount.decimal_text()).collect()
    }

    #[test]
    fn a_bound_belongs_to_its_tier_and_half_a_month_has_half_the_bounds() {
        for (count, days, expected) in [
            (0, 30, ["0.00", "0.00", "0.00", "0.00"]),
            (3, 30, ["30.00", "9.00", "9.00", "0.00"]),
            (10, 30, ["30.00", "30.00", "30.00", "8.00"]),
            (11, 30, ["60.00", "37.00", "27.00", "8.00"]),
            (20, 30, ["60.00", "55.00", "45.00", "16.00"]),
            (21, 30, ["90.00", "56.00", "21.00", "16.00"]),
            (5, 15, ["15.00", "15.00", "15.00", "4.00"]),
            (6, 15, ["30.00", "19.50", "14.50", "4.00"]),
            (11, 15, ["45.00", "28.50", "11.00", "8.00"]),
        ] {
            assert_eq!(amounts(count, days), expected, "{count} in {days} days");
        }
    }
}
