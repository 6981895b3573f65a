//! `usage`: a row for each input that a line lists, in the order of issue, then of lines, then of inputs.
//!
//! A line lists at most [`wb_ledger::INPUTS_LISTED_MAX`] inputs; `inputs` is their number, and the digest covers them
//! all. The fields of an input depend on the component, so it is a JSON column; fields that most inputs have, such as
//! the machine, have their own columns.

use serde_json::Value;

use super::Context;
use super::invoices::count;
use crate::cell::{Cell, Column, Kind};
use crate::document::Document;
use crate::error::ExportError;

pub(super) const COLUMNS: &[Column] = &[
    Column::new("ledger_offset", Kind::Count),
    Column::new("line_number", Kind::Count),
    Column::new("input_number", Kind::Count),
    Column::new("invoice_number", Kind::Text),
    Column::new("invoice_id", Kind::Text),
    Column::new("period", Kind::Word),
    Column::new("customer_id", Kind::Text),
    Column::new("contract_id", Kind::Text),
    Column::new("line_id", Kind::Text),
    Column::new("kind", Kind::Word),
    Column::or_null("machine_id", Kind::Text),
    Column::or_null("meter_id", Kind::Text),
    Column::or_null("allocation_id", Kind::Text),
    Column::or_null("witness", Kind::Word),
    Column::or_null("energy_kwh", Kind::Text),
    Column::new("input", Kind::Json),
    Column::new("inputs", Kind::Count),
    Column::new("inputs_digest", Kind::Text),
];

pub(super) fn write(document: &Document<'_>, context: &mut Context<'_>) -> Result<(), ExportError> {
    let Some(invoice) = document.invoice else { return Ok(()) };
    for (line_index, line) in invoice.lines.iter().enumerate() {
        for (index, input) in line.inputs.iter().enumerate() {
            let field = |name: &str| input.get(name).map_or(Cell::Null, |text| Cell::or_null(text));
            let whole = input.iter().map(|(name, text)| (name.clone(), Value::from(text.clone())));
            context.row(vec![
                Cell::Count(document.ledger_offset),
                Cell::Count(count(line_index + 1)),
                Cell::Count(count(index + 1)),
                Cell::text(&invoice.number),
                Cell::text(&invoice.invoice_id),
                Cell::text(&invoice.period.text),
                Cell::text(&invoice.customer_id),
                Cell::text(&invoice.contract_id),
                Cell::text(&line.id),
                Cell::text(&line.kind),
                field("machine_id"),
                field("meter_id"),
                field("allocation_id"),
                field("witness"),
                field("energy_kwh"),
                Cell::Json(Value::Object(whole.collect())),
                Cell::Count(line.inputs_count),
                Cell::text(line.inputs_digest.to_string()),
            ])?;
        }
    }
    Ok(())
}
