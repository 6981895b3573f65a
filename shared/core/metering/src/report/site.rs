//! A site's report: the sums of its machines' figures, with money, the site's own meters, its mix of energy and its
//! pools' payments.

mod facts;
mod faults;

pub use facts::{Credit, Earning, SiteFacts, Window};
pub use faults::{FAULTS_MAX, MachineFault};

use std::collections::{BTreeMap, BTreeSet};

use ruint::aliases::U512;
use wb_units::time::interval_start;
use wb_units::{Currency, Interval, Micros, SETTLEMENT_INTERVAL_US};

use super::machine::{Figures, Record, Register, Rules, figures};
use super::mix;
use super::money::Prices;
use super::paid::{self, Worked, expected_sat, numerator, within};
use super::sources::Sources;
use super::truth::{Comparison, Quantity, TruthSums};
use super::{Aggregates, Overlap};
use crate::counters::until;
use crate::energy::sources::of_register;
use crate::energy::witness::{Testimony, Witness, Witnessed, best, by_interval};
use crate::uptime::Windows;

/// The most comparisons of single machines in a report, those with a flag first.
pub const COMPARISONS_MAX: usize = 1_000;

/// The most refused allocations that a report lists; the others are counted.
const REFUSED_NAMED: usize = 20;

/// A site's report, or a fleet's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteReport {
    /// What adds up.
    pub sums: Aggregates,
    /// Energy by witness in nanojoules, in the order of [`Witness::ALL`].
    pub by_witness_nj: [u128; 5],
    /// The sums of the witnesses' figures.
    pub truth: TruthSums,
    /// What was expected of its sources and came.
    pub sources: Sources,
    /// Comparisons of the site with its pools, and of single machines: at most [`COMPARISONS_MAX`].
    pub comparisons: Vec<Comparison>,
    /// Faults of GPUs, in order of time: at most [`FAULTS_MAX`].
    pub faults: Vec<MachineFault>,
    /// The currency of its money, where there is any.
    pub currency: Option<Currency>,
    /// What is not known or was refused, as text.
    pub notes: Vec<String>,
}

/// Adds up a site machine by machine. Its memory does not grow with their number, except for the comparisons.
#[derive(Debug)]
pub struct SiteFold {
    facts: SiteFacts,
    rules: Rules,
    period: Interval,
    report: SiteReport,
    /// (miners, GPU nodes) by settlement interval, in nanojoules.
    energy: BTreeMap<Micros, (u128, u128)>,
    gpu_sold: BTreeMap<Micros, u128>,
    expected: U512,
    unrated: u64,
    others: u64,
    mute: u64,
    uncounted_nodes: u64,
    mute_nodes: u64,
    refused: Vec<String>,
    refused_more: u64,
    miners: u64,
}

impl SiteFold {
    /// Starts with no machine.
    #[must_use]
    pub fn new(facts: SiteFacts, rules: Rules, period: Interval) -> Self {
        let report = SiteReport {
            sums: Aggregates::nothing(rules.carve_outs.clone()),
            notes: facts.doubts.clone(),
            ..SiteReport::default()
        };
        Self {
            facts,
            rules,
            period,
            report,
            energy: BTreeMap::new(),
            gpu_sold: BTreeMap::new(),
            expected: U512::ZERO,
            unrated: 0,
            others: 0,
            mute: 0,
            uncounted_nodes: 0,
            mute_nodes: 0,
            refused: Vec::new(),
            refused_more: 0,
            miners: 0,
        }
    }

    fn windows_of(&self, machine_id: &str) -> Windows {
        let of = |windows: &[Window]| {
            let mine = windows.iter().filter(|window| {
                window.machine_id.as_deref().is_none_or(|of_machine| of_machine == machine_id)
            });
            Interval::union(mine.map(|window| window.interval).collect())
        };
        Windows { curtailment: of(&self.facts.curtailment), maintenance: of(&self.facts.maintenance) }
    }

    /// Adds a machine.
    pub fn add(&mut self, record: &Record) {
        let windows = self.windows_of(&record.machine_id);
        let found = figures(record, &windows, &self.rules, self.period);
        for work in &record.work {
            self.expected = self.expected.saturating_add(numerator(work));
        }
        if found.is_gpu_node {
            let uncounted = record.stands.iter().any(|stand| stand.gpus.is_none());
            self.uncounted_nodes += u64::from(uncounted);
            self.mute_nodes += u64::from(found.sums.gpu_sampled == 0);
        } else if !record.stands.is_empty() {
            self.miners += 1;
            let unrated = record.stands.iter().any(|stand| stand.rated_hashrate_hs.is_none());
            self.unrated += u64::from(unrated && !record.is_other_algorithm);
            self.others += u64::from(record.is_other_algorithm);
            self.mute += u64::from(found.is_mute);
        }
        for interval in &found.energy {
            let sum = self.energy.entry(interval.start_us).or_default();
            let of_kind = if found.is_gpu_node { &mut sum.1 } else { &mut sum.0 };
            *of_kind += interval.energy_nj();
            for (sum, part) in self.report.by_witness_nj.iter_mut().zip(interval.by_witness_nj) {
                *sum += part;
            }
        }
        for (at_us, held) in &found.gpu_sold {
            *self.gpu_sold.entry(*at_us).or_default() += held;
        }
        self.keep_comparisons(&found);
        faults::keep(&mut self.report.faults, faults::of_machine(&record.machine_id, &found.faults));
        self.report.sources.add(found.sources);
        for refused in found.refused {
            if self.refused.len() < REFUSED_NAMED {
                self.refused.push(refused);
            } else {
                self.refused_more += 1;
            }
        }
        // Figures of the site as a whole come from no machine.
        let site_nj = self.report.sums.site_nj.take();
        self.report.sums.add(&found.sums);
        self.report.sums.site_nj = site_nj;
    }

    fn keep_comparisons(&mut self, found: &Figures) {
        self.report.truth.add(&found.truth);
        let mut made = found.truth.comparisons();
        let machine_id = &found.truth.machine_id;
        if let Some(work) = self.facts.machine_work.get(machine_id) {
            let own = self.facts.earnings.iter().filter(|one| one.machine_id.as_ref() == Some(machine_id));
            let worked = Worked { work, claims: found.truth.claims };
            let pairs = paid::pairs(own, worked, &self.rules, self.period).into_iter();
            let machine_id = Some(machine_id.clone());
            made.extend(pairs.map(|pair| Comparison {
                machine_id: machine_id.clone(),
                quantity: Quantity::Earned,
                pair,
            }));
        }
        let kept = &mut self.report.comparisons;
        for comparison in made {
            if kept.len() < COMPARISONS_MAX {
                kept.push(comparison);
            } else if comparison.pair.is_beyond
                && let Some(usual) = kept.iter().rposition(|kept| !kept.pair.is_beyond)
            {
                kept.remove(usual);
                kept.push(comparison);
            }
        }
    }

    /// The report of all machines that were added.
    #[must_use]
    pub fn finish(mut self) -> SiteReport {
        self.report.sums.expected_sat = expected_sat(self.expected);
        let is_heard = self.report.sums.covered_us > 0 || self.report.sums.samples_received > 0;
        let has_windows = !self.facts.curtailment.is_empty();
        let sums = &mut self.report.sums;
        sums.energised_hs_us = sums.energised_hs_us.filter(|_| is_heard || self.miners == 0);
        sums.curtailed_nj = sums.curtailed_nj.filter(|_| is_heard || has_windows || self.miners == 0);
        self.finish_energy();
        self.finish_pools();
        if self.facts.is_part {
            self.hide_the_site();
        } else {
            self.finish_money();
        }
        self.finish_notes();
        self.report
    }

    /// The site's meters, and what was drawn by interval.
    fn finish_energy(&mut self) {
        let at_site = site_meters(&self.facts.meters, &self.rules, self.period);
        let by_site: BTreeMap<Micros, (u128, i64)> = by_interval(&at_site)
            .into_iter()
            .map(|interval| (interval.start_us, (interval.energy_nj(), interval.covered_us)))
            .collect();
        let sums = &mut self.report.sums;
        let has_meters = !self.facts.meters.is_empty() && !at_site.is_empty();
        sums.site_nj = has_meters.then(|| by_site.values().map(|(energy_nj, _)| energy_nj).sum());
        let mut overlap = Overlap::default();
        let mut drawn: BTreeMap<Micros, u128> = BTreeMap::new();
        for (start_us, (miners_nj, gpus_nj)) in &self.energy {
            drawn.insert(*start_us, miners_nj + gpus_nj);
        }
        for (start_us, (energy_nj, covered_us)) in &by_site {
            if *covered_us < SETTLEMENT_INTERVAL_US {
                continue;
            }
            let machines_nj = drawn.insert(*start_us, *energy_nj).unwrap_or(0);
            if machines_nj > 0 {
                overlap.site_nj += energy_nj;
                overlap.machines_nj += machines_nj;
            }
        }
        sums.overlap = (overlap.machines_nj > 0).then_some(overlap);
        sums.drawn_nj = (!drawn.is_empty()).then(|| drawn.values().sum());
        let quantities: Vec<Witnessed> = drawn
            .iter()
            .map(|(start_us, energy_nj)| Witnessed {
                interval: Interval {
                    start_us: *start_us,
                    end_us: start_us.saturating_add(SETTLEMENT_INTERVAL_US),
                },
                energy_nj: *energy_nj,
                witness: Witness::Meter,
                is_timing_estimated: false,
            })
            .collect();
        sums.mix = mix::split(&quantities, &self.facts.mix);
        let prices = self.facts.power.as_ref().filter(|_| !self.facts.is_part);
        let worth = prices.and_then(|prices| prices.worth(drawn));
        if prices.is_some() && worth.is_none() {
            self.report.notes.push("power cost: some of the time with energy has no price".to_owned());
        }
        self.report.sums.power_cost_minor = worth;
    }

    /// The payments that count: where a pool reports a total and its parts, it is counted once.
    fn counted<'a>(&self, paid: &'a [Earning]) -> Vec<&'a Earning> {
        let has_whole = |pool: &str| paid.iter().any(|one| one.pool == pool && !one.is_of_a_part());
        paid.iter().filter(|one| self.facts.is_part || !one.is_of_a_part() || !has_whole(&one.pool)).collect()
    }

    /// What pools credited and paid, compared with the proven work and the claims.
    fn finish_pools(&mut self) {
        let period = self.period;
        let earnings = self.counted(&self.facts.earnings);
        let credited: BTreeSet<&str> = earnings.iter().map(|earning| earning.pool.as_str()).collect();
        let paid_out: Vec<&Earning> = self
            .counted(&self.facts.payouts)
            .into_iter()
            .filter(|payout| {
                !credited.contains(payout.pool.as_str()) && period.contains(payout.interval.start_us)
            })
            .collect();
        // Its worth is by the price of bitcoin in the last interval of its span.
        let mut amounts: Vec<(Micros, u128)> = earnings
            .iter()
            .filter_map(|earning| within(earning, period))
            .map(|(amount_sat, part)| (part.end_us.saturating_sub(1), amount_sat))
            .collect();
        amounts.extend(paid_out.iter().map(|payout| (payout.interval.start_us, payout.amount_sat)));
        // Where a pool reports payouts alone, they are compared with all of the period's work.
        let paid_out: Vec<Earning> =
            paid_out.into_iter().map(|payout| Earning { interval: period, ..payout.clone() }).collect();
        let worked = Worked { work: &self.facts.work, claims: self.report.truth.claims() };
        let pairs = paid::pairs(earnings.into_iter().chain(&paid_out), worked, &self.rules, period);
        let made: Vec<Comparison> = pairs
            .into_iter()
            .map(|pair| Comparison { machine_id: None, quantity: Quantity::Earned, pair })
            .collect();
        let has_mined = self.report.sums.hashes > 0 || self.miners > 0;
        let sums = &mut self.report.sums;
        sums.produced_sat = (!amounts.is_empty() || !has_mined)
            .then(|| amounts.iter().map(|(_, amount_sat)| amount_sat).sum());
        sums.mining_revenue_minor = match &self.facts.bitcoin {
            _ if !has_mined => Some(0),
            Some(prices) if sums.produced_sat.is_some() => prices.worth(amounts),
            _ => None,
        };
        self.report.comparisons.splice(0..0, made);
    }

    fn finish_money(&mut self) {
        let series = [&self.facts.power, &self.facts.bitcoin, &self.facts.gpu];
        let mut currencies = series.into_iter().flatten().map(Prices::currency);
        self.report.currency = currencies.next();
        if currencies.any(|other| Some(other) != self.report.currency) {
            self.report.notes.push("money: the site's prices are in several currencies".to_owned());
            self.report.currency = None;
            let sums = &mut self.report.sums;
            sums.power_cost_minor = None;
            sums.mining_revenue_minor = None;
            sums.gpu_revenue_minor = None;
            return;
        }
        let period = self.period;
        let credit_minor: i128 = self.facts.credits.iter().map(|credit| credit_within(credit, period)).sum();
        let sums = &mut self.report.sums;
        sums.power_credit_minor =
            Some(credit_minor).filter(|credit| self.facts.power.is_some() || *credit != 0);
        let sold = self.gpu_sold.iter().map(|(at_us, held)| (*at_us, *held));
        sums.gpu_revenue_minor = match &self.facts.gpu {
            _ if !sums.has_gpus => Some(0),
            Some(prices) => prices.worth(sold),
            None => None,
        };
    }

    /// A customer sees its machines, and nothing of the site.
    fn hide_the_site(&mut self) {
        let has_account = !self.facts.earnings.is_empty() || !self.facts.payouts.is_empty();
        let sums = &mut self.report.sums;
        // What a pool paid to the customer's own account is shown to the customer.
        sums.produced_sat = sums.produced_sat.filter(|_| has_account);
        sums.site_nj = None;
        sums.overlap = None;
        sums.power_cost_minor = None;
        sums.power_credit_minor = None;
        sums.mining_revenue_minor = None;
        sums.gpu_revenue_minor = None;
        sums.mix = mix::EnergyMix::default();
    }

    fn finish_notes(&mut self) {
        let notes = &mut self.report.notes;
        let mut count = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        };
        count(self.unrated, "miners without a rated hashrate: what is deployed is not known");
        count(self.others, "miners hash another algorithm: they are in no hashrate");
        count(self.mute, "miners of which nothing was heard");
        count(self.uncounted_nodes, "GPU nodes without a number of GPUs: what is available is not known");
        count(self.mute_nodes, "GPU nodes whose GPUs said nothing of their use");
        if self.facts.is_part {
            // Other holders of a node are not shown to the customer.
            return;
        }
        let refused = u64::try_from(self.refused.len()).unwrap_or(u64::MAX).saturating_add(self.refused_more);
        count(refused, "allocations or rows of them refused");
        notes.append(&mut self.refused);
    }
}

fn credit_within(credit: &Credit, period: Interval) -> i128 {
    let size = credit.amount_minor.unsigned_abs();
    let part = credit.interval.intersect(&period).map_or(0, |part| {
        until(size, &credit.interval, part.end_us) - until(size, &credit.interval, part.start_us)
    });
    let part = i128::try_from(part).unwrap_or(i128::MAX);
    if credit.amount_minor < 0 { -part } else { part }
}

/// What the site's meters measured: their sum for the time with data of all of them.
fn site_meters(meters: &[Register], rules: &Rules, period: Interval) -> Vec<Witnessed> {
    let mut by_start: BTreeMap<Micros, (Witnessed, usize)> = BTreeMap::new();
    for meter in meters {
        let pieces = of_register(&meter.readings, &meter.facts(rules));
        let testimony = Testimony { witness: Witness::Meter, pieces };
        for part in by_interval(&best(&[testimony], &[Witness::Meter], period)) {
            if part.covered_us < SETTLEMENT_INTERVAL_US {
                continue;
            }
            let interval = Interval {
                start_us: interval_start(part.start_us),
                end_us: part.start_us.saturating_add(SETTLEMENT_INTERVAL_US),
            };
            let whole =
                Witnessed { interval, energy_nj: 0, witness: Witness::Meter, is_timing_estimated: false };
            let sum = by_start.entry(part.start_us).or_insert((whole, 0));
            sum.0.energy_nj += part.energy_nj();
            sum.1 += 1;
        }
    }
    let whole = by_start.into_values().filter(|(_, spoke)| *spoke == meters.len());
    whole.map(|(sum, _)| sum).collect()
}

impl SiteReport {
    /// Adds another site: a fleet is the sum of its sites.
    pub fn add(&mut self, site_id: &str, other: Self) {
        if let (Some(left), Some(right)) = (self.currency, other.currency)
            && left != right
        {
            self.notes.push(format!("money: {site_id} is in {}, others in {}", right.code(), left.code()));
            let sums = &mut self.sums;
            sums.power_cost_minor = None;
            sums.power_credit_minor = None;
            sums.mining_revenue_minor = None;
            sums.gpu_revenue_minor = None;
        }
        self.currency = self.currency.or(other.currency);
        self.sums.add(&other.sums);
        for (sum, part) in self.by_witness_nj.iter_mut().zip(other.by_witness_nj) {
            *sum += part;
        }
        self.truth.merge(&other.truth);
        self.sources.merge(other.sources);
        // Payments of single sites stand in their own reports.
        let of_machines = other.comparisons.into_iter().filter(|one| one.machine_id.is_some());
        self.comparisons.extend(of_machines);
        // Those with a flag first, then as they came: the cut falls on the usual ones.
        self.comparisons.sort_by_key(|comparison| !comparison.pair.is_beyond);
        self.comparisons.truncate(COMPARISONS_MAX);
        faults::keep(&mut self.faults, other.faults);
        self.notes.extend(other.notes.into_iter().map(|note| format!("{site_id}: {note}")));
    }

    /// The fleet of no sites.
    #[must_use]
    pub fn nothing(rules: &Rules) -> Self {
        Self { sums: Aggregates::nothing(rules.carve_outs.clone()), ..Self::default() }
    }

    /// The share of each witness in the energy, in parts per million that sum to one.
    #[must_use]
    pub fn witness_shares_ppm(&self) -> Vec<(Witness, u64)> {
        let whole = crate::energy::witness::IntervalEnergy {
            by_witness_nj: self.by_witness_nj,
            ..Default::default()
        };
        whole.shares_ppm()
    }
}
