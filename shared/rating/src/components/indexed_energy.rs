//! Metered energy at a market price, with an adder, a cap and a floor.
//!
//! ```text
//! price  = min(cap, max(floor, index + adder))                     each five-minute interval, at its start
//! amount = half_even( sum over intervals of energy x price )
//! ```
//!
//! Adder, cap and floor are in the unit of the index. The energy by interval must add up to the metered
//! energy. Every interval with energy needs a price; one without needs none.

use std::collections::BTreeMap;

use crate::components::common::{by_instant, max_age_us, per};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope, kwh};

/// Terms of indexed energy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The series of the index.
    pub series: String,
    /// The unit of index, adder, cap and floor: per kWh or per MWh.
    pub unit: String,
    /// What is added to the index.
    pub adder: Decimal,
    /// The highest price.
    pub cap: Option<Decimal>,
    /// The lowest price.
    pub floor: Option<Decimal>,
    /// How old a price may be.
    pub max_age_us: Option<i64>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let unit = fields.unit("unit", &[per(head.currency, "MWh"), per(head.currency, "kWh")])?;
        let series = fields.id("series")?;
        let adder = fields.decimal("adder")?;
        let (cap, floor) = (fields.decimal_or_none("cap")?, fields.decimal_or_none("floor")?);
        if let (Some(cap), Some(floor)) = (&cap, &floor)
            && cap.value.minus(floor.value).is_none_or(Exact::is_negative)
        {
            let node = fields.required("cap")?;
            return Err(crate::fields::number(node, &cap.text, "a cap that is not under the floor"));
        }
        Ok(Self { series, unit, adder, cap, floor, max_age_us: max_age_us(fields)?, head })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let wide = || scope.overflow("energy");
        scope.usage.check_energy_slices(scope.stretch()?).map_err(|error| scope.refused(error))?;
        let mut prices: BTreeMap<(&str, &str), (Exact, u128)> = BTreeMap::new();
        let slices = scope.usage.energy_slices.iter().map(|slice| (slice.start_us, slice.energy_mwh));
        for (start_us, energy_mwh) in by_instant(slices).ok_or_else(wide)? {
            let price = scope.price(&self.series, start_us, self.max_age_us, &self.unit)?;
            let entry = prices.entry((&price.text, &price.source)).or_insert((price.value, 0));
            entry.1 = entry.1.checked_add(energy_mwh).ok_or_else(wide)?;
        }
        let per_kwh = Exact::from(if self.unit.ends_with("/MWh") { 1_000_u32 } else { 1 });
        let (mut quantity, mut amount) = (Exact::ZERO, Exact::ZERO);
        let mut inputs = Vec::with_capacity(prices.len());
        for ((index, source), (value, energy_mwh)) in prices {
            let energy_kwh = kwh(energy_mwh).ok_or_else(wide)?;
            let price = self.bounded(value).ok_or_else(|| scope.overflow("price"))?;
            let part = energy_kwh.times(price).and_then(|part| part.over(per_kwh));
            quantity = quantity.plus(energy_kwh).ok_or_else(wide)?;
            amount = part.and_then(|part| amount.plus(part)).ok_or_else(|| scope.overflow("amount"))?;
            inputs.push(input([
                ("index", index.to_owned()),
                ("source", source.to_owned()),
                ("price", format!("{price} {}", self.unit)),
                ("energy_kwh", energy_kwh.to_string()),
            ]));
        }
        let bound = |name: &str, bound: &Option<Decimal>| {
            bound.as_ref().map_or(String::new(), |bound| format!(", {name} {}", bound.text))
        };
        let price = format!(
            "{} + {} {}{}{}",
            self.series,
            self.adder.text,
            self.unit,
            bound("at most", &self.cap),
            bound("at least", &self.floor)
        );
        let draft = Draft {
            description: "Metered energy at a market price".to_owned(),
            quantity,
            unit: "kWh".to_owned(),
            formula: format!("sum over five-minute intervals of energy x ({price})"),
            unit_price: price,
            amount,
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "indexed_energy", draft)?])
    }

    fn bounded(&self, index: Exact) -> Option<Exact> {
        let mut price = index.plus(self.adder.value)?;
        if let Some(floor) = &self.floor {
            price = price.greater(floor.value)?;
        }
        if let Some(cap) = &self.cap {
            price = price.lesser(cap.value)?;
        }
        Some(price)
    }
}
