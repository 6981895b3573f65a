//! The usage of one contract in one stretch of time, in pieces that add exactly.
//!
//! All quantities are whole numbers in the unit that their name ends with. In JSON, quantities are decimal
//! text and instants are numbers.

mod check;
pub(crate) mod gpu;
pub(crate) mod reserved;
pub(crate) mod text;

use serde::{Deserialize, Serialize};
use wb_units::Micros;

use crate::error::UsageError;

pub use gpu::{GpuAvailability, GpuOutage, GpuSpan};

/// Work of equal worth: everything that a share's worth depends on is equal within the group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkGroup {
    /// The chain, `main` or a test chain.
    pub chain: String,
    /// The network's compact target that the work was done under.
    pub nbits: u32,
    /// The block subsidy of that height, in satoshi.
    pub subsidy_sat: u64,
    /// Accepted work: credited difficulty in units of 2^-32.
    #[serde(with = "text")]
    pub credited_q32: u128,
    /// Accepted shares.
    pub shares: u64,
}

/// Energy of one meter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnergyGroup {
    /// The machine the meter feeds.
    pub machine_id: String,
    /// The meter.
    pub meter_id: String,
    /// The witness: `meter`, `pdu` or `firmware`.
    pub witness: String,
    /// Energy in thousandths of a watt-hour.
    #[serde(with = "text")]
    pub energy_mwh: u128,
    /// How often the register fell; what was used across each fall is unknown and not billed.
    pub resets: u64,
    /// Time in microseconds for which the meter's energy is not known, and so not billed.
    pub unknown_us: u64,
}

/// Energy of all machines in one five-minute interval.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnergySlice {
    /// The interval's start.
    pub start_us: Micros,
    /// Energy in thousandths of a watt-hour.
    #[serde(with = "text")]
    pub energy_mwh: u128,
}

/// Accepted work in one five-minute interval.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkSlice {
    /// The interval's start.
    pub start_us: Micros,
    /// The chain.
    pub chain: String,
    /// Credited difficulty in units of 2^-32.
    #[serde(with = "text")]
    pub credited_q32: u128,
}

/// Machines of one rated power: how long they were assigned and how long they operated, added up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetGroup {
    /// Rated power of one machine in milliwatts.
    pub rated_power_mw: u64,
    /// Machine-microseconds assigned to the contract.
    #[serde(with = "text")]
    pub assigned_us: u128,
    /// Machine-microseconds operational within them.
    #[serde(with = "text")]
    pub operational_us: u128,
}

/// Uptime of one machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UptimeGroup {
    /// The machine.
    pub machine_id: String,
    /// Time in which it should have run.
    pub expected_us: u64,
    /// Time in which it ran.
    pub up_us: u64,
    /// Time within the expected time that the contract leaves out (curtailment, agreed maintenance) and in which it
    /// did not run.
    pub left_out_us: u64,
}

/// Energy that was not used in one five-minute interval because it was curtailed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurtailedSlice {
    /// The interval's start.
    pub start_us: Micros,
    /// Energy not used, in thousandths of a watt-hour.
    #[serde(with = "text")]
    pub curtailed_mwh: u128,
}

/// A site's meter beside the sum of its machines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteEnergy {
    /// The site.
    pub site_id: String,
    /// What the site's meter counted, in thousandths of a watt-hour.
    #[serde(with = "text")]
    pub site_mwh: u128,
    /// What the machines' meters counted, in thousandths of a watt-hour.
    #[serde(with = "text")]
    pub machines_mwh: u128,
}

/// Bitcoin that a pool paid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// When.
    pub at_us: Micros,
    /// How much.
    pub amount_sat: u64,
}

/// Any other count, with a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountGroup {
    /// What is counted.
    pub meter: String,
    /// How much, in millionths.
    #[serde(with = "text")]
    pub value_micro: u128,
}

/// Usage of one contract in one stretch of time. Entries may be in any order, and entries of one key may come in
/// pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// Accepted work.
    pub work: Vec<WorkGroup>,
    /// Metered energy.
    pub energy: Vec<EnergyGroup>,
    /// The same energy by interval, for components whose price changes within the period.
    pub energy_slices: Vec<EnergySlice>,
    /// The same work by interval, for components whose price changes within the period.
    pub work_slices: Vec<WorkSlice>,
    /// Machines by rated power.
    pub fleet: Vec<FleetGroup>,
    /// Uptime by machine.
    pub uptime: Vec<UptimeGroup>,
    /// Curtailed energy by interval.
    pub curtailed: Vec<CurtailedSlice>,
    /// Site meters.
    pub sites: Vec<SiteEnergy>,
    /// GPU allocations, each with its whole history so far. Where a reservation covers some of them: all that shared
    /// time with those of the stretch.
    pub gpu_spans: Vec<GpuSpan>,
    /// Availability of the GPUs of the nodes under the contract.
    pub gpu_availability: Vec<GpuAvailability>,
    /// Outages of these nodes.
    pub gpu_outages: Vec<GpuOutage>,
    /// Payments of pools.
    pub receipts: Vec<Receipt>,
    /// Other counts.
    pub counts: Vec<CountGroup>,
}

impl Usage {
    /// Reads usage from JSON, as an evidence bundle holds it.
    ///
    /// # Errors
    /// [`UsageError::Form`] for unknown fields and for quantities that are negative or no whole numbers.
    pub fn parse(json: &str) -> Result<Self, UsageError> {
        serde_json::from_str(json).map_err(|error| UsageError::Form { detail: error.to_string() })
    }
}
