//! The report of a site or fleet, with the terms that listed miners publish, from aggregates of a period.
//!
//! Rates are work over time, never means of means: an average operating hashrate is all hashes of
//! the period over its seconds. Money is in minor units of one currency at a scale the caller
//! keeps. A figure that cannot be computed is `None`: a site without work has no cost per bitcoin.
//!
//! - [`machine`] makes the figures of one machine; [`site`] adds up those of a site, with its money and its own
//!   meters.
//! - [`sources`] counts what was expected and came, and up to where events of a site have come.
//! - [`paid`] compares pools' payments with the work, and [`truth`] the witnesses with each other.

pub mod machine;
pub mod mix;
pub mod money;
pub mod paid;
pub mod period;
pub mod sheet;
pub mod site;
pub mod sources;
pub mod truth;

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

/// The sums of a period's machines, meters and money. `None` means that a figure is not known, or not for all that it
/// is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aggregates {
    /// Machines that stood there.
    pub machines: u64,
    /// Bitcoin that the pool paid or credited, in satoshi.
    pub produced_sat: Option<u128>,
    /// Bitcoin expected of the proven work, in satoshi.
    pub expected_sat: u128,
    /// Hashes proven.
    pub hashes: u128,
    /// Of them, those of machines without an assignment at the time.
    pub suspense_hashes: u128,
    /// Nameplate hashrate of the machines at the site, times microseconds.
    pub deployed_hs_us: Option<u128>,
    /// Nameplate hashrate of those known to have power, times microseconds.
    pub energised_hs_us: Option<u128>,
    /// Energy of the miners by their best witnesses, in nanojoules.
    pub miners_nj: Option<u128>,
    /// Energy of the GPU nodes by their best witnesses, in nanojoules.
    pub gpus_nj: Option<u128>,
    /// Energy of machines without an assignment at the time, in nanojoules; part of the two above.
    pub suspense_nj: u128,
    /// Machine time that a witness of energy covers, in microseconds...
    pub covered_us: u128,
    /// ...and all machine time.
    pub standing_us: u128,
    /// Energy by the site's meters, in nanojoules; `None` without such meters.
    pub site_nj: Option<u128>,
    /// Energy drawn: by the site's meters where they have data, else by the machines' witnesses.
    pub drawn_nj: Option<u128>,
    /// Energy of the time with data from both the site's meters and its machines' witnesses.
    pub overlap: Option<Overlap>,
    /// Energy that was not used because of curtailment, in nanojoules.
    pub curtailed_nj: Option<u128>,
    /// Power cost before credits, in minor units.
    pub power_cost_minor: Option<i128>,
    /// Credits for curtailment and demand response, in minor units.
    pub power_credit_minor: Option<i128>,
    /// What the mined bitcoin were worth, in minor units.
    pub mining_revenue_minor: Option<i128>,
    /// What the GPUs earned, in minor units.
    pub gpu_revenue_minor: Option<i128>,
    /// What the miners did with their time.
    pub uptime: Uptime,
    /// What the contract leaves out of the adjusted uptime.
    pub carve_outs: Vec<Status>,
    /// Whether there are GPUs at all.
    pub has_gpus: bool,
    /// GPU time there was, in microseconds x parts of a GPU.
    pub gpu_available: Option<u128>,
    /// GPU time that was allocated.
    pub gpu_sold: u128,
    /// GPU time that was allocated on nodes without an assignment at the time; part of the above.
    pub suspense_gpu: u128,
    /// GPU time that was used, as far as samples cover it...
    pub gpu_utilised: Option<u128>,
    /// ...and the GPU time that they cover.
    pub gpu_sampled: u128,
    /// Faults of GPUs that began; `None` where no GPU reported any value of faults.
    pub gpu_faults: Option<u64>,
    /// Samples expected.
    pub samples_expected: u64,
    /// Samples received.
    pub samples_received: u64,
    /// Energy by where it came from.
    pub mix: mix::EnergyMix,
}

/// Energy of one time by a site's meters and by its machines' witnesses, in nanojoules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overlap {
    /// By the site's meters.
    pub site_nj: u128,
    /// By the machines'.
    pub machines_nj: u128,
}

/// The sum where both sides are known: a fleet's figure is known where all of its sites' are.
fn both<T: std::ops::Add<Output = T>>(left: Option<T>, right: Option<T>) -> Option<T> {
    left.zip(right).map(|(left, right)| left + right)
}

/// The sum of the known sides.
fn either<T: std::ops::Add<Output = T>>(left: Option<T>, right: Option<T>) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left + right),
        (known, None) | (None, known) => known,
    }
}

impl Aggregates {
    /// The sum of no sites: all zero, and all known.
    #[must_use]
    pub fn nothing(carve_outs: Vec<Status>) -> Self {
        let (zero, none) = (Some(0), Some(0));
        Self {
            produced_sat: zero,
            deployed_hs_us: zero,
            energised_hs_us: zero,
            site_nj: zero,
            curtailed_nj: zero,
            power_cost_minor: none,
            power_credit_minor: none,
            mining_revenue_minor: none,
            gpu_revenue_minor: none,
            gpu_available: zero,
            carve_outs,
            ..Self::default()
        }
    }

    /// Adds another site's aggregates. Carve-outs are the first's. Energy of machines and use of GPUs are the sums of
    /// what witnesses and samples cover, with the covered time; all else is known only where both are.
    pub fn add(&mut self, other: &Self) {
        self.machines = self.machines.saturating_add(other.machines);
        self.produced_sat = both(self.produced_sat, other.produced_sat);
        self.expected_sat += other.expected_sat;
        self.hashes += other.hashes;
        self.suspense_hashes += other.suspense_hashes;
        self.deployed_hs_us = both(self.deployed_hs_us, other.deployed_hs_us);
        self.energised_hs_us = both(self.energised_hs_us, other.energised_hs_us);
        self.miners_nj = either(self.miners_nj, other.miners_nj);
        self.gpus_nj = either(self.gpus_nj, other.gpus_nj);
        self.suspense_nj += other.suspense_nj;
        self.covered_us += other.covered_us;
        self.standing_us += other.standing_us;
        self.site_nj = both(self.site_nj, other.site_nj);
        self.drawn_nj = either(self.drawn_nj, other.drawn_nj);
        self.overlap = match (self.overlap, other.overlap) {
            (Some(left), Some(right)) => Some(Overlap {
                site_nj: left.site_nj + right.site_nj,
                machines_nj: left.machines_nj + right.machines_nj,
            }),
            (known, None) | (None, known) => known,
        };
        self.curtailed_nj = both(self.curtailed_nj, other.curtailed_nj);
        self.power_cost_minor = both(self.power_cost_minor, other.power_cost_minor);
        self.power_credit_minor = both(self.power_credit_minor, other.power_credit_minor);
        self.mining_revenue_minor = both(self.mining_revenue_minor, other.mining_revenue_minor);
        self.gpu_revenue_minor = both(self.gpu_revenue_minor, other.gpu_revenue_minor);
        self.uptime.add(&other.uptime);
        self.has_gpus |= other.has_gpus;
        self.gpu_available = both(self.gpu_available, other.gpu_available);
        self.gpu_sold += other.gpu_sold;
        self.suspense_gpu += other.suspense_gpu;
        self.gpu_utilised = either(self.gpu_utilised, other.gpu_utilised);
        self.gpu_sampled += other.gpu_sampled;
        self.gpu_faults = either(self.gpu_faults, other.gpu_faults);
        self.samples_expected = self.samples_expected.saturating_add(other.samples_expected);
        self.samples_received = self.samples_received.saturating_add(other.samples_received);
        self.mix.add(&other.mix);
    }
}

/// The unit in which a term's integer is shown.
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
    /// A number of things.
    Count,
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
            Self::Count => "count",
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
    let net_minor = of.power_cost_minor.map(|cost| cost - of.power_credit_minor.unwrap_or(0));
    let (miners_nj, gpus_nj) = (of.miners_nj.unwrap_or(0), of.gpus_nj.unwrap_or(0));
    let machines_nj = miners_nj + gpus_nj;
    // Overhead is shared out over the workloads by their machines' energy.
    let drawn_nj = of.drawn_nj.unwrap_or(machines_nj);
    let share = |part_nj: u128| mul_div(drawn_nj, part_nj, machines_nj);
    let mining_cost = net_minor.and_then(|net| signed_mul_div(net, miners_nj, machines_nj));
    let operating_hs = mul_div(of.hashes, 1_000_000, period_us);
    let per_second = |times_us: Option<u128>| times_us.and_then(|sum| sum.checked_div(period_us));
    let deployed_hs = per_second(of.deployed_hs_us);
    let per_mwh = |revenue: Option<i128>, energy_nj: Option<u128>| {
        signed_mul_div(revenue?, NJ_PER_WH * 1_000_000, energy_nj?)
    };
    let wh = |energy_nj: Option<u128>| int(energy_nj.map(|energy_nj| energy_nj / NJ_PER_WH));
    let gpu_hours = |held: Option<u128>| {
        int(held
            .filter(|_| of.has_gpus)
            .and_then(|held| mul_div(held, 1_000, u128::from(WHOLE_GPU) * HOUR_US)))
    };
    // Hashes of a PH/s over a day.
    let ph_day = 1_000_000_000_000_000_u128 * 86_400;
    let btc_cost = mining_cost
        .zip(of.produced_sat)
        .and_then(|(cost, produced_sat)| signed_mul_div(cost, SAT_PER_BTC, produced_sat));
    // Where no sample shows whether anything ran, uptime is unknown and not zero.
    let unknown_us = of.uptime.in_status_us(Status::Unknown);
    let seen = [Status::Hashing, Status::Reachable, Status::Offline];
    let is_seen = unknown_us == 0 || seen.into_iter().any(|status| of.uptime.in_status_us(status) > 0);
    let known_us = of.uptime.total_us() - unknown_us;
    let rows: [(&str, Unit, Option<i128>); 36] = [
        ("machines", Unit::Count, Some(i128::from(of.machines))),
        ("btc_produced", Unit::Sat, int(of.produced_sat)),
        ("btc_expected", Unit::Sat, int(Some(of.expected_sat))),
        ("luck", Unit::Ppm, of.produced_sat.and_then(|produced_sat| ratio(produced_sat, of.expected_sat))),
        ("hashrate_deployed", Unit::Hs, int(deployed_hs)),
        ("hashrate_energised", Unit::Hs, int(per_second(of.energised_hs_us))),
        ("hashrate_operating_average", Unit::Hs, int(operating_hs)),
        ("hashrate_unassigned", Unit::Hs, int(mul_div(of.suspense_hashes, 1_000_000, period_us))),
        ("operational_ratio", Unit::Ppm, operating_hs.zip(deployed_hs).and_then(|(up, all)| ratio(up, all))),
        // nJ * 10^6 / hashes is mJ / TH.
        (
            "fleet_efficiency",
            Unit::MjPerTh,
            int(of.miners_nj.and_then(|energy_nj| mul_div(energy_nj, 1_000_000, of.hashes))),
        ),
        ("energy_miners", Unit::Wh, wh(of.miners_nj)),
        ("energy_gpus", Unit::Wh, wh(of.gpus_nj)),
        ("energy_unassigned", Unit::Wh, wh(either(of.miners_nj, of.gpus_nj).map(|_| of.suspense_nj))),
        ("energy_covered", Unit::Ppm, ratio(of.covered_us, of.standing_us)),
        ("energy_site", Unit::Wh, wh(of.site_nj)),
        ("pue", Unit::Ppm, of.overlap.and_then(|both| ratio(both.site_nj, both.machines_nj))),
        ("energy_curtailed", Unit::Wh, wh(of.curtailed_nj)),
        ("power_cost_gross", Unit::Minor, of.power_cost_minor),
        ("power_credits", Unit::Minor, of.power_credit_minor),
        ("power_cost_net", Unit::Minor, net_minor),
        ("power_price_net", Unit::MinorPerMwh, per_mwh(net_minor, Some(drawn_nj))),
        ("power_cost_per_btc", Unit::MinorPerBtc, btc_cost),
        ("uptime_raw", Unit::Ppm, of.uptime.raw_ppm().filter(|_| is_seen).map(i128::from)),
        (
            "uptime_adjusted",
            Unit::Ppm,
            of.uptime.adjusted_ppm(&of.carve_outs).filter(|_| is_seen).map(i128::from),
        ),
        ("uptime_known", Unit::Ppm, ratio(u128::from(known_us), u128::from(of.uptime.total_us()))),
        ("gpu_hours_available", Unit::MilliGpuHours, gpu_hours(of.gpu_available)),
        ("gpu_hours_sold", Unit::MilliGpuHours, gpu_hours(Some(of.gpu_sold))),
        ("gpu_hours_unassigned", Unit::MilliGpuHours, gpu_hours(Some(of.suspense_gpu))),
        ("gpu_hours_utilised", Unit::MilliGpuHours, gpu_hours(of.gpu_utilised)),
        ("gpu_time_sampled", Unit::Ppm, of.gpu_available.and_then(|all| ratio(of.gpu_sampled, all))),
        ("gpu_faults", Unit::Count, of.gpu_faults.map(i128::from)),
        ("revenue_per_mwh_mining", Unit::MinorPerMwh, per_mwh(of.mining_revenue_minor, share(miners_nj))),
        ("revenue_per_mwh_gpu", Unit::MinorPerMwh, per_mwh(of.gpu_revenue_minor, share(gpus_nj))),
        (
            "hashprice_break_even",
            Unit::MinorPerPhDay,
            mining_cost.and_then(|cost| signed_mul_div(cost, ph_day, of.hashes)),
        ),
        ("completeness", Unit::Ppm, ratio(u128::from(of.samples_received), u128::from(of.samples_expected))),
        (
            "energy_renewable",
            Unit::Ppm,
            of.mix
                .renewable_ppm()
                .filter(|_| of.mix.by_source_nj.iter().any(|part| *part > 0))
                .map(i128::from),
        ),
    ];
    let mut terms: Vec<Term> =
        rows.into_iter().map(|(name, unit, value)| Term { name: name.to_owned(), unit, value }).collect();
    terms.extend(of.mix.sources().map(|(source, energy_nj)| Term {
        name: format!("energy_from_{}", source.as_str()),
        unit: Unit::Wh,
        value: wh(Some(energy_nj)),
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
