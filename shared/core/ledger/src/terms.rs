//! The terms by which a bill is approved, due and dunned.

use serde::{Deserialize, Serialize};
use wb_units::time::DAY_US;

use crate::invoice::InvoiceDates;

/// The terms when a bill was computed: its contract's, and the operator's where the contract has none.
///
/// They stand in the draft and in the invoice, so that later decisions follow from the ledger alone. No digest covers
/// them, because they do not change what is charged. Terms that a contract states are also covered by the digest of
/// its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillingTerms {
    /// How many persons approve a draft before it is issued; 0 issues it at the close.
    pub approvals: u32,
    /// Days from issue until it is due.
    pub payment_terms_days: u32,
    /// How much of what should be known must be, for a close, in parts per million; 0 requires nothing.
    pub completeness_ppm: u32,
    /// The late fee: parts per million of what is open, per month of 30 days; 0 charges none.
    pub late_fee_ppm: u32,
}

impl Default for BillingTerms {
    fn default() -> Self {
        Self { approvals: 0, payment_terms_days: 30, completeness_ppm: 0, late_fee_ppm: 0 }
    }
}

impl BillingTerms {
    /// The dates of an invoice that is issued at an instant.
    #[must_use]
    pub fn dates(&self, issued_us: i64) -> InvoiceDates {
        let due_us = issued_us.saturating_add(i64::from(self.payment_terms_days).saturating_mul(DAY_US));
        InvoiceDates { issued_us, due_us }
    }
}
