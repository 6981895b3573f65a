//! Facts of a site beside its machines.

use std::collections::BTreeMap;

use wb_units::{Interval, Micros};

use crate::report::machine::{Register, Work};
use crate::report::mix::MixFact;
use crate::report::money::Prices;

/// A window of a site or of one of its machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// When.
    pub interval: Interval,
    /// The machine; `None` for the whole site.
    pub machine_id: Option<String>,
}

/// A credit for a curtailment, spread evenly over its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// The window.
    pub interval: Interval,
    /// Minor units of the site's currency.
    pub amount_minor: i128,
}

/// What a pool credited for a span, or paid at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earning {
    /// The pool.
    pub pool: String,
    /// The span; of a payout the instant, with no length.
    pub interval: Interval,
    /// Satoshi.
    pub amount_sat: u128,
    /// Blocks that the pool found in it, where it pays for blocks.
    pub pool_blocks: Option<u64>,
    /// The machine whose work it is for, where the pool reports each machine.
    pub machine_id: Option<String>,
    /// The customer whose account it went to; `None` for the site's own.
    pub customer_id: Option<String>,
}

impl Earning {
    /// Whether it is for a part of the site only.
    #[must_use]
    pub fn is_of_a_part(&self) -> bool {
        self.machine_id.is_some() || self.customer_id.is_some()
    }
}

/// Facts of a site beside its machines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteFacts {
    /// The site.
    pub site_id: String,
    /// Curtailment windows, in any order.
    pub curtailment: Vec<Window>,
    /// Maintenance windows, in any order.
    pub maintenance: Vec<Window>,
    /// Credits for curtailments.
    pub credits: Vec<Credit>,
    /// Where its energy comes from, in order of time and not overlapping.
    pub mix: Vec<MixFact>,
    /// The meters of its whole intake.
    pub meters: Vec<Register>,
    /// What its power costs.
    pub power: Option<Prices>,
    /// What a bitcoin is worth.
    pub bitcoin: Option<Prices>,
    /// What a GPU-hour is worth.
    pub gpu: Option<Prices>,
    /// What pools credited.
    pub earnings: Vec<Earning>,
    /// What pools paid.
    pub payouts: Vec<Earning>,
    /// The site's accepted work by settlement interval; for a customer, the work of its machines.
    pub work: Vec<(Micros, Work)>,
    /// The same of the machines that pools paid for separately.
    pub machine_work: BTreeMap<String, Vec<(Micros, Work)>>,
    /// What could not be read, as text.
    pub doubts: Vec<String>,
    /// Whether the report is a customer's, with only some of the site's machines. Then it has nothing of the site
    /// itself: its power, its pools, its mix.
    pub is_part: bool,
}
