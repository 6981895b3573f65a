//! The commands of the ledger.

use crate::amounts::Amount;
use crate::dispute::{DisputeRequest, DisputeWords};
use crate::event::PeriodClosed;
use crate::invoice::Draft;
use crate::note::NoteByHand;
use crate::opening::OpeningRecorded;
use crate::payment::{Allocation, PaymentRequest, Settle};
use crate::review::{InvoiceDelivered, Step, StepFailed};

/// A command. All instants are UTC microseconds, all amounts minor units.
///
/// A repeated command changes nothing: it is refused as done, or has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Settle what counts for a contract's period.
    ClosePeriod(PeriodClosed),
    /// Give a draft whose terms ask for no approval its number.
    IssueInvoice(Box<Draft>),
    /// Put a draft into review.
    MakeDraft {
        draft: Box<Draft>,
        /// When.
        at_us: i64,
    },
    /// Submit a draft for approval.
    Submit(Step),
    /// Approve it: each person once, and not the one who submitted it.
    Approve(Step),
    /// Send it back.
    Reject(Step),
    /// Give an approved draft its number.
    IssueApproved {
        invoice_id: String,
        /// When; it falls due by its terms.
        issued_us: i64,
    },
    /// Record that issuing failed.
    IssueFailed(StepFailed),
    /// Record that an invoice reached its customer.
    Delivered(InvoiceDelivered),
    /// Record that it did not.
    DeliveryFailed(StepFailed),
    /// Bill the difference between what a closed period comes to at a newer cut and what was billed.
    Adjust {
        /// The period, computed at a newer cut.
        draft: Box<Draft>,
        /// When.
        at_us: i64,
    },
    /// Credit or charge lines by decision.
    IssueNote(NoteByHand),
    /// Credit a whole invoice.
    Void {
        invoice_id: String,
        /// Why.
        text: String,
        /// When.
        at_us: i64,
    },
    /// Record a payment.
    ReceivePayment(PaymentRequest),
    /// Allocate the rest of a payment to invoices.
    Allocate {
        payment_id: String,
        /// Which invoices.
        settle: Settle,
        /// When.
        at_us: i64,
    },
    /// Record that a payment bounced.
    Reverse {
        payment_id: String,
        /// When.
        at_us: i64,
    },
    /// Record that money went back.
    Refund {
        /// The payment it is taken from.
        payment_id: String,
        /// The issuer's reference, used once.
        reference: String,
        /// How much.
        amount_minor: i128,
        /// When.
        at_us: i64,
    },
    /// Take a note back by a note of the other direction.
    CancelNote {
        /// Its id or number.
        note: String,
        /// Why.
        text: String,
        /// When; a note of a later date is cancelled at its own.
        at_us: i64,
    },
    /// Let parts of a payment no longer settle invoices.
    Release {
        payment_id: String,
        /// Which parts; all where none is given.
        allocations: Vec<Allocation>,
        /// When.
        at_us: i64,
    },
    /// Record that a refund came back.
    ReverseRefund {
        refund_id: String,
        /// When.
        at_us: i64,
    },
    /// Record that an invoice is not overdue after all.
    WithdrawOverdue {
        invoice_id: String,
        /// Why.
        text: String,
        /// When.
        at_us: i64,
    },
    /// Open again what was written off of an invoice.
    ReverseWriteOff {
        invoice_id: String,
        /// When.
        at_us: i64,
    },
    /// Record that an invoice is overdue.
    MarkOverdue {
        invoice_id: String,
        /// The instant of the run.
        at_us: i64,
    },
    /// Charge interest for late payment up to an instant, by the invoice's terms.
    ChargeLateFee {
        invoice_id: String,
        /// Up to when.
        at_us: i64,
    },
    /// Write off what is open of an invoice, or some of it.
    WriteOff {
        invoice_id: String,
        /// How much, at most one amount a currency and none above what is open; empty for all that is open.
        amounts: Vec<Amount>,
        /// When.
        at_us: i64,
    },
    /// Record that the customer disputes a line.
    OpenDispute(DisputeRequest),
    /// Record the issuer's answer.
    AnswerDispute(DisputeWords),
    /// End a dispute: the line stands.
    RejectDispute(DisputeWords),
    /// End a dispute with a credit note.
    AcceptDispute {
        /// Which, and the issuer's words.
        words: DisputeWords,
        /// How much of the line is credited.
        credit_minor: i128,
    },
    /// Take over what was owed before; its id is made from its reference.
    RecordOpening(OpeningRecorded),
}
