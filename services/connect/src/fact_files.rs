//! Files of facts: sites, machines, customers, contracts and all other kinds, as CSV, TOML or JSON.
//!
//! All files are read to their ends, and every mistake in them is told with its file, line and field. What is right
//! becomes the facts that ingest would take: the same checks are made here before anything is sent.

mod contracts;
mod rows;
mod values;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wb_events::forms::{Field, Form, fact_forms};
use wb_events::input::{InputError, InputFault, parse_json};
use wb_units::time::EARLIEST_EVENT_US;
use wb_units::{Micros, did_you_mean};

use crate::{now_us, short_hash};
use rows::{Cell, Item, Row};

/// The most facts of all files of one import.
pub const FACTS_MAX: usize = 100_000;

/// A file to read. The end of its name says its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, for messages.
    pub name: String,
    pub text: String,
}

/// What is wrong with a file, beside what ingest itself would refuse.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFault {
    /// A file that is not of its format.
    #[code("WB-8018")]
    Unreadable,
    /// One kind, entity and instant stated twice.
    #[code("WB-8019")]
    Twice,
    /// More facts than are taken at once.
    #[code("WB-8020")]
    TooMany,
    /// A fact that contradicts what is recorded.
    #[code("WB-8021")]
    Contradicts,
    /// A fact that refers to nothing known.
    #[code("WB-8022")]
    RefersToNothing,
}

/// A mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The stable code.
    pub code: &'static str,
    /// The field or column; empty where it is none.
    pub field: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: [{}] ", self.file, self.line, self.code)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

/// A fact as a file states it, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    pub file: String,
    /// Its first line.
    pub line: usize,
    pub kind: &'static str,
    pub entity: String,
    pub from_us: Micros,
    pub to_us: Option<Micros>,
    /// Its body in the spelling in which it is stored.
    pub body: Value,
    /// The event that states it. Its identity follows from its content.
    pub event: Value,
}

impl Stated {
    /// A mistake at this fact.
    #[must_use]
    pub fn mistake(&self, code: &'static str, field: &str, reason: String) -> Mistake {
        Mistake { file: self.file.clone(), line: self.line, code, field: field.to_owned(), reason }
    }
}

/// What the files hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// What is right, those that others refer to first.
    pub stated: Vec<Stated>,
    /// What is wrong, by file and line.
    pub mistakes: Vec<Mistake>,
    /// Kind and entity of facts with mistakes: they are meant to exist, so what refers to them is no mistake.
    pub meant: Vec<(String, String)>,
    /// What is doubtful in contracts.
    pub warnings: Vec<String>,
}

/// The mistake of a file that cannot be read at all.
#[must_use]
pub fn unreadable(file: String, reason: String) -> Mistake {
    Mistake { file, line: 1, code: FileFault::Unreadable.code(), field: String::new(), reason }
}

/// Reads files.
#[must_use]
pub fn read(files: &[File]) -> Facts {
    let mut facts = Facts::default();
    let mut seen: BTreeMap<(&'static str, String, Micros), (String, usize)> = BTreeMap::new();
    let mut taken = 0_usize;
    for file in files {
        let (items, broken) = rows::of_file(file);
        facts.mistakes.extend(broken);
        for item in items {
            if taken == FACTS_MAX {
                let reason = format!("at most {FACTS_MAX} facts are taken at once: split the files");
                facts.mistakes.push(at(file, item.line(), FileFault::TooMany.code(), "", reason));
                break;
            }
            taken += 1;
            let read = match &item {
                Item::Row(row) => of_row(file, row, &mut facts.meant),
                Item::Contract(document) => contracts::read(file, document, &mut facts),
            };
            match read {
                Ok(stated) => {
                    let key = (stated.kind, stated.entity.clone(), stated.from_us);
                    if let Some((name, line)) = seen.get(&key) {
                        let reason = format!(
                            "{name}:{line} states {} {} at the same instant; write it once",
                            stated.kind, stated.entity
                        );
                        facts.mistakes.push(stated.mistake(FileFault::Twice.code(), "", reason));
                        continue;
                    }
                    seen.insert(key, (stated.file.clone(), stated.line));
                    facts.stated.push(stated);
                }
                Err(mistakes) => facts.mistakes.extend(mistakes),
            }
        }
    }
    let rank = |kind: &str| fact_forms().position(|form| form.kind == kind);
    facts.stated.sort_by_key(|stated| rank(stated.kind));
    facts.mistakes.sort();
    facts
}

fn at(file: &File, line: usize, code: &'static str, field: &str, reason: String) -> Mistake {
    Mistake { file: file.name.clone(), line, code, field: field.to_owned(), reason }
}

fn of_field(file: &File, line: usize, field: &str, reason: String) -> Mistake {
    at(file, line, InputFault::Field.code(), field, reason)
}

/// The form of a row's kind: of two forms of one kind that which has all of its fields.
fn form_of(row: &Row) -> Result<&'static Form, String> {
    let Some(kind) = row.kind() else {
        return Err(
            "is missing: write the kind of fact, or name the file after it, such as machines.csv".into()
        );
    };
    if kind == "contract" {
        return Err("is contract: a contract is its document in a TOML or JSON file of its own".into());
    }
    let of_kind = || fact_forms().filter(|form| form.kind == kind);
    let fits = |form: &&Form| row.fields().all(|(name, _)| form.field(name).is_some());
    of_kind().find(fits).or_else(|| of_kind().next()).ok_or_else(|| {
        let like = did_you_mean(kind, fact_forms().map(|form| form.kind));
        format!("is {kind:?}, which is no kind of fact{like}")
    })
}

fn of_row(file: &File, row: &Row, meant: &mut Vec<(String, String)>) -> Result<Stated, Vec<Mistake>> {
    let wrong = |field: &str, reason: String| of_field(file, row.line, field, reason);
    let form = form_of(row).map_err(|reason| vec![wrong("fact", reason)])?;
    let mut mistakes = Vec::new();
    let mut body = Map::new();
    for (name, cell) in row.fields() {
        let Some(field) = form.field(name) else {
            let like = did_you_mean(name, form.fields.iter().map(|field| field.name));
            mistakes.push(wrong(name, format!("is no field of a {}{like}", form.kind)));
            continue;
        };
        match values::value(field.shape, cell) {
            Ok(value) => drop(body.insert(name.to_owned(), value)),
            Err(reason) => mistakes.push(wrong(name, reason)),
        }
    }
    let is_there = |field: &Field| row.fields().any(|(name, _)| field.is(name));
    for field in form.fields.iter().filter(|field| field.required && !is_there(field)) {
        mistakes.push(wrong(field.name, format!("is missing: {} ({})", field.meaning, field.shape.words())));
    }
    let entity = match row.cell("entity") {
        Some(cell) => values::text(cell).map_err(|reason| mistakes.push(wrong("entity", reason))).ok(),
        None => form.entity_of(&body),
    };
    if entity.is_none() && mistakes.is_empty() {
        let what = match form.entity {
            wb_events::forms::Entity::Chosen(what) => what,
            wb_events::forms::Entity::From(fields) => fields,
        };
        mistakes.push(wrong("entity", format!("is missing: it is the id of {what}")));
    }
    let mut instant = |name: &str, needed: bool| match row.cell(name) {
        Some(cell) => values::instant(cell).map_err(|reason| mistakes.push(wrong(name, reason))).ok(),
        None if needed => {
            mistakes.push(wrong(name, format!("is missing: {}", values::INSTANT)));
            None
        }
        None => None,
    };
    let (from_us, to_us) = (instant("valid_from", true), instant("valid_to", false));
    if let (Some(entity), Some(from_us), true) = (&entity, from_us, mistakes.is_empty()) {
        match stated(file, row.line, form.kind, entity.clone(), (from_us, to_us), body.into()) {
            Ok(stated) => return Ok(stated),
            Err(error) => mistakes.push(refused(file, row.line, &error)),
        }
    }
    meant.extend(entity.map(|entity| (form.kind.to_owned(), entity)));
    Err(mistakes)
}

/// What ingest would refuse, with fields named as a file names them.
fn refused(file: &File, line: usize, error: &InputError) -> Mistake {
    let field = error.field.strip_prefix("body.").unwrap_or(&error.field);
    let field = field.strip_prefix("body.").unwrap_or(field);
    let field = match field {
        "valid_from_us" => "valid_from",
        "valid_to_us" => "valid_to",
        // The key of its event.
        "key" => "entity",
        "body" | "event" => "",
        other => other,
    };
    let reason = error.reason.replace("valid_from_us", "valid_from").replace("valid_to_us", "valid_to");
    at(file, line, error.code, field, reason)
}

/// A fact with its event, if ingest would take it.
fn stated(
    file: &File,
    line: usize,
    kind: &'static str,
    entity: String,
    (from_us, to_us): (Micros, Option<Micros>),
    body: Value,
) -> Result<Stated, InputError> {
    let mut fact = json!({"fact": kind, "entity": entity, "valid_from_us": from_us, "body": body});
    if let (Some(to_us), Some(fields)) = (to_us, fact.as_object_mut()) {
        fields.insert("valid_to_us".to_owned(), to_us.into());
    }
    // A fact that begins later is dated now, because events from the future are refused. Its identity stays the same.
    let event_time_us = from_us.max(EARLIEST_EVENT_US).min(now_us());
    let content = short_hash(&[fact.to_string().as_bytes()]);
    let event = json!({
        "kind": "fact",
        "key": entity,
        "sequence": 0,
        "source_epoch": content,
        "event_time_us": event_time_us,
        "body": fact,
    });
    let taken = parse_json("import", &event.to_string())?;
    let body = match taken.body {
        Some(wb_events::Body::Fact(fact)) => serde_json::from_str(&fact.body).unwrap_or(body),
        _ => body,
    };
    Ok(Stated { file: file.name.clone(), line, kind, entity, from_us, to_us, body, event })
}

#[cfg(test)]
mod tests;
