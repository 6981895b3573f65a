//! Sends files of prices and balances as facts.
//!
//! A file is CSV with a header line, or a JSON array of objects with the same names. All of it is checked before
//! anything is sent: a file with a bad row sends nothing, and the error lists the bad rows by line. A fact's identity
//! comes from its content, so a file may be sent again.

pub(crate) mod table;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use wb_events::facts::FactBody;
use wb_units::Micros;
use wb_units::time::EARLIEST_EVENT_US;

pub use crate::error::BadRow;
use crate::{ConnectError, Ingest, Refused, Stop, now_us, short_hash};
use table::{Row, rows};

/// Facts per request.
const FACTS_AT_ONCE: usize = 1_000;

/// How many bad rows an error lists; the rest are counted.
const TROUBLES_LISTED: usize = 50;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Comma-separated values with a header line.
    Csv,
    /// An array of objects.
    Json,
}

/// Defaults for columns that a file of prices lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceDefaults {
    /// The series.
    pub series: Option<String>,
    pub unit: Option<String>,
    /// The publisher.
    pub source: Option<String>,
}

/// The facts of a valid file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The events, each with its line.
    events: Vec<(usize, Value)>,
}

impl Facts {
    /// How many facts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// Reads dated prices. Columns: `at` (an instant with its offset, RFC 3339), `value` and optionally `until`; and
/// `series`, `unit` and `source` unless the defaults give them.
///
/// # Errors
/// [`ConnectError::Rows`] with the bad rows.
pub fn prices(text: &str, format: FileFormat, defaults: &PriceDefaults) -> Result<Facts, ConnectError> {
    let known = ["at", "until", "value", "series", "unit", "source"];
    read(text, format, &known, |row| {
        let or_default = |name: &str, default: &Option<String>| match (row.text(name), default) {
            (Some(said), Some(default)) if said != default => {
                Err(format!("the column {name} has {said:?}, but the command {default:?}"))
            }
            (Some(said), _) => Ok(said.to_owned()),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(format!("no {name}: add a column {name}, or give it to the command")),
        };
        let series = or_default("series", &defaults.series)?;
        let body = json!({
            "series": series,
            "unit": or_default("unit", &defaults.unit)?,
            "value": row.needed("value")?,
            "source": or_default("source", &defaults.source)?,
        });
        Ok(Fact { kind: "price", entity: series, at_us: row.instant("at")?, until_us: row.until()?, body })
    })
}

/// Reads opening balances. The column `kind` is `prepaid_grant`, `deposit_held` or `past_invoice`; `id` identifies
/// the row; `at` is its start (for an invoice, its issue); `until` is when a grant lapses. All other columns are
/// fields of that kind of fact.
///
/// # Errors
/// [`ConnectError::Rows`] with the bad rows.
pub fn balances(text: &str, format: FileFormat) -> Result<Facts, ConnectError> {
    let known = [
        "kind",
        "id",
        "at",
        "until",
        "contract_id",
        "customer_id",
        "component",
        "currency",
        "amount",
        "open_amount",
        "priority",
        "number",
        "period",
    ];
    read(text, format, &known, |row| {
        let (kind, fields): (_, &[&str]) = match row.needed("kind")? {
            "prepaid_grant" => ("prepaid_grant", &["contract_id", "currency", "amount"]),
            "deposit_held" => ("deposit_held", &["contract_id", "component", "currency", "amount"]),
            "past_invoice" => (
                "past_invoice",
                &["contract_id", "customer_id", "number", "period", "currency", "amount", "open_amount"],
            ),
            other => {
                return Err(format!(
                    "the kind {other:?} is unknown: write prepaid_grant, deposit_held or past_invoice"
                ));
            }
        };
        let mut body = serde_json::Map::new();
        for field in fields {
            body.insert((*field).to_owned(), row.needed(field)?.into());
        }
        if let Some(priority) = row.text("priority").filter(|_| kind == "prepaid_grant") {
            let number: u32 =
                priority.parse().map_err(|_| format!("the priority {priority:?} is not a whole number"))?;
            body.insert("priority".to_owned(), number.into());
        }
        let entity = row.needed("id")?.to_owned();
        Ok(Fact { kind, entity, at_us: row.instant("at")?, until_us: row.until()?, body: body.into() })
    })
}

/// Sends facts and waits until all are durable.
///
/// # Errors
/// [`ConnectError::Rows`] for rows that ingest refuses, and errors of the request.
pub async fn send(facts: &Facts, ingest: &Ingest, stop: &Stop) -> Result<usize, ConnectError> {
    let mut sent = 0;
    for chunk in facts.events.chunks(FACTS_AT_ONCE) {
        let events: Vec<Value> = chunk.iter().map(|(_, event)| event.clone()).collect();
        let Some(refused) = ingest.post(&events, stop).await? else { return Ok(sent) };
        let bad = |refused: &Refused| BadRow {
            line: chunk.get(refused.index).map_or(0, |(line, _)| *line),
            reason: format!("{} {}: {}", refused.code, refused.field, refused.reason),
        };
        if !refused.is_empty() {
            return Err(ConnectError::rows(refused.iter().map(bad).collect(), TROUBLES_LISTED));
        }
        sent += events.len();
    }
    Ok(sent)
}

/// The fact of a row.
struct Fact {
    kind: &'static str,
    entity: String,
    at_us: Micros,
    until_us: Option<Micros>,
    body: Value,
}

fn read(
    text: &str,
    format: FileFormat,
    known: &[&str],
    fact_of: impl Fn(&Row) -> Result<Fact, String>,
) -> Result<Facts, ConnectError> {
    let mut bad = Vec::new();
    let mut events = Vec::new();
    // An entity may have one row per instant, because nothing would decide between two.
    let mut seen: BTreeMap<(String, Micros), usize> = BTreeMap::new();
    let (rows, broken) = rows(text, format, known);
    bad.extend(broken);
    for row in rows {
        match fact_of(&row).and_then(|fact| check(&fact).map(|()| fact)) {
            Ok(fact) => {
                if let Some(line) = seen.insert((fact.entity.clone(), fact.at_us), row.line) {
                    let reason = format!("line {line} is of {} at the same instant too", fact.entity);
                    bad.push(BadRow { line: row.line, reason });
                }
                events.push((row.line, event(&fact)));
            }
            Err(reason) => bad.push(BadRow { line: row.line, reason }),
        }
    }
    if bad.is_empty() {
        return Ok(Facts { events });
    }
    bad.sort_by_key(|row| row.line);
    Err(ConnectError::rows(bad, TROUBLES_LISTED))
}

/// Checks what ingest would check, before anything is sent.
fn check(fact: &Fact) -> Result<(), String> {
    FactBody::parse(fact.kind, &fact.entity, &fact.body.to_string()).map_err(|error| error.to_string())?;
    if fact.entity.is_empty() {
        return Err("it has no name".to_owned());
    }
    if fact.until_us.is_some_and(|until_us| until_us <= fact.at_us) {
        return Err("its end is not after its beginning".to_owned());
    }
    Ok(())
}

fn event(fact: &Fact) -> Value {
    // A fact that begins later is dated now, because events from the future are refused.
    let event_time_us = fact.at_us.max(EARLIEST_EVENT_US).min(now_us());
    let mut body = json!({
        "fact": fact.kind,
        "entity": fact.entity,
        "valid_from_us": fact.at_us,
        "body": fact.body,
    });
    if let (Some(until_us), Some(fields)) = (fact.until_us, body.as_object_mut()) {
        fields.insert("valid_to_us".to_owned(), until_us.into());
    }
    let said = short_hash(&[&event_time_us.to_be_bytes(), body.to_string().as_bytes()]);
    json!({
        "kind": "fact",
        "key": fact.entity,
        "sequence": 0,
        "source_epoch": said,
        "event_time_us": event_time_us,
        "body": body,
    })
}

impl Row {
    fn needed(&self, name: &str) -> Result<&str, String> {
        self.text(name).ok_or_else(|| format!("the column {name} is empty or not there"))
    }

    fn instant(&self, name: &str) -> Result<Micros, String> {
        let text = self.needed(name)?;
        let read: Option<Timestamp> = text.parse().ok();
        read.map(Timestamp::as_microsecond).ok_or_else(|| {
            format!("{name} is {text:?}: write an instant with its offset, such as 2026-10-01T00:00:00-05:00")
        })
    }

    fn until(&self) -> Result<Option<Micros>, String> {
        self.text("until").map(|_| self.instant("until")).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> PriceDefaults {
        PriceDefaults {
            series: Some("spot".to_owned()),
            unit: Some("USD/MWh".to_owned()),
            source: Some("ISO".to_owned()),
        }
    }

    fn said(error: &ConnectError) -> String {
        assert_eq!(error.code(), "WB-5717");
        error.to_string()
    }

    #[test]
    fn prices_of_csv_and_json_are_the_same_facts() {
        let csv = "at,value,note\n2026-10-01T00:00:00Z,41.37,\n\"2026-10-01T01:00:00-05:00\",\"-3.5\",\n";
        let error = prices(csv, FileFormat::Csv, &defaults()).unwrap_err();
        assert!(said(&error).contains("note"), "an unknown column is an error: {error}");
        let csv = csv.replace(",note", "").replace(",\n", "\n");
        let from_csv = prices(&csv, FileFormat::Csv, &defaults()).unwrap();
        let json = r#"[{"at":"2026-10-01T00:00:00Z","value":"41.37"},
            {"at":"2026-10-01T06:00:00Z","value":"-3.5","unit":"USD/MWh"}]"#;
        let from_json = prices(json, FileFormat::Json, &defaults()).unwrap();
        let bodies = |facts: &Facts| -> Vec<Value> {
            facts.events.iter().map(|(_, event)| event["body"].clone()).collect()
        };
        assert_eq!(bodies(&from_csv), bodies(&from_json));
        assert_eq!(bodies(&from_csv)[1]["valid_from_us"], 1_790_834_400_000_000_i64);
        assert_eq!(bodies(&from_csv)[1]["body"]["source"], "ISO");
        assert_eq!(from_csv.len(), 2);
    }

    #[test]
    fn every_bad_row_is_named_by_its_line_and_none_is_taken() {
        let csv = "at,value\n2026-10-01T00:00:00Z,1\nyesterday,2\n2026-10-01T02:00:00Z,free\n\
            2026-10-01T03:00:00Z\n2026-10-01T00:00:00Z,7\n";
        let text = said(&prices(csv, FileFormat::Csv, &defaults()).unwrap_err());
        for word in ["4 rows", "line 3: at is", "line 4:", "free", "line 5:", "line 6: line 2 is"] {
            assert!(text.contains(word), "{text} lacks {word}");
        }
        for (csv, word) in [
            ("", "no header line"),
            ("at,value,at\n", "twice"),
            ("at,value\n\"2026", "quote"),
            ("value\n1\n", "line 2: the column at"),
        ] {
            let text = said(&prices(csv, FileFormat::Csv, &defaults()).unwrap_err());
            assert!(text.contains(word), "{text} lacks {word}");
        }
        let no_unit = PriceDefaults { unit: None, ..defaults() };
        let row = "at,value\n2026-10-01T00:00:00Z,1\n";
        assert!(said(&prices(row, FileFormat::Csv, &no_unit).unwrap_err()).contains("unit"));
        for json in ["{}", "[1]", r#"[{"at":5}]"#, "["] {
            assert!(prices(json, FileFormat::Json, &defaults()).is_err(), "{json}");
        }
    }

    #[test]
    fn balances_are_facts_of_their_kinds() {
        let csv = "kind,id,at,until,contract_id,customer_id,component,currency,amount,open_amount,priority,number,period\n\
            prepaid_grant,g1,2026-10-01T00:00:00Z,2027-01-01T00:00:00Z,c,,,USD,100.00,,2,,\n\
            deposit_held,d1,2026-10-01T00:00:00Z,,c,,dep,USD,5,,,,\n\
            past_invoice,old/7,2026-09-30T00:00:00Z,,c,k,,USD,7.50,2.50,,7,2026-09\n";
        let facts = balances(csv, FileFormat::Csv).unwrap();
        let kinds: Vec<_> = facts.events.iter().map(|(_, event)| event["body"]["fact"].clone()).collect();
        assert_eq!(kinds, ["prepaid_grant", "deposit_held", "past_invoice"]);
        assert_eq!(facts.events[0].1["body"]["body"]["priority"], 2);
        assert!(facts.events[0].1["body"]["valid_to_us"].is_i64());
        for (from, to, word) in [
            ("USD,100.00", "USD,100.005", "line 2"),
            ("USD,5", "XXL,5", "line 3"),
            ("past_invoice", "past_due", "past_due"),
            (",dep,", ",,", "component"),
            ("2027-01-01", "2026-09-01", "end"),
        ] {
            let text = said(&balances(&csv.replacen(from, to, 1), FileFormat::Csv).unwrap_err());
            assert!(text.contains(word), "{text} lacks {word}");
        }
    }
}
