//! What a close leaves.

use wb_ledger::{Hash, Total};

/// What a close made of a contract's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuedAs {
    /// An invoice with its number.
    Invoice,
    /// A draft that lies in review.
    Draft,
    /// Nothing yet: a dry run.
    WouldBe,
}

/// An invoice that exists after a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub invoice_id: String,
    pub number: String,
    /// Whose it is.
    pub customer_id: String,
    pub contract_id: String,
    /// The digest of what is charged.
    pub bill_digest: Hash,
    /// The digest of what it was computed from.
    pub evidence_digest: Hash,
    /// Whether this close made it; otherwise it existed.
    pub new: bool,
    /// What it is.
    pub issued_as: IssuedAs,
    /// The sums, one per currency.
    pub totals: Vec<Total>,
}
