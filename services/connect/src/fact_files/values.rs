//! The value of a cell.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use wb_events::forms::Shape;
use wb_units::Micros;

use super::Cell;

/// How an instant is written.
pub(super) const INSTANT: &str =
    "write a date such as 2026-10-01, which begins at 00:00 UTC, or an instant such as 2026-10-01T05:00:00Z";

/// The characters of a date without a time.
const DATE_CHARS: usize = 10;

/// The longest cell that a message shows.
const SHOWN_CHARS: usize = 64;

/// A cell as a message shows it.
fn shown(cell: &Cell) -> String {
    let text = match cell {
        Cell::Table(text) => format!("{text:?}"),
        Cell::Real(digits) => digits.clone(),
        Cell::Value(value) => value.to_string(),
    };
    if text.chars().count() <= SHOWN_CHARS {
        return text;
    }
    text.chars().take(SHOWN_CHARS).chain("...".chars()).collect()
}

/// The value of a field, or why the cell has none of its shape.
pub(super) fn value(shape: Shape, cell: &Cell) -> Result<Value, String> {
    let refuse = || {
        let hint = match (shape, cell) {
            (Shape::Object | Shape::List, Cell::Table(_)) => "; write this fact in a TOML or JSON file",
            (Shape::Text | Shape::Hex | Shape::Decimal(_) | Shape::Digits(_), _) => ", in quotes",
            _ => "",
        };
        Err(format!("is {}; right would be {}{hint}", shown(cell), shape.words()))
    };
    match (shape, cell) {
        (_, Cell::Real(_)) => refuse(),
        (Shape::Text | Shape::Hex | Shape::Decimal(_) | Shape::Digits(_), Cell::Table(text)) => {
            Ok(text.clone().into())
        }
        (Shape::Whole(_) | Shape::Instant, Cell::Table(text)) => match text.parse::<i64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => text.parse::<u64>().map(Value::from).or_else(|_| refuse()),
        },
        (Shape::Truth, Cell::Table(text)) => text.parse::<bool>().map(Value::from).or_else(|_| refuse()),
        (Shape::Lines, Cell::Table(text)) => {
            Ok(text.split(['\n', '|']).map(str::trim).filter(|line| !line.is_empty()).collect())
        }
        (Shape::Object | Shape::List, Cell::Table(_)) => refuse(),
        (shape, Cell::Value(value)) => {
            let fits = match shape {
                Shape::Text | Shape::Hex | Shape::Decimal(_) | Shape::Digits(_) => value.is_string(),
                Shape::Whole(_) | Shape::Instant => value.is_i64() || value.is_u64(),
                Shape::Truth => value.is_boolean(),
                Shape::Lines => {
                    value.as_array().is_some_and(|lines| lines.iter().all(serde_json::Value::is_string))
                }
                Shape::Object => value.is_object(),
                Shape::List => value.is_array(),
            };
            if fits { Ok(value.clone()) } else { refuse() }
        }
    }
}

/// The text of a cell.
pub(super) fn text(cell: &Cell) -> Result<String, String> {
    match cell {
        Cell::Table(text) => Ok(text.clone()),
        Cell::Value(Value::String(text)) => Ok(text.clone()),
        other => Err(format!("is {}: write text, in quotes", shown(other))),
    }
}

/// The instant of a cell: a date is its first instant in UTC.
pub(super) fn instant(cell: &Cell) -> Result<Micros, String> {
    let refuse = || format!("is {}: {INSTANT}", shown(cell));
    let text = text(cell).map_err(|_| refuse())?;
    let midnight = |date: Date| date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let instant = if text.chars().count() == DATE_CHARS {
        text.parse::<Date>().ok().and_then(midnight)
    } else {
        text.parse::<Timestamp>().ok()
    };
    instant.map(Timestamp::as_microsecond).ok_or_else(refuse)
}
