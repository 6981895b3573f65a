//! What a contract's components need, so that nothing else is read for a bill.

use std::collections::BTreeSet;

use wb_units::Micros;

use crate::components::energy_uplift::Factor;
use crate::components::hashrate_fee::FeePrice;
use crate::components::management_fee::Basis;
use crate::components::profit_share::Income;
use crate::components::{Component, Measure, Power};
use crate::contract::Contract;

/// What a contract's components need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Accepted work.
    pub work: bool,
    /// Accepted work by interval.
    pub work_slices: bool,
    /// Metered energy.
    pub energy: bool,
    /// Metered energy by interval.
    pub energy_slices: bool,
    /// Machines by rated power.
    pub fleet: bool,
    /// For how long those machines operated.
    pub operation: bool,
    /// Uptime by machine.
    pub uptime: bool,
    /// Curtailed energy by interval.
    pub curtailed: bool,
    /// Sites' meters beside their machines.
    pub sites: bool,
    /// GPU allocations.
    pub gpu_spans: bool,
    /// All allocations that shared time with those of the stretch, because a reservation covers some of them.
    pub gpu_coverage: bool,
    /// Availability of GPUs, and outages.
    pub gpu_availability: bool,
    /// Payments of pools.
    pub receipts: bool,
    /// Other counts, by name.
    pub counts: BTreeSet<String>,
    /// Series of prices.
    pub series: BTreeSet<String>,
    /// Instants outside of the period whose prices are needed too.
    pub instants_us: BTreeSet<Micros>,
    /// Prepaid grants.
    pub grants: bool,
    /// Components that are deposits.
    pub deposits: BTreeSet<String>,
}

impl Contract {
    /// Collects what the components need.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for component in &self.components {
            needs.add(component);
        }
        needs
    }
}

impl Needs {
    fn add(&mut self, component: &Component) {
        match component {
            Component::PoolEarnings(_) => self.work = true,
            Component::MeteredEnergy(_) => self.energy = true,
            Component::EnergyUplift(terms) => self.sites |= matches!(terms.factor, Factor::Measured { .. }),
            Component::NameplateEnergy(_) => {
                self.fleet = true;
                self.operation = true;
            }
            Component::TimeOfUse(_) => self.energy_by_interval(),
            Component::IndexedEnergy(terms) => {
                self.energy_by_interval();
                self.series.insert(terms.series.clone());
            }
            Component::TakeOrPay(terms) => {
                self.energy = true;
                self.curtailed |= terms.leave_out_curtailed;
                self.add_power(&terms.power);
            }
            Component::ManagementFee(terms) => {
                if let Basis::Power { power, .. } = &terms.basis {
                    self.add_power(power);
                }
            }
            Component::ProfitShare(terms) => {
                self.energy = true;
                self.receipts |= !matches!(terms.income, Income::ProvenWork(_));
                self.series.insert(terms.fixing_series.clone());
            }
            Component::UptimeCredit(_) => self.uptime = true,
            Component::CurtailmentShare(terms) => {
                self.curtailed = true;
                self.series.insert(terms.series.clone());
            }
            Component::Deposit(terms) => {
                self.add_power(&terms.power);
                self.deposits.insert(terms.head.id.clone());
            }
            Component::GpuOnDemand(terms) => {
                self.gpu_spans = true;
                self.gpu_coverage |= terms.covered_by.as_ref().is_some_and(|ids| !ids.is_empty());
            }
            Component::MigSlice(_) => self.gpu_spans = true,
            Component::GpuSlaCredit(_) => self.gpu_availability = true,
            Component::HashrateFee(terms) => {
                self.work = true;
                if let FeePrice::Indexed { series, .. } = &terms.price {
                    self.work_slices = true;
                    self.series.insert(series.clone());
                }
            }
            Component::Tiered(terms) => self.add_measure(&terms.measure),
            Component::Graduated(terms) => self.add_measure(&terms.measure),
            Component::Volume(terms) => self.add_measure(&terms.measure),
            Component::Package(terms) => self.add_measure(&terms.measure),
            Component::PrepaidCredit(_) => self.grants = true,
            Component::BtcSettlement(terms) => {
                self.series.insert(terms.series.clone());
                self.instants_us.extend(terms.fixing_at_us);
            }
            Component::GpuReserved(_)
            | Component::FixedFee(_)
            | Component::OneOff(_)
            | Component::MinimumSpend(_)
            | Component::MaximumSpend(_)
            | Component::Tax(_) => {}
        }
    }

    fn energy_by_interval(&mut self) {
        self.energy = true;
        self.energy_slices = true;
    }

    fn add_power(&mut self, power: &Power) {
        self.fleet |= matches!(power, Power::Rated);
    }

    fn add_measure(&mut self, measure: &Measure) {
        match measure {
            Measure::EnergyKwh => self.energy = true,
            Measure::GpuHours(covered_by) => {
                self.gpu_spans = true;
                self.gpu_coverage |= covered_by.as_ref().is_some_and(|ids| !ids.is_empty());
            }
            Measure::WorkPhDays => self.work = true,
            Measure::MachineMonths => self.fleet = true,
            Measure::Count(meter) => {
                self.counts.insert(meter.clone());
            }
        }
    }
}
