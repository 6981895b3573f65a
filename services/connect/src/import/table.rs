//! Reads rows with named columns, from CSV (RFC 4180) or a JSON array of objects.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{BadRow, FileFormat};

/// A row: its line, and its columns that are not empty.
pub(super) struct Row {
    pub(super) line: usize,
    columns: BTreeMap<String, String>,
}

impl Row {
    /// A column's text; `None` if it is empty or missing.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.columns.get(name).map(String::as_str)
    }
}

/// The rows of a file, and the bad rows. Unknown columns are refused, because a misspelt name would otherwise be
/// ignored.
pub(super) fn rows(text: &str, format: FileFormat, known: &[&str]) -> (Vec<Row>, Vec<BadRow>) {
    match format {
        FileFormat::Csv => of_csv(text, known),
        FileFormat::Json => of_json(text, known),
    }
}

fn of_json(text: &str, known: &[&str]) -> (Vec<Row>, Vec<BadRow>) {
    let objects: Vec<BTreeMap<String, Value>> = match serde_json::from_str(text) {
        Ok(objects) => objects,
        Err(error) => {
            let reason = format!("this is not an array of objects: {error}");
            return (Vec::new(), vec![BadRow { line: error.line().max(1), reason }]);
        }
    };
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for (line, object) in (1..).zip(objects) {
        let mut columns = BTreeMap::new();
        let mut wrong = None;
        for (name, value) in object {
            match value {
                _ if !known.contains(&name.as_str()) => {
                    wrong = Some(format!("{name:?} is unknown; known are {}", known.join(", ")));
                }
                Value::String(text) if !text.is_empty() => drop(columns.insert(name, text)),
                Value::String(_) | Value::Null => {}
                Value::Number(number) if number.is_i64() => drop(columns.insert(name, number.to_string())),
                // Other programs might have rounded a JSON number.
                other => wrong = Some(format!("{name} is {other}: write a string")),
            }
        }
        match wrong {
            Some(reason) => bad.push(BadRow { line, reason }),
            None => rows.push(Row { line, columns }),
        }
    }
    (rows, bad)
}

fn of_csv(text: &str, known: &[&str]) -> (Vec<Row>, Vec<BadRow>) {
    let mut bad = Vec::new();
    let mut records = Records::of(text);
    let names = match records.next() {
        Some(Ok((_, names))) => names,
        Some(Err(broken)) => return (Vec::new(), vec![broken]),
        None => Vec::new(),
    };
    let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
    if names.iter().all(String::is_empty) {
        let reason = format!("there is no header line; known columns are {}", known.join(", "));
        return (Vec::new(), vec![BadRow { line: 1, reason }]);
    }
    for (place, name) in names.iter().enumerate() {
        let reason = if !known.contains(&name.as_str()) {
            format!("the column {name:?} is unknown; known are {}", known.join(", "))
        } else if names.get(..place).is_some_and(|earlier| earlier.contains(name)) {
            format!("the column {name:?} appears twice")
        } else {
            continue;
        };
        bad.push(BadRow { line: 1, reason });
    }
    if !bad.is_empty() {
        return (Vec::new(), bad);
    }
    let mut rows = Vec::new();
    for record in records {
        match record {
            Ok((_, fields)) if fields.len() == 1 && fields.iter().all(|field| field.trim().is_empty()) => {}
            Ok((line, fields)) if fields.len() == names.len() => {
                let fields = fields.iter().map(|field| field.trim().to_owned());
                let columns = names.iter().cloned().zip(fields).filter(|(_, field)| !field.is_empty());
                rows.push(Row { line, columns: columns.collect() });
            }
            Ok((line, fields)) => {
                let reason =
                    format!("it has {} fields, but the header line has {}", fields.len(), names.len());
                bad.push(BadRow { line, reason });
            }
            Err(broken) => bad.push(broken),
        }
    }
    (rows, bad)
}

/// The records of a CSV file, each with its first line.
pub(crate) struct Records<'a> {
    text: &'a str,
    line: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text: text.trim_start_matches('\u{feff}'), line: 1 }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<(usize, Vec<String>), BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.text.is_empty() {
            return None;
        }
        let began = self.line;
        let mut fields = vec![String::new()];
        let mut quoted = false;
        let mut letters = self.text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let field = fields.last_mut()?;
            match letter {
                '"' if quoted && letters.peek().is_some_and(|(_, next)| *next == '"') => {
                    letters.next();
                    field.push('"');
                }
                '"' if quoted => quoted = false,
                '"' if field.trim().is_empty() => {
                    field.clear();
                    quoted = true;
                }
                ',' if !quoted => fields.push(String::new()),
                '\n' if !quoted => {
                    self.line += 1;
                    self.text = self.text.get(at + 1..).unwrap_or_default();
                    return Some(Ok((began, fields)));
                }
                '\n' => {
                    self.line += 1;
                    field.push('\n');
                }
                '\r' if !quoted => {}
                other => field.push(other),
            }
        }
        self.text = "";
        if quoted {
            let reason = "a quote is not closed".to_owned();
            return Some(Err(BadRow { line: began, reason }));
        }
        Some(Ok((began, fields)))
    }
}
