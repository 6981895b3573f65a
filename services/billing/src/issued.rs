//! The results of a close.

use wb_ledger::{Hash, Total};

/// The result of a close for a contract's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuedAs {
    /// An invoice with its number.
    Invoice,
    /// A draft in review.
    Draft,
    /// A draft that was rejected, with nothing recorded since: it is submitted again, or corrected.
    Rejected,
    /// An invoice that was voided; it is billed again by [`crate::Biller::reissue`].
    Void,
    /// Nothing, in a dry run.
    WouldBe,
}

/// An invoice that exists after a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub invoice_id: String,
    pub number: String,
    /// The customer.
    pub customer_id: String,
    pub contract_id: String,
    /// The bill digest.
    pub bill_digest: Hash,
    /// The evidence digest.
    pub evidence_digest: Hash,
    /// Whether this close made it.
    pub new: bool,
    /// Its form.
    pub issued_as: IssuedAs,
    /// The totals, one per currency.
    pub totals: Vec<Total>,
}
