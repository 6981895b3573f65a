//! `invoices`: a row for each document (an invoice of the period, or a note of one) and each of its
//! currencies, in the order of issue, then of currencies. Nearly every document has one currency; one without
//! any line has one row without amounts.

use wb_units::Currency;

use super::Context;
use super::classes::is_tax;
use crate::cell::{Cell, Column, Kind};
use crate::document::Document;
use crate::error::ExportError;

pub(super) const COLUMNS: &[Column] = &[
    Column::new("ledger_offset", Kind::Count),
    Column::new("document", Kind::Word),
    Column::new("document_number", Kind::Text),
    Column::new("document_id", Kind::Text),
    Column::or_null("corrects", Kind::Text),
    Column::new("issued_at", Kind::Instant),
    Column::or_null("due_at", Kind::Instant),
    Column::new("period", Kind::Word),
    Column::new("period_start", Kind::Instant),
    Column::new("period_end", Kind::Instant),
    Column::new("customer_id", Kind::Text),
    Column::new("legal_entity", Kind::Text),
    Column::new("contract_id", Kind::Text),
    Column::or_null("contract_versions", Kind::Count),
    Column::new("currencies", Kind::Count),
    Column::or_null("currency", Kind::Word),
    Column::or_null("total", Kind::Money),
    Column::or_null("total_minor", Kind::Minor),
    Column::or_null("tax", Kind::Money),
    Column::or_null("tax_minor", Kind::Minor),
    Column::new("lines", Kind::Count),
    Column::or_null("commits_cut", Kind::Count),
    Column::or_null("blocks", Kind::Count),
    Column::or_null("bill_digest", Kind::Text),
    Column::or_null("evidence_digest", Kind::Text),
    Column::new("record_hash", Kind::Text),
];

pub(super) fn write(document: &Document<'_>, context: &mut Context<'_>) -> Result<(), ExportError> {
    let sums = document.sums()?;
    if sums.is_empty() {
        return row(document, 0, None, context);
    }
    let currencies = count(sums.len());
    sums.into_values().try_for_each(|sum| row(document, currencies, Some(sum), context))
}

fn row(
    document: &Document<'_>,
    currencies: u64,
    sum: Option<(Currency, i128)>,
    context: &mut Context<'_>,
) -> Result<(), ExportError> {
    let of_currency =
        |line: &&crate::document::Line<'_>| sum.is_none_or(|(currency, _)| line.currency == currency);
    let lines = document.lines.iter().filter(of_currency);
    let money = match sum {
        None => [Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Null],
        Some((currency, minor)) => {
            let taxes = lines.clone().filter(|line| is_tax(line.kind)).map(|line| line.minor);
            let tax = taxes.fold(0, i128::saturating_add);
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
    let invoice = document.invoice;
    let of_invoice = |value: Option<u64>| value.map_or(Cell::Null, Cell::Count);
    let digest =
        |value: Option<wb_ledger::Hash>| value.map_or(Cell::Null, |hash| Cell::Text(hash.to_string()));
    let mut cells = vec![
        Cell::Count(document.ledger_offset),
        Cell::text(document.kind),
        Cell::text(document.number),
        Cell::text(document.id),
        document.corrects.map_or(Cell::Null, Cell::text),
        Cell::Instant(document.issued_us),
        document.due_us.map_or(Cell::Null, Cell::Instant),
        Cell::text(&document.period.text),
        Cell::Instant(document.period.start_us),
        Cell::Instant(document.period.end_us),
        Cell::text(document.customer_id),
        Cell::text(document.legal_entity),
        Cell::text(document.contract_id),
        of_invoice(invoice.map(|invoice| count(invoice.contract_versions.len()))),
        Cell::Count(currencies),
    ];
    cells.extend(money);
    cells.extend([
        Cell::Count(count(lines.count())),
        of_invoice(invoice.map(|invoice| invoice.evidence.cut)),
        of_invoice(invoice.map(|invoice| invoice.evidence.blocks_count)),
        digest(invoice.map(|invoice| invoice.bill_digest)),
        digest(invoice.map(|invoice| invoice.evidence_digest)),
        Cell::text(document.record_hash.to_string()),
    ]);
    context.row(cells)
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
