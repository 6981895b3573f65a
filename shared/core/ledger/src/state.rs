//! The state of the ledger, and the decisions that follow from it.

use std::collections::{BTreeMap, BTreeSet};

use crate::amounts::{Amount, minor_of};
use crate::command::Command;
use crate::dispute::{Dispute, DisputeState};
use crate::effect::effects;
use crate::event::{Event, PeriodClosed};
use crate::hash::Hash;
use crate::invoice::{Draft, Invoice};
use crate::item::Item;
use crate::note::{IssuedNote, Release};
use crate::payment::Payment;
use crate::refusal::Refusal;
use crate::review::{Review, StepKind};
use crate::statement::{Booked, dated};

/// The shortest prefix of an invoice number, in characters.
const PREFIX_CHARS_MIN: usize = 3;

/// The state of the ledger: closed periods, drafts in review, everything that is owed and paid, disputes, and the
/// next numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    closed: BTreeMap<(String, String), PeriodClosed>,
    issued: BTreeMap<String, IssuedInvoice>,
    last_numbers: BTreeMap<(Series, String), u64>,
    prefixes: BTreeMap<String, String>,
    pub(crate) reviews: BTreeMap<String, Review>,
    pub(crate) items: BTreeMap<String, Item>,
    pub(crate) payments: BTreeMap<String, Payment>,
    /// By refund: the payment and the amount.
    pub(crate) refunds: BTreeMap<String, (String, Amount)>,
    pub(crate) reversed_refunds: BTreeSet<String>,
    pub(crate) notes: BTreeMap<String, IssuedNote>,
    /// By issuer and reference.
    pub(crate) notes_by_reference: BTreeMap<(String, String), String>,
    /// By void invoice, the parts of payments that its void freed.
    pub(crate) freed_by_void: BTreeMap<String, Vec<Release>>,
    pub(crate) disputes: BTreeMap<String, Dispute>,
    /// By customer, the entries of its statements.
    pub(crate) booked: BTreeMap<String, Vec<Booked>>,
    /// By customer, how often what is left of grants and deposits changed.
    pub(crate) balance_changes: BTreeMap<String, u64>,
}

/// A gapless series of numbers, one for each legal entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Series {
    Invoice,
    /// Credit notes.
    Credit,
    /// Debit notes.
    Debit,
}

/// What the state keeps of an issued invoice; the document itself is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedInvoice {
    pub number: String,
    pub customer_id: String,
    /// The digest of what is charged.
    pub bill_digest: Hash,
    /// The digest of what it was computed from.
    pub evidence_digest: Hash,
}

/// A winning record that no decision of this program could have made. Billing stops.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[code("WB-5350")]
#[error("the ledger contradicts itself: {detail}; billing stops until this is explained")]
pub struct Inconsistent {
    /// What does not fit.
    pub detail: String,
}

impl State {
    /// The close of a contract's period, if it is closed.
    #[must_use]
    pub fn closed(&self, contract_id: &str, period: &str) -> Option<&PeriodClosed> {
        self.closed.get(&(contract_id.to_owned(), period.to_owned()))
    }

    /// All closes of a period, sorted by contract.
    pub fn closed_in<'a>(&'a self, period: &'a str) -> impl Iterator<Item = &'a PeriodClosed> {
        self.closed.values().filter(move |closed| closed.period.text == period)
    }

    #[must_use]
    pub fn issued(&self, invoice_id: &str) -> Option<&IssuedInvoice> {
        self.issued.get(invoice_id)
    }

    /// An issued invoice, or something taken over, with all that happened to it.
    #[must_use]
    pub fn item(&self, invoice_id: &str) -> Option<&Item> {
        self.items.get(invoice_id)
    }

    /// All that is or was owed, by ids.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// All credit and debit notes, by ids.
    pub fn notes(&self) -> impl Iterator<Item = &IssuedNote> {
        self.notes.values()
    }

    /// The state of an invoice, from its draft on.
    #[must_use]
    pub fn state_of(&self, invoice_id: &str) -> Option<&'static str> {
        match self.item(invoice_id) {
            Some(item) => Some(item.state().name()),
            None => self.review(invoice_id).map(|review| review.stage.name()),
        }
    }

    pub(crate) fn item_of(&self, invoice_id: &str) -> Result<&Item, Refusal> {
        self.item(invoice_id).ok_or_else(|| {
            let known = self.items().flat_map(|item| [item.id.as_str(), item.number.as_str()]);
            Refusal::no_such("invoice", invoice_id, known)
        })
    }

    /// The next number of a legal entity's notes: its prefix, the series and a gapless count from 1.
    pub(crate) fn next_in(&self, series: Series, legal_entity: &str) -> String {
        let last = self.last_numbers.get(&(series, legal_entity.to_owned())).copied().unwrap_or(0);
        let mark = match series {
            Series::Invoice => "",
            Series::Credit => "CN-",
            Series::Debit => "DN-",
        };
        format!("{}-{mark}{:06}", self.prefix(legal_entity), last.saturating_add(1))
    }

    /// Takes the next number of a series.
    pub(crate) fn count_number(&mut self, series: Series, legal_entity: &str) {
        let prefix = self.prefix(legal_entity);
        self.prefixes.insert(prefix, legal_entity.to_owned());
        *self.last_numbers.entry((series, legal_entity.to_owned())).or_default() += 1;
    }

    /// The next number of a legal entity: its prefix and a gapless count from 1.
    ///
    /// The prefix is the shortest beginning of the entity's letters and digits, at least three long, that no other
    /// entity has. The entity's first invoice fixes it.
    pub(crate) fn next_number(&self, legal_entity: &str) -> String {
        self.next_in(Series::Invoice, legal_entity)
    }

    fn prefix(&self, legal_entity: &str) -> String {
        if let Some((prefix, _)) = self.prefixes.iter().find(|(_, owner)| *owner == legal_entity) {
            return prefix.clone();
        }
        let letters: String = legal_entity
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let free = |prefix: &str| !self.prefixes.contains_key(prefix);
        (PREFIX_CHARS_MIN..=letters.len())
            .filter_map(|length| letters.get(..length))
            .find(|prefix| free(prefix))
            .map_or_else(|| self.counted_prefix(&letters), str::to_owned)
    }

    /// For entities with too few letters, or whose prefixes are all taken: the letters and the first free count.
    fn counted_prefix(&self, letters: &str) -> String {
        let mut count = self.prefixes.len();
        loop {
            let prefix = format!("{letters}.{count}");
            if !self.prefixes.contains_key(&prefix) {
                return prefix;
            }
            count += 1;
        }
    }
}

/// The events that a command appends in this state, or why it is refused.
///
/// # Errors
/// [`Refusal`]; the state stays as it is.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::ClosePeriod(close) => decide_close(state, close),
        Command::IssueInvoice(draft) => decide_issue(state, draft),
        Command::MakeDraft { draft, at_us } => state.decide_draft(draft, *at_us),
        Command::Submit(step) => state.decide_step(StepKind::Submit, step),
        Command::Approve(step) => state.decide_step(StepKind::Approve, step),
        Command::Reject(step) => state.decide_step(StepKind::Reject, step),
        Command::IssueApproved { invoice_id, issued_us } => {
            state.decide_issue_approved(invoice_id, *issued_us)
        }
        Command::IssueFailed(failed) => {
            state.check_issue_failed(failed).map(|()| vec![Event::IssueFailed(failed.clone())])
        }
        Command::Delivered(delivered) => {
            state.item_of(&delivered.invoice_id).map(|_| vec![Event::InvoiceDelivered(delivered.clone())])
        }
        Command::DeliveryFailed(failed) => {
            state.item_of(&failed.invoice_id).map(|_| vec![Event::DeliveryFailed(failed.clone())])
        }
        Command::Adjust { draft, at_us } => state.decide_adjust(draft, *at_us),
        Command::IssueNote(asked) => state.decide_note_by_hand(asked),
        Command::Void { invoice_id, text, at_us } => state.decide_void(invoice_id, text, *at_us),
        Command::ReceivePayment(asked) => state.decide_payment(asked),
        Command::Allocate { payment_id, settle, at_us } => state.decide_allocate(payment_id, settle, *at_us),
        Command::Reverse { payment_id, at_us } => state.decide_reverse(payment_id, *at_us),
        Command::Refund { payment_id, reference, amount_minor, at_us } => {
            state.decide_refund(payment_id, reference, *amount_minor, *at_us)
        }
        Command::CancelNote { note, text, at_us } => state.decide_cancel(note, text, *at_us),
        Command::Release { payment_id, allocations, at_us } => {
            state.decide_release(payment_id, allocations, *at_us)
        }
        Command::ReverseRefund { refund_id, at_us } => state.decide_reverse_refund(refund_id, *at_us),
        Command::WithdrawOverdue { invoice_id, text, at_us } => {
            state.decide_withdraw_overdue(invoice_id, text, *at_us)
        }
        Command::ReverseWriteOff { invoice_id, at_us } => state.decide_reverse_write_off(invoice_id, *at_us),
        Command::MarkOverdue { invoice_id, at_us } => state.decide_overdue(invoice_id, *at_us),
        Command::ChargeLateFee { invoice_id, at_us } => state.decide_late_fee(invoice_id, *at_us),
        Command::WriteOff { invoice_id, amounts, at_us } => {
            state.decide_write_off(invoice_id, amounts, *at_us)
        }
        Command::OpenDispute(asked) => state.decide_dispute(asked),
        Command::AnswerDispute(words) => state.decide_answer(words),
        Command::RejectDispute(words) => state.decide_reject_dispute(words),
        Command::AcceptDispute { words, credit_minor } => state.decide_accept(words, *credit_minor),
        Command::RecordOpening(asked) => state.decide_opening(asked),
    }
}

fn decide_close(state: &State, close: &PeriodClosed) -> Result<Vec<Event>, Refusal> {
    match state.closed(&close.contract_id, &close.period.text) {
        Some(existing) => Err(Refusal::AlreadyClosed {
            contract_id: close.contract_id.clone(),
            period: close.period.text.clone(),
            cut: existing.cut,
        }),
        None => Ok(vec![Event::PeriodClosed(close.clone())]),
    }
}

fn decide_issue(state: &State, draft: &Draft) -> Result<Vec<Event>, Refusal> {
    let document = draft.document();
    if let Some(existing) = state.issued(&document.invoice_id) {
        return Err(Refusal::AlreadyIssued {
            invoice_id: document.invoice_id.clone(),
            number: existing.number.clone(),
        });
    }
    state.check_replaces(document)?;
    // A month is billed again with what was corrected since, which lies after the cut of its close.
    state.check_follows_close(document, document.replaces.is_some())?;
    if let Some(review) = state.review(&document.invoice_id) {
        return Err(Refusal::WrongState {
            what: "draft",
            id: document.invoice_id.clone(),
            state: review.stage.name(),
            needed: "approved, and issued as it was approved",
        });
    }
    if document.terms.approvals > 0 {
        return Err(Refusal::WrongState {
            what: "invoice",
            id: document.invoice_id.clone(),
            state: "not drafted",
            needed: "approved, as its terms ask for",
        });
    }
    state.check_drawing(draft)?;
    Ok(vec![state.issued_of(document)])
}

impl State {
    /// Checks that a document is of a closed period, and of its close's cut, or of a later one where that is allowed.
    pub(crate) fn check_follows_close(&self, document: &Invoice, later: bool) -> Result<(), Refusal> {
        let (contract_id, period) = (document.contract_id.clone(), document.period.text.clone());
        let Some(close) = self.closed(&contract_id, &period) else {
            return Err(Refusal::NotClosed { contract_id, period });
        };
        if matches_close(document, close, later) {
            return check_amounts(document);
        }
        Err(Refusal::OtherClose { contract_id, period, draft_cut: document.evidence.cut, cut: close.cut })
    }
}

/// Checks that every line's amount is within the bound under which no sum overflows.
pub(crate) fn check_amounts(document: &Invoice) -> Result<(), Refusal> {
    match document.lines.iter().find(|line| minor_of(&line.amount_minor).is_none()) {
        None => Ok(()),
        Some(line) => Err(Refusal::Amount {
            what: "a line",
            amount: line.amount_minor.clone(),
            currency: line.currency.clone(),
            right: "under 2^96 minor units",
        }),
    }
}

fn matches_close(document: &Invoice, close: &PeriodClosed, later: bool) -> bool {
    let cut = document.evidence.cut;
    (cut == close.cut || later && cut > close.cut)
        && document.period == close.period
        && document.customer_id == close.customer_id
}

/// The state after a winning event.
///
/// # Errors
/// [`Inconsistent`] for an event that [`decide`] would not have made in this state.
pub fn evolve(mut state: State, event: &Event) -> Result<State, Inconsistent> {
    state.apply(event)?;
    Ok(state)
}

impl State {
    /// [`evolve`] in place. An event that is refused leaves the state as it was.
    ///
    /// # Errors
    /// As [`evolve`].
    pub fn apply(&mut self, event: &Event) -> Result<(), Inconsistent> {
        self.check(event).map_err(|refusal| Inconsistent { detail: refusal.to_string() })?;
        if let Event::InvoiceIssued(invoice) = event {
            check_issued(self, invoice)?;
        }
        self.book(event);
        self.count_drawing(event);
        self.take(event);
        Ok(())
    }

    fn check(&self, event: &Event) -> Result<(), Refusal> {
        match event {
            Event::PeriodClosed(close) => decide_close(self, close).map(|_| ()),
            Event::DraftMade(made) => self.check_draft(made),
            Event::InvoiceSubmitted(step) => self.check_step(StepKind::Submit, step),
            Event::InvoiceApproved(step) => self.check_step(StepKind::Approve, step),
            Event::InvoiceRejected(step) => self.check_step(StepKind::Reject, step),
            Event::IssueFailed(failed) => self.check_issue_failed(failed),
            // These checks have messages of their own.
            Event::InvoiceIssued(_) => Ok(()),
            Event::InvoiceDelivered(delivered) => self.item_of(&delivered.invoice_id).map(|_| ()),
            Event::DeliveryFailed(failed) => self.item_of(&failed.invoice_id).map(|_| ()),
            Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => self.check_note(event, note),
            Event::PaymentReceived(event) => self.check_payment(event),
            Event::PaymentAllocated(event) => self.check_allocated(event),
            Event::PaymentReversed(event) => self.check_reversed(event),
            Event::RefundPaid(event) => self.check_refund(event),
            Event::PaymentReleased(event) => self.check_released(event),
            Event::RefundReversed(event) => self.check_refund_reversed(event),
            Event::OverdueWithdrawn(event) => self.check_withdrawn(event),
            Event::WriteOffReversed(event) => self.check_write_off_reversed(event),
            Event::InvoiceOverdue(event) => self.check_overdue(event),
            Event::InvoiceWrittenOff(event) => self.check_write_off(event),
            Event::DisputeOpened(event) => self.check_dispute(event),
            Event::DisputeAnswered(event) => self.check_answer(event),
            Event::DisputeRejected(e) => {
                self.check_words(&e.dispute_id, (&e.invoice_id, &e.customer_id), (&e.text, &e.by))
            }
            Event::OpeningRecorded(event) => self.check_opening(event),
        }
    }

    fn take(&mut self, event: &Event) {
        let booked_us = dated(event).map(|(at_us, _)| at_us);
        for (id, effect) in effects(event) {
            if let Some(item) = self.items.get_mut(id) {
                item.take(effect, booked_us);
            }
        }
        match event {
            Event::PeriodClosed(close) => {
                let key = (close.contract_id.clone(), close.period.text.clone());
                self.closed.insert(key, close.clone());
            }
            Event::DraftMade(made) => self.apply_draft(made),
            Event::InvoiceSubmitted(step) => self.apply_step(StepKind::Submit, step),
            Event::InvoiceApproved(step) => self.apply_step(StepKind::Approve, step),
            Event::InvoiceRejected(step) => self.apply_step(StepKind::Reject, step),
            Event::IssueFailed(failed) => self.apply_issue_failed(failed),
            Event::InvoiceIssued(invoice) => self.apply_issued(invoice),
            // They only change their items.
            Event::InvoiceDelivered(_)
            | Event::DeliveryFailed(_)
            | Event::InvoiceOverdue(_)
            | Event::InvoiceWrittenOff(_)
            | Event::OverdueWithdrawn(_)
            | Event::WriteOffReversed(_) => {}
            Event::PaymentReleased(event) => self.apply_released(event),
            Event::RefundReversed(event) => self.apply_refund_reversed(event),
            Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => self.apply_note(event, note),
            Event::PaymentReceived(event) => self.apply_payment(event),
            Event::PaymentAllocated(event) => self.apply_allocated(event),
            Event::PaymentReversed(event) => self.apply_reversed(event),
            Event::RefundPaid(event) => self.apply_refund(event),
            Event::DisputeOpened(event) => self.apply_dispute(event),
            Event::DisputeAnswered(event) => self.apply_answer(event),
            Event::DisputeRejected(event) => self.set_dispute(&event.dispute_id, DisputeState::Rejected),
            Event::OpeningRecorded(event) => self.apply_opening(event),
        }
    }

    fn apply_issued(&mut self, invoice: &Invoice) {
        self.count_number(Series::Invoice, &invoice.legal_entity);
        self.reviews.remove(&invoice.invoice_id);
        for part in &invoice.settled {
            self.move_allocation(&part.payment_id, &invoice.invoice_id, part.amount_minor.0);
        }
        self.issued.insert(
            invoice.invoice_id.clone(),
            IssuedInvoice {
                number: invoice.number.clone(),
                customer_id: invoice.customer_id.clone(),
                bill_digest: invoice.bill_digest,
                evidence_digest: invoice.evidence_digest,
            },
        );
        self.items.insert(invoice.invoice_id.clone(), Item::of_invoice(invoice));
    }
}

fn check_issued(state: &State, invoice: &Invoice) -> Result<(), Inconsistent> {
    let refuse = |detail: String| Err(Inconsistent { detail });
    let number = state.next_number(&invoice.legal_entity);
    if invoice.number != number {
        let (id, wrong) = (&invoice.invoice_id, &invoice.number);
        return refuse(format!("invoice {id} has number {wrong}, the next is {number}"));
    }
    if state.issued.contains_key(&invoice.invoice_id) {
        return refuse(format!("invoice {} is issued twice", invoice.invoice_id));
    }
    // A later cut is that of late data for a period without usage at its close, or of a second draft.
    if state.check_follows_close(invoice, true).is_err() {
        return refuse(format!("invoice {} does not follow from a close of its period", invoice.invoice_id));
    }
    if let Err(refusal) = state.check_replaces(invoice) {
        return refuse(format!("invoice {} cannot be issued: {refusal}", invoice.invoice_id));
    }
    if invoice.settled != state.settled_of(invoice) {
        return refuse(format!(
            "invoice {} is settled by other payments than it takes over",
            invoice.invoice_id
        ));
    }
    if let Some(review) = state.review(&invoice.invoice_id) {
        let approved = review.draft.bill_digest == invoice.bill_digest
            && review.draft.evidence_digest == invoice.evidence_digest
            && review.draft.terms == invoice.terms
            && review.draft.replaces == invoice.replaces
            && state.decide_issue_approved(&invoice.invoice_id, 0).is_ok();
        if !approved {
            return refuse(format!("invoice {} was not approved as it is issued", invoice.invoice_id));
        }
    } else if invoice.terms.approvals > 0 {
        return refuse(format!("invoice {} was not approved, as its terms ask for", invoice.invoice_id));
    }
    if invoice.dates.as_ref().is_some_and(|dates| invoice.terms.dates(dates.issued_us) != *dates) {
        return refuse(format!("invoice {} does not fall due by its terms", invoice.invoice_id));
    }
    if invoice.compute_bill_digest().ok() != Some(invoice.bill_digest) {
        return refuse(format!("invoice {} does not have the bill digest it states", invoice.invoice_id));
    }
    Ok(())
}
