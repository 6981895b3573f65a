//! The journal: the postings of a ledger event, with day and document.

use std::collections::BTreeMap;

use wb_ledger::{Event, Invoice, postings};
use wb_units::Currency;
use wb_units::time::day_of;

use crate::accounts::{ACCRUED_REVENUE, is_revenue};
use crate::cell::day_text;
use crate::entry::Entry;
use crate::error::ExportError;

/// The most days of a month.
const DAYS_OF_MONTH_MAX: i32 = 31;

/// The posting of an entry to one account in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posted {
    /// The entry: its record's offset and the currency, and `A` or `R` for an accrual of revenue and its reversal.
    /// The postings of an entry balance.
    pub(crate) entry_id: String,
    /// Whose books it is in.
    pub(crate) legal_entity: String,
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
    PaymentReleased(event) = "payment_released" => (event.at_us, event.payment_id),
    RefundReversed(event) = "refund_reversed" => (event.at_us, event.refund_id),
    WriteOffReversed(event) = "invoice_write_off_reversed" => (event.at_us, event.invoice_id),
    InvoiceWrittenOff(event) = "invoice_written_off" => (event.at_us, event.invoice_id),
    OpeningRecorded(event) = "opening_recorded" => (event.issued_us, event.reference),
}

/// The sums of an entry by account, in minor units.
type Sums = Vec<(String, i128)>;

/// What the entries of a record have in common.
struct Head<'a> {
    entry: &'a Entry<'a>,
    legal_entity: &'a str,
    document: &'a str,
    place: String,
}

/// The entries of a record, one per currency, in the order of currencies; each has a posting for every account, in the
/// order of the accounts' first posting. Zero sums are left out. With `by_service`, entries of an invoice that accrue
/// its revenue and reverse the accrual come before its own.
///
/// # Errors
/// [`ExportError`] for an unknown currency, and [`ExportError::Unbalanced`] if a currency does not balance.
pub(crate) fn posted(
    entry: &Entry<'_>,
    legal_entity: &str,
    by_service: bool,
) -> Result<Vec<Vec<Posted>>, ExportError> {
    let Some((at_us, document)) = dated(entry.event) else { return Ok(Vec::new()) };
    let place = format!("the {} at ledger offset {}", entry.event.kind(), entry.ledger_offset);
    let head = Head { entry, legal_entity, document, place };
    let by_currency = sums(entry, &head.place)?;
    let mut entries = Vec::new();
    if let Event::InvoiceIssued(invoice) = entry.event
        && by_service
        && let Some(last) = accrual_day(invoice, at_us)
    {
        for (code, accounts) in &by_currency {
            let accrual = accrual(accounts, &head.place)?;
            let reversal = accrual.iter().map(|(name, minor)| (name.clone(), minor.saturating_neg()));
            let reversal: Sums = reversal.collect();
            entries.push(head.rows(("-A", "accrued revenue"), last, code, accrual)?);
            entries.push(head.rows(("-R", "reversed accrual"), last.saturating_add(1), code, reversal)?);
        }
    }
    let memo = entry.event.kind().replace('_', " ");
    for (code, accounts) in by_currency {
        entries.push(head.rows(("", &memo), day_of(at_us), &code, accounts)?);
    }
    entries.retain(|postings| !postings.is_empty());
    Ok(entries)
}

impl Head<'_> {
    fn rows(
        &self,
        (suffix, memo): (&str, &str),
        day: i32,
        code: &str,
        accounts: Sums,
    ) -> Result<Vec<Posted>, ExportError> {
        let currency = Currency::from_code(code).map_err(|_| ExportError::Number {
            place: self.place.clone(),
            field: "currency",
            given: code.to_owned(),
            wanted: "currency of the table of currencies",
        })?;
        check_balance(&self.place, currency, &accounts)?;
        let row = |(account, minor): (String, i128)| Posted {
            entry_id: format!("L{}-{code}{suffix}", self.entry.ledger_offset),
            legal_entity: self.legal_entity.to_owned(),
            day,
            account,
            debit_minor: minor.max(0),
            credit_minor: minor.min(0).saturating_neg(),
            currency,
            document: self.document.to_owned(),
            customer_id: self.entry.event.customer_id().to_owned(),
            memo: format!("{memo} {}", self.document),
        };
        Ok(accounts.into_iter().filter(|(_, minor)| *minor != 0).map(row).collect())
    }
}

fn sums(entry: &Entry<'_>, place: &str) -> Result<BTreeMap<String, Sums>, ExportError> {
    let mut by_currency: BTreeMap<String, Sums> = BTreeMap::new();
    for posting in postings(entry.event) {
        let accounts = by_currency.entry(posting.currency).or_default();
        add(accounts, &posting.account.name(), posting.amount_minor, place)?;
    }
    Ok(by_currency)
}

fn add(accounts: &mut Sums, name: &str, minor: i128, place: &str) -> Result<(), ExportError> {
    let Some((_, sum)) = accounts.iter_mut().find(|(account, _)| account == name) else {
        accounts.push((name.to_owned(), minor));
        return Ok(());
    };
    *sum = sum.checked_add(minor).ok_or_else(|| ExportError::Width {
        place: place.to_owned(),
        field: "the sum of its postings",
        given: format!("{sum} + {minor}"),
        kind: "128 bits",
    })?;
    Ok(())
}

/// The revenue of an entry, against accrued revenue.
fn accrual(accounts: &Sums, place: &str) -> Result<Sums, ExportError> {
    let mut accrual = vec![(ACCRUED_REVENUE.to_owned(), 0)];
    for (name, minor) in accounts.iter().filter(|(name, _)| is_revenue(name)) {
        add(&mut accrual, ACCRUED_REVENUE, minor.saturating_neg(), place)?;
        add(&mut accrual, name, *minor, place)?;
    }
    Ok(accrual)
}

/// The last day of an invoice's service month, if the invoice is issued in a later month.
fn accrual_day(invoice: &Invoice, issued_us: i64) -> Option<i32> {
    let period = &invoice.period;
    if month_of(day_of(issued_us)).as_str() <= period.text.as_str() {
        return None;
    }
    // The middle of the month is in the month in every zone.
    let middle = day_of(period.start_us.midpoint(period.end_us));
    (middle..middle.saturating_add(DAYS_OF_MONTH_MAX)).take_while(|day| month_of(*day) == period.text).last()
}

/// The month of a day, such as `2026-10`.
pub(crate) fn month_of(day: i32) -> String {
    day_text(day).chars().take(7).collect()
}

fn check_balance(place: &str, currency: Currency, accounts: &Sums) -> Result<(), ExportError> {
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
