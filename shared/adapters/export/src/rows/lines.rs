//! `lines`: a row for each line of an invoice of the period or of a note of one, in the order of issue, then of
//! the document.

use super::invoices::count;
use super::{Context, classes, quantity};
use crate::cell::{Cell, Column, Kind};
use crate::document::Document;
use crate::error::ExportError;

pub(super) const COLUMNS: &[Column] = &[
    Column::new("ledger_offset", Kind::Count),
    Column::new("line_number", Kind::Count),
    Column::new("document", Kind::Word),
    Column::new("document_number", Kind::Text),
    Column::new("document_id", Kind::Text),
    Column::or_null("corrects", Kind::Text),
    Column::new("period", Kind::Word),
    Column::new("customer_id", Kind::Text),
    Column::new("legal_entity", Kind::Text),
    Column::new("contract_id", Kind::Text),
    Column::new("line_id", Kind::Text),
    Column::or_null("component", Kind::Text),
    Column::new("kind", Kind::Word),
    Column::new("description", Kind::Text),
    Column::new("is_tax", Kind::Flag),
    Column::new("quantity", Kind::Text),
    Column::new("unit", Kind::Text),
    Column::or_null("unit_price", Kind::Text),
    Column::or_null("formula", Kind::Text),
    Column::new("amount", Kind::Money),
    Column::new("amount_minor", Kind::Minor),
    Column::new("currency", Kind::Word),
    Column::or_null("inputs", Kind::Count),
    Column::or_null("inputs_digest", Kind::Text),
    Column::or_null("bill_digest", Kind::Text),
];

pub(super) fn write(document: &Document<'_>, context: &mut Context<'_>) -> Result<(), ExportError> {
    for (number, line) in (1_usize..).zip(&document.lines) {
        context.totals.money("amount", line.currency, line.minor)?;
        let invoiced = line.invoiced;
        // A note's quantity is the corrected one, not a further one.
        if let Some(rounded) = invoiced.and_then(|line| quantity::read(&line.quantity)) {
            context.totals.quantity(line.unit, rounded.unscaled, rounded.is_rounded)?;
        }
        context.row(vec![
            Cell::Count(document.ledger_offset),
            Cell::Count(count(number)),
            Cell::text(document.kind),
            Cell::text(document.number),
            Cell::text(document.id),
            document.corrects.map_or(Cell::Null, Cell::text),
            Cell::text(&document.period.text),
            Cell::text(document.customer_id),
            Cell::text(document.legal_entity),
            Cell::text(document.contract_id),
            Cell::text(line.id),
            invoiced.map_or(Cell::Null, |line| Cell::text(&line.component)),
            Cell::text(line.kind),
            Cell::text(line.description),
            Cell::Flag(classes::is_tax(line.kind)),
            Cell::text(line.quantity),
            Cell::text(line.unit),
            invoiced.map_or(Cell::Null, |line| Cell::text(&line.unit_price)),
            invoiced.map_or(Cell::Null, |line| Cell::text(&line.formula)),
            Cell::money(line.minor, line.currency),
            Cell::Minor(line.minor),
            Cell::text(line.currency.code()),
            invoiced.map_or(Cell::Null, |line| Cell::Count(line.inputs_count)),
            invoiced.map_or(Cell::Null, |line| Cell::text(line.inputs_digest.to_string())),
            document.invoice.map_or(Cell::Null, |invoice| Cell::text(invoice.bill_digest.to_string())),
        ])?;
    }
    Ok(())
}
