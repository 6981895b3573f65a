//! TOML into the tree, with lines.

use toml::de::{DeTable, DeValue};
use toml::{Spanned, de::DeArray};

use super::{Malformed, Node, ROOT, Value, entry_path};

/// Reads a whole text.
pub(super) fn read(text: &str) -> Result<Node, Malformed> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| Lines::of(text).line(span.start));
        Malformed { detail: format!("line {line}: {}", error.message()) }
    })?;
    let lines = Lines::of(text);
    Ok(Node { place: ROOT.to_owned(), value: entries(table.get_ref(), "", &lines) })
}

/// Where each line starts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(starts).collect())
    }

    /// The number of the line that holds a byte, from 1.
    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at)
    }
}

fn entries(table: &DeTable<'_>, path: &str, lines: &Lines) -> Value {
    let mut found: Vec<_> = table.iter().collect();
    found.sort_by_key(|(key, _)| key.span().start);
    Value::Table(
        found
            .into_iter()
            .map(|(key, value)| {
                let name = key.get_ref().to_string();
                // The key's line, not the value's: a table's value begins wherever its first entry does.
                let node = place(value, &entry_path(path, &name), key.span().start, lines);
                (name, node)
            })
            .collect(),
    )
}

fn place(value: &Spanned<DeValue<'_>>, path: &str, at: usize, lines: &Lines) -> Node {
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) if integer.radix() == 10 => Value::Whole(integer.as_str().to_owned()),
        DeValue::Integer(integer) => Value::Real(integer.to_string()),
        DeValue::Float(real) => Value::Real(real.as_str().to_owned()),
        DeValue::Boolean(truth) => Value::Truth(*truth),
        DeValue::Datetime(moment) => Value::Text(moment.to_string()),
        DeValue::Array(items) => list(items, path, lines),
        DeValue::Table(table) => entries(table, path, lines),
    };
    Node { place: format!("{path} (line {})", lines.line(at)), value }
}

fn list(items: &DeArray<'_>, path: &str, lines: &Lines) -> Value {
    Value::List(
        items
            .iter()
            .enumerate()
            .map(|(index, item)| place(item, &format!("{path}[{index}]"), item.span().start, lines))
            .collect(),
    )
}
