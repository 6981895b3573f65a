//! What was counted for one contract and one stretch of time, in groups that add exactly.

/// Work of equal worth: everything that decides what a share earns is the same within the group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkGroup {
    /// The chain, `main` or a test chain.
    pub chain: String,
    /// The network's compact target that the work was done under.
    pub nbits: u32,
    /// The block subsidy of that height, in satoshi.
    pub subsidy_sat: u64,
    /// Accepted work: credited difficulty in units of 2^-32.
    pub credited_q32: u128,
    /// Accepted shares.
    pub shares: u64,
}

/// Energy of one meter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnergyGroup {
    /// The machine the meter feeds.
    pub machine_id: String,
    /// The meter.
    pub meter_id: String,
    /// Who read it: `meter`, `pdu` or `firmware`.
    pub witness: String,
    /// Energy in thousandths of a watt-hour.
    pub energy_mwh: u128,
    /// How often the register fell; what was used across each fall is unknown and not billed.
    pub resets: u64,
    /// Time in microseconds for which the meter's energy is not known, and so not billed.
    pub unknown_us: u64,
}

/// Usage of one contract in one stretch of time. The order of groups has no meaning, and groups of
/// one key may come in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Accepted work.
    pub work: Vec<WorkGroup>,
    /// Metered energy.
    pub energy: Vec<EnergyGroup>,
}
