//! The events of the ledger and their stored form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::invoice::{Invoice, PeriodDocument};

/// The kind of [`Event::PeriodClosed`] in the log.
const PERIOD_CLOSED: &str = "period_closed";
/// The kind of [`Event::InvoiceIssued`] in the log.
const INVOICE_ISSUED: &str = "invoice_issued";

/// Something that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What counts for a contract's period is settled: everything named before the cut.
    PeriodClosed(PeriodClosed),
    /// An invoice has its number and will never change.
    InvoiceIssued(Box<Invoice>),
}

/// The close of one contract's period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodClosed {
    /// The contract.
    pub contract_id: String,
    /// Its customer.
    pub customer_id: String,
    /// The period with its bounds as they were when it was closed.
    pub period: PeriodDocument,
    /// The offset in `names` before which a block counts for this period.
    pub cut: u64,
}

/// A record that is no event of this program.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// A kind that is not known here.
    #[error(
        "[WB-5320] the ledger holds an event of kind {kind:?}, which this program does not know; use a newer one"
    )]
    UnknownKind {
        /// The kind.
        kind: String,
    },
    /// A body that is not of its kind's form.
    #[error("[WB-5321] a ledger event of kind {kind} does not have its form: {detail}")]
    Form {
        /// The kind.
        kind: String,
        /// What the JSON reader says.
        detail: String,
    },
}

impl EventError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownKind { .. } => "WB-5320",
            Self::Form { .. } => "WB-5321",
        }
    }
}

impl Event {
    /// Its kind in the log.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PeriodClosed(_) => PERIOD_CLOSED,
            Self::InvoiceIssued(_) => INVOICE_ISSUED,
        }
    }

    /// The customer it concerns.
    #[must_use]
    pub fn customer_id(&self) -> &str {
        match self {
            Self::PeriodClosed(closed) => &closed.customer_id,
            Self::InvoiceIssued(invoice) => &invoice.customer_id,
        }
    }

    /// The invoice it concerns, if any.
    #[must_use]
    pub fn invoice_id(&self) -> Option<&str> {
        match self {
            Self::PeriodClosed(_) => None,
            Self::InvoiceIssued(invoice) => Some(&invoice.invoice_id),
        }
    }

    /// The body of its record.
    ///
    /// # Errors
    /// [`EventError::Form`] where it cannot be written as JSON.
    pub fn body(&self) -> Result<Value, EventError> {
        match self {
            Self::PeriodClosed(closed) => serde_json::to_value(closed),
            Self::InvoiceIssued(invoice) => serde_json::to_value(invoice),
        }
        .map_err(|error| EventError::Form { kind: self.kind().to_owned(), detail: error.to_string() })
    }

    /// Reads the event of a record.
    ///
    /// # Errors
    /// [`EventError`] for an unknown kind or another form. Such a record stops billing: to go on
    /// without understanding it could issue what it forbids.
    pub fn read(kind: &str, body: &Value) -> Result<Self, EventError> {
        match kind {
            PERIOD_CLOSED => PeriodClosed::deserialize(body).map(Self::PeriodClosed),
            INVOICE_ISSUED => {
                Invoice::deserialize(body).map(|invoice| Self::InvoiceIssued(Box::new(invoice)))
            }
            _ => return Err(EventError::UnknownKind { kind: kind.to_owned() }),
        }
        .map_err(|error| EventError::Form { kind: kind.to_owned(), detail: error.to_string() })
    }
}
