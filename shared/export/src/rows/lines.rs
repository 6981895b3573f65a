//! `lines`: a row for each line, in the order of issue, then of the invoice.

use super::invoices::count;
use super::{Context, Issued, amount, classes, quantity};
use crate::cell::{Cell, Column, Kind};
use crate::error::ExportError;

pub(super) const COLUMNS: &[Column] = &[
    Column::new("ledger_offset", Kind::Count),
    Column::new("line_number", Kind::Count),
    Column::new("invoice_number", Kind::Text),
    Column::new("invoice_id", Kind::Text),
    Column::new("period", Kind::Word),
    Column::new("customer_id", Kind::Text),
    Column::new("legal_entity", Kind::Text),
    Column::new("contract_id", Kind::Text),
    Column::new("line_id", Kind::Text),
    Column::new("component", Kind::Text),
    Column::new("kind", Kind::Word),
    Column::new("description", Kind::Text),
    Column::new("is_tax", Kind::Flag),
    Column::new("quantity", Kind::Text),
    Column::new("unit", Kind::Text),
    Column::new("unit_price", Kind::Text),
    Column::new("formula", Kind::Text),
    Column::new("amount", Kind::Money),
    Column::new("amount_minor", Kind::Minor),
    Column::new("currency", Kind::Word),
    Column::new("inputs", Kind::Count),
    Column::new("inputs_digest", Kind::Text),
    Column::new("bill_digest", Kind::Text),
];

pub(super) fn write(issued: &Issued<'_>, context: &mut Context<'_>) -> Result<(), ExportError> {
    let invoice = issued.invoice;
    for (index, line) in invoice.lines.iter().enumerate() {
        let (currency, minor) = amount(invoice, line)?;
        context.totals.money("amount", currency, minor)?;
        if let Some(rounded) = quantity::read(&line.quantity) {
            context.totals.quantity(&line.unit, rounded.unscaled, rounded.is_rounded)?;
        }
        context.row(vec![
            Cell::Count(issued.ledger_offset),
            Cell::Count(count(index + 1)),
            Cell::text(&invoice.number),
            Cell::text(&invoice.invoice_id),
            Cell::text(&invoice.period.text),
            Cell::text(&invoice.customer_id),
            Cell::text(&invoice.legal_entity),
            Cell::text(&invoice.contract_id),
            Cell::text(&line.id),
            Cell::text(&line.component),
            Cell::text(&line.kind),
            Cell::text(&line.description),
            Cell::Flag(classes::is_tax(&line.kind)),
            Cell::text(&line.quantity),
            Cell::text(&line.unit),
            Cell::text(&line.unit_price),
            Cell::text(&line.formula),
            Cell::money(minor, currency),
            Cell::Minor(minor),
            Cell::text(currency.code()),
            Cell::Count(line.inputs_count),
            Cell::text(line.inputs_digest.to_string()),
            Cell::text(invoice.bill_digest.to_string()),
        ])?;
    }
    Ok(())
}
