//! The rows of a file, in any of its formats, each with its line.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};
use wb_events::forms::fact_forms;
use wb_rating::Format;
use wb_units::did_you_mean;

use super::{File, FileFault, Mistake, at, of_field};
use crate::import::table::Records;

/// The fields of a row beside those of its body.
const HEAD: [&str; 4] = ["fact", "entity", "valid_from", "valid_to"];

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// The text of a table's cell, which may stand for a number.
    Table(String),
    /// A number with a point, as its digits.
    Real(String),
    /// A value with a type.
    Value(Value),
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) line: usize,
    /// The kind of fact, where the place of the row says it.
    of: Option<&'static str>,
    cells: BTreeMap<String, Cell>,
}

impl Row {
    /// The kind of fact.
    pub(super) fn kind(&self) -> Option<&str> {
        match self.cells.get("fact") {
            Some(Cell::Table(kind) | Cell::Value(Value::String(kind))) => Some(kind),
            _ => self.of,
        }
    }

    pub(super) fn cell(&self, name: &str) -> Option<&Cell> {
        self.cells.get(name)
    }

    /// The fields of its body.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Cell)> {
        let fields = self.cells.iter().map(|(name, cell)| (name.as_str(), cell));
        fields.filter(|(name, _)| !HEAD.contains(name))
    }
}

/// A contract's document, with the line where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) format: Format,
}

/// A fact in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Row(Row),
    Contract(Document),
}

impl Item {
    pub(super) fn line(&self) -> usize {
        match self {
            Self::Row(row) => row.line,
            Self::Contract(document) => document.line,
        }
    }
}

type Read = (Vec<Item>, Vec<Mistake>);

/// The rows of a file, and what of it cannot be read.
pub(super) fn of_file(file: &File) -> Read {
    let path = Path::new(&file.name);
    let of = path.file_stem().and_then(|stem| stem.to_str()).and_then(kind_of_name);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => of_csv(file, of),
        Some("json") => of_json(file, of).unwrap_or_else(broken),
        Some("toml") => of_toml(file).unwrap_or_else(broken),
        _ => broken(unreadable(
            file,
            1,
            "the name of a file of facts ends with .csv, .toml or .json".to_owned(),
        )),
    }
}

fn broken(mistake: Mistake) -> Read {
    (Vec::new(), vec![mistake])
}

fn unreadable(file: &File, line: usize, reason: String) -> Mistake {
    at(file, line, FileFault::Unreadable.code(), "", reason)
}

/// The kind of fact that a word names, in singular or plural.
fn kind_of(word: &str) -> Option<&'static str> {
    let plural = |kind: &str| match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{kind}s"),
    };
    fact_forms().map(|form| form.kind).find(|kind| *kind == word || plural(kind) == word)
}

/// The kind of fact that a file's name begins with, up to the first `-`.
fn kind_of_name(stem: &str) -> Option<&'static str> {
    kind_of(stem.split('-').next().unwrap_or_default())
}

fn of_csv(file: &File, of: Option<&'static str>) -> Read {
    let (mut items, mut mistakes) = (Vec::new(), Vec::new());
    let mut records = Records::of(&file.text);
    let names: Vec<String> = match records.next() {
        Some(Ok((_, names))) => names.iter().map(|name| name.trim().to_owned()).collect(),
        Some(Err(bad)) => return broken(unreadable(file, bad.line, bad.reason)),
        None => return broken(unreadable(file, 1, "there is no header line".to_owned())),
    };
    let mixed = names.iter().any(|name| name == "fact");
    let forms = fact_forms().filter(|form| mixed || of.is_none_or(|kind| kind == form.kind));
    let fields = forms.flat_map(|form| form.fields).flat_map(|field| [Some(field.name), field.alias]);
    let known: Vec<&str> = HEAD.into_iter().chain(fields.flatten()).collect();
    for (place, name) in names.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            let like = did_you_mean(name, known.iter().copied());
            mistakes.push(of_field(file, 1, name, format!("is no column of such a file{like}")));
        } else if names.iter().take(place).any(|earlier| earlier == name) {
            mistakes.push(of_field(file, 1, name, "is a column twice".to_owned()));
        }
    }
    for record in records {
        match record {
            Ok((_, cells)) if cells.iter().all(|cell| cell.trim().is_empty()) => {}
            Ok((line, cells)) if cells.len() == names.len() => {
                let cells =
                    names.iter().zip(cells).map(|(name, cell)| (name.clone(), cell.trim().to_owned()));
                // A wrong column is told once, at the header.
                let cells = cells.filter(|(name, cell)| !cell.is_empty() && known.contains(&name.as_str()));
                let cells = cells.map(|(name, cell)| (name, Cell::Table(cell))).collect();
                items.push(Item::Row(Row { line, of, cells }));
            }
            Ok((line, cells)) => {
                let reason = format!("has {} cells, but the header line has {}", cells.len(), names.len());
                mistakes.push(unreadable(file, line, reason));
            }
            Err(bad) => mistakes.push(unreadable(file, bad.line, bad.reason)),
        }
    }
    (items, mistakes)
}

/// The line of a place in a text, from 1.
fn line_at(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// The entries of a JSON object in their order; a name may occur twice.
struct Entries<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Seen<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Seen(std::marker::PhantomData))
    }
}

/// A part of a JSON text that is still to be read, with the line where it begins.
struct Part<'a> {
    text: &'a str,
    line: usize,
}

/// Finds the lines of parts that follow each other in a text.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn of(part: &Part<'a>) -> Self {
        Self { text: part.text, at: 0, line: part.line }
    }

    fn part(&mut self, raw: &'a RawValue) -> Part<'a> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let before = rest.find(raw.get()).unwrap_or(0);
        let line = self.line + line_at(rest, before) - 1;
        self.line = line + raw.get().matches('\n').count();
        self.at += before + raw.get().len();
        Part { text: raw.get(), line }
    }
}

fn of_json(file: &File, of: Option<&'static str>) -> Result<Read, Mistake> {
    let whole = Part { text: file.text.trim_start_matches('\u{feff}'), line: 1 };
    let mut read = Read::default();
    if whole.text.trim_start().starts_with('[') {
        json_list(file, &whole, of, &mut read)?;
        return Ok(read);
    }
    let entries: Entries<&RawValue> = json(file, &whole)?;
    if entries.0.iter().any(|(name, _)| name == "contract_id") {
        let (line, text) = (whole.line, whole.text.to_owned());
        read.0.push(Item::Contract(Document { line, text, format: Format::Json }));
        return Ok(read);
    }
    let mut lines = Lines::of(&whole);
    for (name, raw) in entries.0 {
        let part = lines.part(raw);
        match kind_of(&name) {
            Some(kind) => json_list(file, &part, Some(kind), &mut read)?,
            None => read.1.push(foreign_kind(file, part.line, &name)),
        }
    }
    Ok(read)
}

fn foreign_kind(file: &File, line: usize, name: &str) -> Mistake {
    let like = did_you_mean(name, fact_forms().map(|form| form.kind));
    of_field(file, line, name, format!("is no kind of fact{like}"))
}

fn json<'a, T: Deserialize<'a>>(file: &File, part: &Part<'a>) -> Result<T, Mistake> {
    serde_json::from_str(part.text).map_err(|error| {
        let line = part.line + error.line().max(1) - 1;
        unreadable(file, line, format!("this is no JSON of facts: {error}"))
    })
}

fn json_list<'a>(
    file: &File,
    part: &Part<'a>,
    of: Option<&'static str>,
    read: &mut Read,
) -> Result<(), Mistake> {
    let list: Vec<&'a RawValue> = json(file, part)?;
    let mut lines = Lines::of(part);
    for raw in list {
        let part = lines.part(raw);
        let entries: Entries<Value> = match json(file, &part) {
            Ok(entries) => entries,
            Err(mistake) => {
                read.1.push(mistake);
                continue;
            }
        };
        let is = |name: &str, value: &str| entries.0.iter().any(|(key, of)| key == name && of == value);
        let has = |name: &str| entries.0.iter().any(|(key, _)| key == name);
        if has("components") && !is("fact", "contract") {
            let text = part.text.to_owned();
            read.0.push(Item::Contract(Document { line: part.line, text, format: Format::Json }));
            continue;
        }
        let mut cells = BTreeMap::new();
        for (name, value) in entries.0 {
            let cell = match value {
                Value::Null => continue,
                Value::Number(number) if !number.is_i64() && !number.is_u64() => {
                    Cell::Real(number.to_string())
                }
                value => Cell::Value(value),
            };
            if cells.insert(name.clone(), cell).is_some() {
                read.1.push(of_field(file, part.line, &name, "is there twice".to_owned()));
            }
        }
        read.0.push(Item::Row(Row { line: part.line, of, cells }));
    }
    Ok(())
}

fn of_toml(file: &File) -> Result<Read, Mistake> {
    let text = &file.text;
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        unreadable(file, line, format!("this is no TOML: {}", error.message()))
    })?;
    let table = table.get_ref();
    let mut read = Read::default();
    if table.iter().any(|(key, _)| key.get_ref() == "contract_id") {
        let text = text.clone();
        read.0.push(Item::Contract(Document { line: 1, text, format: Format::Toml }));
        return Ok(read);
    }
    for (key, value) in table {
        let line = line_at(text, key.span().start);
        let Some(kind) = kind_of(key.get_ref()) else {
            read.1.push(foreign_kind(file, line, key.get_ref()));
            continue;
        };
        let DeValue::Array(list) = value.get_ref() else {
            let reason = format!("is no list: write each fact under [[{kind}]]");
            read.1.push(of_field(file, line, kind, reason));
            continue;
        };
        for row in list.iter() {
            let line = line_at(text, row.span().start);
            let DeValue::Table(row) = row.get_ref() else {
                read.1.push(of_field(
                    file,
                    line,
                    kind,
                    format!("is no table: write each fact under [[{kind}]]"),
                ));
                continue;
            };
            let cells =
                row.iter().map(|(name, value)| (name.get_ref().to_string(), toml_cell(value.get_ref())));
            read.0.push(Item::Row(Row { line, of: Some(kind), cells: cells.collect() }));
        }
    }
    read.0.sort_by_key(Item::line);
    Ok(read)
}

fn toml_cell(value: &DeValue<'_>) -> Cell {
    match value {
        DeValue::Float(real) => Cell::Real(real.as_str().to_owned()),
        other => Cell::Value(toml_value(other)),
    }
}

fn toml_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.to_string().into(),
        DeValue::Integer(whole) => {
            let digits = (whole.as_str(), whole.radix());
            let small = i64::from_str_radix(digits.0, digits.1).map(Value::from);
            small.unwrap_or_else(|_| digits.0.to_owned().into())
        }
        // Within a list or a table; a number with a point is refused there as any other text.
        DeValue::Float(real) => real.as_str().to_owned().into(),
        DeValue::Boolean(truth) => (*truth).into(),
        DeValue::Datetime(moment) => moment.to_string().into(),
        DeValue::Array(items) => items.iter().map(|item| toml_value(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let entries =
                table.iter().map(|(key, value)| (key.get_ref().to_string(), toml_value(value.get_ref())));
            Value::Object(entries.collect())
        }
    }
}
