//! What a contract says, once it is read.

use wb_units::Micros;
use wb_units::time::boundary_at_or_after;

use crate::components::Component;
use crate::rules::CountingRules;

/// What one customer pays and earns, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Its id, the same for all versions.
    pub contract_id: String,
    /// The customer.
    pub customer_id: String,
    /// The operator's company that issues the invoices; numbers are gapless within it.
    pub legal_entity: String,
    /// IANA name of the zone whose months are billed.
    pub time_zone: String,
    /// The number of the version; 1 where the document has none.
    pub version: u64,
    /// The instant from which the version was agreed, where the document states it.
    pub effective_from_us: Option<Micros>,
    /// The instant until which the version was agreed, where the document states it.
    pub effective_to_us: Option<Micros>,
    /// Days from issue until an invoice is due, where the document states them.
    pub payment_terms_days: Option<u32>,
    /// How many persons approve a draft before it is issued, where the document states it; 0 issues at the close.
    pub approvals: Option<u32>,
    /// How much of what should be known must be, for a close, in parts per million, where the document states it.
    pub completeness_ppm: Option<u32>,
    /// The late fee in parts per million of what is open, per month of 30 days, where the document states it; 0
    /// charges none.
    pub late_fee_ppm: Option<u32>,
    /// The customer's purchase order, to be printed on its documents, where the document states it.
    pub purchase_order: Option<String>,
    /// How usage is counted.
    pub counting: CountingRules,
    /// What is charged, in the document's order.
    pub components: Vec<Component>,
}

/// The format of a contract document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON; messages point at paths.
    Json,
    /// TOML; messages point at paths and lines.
    Toml,
}

impl Contract {
    /// The instant from which the version holds: the first five-minute boundary at or after the instant
    /// it was agreed for.
    #[must_use]
    pub fn takes_effect_us(&self) -> Option<Micros> {
        self.effective_from_us.map(boundary_at_or_after)
    }
}
