//! A winning record as it is stored: with its place in the chain, its customer and its invoice.

use crate::hash::Hash;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WonRecord {
    /// Its offset in the log.
    pub ledger_offset: u64,
    pub record_hash: Hash,
    /// The hash of the winning record before it.
    pub predecessor: Hash,
    /// The kind of event.
    pub kind: String,
    /// The customer.
    pub customer_id: String,
    /// The invoice that it is about; empty where it is about none.
    pub invoice_id: String,
    /// Its body, canonical JSON.
    pub body: String,
}
