//! Slurm's accounting rows: the output of `sacct -P` with the columns `JobIDRaw`, `Account`,
//! `State`, `Start`, `End`, `ElapsedRaw`, `AllocTRES`, `NodeList` and, last, `JobName`.
//!
//! Times are taken as UTC (run `TZ=UTC sacct`) unless the cluster's time zone is given; a local time that a clock
//! change makes ambiguous or skips is refused, because either reading would be a guess. A job name is free text and
//! may hold the delimiter, so it must be the last column.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use wb_units::Micros;
use wb_units::time::SECOND_US;

use super::Span;

/// The largest output that is read, in bytes.
pub const SACCT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The column that may hold the delimiter.
const JOB_NAME: &str = "JobName";

/// Why a whole output was refused.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SacctError {
    /// More bytes than are read.
    #[code("WB-3111")]
    #[error("the output is {bytes} bytes; at most {SACCT_MAX_BYTES} are read: ask sacct for less time")]
    TooLarge {
        /// Bytes given.
        bytes: usize,
    },
    /// The header lacks a column.
    #[code("WB-3112")]
    #[error(
        "the header has no column {column}: run sacct -P with JobIDRaw,Account,State,Start,End,ElapsedRaw,AllocTRES,NodeList,JobName"
    )]
    MissingColumn {
        /// The column's name.
        column: &'static str,
    },
    /// The job name stands before other columns.
    #[code("WB-3113")]
    #[error("JobName is column {at} of {columns}; it may hold the delimiter, so it must be the last")]
    NameNotLast {
        /// Its place, from 1.
        at: usize,
        /// Columns in the header.
        columns: usize,
    },
    /// The cluster's time zone is not known.
    #[code("WB-3114")]
    #[error("{name:?} is no time zone: write one of the IANA database, such as America/Chicago or UTC")]
    UnknownZone {
        /// What was given.
        name: String,
    },
}

/// Why a row holds no GPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// A step of a job; the job's own row counts.
    Step,
    /// It never started.
    NeverStarted,
    /// It held no GPU.
    NoGpus,
}

/// The outcome of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowOutcome {
    /// GPUs were held.
    Span(Span),
    /// Nothing to count.
    Nothing {
        /// The row's job or step id.
        job_id: String,
        /// Why.
        why: Nothing,
    },
    /// The row contradicts itself or cannot be read: a person has to look at it.
    Quarantined {
        /// Line number in the output, from 1.
        line: usize,
        /// The row's job id, empty where it has none.
        job_id: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// Reads an output of `sacct -P`, one outcome per row after the header.
///
/// # Errors
/// [`SacctError`] where the output is too large or its header unusable. A bad row is no error:
/// it is [`RowOutcome::Quarantined`].
pub fn parse(text: &str) -> Result<Vec<RowOutcome>, SacctError> {
    read(text, &TimeZone::UTC)
}

/// [`parse`] where the cluster prints the local times of an IANA time zone.
///
/// # Errors
/// [`SacctError`], also where the zone is not known. A time that a clock change makes ambiguous or
/// skips quarantines its row.
pub fn parse_in_zone(text: &str, zone: &str) -> Result<Vec<RowOutcome>, SacctError> {
    let unknown = |_| SacctError::UnknownZone { name: zone.chars().take(60).collect() };
    read(text, &TimeZone::get(zone).map_err(unknown)?)
}

fn read(text: &str, zone: &TimeZone) -> Result<Vec<RowOutcome>, SacctError> {
    if text.len() > SACCT_MAX_BYTES {
        return Err(SacctError::TooLarge { bytes: text.len() });
    }
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
    let columns = Columns::of_header(lines.next().map_or("", |(_, header)| header))?;
    Ok(lines
        .map(|(index, line)| {
            let fields: Vec<&str> = line.splitn(columns.count, '|').collect();
            let job_id = fields.get(columns.job_id).copied().unwrap_or("");
            row(&columns, &fields, zone).unwrap_or_else(|reason| RowOutcome::Quarantined {
                line: index + 1,
                job_id: job_id.to_owned(),
                reason,
            })
        })
        .collect())
}

/// Where each column stands.
struct Columns {
    count: usize,
    job_id: usize,
    account: usize,
    state: usize,
    start: usize,
    end: usize,
    elapsed: usize,
    tres: usize,
    nodes: usize,
}

impl Columns {
    fn of_header(header: &str) -> Result<Self, SacctError> {
        let names: Vec<&str> = header.split('|').collect();
        let find = |column: &'static str| {
            names.iter().position(|name| *name == column).ok_or(SacctError::MissingColumn { column })
        };
        let name_at = find(JOB_NAME)? + 1;
        if name_at != names.len() {
            return Err(SacctError::NameNotLast { at: name_at, columns: names.len() });
        }
        Ok(Self {
            count: names.len(),
            job_id: find("JobIDRaw")?,
            account: find("Account")?,
            state: find("State")?,
            start: find("Start")?,
            end: find("End")?,
            elapsed: find("ElapsedRaw")?,
            tres: find("AllocTRES")?,
            nodes: find("NodeList")?,
        })
    }
}

/// One row; `Err` is the reason for its quarantine.
fn row(columns: &Columns, fields: &[&str], zone: &TimeZone) -> Result<RowOutcome, String> {
    if fields.len() != columns.count {
        return Err(format!("the row has {} fields, the header {}", fields.len(), columns.count));
    }
    let field = |at: usize| fields.get(at).copied().unwrap_or("");
    let job_id = field(columns.job_id);
    let nothing = |why| Ok(RowOutcome::Nothing { job_id: job_id.to_owned(), why });
    if job_id.is_empty() {
        return Err("the row has no job id".to_owned());
    }
    if job_id.contains('.') {
        return nothing(Nothing::Step);
    }
    if matches!(field(columns.start), "None" | "Unknown" | "") {
        return nothing(Nothing::NeverStarted);
    }
    let gpus = gpus_of(field(columns.tres))?;
    if gpus == 0 {
        return nothing(Nothing::NoGpus);
    }
    let node_id = field(columns.nodes);
    if node_id.is_empty() || node_id.contains(['[', ',', ' ']) {
        return Err(format!(
            "{gpus} GPUs on {node_id:?}: a row must have one node, since it does not say how many GPUs each held"
        ));
    }
    // In "CANCELLED by 2107" the rest is who cancelled; the state is the first word.
    let state = field(columns.state).split(' ').next().unwrap_or("");
    let start_us = instant(field(columns.start), zone)?;
    let elapsed = field(columns.elapsed);
    let elapsed_s: u64 =
        elapsed.parse().map_err(|_| format!("ElapsedRaw {elapsed:?} is no number of seconds"))?;
    let end_us = match field(columns.end) {
        "Unknown" | "None" | "" if matches!(state, "RUNNING" | "SUSPENDED" | "COMPLETING") => None,
        open @ ("Unknown" | "None" | "") => {
            return Err(format!("End is {open:?}, which only a running job may say, not {state:?}"));
        }
        text => Some(instant(text, zone)?),
    };
    if let Some(end_us) = end_us {
        let between_s = end_us.saturating_sub(start_us) / SECOND_US;
        if u64::try_from(between_s) != Ok(elapsed_s) {
            return Err(format!(
                "ElapsedRaw says {elapsed_s} s, Start to End are {between_s} s: one of them is wrong"
            ));
        }
    }
    Ok(RowOutcome::Span(Span {
        allocation_id: job_id.to_owned(),
        account: field(columns.account).to_owned(),
        node_id: node_id.to_owned(),
        state: state.to_owned(),
        gpus,
        start_us,
        end_us,
        elapsed_s,
    }))
}

/// GPUs in an `AllocTRES`: `gres/gpu=8`, or the sum of `gres/gpu:type=n` where no total is given.
fn gpus_of(tres: &str) -> Result<u32, String> {
    let (mut total, mut typed) = (None::<u32>, 0_u32);
    for item in tres.split(',').filter(|item| item.starts_with("gres/gpu")) {
        let (name, value) = item.split_once('=').unwrap_or((item, ""));
        let count: u32 = value.parse().map_err(|_| format!("{item:?} in AllocTRES has no count of GPUs"))?;
        if name == "gres/gpu" {
            total = Some(count);
        } else if name.starts_with("gres/gpu:") {
            typed = typed.checked_add(count).ok_or("AllocTRES counts more GPUs than exist")?;
        }
    }
    Ok(total.unwrap_or(typed))
}

/// A local time such as `2026-10-30T22:10:00` as microseconds since 1970.
fn instant(text: &str, zone: &TimeZone) -> Result<Micros, String> {
    let local = civil(text).ok_or_else(|| format!("{text:?} is no time: YYYY-MM-DDTHH:MM:SS is read"))?;
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => {}
        AmbiguousOffset::Gap { .. } => {
            return Err(format!(
                "{text:?} does not exist: the clock was put forward over it; run TZ=UTC sacct"
            ));
        }
        AmbiguousOffset::Fold { .. } => {
            return Err(format!("{text:?} happened twice: the clock was put back over it; run TZ=UTC sacct"));
        }
    }
    let instant = ambiguous.unambiguous().map_err(|_| format!("{text:?} is outside the calendar"))?;
    Ok(instant.as_microsecond())
}

/// Reads exactly `YYYY-MM-DDTHH:MM:SS`, from 1970 on.
fn civil(text: &str) -> Option<DateTime> {
    let is_form = text.len() == 19
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
    // A leap second is taken for the second before it by the calendar; Slurm prints none.
    let read: DateTime = text.parse().ok().filter(|_| is_form && !text.ends_with(":60"))?;
    (read.year() >= 1970).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "JobIDRaw|Account|State|Start|End|ElapsedRaw|AllocTRES|NodeList|JobName\n";

    fn one(row: &str) -> RowOutcome {
        parse(&format!("{HEADER}{row}\n")).unwrap().remove(0)
    }

    fn quarantine_reason(row: &str) -> String {
        match one(row) {
            RowOutcome::Quarantined { line: 2, reason, .. } => reason,
            other => panic!("{row} gave {other:?}"),
        }
    }

    #[test]
    fn instants_are_utc_microseconds() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00", Some(0)),
            ("2009-01-03T18:15:05", Some(1_231_006_505)),
            ("2024-02-29T12:00:00", Some(1_709_208_000)),
            ("2026-11-01T00:00:00", Some(1_793_491_200)),
            ("2026-02-29T00:00:00", None),
            ("2026-13-01T00:00:00", None),
            ("2026-11-01 00:00:00", None),
            ("2026-11-01T24:00:00", None),
            ("2026-11-01T23:59:60", None),
            ("1969-12-31T23:59:59", None),
            ("2026-11-01T00:00:0x", None),
            ("Unknown", None),
        ] {
            assert_eq!(instant(text, &TimeZone::UTC).ok(), seconds.map(|s: i64| s * SECOND_US), "{text}");
        }
    }

    #[test]
    fn a_job_name_may_hold_the_delimiter() {
        let outcome = one("9|acme|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|10|gres/gpu=2|n1|a|b|c");
        let RowOutcome::Span(span) = outcome else { panic!("{outcome:?}") };
        assert_eq!((span.gpus, span.node_id.as_str(), span.elapsed_s), (2, "n1", 10));
    }

    #[test]
    fn typed_gpus_are_summed_only_without_a_total() {
        for (tres, gpus) in [
            ("cpu=1,gres/gpu:h100=8,gres/gpu=8", Ok(8)),
            ("gres/gpu:a100=2,gres/gpu:h100=3", Ok(5)),
            ("cpu=4,mem=1G", Ok(0)),
            ("", Ok(0)),
        ] {
            assert_eq!(gpus_of(tres), gpus, "{tres}");
        }
        assert!(gpus_of("gres/gpu=x").is_err());
    }

    #[test]
    fn rows_that_contradict_themselves_are_quarantined_with_a_reason() {
        for (row, word) in [
            (
                "9|a|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|9|gres/gpu=2|n1|j",
                "ElapsedRaw says 9 s",
            ),
            ("9|a|COMPLETED|2026-11-01T00:00:10|2026-11-01T00:00:00|10|gres/gpu=2|n1|j", "-10 s"),
            ("9|a|COMPLETED|2026-11-01T00:00:00|Unknown|9|gres/gpu=2|n1|j", "only a running job"),
            ("9|a|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|10|gres/gpu=16|n[1-2]|j", "one node"),
            ("9|a|COMPLETED|yesterday|2026-11-01T00:00:10|10|gres/gpu=2|n1|j", "no time"),
            ("9|a|COMPLETED", "3 fields"),
            ("|a|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|10|gres/gpu=2|n1|j", "no job id"),
        ] {
            let reason = quarantine_reason(row);
            assert!(reason.contains(word), "{row}: {reason}");
        }
    }

    #[test]
    fn a_header_without_a_column_is_refused() {
        assert_eq!(parse("JobName"), Err(SacctError::MissingColumn { column: "JobIDRaw" }));
        assert_eq!(parse(""), Err(SacctError::MissingColumn { column: "JobName" }));
        let moved = "JobName|JobIDRaw|Account|State|Start|End|ElapsedRaw|AllocTRES|NodeList";
        assert_eq!(parse(moved), Err(SacctError::NameNotLast { at: 1, columns: 9 }));
    }

    #[test]
    fn local_times_are_read_in_the_clusters_zone_and_ambiguous_ones_refused() {
        let in_chicago = |start: &str, end: &str, elapsed: u32| {
            let text = format!("{HEADER}9|a|COMPLETED|{start}|{end}|{elapsed}|gres/gpu=2|n1|j\n");
            parse_in_zone(&text, "America/Chicago").unwrap().remove(0)
        };
        // The night of 1 November 2026 has its second hour twice: 00:30 to 03:30 are four hours.
        let RowOutcome::Span(span) = in_chicago("2026-11-01T00:30:00", "2026-11-01T03:30:00", 14_400) else {
            panic!("a night with 25 hours")
        };
        assert_eq!(span.start_us, (1_793_491_200 + 5 * 3_600 + 1_800) * SECOND_US);
        for (start, word) in
            [("2026-11-01T01:30:00", "happened twice"), ("2026-03-08T02:30:00", "does not exist")]
        {
            let RowOutcome::Quarantined { reason, .. } = in_chicago(start, "2026-11-02T00:00:00", 1) else {
                panic!("{start}")
            };
            assert!(reason.contains(word), "{reason}");
        }
        assert_eq!(parse_in_zone(HEADER, "Moon/Base").unwrap_err().code(), "WB-3114");
    }
}
