//! CSV by RFC 4180: a header, CRLF at the end of every row, quotes if needed, UTF-8 without a byte order mark.
//!
//! - A null is an empty field; empty text is `""`.
//! - Text that a spreadsheet would take for a formula gets a leading apostrophe, and so does text that begins with
//!   one: removing one leading apostrophe restores the text. Numbers, instants and flags never get one.

use crate::cell::{Cell, Column};

/// Characters that start a formula in spreadsheets, also in full-width form, or that are skipped before one.
const FORMULA: [char; 12] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\''];

pub(crate) fn header(columns: &[Column], out: &mut Vec<u8>) {
    let names: Vec<String> = columns.iter().map(|column| quoted(column.name)).collect();
    out.extend_from_slice(names.join(",").as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn row(cells: &[Cell], out: &mut Vec<u8>) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(field(cell).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) if text.is_empty() => "\"\"".to_owned(),
        Cell::Text(text) if text.starts_with(FORMULA) => quoted(&format!("'{text}")),
        other => quoted(&other.plain()),
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_units::Currency;

    #[test]
    fn fields_are_safe_and_can_be_read_back() {
        for (cell, expected) in [
            (Cell::text("a"), "a"),
            (Cell::text("a,b"), "\"a,b\""),
            (Cell::text("say \"x\""), "\"say \"\"x\"\"\""),
            (Cell::text("two\r\nlines"), "\"two\r\nlines\""),
            (Cell::text("=1+1"), "'=1+1"),
            (Cell::text("=HYPERLINK(\"x\",\"y\")"), "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
            (Cell::text("-cmd"), "'-cmd"),
            (Cell::text("+1"), "'+1"),
            (Cell::text("@x"), "'@x"),
            (Cell::text("\u{ff1d}1"), "'\u{ff1d}1"),
            (Cell::text("\tx"), "'\tx"),
            (Cell::text("'t Hooft"), "''t Hooft"),
            (Cell::text(""), "\"\""),
            (Cell::Null, ""),
            (Cell::money(-5, Currency::USD), "-0.05"),
            (Cell::Minor(-5), "-5"),
        ] {
            assert_eq!(field(&cell), expected);
        }
    }
}
