//! The biller: sealed usage and contracts in, invoices in the ledger out.
//!
//! ```text
//! settle the cut -> facts, work and readings committed before it -> rate -> draft
//!     -> PeriodClosed (the cut) -> InvoiceIssued (the number) -> read back: did it win?
//! ```
//!
//! - [`ports`]: what the biller needs from outside, as traits it owns.
//! - [`Biller`]: closes periods, issues invoices, adjusts and computes them again, and records all that happens to
//!   them: reviews, notes, payments, disputes.
//! - [`Projector`]: winning ledger records into the table that readers ask.
//! - [`run`]: the service, which projects the ledger and keeps the running bills up.
//!
//! Killed anywhere, started again or run twice at once, the biller issues each invoice once: the cut is
//! in the ledger before anything is computed from it for good, an invoice's id follows from contract
//! and period, and of two records that claim one predecessor the log's order picks the winner.

mod ahead;
mod bill;
mod biller;
mod error;
mod issued;
mod journal;
mod parties;
pub mod ports;
mod projector;
mod reference;
mod run;
mod running_bill;
pub mod timeline;
mod usage;

pub use bill::{Bill, Completeness};
pub use biller::{
    Adjusted, Backtest, Biller, CloseRequest, ComponentAmounts, Done, InvoiceEvidence, Progress, Recomputed,
    RunningBills, RunningPace, RunningPass, Signature,
};
pub use error::{BillerError, ContractFailure, PortError};
pub use issued::{Issued, IssuedAs};
pub use journal::{HistoryEntry, IssuedDocument, NoteDocument};
pub use parties::{CustomerName, IssuerName, Named};
pub use projector::Projector;
pub use run::run;
pub use running_bill::RunningBill;
