//! Accepted usage of machines that no bill charges, added up by machine and measure.
//!
//! Allocations that a bill refuses one by one are [`Exclusion`](crate::Exclusion)s. Here is the rest: what no component
//! of a contract bills, what was measured a second time, and what nobody holds.

use std::collections::BTreeMap;

use wb_metering::billable::{MachineEnergy, Meter, hear};
use wb_metering::energy::witness::Witness;
use wb_rating::{EARNING_CHAIN, EnergyGroup, EnergySlice, RatedStretch, WorkGroup};
use wb_units::{Interval, Micros, Money};

use crate::exclusion::{EXCLUSIONS_MAX, first_difference, totals};

/// Microseconds in an hour.
const HOUR_US: u128 = 3_600_000_000;
/// Thousandths of a watt-hour in a kilowatt-hour.
const MWH_PER_KWH: u128 = 1_000_000;
/// Units of credited difficulty in a difficulty of one.
const Q32: u128 = 1 << 32;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measured {
    /// Accepted work on a chain: credited difficulty in units of 2^-32.
    Work {
        /// The chain.
        chain: String,
    },
    /// Energy of a meter or counter, in thousandths of a watt-hour.
    Energy {
        /// What kind of witness it is.
        witness: Witness,
        /// The meter.
        meter_id: String,
    },
    /// Time of allocated GPUs, or of slices of a profile, in microseconds.
    GpuTime {
        /// The slices' profile; empty for whole GPUs.
        profile: String,
    },
}

impl Measured {
    /// What kind of usage it is, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Work { chain } => format!("work on chain {chain}"),
            Self::Energy { witness, .. } => format!("energy by {}", witness.as_str()),
            Self::GpuTime { profile } if profile.is_empty() => "time of whole GPUs".to_owned(),
            Self::GpuTime { profile } => format!("time of GPU slices {profile}"),
        }
    }

    /// A quantity of it as people read it, rounded down to three decimals.
    #[must_use]
    pub fn quantity_words(&self, quantity: u128) -> String {
        let (whole, unit) = match self {
            Self::Work { .. } => (Q32, "difficulty"),
            Self::Energy { .. } => (MWH_PER_KWH, "kWh"),
            Self::GpuTime { .. } => (HOUR_US, "GPU-hours"),
        };
        let thousandths = quantity.checked_rem(whole).unwrap_or(0).saturating_mul(1_000) / whole;
        format!("{}.{thousandths:03} {unit}", quantity / whole)
    }
}

/// Accepted usage of a machine that a bill leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbilled {
    /// The machine; empty where the usage is known of all machines of the contract together.
    pub machine_id: String,
    /// What was measured.
    pub measured: Measured,
    /// How much, in the unit of what was measured.
    pub quantity: u128,
    /// The time that it was looked for in.
    pub interval: Interval,
    /// Why it is not billed.
    pub reason: String,
    /// By how much the bill would be higher with it, in the first currency that would change; `None` where the
    /// contract puts no price on it, or where the same was billed by another witness.
    pub would_be: Option<Money>,
    /// What rating would read, and the stretch of the bill that it would be in.
    pub(crate) candidate: Option<(usize, EnergyGroup, Vec<EnergySlice>)>,
}

impl Unbilled {
    pub(crate) fn new(
        (machine_id, measured): (&str, Measured),
        quantity: u128,
        interval: Interval,
        reason: &str,
    ) -> Self {
        Self {
            machine_id: machine_id.to_owned(),
            measured,
            quantity,
            interval,
            reason: reason.to_owned(),
            would_be: None,
            candidate: None,
        }
    }

    /// The same in a stretch of a bill.
    pub(crate) fn in_stretch(mut self, place: usize) -> Self {
        if let Some(candidate) = &mut self.candidate {
            candidate.0 = place;
        }
        self
    }
}

/// Unbilled usage of a contract, bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnbilledList {
    /// At most the first 1,000.
    pub listed: Vec<Unbilled>,
    /// How many there are beside those.
    pub more: usize,
}

impl UnbilledList {
    pub(crate) fn of(mut found: Vec<Unbilled>) -> Self {
        let more = found.len().saturating_sub(EXCLUSIONS_MAX);
        found.truncate(EXCLUSIONS_MAX);
        Self { listed: found, more }
    }

    /// With what the bill would have cost more with each of them.
    pub(crate) fn estimated(mut self, stretches: &[RatedStretch]) -> Self {
        for one in &mut self.listed {
            let Some((place, group, slices)) = one.candidate.take() else { continue };
            let Some(stretch) = stretches.get(place) else { continue };
            let Some(without) = totals(stretch) else { continue };
            let mut with = stretch.clone();
            with.usage.energy.push(group);
            // Interval energy is there only where a component reads it.
            if !with.usage.energy_slices.is_empty() {
                with.usage.energy_slices.extend(slices);
            }
            one.would_be = totals(&with).and_then(|with| first_difference(&without, with));
        }
        self
    }
}

/// Whether a witness counts energy; the others estimate it where nothing counts.
fn counts_energy(witness: Witness) -> bool {
    !matches!(witness, Witness::FirmwarePower | Witness::Nameplate)
}

/// The witnesses that count energy, in the order that holds where no contract says another.
pub(crate) fn counting_witnesses() -> Vec<Witness> {
    Witness::ALL.into_iter().filter(|witness| counts_energy(*witness)).collect()
}

/// The energy that meters of a machine counted beside what was taken of them: in time that another meter spoke for, and
/// in time that none spoke for that is taken.
pub(crate) fn unheard(
    machine_id: &str,
    (meters, order): (&[Meter], &[Witness]),
    energy: &MachineEnergy,
    held: Interval,
) -> Vec<Unbilled> {
    let mut found = Vec::new();
    for meter in meters.iter().filter(|meter| counts_energy(meter.witness)) {
        let of_meter = Measured::Energy { witness: meter.witness, meter_id: meter.meter_id.clone() };
        let all_mwh = alone(meter, &[held]).1;
        let is_own = |heard: &&wb_metering::billable::MeterEnergy| {
            heard.meter_id == meter.meter_id && heard.witness == meter.witness
        };
        let heard = energy.meters.iter().filter(is_own);
        let heard_mwh = heard.fold(0_u128, |sum, heard| sum.saturating_add(heard.energy_mwh));
        let left_mwh = all_mwh.saturating_sub(heard_mwh);
        if left_mwh == 0 {
            continue;
        }
        let (slices, open_mwh) = alone(meter, &energy.unknown);
        if open_mwh > 0 && !order.contains(&meter.witness) {
            let taken: Vec<&str> = order.iter().map(|witness| witness.as_str()).collect();
            let reason = format!("the contract takes energy by {} alone", taken.join(", "));
            let group = EnergyGroup {
                machine_id: machine_id.to_owned(),
                meter_id: meter.meter_id.clone(),
                witness: meter.witness.as_str().to_owned(),
                energy_mwh: open_mwh,
                resets: 0,
                unknown_us: 0,
            };
            found.push(Unbilled {
                candidate: Some((0, group, slices)),
                ..Unbilled::new((machine_id, of_meter.clone()), open_mwh, held, &reason)
            });
        }
        let twice_mwh = left_mwh.saturating_sub(open_mwh);
        if twice_mwh > 0 {
            let reason = "measured a second time: another witness speaks for the same time";
            found.push(Unbilled::new((machine_id, of_meter), twice_mwh, held, reason));
        }
    }
    found
}

/// The work of a contract's machines on chains that earn nothing.
pub(crate) fn of_other_chains(work: &[WorkGroup], within: Interval) -> Vec<Unbilled> {
    let mut chains: BTreeMap<&str, u128> = BTreeMap::new();
    for group in work.iter().filter(|group| group.chain != EARNING_CHAIN) {
        let sum = chains.entry(&group.chain).or_default();
        *sum = sum.saturating_add(group.credited_q32);
    }
    let reason = format!("only work on chain {EARNING_CHAIN} earns");
    let one = |(chain, q32): (&str, u128)| {
        Unbilled::new(("", Measured::Work { chain: chain.to_owned() }), q32, within, &reason)
    };
    chains.into_iter().map(one).collect()
}

/// The energy of one meter in some times, by settlement interval and in all.
fn alone(meter: &Meter, times: &[Interval]) -> (Vec<EnergySlice>, u128) {
    let mut slices: BTreeMap<Micros, u128> = BTreeMap::new();
    for time in times {
        for (start_us, energy_mwh) in hear(std::slice::from_ref(meter), &[meter.witness], *time).slices() {
            let sum = slices.entry(start_us).or_default();
            *sum = sum.saturating_add(energy_mwh);
        }
    }
    let sum_mwh = slices.values().fold(0_u128, |sum, part| sum.saturating_add(*part));
    let slice = |(start_us, energy_mwh)| EnergySlice { start_us, energy_mwh };
    (slices.into_iter().map(slice).collect(), sum_mwh)
}
