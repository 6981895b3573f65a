//! The tables: their columns, and the rows that an invoice gives.

mod classes;
mod focus;
mod invoices;
mod journal;
mod lines;
mod quantity;
mod usage;

use std::collections::BTreeMap;

use wb_ledger::{Event, Hash, Invoice, InvoiceLine};
use wb_units::Currency;

use crate::cell::{Cell, Column};
use crate::control::Totals;
use crate::error::ExportError;
use crate::exporter::Entry;
use crate::request::{Request, Table};

/// Where rows go.
pub(crate) struct Context<'a> {
    pub(crate) totals: &'a mut Totals,
    pub(crate) emit: &'a mut dyn FnMut(&mut Totals, Vec<Cell>) -> Result<(), ExportError>,
}

impl Context<'_> {
    fn row(&mut self, cells: Vec<Cell>) -> Result<(), ExportError> {
        (self.emit)(self.totals, cells)
    }
}

/// The columns of an export, in order.
#[must_use]
pub fn columns(request: &Request) -> Vec<Column> {
    match request.table() {
        Table::Invoices => invoices::COLUMNS.to_vec(),
        Table::Lines => lines::COLUMNS.to_vec(),
        Table::Usage => usage::COLUMNS.to_vec(),
        Table::Journal => journal::columns(request.profile()),
        Table::Focus => focus::COLUMNS.to_vec(),
    }
}

/// An issued invoice and its record.
pub(crate) struct Issued<'a> {
    pub(crate) ledger_offset: u64,
    pub(crate) record_hash: Hash,
    pub(crate) invoice: &'a Invoice,
}

pub(crate) fn write(
    request: &Request,
    entry: &Entry<'_>,
    context: &mut Context<'_>,
) -> Result<(), ExportError> {
    if request.table() == Table::Journal {
        return journal::write(entry, request, context);
    }
    let Event::InvoiceIssued(invoice) = entry.event else { return Ok(()) };
    if invoice.period.text != request.period() {
        return Ok(());
    }
    check_sums(invoice)?;
    context.totals.record(entry.ledger_offset, entry.record_hash);
    let issued = Issued { ledger_offset: entry.ledger_offset, record_hash: entry.record_hash, invoice };
    match request.table() {
        Table::Invoices => invoices::write(&issued, context),
        Table::Lines => lines::write(&issued, context),
        Table::Usage => usage::write(&issued, context),
        Table::Focus => focus::write(&issued, context),
        Table::Journal => Ok(()),
    }
}

/// How an invoice is named in errors.
fn place(invoice: &Invoice) -> String {
    format!("invoice {} ({})", invoice.number, invoice.invoice_id)
}

fn line_place(invoice: &Invoice, line: &InvoiceLine) -> String {
    format!("line {} of {}", line.id, place(invoice))
}

fn currency_of(code: &str, place: impl Fn() -> String) -> Result<Currency, ExportError> {
    Currency::from_code(code).map_err(|_| ExportError::Number {
        place: place(),
        field: "currency",
        given: code.to_owned(),
        wanted: "currency of the table of currencies",
    })
}

fn minor_of(text: &str, place: impl Fn() -> String) -> Result<i128, ExportError> {
    text.parse().map_err(|_| ExportError::Number {
        place: place(),
        field: "amount_minor",
        given: text.to_owned(),
        wanted: "whole number of 128 bits",
    })
}

/// A line's amount.
pub(crate) fn amount(invoice: &Invoice, line: &InvoiceLine) -> Result<(Currency, i128), ExportError> {
    let place = || line_place(invoice, line);
    Ok((currency_of(&line.currency, place)?, minor_of(&line.amount_minor, place)?))
}

/// The lines of every currency must give its total: an export is not the place where a difference appears.
pub(crate) fn check_sums(invoice: &Invoice) -> Result<(), ExportError> {
    let mut sums: BTreeMap<&str, (i128, i128)> = BTreeMap::new();
    for line in &invoice.lines {
        let (currency, minor) = amount(invoice, line)?;
        let sum = sums.entry(currency.code()).or_default();
        sum.0 = sum.0.checked_add(minor).ok_or_else(|| ExportError::Width {
            place: place(invoice),
            field: "the sum of the lines",
            given: format!("{} + {minor}", sum.0),
            kind: "128 bits",
        })?;
    }
    for total in &invoice.totals {
        let currency = currency_of(&total.currency, || place(invoice))?;
        sums.entry(currency.code()).or_default().1 = minor_of(&total.amount_minor, || place(invoice))?;
    }
    match sums.into_iter().find(|(_, (lines, total))| lines != total) {
        None => Ok(()),
        Some((code, (lines, total))) => Err(ExportError::Unbalanced {
            place: place(invoice),
            currency: code.to_owned(),
            left_name: "its lines are",
            left: lines,
            right_name: "its total is",
            right: total,
        }),
    }
}
