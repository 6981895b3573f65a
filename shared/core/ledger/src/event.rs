//! The events of the ledger and their stored form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dispute::{DisputeAnswered, DisputeOpened, DisputeRejected};
use crate::dunning::{InvoiceOverdue, InvoiceWrittenOff};
use crate::inverse::{OverdueWithdrawn, PaymentReleased, RefundReversed, WriteOffReversed};
use crate::invoice::{Invoice, PeriodDocument};
use crate::note::Note;
use crate::opening::OpeningRecorded;
use crate::payment::{PaymentAllocated, PaymentReceived, PaymentReversed, RefundPaid};
use crate::review::{DraftMade, InvoiceDelivered, ReviewStep, StepFailed};

/// The close of one contract's period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodClosed {
    pub contract_id: String,
    pub customer_id: String,
    /// The period with its bounds as they were when it was closed.
    pub period: PeriodDocument,
    /// The offset in `commits` before which a block counts for this period.
    pub cut: u64,
    /// Who let an incomplete period be closed, and why; absent where it was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Override>,
}

/// A close below its contract's completeness, and who answers for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// What was known, in parts per million of what should be known.
    pub completeness_ppm: u32,
    /// What the contract or the configuration requires.
    pub threshold_ppm: u32,
    /// Who decided to go on.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A record that is no event of this program.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// A kind that is not known here.
    #[code("WB-5320")]
    #[error("the ledger holds an event of kind {kind:?}, which this program does not know; use a newer one")]
    UnknownKind { kind: String },
    /// A body that is not of its kind's form.
    #[code("WB-5321")]
    #[error("a ledger event of kind {kind} does not have its form: {detail}")]
    Form {
        kind: String,
        /// What the JSON reader says.
        detail: String,
    },
}

/// Who and what a body is about.
trait About {
    fn customer_id(&self) -> &str;
    fn invoice_id(&self) -> Option<&str>;
}

macro_rules! about_invoice {
    ($($body:ty),*) => {
        $(impl About for $body {
            fn customer_id(&self) -> &str {
                &self.customer_id
            }
            fn invoice_id(&self) -> Option<&str> {
                Some(&self.invoice_id)
            }
        })*
    };
}

macro_rules! about_customer {
    ($($body:ty),*) => {
        $(impl About for $body {
            fn customer_id(&self) -> &str {
                &self.customer_id
            }
            fn invoice_id(&self) -> Option<&str> {
                None
            }
        })*
    };
}

about_invoice!(
    Invoice,
    ReviewStep,
    StepFailed,
    InvoiceDelivered,
    Note,
    InvoiceOverdue,
    InvoiceWrittenOff,
    OverdueWithdrawn,
    WriteOffReversed,
    DisputeOpened,
    DisputeAnswered,
    DisputeRejected
);
about_customer!(
    PeriodClosed,
    PaymentReceived,
    PaymentAllocated,
    PaymentReleased,
    PaymentReversed,
    RefundPaid,
    RefundReversed
);

impl About for DraftMade {
    fn customer_id(&self) -> &str {
        &self.draft.customer_id
    }

    fn invoice_id(&self) -> Option<&str> {
        Some(&self.draft.invoice_id)
    }
}

impl About for OpeningRecorded {
    fn customer_id(&self) -> &str {
        &self.customer_id
    }

    fn invoice_id(&self) -> Option<&str> {
        Some(&self.item_id)
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $kind:literal;)*) => {
        /// An event of the ledger.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $variant($body),)*
        }

        impl Event {
            /// All kinds that are known, in no order that matters.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// Its kind in the log.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                }
            }

            /// The customer it concerns.
            #[must_use]
            pub fn customer_id(&self) -> &str {
                match self {
                    $(Self::$variant(body) => body.customer_id(),)*
                }
            }

            /// The invoice it concerns, if any.
            #[must_use]
            pub fn invoice_id(&self) -> Option<&str> {
                match self {
                    $(Self::$variant(body) => body.invoice_id(),)*
                }
            }

            /// The body of its record.
            ///
            /// # Errors
            /// [`EventError::Form`] where it cannot be written as JSON.
            pub fn body(&self) -> Result<Value, EventError> {
                match self {
                    $(Self::$variant(body) => serde_json::to_value(body),)*
                }
                .map_err(|error| EventError::Form { kind: self.kind().to_owned(), detail: error.to_string() })
            }

            /// Reads the event of a record from the text of its body.
            ///
            /// # Errors
            /// As [`Self::read`].
            pub fn read_text(kind: &str, body: &str) -> Result<Self, EventError> {
                match kind {
                    $($kind => serde_json::from_str::<$body>(body).map(Self::$variant),)*
                    _ => return Err(EventError::UnknownKind { kind: kind.to_owned() }),
                }
                .map_err(|error| EventError::Form { kind: kind.to_owned(), detail: error.to_string() })
            }

            /// Reads the event of a record.
            ///
            /// # Errors
            /// [`EventError`] for an unknown kind or another form. Such a record stops billing, because an unknown
            /// event could forbid what would be issued next.
            pub fn read(kind: &str, body: &Value) -> Result<Self, EventError> {
                match kind {
                    $($kind => <$body>::deserialize(body).map(Self::$variant),)*
                    _ => return Err(EventError::UnknownKind { kind: kind.to_owned() }),
                }
                .map_err(|error| EventError::Form { kind: kind.to_owned(), detail: error.to_string() })
            }
        }
    };
}

events! {
    /// What counts for a contract's period is settled: everything committed before the cut.
    PeriodClosed(PeriodClosed) = "period_closed";
    /// A draft lies ready to be reviewed.
    DraftMade(Box<DraftMade>) = "draft_made";
    /// A draft was submitted for approval.
    InvoiceSubmitted(ReviewStep) = "invoice_submitted";
    /// One person approved it.
    InvoiceApproved(ReviewStep) = "invoice_approved";
    /// A draft was sent back: its facts are corrected and it is drafted again.
    InvoiceRejected(ReviewStep) = "invoice_rejected";
    /// Issuing did not succeed; it can be tried again.
    IssueFailed(StepFailed) = "issue_failed";
    /// An invoice has its number and will never change.
    InvoiceIssued(Box<Invoice>) = "invoice_issued";
    /// The customer has the invoice.
    InvoiceDelivered(InvoiceDelivered) = "invoice_delivered";
    /// The customer could not be reached; it can be tried again.
    DeliveryFailed(StepFailed) = "delivery_failed";
    /// Lines of an issued invoice are credited.
    CreditNoteIssued(Box<Note>) = "credit_note_issued";
    /// Lines of an issued invoice are charged further.
    DebitNoteIssued(Box<Note>) = "debit_note_issued";
    /// Money came in.
    PaymentReceived(PaymentReceived) = "payment_received";
    /// The rest of a payment is allocated to invoices.
    PaymentAllocated(PaymentAllocated) = "payment_allocated";
    /// Parts of a payment no longer settle invoices.
    PaymentReleased(PaymentReleased) = "payment_released";
    /// A payment bounced.
    PaymentReversed(PaymentReversed) = "payment_reversed";
    /// The rest of a payment, or a part of it, was paid back.
    RefundPaid(RefundPaid) = "refund_paid";
    /// A refund came back.
    RefundReversed(RefundReversed) = "refund_reversed";
    /// An invoice was not paid in time.
    InvoiceOverdue(InvoiceOverdue) = "invoice_overdue";
    /// It is not overdue after all.
    OverdueWithdrawn(OverdueWithdrawn) = "invoice_overdue_withdrawn";
    /// What is open of an invoice was written off.
    InvoiceWrittenOff(InvoiceWrittenOff) = "invoice_written_off";
    /// What was written off is open again.
    WriteOffReversed(WriteOffReversed) = "invoice_write_off_reversed";
    /// The customer disputes a line.
    DisputeOpened(DisputeOpened) = "dispute_opened";
    /// The issuer answered.
    DisputeAnswered(DisputeAnswered) = "dispute_answered";
    /// The line stands. A dispute that is accepted ends with its credit note instead.
    DisputeRejected(DisputeRejected) = "dispute_rejected";
    /// What was owed before this ledger began.
    OpeningRecorded(OpeningRecorded) = "opening_recorded";
}

/// In whose books an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Books<'a> {
    /// In those of a legal entity, which the event states.
    OfEntity(&'a str),
    /// In those that a payment is in.
    OfPayment(&'a str),
    /// In those that an invoice, or what was taken over, is in.
    OfInvoice(&'a str),
}

impl Event {
    /// In whose books it is; `None` for an event that is about neither.
    #[must_use]
    pub fn books(&self) -> Option<Books<'_>> {
        Some(match self {
            Self::InvoiceIssued(invoice) => Books::OfEntity(&invoice.legal_entity),
            Self::CreditNoteIssued(note) | Self::DebitNoteIssued(note) => Books::OfEntity(&note.legal_entity),
            Self::PaymentReceived(payment) => Books::OfEntity(&payment.legal_entity),
            Self::OpeningRecorded(opening) => Books::OfEntity(&opening.legal_entity),
            Self::PaymentAllocated(event) => Books::OfPayment(&event.payment_id),
            Self::PaymentReleased(event) => Books::OfPayment(&event.payment_id),
            Self::PaymentReversed(event) => Books::OfPayment(&event.payment_id),
            Self::RefundPaid(event) => Books::OfPayment(&event.payment_id),
            Self::RefundReversed(event) => Books::OfPayment(&event.payment_id),
            other => Books::OfInvoice(other.invoice_id()?),
        })
    }
}
