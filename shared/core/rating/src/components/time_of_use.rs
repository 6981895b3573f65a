//! Metered energy at prices that depend on the time of use.
//!
//! ```text
//! amount = half_even( sum over rates of  energy_kwh of its intervals x its price )
//! ```
//!
//! Each five-minute interval belongs to the first rate, in the contract's order, that has a window with the
//! interval's start in it; the last rate has no windows and takes the rest. Windows are in the local time
//! of the contract's zone (see [`windows`]). The energy by interval must add up to the metered energy.

pub mod windows;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::Date};

use crate::components::common::per;
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope, kwh};
use windows::{Window, read_holidays, read_windows};

/// Terms of time-of-use energy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The rates; the first with a matching window counts, and the last takes the rest.
    pub rates: Vec<Rate>,
    /// The days that count as `holiday` and not as a day of the week, sorted.
    pub holidays: Vec<Date>,
}

/// A price and when it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// Its name.
    pub name: String,
    /// The price of a kilowatt-hour.
    pub unit_price: Decimal,
    /// When it holds; the last rate has none.
    pub windows: Vec<Window>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        fields.unit("unit", &[per(head.currency, "kWh")])?;
        let place = fields.required("rates")?.place.clone();
        let mut rates: Vec<Rate> = Vec::new();
        for mut entry in fields.tables("rates")? {
            let name = entry.id("name")?;
            if rates.iter().any(|other| other.name == name) {
                return Err(ContractError::RepeatedId {
                    field: entry.required("name")?.place.clone(),
                    value: name,
                });
            }
            let rate =
                Rate { name, unit_price: entry.price("unit_price")?, windows: read_windows(&mut entry)? };
            entry.finish()?;
            rates.push(rate);
        }
        let without = rates.iter().position(|rate| rate.windows.is_empty());
        if without.is_none_or(|index| index + 1 != rates.len()) {
            let detail = "exactly the last rate has no windows: it takes the time that no window covers";
            return Err(ContractError::Steps { field: place, detail });
        }
        let holidays = read_holidays(fields)?;
        Ok(Self { head, rates, holidays })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let wide = || scope.overflow("energy");
        scope.usage.check_energy_slices(scope.stretch()?).map_err(|error| scope.refused(error))?;
        // The same table had the zone when the contract was read.
        let zone = TimeZone::get(&scope.contract.time_zone).map_err(|_| wide())?;
        let mut by_rate = vec![0_u128; self.rates.len()];
        for slice in &scope.usage.energy_slices {
            let at = Timestamp::from_microsecond(slice.start_us).map_err(|_| scope.overflow("instant"))?;
            let sum = by_rate.get_mut(self.rate_at(at, &zone)).ok_or_else(wide)?;
            *sum = sum.checked_add(slice.energy_mwh).ok_or_else(wide)?;
        }
        let code = self.head.currency.code();
        let (mut quantity, mut amount) = (Exact::ZERO, Exact::ZERO);
        let mut inputs = Vec::with_capacity(self.rates.len());
        for (rate, energy_mwh) in self.rates.iter().zip(by_rate) {
            let energy_kwh = kwh(energy_mwh).ok_or_else(wide)?;
            let part = energy_kwh.times(rate.unit_price.value).ok_or_else(|| scope.overflow("amount"))?;
            quantity = quantity.plus(energy_kwh).ok_or_else(wide)?;
            amount = amount.plus(part).ok_or_else(|| scope.overflow("amount"))?;
            inputs.push(input([
                ("rate", rate.name.clone()),
                ("energy_kwh", energy_kwh.to_string()),
                ("unit_price", format!("{} {code}/kWh", rate.unit_price.text)),
            ]));
        }
        let prices: Vec<_> = self
            .rates
            .iter()
            .map(|rate| format!("{} {} {code}/kWh", rate.name, rate.unit_price.text))
            .collect();
        let draft = Draft {
            description: "Metered energy by time of use".to_owned(),
            quantity,
            unit: "kWh".to_owned(),
            unit_price: prices.join(", "),
            formula: format!(
                "sum over rates of energy_kwh x price, local time of {}",
                scope.contract.time_zone
            ),
            amount,
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "time_of_use", draft)?])
    }

    /// The place of the rate that holds at an instant.
    fn rate_at(&self, at: Timestamp, zone: &TimeZone) -> usize {
        let local = zone.to_datetime(at);
        let fits = |rate: &Rate| rate.windows.iter().any(|window| window.holds(local, &self.holidays));
        self.rates.iter().position(fits).unwrap_or(self.rates.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use crate::components::testing::contract;
    use crate::{Context, EnergyGroup, EnergySlice, Period, Usage, rate_in};
    use serde_json::{Value, json};

    fn component() -> Value {
        json!({"id": "power", "kind": "time_of_use", "currency": "USD", "unit": "USD/kWh",
            "holidays": ["2026-11-26"],
            "rates": [
                {"name": "peak", "unit_price": "0.2", "windows": [
                    {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "14:00", "to": "20:00"}]},
                {"name": "night", "unit_price": "0.05", "windows": [{"from": "22:00", "to": "06:00"}]},
                {"name": "base", "unit_price": "0.1"}]})
    }

    /// A kilowatt-hour in every interval of a month of the contract's zone.
    fn month(text: &str) -> (Context, Usage) {
        let interval = Period::month(text, "America/Chicago").unwrap().interval;
        let mut usage = Usage::default();
        let mut start_us = interval.start_us;
        while start_us < interval.end_us {
            usage.energy_slices.push(EnergySlice { start_us, energy_mwh: 1_000_000 });
            start_us += wb_units::SETTLEMENT_INTERVAL_US;
        }
        usage.energy.push(EnergyGroup {
            machine_id: "m".to_owned(),
            meter_id: "e".to_owned(),
            witness: "meter".to_owned(),
            energy_mwh: 1_000_000 * u128::try_from(usage.energy_slices.len()).unwrap(),
            resets: 0,
            unknown_us: 0,
        });
        (Context::whole(interval).unwrap(), usage)
    }

    fn hours(text: &str) -> [u64; 3] {
        let (context, usage) = month(text);
        let line = rate_in(&contract(&[component()]), &context, &usage).unwrap().remove(0);
        [0, 1, 2].map(|index| {
            let intervals: u64 = line.inputs[index]["energy_kwh"].parse().unwrap();
            assert_eq!(intervals % 12, 0);
            intervals / 12
        })
    }

    #[test]
    fn weekdays_holidays_nights_and_clock_changes_follow_the_zone() {
        // 30 days of 24 h and one repeated hour on 1 November; 21 working days, one of them a holiday.
        assert_eq!(hours("2026-11"), [20 * 6, 30 * 8 + 1, 30 * 24 + 1 - 20 * 6 - 30 * 8 - 1]);
        // One hour of the night of 8 March does not exist; 22 working days.
        assert_eq!(hours("2026-03"), [22 * 6, 31 * 8 - 1, 31 * 24 - 1 - 22 * 6 - 31 * 8 + 1]);
        // A leap day is a Thursday like any other.
        assert_eq!(hours("2024-02"), [21 * 6, 29 * 8, 29 * 24 - 21 * 6 - 29 * 8]);
    }

    #[test]
    fn energy_by_interval_must_be_the_metered_energy_on_the_grid_of_the_period() {
        let contract = contract(&[component()]);
        let (context, usage) = month("2026-11");
        let mut short = usage.clone();
        short.energy_slices.pop();
        let mut off = usage.clone();
        off.energy_slices[0].start_us += 1;
        let mut outside = usage;
        outside.energy_slices[0].start_us -= wb_units::SETTLEMENT_INTERVAL_US;
        for wrong in [short, off, outside] {
            assert_eq!(rate_in(&contract, &context, &wrong).unwrap_err().code(), "WB-5155");
        }
    }
}
