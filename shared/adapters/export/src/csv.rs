//! CSV by RFC 4180: a header, CRLF at the end of every row, quotes where they are needed, UTF-8 without a
//! mark.
//!
//! - Nothing is an empty field; text without letters is `""`.
//! - Text that a spreadsheet would take for a formula gets an apostrophe in front, and so does text that
//!   begins with an apostrophe: who takes one leading apostrophe off text has exactly what was there.
//!   Numbers, instants and flags never get one.

use crate::cell::{Cell, Column};

/// What spreadsheets read as the beginning of a formula, also in its full-width form, or skip before one.
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
