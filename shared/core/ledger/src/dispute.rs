//! Disputes of a line: opened by the customer, answered, and ended.
//!
//! ```text
//! open -> answered (any number of times) -> rejected: the line stands
//!                                        -> accepted: by the credit note with the dispute's id
//! ```
//!
//! The credit note is the acceptance: one record, so that neither exists without the other.

use serde::{Deserialize, Serialize};

use crate::amounts::{Amount, check_positive};
use crate::event::Event;
use crate::note::decide::{Change, check_not_over, line_of};
use crate::note::tax::with_tax;
use crate::note::{Note, NoteReason, id_of};
use crate::refusal::{Refusal, check_name, check_text};
use crate::state::{Series, State};

/// The customer disputes a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeOpened {
    /// `dis_` and 20 hex digits that follow from invoice, line, currency and the number of earlier disputes.
    pub dispute_id: String,
    pub invoice_id: String,
    pub customer_id: String,
    pub line_id: String,
    /// How much of it is disputed, above zero.
    pub amount: Amount,
    /// The customer's words.
    pub text: String,
    /// Who opened it.
    pub by: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// The issuer answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeAnswered {
    pub dispute_id: String,
    pub invoice_id: String,
    pub customer_id: String,
    /// The issuer's words.
    pub text: String,
    /// Who answered.
    pub by: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// The line stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeRejected {
    pub dispute_id: String,
    pub invoice_id: String,
    pub customer_id: String,
    /// Why.
    pub text: String,
    /// Who decided.
    pub by: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// The state of a dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisputeState {
    /// Opened, not answered yet.
    Open,
    Answered,
    /// Accepted, by the note of this number.
    Accepted(String),
    Rejected,
}

impl DisputeState {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Accepted(_) => "accepted",
            Self::Rejected => "rejected",
        }
    }

    /// Whether it is still to be resolved.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open | Self::Answered)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// What was opened.
    pub opened: DisputeOpened,
    /// Its state.
    pub state: DisputeState,
    /// The answers, in order.
    pub answers: Vec<(String, String)>,
}

/// A dispute to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeRequest {
    pub invoice_id: String,
    pub line_id: String,
    /// How much of it is disputed.
    pub amount: Amount,
    /// The customer's words.
    pub text: String,
    /// Who opens it.
    pub by: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// An answer or decision about a dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeWords {
    pub dispute_id: String,
    /// The text.
    pub text: String,
    /// Who gave it.
    pub by: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

impl State {
    #[must_use]
    pub fn dispute(&self, dispute_id: &str) -> Option<&Dispute> {
        self.disputes.get(dispute_id)
    }

    /// All disputes, by their ids.
    pub fn disputes(&self) -> impl Iterator<Item = &Dispute> {
        self.disputes.values()
    }

    fn open_dispute(&self, dispute_id: &str) -> Result<&Dispute, Refusal> {
        let dispute = self.dispute(dispute_id).ok_or_else(|| {
            Refusal::no_such("dispute", dispute_id, self.disputes.keys().map(String::as_str))
        })?;
        if dispute.state.is_open() {
            return Ok(dispute);
        }
        Err(Refusal::WrongState {
            what: "dispute",
            id: dispute_id.to_owned(),
            state: dispute.state.name(),
            needed: "open",
        })
    }

    fn next_dispute_id(&self, invoice_id: &str, line_id: &str, currency: &str) -> Result<String, Refusal> {
        let of_line = |dispute: &&Dispute| {
            let opened = &dispute.opened;
            (opened.invoice_id.as_str(), opened.line_id.as_str(), opened.amount.currency.as_str())
                == (invoice_id, line_id, currency)
        };
        let before: Vec<&Dispute> = self.disputes.values().filter(of_line).collect();
        if let Some(open) = before.iter().find(|dispute| dispute.state.is_open()) {
            return Err(Refusal::AlreadyRecorded { id: open.opened.dispute_id.clone() });
        }
        id_of("dis", &[invoice_id, line_id, currency, &before.len().to_string()])
    }

    pub(crate) fn decide_dispute(&self, asked: &DisputeRequest) -> Result<Vec<Event>, Refusal> {
        let item = self.standing_item(&asked.invoice_id)?;
        let event = DisputeOpened {
            dispute_id: self.next_dispute_id(&asked.invoice_id, &asked.line_id, &asked.amount.currency)?,
            invoice_id: asked.invoice_id.clone(),
            customer_id: item.customer_id.clone(),
            line_id: asked.line_id.clone(),
            amount: asked.amount.clone(),
            text: asked.text.clone(),
            by: asked.by.clone(),
            at_us: asked.at_us,
        };
        self.check_dispute(&event)?;
        Ok(vec![Event::DisputeOpened(event)])
    }

    pub(crate) fn check_dispute(&self, event: &DisputeOpened) -> Result<(), Refusal> {
        check_text("the customer's words", &event.text)?;
        check_name("the name of who opens it", &event.by)?;
        check_positive("the disputed amount", &event.amount)?;
        let item = self.standing_item(&event.invoice_id)?;
        let line = line_of(item, &event.line_id, &event.amount.currency)?;
        let change = Change {
            line_id: event.line_id.clone(),
            currency: event.amount.currency.clone(),
            amount_minor: -event.amount.amount_minor.0,
            line: line.clone(),
            computed_minor: None,
        };
        check_not_over(item, &change)?;
        let id = self.next_dispute_id(&event.invoice_id, &event.line_id, &event.amount.currency)?;
        if id != event.dispute_id || item.customer_id != event.customer_id {
            return Err(Refusal::mismatch(&event.dispute_id, "the id or customer is another one"));
        }
        Ok(())
    }

    pub(crate) fn apply_dispute(&mut self, event: &DisputeOpened) {
        let dispute = Dispute { opened: event.clone(), state: DisputeState::Open, answers: Vec::new() };
        self.disputes.insert(event.dispute_id.clone(), dispute);
    }

    pub(crate) fn decide_answer(&self, words: &DisputeWords) -> Result<Vec<Event>, Refusal> {
        let opened = &self.open_dispute(&words.dispute_id)?.opened;
        let event = DisputeAnswered {
            dispute_id: words.dispute_id.clone(),
            invoice_id: opened.invoice_id.clone(),
            customer_id: opened.customer_id.clone(),
            text: words.text.clone(),
            by: words.by.clone(),
            at_us: words.at_us,
        };
        self.check_answer(&event)?;
        Ok(vec![Event::DisputeAnswered(event)])
    }

    pub(crate) fn check_answer(&self, event: &DisputeAnswered) -> Result<(), Refusal> {
        let of = (event.invoice_id.as_str(), event.customer_id.as_str());
        self.check_words(&event.dispute_id, of, (&event.text, &event.by))?;
        let last = self.open_dispute(&event.dispute_id)?.answers.last();
        // The same text again is the same answer, sent twice.
        if last.is_some_and(|(by, text)| *by == event.by && *text == event.text) {
            return Err(Refusal::AlreadyRecorded { id: event.dispute_id.clone() });
        }
        Ok(())
    }

    pub(crate) fn apply_answer(&mut self, event: &DisputeAnswered) {
        if let Some(dispute) = self.disputes.get_mut(&event.dispute_id) {
            dispute.state = DisputeState::Answered;
            dispute.answers.push((event.by.clone(), event.text.clone()));
        }
    }

    pub(crate) fn decide_reject_dispute(&self, words: &DisputeWords) -> Result<Vec<Event>, Refusal> {
        let opened = &self.open_dispute(&words.dispute_id)?.opened;
        let event = DisputeRejected {
            dispute_id: words.dispute_id.clone(),
            invoice_id: opened.invoice_id.clone(),
            customer_id: opened.customer_id.clone(),
            text: words.text.clone(),
            by: words.by.clone(),
            at_us: words.at_us,
        };
        self.check_words(
            &event.dispute_id,
            (&event.invoice_id, &event.customer_id),
            (&event.text, &event.by),
        )?;
        Ok(vec![Event::DisputeRejected(event)])
    }

    /// Checks that the text is given, and that the dispute is open and of this invoice and customer.
    pub(crate) fn check_words(
        &self,
        dispute_id: &str,
        of: (&str, &str),
        (text, by): (&str, &str),
    ) -> Result<(), Refusal> {
        check_text("the answer", text)?;
        check_name("the name of who answers", by)?;
        let opened = &self.open_dispute(dispute_id)?.opened;
        if (opened.invoice_id.as_str(), opened.customer_id.as_str()) == of {
            return Ok(());
        }
        Err(Refusal::mismatch(dispute_id, "it is of another invoice or customer"))
    }

    pub(crate) fn set_dispute(&mut self, dispute_id: &str, state: DisputeState) {
        if let Some(dispute) = self.disputes.get_mut(dispute_id) {
            dispute.state = state;
        }
    }

    /// Opens a dispute again whose credit note is cancelled.
    pub(crate) fn reopen_dispute(&mut self, dispute_id: &str) {
        if let Some(dispute) = self.disputes.get_mut(dispute_id) {
            let is_answered = !dispute.answers.is_empty();
            dispute.state = if is_answered { DisputeState::Answered } else { DisputeState::Open };
        }
    }

    /// The credit note of `credit_minor`, above zero, that resolves the dispute.
    pub(crate) fn decide_accept(
        &self,
        words: &DisputeWords,
        credit_minor: i128,
    ) -> Result<Vec<Event>, Refusal> {
        check_text("the answer", &words.text)?;
        let opened = &self.open_dispute(&words.dispute_id)?.opened;
        let currency = &opened.amount.currency;
        check_positive("the credit", &Amount::new(credit_minor, currency))?;
        let item = self.standing_item(&opened.invoice_id)?;
        let line = line_of(item, &opened.line_id, currency)?;
        let change = Change {
            line_id: opened.line_id.clone(),
            currency: currency.clone(),
            amount_minor: -credit_minor,
            line: line.clone(),
            computed_minor: None,
        };
        check_not_over(item, &change)?;
        let reason = NoteReason::Dispute { dispute_id: words.dispute_id.clone(), text: words.text.clone() };
        let changes = with_tax(item, vec![change])?;
        Ok(vec![self.note_of(item, Series::Credit, reason, changes, words.at_us)?])
    }

    pub(crate) fn check_dispute_note(&self, dispute_id: &str, note: &Note) -> Result<(), Refusal> {
        let opened = &self.open_dispute(dispute_id)?.opened;
        let mut decided = note.lines.iter().filter(|line| !line.follows());
        let of_the_line =
            decided.next().is_some_and(|line| line.line_id == opened.line_id && line.amount_minor.0 < 0)
                && decided.next().is_none();
        if opened.invoice_id == note.invoice_id && of_the_line {
            return Ok(());
        }
        Err(Refusal::mismatch(&note.number, "it credits something else than what is disputed"))
    }

    pub(crate) fn resolve_dispute(&mut self, dispute_id: &str, note_number: &str) {
        self.set_dispute(dispute_id, DisputeState::Accepted(note_number.to_owned()));
    }
}
