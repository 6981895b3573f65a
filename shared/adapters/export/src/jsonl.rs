//! JSON lines: one canonical object (RFC 8785) per row, each ended by a line feed.
//!
//! Money, minor units and other decimals are text, because JSON readers would not keep them exact. Counts are
//! numbers. Every row has every column; an empty one is null.

use serde_json::{Map, Value};
use wb_ledger::canonical;

use crate::cell::{Cell, Column};
use crate::error::ExportError;

pub(crate) fn row(columns: &[Column], cells: Vec<Cell>, out: &mut Vec<u8>) -> Result<(), ExportError> {
    let members: Map<String, Value> =
        columns.iter().zip(cells).map(|(column, cell)| (column.name.to_owned(), value(cell))).collect();
    let text = canonical::write(&Value::Object(members)).map_err(ExportError::Canonical)?;
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
    Ok(())
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Json(value) => value,
        Cell::Count(count) => Value::from(count),
        Cell::Flag(flag) => Value::from(flag),
        other => Value::from(other.plain()),
    }
}
