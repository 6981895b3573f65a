//! Which usage a contract bills, by which components, and what of it none bills.
//!
//! Every kind of usage that is counted under a contract is in the answer of [`crate::Contract::usage_billing`]: billed by one
//! component, by several, or by none. What a reservation covers is not billed by use; the reservation's own line is.

use std::collections::{BTreeMap, BTreeSet};

use wb_units::Currency;

use crate::components::{Component, Measure};
use crate::contract::Contract;
use crate::error::ContractError;
use crate::exact::Exact;

/// A kind of usage that is counted under a contract.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metered {
    /// Energy of machines, in kilowatt-hours.
    Energy,
    /// Accepted work on the main chain.
    Work,
    /// Time of machines.
    MachineTime,
    /// Time of whole GPUs that are allocated.
    GpuTime,
    /// Time of allocated slices of a profile; of all other profiles where it is empty.
    SliceTime(String),
    /// A count of its own name.
    Count(String),
}

impl std::fmt::Display for Metered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Energy => formatter.write_str("energy"),
            Self::Work => formatter.write_str("work"),
            Self::MachineTime => formatter.write_str("machine time"),
            Self::GpuTime => formatter.write_str("time of whole GPUs"),
            Self::SliceTime(profile) if profile.is_empty() => formatter.write_str("time of other GPU slices"),
            Self::SliceTime(profile) => write!(formatter, "time of GPU slices {profile}"),
            Self::Count(meter) => write!(formatter, "count {meter}"),
        }
    }
}

/// Who bills a kind of usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageBilling {
    /// The usage.
    pub metered: Metered,
    /// The components that put a price on it, in the contract's order.
    pub billed_by: Vec<String>,
    /// The reservations that cover part of it.
    pub covered_by: Vec<String>,
}

/// What a contract's author should look at. Neither keeps a contract from being billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Several components bill the same usage.
    Twice {
        /// The usage.
        metered: Metered,
        /// The components.
        billed_by: Vec<String>,
    },
    /// Usage of a kind that the contract's other components speak of is billed by none.
    NotBilled {
        /// The usage.
        metered: Metered,
    },
    /// A reservation that covers no use: all of it is billed beside the reservation.
    CoversNothing {
        /// The reservation.
        reservation: String,
        /// The components that bill the use.
        billed_by: Vec<String>,
    },
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Twice { metered, billed_by } => write!(
                formatter,
                "{metered} is billed by each of {}: one unit used is charged {} times; this is right only where the \
                 prices are parts of one price",
                billed_by.join(", "),
                billed_by.len()
            ),
            Self::NotBilled { metered } => write!(formatter, "{metered} is not billed by any component"),
            Self::CoversNothing { reservation, billed_by } => write!(
                formatter,
                "{reservation} covers no use: each GPU-hour used is billed by {} beside the reservation; name it in \
                 covered_by where the reservation is meant to pay for it",
                billed_by.join(", ")
            ),
        }
    }
}

/// Every kind of usage that is counted under a contract, with the components that bill it.
fn usage_billing(components: &[Component]) -> Vec<UsageBilling> {
    let mut found: BTreeMap<Metered, (Vec<String>, BTreeSet<String>)> = BTreeMap::new();
    let always = [Metered::Energy, Metered::Work, Metered::MachineTime, Metered::GpuTime];
    for metered in always.into_iter().chain([Metered::SliceTime(String::new())]) {
        found.entry(metered).or_default();
    }
    for component in components {
        let Some(metered) = billed(component) else { continue };
        let entry = found.entry(metered).or_default();
        entry.0.push(component.id().to_owned());
        entry.1.extend(covered_by(component).into_iter().flatten().flatten().cloned());
    }
    let billing = |(metered, (billed_by, covered_by)): (_, (_, BTreeSet<String>))| UsageBilling {
        metered,
        billed_by,
        covered_by: covered_by.into_iter().collect(),
    };
    found.into_iter().map(billing).collect()
}

/// What of [`usage_billing`] a contract's author should look at.
fn findings(components: &[Component]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let billing = usage_billing(components);
    let is_of_gpus = components.iter().any(|component| {
        matches!(component, Component::GpuReserved(_))
            || matches!(billed(component), Some(Metered::GpuTime | Metered::SliceTime(_)))
    });
    for of in &billing {
        if of.billed_by.len() > 1 {
            findings.push(Finding::Twice { metered: of.metered.clone(), billed_by: of.billed_by.clone() });
        }
        let is_of_a_gpu = matches!(of.metered, Metered::GpuTime | Metered::SliceTime(_));
        if of.billed_by.is_empty() && is_of_a_gpu && is_of_gpus {
            findings.push(Finding::NotBilled { metered: of.metered.clone() });
        }
    }
    let use_of = billing.iter().find(|of| of.metered == Metered::GpuTime);
    if let Some(of) = use_of.filter(|of| !of.billed_by.is_empty()) {
        for reservation in reservations(components) {
            if !of.covered_by.iter().any(|id| id == reservation.id) {
                findings.push(Finding::CoversNothing {
                    reservation: reservation.id.to_owned(),
                    billed_by: of.billed_by.clone(),
                });
            }
        }
    }
    findings
}

impl Contract {
    /// Every kind of usage that is counted under a contract, with the components that bill it.
    #[must_use]
    pub fn usage_billing(&self) -> Vec<UsageBilling> {
        usage_billing(&self.components)
    }

    /// What of [`Self::usage_billing`] the contract's author should look at.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        findings(&self.components)
    }
}

/// A reservation of a contract.
struct Reservation<'a> {
    id: &'a str,
    gpus: u64,
    currency: Currency,
    /// Of a GPU-hour.
    unit_price: Exact,
}

fn reservations(components: &[Component]) -> impl Iterator<Item = Reservation<'_>> {
    components.iter().filter_map(|component| match component {
        Component::GpuReserved(terms) => Some(Reservation {
            id: &terms.head.id,
            gpus: terms.gpus,
            currency: terms.head.currency,
            unit_price: terms.unit_price.value,
        }),
        _ => None,
    })
}

fn measured(component: &Component) -> Option<&Measure> {
    match component {
        Component::Tiered(terms) => Some(&terms.measure),
        Component::Graduated(terms) => Some(&terms.measure),
        Component::Volume(terms) => Some(&terms.measure),
        Component::Package(terms) => Some(&terms.measure),
        _ => None,
    }
}

/// The usage that a component puts a price on.
fn billed(component: &Component) -> Option<Metered> {
    if let Some(measure) = measured(component) {
        return Some(match measure {
            Measure::EnergyKwh => Metered::Energy,
            Measure::GpuHours(_) => Metered::GpuTime,
            Measure::WorkPhDays => Metered::Work,
            Measure::MachineMonths => Metered::MachineTime,
            Measure::Count(meter) => Metered::Count(meter.clone()),
        });
    }
    match component {
        Component::MeteredEnergy(_)
        | Component::NameplateEnergy(_)
        | Component::TimeOfUse(_)
        | Component::IndexedEnergy(_) => Some(Metered::Energy),
        Component::HashrateFee(_) => Some(Metered::Work),
        Component::GpuOnDemand(_) => Some(Metered::GpuTime),
        Component::MigSlice(terms) => Some(Metered::SliceTime(terms.profile.clone())),
        _ => None,
    }
}

/// Of a component that bills whole GPUs by use: what its document says of coverage.
pub(crate) fn covered_by(component: &Component) -> Option<Option<&Vec<String>>> {
    if let Component::GpuOnDemand(terms) = component {
        return Some(terms.covered_by.as_ref());
    }
    match measured(component)? {
        Measure::GpuHours(covered_by) => Some(covered_by.as_ref()),
        _ => None,
    }
}

/// Refuses a contract that reserves GPUs and bills GPUs by use without saying whether the one covers the other: the
/// first component that does not say it, by its position, and why.
pub(crate) fn check(components: &[Component]) -> Option<(usize, String)> {
    let reserved: Vec<Reservation<'_>> = reservations(components).collect();
    let first = reserved.first()?;
    let place = components.iter().position(|component| covered_by(component) == Some(None))?;
    let ids: Vec<String> = reserved.iter().map(|reservation| format!("{:?}", reservation.id)).collect();
    Some((place, example(first, components.get(place)?, &ids.join(", "))))
}

/// An hour with two GPUs more in use than are reserved, both ways.
fn example(reserved: &Reservation<'_>, by_use: &Component, ids: &str) -> String {
    let (gpus, code) = (reserved.gpus, reserved.currency.code());
    let says = format!(
        "with {gpus} GPUs reserved and {} in use it would bill {} GPUs, those that {:?} bills too",
        gpus + 2,
        gpus + 2,
        reserved.id
    );
    let amounts = match by_use {
        Component::GpuOnDemand(terms) if terms.head.currency == reserved.currency => {
            let hour = |above: u64| {
                let by_use = terms.unit_price.value.times(Exact::from(above))?;
                reserved.unit_price.times(Exact::from(gpus))?.plus(by_use)
            };
            hour(gpus + 2).zip(hour(2))
        }
        _ => None,
    };
    let costs = amounts.map_or_else(String::new, |(both, covered)| {
        format!(": an hour costs {both} {code} so, and {covered} {code} where the reservation covers its own")
    });
    format!(
        "{says}{costs}; put reservations first and write covered_by = [{ids}], or covered_by = [] where all use is \
         billed beside the reservation"
    )
}

/// [`check`] as an error of the component at its place in the document.
pub(crate) fn refusal(components: &[Component], place_of: impl Fn(usize) -> String) -> Option<ContractError> {
    check(components).map(|(place, detail)| ContractError::Coverage { field: place_of(place), detail })
}
