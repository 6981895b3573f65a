//! The report of a site or fleet, in the terms that listed miners publish, from aggregates of a
//! period.
//!
//! Rates are work over time, never means of means: an average operating hashrate is all hashes of
//! the period over its seconds. Money is in minor units of one currency at a scale the caller
//! keeps. A figure that cannot be computed is `None`: a site without work has no cost per bitcoin.

pub mod mix;
pub mod period;

use ruint::aliases::U512;
use wb_units::Interval;
use wb_units::rounding::div_half_even;

use crate::energy::witness::NJ_PER_WH;
use crate::gpu::allocation::WHOLE_GPU;
use crate::ratio::{mul_div, ppm};
use crate::uptime::{Status, Uptime};

/// Satoshi in a bitcoin.
const SAT_PER_BTC: u128 = 100_000_000;

/// Microseconds in an hour.
const HOUR_US: u128 = 3_600_000_000;

/// What a period's machines, meters and money add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aggregates {
    /// Bitcoin that the pool paid or credited, in satoshi.
    pub produced_sat: u128,
    /// Bitcoin expected of the proven work, in satoshi.
    pub expected_sat: u128,
    /// Hashes proven.
    pub hashes: u128,
    /// Nameplate hashrate of the machines at the site, times microseconds.
    pub deployed_hs_us: u128,
    /// Nameplate hashrate of those with power, times microseconds.
    pub energised_hs_us: u128,
    /// Energy of the miners by their best witnesses, in nanojoules.
    pub miners_nj: u128,
    /// Energy of the GPU nodes by their best witnesses, in nanojoules.
    pub gpus_nj: u128,
    /// Energy by the site's meters, in nanojoules; `None` without such meters.
    pub site_nj: Option<u128>,
    /// Energy that was not used because of curtailment, in nanojoules.
    pub curtailed_nj: u128,
    /// Power cost before credits, in minor units.
    pub power_cost_minor: i128,
    /// Credits for curtailment and demand response, in minor units.
    pub power_credit_minor: i128,
    /// What the mined bitcoin were worth, in minor units.
    pub mining_revenue_minor: i128,
    /// What the GPUs earned, in minor units.
    pub gpu_revenue_minor: i128,
    /// What the miners did with their time.
    pub uptime: Uptime,
    /// What the contract leaves out of the adjusted uptime.
    pub carve_outs: Vec<Status>,
    /// GPU time there was, in microseconds x parts of a GPU.
    pub gpu_available: u128,
    /// GPU time that was allocated.
    pub gpu_sold: u128,
    /// GPU time that was used.
    pub gpu_utilised: u128,
    /// Samples expected.
    pub samples_expected: u64,
    /// Samples received.
    pub samples_received: u64,
    /// Energy by where it came from.
    pub mix: mix::EnergyMix,
}

impl Aggregates {
    /// Adds another site's or period's aggregates. Carve-outs are the first's.
    pub fn add(&mut self, other: &Self) {
        self.produced_sat += other.produced_sat;
        self.expected_sat += other.expected_sat;
        self.hashes += other.hashes;
        self.deployed_hs_us += other.deployed_hs_us;
        self.energised_hs_us += other.energised_hs_us;
        self.miners_nj += other.miners_nj;
        self.gpus_nj += other.gpus_nj;
        // A fleet is metered where all of its sites are.
        self.site_nj = self.site_nj.zip(other.site_nj).map(|(left, right)| left + right);
        self.curtailed_nj += other.curtailed_nj;
        self.power_cost_minor += other.power_cost_minor;
        self.power_credit_minor += other.power_credit_minor;
        self.mining_revenue_minor += other.mining_revenue_minor;
        self.gpu_revenue_minor += other.gpu_revenue_minor;
        self.uptime.add(&other.uptime);
        self.gpu_available += other.gpu_available;
        self.gpu_sold += other.gpu_sold;
        self.gpu_utilised += other.gpu_utilised;
        self.samples_expected = self.samples_expected.saturating_add(other.samples_expected);
        self.samples_received = self.samples_received.saturating_add(other.samples_received);
        self.mix.add(&other.mix);
    }
}

/// How a term's integer is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Satoshi.
    Sat,
    /// Hashes per second.
    Hs,
    /// Parts per million.
    Ppm,
    /// Millijoules per terahash.
    MjPerTh,
    /// Watt-hours.
    Wh,
    /// Minor units of the report's currency.
    Minor,
    /// Minor units per bitcoin.
    MinorPerBtc,
    /// Minor units per megawatt-hour.
    MinorPerMwh,
    /// Minor units per PH/s and day: the unit of hashprice.
    MinorPerPhDay,
    /// Thousandths of a GPU-hour.
    MilliGpuHours,
}

impl Unit {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sat => "sat",
            Self::Hs => "H/s",
            Self::Ppm => "ppm",
            Self::MjPerTh => "mJ/TH",
            Self::Wh => "Wh",
            Self::Minor => "minor",
            Self::MinorPerBtc => "minor/BTC",
            Self::MinorPerMwh => "minor/MWh",
            Self::MinorPerPhDay => "minor/PH/s/day",
            Self::MilliGpuHours => "GPU-h/1000",
        }
    }
}

/// One figure of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Its stable name.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// Its value; `None` where it cannot be computed.
    pub value: Option<i128>,
}

/// A figure with the one of the period before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermChange {
    /// The figure.
    pub term: Term,
    /// Its value in the period before.
    pub before: Option<i128>,
    /// Now less before.
    pub change: Option<i128>,
    /// The change in parts per million of the value before; `None` for shares, whose change is
    /// already in parts per million.
    pub change_ppm: Option<i64>,
}

/// The figures of a period, in the order in which they are shown.
#[must_use]
pub fn terms(of: &Aggregates, period: Interval) -> Vec<Term> {
    let period_us = u128::from(period.end_us.abs_diff(period.start_us));
    let net_minor = of.power_cost_minor - of.power_credit_minor;
    let machines_nj = of.miners_nj + of.gpus_nj;
    // Overhead goes to each workload by its machines' energy.
    let site_nj = of.site_nj.unwrap_or(machines_nj);
    let share = |part_nj: u128| mul_div(site_nj, part_nj, machines_nj);
    let mining_site_nj = share(of.miners_nj);
    let gpu_site_nj = share(of.gpus_nj);
    let mining_cost = signed_mul_div(net_minor, of.miners_nj, machines_nj);
    let operating_hs = mul_div(of.hashes, 1_000_000, period_us);
    let deployed_hs = of.deployed_hs_us.checked_div(period_us);
    let energised_hs = of.energised_hs_us.checked_div(period_us);
    let per_mwh =
        |revenue: i128, energy_nj: Option<u128>| signed_mul_div(revenue, NJ_PER_WH * 1_000_000, energy_nj?);
    let wh = |energy_nj: u128| Some(energy_nj / NJ_PER_WH);
    let gpu_hours = |held: u128| mul_div(held, 1_000, u128::from(WHOLE_GPU) * HOUR_US);
    let has_gpus = of.gpu_available > 0;
    // Hashes of a PH/s over a day.
    let ph_day = 1_000_000_000_000_000_u128 * 86_400;
    let rows: [(&str, Unit, Option<i128>); 28] = [
        ("btc_produced", Unit::Sat, int(Some(of.produced_sat))),
        ("btc_expected", Unit::Sat, int(Some(of.expected_sat))),
        ("luck", Unit::Ppm, ratio(of.produced_sat, of.expected_sat)),
        ("hashrate_deployed", Unit::Hs, int(deployed_hs)),
        ("hashrate_energised", Unit::Hs, int(energised_hs)),
        ("hashrate_operating_average", Unit::Hs, int(operating_hs)),
        ("operational_ratio", Unit::Ppm, operating_hs.zip(deployed_hs).and_then(|(up, all)| ratio(up, all))),
        // nJ * 10^6 / hashes is mJ / TH.
        ("fleet_efficiency", Unit::MjPerTh, int(mul_div(of.miners_nj, 1_000_000, of.hashes))),
        ("energy_miners", Unit::Wh, int(wh(of.miners_nj))),
        ("energy_gpus", Unit::Wh, int(wh(of.gpus_nj))),
        ("energy_site", Unit::Wh, int(of.site_nj.and_then(wh))),
        ("pue", Unit::Ppm, of.site_nj.and_then(|site_nj| ratio(site_nj, machines_nj))),
        ("energy_curtailed", Unit::Wh, int(wh(of.curtailed_nj))),
        ("power_cost_gross", Unit::Minor, Some(of.power_cost_minor)),
        ("power_credits", Unit::Minor, Some(of.power_credit_minor)),
        ("power_cost_net", Unit::Minor, Some(net_minor)),
        ("power_price_net", Unit::MinorPerMwh, per_mwh(net_minor, Some(site_nj))),
        (
            "power_cost_per_btc",
            Unit::MinorPerBtc,
            mining_cost.and_then(|cost| signed_mul_div(cost, SAT_PER_BTC, of.produced_sat)),
        ),
        ("uptime_raw", Unit::Ppm, of.uptime.raw_ppm().map(i128::from)),
        ("uptime_adjusted", Unit::Ppm, of.uptime.adjusted_ppm(&of.carve_outs).map(i128::from)),
        ("gpu_hours_available", Unit::MilliGpuHours, int(gpu_hours(of.gpu_available).filter(|_| has_gpus))),
        ("gpu_hours_sold", Unit::MilliGpuHours, int(gpu_hours(of.gpu_sold).filter(|_| has_gpus))),
        ("gpu_hours_utilised", Unit::MilliGpuHours, int(gpu_hours(of.gpu_utilised).filter(|_| has_gpus))),
        ("revenue_per_mwh_mining", Unit::MinorPerMwh, per_mwh(of.mining_revenue_minor, mining_site_nj)),
        ("revenue_per_mwh_gpu", Unit::MinorPerMwh, per_mwh(of.gpu_revenue_minor, gpu_site_nj)),
        (
            "hashprice_break_even",
            Unit::MinorPerPhDay,
            mining_cost.and_then(|cost| signed_mul_div(cost, ph_day, of.hashes)),
        ),
        ("completeness", Unit::Ppm, ratio(u128::from(of.samples_received), u128::from(of.samples_expected))),
        ("energy_renewable", Unit::Ppm, of.mix.renewable_ppm().map(i128::from)),
    ];
    let mut terms: Vec<Term> =
        rows.into_iter().map(|(name, unit, value)| Term { name: name.to_owned(), unit, value }).collect();
    terms.extend(of.mix.sources().map(|(source, energy_nj)| Term {
        name: format!("energy_from_{}", source.as_str()),
        unit: Unit::Wh,
        value: int(wh(energy_nj)),
    }));
    terms
}

/// A period's figures beside those of the period before.
#[must_use]
pub fn changes(now: Vec<Term>, before: &[Term]) -> Vec<TermChange> {
    let find = |name: &str| before.iter().find(|term| term.name == name).and_then(|term| term.value);
    now.into_iter()
        .map(|term| {
            let before = find(&term.name);
            let change = term.value.zip(before).and_then(|(now, before)| now.checked_sub(before));
            let change_ppm =
                change.zip(before).filter(|_| term.unit != Unit::Ppm).and_then(|(change, before)| {
                    i64::try_from(signed_mul_div(change, 1_000_000, before.unsigned_abs())?).ok()
                });
            TermChange { term, before, change, change_ppm }
        })
        .collect()
}

fn int(value: Option<u128>) -> Option<i128> {
    i128::try_from(value?).ok()
}

fn ratio(numerator: u128, denominator: u128) -> Option<i128> {
    ppm(numerator, denominator).map(i128::from)
}

fn signed_mul_div(value: i128, times: u128, over: u128) -> Option<i128> {
    let product = U512::from(value.unsigned_abs()) * U512::from(times);
    div_half_even(product, U512::from(over), value < 0)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
