//! Metered energy at a market price, with an adder, a cap and a floor.
//!
//! ```text
//! price  = min(cap, max(floor, index + adder))                     each five-minute interval, at its start
//! amount = half_even( sum over intervals of energy x price )
//! ```
//!
//! Adder, cap and floor are in the unit of the index. The energy by interval must add up to the metered
//! energy. Every interval with energy needs a price; one without needs none.

use crate::components::common::{by_instant, by_price, max_age_us, per};
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
        let slices = scope.usage.energy_slices.iter().map(|slice| (slice.start_us, slice.energy_mwh));
        let slices = by_instant(slices).ok_or_else(wide)?;
        let parts = by_price(scope, (&self.series, &self.unit, self.max_age_us), slices, "energy")?;
        let per_kwh = Exact::from(if self.unit.ends_with("/MWh") { 1_000_u32 } else { 1 });
        let (mut quantity, mut amount) = (Exact::ZERO, Exact::ZERO);
        let mut inputs = Vec::with_capacity(parts.len());
        for priced in parts {
            let energy_kwh = kwh(priced.quantity).ok_or_else(wide)?;
            let price = self.bounded(priced.value).ok_or_else(|| scope.overflow("price"))?;
            let part = energy_kwh.times(price).and_then(|part| part.over(per_kwh));
            quantity = quantity.plus(energy_kwh).ok_or_else(wide)?;
            amount = part.and_then(|part| amount.plus(part)).ok_or_else(|| scope.overflow("amount"))?;
            let mut listed = input([
                ("index", priced.text.to_owned()),
                ("source", priced.source.to_owned()),
                ("price", format!("{price} {}", self.unit)),
                ("energy_kwh", energy_kwh.to_string()),
            ]);
            priced.evidence(&self.series, &mut listed);
            inputs.push(listed);
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
