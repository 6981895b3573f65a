//! The statement of account of a customer: entries, open amounts, and their age.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::amounts::{Minor, money_text};
use crate::event::{Books, Event};
use crate::postings::{Account, postings};
use crate::state::State;

/// Days of an ageing bucket, in microseconds.
const THIRTY_DAYS_US: i64 = 30 * 86_400 * 1_000_000;

/// An entry of a customer, with its effect on what the customer owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Booked {
    legal_entity: String,
    at_us: i64,
    kind: &'static str,
    document: String,
    item_id: Option<String>,
    currency: String,
    account: Account,
    amount_minor: i128,
}

/// What a customer owes and owed to one legal entity in one currency, at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// To whom it is owed.
    pub legal_entity: String,
    pub customer_id: String,
    pub currency: String,
    /// As of when, UTC microseconds.
    pub at_us: i64,
    /// What was booked, in order of time and of the ledger.
    pub entries: Vec<StatementEntry>,
    /// What is open on invoices.
    pub receivable_minor: Minor,
    /// What was paid and is not allocated yet.
    pub unallocated_minor: Minor,
    /// What the customer owes in all: receivable less unallocated.
    pub balance_minor: Minor,
    /// Of what is receivable, what is in dispute now.
    pub disputed_minor: Minor,
    /// Mined bitcoin that the operator owes the customer.
    pub mined_payable_minor: Minor,
    /// What is receivable, by how long it is overdue.
    pub ageing: Ageing,
    /// Invoices with something open, the oldest due first.
    pub open_items: Vec<OpenItem>,
}

/// A line of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementEntry {
    /// When, UTC microseconds.
    pub at_us: i64,
    /// The kind of event.
    pub kind: &'static str,
    /// The number of the document, or the reference.
    pub document: String,
    /// The amount with its places: above zero where the customer owes more.
    pub amount: String,
    /// The amount in minor units.
    pub amount_minor: Minor,
    /// What the customer owes after it, in minor units.
    pub balance_minor: Minor,
}

/// What is receivable by how long it is overdue, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Ageing {
    /// Not yet due, or without a due date.
    pub current_minor: Minor,
    /// Up to 30 days over.
    pub days_1_30_minor: Minor,
    /// Up to 60.
    pub days_31_60_minor: Minor,
    /// Up to 90.
    pub days_61_90_minor: Minor,
    /// More.
    pub days_over_90_minor: Minor,
}

/// An invoice with something open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenItem {
    /// The invoice's id.
    pub invoice_id: String,
    pub number: String,
    /// When it is due, UTC microseconds.
    pub due_us: Option<i64>,
    /// What was open at the instant.
    pub open_minor: Minor,
    /// The same with its places.
    pub open: String,
}

impl Ageing {
    fn add(&mut self, due_us: Option<i64>, at_us: i64, minor: i128) {
        let over_us = due_us.map_or(0, |due_us| at_us.saturating_sub(due_us));
        let bucket = if over_us <= 0 {
            &mut self.current_minor
        } else if over_us <= THIRTY_DAYS_US {
            &mut self.days_1_30_minor
        } else if over_us <= 2 * THIRTY_DAYS_US {
            &mut self.days_31_60_minor
        } else if over_us <= 3 * THIRTY_DAYS_US {
            &mut self.days_61_90_minor
        } else {
            &mut self.days_over_90_minor
        };
        bucket.0 += minor;
    }
}

impl State {
    /// Adds the entries of an event. Called before the event is applied to the rest of the state.
    pub(crate) fn book(&mut self, event: &Event) {
        let Some((at_us, document)) = dated(event) else { return };
        let legal_entity = self.legal_entity_of(event);
        for posting in postings(event) {
            let wanted = [Account::Receivable, Account::CustomerBalance, Account::MinedBitcoinPayable];
            if !wanted.contains(&posting.account) {
                continue;
            }
            self.booked.entry(posting.customer_id).or_default().push(Booked {
                legal_entity: legal_entity.clone(),
                at_us,
                kind: event.kind(),
                document: document.clone(),
                item_id: posting.item_id,
                currency: posting.currency,
                account: posting.account,
                amount_minor: posting.amount_minor,
            });
        }
    }

    /// In whose books an event is: an event that states no legal entity has that of its payment or invoice.
    fn legal_entity_of(&self, event: &Event) -> String {
        match event.books() {
            Some(Books::OfEntity(legal_entity)) => Some(legal_entity.to_owned()),
            Some(Books::OfPayment(id)) => self.payment(id).map(|payment| payment.legal_entity.clone()),
            Some(Books::OfInvoice(id)) => self.item(id).map(|item| item.legal_entity.clone()),
            None => None,
        }
        // The state refuses an event of a payment or an invoice that it does not have.
        .unwrap_or_default()
    }

    /// The statements of a customer at an instant, one per legal entity and currency, sorted by both.
    #[must_use]
    pub fn statements(&self, customer_id: &str, at_us: i64) -> Vec<Statement> {
        let mut accounts: BTreeMap<(&str, &str), Vec<&Booked>> = BTreeMap::new();
        for booked in self.booked.get(customer_id).into_iter().flatten().filter(|b| b.at_us <= at_us) {
            accounts.entry((&booked.legal_entity, &booked.currency)).or_default().push(booked);
        }
        accounts
            .into_iter()
            .map(|(of, mut booked)| {
                // A stable sort: entries of one instant stay in the order of the ledger.
                booked.sort_by_key(|entry| entry.at_us);
                self.statement(customer_id, of, at_us, &booked)
            })
            .collect()
    }

    fn statement(
        &self,
        customer_id: &str,
        (legal_entity, currency): (&str, &str),
        at_us: i64,
        booked: &[&Booked],
    ) -> Statement {
        let sum = |account: Account| -> i128 {
            booked.iter().filter(|entry| entry.account == account).map(|entry| entry.amount_minor).sum()
        };
        let receivable = sum(Account::Receivable);
        let unallocated = -sum(Account::CustomerBalance);
        let mut ageing = Ageing::default();
        let mut open_items = Vec::new();
        for (item_id, minor) in open_by_item(booked) {
            let item = self.item(item_id);
            let due_us = item.and_then(|item| item.due_us);
            ageing.add(due_us, at_us, minor);
            open_items.push(OpenItem {
                invoice_id: item_id.to_owned(),
                number: item.map(|item| item.number.clone()).unwrap_or_default(),
                due_us,
                open_minor: Minor(minor),
                open: money_text(minor, currency),
            });
        }
        open_items.sort_by(|left, right| {
            let key = |item: &OpenItem| (item.due_us.unwrap_or(i64::MAX), item.number.clone());
            key(left).cmp(&key(right))
        });
        let disputed = self
            .disputes()
            .filter(|d| d.state.is_open() && d.opened.customer_id == customer_id && d.opened.at_us <= at_us)
            .filter(|dispute| dispute.opened.amount.currency == currency)
            .filter(|d| self.item(&d.opened.invoice_id).is_some_and(|item| item.legal_entity == legal_entity))
            .map(|dispute| dispute.opened.amount.amount_minor.0)
            .sum();
        Statement {
            legal_entity: legal_entity.to_owned(),
            customer_id: customer_id.to_owned(),
            currency: currency.to_owned(),
            at_us,
            entries: entries(currency, booked),
            receivable_minor: Minor(receivable),
            unallocated_minor: Minor(unallocated),
            balance_minor: Minor(receivable - unallocated),
            disputed_minor: Minor(disputed),
            mined_payable_minor: Minor(-sum(Account::MinedBitcoinPayable)),
            ageing,
            open_items,
        }
    }
}

/// What each item has open; items without open amounts are left out.
fn open_by_item<'a>(booked: &[&'a Booked]) -> Vec<(&'a str, i128)> {
    let mut open: BTreeMap<&str, i128> = BTreeMap::new();
    for entry in booked.iter().filter(|entry| entry.account == Account::Receivable) {
        *open.entry(entry.item_id.as_deref().unwrap_or_default()).or_default() += entry.amount_minor;
    }
    open.into_iter().filter(|(_, minor)| *minor != 0).collect()
}

/// One entry per document and instant: its postings to what is owed, added up.
fn entries(currency: &str, booked: &[&Booked]) -> Vec<StatementEntry> {
    let mut entries: Vec<StatementEntry> = Vec::new();
    let mut balance = 0;
    for booked in booked.iter().filter(|booked| booked.account != Account::MinedBitcoinPayable) {
        balance += booked.amount_minor;
        if let Some(last) = entries.last_mut()
            && (last.at_us, last.kind, last.document.as_str())
                == (booked.at_us, booked.kind, booked.document.as_str())
        {
            last.amount_minor.0 += booked.amount_minor;
            last.amount = money_text(last.amount_minor.0, currency);
            last.balance_minor.0 = balance;
            continue;
        }
        entries.push(StatementEntry {
            at_us: booked.at_us,
            kind: booked.kind,
            document: booked.document.clone(),
            amount: money_text(booked.amount_minor, currency),
            amount_minor: Minor(booked.amount_minor),
            balance_minor: Minor(balance),
        });
    }
    // An allocation moves an amount between a payment and an invoice and does not change what is owed.
    entries.retain(|entry| entry.amount_minor.0 != 0);
    entries
}

/// The instant and the document of an event with postings.
pub(crate) fn dated(event: &Event) -> Option<(i64, String)> {
    Some(match event {
        Event::InvoiceIssued(invoice) => (invoice.issued_us(), invoice.number.clone()),
        Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => (note.at_us, note.number.clone()),
        Event::PaymentReceived(event) => (event.received_us, event.reference.clone()),
        Event::PaymentAllocated(event) => (event.at_us, event.payment_id.clone()),
        Event::PaymentReversed(event) => (event.at_us, event.payment_id.clone()),
        Event::PaymentReleased(event) => (event.at_us, event.payment_id.clone()),
        Event::RefundReversed(event) => (event.at_us, event.refund_id.clone()),
        Event::WriteOffReversed(event) => (event.at_us, event.invoice_id.clone()),
        Event::RefundPaid(event) => (event.at_us, event.reference.clone()),
        Event::InvoiceWrittenOff(event) => (event.at_us, event.invoice_id.clone()),
        Event::OpeningRecorded(event) => (event.issued_us, event.reference.clone()),
        _ => return None,
    })
}
