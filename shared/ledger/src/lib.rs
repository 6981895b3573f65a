//! The ledger: what was decided about invoices, as canonical records in one hash chain.
//!
//! - [`canonical`]: RFC 8785 JSON, the one form in which anything is hashed or stored.
//! - [`Hash`]: SHA-256, shown as lower-case hex.
//! - [`LedgerRecord`] and [`Chain`]: a record names the winning record before it; of all records that
//!   name the same one, the lowest offset wins. A stale writer cannot fork history.
//! - [`Draft`] and [`Invoice`]: the document, with the digest of what is charged and the digest of
//!   what it was computed from.
//! - [`decide`] and [`evolve`]: plain functions from state and command to events, and from state and
//!   event to state.
//!
//! No I/O, clock, randomness or float: who reads the log and asks for the time is the clerk.
#![deny(clippy::float_arithmetic)]

pub mod canonical;
mod chain;
mod event;
mod hash;
mod invoice;
mod record;
mod state;

pub use canonical::CanonicalError;
pub use chain::{Applied, Chain};
pub use event::{Event, EventError, PeriodClosed};
pub use hash::{Hash, HashTextError};
pub use invoice::{
    BLOCKS_LISTED_MAX, Billed, ChainHead, ContractVersion, Draft, Evidence, EvidenceBlock, INPUTS_LISTED_MAX,
    Invoice, InvoiceError, InvoiceLine, PeriodDocument, Total, invoice_id,
};
pub use record::{LedgerRecord, RECORD_BYTES_MAX, RecordError};
pub use state::{Command, Inconsistent, IssuedInvoice, Refusal, State, decide, evolve};
