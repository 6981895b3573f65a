//! `journal`: a row for each account that a record posts to, in the order of the ledger, then of currencies,
//! then of the accounts' first posting; as our own columns, or in those of an accounting system. Its period is
//! the month in UTC that the record is dated in: what was invoiced for October on the first of November is
//! of November's journal. `schemas/exports/README.md` names the sources of the mappings.

use wb_units::time::day_of;

use super::Context;
use crate::cell::{Cell, Column, Kind, day_text};
use crate::entry::Entry;
use crate::error::ExportError;
use crate::postings::{Posted, dated, posted};
use crate::request::{Profile, Request};

const OWN: &[Column] = &[
    Column::new("ledger_offset", Kind::Count),
    Column::new("posting_number", Kind::Count),
    Column::new("entry_id", Kind::Text),
    Column::new("date", Kind::Day),
    Column::new("account", Kind::Text),
    Column::new("debit", Kind::Money),
    Column::new("debit_minor", Kind::Minor),
    Column::new("credit", Kind::Money),
    Column::new("credit_minor", Kind::Minor),
    Column::new("currency", Kind::Word),
    Column::new("document_number", Kind::Text),
    Column::new("customer_id", Kind::Text),
    Column::new("memo", Kind::Text),
];

const QUICKBOOKS: &[Column] = &[
    Column::new("JournalNo", Kind::Text),
    Column::new("JournalDate", Kind::Word),
    Column::new("AccountName", Kind::Text),
    Column::or_null("Debits", Kind::Money),
    Column::or_null("Credits", Kind::Money),
    Column::new("Description", Kind::Text),
    Column::new("Name", Kind::Text),
    Column::new("Currency", Kind::Word),
];

const XERO: &[Column] = &[
    Column::new("*Narration", Kind::Text),
    Column::new("*Date", Kind::Word),
    Column::new("Description", Kind::Text),
    Column::new("*AccountCode", Kind::Text),
    Column::new("*TaxRate", Kind::Word),
    Column::new("*Amount", Kind::Money),
    Column::or_null("TrackingName1", Kind::Text),
    Column::or_null("TrackingOption1", Kind::Text),
    Column::or_null("TrackingName2", Kind::Text),
    Column::or_null("TrackingOption2", Kind::Text),
];

const NETSUITE: &[Column] = &[
    Column::new("External ID", Kind::Text),
    Column::new("Date", Kind::Word),
    Column::new("Currency", Kind::Word),
    Column::new("Account", Kind::Text),
    Column::or_null("Debit", Kind::Money),
    Column::or_null("Credit", Kind::Money),
    Column::new("Memo", Kind::Text),
    Column::new("Name", Kind::Text),
];

/// Xero's name for a line without tax; tax is a separate line here.
const NO_TAX: &str = "Tax Exempt";

/// The most places of money that the three systems import.
const PLACES_MAX: u32 = 2;

/// Why a posting has no row.
const TOO_FINE: &str = "the accounting system takes at most two decimal places";

pub(super) fn columns(profile: Option<Profile>) -> Vec<Column> {
    match profile {
        None => OWN,
        Some(Profile::Quickbooks) => QUICKBOOKS,
        Some(Profile::Xero) => XERO,
        Some(Profile::Netsuite) => NETSUITE,
    }
    .to_vec()
}

pub(crate) fn write(
    entry: &Entry<'_>,
    request: &Request,
    context: &mut Context<'_>,
) -> Result<(), ExportError> {
    let month = |at_us| day_text(day_of(at_us)).chars().take(7).collect::<String>();
    if dated(entry.event).is_none_or(|(at_us, _)| month(at_us) != request.period()) {
        return Ok(());
    }
    let postings = posted(entry)?;
    if !postings.is_empty() {
        context.totals.record(entry.ledger_offset, entry.record_hash);
    }
    for (number, mut posting) in (1..).zip(postings) {
        let currency = posting.currency;
        if request.profile().is_some() && currency.scale() > PLACES_MAX {
            context.totals.left_out(TOO_FINE, currency, posting.debit_minor)?;
            continue;
        }
        posting.account = request.account(&posting.account).to_owned();
        context.totals.money("debit", currency, posting.debit_minor)?;
        context.totals.money("credit", currency, posting.credit_minor)?;
        context.row(match request.profile() {
            None => own(entry.ledger_offset, number, &posting),
            Some(Profile::Quickbooks) => quickbooks(&posting),
            Some(Profile::Xero) => xero(&posting),
            Some(Profile::Netsuite) => netsuite(&posting),
        })?;
    }
    Ok(())
}

fn own(ledger_offset: u64, number: u64, posting: &Posted) -> Vec<Cell> {
    vec![
        Cell::Count(ledger_offset),
        Cell::Count(number),
        Cell::text(&posting.entry_id),
        Cell::Day(posting.day),
        Cell::text(&posting.account),
        Cell::money(posting.debit_minor, posting.currency),
        Cell::Minor(posting.debit_minor),
        Cell::money(posting.credit_minor, posting.currency),
        Cell::Minor(posting.credit_minor),
        Cell::text(posting.currency.code()),
        Cell::text(&posting.document),
        Cell::text(&posting.customer_id),
        Cell::text(&posting.memo),
    ]
}

/// One side as these systems expect it: empty if the posting is on the other side.
fn side(minor: i128, posting: &Posted) -> Cell {
    if minor == 0 { Cell::Null } else { Cell::money(minor, posting.currency) }
}

/// Year, month and day of a posting.
fn date(posting: &Posted) -> (String, String, String) {
    let text = day_text(posting.day);
    let mut parts = text.splitn(3, '-').map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn quickbooks(posting: &Posted) -> Vec<Cell> {
    let (year, month, day) = date(posting);
    vec![
        Cell::text(&posting.entry_id),
        Cell::Text(format!("{month}/{day}/{year}")),
        Cell::text(&posting.account),
        side(posting.debit_minor, posting),
        side(posting.credit_minor, posting),
        Cell::text(&posting.memo),
        Cell::text(&posting.customer_id),
        Cell::text(posting.currency.code()),
    ]
}

fn xero(posting: &Posted) -> Vec<Cell> {
    let (year, month, day) = date(posting);
    vec![
        Cell::Text(format!("{} {}", posting.entry_id, posting.customer_id)),
        Cell::Text(format!("{day}/{month}/{year}")),
        Cell::text(&posting.memo),
        Cell::text(&posting.account),
        Cell::text(NO_TAX),
        Cell::money(posting.debit_minor.saturating_sub(posting.credit_minor), posting.currency),
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
    ]
}

fn netsuite(posting: &Posted) -> Vec<Cell> {
    let (year, month, day) = date(posting);
    vec![
        Cell::text(&posting.entry_id),
        Cell::Text(format!("{month}/{day}/{year}")),
        Cell::text(posting.currency.code()),
        Cell::text(&posting.account),
        side(posting.debit_minor, posting),
        side(posting.credit_minor, posting),
        Cell::text(&posting.memo),
        Cell::text(&posting.customer_id),
    ]
}
