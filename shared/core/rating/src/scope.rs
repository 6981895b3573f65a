//! The data for rating one component, and the step from its result to a line.

use std::collections::BTreeMap;

use wb_units::time::rfc3339;
use wb_units::{Currency, Interval, Micros, Money};

use crate::context::Context;
use crate::contract::Contract;
use crate::error::{RatingError, UsageError};
use crate::exact::{Exact, sum};
use crate::fields::Head;
use crate::line::{Input, Line};
use crate::prices::Price;
use crate::usage::Usage;
use crate::usage::reserved::Reserved;

/// Thousandths of a watt-hour in a kilowatt-hour.
const MWH_PER_KWH: u128 = 1_000_000;

/// A line with its values before the rounding.
#[derive(Debug, Clone)]
pub(crate) struct Rated {
    pub(crate) line: Line,
    /// The quantity, exact.
    pub(crate) quantity: Exact,
    /// The amount before the rounding, in whole currency.
    pub(crate) exact: Exact,
}

/// A line before the rounding.
pub(crate) struct Draft {
    pub(crate) description: String,
    pub(crate) quantity: Exact,
    pub(crate) unit: String,
    pub(crate) unit_price: String,
    /// How the amount follows; the text of the rounding is added after it.
    pub(crate) formula: String,
    /// In whole currency.
    pub(crate) amount: Exact,
    pub(crate) inputs: Vec<Input>,
}

/// The data for rating one component.
pub(crate) struct Scope<'a> {
    pub(crate) contract: &'a Contract,
    pub(crate) component: &'a str,
    pub(crate) context: Option<&'a Context>,
    pub(crate) usage: &'a Usage,
    pub(crate) rated: &'a BTreeMap<&'a str, Vec<Rated>>,
    pub(crate) reservations: &'a BTreeMap<&'a str, Reserved>,
}

impl<'a> Scope<'a> {
    /// Period and prices.
    pub(crate) fn context(&self) -> Result<&'a Context, RatingError> {
        self.context.ok_or_else(|| RatingError::NoPeriod { component: self.component.to_owned() })
    }

    /// The stretch that is rated.
    pub(crate) fn stretch(&self) -> Result<Interval, RatingError> {
        Ok(self.context()?.stretch())
    }

    /// The reservations among some earlier components.
    pub(crate) fn reserved(&self, ids: &[String]) -> Vec<Reserved> {
        ids.iter().filter_map(|id| self.reservations.get(id.as_str())).cloned().collect()
    }

    /// A sum that does not fit.
    pub(crate) fn overflow(&self, what: &'static str) -> RatingError {
        RatingError::Overflow { component: self.component.to_owned(), what }
    }

    /// Usage that cannot be.
    pub(crate) fn refused(&self, source: UsageError) -> RatingError {
        RatingError::Usage { component: self.component.to_owned(), source }
    }

    /// The metered energy of all machines in kilowatt-hours.
    pub(crate) fn metered_kwh(&self) -> Result<Exact, RatingError> {
        let mwh = self.usage.energy.iter().try_fold(0_u128, |sum, group| sum.checked_add(group.energy_mwh));
        mwh.and_then(kwh).ok_or_else(|| self.overflow("energy"))
    }

    /// Assigned rated power over time, in kW-hours: milliwatts x machine-microseconds / (10^6 x 3.6 x 10^9).
    pub(crate) fn rated_kwh(
        &self,
        time_us: fn(&crate::usage::FleetGroup) -> u128,
    ) -> Result<Exact, RatingError> {
        self.usage.check_fleet().map_err(|error| self.refused(error))?;
        let parts = self.usage.fleet.iter().map(|group| power_time_kwh(group.rated_power_mw, time_us(group)));
        parts.collect::<Option<Vec<_>>>().and_then(sum).ok_or_else(|| self.overflow("rated energy"))
    }

    /// The lines of an earlier component.
    pub(crate) fn lines_of(&self, id: &str) -> &'a [Rated] {
        self.rated.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// The sum of the billed amounts of earlier components of one currency, in minor units.
    pub(crate) fn billed(&self, of: &[String], currency: Currency) -> Result<i128, RatingError> {
        of.iter()
            .flat_map(|id| self.lines_of(id))
            .filter(|rated| rated.line.amount.currency == currency)
            .try_fold(0_i128, |sum, rated| sum.checked_add(rated.line.amount.minor))
            .ok_or_else(|| self.overflow("sum of lines"))
    }

    /// The ids of the lines of earlier components of one currency, sorted.
    pub(crate) fn line_ids(&self, of: &[String], currency: Currency) -> Vec<String> {
        let lines = of.iter().flat_map(|id| self.lines_of(id)).map(|rated| &rated.line);
        let mut ids: Vec<String> =
            lines.filter(|line| line.amount.currency == currency).map(|line| line.id.clone()).collect();
        ids.sort();
        ids
    }

    /// The same sum in whole currency, with an input for every line.
    pub(crate) fn billed_exact(
        &self,
        of: &[String],
        currency: Currency,
    ) -> Result<(Exact, Vec<Input>), RatingError> {
        let minor = self.billed(of, currency)?;
        let amount = Exact::scaled(minor, currency.scale()).ok_or_else(|| self.overflow("sum of lines"))?;
        let inputs = of
            .iter()
            .flat_map(|id| self.lines_of(id))
            .map(|rated| {
                crate::line::input([
                    ("line", rated.line.id.clone()),
                    ("amount", rated.line.amount.decimal_text()),
                    ("currency", rated.line.amount.currency.code().to_owned()),
                ])
            })
            .collect();
        Ok((amount, inputs))
    }

    /// The price of a series at an instant in one of the units that fit.
    pub(crate) fn price(
        &self,
        series: &str,
        at_us: Micros,
        max_age_us: Option<i64>,
        unit: &str,
    ) -> Result<&'a Price, RatingError> {
        let price =
            self.context()?.prices.at(series, at_us, max_age_us).map_err(|missing| RatingError::NoPrice {
                component: self.component.to_owned(),
                series: series.to_owned(),
                at: rfc3339(at_us),
                why: missing.words(),
            })?;
        if price.unit != unit {
            return Err(RatingError::PriceUnit {
                component: self.component.to_owned(),
                series: series.to_owned(),
                unit: price.unit.clone(),
                at: rfc3339(at_us),
                expected: unit.to_owned(),
            });
        }
        Ok(price)
    }

    /// The price of a bitcoin at an instant, which is above zero.
    pub(crate) fn fixing(&self, series: &str, at_us: Micros, unit: &str) -> Result<&'a Price, RatingError> {
        let price = self.price(series, at_us, None, unit)?;
        if price.value.is_zero() || price.value.is_negative() {
            return Err(RatingError::Fixing {
                component: self.component.to_owned(),
                series: series.to_owned(),
                at: rfc3339(at_us),
                value: price.text.clone(),
            });
        }
        Ok(price)
    }

    /// Rounds the amount, once, and makes the line.
    pub(crate) fn finish(&self, head: &Head, kind: &'static str, draft: Draft) -> Result<Rated, RatingError> {
        self.finish_as(self.component.to_owned(), head, kind, draft)
    }

    /// As [`Self::finish`], for one of several lines of a component.
    pub(crate) fn finish_part(
        &self,
        part: &str,
        head: &Head,
        kind: &'static str,
        draft: Draft,
    ) -> Result<Rated, RatingError> {
        self.finish_as(format!("{}/{part}", self.component), head, kind, draft)
    }

    fn finish_as(
        &self,
        name: String,
        head: &Head,
        kind: &'static str,
        draft: Draft,
    ) -> Result<Rated, RatingError> {
        let currency = head.currency;
        let minor = draft.amount.minor(currency.scale()).ok_or_else(|| self.overflow("amount"))?;
        let step = Money { minor: 1, currency }.decimal_text();
        let line = Line {
            id: format!("{}/{name}", self.contract.contract_id),
            component: head.id.clone(),
            kind: kind.to_owned(),
            description: head.description.clone().unwrap_or(draft.description),
            quantity: draft.quantity.to_string(),
            unit: draft.unit,
            unit_price: draft.unit_price,
            formula: format!("{}, rounded once half to even to {step} {}", draft.formula, currency.code()),
            amount: Money { minor, currency },
            tax: None,
            inputs: draft.inputs,
        };
        Ok(Rated { line, quantity: draft.quantity, exact: draft.amount })
    }
}

/// Thousandths of a watt-hour as kilowatt-hours.
pub(crate) fn kwh(energy_mwh: u128) -> Option<Exact> {
    Exact::ratio(energy_mwh, MWH_PER_KWH)
}

/// Power in milliwatts over time in microseconds, as kilowatt-hours.
pub(crate) fn power_time_kwh(power_mw: u64, time_us: u128) -> Option<Exact> {
    let hours = Exact::ratio(time_us, crate::context::HOUR_US)?;
    Exact::ratio(u128::from(power_mw), MWH_PER_KWH)?.times(hours)
}
