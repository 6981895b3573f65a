//! The tables: their columns, and the rows of an invoice.

mod classes;
mod focus;
mod invoices;
mod journal;
mod lines;
mod quantity;
mod systems;
mod usage;

use crate::cell::{Cell, Column};
use crate::control::Totals;
use crate::document::Document;
use crate::error::ExportError;
use crate::request::Request;
use crate::words::Table;

/// Receives a row.
pub(crate) type Emit<'a> = dyn FnMut(&mut Totals, Vec<Cell>) -> Result<(), ExportError> + 'a;

/// The destination of rows.
pub(crate) struct Context<'a> {
    pub(crate) totals: &'a mut Totals,
    pub(crate) emit: &'a mut Emit<'a>,
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

pub(crate) fn write(
    request: &Request,
    document: &Document<'_>,
    context: &mut Context<'_>,
) -> Result<(), ExportError> {
    document.check_sums()?;
    if request.table() == Table::Usage && document.invoice.is_none() {
        return Ok(());
    }
    context.totals.record(document.ledger_offset, document.record_hash);
    match request.table() {
        Table::Invoices => invoices::write(document, context),
        Table::Lines => lines::write(document, context),
        Table::Usage => usage::write(document, context),
        Table::Focus => focus::write(document, context),
        Table::Journal => Ok(()),
    }
}

pub(crate) use journal::write as write_journal;
