//! One record of the ledger, as its bytes lie in the log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{self, CanonicalError};
use crate::hash::Hash;

/// The most bytes of one record: half of what the broker takes, and far more than an invoice with
/// its bounded lists needs.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The form of records written by this crate.
const FORM: u32 = 1;

/// A record: an event, with who decided it and why, and the record before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRecord {
    /// The form of the record, 1.
    pub form: u32,
    /// The hash of the winning record before it; zero for the first.
    pub predecessor: Hash,
    /// What kind of event the body is, such as `invoice_issued`.
    pub kind: String,
    /// The event.
    pub body: Value,
    /// Who decided it.
    pub who: String,
    pub why: String,
    /// When it was written, by the writer's clock: UTC microseconds. No digest covers it.
    pub at_us: i64,
}

/// Why bytes are no record.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not the canonical JSON of a value.
    #[code("WB-5310")]
    #[error("a ledger record is not canonical JSON")]
    Canonical(#[source] CanonicalError),
    /// JSON, but not of a record.
    #[code("WB-5311")]
    #[error("a ledger record lacks its form: {detail}")]
    Form {
        /// What the JSON reader says.
        detail: String,
    },
    /// A form that this program does not know.
    #[code("WB-5312")]
    #[error("a ledger record has form {form}; this program reads form {FORM}, use a newer one")]
    UnknownForm {
        /// The form given.
        form: u32,
    },
    #[code("WB-5313")]
    #[error("a ledger record has {bytes} bytes; at most {RECORD_BYTES_MAX} are taken")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// An offset that was applied before.
    #[code("WB-5314")]
    #[error("ledger offset {offset} was given again; records are applied once, in offset order from {next}")]
    OutOfOrder {
        /// The offset given.
        offset: u64,
        /// The lowest offset that may follow.
        next: u64,
    },
}

impl LedgerRecord {
    /// A record of the current form.
    #[must_use]
    pub fn new(predecessor: Hash, kind: &str, body: Value, who: &str, why: &str, at_us: i64) -> Self {
        Self {
            form: FORM,
            predecessor,
            kind: kind.to_owned(),
            body,
            who: who.to_owned(),
            why: why.to_owned(),
            at_us,
        }
    }

    /// The bytes that go into the log. The record's hash is the SHA-256 of exactly these.
    ///
    /// # Errors
    /// [`RecordError`] where the body has no canonical form or is too large.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let bytes = canonical::write_document(self).map_err(RecordError::Canonical)?.into_bytes();
        check_size(&bytes)?;
        Ok(bytes)
    }

    /// Reads a record from the log.
    ///
    /// # Errors
    /// [`RecordError`] for anything but the canonical bytes of a record of a known form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        check_size(bytes)?;
        let value = canonical::read(bytes).map_err(RecordError::Canonical)?;
        let record: Self =
            serde_json::from_value(value).map_err(|error| RecordError::Form { detail: error.to_string() })?;
        if record.form != FORM {
            return Err(RecordError::UnknownForm { form: record.form });
        }
        Ok(record)
    }
}

fn check_size(bytes: &[u8]) -> Result<(), RecordError> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge { bytes: bytes.len() });
    }
    Ok(())
}
