//! Which of a user's recordings can be read, and how: the table of `weighbridge connect miners --check`.
//!
//! A file is either a whole machine (an object from command to answer) or the answer of one command, in a folder with
//! the machine's other answers. Where a folder holds two answers of one command (`summary` and
//! `summary_with_errors`), they are of two moments or two machines, so they are never combined: the one with the
//! command's name stands with the folder, the others are read separately.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::{MinerError, Reading, normalise};

/// The outcome of one file, or of a folder's answers together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Read.
    Read(Box<Reading>),
    /// A command's answer without metered values of its own, in a folder that is read.
    Part,
    /// Not read, with the reason.
    Refused(String),
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// The file, or the folder with a `/` behind it.
    pub path: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// A folder's answers, by file stem.
type Folder<'a> = BTreeMap<&'a str, (&'a str, &'a RawValue)>;

/// Reads recordings given as (path, text), in any order: a row for every folder that holds
/// answers and one for every file, sorted by path.
#[must_use]
pub fn check(files: &[(String, String)]) -> Vec<CheckRow> {
    let mut rows = Vec::new();
    let mut folders: BTreeMap<&str, Folder<'_>> = BTreeMap::new();
    for (path, text) in files {
        match file(text) {
            File::Whole(reading) => {
                rows.push(CheckRow { path: path.clone(), outcome: Outcome::Read(reading) });
            }
            File::Refused(why) => {
                rows.push(CheckRow { path: path.clone(), outcome: Outcome::Refused(why) });
            }
            File::Answer(raw) => {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
                let stem = name.strip_suffix(".json").unwrap_or(name);
                folders.entry(folder).or_default().insert(stem, (path, raw));
            }
        }
    }
    for (path, folder) in &folders {
        rows.extend(folder_rows(path, folder));
    }
    rows.sort_by(|left, right| left.path.cmp(&right.path));
    rows
}

enum File<'a> {
    Whole(Box<Reading>),
    Answer(&'a RawValue),
    Refused(String),
}

fn file(text: &str) -> File<'_> {
    match normalise(text) {
        Ok(reading) => File::Whole(Box::new(reading)),
        Err(error @ (MinerError::TooLarge { .. } | MinerError::TooDeep { .. })) => {
            File::Refused(error.to_string())
        }
        Err(_) => match serde_json::from_str(text) {
            Ok(raw) => File::Answer(raw),
            Err(fault) => File::Refused(
                MinerError::NotAnObject { line: fault.line(), column: fault.column() }.to_string(),
            ),
        },
    }
}

fn folder_rows(path: &str, folder: &Folder<'_>) -> Vec<CheckRow> {
    let second = |stem: &str| folder.keys().any(|first| is_second(folder, first, stem));
    let together = folder.iter().filter(|(stem, _)| !second(stem));
    let whole = read(together.map(|(stem, (_, raw))| (*stem, *raw)));
    let mut rows: Vec<CheckRow> = folder
        .iter()
        .map(|(stem, (path, raw))| {
            let alone = read([(*stem, *raw)]);
            let outcome = match (alone, &whole) {
                (Ok(reading), _) if says_something(&reading) || second(stem) => Outcome::Read(reading),
                (Ok(_), _) | (Err(_), Ok(_)) => Outcome::Part,
                (Err(error), Err(_)) => Outcome::Refused(error.to_string()),
            };
            CheckRow { path: (*path).to_owned(), outcome }
        })
        .collect();
    if let Ok(reading) = whole {
        rows.push(CheckRow { path: format!("{path}/"), outcome: Outcome::Read(reading) });
    }
    rows
}

/// Normalises answers by command.
fn read<'a>(answers: impl IntoIterator<Item = (&'a str, &'a RawValue)>) -> Result<Box<Reading>, MinerError> {
    let answers: BTreeMap<&str, &RawValue> = answers.into_iter().collect();
    let text = serde_json::to_string(&answers)
        .map_err(|fault| MinerError::NotAnObject { line: fault.line(), column: fault.column() })?;
    normalise(&text).map(Box::new)
}

fn says_something(reading: &Reading) -> bool {
    reading.hashrate_hs.is_some()
        || reading.power_mw.is_some()
        || reading.uptime_s.is_some()
        || reading.accepted_shares.is_some()
}

/// Whether a file is a second answer to the command of a first: its name begins with the first's (`a` and
/// `a_with_errors`) and it has the same outer fields, or it holds a section that has a file of its own name.
fn is_second(folder: &Folder<'_>, first: &str, stem: &str) -> bool {
    if first == stem {
        return false;
    }
    let names = |stem: &str| folder.get(stem).map(|(_, raw)| outer_names(raw)).unwrap_or_default();
    let (ours, theirs) = (names(stem), names(first));
    let longer = stem.strip_prefix(first).is_some_and(|rest| rest.starts_with('_'));
    // Every answer has a `STATUS`; it is the section of no command.
    let section = first.to_ascii_uppercase();
    let shared = section != "STATUS" && ours.contains(&section) && theirs.contains(&section);
    (longer && !ours.is_empty() && ours == theirs) || shared
}

/// The names of an object's fields, sorted.
fn outer_names(raw: &RawValue) -> Vec<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    fields.into_keys().collect()
}

/// The rows as a text table: one line a row, each value with the field it came from.
#[must_use]
pub fn table(rows: &[CheckRow]) -> String {
    let mut text = String::new();
    for row in rows {
        let line = match &row.outcome {
            Outcome::Read(reading) => described(reading),
            Outcome::Part => "part of its folder's answers, nothing to meter by itself".to_owned(),
            Outcome::Refused(why) => format!("NOT READ: {why}"),
        };
        // Writing into a String does not fail.
        let _ = writeln!(text, "{}: {line}", row.path);
    }
    text
}

fn described(reading: &Reading) -> String {
    let mut parts =
        vec![format!("{} {}{}", reading.family.as_str(), reading.state.as_str(), from(reading.fields.state))];
    let mut say = |name: &str, value: Option<String>, unit: &str, field: Option<&'static str>| {
        parts.push(match value {
            Some(value) => format!("{name} {value}{unit}{}", from(field)),
            None => format!("{name} -"),
        });
    };
    let fields = &reading.fields;
    say("rate", reading.hashrate_hs.map(|rate| rate.to_string()), " H/s", fields.hashrate);
    say("power", reading.power_mw.map(|power| power.to_string()), " mW", fields.power);
    say("witness", reading.power_source.map(|source| format!("firmware, {}", source.as_str())), "", None);
    say("uptime", reading.uptime_s.map(|uptime| uptime.to_string()), " s", fields.uptime);
    say("accepted", reading.accepted_shares.map(|count| count.to_string()), "", fields.accepted);
    say("rejected", reading.rejected_shares.map(|count| count.to_string()), "", fields.rejected);
    say("stale", reading.stale_shares.map(|count| count.to_string()), "", fields.stale);
    if let Some(average) = reading.average {
        let shown = format!("{} H/s, downtime {}", average.hashrate_hs, average.downtime.as_str());
        say("average", Some(shown), "", fields.average);
    }
    if let Some(boards) = reading.boards {
        say("boards", Some(format!("{}/{}", boards.working, boards.listed)), "", None);
    }
    parts.extend(reading.doubts().into_iter().map(|doubt| format!("DOUBT: {}", doubt.as_str())));
    parts.join(" | ")
}

fn from(field: Option<&'static str>) -> String {
    field.map_or_else(String::new, |name| format!(" <{name}>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let files: Vec<_> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let short = |outcome| match outcome {
            Outcome::Read(reading) => format!("{} {:?}", reading.family.as_str(), reading.hashrate_hs),
            Outcome::Part => "part".to_owned(),
            Outcome::Refused(why) => why.split(' ').next().unwrap_or_default().to_owned(),
        };
        check(&files).into_iter().map(|row| (row.path, short(row.outcome))).collect()
    }

    #[test]
    fn files_folders_and_second_answers_have_their_rows() {
        let status = r#""STATUS":[{"Description":"FluxOS-1"}]"#;
        let summary = |rate: u32| format!(r#"{{{status},"SUMMARY":[{{"MHS 5s":{rate}}}]}}"#);
        let whole = format!(r#"{{"summary":{}}}"#, summary(3));
        let found = rows(&[
            ("m1/summary.json", &summary(1)),
            ("m1/summary_late.json", &summary(2)),
            ("m1/led.json", "false"),
            ("m1/status.json", &format!("{{{status}}}")),
            ("m2.json", &whole),
            ("odd/a.json", "{\"a\":1}"),
            ("odd/b.json", "{\"a\":"),
        ]);
        let expected = [
            ("m1/", "auradine Some(1000000)"),
            ("m1/led.json", "part"),
            ("m1/status.json", "part"),
            ("m1/summary.json", "auradine Some(1000000)"),
            ("m1/summary_late.json", "auradine Some(2000000)"),
            ("m2.json", "auradine Some(3000000)"),
            ("odd/a.json", "[WB-3104]"),
            ("odd/b.json", "[WB-3103]"),
        ];
        assert_eq!(found, expected.map(|(path, outcome)| (path.to_owned(), outcome.to_owned())));
    }
}
