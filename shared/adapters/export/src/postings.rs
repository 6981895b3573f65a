//! The journal: the postings of a ledger event, with day and document.

use std::collections::BTreeMap;

use wb_ledger::{Event, postings};
use wb_units::Currency;
use wb_units::time::day_of;

use crate::entry::Entry;
use crate::error::ExportError;

/// The posting of an entry to one account in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posted {
    /// The entry: its record's offset and the currency. The postings of an entry balance.
    pub(crate) entry_id: String,
    /// The day, since 1970-01-01 in UTC.
    pub(crate) day: i32,
    /// The account by our own name.
    pub(crate) account: String,
    /// The debit in minor units; never negative.
    pub(crate) debit_minor: i128,
    /// The credit in minor units; never negative.
    pub(crate) credit_minor: i128,
    pub(crate) currency: Currency,
    /// The document's number, or the reference of a payment.
    pub(crate) document: String,
    /// The customer.
    pub(crate) customer_id: String,
    /// The description.
    pub(crate) memo: String,
}

macro_rules! dated {
    ($($variant:ident($event:ident) = $kind:literal => ($at_us:expr, $document:expr),)+) => {
        /// The kinds of events with postings.
        pub(crate) const KINDS: &[&str] = &[$($kind),+];

        /// The instant and the document of an event with postings.
        pub(crate) fn dated(event: &Event) -> Option<(i64, &str)> {
            match event {
                $(Event::$variant($event) => Some(($at_us, &$document)),)+
                _ => None,
            }
        }
    };
}

dated! {
    InvoiceIssued(invoice) = "invoice_issued" => (invoice.issued_us(), invoice.number),
    CreditNoteIssued(note) = "credit_note_issued" => (note.at_us, note.number),
    DebitNoteIssued(note) = "debit_note_issued" => (note.at_us, note.number),
    PaymentReceived(event) = "payment_received" => (event.received_us, event.reference),
    PaymentAllocated(event) = "payment_allocated" => (event.at_us, event.payment_id),
    PaymentReversed(event) = "payment_reversed" => (event.at_us, event.payment_id),
    RefundPaid(event) = "refund_paid" => (event.at_us, event.reference),
    InvoiceWrittenOff(event) = "invoice_written_off" => (event.at_us, event.invoice_id),
    OpeningRecorded(event) = "opening_recorded" => (event.issued_us, event.reference),
}

/// The postings of a record, added up by currency and account, in the order of currencies and then of the accounts'
/// first posting. Zero sums are left out.
///
/// # Errors
/// [`ExportError`] for an unknown currency, and [`ExportError::Unbalanced`] if a currency does not balance.
pub(crate) fn posted(entry: &Entry<'_>) -> Result<Vec<Posted>, ExportError> {
    let Some((at_us, document)) = dated(entry.event) else { return Ok(Vec::new()) };
    let place = format!("the {} at ledger offset {}", entry.event.kind(), entry.ledger_offset);
    let mut by_currency: BTreeMap<String, Vec<(String, i128)>> = BTreeMap::new();
    for posting in postings(entry.event) {
        let accounts = by_currency.entry(posting.currency).or_default();
        let name = posting.account.name();
        let index = accounts.iter().position(|(account, _)| *account == name).unwrap_or_else(|| {
            accounts.push((name, 0));
            accounts.len() - 1
        });
        let sum = &mut accounts[index].1;
        *sum = sum.checked_add(posting.amount_minor).ok_or_else(|| ExportError::Width {
            place: place.clone(),
            field: "the sum of its postings",
            given: format!("{sum} + {}", posting.amount_minor),
            kind: "128 bits",
        })?;
    }
    let mut rows = Vec::new();
    for (code, accounts) in by_currency {
        let currency = Currency::from_code(&code).map_err(|_| ExportError::Number {
            place: place.clone(),
            field: "currency",
            given: code.clone(),
            wanted: "currency of the table of currencies",
        })?;
        check_balance(&place, currency, &accounts)?;
        rows.extend(accounts.into_iter().filter(|(_, minor)| *minor != 0).map(|(account, minor)| Posted {
            entry_id: format!("L{}-{code}", entry.ledger_offset),
            day: day_of(at_us),
            account,
            debit_minor: minor.max(0),
            credit_minor: minor.min(0).saturating_neg(),
            currency,
            document: document.to_owned(),
            customer_id: entry.event.customer_id().to_owned(),
            memo: format!("{} {document}", entry.event.kind().replace('_', " ")),
        }));
    }
    Ok(rows)
}

fn check_balance(place: &str, currency: Currency, accounts: &[(String, i128)]) -> Result<(), ExportError> {
    let side = |debits: bool| {
        let of_side = accounts.iter().map(|(_, minor)| *minor).filter(|minor| (*minor > 0) == debits);
        of_side.fold(0_i128, i128::saturating_add)
    };
    let (debits, credits) = (side(true), side(false).saturating_neg());
    if debits == credits {
        return Ok(());
    }
    Err(ExportError::Unbalanced {
        place: place.to_owned(),
        currency: currency.code().to_owned(),
        left_name: "debits are",
        left: debits,
        right_name: "credits are",
        right: credits,
    })
}
