//! Reads fields from the parsed file and the environment, and collects all mistakes.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use toml::{Table, Value};
use wb_units::nearest;

use crate::environment::{Environment, PREFIX, READ_ELSEWHERE, VARIABLES};
use crate::form::{self, Flaw};
use crate::mistake::{Mistake, MistakeKind};
use crate::secret::Secret;

/// The most characters of a given value that are shown.
const GIVEN_CHARS_MAX: usize = 120;

/// The environment and the mistakes so far.
pub(crate) struct Reader<'a> {
    env: &'a dyn Environment,
    mistakes: Vec<Mistake>,
    /// The paths of fields with a mistake, from either source.
    spoilt: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(env: &'a dyn Environment) -> Self {
        Self { env, mistakes: Vec::new(), spoilt: BTreeSet::new() }
    }

    /// Parses the file's text; an empty table if it cannot be parsed.
    pub(crate) fn parse(&mut self, text: &str) -> Table {
        match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or(text);
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
                // The line is not shown, because it may contain a secret.
                let right = format!("the file is not TOML: {}", error.message().replace('\n', ", "));
                self.report(MistakeKind::NotToml, &format!("line {line}, column {column}"), None, right);
                Table::new()
            }
        }
    }

    /// Adds a mistake.
    pub(crate) fn report(
        &mut self,
        kind: MistakeKind,
        field: &str,
        given: Option<String>,
        right: impl Into<String>,
    ) {
        self.mistakes.push(Mistake { kind, field: field.to_owned(), given, right: right.into() });
    }

    /// Whether a field already has a mistake, so that its value should not be compared.
    pub(crate) fn is_spoilt(&self, field: &str) -> bool {
        self.spoilt.contains(field)
    }

    /// Reports unknown variables with the product's prefix.
    pub(crate) fn check_variable_names(&mut self) {
        let mut names = self.env.names();
        names.sort_unstable();
        let known: Vec<&str> = VARIABLES.into_iter().chain(READ_ELSEWHERE).collect();
        for name in names.iter().filter(|name| name.starts_with(PREFIX) && !known.contains(&name.as_str())) {
            let right = match nearest(name, known.iter().copied()) {
                Some(known) => format!("there is no such variable: is {known} meant?"),
                None => format!("there is no such variable; known are {}", VARIABLES.join(", ")),
            };
            // The value is not shown, because it may be a secret.
            self.report(MistakeKind::UnknownVariable, name, None, right);
        }
    }

    pub(crate) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }
}

/// A table of the file: the root, or a table with a name.
pub(crate) struct Section {
    path: String,
    table: Table,
    known: Vec<&'static str>,
}

/// A field of a section: its name, and the variable that takes precedence over it.
pub(crate) struct Field {
    name: &'static str,
    variable: Option<&'static str>,
}

/// A field that only the file can set.
pub(crate) fn field(name: &'static str) -> Field {
    Field { name, variable: None }
}

impl Field {
    /// Adds the variable that takes precedence over the file.
    pub(crate) fn or(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }
}

impl Section {
    pub(crate) fn root(table: Table) -> Self {
        Self { path: String::new(), table, known: Vec::new() }
    }

    /// The path of one of its fields.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a field's value out of the table.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.table.remove(name)
    }

    /// Takes a table within this one; empty if it is missing.
    pub(crate) fn section(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Self {
        let path = self.path_of(name);
        let table = match self.take(name) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                wrong_type(reader, &path, Some(&other), &format!("a table [{path}] is needed"));
                Table::new()
            }
        };
        Self { path, table, known: Vec::new() }
    }

    /// Takes a text of a form.
    pub(crate) fn text<T>(
        &mut self,
        reader: &mut Reader<'_>,
        field: Field,
        default: T,
        form: impl Fn(&str) -> Result<T, Flaw>,
    ) -> T {
        let path = self.path_of(field.name);
        let mut result = default;
        match self.take(field.name) {
            None => {}
            Some(Value::String(text)) => keep(reader, &path, &path, quoted(&text), form(&text), &mut result),
            Some(other) => wrong_type(reader, &path, Some(&other), "a text in quotes is needed"),
        }
        if let Some((variable, text)) = from_environment(reader, &field) {
            keep(reader, &path, variable, quoted(&text), form(&text), &mut result);
        }
        result
    }

    /// Takes an optional text.
    pub(crate) fn optional_text(
        &mut self,
        reader: &mut Reader<'_>,
        field: Field,
        form: impl Fn(&str) -> Result<String, Flaw>,
    ) -> Option<String> {
        self.text(reader, field, None, |text| form(text).map(Some))
    }

    /// Takes an optional secret. Its value is never shown.
    pub(crate) fn secret(&mut self, reader: &mut Reader<'_>, field: Field) -> Option<Secret> {
        let path = self.path_of(field.name);
        let mut result = None;
        match self.take(field.name) {
            None => {}
            Some(Value::String(text)) => keep_secret(reader, &path, &path, &text, &mut result),
            Some(_) => wrong_type(reader, &path, None, "a text in quotes is needed"),
        }
        if let Some((variable, text)) = from_environment(reader, &field) {
            keep_secret(reader, &path, variable, &text, &mut result);
        }
        result
    }

    /// Takes a whole number within bounds.
    pub(crate) fn number<T: TryFrom<i64>>(
        &mut self,
        reader: &mut Reader<'_>,
        field: Field,
        default: T,
        range: RangeInclusive<i64>,
    ) -> T {
        let path = self.path_of(field.name);
        let right = format!("a whole number from {} to {} is needed", range.start(), range.end());
        let within = |number: i64| {
            let inside = range.contains(&number).then_some(number);
            let flaw = || Flaw::new(MistakeKind::OutOfRange, right.clone());
            inside.and_then(|number| T::try_from(number).ok()).ok_or_else(flaw)
        };
        let mut result = default;
        match self.take(field.name) {
            None => {}
            Some(Value::Integer(number)) => {
                keep(reader, &path, &path, Some(number.to_string()), within(number), &mut result);
            }
            Some(other) => wrong_type(reader, &path, Some(&other), &right),
        }
        if let Some((variable, text)) = from_environment(reader, &field) {
            let read =
                text.parse().map_err(|_| Flaw::new(MistakeKind::WrongType, right.clone())).and_then(within);
            keep(reader, &path, variable, quoted(&text), read, &mut result);
        }
        result
    }

    /// Takes true or false.
    pub(crate) fn flag(&mut self, reader: &mut Reader<'_>, name: &'static str, default: bool) -> bool {
        let path = self.path_of(name);
        match self.take(name) {
            None => default,
            Some(Value::Boolean(flag)) => flag,
            Some(other) => {
                wrong_type(reader, &path, Some(&other), "true or false (without quotes) is needed");
                default
            }
        }
    }

    /// Reports every field that was not taken.
    pub(crate) fn close(self, reader: &mut Reader<'_>) {
        for name in self.table.keys() {
            let right = match nearest(name, self.known.iter().copied()) {
                Some(known) => format!("there is no such field: is {} meant?", self.path_of(known)),
                None => format!("there is no such field; known here are {}", self.known.join(", ")),
            };
            // The value is not shown, because it may be a misspelt password.
            reader.report(MistakeKind::UnknownField, &self.path_of(&shown(name)), None, right);
        }
    }
}

/// The variable's name and value, if it is set and not empty.
fn from_environment(reader: &Reader<'_>, field: &Field) -> Option<(&'static str, String)> {
    let variable = field.variable?;
    let text = reader.env.value(variable).filter(|text| !text.is_empty())?;
    Some((variable, text))
}

/// Returns a valid value; reports an invalid one under its origin's name.
fn keep<T>(
    reader: &mut Reader<'_>,
    path: &str,
    origin: &str,
    given: Option<String>,
    read: Result<T, Flaw>,
    result: &mut T,
) {
    match read {
        Ok(value) => *result = value,
        Err(flaw) => {
            reader.spoilt.insert(path.to_owned());
            reader.report(flaw.kind, origin, given, flaw.right);
        }
    }
}

fn keep_secret(reader: &mut Reader<'_>, path: &str, origin: &str, text: &str, result: &mut Option<Secret>) {
    match form::plain(text) {
        Ok(text) => *result = Some(Secret::new(text)),
        Err(flaw) => {
            reader.spoilt.insert(path.to_owned());
            reader.report(flaw.kind, origin, None, flaw.right);
        }
    }
}

fn wrong_type(reader: &mut Reader<'_>, path: &str, given: Option<&Value>, right: &str) {
    let given = given.map(|value| match value {
        Value::Table(_) => "a table".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::String(text) if form::has_credentials(text) => "a text".to_owned(),
        Value::String(text) => shown(&format!("{text:?}")),
        other => shown(&other.to_string()),
    });
    reader.spoilt.insert(path.to_owned());
    reader.report(MistakeKind::WrongType, path, given, right);
}

/// A text as it is shown; none if it may contain a password.
fn quoted(text: &str) -> Option<String> {
    (!form::has_credentials(text)).then(|| shown(&format!("{text:?}")))
}

/// At most the first characters of a value.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(GIVEN_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
