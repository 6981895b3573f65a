//! The input of an export.

use wb_ledger::{Event, Hash};

/// A winning record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The offset of its record.
    pub ledger_offset: u64,
    /// The SHA-256 of its record.
    pub record_hash: Hash,
    /// The recorded event.
    pub event: &'a Event,
}
