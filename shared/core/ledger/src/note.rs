//! Credit and debit notes: an issued invoice never changes; notes correct it.
//!
//! A note carries the invoice and the lines that it corrects, the amounts that stood before and stand after it, and a
//! number of its own in the issuer's gapless series of credit or of debit notes.

use serde::{Deserialize, Serialize};
use wb_rating::LineTax;

use crate::amounts::{Amount, Minor};
use crate::hash::Hash;
use crate::invoice::Total;
use crate::item::is_receivable;
use crate::state::Series;

mod adjust;
mod cancel;
mod check;
pub(crate) mod decide;
pub(crate) mod tax;

pub(crate) use decide::id_of;

/// A credit or debit note as it is issued, stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// `note_` and 20 hex digits that follow from issuer and number.
    pub note_id: String,
    /// The number: gapless within the legal entity's credit or debit notes.
    pub number: String,
    /// Who issues it.
    pub legal_entity: String,
    /// The customer.
    pub customer_id: String,
    /// The invoice that it corrects.
    pub invoice_id: String,
    /// That invoice's number.
    pub invoice_number: String,
    /// Why it was issued.
    pub reason: NoteReason,
    /// What it corrects.
    pub lines: Vec<NoteLine>,
    /// The sums of the lines, one per currency, sorted; negative where credited. Lines of mined bitcoin, which the
    /// operator owes to the customer, have the other sign.
    pub totals: Vec<Total>,
    /// Parts of payments that the credit frees, to be allocated or refunded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<Release>,
    /// Parts of payments that settle the invoice again, because the credit that freed them is cancelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<Release>,
    /// When it was issued, UTC microseconds.
    pub at_us: i64,
}

/// Why a note was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NoteReason {
    /// The closed period, computed again by its own contract at a newer cut.
    Adjustment {
        /// The new cut, before which events are billed.
        cut: u64,
        /// The digest of the whole bill as computed.
        bill_digest: Hash,
        /// The digest of what it was computed from.
        evidence_digest: Hash,
    },
    /// A dispute was accepted; the note resolves it.
    Dispute {
        dispute_id: String,
        /// The issuer's text.
        text: String,
    },
    /// The whole invoice is void. Its number is never used again.
    Void {
        /// Why.
        text: String,
    },
    /// Decided by a person.
    ByHand {
        /// The issuer's own reference, used once.
        reference: String,
        /// Why.
        text: String,
    },
    /// Another note is taken back.
    Cancels {
        note_id: String,
        /// Its number.
        number: String,
        /// Why.
        text: String,
        /// Why that note was issued.
        of: Box<NoteReason>,
    },
    /// Interest for late payment: simple, over exact time, of months of 30 days.
    LateFee {
        /// From when.
        from_us: i64,
        /// Until when.
        to_us: i64,
        /// Parts per million of the base per month.
        ppm_per_month: u32,
        /// What was open without fees, by currency.
        base: Vec<Amount>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteLine {
    /// The id of the invoice's line.
    pub line_id: String,
    /// The component's kind.
    pub kind: String,
    /// The text for people.
    pub description: String,
    /// The quantity now; unchanged where the note does not concern it.
    pub quantity: String,
    /// Its unit.
    pub unit: String,
    /// What stood before, with all earlier notes.
    pub before_minor: Minor,
    /// What this note adds; negative where it credits.
    pub amount_minor: Minor,
    /// What stands now.
    pub after_minor: Minor,
    /// What the line is computed as, in an adjustment and where tax follows what it taxes. It differs from what stands
    /// where something was credited by decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed_minor: Option<Minor>,
    /// The currency of all amounts.
    pub currency: String,
    /// The rate and the jurisdiction, where it is a line of tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<LineTax>,
}

/// A part of a payment that no longer settles an invoice, or settles it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub payment_id: String,
    /// How much, above zero.
    pub amount_minor: Minor,
    /// The currency of the payment.
    pub currency: String,
}

/// A note that a person decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteByHand {
    pub invoice_id: String,
    /// The issuer's own reference: a second note with the same reference changes nothing.
    pub reference: String,
    /// Why.
    pub text: String,
    /// Lines and amounts, negative to credit. All of one direction.
    pub lines: Vec<LineAmount>,
    /// When, UTC microseconds.
    pub at_us: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineAmount {
    pub line_id: String,
    /// The amount; negative to credit.
    pub amount: Amount,
}

/// What the state keeps of a note; the document itself is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedNote {
    pub note_id: String,
    pub number: String,
    pub invoice_id: String,
    pub customer_id: String,
    /// The sums, negative where credited.
    pub totals: Vec<Total>,
    /// When, UTC microseconds.
    pub at_us: i64,
    /// Why it was issued.
    pub reason: NoteReason,
    /// The note that cancels it.
    pub cancelled_by: Option<String>,
    pub(crate) series: Series,
    pub(crate) lines: Vec<NoteLine>,
    pub(crate) released: Vec<Release>,
}

impl NoteLine {
    pub(crate) fn is_receivable(&self) -> bool {
        is_receivable(&self.kind)
    }

    /// Whether it is tax that follows from what the note corrects, and not decided by itself.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.tax.is_some() && self.computed_minor.is_some()
    }
}

impl NoteReason {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adjustment { .. } => "adjustment",
            Self::Dispute { .. } => "dispute",
            Self::Void { .. } => "void",
            Self::ByHand { .. } => "by_hand",
            Self::Cancels { .. } => "cancels",
            Self::LateFee { .. } => "late_fee",
        }
    }
}
