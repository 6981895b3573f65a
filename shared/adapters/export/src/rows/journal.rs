//! `journal`: a row for each account that a record posts to, in the order of the ledger, then of currencies,
//! then of the accounts' first posting; as our own columns, or in those of an accounting system. Its period is
//! the month in UTC that the record is dated in: what was invoiced for October on the first of November is
//! of November's journal. `schemas/exports/README.md` names the sources of the mappings.

use super::{Context, systems};
use crate::cell::{Cell, Column, Kind};
use crate::entry::Entry;
use crate::error::ExportError;
use crate::journal::Journal;
use crate::postings::{Posted, month_of, posted};
use crate::request::Request;
use crate::words::Profile;

const OWN: &[Column] = &[
    Column::new("ledger_offset", Kind::Count),
    Column::new("posting_number", Kind::Count),
    Column::new("entry_id", Kind::Text),
    Column::new("date", Kind::Day),
    Column::new("legal_entity", Kind::Text),
    Column::new("account", Kind::Text),
    Column::new("debit", Kind::Money),
    Column::new("debit_minor", Kind::Minor),
    Column::new("credit", Kind::Money),
    Column::new("credit_minor", Kind::Minor),
    Column::new("currency", Kind::Word),
    Column::new("document_number", Kind::Text),
    Column::new("customer_id", Kind::Text),
    Column::new("customer_name", Kind::Text),
    Column::new("memo", Kind::Text),
];

/// The most places of money that the three systems import.
const PLACES_MAX: u32 = 2;

/// The most lines of a file that Xero imports.
const XERO_LINES_MAX: usize = 300;

/// Why a posting has no row.
const TOO_FINE: &str = "the accounting system takes at most two decimal places";

pub(super) fn columns(profile: Option<Profile>) -> Vec<Column> {
    profile.map_or(OWN, systems::columns).to_vec()
}

pub(crate) fn write(
    entry: &Entry<'_>,
    request: &Request,
    journal: &mut Journal,
    context: &mut Context<'_>,
) -> Result<(), ExportError> {
    journal.learn(entry.event);
    let legal_entity = journal.owner_of(entry)?.to_owned();
    if request.legal_entity().is_some_and(|wanted| wanted != legal_entity) {
        return Ok(());
    }
    let options = request.options();
    let is_wanted = |postings: &Vec<Posted>| {
        postings.first().is_some_and(|first| {
            month_of(first.day) == request.period()
                && options.currency.is_none_or(|currency| currency == first.currency)
        })
    };
    let mut entries = posted(entry, &legal_entity, request.is_by_service())?;
    entries.retain(is_wanted);
    let (mut number, mut is_counted) = (0, false);
    for mut postings in entries {
        let Some(currency) = postings.first().map(|first| first.currency) else { continue };
        if request.profile().is_some() && currency.scale() > PLACES_MAX {
            for posting in &postings {
                context.totals.left_out(TOO_FINE, currency, posting.debit_minor)?;
            }
            continue;
        }
        let part = if request.profile() == Some(Profile::Xero) {
            journal.part_of(postings.len(), XERO_LINES_MAX)
        } else {
            1
        };
        for posting in &mut postings {
            match options.accounts.get(&posting.account) {
                Some(name) => posting.account = name.to_owned(),
                // A file never has our names beside those of a mapping.
                None if request.profile().is_some() || !options.accounts.is_empty() => {
                    journal.unmapped(&posting.account);
                }
                None => {}
            }
        }
        if part != options.part {
            continue;
        }
        if !is_counted {
            context.totals.record(entry.ledger_offset, entry.record_hash);
            is_counted = true;
        }
        for posting in &postings {
            number += 1;
            context.totals.money("debit", currency, posting.debit_minor)?;
            context.totals.money("credit", currency, posting.credit_minor)?;
            context.row(match request.profile() {
                None => own(entry.ledger_offset, number, posting, request),
                Some(profile) => systems::row(profile, posting, options)?,
            })?;
        }
    }
    Ok(())
}

fn own(ledger_offset: u64, number: u64, posting: &Posted, request: &Request) -> Vec<Cell> {
    vec![
        Cell::Count(ledger_offset),
        Cell::Count(number),
        Cell::text(&posting.entry_id),
        Cell::Day(posting.day),
        Cell::text(&posting.legal_entity),
        Cell::text(&posting.account),
        Cell::money(posting.debit_minor, posting.currency),
        Cell::Minor(posting.debit_minor),
        Cell::money(posting.credit_minor, posting.currency),
        Cell::Minor(posting.credit_minor),
        Cell::text(posting.currency.code()),
        Cell::text(&posting.document),
        Cell::text(&posting.customer_id),
        Cell::text(request.options().customer(&posting.customer_id)),
        Cell::text(&posting.memo),
    ]
}
