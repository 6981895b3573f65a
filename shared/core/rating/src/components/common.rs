//! Shared by several kinds: powers and measures, tiers of service, rounding units, texts.

pub(crate) mod tiers;

use std::collections::BTreeMap;

use wb_units::time::rfc3339;
use wb_units::{Currency, Micros};

use crate::context::duration_us;
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields};
use crate::line::Input;
use crate::scope::Scope;
use crate::usage::reserved::allocated;

/// The power that a fee or a commitment is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Power {
    /// A number of kilowatts that the contract states.
    Contracted(Decimal),
    /// The rated power of the machines that were assigned, weighted by time.
    Rated,
}

impl Power {
    /// Reads `contracted_kw` or `power = "rated"`.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        if fields.exactly_one(&["contracted_kw", "power"])? == "power" {
            fields.word("power", &["rated"])?;
            return Ok(Self::Rated);
        }
        fields.size("contracted_kw").map(Self::Contracted)
    }

    /// Power over the hours of the stretch, in kilowatt-hours.
    pub(crate) fn kwh(&self, scope: &Scope<'_>) -> Result<Exact, RatingError> {
        match self {
            Self::Contracted(power_kw) => {
                let hours = scope.context()?.stretch_hours();
                hours
                    .and_then(|hours| hours.times(power_kw.value))
                    .ok_or_else(|| scope.overflow("contracted energy"))
            }
            Self::Rated => scope.rated_kwh(|group| group.assigned_us),
        }
    }

    /// Power, averaged over the stretch, in kilowatts.
    pub(crate) fn average_kw(&self, scope: &Scope<'_>) -> Result<Exact, RatingError> {
        let energy_kwh = self.kwh(scope)?;
        let hours = scope.context()?.stretch_hours();
        hours.and_then(|hours| energy_kwh.over(hours)).ok_or_else(|| scope.overflow("average power"))
    }

    /// The text for people.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Contracted(power_kw) => format!("{} kW contracted", power_kw.text),
            Self::Rated => "the rated power of the assigned machines".to_owned(),
        }
    }
}

/// A count that can be priced in tiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// Metered energy.
    EnergyKwh,
    /// GPU-hours of whole GPUs above what the named reservations cover, not rounded. `None` where the document says
    /// nothing of coverage.
    GpuHours(Option<Vec<String>>),
    /// Accepted work on the main chain in PH/s over days.
    WorkPhDays,
    /// Assigned machines over the period.
    MachineMonths,
    /// A count with a name of its own.
    Count(String),
}

impl Measure {
    /// Reads `measure`, and `meter` for a count.
    pub(crate) fn read(fields: &mut Fields<'_>, currency: Currency) -> Result<Self, ContractError> {
        let words = ["energy_kwh", "gpu_hours", "work_ph_days", "machine_months", "count"];
        Ok(match fields.word("measure", &words)? {
            "energy_kwh" => Self::EnergyKwh,
            "gpu_hours" => Self::GpuHours(fields.covered_by(currency)?),
            "work_ph_days" => Self::WorkPhDays,
            "machine_months" => Self::MachineMonths,
            _ => Self::Count(fields.id("meter")?),
        })
    }

    /// The unit of the quantity.
    pub(crate) fn unit(&self) -> String {
        match self {
            Self::EnergyKwh => "kWh".to_owned(),
            Self::GpuHours(_) => "GPU-hour".to_owned(),
            Self::WorkPhDays => "PH/s/day".to_owned(),
            Self::MachineMonths => "machine-month".to_owned(),
            Self::Count(meter) => meter.clone(),
        }
    }

    /// The quantity of the stretch.
    pub(crate) fn quantity(&self, scope: &Scope<'_>) -> Result<Exact, RatingError> {
        let quantity = match self {
            Self::EnergyKwh => return scope.metered_kwh(),
            Self::GpuHours(covered_by) => {
                let stretch = scope.stretch()?;
                let reserved = scope.reserved(covered_by.as_deref().unwrap_or_default());
                let found = allocated(&scope.usage.gpu_spans, "", &reserved, stretch.end_us)
                    .map_err(|error| scope.refused(error))?;
                found
                    .iter()
                    .try_fold(0_u128, |sum, one| sum.checked_add(one.exact_us(stretch, |piece| piece.above)?))
                    .and_then(|gpu_us| Exact::ratio(gpu_us, crate::context::HOUR_US))
            }
            Self::WorkPhDays => main_q32(scope).and_then(ph_days),
            Self::MachineMonths => {
                scope.usage.check_fleet().map_err(|error| scope.refused(error))?;
                let period_us = duration_us(scope.context()?.period());
                let machine_us = scope
                    .usage
                    .fleet
                    .iter()
                    .try_fold(0_u128, |sum, group| sum.checked_add(group.assigned_us));
                machine_us.and_then(|machine_us| Exact::ratio(machine_us, period_us))
            }
            Self::Count(meter) => scope
                .usage
                .counts
                .iter()
                .filter(|group| group.meter == *meter)
                .try_fold(0_u128, |sum, group| sum.checked_add(group.value_micro))
                .and_then(|micro| Exact::ratio(micro, 1_000_000)),
        };
        quantity.ok_or_else(|| scope.overflow("quantity"))
    }
}

/// Accepted work on the main chain.
pub(crate) fn main_q32(scope: &Scope<'_>) -> Option<u128> {
    let earning = scope.usage.work.iter().filter(|group| group.chain == super::pool_earnings::EARNING_CHAIN);
    earning.map(|group| group.credited_q32).try_fold(0_u128, u128::checked_add)
}

/// Credited difficulty in units of 2^-32 as PH/s over days: q32 x 65536 / 65535 expected hashes, of which a
/// PH/s makes 10^15 x 86,400 in a day.
pub(crate) fn ph_days(credited_q32: u128) -> Option<Exact> {
    let hashes = Exact::from(credited_q32).times(Exact::ratio(65_536, 65_535)?)?;
    hashes.over(Exact::from(86_400_000_000_000_000_000_u128))
}

/// What a duration is rounded up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundingUnit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl RoundingUnit {
    /// Reads `rounding`.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        Ok(match fields.word("rounding", &["second", "minute", "hour"])? {
            "second" => Self::Second,
            "minute" => Self::Minute,
            _ => Self::Hour,
        })
    }

    /// How many of it an hour has.
    pub(crate) fn per_hour(self) -> u128 {
        match self {
            Self::Second => 3_600,
            Self::Minute => 60,
            Self::Hour => 1,
        }
    }

    /// Its length.
    pub(crate) fn length_us(self) -> u128 {
        crate::context::HOUR_US / self.per_hour()
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }
}

/// A level of service, and the credit below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTier {
    /// The credit is for service under this percentage.
    pub below_percent: Decimal,
    /// The credit, in percent of the amounts of the listed components.
    pub credit_percent: Decimal,
}

/// Reads `tiers` of a service credit: from the highest level down, with growing credits.
pub(crate) fn service_tiers(fields: &mut Fields<'_>) -> Result<Vec<ServiceTier>, ContractError> {
    let mut tiers: Vec<ServiceTier> = Vec::new();
    for mut entry in fields.tables("tiers")? {
        let tier = ServiceTier {
            below_percent: entry.percent("below_percent")?,
            credit_percent: entry.percent("credit_percent")?,
        };
        let in_order = tiers.last().is_none_or(|last| {
            let lower = last.below_percent.value.minus(tier.below_percent.value);
            let more = tier.credit_percent.value.minus(last.credit_percent.value);
            lower.is_some_and(|gap| !gap.is_negative() && !gap.is_zero())
                && more.is_some_and(|gap| !gap.is_negative())
        });
        if !in_order {
            let detail =
                "levels go down and credits do not shrink from entry to entry; put them in that order";
            return Err(ContractError::Steps { field: entry.place(), detail });
        }
        entry.finish()?;
        tiers.push(tier);
    }
    Ok(tiers)
}

/// The credit in percent for a level of service: that of the lowest tier it is under, else zero.
pub(crate) fn service_credit(tiers: &[ServiceTier], level_percent: Exact) -> Option<Exact> {
    let mut credit = Exact::ZERO;
    for tier in tiers {
        if level_percent.minus(tier.below_percent.value)?.is_negative() {
            credit = tier.credit_percent.value;
        }
    }
    Some(credit)
}

/// A number of things, such as "1 node" or "2 nodes".
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Microseconds as hours with two decimal places, half even, for words; figures that are computed with are exact.
pub(crate) fn hours_text(time_us: u128) -> Option<String> {
    let hundredths = Exact::ratio(time_us, crate::context::HOUR_US)?.minor(2)?;
    Some(wb_units::decimal::format(hundredths, 2))
}

/// `USD/kWh` for US dollars and `kWh`.
pub(crate) fn per(currency: Currency, unit: &str) -> String {
    format!("{}/{unit}", currency.code())
}

/// Reads `unit` where there is one that fits, and `unit_price`.
pub(crate) fn unit_price(
    fields: &mut Fields<'_>,
    currency: Currency,
    unit: &str,
) -> Result<Decimal, ContractError> {
    fields.unit("unit", &[per(currency, unit)])?;
    fields.price("unit_price")
}

/// Reads `max_age_s`: how old a price may be before it counts as missing.
pub(crate) fn max_age_us(fields: &mut Fields<'_>) -> Result<Option<i64>, ContractError> {
    let age_s = fields.whole_or_none("max_age_s", 300..=366 * 86_400)?;
    Ok(age_s.and_then(|age_s| i64::try_from(age_s).ok()).and_then(|age_s| age_s.checked_mul(1_000_000)))
}

/// Quantities added up by instant, in order of time. So an error gives the first instant without a price, in whatever
/// order usage came.
pub(crate) fn by_instant(parts: impl Iterator<Item = (Micros, u128)>) -> Option<BTreeMap<Micros, u128>> {
    let mut sums: BTreeMap<Micros, u128> = BTreeMap::new();
    for (at_us, quantity) in parts.filter(|(_, quantity)| *quantity > 0) {
        let sum = sums.entry(at_us).or_default();
        *sum = sum.checked_add(quantity)?;
    }
    Some(sums)
}

/// Quantities of the intervals in which one price held.
pub(crate) struct PricedPart<'a> {
    pub(crate) value: Exact,
    pub(crate) text: &'a str,
    pub(crate) source: &'a str,
    pub(crate) quantity: u128,
    first_us: Micros,
    last_us: Micros,
}

impl PricedPart<'_> {
    /// The price: its series and the instant from which it holds. For equal prices of several instants, the first and
    /// the last of these instants.
    pub(crate) fn evidence(&self, series: &str, input: &mut Input) {
        input.insert("series".to_owned(), series.to_owned());
        input.insert("price_from".to_owned(), rfc3339(self.first_us));
        if self.last_us != self.first_us {
            input.insert("last_price_from".to_owned(), rfc3339(self.last_us));
        }
    }
}

/// The quantities of intervals, combined by the price at each interval's start, in order of the price's text and
/// source.
pub(crate) fn by_price<'a>(
    scope: &Scope<'a>,
    (series, unit, max_age_us): (&str, &str, Option<i64>),
    slices: BTreeMap<Micros, u128>,
    what: &'static str,
) -> Result<Vec<PricedPart<'a>>, RatingError> {
    let mut parts: BTreeMap<(&'a str, &'a str), PricedPart<'a>> = BTreeMap::new();
    for (start_us, quantity) in slices {
        let price = scope.price(series, start_us, max_age_us, unit)?;
        let part = parts.entry((&price.text, &price.source)).or_insert(PricedPart {
            value: price.value,
            text: &price.text,
            source: &price.source,
            quantity: 0,
            first_us: price.from_us,
            last_us: price.from_us,
        });
        part.quantity = part.quantity.checked_add(quantity).ok_or_else(|| scope.overflow(what))?;
        part.last_us = price.from_us;
    }
    Ok(parts.into_values().collect())
}
