//! `invoices`: a row for each invoice and each of its currencies, in the order of issue, then of currencies.
//! Nearly every invoice has one currency; one without any line has one row without amounts.

use wb_ledger::Total;

use super::{Context, Issued, currency_of, minor_of, place};
use crate::cell::{Cell, Column, Kind};
use crate::error::ExportError;

pub(super) const COLUMNS: &[Column] = &[
    Column::new("ledger_offset", Kind::Count),
    Column::new("invoice_number", Kind::Text),
    Column::new("invoice_id", Kind::Text),
    Column::new("state", Kind::Word),
    Column::new("issued_at", Kind::Instant),
    Column::or_null("due_at", Kind::Instant),
    Column::new("period", Kind::Word),
    Column::new("period_start", Kind::Instant),
    Column::new("period_end", Kind::Instant),
    Column::new("customer_id", Kind::Text),
    Column::new("legal_entity", Kind::Text),
    Column::new("contract_id", Kind::Text),
    Column::new("contract_versions", Kind::Count),
    Column::new("currencies", Kind::Count),
    Column::or_null("currency", Kind::Word),
    Column::or_null("total", Kind::Money),
    Column::or_null("total_minor", Kind::Minor),
    Column::or_null("tax", Kind::Money),
    Column::or_null("tax_minor", Kind::Minor),
    Column::new("lines", Kind::Count),
    Column::new("names_cut", Kind::Count),
    Column::new("blocks", Kind::Count),
    Column::new("bill_digest", Kind::Text),
    Column::new("evidence_digest", Kind::Text),
    Column::new("record_hash", Kind::Text),
];

/// What a record of an issued invoice says of its state. It never changes: payments and notes are records
/// of their own.
const ISSUED: &str = "issued";

pub(super) fn write(issued: &Issued<'_>, context: &mut Context<'_>) -> Result<(), ExportError> {
    if issued.invoice.totals.is_empty() {
        return row(issued, None, context);
    }
    let mut totals: Vec<&Total> = issued.invoice.totals.iter().collect();
    totals.sort_by(|left, right| left.currency.cmp(&right.currency));
    totals.into_iter().try_for_each(|total| row(issued, Some(total), context))
}

fn row(issued: &Issued<'_>, total: Option<&Total>, context: &mut Context<'_>) -> Result<(), ExportError> {
    let invoice = issued.invoice;
    let place = || place(invoice);
    let of_currency =
        |line: &&wb_ledger::InvoiceLine| total.is_none_or(|total| line.currency == total.currency);
    let lines = count(invoice.lines.iter().filter(of_currency).count());
    let money = match total {
        None => [Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Null],
        Some(total) => {
            let currency = currency_of(&total.currency, place)?;
            let minor = minor_of(&total.amount_minor, place)?;
            let mut tax = 0_i128;
            for line in
                invoice.lines.iter().filter(of_currency).filter(|line| super::classes::is_tax(&line.kind))
            {
                tax = tax.saturating_add(super::amount(invoice, line)?.1);
            }
            context.totals.money("total", currency, minor)?;
            context.totals.money("tax", currency, tax)?;
            [
                Cell::text(currency.code()),
                Cell::money(minor, currency),
                Cell::Minor(minor),
                Cell::money(tax, currency),
                Cell::Minor(tax),
            ]
        }
    };
    let mut cells = vec![
        Cell::Count(issued.ledger_offset),
        Cell::text(&invoice.number),
        Cell::text(&invoice.invoice_id),
        Cell::text(ISSUED),
        Cell::Instant(invoice.issued_us()),
        invoice.dates.as_ref().map_or(Cell::Null, |dates| Cell::Instant(dates.due_us)),
        Cell::text(&invoice.period.text),
        Cell::Instant(invoice.period.start_us),
        Cell::Instant(invoice.period.end_us),
        Cell::text(&invoice.customer_id),
        Cell::text(&invoice.legal_entity),
        Cell::text(&invoice.contract_id),
        Cell::Count(count(invoice.contract_versions.len())),
        Cell::Count(count(invoice.totals.len())),
    ];
    cells.extend(money);
    cells.extend([
        Cell::Count(lines),
        Cell::Count(invoice.evidence.cut),
        Cell::Count(invoice.evidence.blocks_count),
        Cell::text(invoice.bill_digest.to_string()),
        Cell::text(invoice.evidence_digest.to_string()),
        Cell::text(issued.record_hash.to_string()),
    ]);
    context.row(cells)
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
