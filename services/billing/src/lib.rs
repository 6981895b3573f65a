//! The biller: turns counted usage and contracts into invoices in the ledger.
//!
//! ```text
//! settle the cut -> facts, work and readings committed before it -> rate -> draft
//!     -> PeriodClosed (the cut) -> InvoiceIssued (the number) -> read back: did it win?
//! ```
//!
//! - [`ports`]: the traits that connect the biller to the outside.
//! - [`Biller`]: closes periods, issues, adjusts and recomputes invoices, and records reviews, notes, payments and
//!   disputes.
//! - [`Projector`]: copies winning ledger records into the table for readers.
//! - [`run`]: the service, which projects the ledger and updates the running bills.
//!
//! The biller issues each invoice once, even if it is killed, restarted or run twice at once: the cut is recorded in
//! the ledger before the invoice is computed, the id of an invoice follows from contract and period, and of two
//! records with the same predecessor the log's order decides.

mod ahead;
mod bill;
mod biller;
mod error;
mod exclusion;
mod issued;
mod journal;
mod parties;
mod policy;
pub mod ports;
mod projector;
mod reference;
mod run;
mod running_bill;
pub mod timeline;
mod unbilled;
mod usage;

pub use bill::{Bill, Completeness};
pub use biller::{
    Adjusted, Backtest, Biller, CloseRequest, ComponentAmounts, Done, GivenDate, InvoiceEvidence, Place,
    Placed, PlacedUsage, Progress, Recomputed, RunningBills, RunningPace, RunningPass, Signature,
};
pub use error::{BillerError, ContractFailure, PortError};
pub use exclusion::{Exclusion, Exclusions};
pub use issued::{Issued, IssuedAs};
pub use journal::{HistoryEntry, IssuedDocument, NoteDocument};
pub use parties::{CustomerName, IssuerName, Named};
pub use policy::ByPolicy;
pub use projector::Projector;
pub use reference::{RecordedDocument, Standing};
pub use run::run;
pub use running_bill::RunningBill;
pub use unbilled::{Measured, Unbilled, UnbilledList};
