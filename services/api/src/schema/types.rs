//! The things that are shown. Whole numbers that may pass 2^53 are text, with the unit in the
//! field's name.

use async_graphql::{Enum, SimpleObject};
use wb_auth::{Principal, TenantScope};
use wb_clickhouse::read;

use super::time::Time;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ReaderRole {
    /// All data.
    Operator,
    /// The data of one customer's machines, while they were assigned to it.
    Customer,
}

/// The holder of the token.
#[derive(Debug, SimpleObject)]
pub(crate) struct Viewer {
    /// The subject of the token.
    pub(crate) subject: String,
    /// What the token allows.
    pub(crate) role: ReaderRole,
    /// The customer the token is limited to; null for an operator.
    pub(crate) customer: Option<Customer>,
    /// When the token expires.
    pub(crate) token_expires_at: Time,
}

impl Viewer {
    pub(super) fn new(principal: &Principal, customer: Option<Customer>) -> Self {
        let role = match principal.scope {
            TenantScope::Operator => ReaderRole::Operator,
            TenantScope::Customer(_) => ReaderRole::Customer,
        };
        let expires_at_us =
            i64::try_from(principal.expires_at_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        Self { subject: principal.subject.clone(), role, customer, token_expires_at: Time(expires_at_us) }
    }
}

/// A customer.
#[derive(Debug, SimpleObject)]
pub(crate) struct Customer {
    /// Its identifier.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: Option<String>,
}

impl From<read::Customer> for Customer {
    fn from(customer: read::Customer) -> Self {
        Self { id: customer.customer_id, name: customer.name }
    }
}

/// A site.
#[derive(Debug, SimpleObject)]
pub(crate) struct Site {
    /// Its identifier.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: Option<String>,
    /// Its IANA time zone.
    pub(crate) time_zone: Option<String>,
    /// How many machines that you may see stand there.
    pub(crate) machine_count: String,
}

impl From<read::Site> for Site {
    fn from(site: read::Site) -> Self {
        Self {
            id: site.site_id,
            name: site.name,
            time_zone: site.time_zone,
            machine_count: site.machines.to_string(),
        }
    }
}

/// A machine. A customer sees it as it was during its assignment to that customer.
#[derive(Debug, SimpleObject)]
pub(crate) struct Machine {
    /// Its identifier.
    pub(crate) id: String,
    /// The site where it stands.
    pub(crate) site_id: Option<String>,
    /// Its model.
    pub(crate) model: Option<String>,
    /// Its rated power in milliwatts.
    pub(crate) rated_power_mw: Option<String>,
    /// The customer of its last assignment.
    pub(crate) customer_id: Option<String>,
    /// The contract of its last assignment.
    pub(crate) contract_id: Option<String>,
    /// Start of the assignment: a full five minutes.
    pub(crate) assigned_from: Option<Time>,
    /// End of the assignment; null if no end is known.
    pub(crate) assigned_to: Option<Time>,
}

impl From<read::Machine> for Machine {
    fn from(machine: read::Machine) -> Self {
        Self {
            id: machine.machine_id,
            site_id: machine.site_id,
            model: machine.model,
            rated_power_mw: machine.rated_power_mw.map(|power_mw| power_mw.to_string()),
            customer_id: machine.customer_id,
            contract_id: machine.contract_id,
            assigned_from: machine.assigned_from_us.map(Time),
            assigned_to: machine.assigned_to_us.map(Time),
        }
    }
}

/// Accepted work of one bucket of time and one chain.
#[derive(Debug, SimpleObject)]
pub(crate) struct HashratePoint {
    /// The bucket's first instant.
    pub(crate) start: Time,
    /// The first instant after the bucket.
    pub(crate) end: Time,
    /// The chain; work of different chains is never added up.
    pub(crate) chain: String,
    /// Accepted shares.
    pub(crate) shares: String,
    /// Accepted shares that solved a block.
    pub(crate) blocks: String,
    /// Credited difficulty in units of 2^-32.
    pub work_q32: String,
    /// The mean rate over the bucket in hashes per second, rounded down: workQ32 * 65536 / 65535
    /// / seconds.
    pub(crate) hashrate_hs: String,
    /// One standard deviation of that rate from chance, in hashes per second.
    pub(crate) hashrate_sigma_hs: String,
    /// The lower end of the 95 % interval of the rate in hashes per second, from chance.
    pub(crate) low_hs: String,
    /// The upper end of the 95 % interval of the rate in hashes per second, from chance. Exact if all shares have one
    /// difficulty, otherwise as exact as the largest known difficulty allows.
    pub(crate) high_hs: Option<String>,
}

impl From<read::HashratePoint> for HashratePoint {
    fn from(point: read::HashratePoint) -> Self {
        let (low_hs, high_hs) = super::statistics::bounds_of(&point);
        Self {
            start: Time(point.bucket.start_us),
            end: Time(point.bucket.end_us),
            chain: point.chain,
            shares: point.shares.to_string(),
            blocks: point.blocks.to_string(),
            work_q32: point.credited_q32.to_string(),
            hashrate_hs: point.hashrate_hs.to_string(),
            hashrate_sigma_hs: point.hashrate_sigma_hs.to_string(),
            low_hs,
            high_hs,
        }
    }
}

/// Energy of one bucket of time and one kind of witness.
#[derive(Debug, SimpleObject)]
pub(crate) struct EnergyPoint {
    /// The bucket's first instant.
    pub(crate) start: Time,
    /// The first instant after the bucket.
    pub(crate) end: Time,
    /// The witness: `meter`, `pdu` or `firmware`, the best one of each machine and five minutes.
    pub(crate) witness: String,
    /// Energy in watt-hours, exact to a thousandth.
    pub(crate) energy_wh: String,
}

impl From<read::EnergyPoint> for EnergyPoint {
    fn from(point: read::EnergyPoint) -> Self {
        Self {
            start: Time(point.bucket.start_us),
            end: Time(point.bucket.end_us),
            witness: point.witness,
            energy_wh: wb_units::decimal::format(point.energy_mwh, 3),
        }
    }
}

/// Shares of one verdict, reason and chain.
#[derive(Debug, SimpleObject)]
pub(crate) struct VerdictCount {
    /// `accepted`, `duplicate` or `rejected`.
    pub(crate) verdict: String,
    /// The reason; empty for accepted shares.
    pub(crate) reason: String,
    /// The chain; empty if the shares matched no job.
    pub(crate) chain: String,
    /// The number of shares.
    pub(crate) shares: String,
    /// Their credited difficulty in units of 2^-32.
    pub work_q32: String,
}

impl From<read::VerdictCount> for VerdictCount {
    fn from(count: read::VerdictCount) -> Self {
        Self {
            verdict: count.verdict,
            reason: count.reason,
            chain: count.chain,
            shares: count.shares.to_string(),
            work_q32: count.credited_q32,
        }
    }
}
