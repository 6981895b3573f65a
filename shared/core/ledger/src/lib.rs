//! The ledger: what was decided about invoices, as canonical records in one hash chain.
//!
//! - [`canonical`]: RFC 8785 JSON, the one form in which anything is hashed or stored.
//! - [`struct@Hash`]: SHA-256, shown as lower-case hex.
//! - [`LedgerRecord`] and [`Chain`]: a record carries the hash of the winning record before it; of all records with
//!   the same predecessor, the lowest offset wins. A stale writer cannot fork history.
//! - [`Draft`] and [`Invoice`]: the document, with the digest of what is charged and the digest of
//!   what it was computed from.
//! - [`InvoiceHistory`]: an issued invoice, its notes and its state, for readers who need a few invoices and not the
//!   whole ledger. [`State`] applies the same effects.
//! - [`Replaced`]: a void invoice whose month is billed again under a new number.
//! - Reviews, notes, payments, overdue invoices, disputes and what was taken over, each a module with its events, the
//!   decisions about them, and their effects.
//! - [`postings()`]: double entry, from every event alone; [`Statement`]: what a customer owes, and for how long.
//! - [`decide`] and [`evolve`]: plain functions from state and command to events, and from state and
//!   event to state.
//!
//! No I/O, clock, randomness or float: the biller reads the log and the clock.
#![deny(clippy::float_arithmetic)]

mod amounts;
pub mod canonical;
mod chain;
mod command;
mod dispute;
mod drawing;
mod dunning;
mod effect;
mod event;
mod hash;
mod history;
mod inverse;
mod invoice;
mod item;
mod note;
mod opening;
mod payment;
mod postings;
mod record;
mod refusal;
mod replace;
mod review;
mod state;
mod statement;
mod terms;
mod won;

pub use amounts::{Amount, Minor, money_text};
pub use canonical::CanonicalError;
pub use chain::{Applied, Chain};
pub use command::Command;
pub use dispute::{
    Dispute, DisputeAnswered, DisputeOpened, DisputeRejected, DisputeRequest, DisputeState, DisputeWords,
};
pub use dunning::{InvoiceOverdue, InvoiceWrittenOff};
pub use event::{Books, Event, EventError, Override, PeriodClosed};
pub use hash::{Hash, HashTextError};
pub use history::InvoiceHistory;
pub use inverse::{OverdueWithdrawn, PaymentReleased, RefundReversed, WriteOffReversed};
pub use invoice::{
    BLOCKS_LISTED_MAX, Billed, ChainHead, ContractVersion, Draft, Evidence, EvidenceBlock, EvidenceDay,
    INPUTS_LISTED_MAX, Invoice, InvoiceDates, InvoiceError, InvoiceLine, PeriodDocument, Total, invoice_id,
};
pub use item::{Balance, FeeBalance, InvoiceState, Item, LineBalance};
pub use note::{IssuedNote, LineAmount, Note, NoteByHand, NoteLine, NoteReason, Release};
pub use opening::{OpeningKind, OpeningRecorded};
pub use payment::{
    Allocation, Payment, PaymentAllocated, PaymentReceived, PaymentRequest, PaymentReversed, RefundPaid,
    Settle, payment_id,
};
pub use postings::{Account, Posting, postings};
pub use record::{LedgerRecord, RECORD_BYTES_MAX, RecordError};
pub use refusal::Refusal;
pub use replace::Replaced;
pub use review::{DraftMade, InvoiceDelivered, Review, ReviewStep, Stage, Step, StepFailed};
pub use state::{Inconsistent, IssuedInvoice, State, decide, evolve};
pub use statement::{Ageing, OpenItem, Statement, StatementEntry};
pub use terms::BillingTerms;
pub use won::WonRecord;
