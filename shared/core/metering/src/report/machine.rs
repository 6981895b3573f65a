//! The figures of one machine: from its records to the sums that a site adds up.
//!
//! A machine counts for a site while it stands there. Its samples, registers and spans are put together once and then
//! cut to that time, so that machines that move or change customers are counted where they were, and a period's parts
//! add up to it.

mod gpus;
pub(crate) mod holdings;
mod whose;
pub(crate) mod witnesses;

use std::collections::BTreeMap;

use ruint::aliases::U256;
use wb_units::{Interval, Micros, SETTLEMENT_INTERVAL_US};

pub use whose::Whose;

use holdings::allocations;
use witnesses::testimonies;

use super::Aggregates;
use super::sources::{Policies, Source, sources};
use super::truth::{MachineTruth, shared_energy};
use crate::compare::{Hashrates, Pair, ShareSums};
use crate::corrections::RatioCorrection;
use crate::counters::until;
use crate::energy::RegisterReading;
use crate::energy::sources::MeterFacts;
use crate::energy::witness::{IntervalEnergy, Testimony, Witness, Witnessed, best, by_interval};
use crate::gpu::Span;
use crate::gpu::usage::{Fault, LastXid, Use};
use crate::uptime::{Found, Poll, Status, Stretch, Uptime, Windows, timeline};

/// The settings of the figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How often a machine is to be sampled and a meter to be read, in microseconds.
    pub every_us: i64,
    /// How long a sample covers its machine, and how far apart two readings of power may be, in microseconds.
    pub speaks_us: i64,
    /// How far apart two registers may be before the timing of their difference is an estimate.
    pub longest_us: i64,
    /// The order of the witnesses of energy.
    pub order: Vec<Witness>,
    /// What the adjusted uptime leaves out.
    pub carve_outs: Vec<Status>,
    /// The error of a firmware's own hashrate, in parts per million.
    pub firmware_class_ppm: u64,
    /// What fees and rounding take from a payment at most, in parts per million.
    pub payment_class_ppm: u64,
    /// The most by which the times of two schedulers differ, in parts per million.
    pub scheduler_class_ppm: u64,
    /// The error of the mean of GPUs' samples, in parts per million.
    pub sampling_class_ppm: u64,
    /// The policies, where facts give more than the settings above.
    pub policies: Policies,
    /// Whose the allocations of GPUs are.
    pub whose: Whose,
}

impl Default for Rules {
    /// A sample each settlement interval that covers two of them; firmware within 5 %, payments within 4 %, the
    /// highest fee of large pools; schedulers within 1 %, GPUs' samples within 5 %.
    fn default() -> Self {
        Self {
            every_us: SETTLEMENT_INTERVAL_US,
            speaks_us: 2 * SETTLEMENT_INTERVAL_US,
            longest_us: 2 * SETTLEMENT_INTERVAL_US,
            order: Witness::ALL.to_vec(),
            carve_outs: vec![Status::Curtailed, Status::Maintenance],
            firmware_class_ppm: 50_000,
            payment_class_ppm: 40_000,
            scheduler_class_ppm: 10_000,
            sampling_class_ppm: 50_000,
            policies: Policies::default(),
            whose: Whose::default(),
        }
    }
}

/// A time in which a machine stood at the site, with its nameplate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// The time, within the period.
    pub interval: Interval,
    /// Nameplate power in milliwatts.
    pub rated_power_mw: u64,
    /// Nameplate hashrate in hashes per second.
    pub rated_hashrate_hs: Option<u128>,
    /// GPUs of a GPU node.
    pub gpus: Option<u32>,
}

/// One sample of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at_us: Micros,
    /// The event's identity.
    pub id: [u8; 16],
    /// When it was appended to the log.
    pub appended_at_us: Micros,
    /// The firmware's uptime in seconds.
    pub uptime_s: Option<u64>,
    /// What was found.
    pub found: Found,
    /// Power in milliwatts.
    pub power_mw: Option<u64>,
}

/// A register's readings, in any order and with any repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// The meter.
    pub meter_id: String,
    /// What kind of witness it is.
    pub witness: Witness,
    /// What was read.
    pub readings: Vec<RegisterReading>,
    /// Where its transformer's ratio was wrong, in order of time and not overlapping.
    pub corrections: Vec<RatioCorrection>,
    /// When readings were appended to the log, for those that came late; the others came in time.
    pub appended: BTreeMap<[u8; 16], Micros>,
}

impl Register {
    /// What is known of the meter beside its readings.
    pub(crate) fn facts(&self, rules: &Rules) -> MeterFacts {
        MeterFacts {
            rollover_wh: None,
            power_max_mw: 0,
            longest_us: rules.longest_us,
            replacements: Vec::new(),
            corrections: self.corrections.clone(),
        }
    }
}

/// A row of an allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanRow {
    /// The span; where it is open, `elapsed_s` is how long the scheduler saw it.
    pub span: Span,
    /// The GPU or slice, where the scheduler gives it.
    pub device: String,
    /// A MIG profile; empty for whole GPUs.
    pub profile: String,
}

/// Accepted work under one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// The network's target; zero on a chain that earns nothing.
    pub target: U256,
    /// What a block pays, in satoshi.
    pub reward_sat: u64,
    /// Credited difficulty in units of 2^-32.
    pub credited_q32: u128,
}

/// What the firmware claimed in the settlement intervals with a claim, and the work that was proven in the same
/// intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claims {
    /// Hashes claimed.
    pub hashes: u128,
    /// Credited difficulty in units of 2^-32.
    pub credited_q32: u128,
    /// The sum of its squares, over shares.
    pub credited_q32_squared: U256,
}

/// All that is recorded of a machine for a period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The machine.
    pub machine_id: String,
    /// Where it stood, in order of time and not overlapping.
    pub stands: Vec<Stand>,
    /// When it had an assignment, in order of time and not overlapping.
    pub assigned: Vec<Interval>,
    /// When it stood at the site without being the customer's, and its GPUs were held by the customer's accounts: only of
    /// customers' reports.
    pub lent: Vec<Stand>,
    /// Its samples.
    pub samples: Vec<Sample>,
    /// Its registers.
    pub registers: Vec<Register>,
    /// The allocations of its GPUs.
    pub spans: Vec<SpanRow>,
    /// Its GPUs' samples of use.
    pub gpu_uses: Vec<Use>,
    /// Its GPUs' last faults.
    pub gpu_xids: Vec<LastXid>,
    /// Its accepted work while it stood there.
    pub work: Vec<Work>,
    /// Of it, credited difficulty while it had no assignment, in units of 2^-32.
    pub suspense_q32: u128,
    /// What its firmware claimed.
    pub claims: Option<Claims>,
    /// Its own average against its own accepted shares, by its last answer.
    pub own_claim: Option<Pair>,
    /// Whether its answers show an algorithm other than SHA-256d: rates of two algorithms are never added.
    pub is_other_algorithm: bool,
    /// What its policies left out, by source: see [`leave_out`](super::sources::leave_out).
    pub left_out: Vec<u64>,
}

/// A machine's figures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// The sums that a site adds up. Money, the site's meters and its mix are not the machine's.
    pub sums: Aggregates,
    /// Its energy by settlement interval, in order of time.
    pub energy: Vec<IntervalEnergy>,
    /// Whether it is a GPU node.
    pub is_gpu_node: bool,
    /// The comparisons of its witnesses.
    pub truth: MachineTruth,
    /// GPU time by settlement interval, in order of time, for its price.
    pub gpu_sold: BTreeMap<Micros, u128>,
    /// Faults of its GPUs while it stood there, in order of time.
    pub faults: Vec<Fault>,
    /// Refused allocations, as text.
    pub refused: Vec<String>,
    /// Its sources: what was expected of them and came.
    pub sources: Vec<Source>,
    /// Whether a miner has neither samples nor registers nor work.
    pub is_mute: bool,
}

/// Hashes that work in units of 2^-32 of difficulty stands for, rounded down.
#[must_use]
pub fn hashes_of(credited_q32: u128) -> u128 {
    // q32 * 65536 / 65535, split so that the product does not pass 128 bits.
    credited_q32 + credited_q32 / 65_535
}

/// The sums of shares in a unit in which both fit 128 bits.
#[must_use]
pub fn share_sums(credited_q32: u128, squared: U256) -> ShareSums {
    let mut shift = 0;
    while (squared >> (2 * shift)) > U256::from(u128::MAX) {
        shift += 1;
    }
    let difficulty_squared = u128::try_from(squared >> (2 * shift)).unwrap_or(u128::MAX);
    ShareSums { difficulty: credited_q32 >> shift, difficulty_squared }
}

/// Makes a machine's figures. `windows` are those of the site and of the machine together; the period must not reach
/// into time that cannot be known yet.
#[must_use]
pub fn figures(record: &Record, windows: &Windows, rules: &Rules, period: Interval) -> Figures {
    let on_machine = allocations(record, period);
    // Whoever holds its GPUs, the machine runs.
    let running = on_machine.accepted.clone();
    let held = rules.whose.own(on_machine, &record.assigned);
    if record.stands.is_empty() && !record.lent.is_empty() {
        return gpus::of_lent(record, &held.accepted, rules);
    }
    let own_record = rules.whose.record(record);
    let record = own_record.as_ref();
    let has_spoken = !record.gpu_uses.is_empty() || !record.gpu_xids.is_empty();
    let is_gpu_node =
        has_spoken || !record.spans.is_empty() || record.stands.iter().any(|stand| stand.gpus.is_some());
    let mut found = Figures { is_gpu_node, ..Figures::default() };
    found.sums = Aggregates::nothing(rules.carve_outs.clone());
    found.sums.machines = u64::from(!record.stands.is_empty());
    found.sums.site_nj = None;
    for work in &record.work {
        found.sums.hashes += hashes_of(work.credited_q32);
    }
    found.sums.suspense_hashes = hashes_of(record.suspense_q32);

    let allocations = &held.accepted;
    let polls: Vec<Poll> = record.samples.iter().map(poll).collect();
    let testimonies = testimonies(record, &polls, windows, &running, rules, period);
    for stand in &record.stands {
        let energy = best(&testimonies, &rules.order, stand.interval);
        if is_gpu_node {
            gpus::add_stand(&mut found, stand, record, allocations, rules);
            gpus::add_use(&mut found.sums, stand, &record.gpu_uses);
        } else {
            let stretches = timeline(&polls, windows, rules.speaks_us, stand.interval);
            let rated_hs = if record.is_other_algorithm { Some(0) } else { stand.rated_hashrate_hs };
            add_miner_stand(&mut found.sums, stand, rated_hs, &stretches, &energy);
        }
        add_energy(&mut found, record, &energy, stand);
    }
    gpus::add_lent(&mut found, record, allocations);
    found.sources = sources(record, &record.left_out, is_gpu_node, rules, period);
    for source in &found.sources {
        found.sums.samples_expected = found.sums.samples_expected.saturating_add(source.slots.expected);
        found.sums.samples_received = found.sums.samples_received.saturating_add(source.slots.received);
    }
    gpus::add_faults(&mut found, record, allocations);
    let has_said = !record.samples.is_empty() || !record.registers.is_empty() || !record.work.is_empty();
    found.is_mute = !is_gpu_node && !has_said && !record.stands.is_empty();
    found.truth = truth(record, &testimonies, rules, period);
    found.truth.gpu = gpus::time(record, &held, rules);
    found.refused = held.refused;
    found
}

fn poll(sample: &Sample) -> Poll {
    Poll { at_us: sample.at_us, id: sample.id, uptime_s: sample.uptime_s, found: sample.found }
}

fn add_miner_stand(
    sums: &mut Aggregates,
    stand: &Stand,
    rated_hs: Option<u128>,
    stretches: &[Stretch],
    energy: &[Witnessed],
) {
    let length_us = u128::from(stand.interval.end_us.abs_diff(stand.interval.start_us));
    sums.uptime.add(&Uptime::of(stretches, stand.interval));
    let times = |so_long_us: u128| rated_hs.and_then(|rated_hs| rated_hs.checked_mul(so_long_us));
    let answered = stretches
        .iter()
        .filter(|stretch| matches!(stretch.status, Status::Hashing | Status::Reachable))
        .map(|stretch| stretch.interval);
    let drew = energy
        .iter()
        .filter(|part| part.energy_nj > 0 && part.witness != Witness::Nameplate)
        .map(|part| part.interval);
    let powered: u128 = Interval::union(answered.chain(drew).collect())
        .iter()
        .map(|interval| u128::from(interval.end_us.abs_diff(interval.start_us)))
        .sum();
    sums.deployed_hs_us = super::both(sums.deployed_hs_us, times(length_us));
    sums.energised_hs_us = super::both(sums.energised_hs_us, times(powered));
    for stretch in stretches.iter().filter(|stretch| stretch.status == Status::Curtailed) {
        let length_us = u128::from(stretch.interval.end_us.abs_diff(stretch.interval.start_us));
        let rated_nj = u128::from(stand.rated_power_mw) * length_us;
        let drawn_nj: u128 = energy.iter().map(|part| within(part, &stretch.interval)).sum();
        sums.curtailed_nj = super::both(sums.curtailed_nj, Some(rated_nj.saturating_sub(drawn_nj)));
    }
}

/// The part of a quantity that flowed in a part of its time.
fn within(quantity: &Witnessed, part: &Interval) -> u128 {
    quantity.interval.intersect(part).map_or(0, |part| {
        until(quantity.energy_nj, &quantity.interval, part.end_us)
            - until(quantity.energy_nj, &quantity.interval, part.start_us)
    })
}

fn add_energy(found: &mut Figures, record: &Record, energy: &[Witnessed], stand: &Stand) {
    let sums = &mut found.sums;
    let total_nj: u128 = energy.iter().map(|part| part.energy_nj).sum();
    if !energy.is_empty() {
        let of_kind = if found.is_gpu_node { &mut sums.gpus_nj } else { &mut sums.miners_nj };
        *of_kind = super::either(*of_kind, Some(total_nj));
    }
    let assigned_nj: u128 =
        energy.iter().map(|part| record.assigned.iter().map(|held| within(part, held)).sum::<u128>()).sum();
    sums.suspense_nj += total_nj.saturating_sub(assigned_nj);
    let covered: u128 =
        energy.iter().map(|part| u128::from(part.interval.end_us.abs_diff(part.interval.start_us))).sum();
    sums.covered_us += covered;
    sums.standing_us += u128::from(stand.interval.end_us.abs_diff(stand.interval.start_us));
    found.energy.extend(by_interval(energy));
}

fn truth(record: &Record, testimonies: &[Testimony], rules: &Rules, period: Interval) -> MachineTruth {
    let hashrates = record.claims.map(|claims| Hashrates {
        proven: hashes_of(claims.credited_q32),
        shares: share_sums(claims.credited_q32, claims.credited_q32_squared),
        claimed: Some(claims.hashes),
        firmware_class_ppm: rules.firmware_class_ppm,
        ..Hashrates::default()
    });
    let inside: Vec<Interval> =
        record.stands.iter().filter_map(|stand| stand.interval.intersect(&period)).collect();
    MachineTruth {
        machine_id: record.machine_id.clone(),
        hashrates,
        claims: record.claims,
        energy: shared_energy(testimonies, &inside),
        own_claim: record.own_claim.clone(),
        gpu: None,
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
