//! The place of an error in a document's text: line and column.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::contract::Format;
use crate::error::ContractError;

/// A line and a column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A step of a path such as `components[1].unit`.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Key(&'a str),
    Place(usize),
}

/// Where an error's place lies in the text. For a text that is no document, where reading it failed; for an error of
/// the whole document, its beginning.
#[must_use]
pub fn position_of(text: &str, format: Format, error: &ContractError) -> Position {
    let steps = steps(error.place().unwrap_or_default());
    let at = match format {
        Format::Json => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Err(error) if !error.is_data() => {
                return Position { line: error.line(), column: error.column().max(1) };
            }
            _ => Json { text: text.as_bytes(), at: 0 }.find(&steps),
        },
        Format::Toml => match DeTable::parse(text) {
            Err(error) => error.span().map_or(0, |span| span.start),
            Ok(table) => in_table(table.get_ref(), &steps).unwrap_or(0),
        },
    };
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}

/// The steps of a path, without what stands in brackets behind it. For a text that is no path, such as the name of
/// the document, a step that matches nothing.
fn steps(place: &str) -> Vec<Step<'_>> {
    let path = place.split(" (").next().unwrap_or_default();
    let mut steps = Vec::new();
    for part in path.split('.') {
        let mut pieces = part.split('[');
        if let Some(key) = pieces.next().filter(|key| !key.is_empty()) {
            steps.push(Step::Key(key));
        }
        for piece in pieces {
            steps.extend(piece.trim_end_matches(']').parse().ok().map(Step::Place));
        }
    }
    steps
}

fn in_table(table: &DeTable<'_>, steps: &[Step<'_>]) -> Option<usize> {
    let (Step::Key(name), rest) = steps.split_first()? else { return None };
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    Some(in_value(value, rest).unwrap_or(key.span().start))
}

fn in_value(value: &Spanned<DeValue<'_>>, steps: &[Step<'_>]) -> Option<usize> {
    match (value.get_ref(), steps.first()?) {
        (DeValue::Table(table), _) => in_table(table, steps),
        (DeValue::Array(items), Step::Place(place)) => {
            let item = items.get(*place)?;
            Some(in_value(item, steps.get(1..)?).unwrap_or(item.span().start))
        }
        _ => None,
    }
}

/// Walks through JSON that is known to be well formed.
struct Json<'a> {
    text: &'a [u8],
    at: usize,
}

impl Json<'_> {
    /// The offset of the deepest existing value on the path.
    fn find(mut self, steps: &[Step<'_>]) -> usize {
        let mut steps = steps.iter();
        loop {
            self.space();
            let found = self.at;
            let Some(step) = steps.next() else { return found };
            let is_inside = match step {
                Step::Key(key) => self.enter_table(key),
                Step::Place(place) => self.enter_list(*place),
            };
            if !is_inside {
                return found;
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b':')) {
            self.at += 1;
        }
    }

    fn enter_table(&mut self, wanted: &str) -> bool {
        if self.peek() != Some(b'{') {
            return false;
        }
        self.at += 1;
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return false;
            }
            let from = self.at;
            self.string();
            let key = self.text.get(from..self.at).and_then(|key| serde_json::from_slice::<String>(key).ok());
            self.space();
            if key.as_deref() == Some(wanted) {
                return true;
            }
            self.value();
        }
    }

    fn enter_list(&mut self, place: usize) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.at += 1;
        for _ in 0..place {
            self.space();
            if self.peek() == Some(b']') {
                return false;
            }
            self.value();
        }
        self.space();
        self.peek() != Some(b']')
    }

    /// Skips a string.
    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return;
            }
        }
    }

    /// Skips a value.
    fn value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.string(),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => return,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            if depth == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Contract;

    const JSON: &str = r#"{
  "contract_id": "c", "customer_id": "k{\"[", "legal_entity": "l",
  "time_zone": "UTC",
  "components": [
    {"id": "a", "kind": "fixed_fee", "currency": "USD", "amount": "1"},
    {"id": "power", "kind": "metered_energy", "currency": "USD",
     "unit": "USD/MWh", "unit_price": "0.1"}
  ]
}"#;

    fn position(text: &str, format: Format) -> (usize, usize) {
        let error = Contract::check(text, format).unwrap_err().remove(0);
        let found = position_of(text, format, &error);
        (found.line, found.column)
    }

    #[test]
    fn an_error_in_json_points_at_its_value() {
        let good = JSON.replace("\"k{\\\"[\"", "\"k\"");
        assert_eq!(position(&good, Format::Json), (7, 14));
        assert_eq!(position(JSON, Format::Json), (2, 38), "an identifier with brackets and quotes");
        assert_eq!(position(&good.replace("\"l\",", "\"l\" x"), Format::Json).0, 2);
        let no_id = good.replace("\"id\": \"a\", ", "");
        assert_eq!(position(&no_id, Format::Json), (5, 5), "what lacks a field is its table");
        assert_eq!(
            position(&good.replace("USD/MWh", "USD/kWh").replace("\"UTC\"", "\"Mars\""), Format::Json),
            (3, 16)
        );
        assert_eq!(position("{}", Format::Json), (1, 1));
    }

    #[test]
    fn an_error_in_toml_points_at_its_key() {
        let toml = "contract_id = \"c\"\ncustomer_id = \"k\"\nlegal_entity = \"l\"\ntime_zone = \"UTC\"\n\n\
            [[components]]\nid = \"f\"\nkind = \"fixed_fee\"\ncurrency = \"USD\"\n  amount = \"much\"\n";
        assert_eq!(position(toml, Format::Toml), (10, 3));
        assert_eq!(position(&toml.replace("= \"much\"", "= = 1"), Format::Toml).0, 10);
        assert_eq!(position(&toml.replace("\"much\"", "\"1\"\nextra = 7"), Format::Toml).0, 11);
        assert_eq!(position(&toml.replace("  amount = \"much\"\n", ""), Format::Toml).0, 6);
    }
}
