//! Slurm's accounting rows: the output of `sacct -P` with the columns `JobIDRaw`, `Account`,
//! `State`, `Start`, `End`, `ElapsedRaw`, `AllocTRES` and `NodeList`.
//!
//! - A job holds its GPUs from start to end, also while it is suspended: Slurm gives them to nobody else meanwhile.
//!   `ElapsedRaw` leaves that time out, so it may be less than start to end, and never more.
//! - A job on several nodes is a span on each, with the same number of GPUs. Where the number does not divide by the
//!   nodes the row does not say who held what, and is quarantined.
//! - A slice or a share of a GPU (`gres/gpu:a100_1g.5gb`, `gres/shard`, `gres/mps`) is never a whole GPU: such a row is
//!   quarantined with the type, since it says neither which GPU nor which part.
//! - The job's name is not used. A name is free text: it may hold the delimiter, so `JobName` must be the last column,
//!   and it may hold line breaks, with which a user forges rows of others. Leave it out. Where it is there, lines that
//!   only a name can hold are dropped, rows out of the order of their ids are quarantined, and the output is told to be
//!   open to forgery.
//!
//! Times are taken as UTC (run `TZ=UTC sacct`) unless the cluster's time zone is given; a local time that a clock
//! change makes ambiguous or skips is refused, because either reading would be a guess. A job name is free text and
//! may hold the delimiter, so it must be the last column.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use wb_units::Micros;
use wb_units::time::SECOND_US;

use super::allocation::MigProfile;
use super::{Span, hostlist};

/// The largest output that is read, in bytes.
pub const SACCT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The column that may hold the delimiter and line breaks.
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
        "the header has no column {column}: run sacct -P with JobIDRaw,Account,State,Start,End,ElapsedRaw,AllocTRES,NodeList"
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
    /// Jobs ran, and no row says anything of GPUs: not recorded is not none.
    #[code("WB-3115")]
    #[error(
        "jobs ran, and no row says anything of gres/gpu: set AccountingStorageTRES=gres/gpu in slurm.conf, so that it is \
         recorded"
    )]
    GpusNotTracked,
    /// The cluster's time zone is not known.
    #[code("WB-3114")]
    #[error("{name:?} is no time zone: write one of the IANA database, such as America/Chicago or UTC")]
    UnknownZone {
        /// What was given.
        name: String,
    },
}

/// What concerns a whole output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// It holds job names, with which rows can be forged.
    NamesCanForgeRows,
}

impl Warning {
    /// What to do about it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NamesCanForgeRows => {
                "the output has the column JobName, in which a line break forges a row of any account: leave the column \
                 out, it is not used"
            }
        }
    }
}

/// An output as it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The outcome of each row, in order; a job on several nodes has one for each.
    pub rows: Vec<RowOutcome>,
    /// What concerns all of it.
    pub warnings: Vec<Warning>,
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

/// Reads an output of `sacct -P`.
///
/// # Errors
/// [`SacctError`] where the output is too large or its header unusable. A bad row is no error:
/// it is [`RowOutcome::Quarantined`].
pub fn parse(text: &str) -> Result<Output, SacctError> {
    read(text, &TimeZone::UTC)
}

/// [`parse`] where the cluster prints the local times of an IANA time zone.
///
/// # Errors
/// [`SacctError`], also where the zone is not known. A time that a clock change makes ambiguous or
/// skips quarantines its row.
pub fn parse_in_zone(text: &str, zone: &str) -> Result<Output, SacctError> {
    let unknown = |_| SacctError::UnknownZone { name: zone.chars().take(60).collect() };
    read(text, &TimeZone::get(zone).map_err(unknown)?)
}

fn read(text: &str, zone: &TimeZone) -> Result<Output, SacctError> {
    if text.len() > SACCT_MAX_BYTES {
        return Err(SacctError::TooLarge { bytes: text.len() });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
    let columns = Columns::of_header(lines.next().map_or("", |(_, header)| header))?;
    let lines: Vec<Line<'_>> = lines.map(|(index, line)| Line::of(&columns, index + 1, line)).collect();
    let mut output = Output::default();
    let next = next_numbers(&columns, &lines);
    for (at, line) in lines.iter().enumerate() {
        if columns.has_names && at > 0 && line.is_part_of_a_name(&columns) {
            continue;
        }
        let is_before_next = match (line.job_number(&columns), next.get(at)) {
            (Some(own), Some(Some(next))) => own <= *next,
            _ => true,
        };
        let read = if columns.has_names && !is_before_next {
            Err("its job id is greater than that of the next row, which sacct does not write: a line break in a job's \
                 name forges such rows; leave JobName out"
                .to_owned())
        } else {
            row(&columns, &line.fields, zone)
        };
        match read {
            Ok(outcomes) => output.rows.extend(outcomes),
            Err(reason) => output.rows.push(RowOutcome::Quarantined {
                line: line.number,
                job_id: line.job_id(&columns).to_owned(),
                reason,
            }),
        }
    }
    let ran = |row: &RowOutcome| matches!(row, RowOutcome::Nothing { why: Nothing::NoGpus, .. });
    let has_jobs = output.rows.iter().any(ran);
    if has_jobs && !lines.iter().any(|line| line.tells_gpus(&columns)) {
        return Err(SacctError::GpusNotTracked);
    }
    if columns.has_names && !lines.is_empty() {
        output.warnings.push(Warning::NamesCanForgeRows);
    }
    Ok(output)
}

/// Behind each line, the number of the next job.
fn next_numbers(columns: &Columns, lines: &[Line<'_>]) -> Vec<Option<u64>> {
    let mut last = None;
    let mut next: Vec<Option<u64>> = lines
        .iter()
        .rev()
        .map(|line| {
            let behind = last;
            last = line.job_number(columns).or(last);
            behind
        })
        .collect();
    next.reverse();
    next
}

/// A line behind the header.
struct Line<'a> {
    /// From 1.
    number: usize,
    fields: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn of(columns: &Columns, number: usize, line: &'a str) -> Self {
        Self { number, fields: line.splitn(columns.count, '|').collect() }
    }

    fn job_id(&self, columns: &Columns) -> &'a str {
        self.fields.get(columns.job_id).copied().unwrap_or("")
    }

    /// The number of the job, also where it is a step.
    fn job_number(&self, columns: &Columns) -> Option<u64> {
        if self.fields.len() != columns.count {
            return None;
        }
        self.job_id(columns).split(['.', '+', '_']).next()?.parse().ok()
    }

    /// What stands behind a line break in a name: too few fields, and no job's number where one should be.
    fn is_part_of_a_name(&self, columns: &Columns) -> bool {
        let begins = self.job_id(columns).bytes().next();
        self.fields.len() < columns.count && !begins.is_some_and(|byte| byte.is_ascii_digit())
    }

    fn tells_gpus(&self, columns: &Columns) -> bool {
        let tres = self.fields.get(columns.tres).copied().unwrap_or("");
        ["gres/gpu", "gres/shard", "gres/mps"].iter().any(|name| tres.contains(name))
    }
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
    has_names: bool,
}

impl Columns {
    fn of_header(header: &str) -> Result<Self, SacctError> {
        let names: Vec<&str> = header.split('|').collect();
        let find = |column: &'static str| {
            names.iter().position(|name| *name == column).ok_or(SacctError::MissingColumn { column })
        };
        let name_at = names.iter().position(|name| *name == JOB_NAME);
        if let Some(at) = name_at.map(|at| at + 1).filter(|at| *at != names.len()) {
            return Err(SacctError::NameNotLast { at, columns: names.len() });
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
            has_names: name_at.is_some(),
        })
    }
}

/// One row; `Err` is the reason for its quarantine.
fn row(columns: &Columns, fields: &[&str], zone: &TimeZone) -> Result<Vec<RowOutcome>, String> {
    if fields.len() != columns.count {
        return Err(format!("the row has {} fields, the header {}", fields.len(), columns.count));
    }
    let field = |at: usize| fields.get(at).copied().unwrap_or("");
    let job_id = field(columns.job_id);
    let nothing = |why| Ok(vec![RowOutcome::Nothing { job_id: job_id.to_owned(), why }]);
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
    let nodes = hostlist::expanded(field(columns.nodes)).map_err(|why| format!("{gpus} GPUs: {why}"))?;
    let count = u32::try_from(nodes.len()).map_err(|_| "NodeList stands for too many nodes".to_owned())?;
    if gpus % count != 0 {
        return Err(format!(
            "{gpus} GPUs on {count} nodes: the row does not say how many each held, and the number does not divide by \
             the nodes"
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
        if u64::try_from(between_s).map_or(true, |between_s| elapsed_s > between_s) {
            return Err(format!(
                "ElapsedRaw says {elapsed_s} s, Start to End are {between_s} s: one of them is wrong"
            ));
        }
    }
    let span = |node_id: String| {
        RowOutcome::Span(Span {
            allocation_id: job_id.to_owned(),
            account: field(columns.account).to_owned(),
            node_id,
            state: state.to_owned(),
            gpus: gpus / count,
            start_us,
            end_us,
            elapsed_s,
        })
    };
    Ok(nodes.into_iter().map(span).collect())
}

/// Whole GPUs in an `AllocTRES`: `gres/gpu=8`, or the sum of `gres/gpu:type=n` where no total is given. The reason where
/// it holds a part of a GPU.
fn gpus_of(tres: &str) -> Result<u32, String> {
    let (mut total, mut typed) = (None::<u32>, 0_u32);
    for item in tres.split(',').filter(|item| item.starts_with("gres/")) {
        let (name, value) = item.split_once('=').unwrap_or((item, ""));
        let is_zero = value == "0";
        if let Some(kind) = name.strip_prefix("gres/gpu:") {
            if is_slice(kind) && !is_zero {
                return Err(format!(
                    "{item:?} is a slice of a GPU, and no whole one: the row does not say of which"
                ));
            }
        } else if matches!(name.split(':').next(), Some("gres/shard" | "gres/mps")) && !is_zero {
            return Err(format!(
                "{item:?} is a share of a GPU, and no whole one: the row does not say of which"
            ));
        } else if name != "gres/gpu" {
            continue;
        }
        let count: u32 = value.parse().map_err(|_| format!("{item:?} in AllocTRES has no count of GPUs"))?;
        if name == "gres/gpu" {
            total = Some(count);
        } else if name.starts_with("gres/gpu:") {
            typed = typed.checked_add(count).ok_or("AllocTRES counts more GPUs than exist")?;
        }
    }
    Ok(total.unwrap_or(typed))
}

/// The longest name of a MIG profile that is looked at, in bytes.
const PROFILE_BYTES_MAX: usize = 32;

/// Whether a type of GPU is a MIG slice, such as `1g.5gb`, `a100_3g.20gb` or `a100l.2g.10gb+me`.
fn is_slice(kind: &str) -> bool {
    let is_boundary = |byte: u8| matches!(byte, b'_' | b'.' | b'-' | b':');
    let begins = |at: &usize| *at == 0 || kind.as_bytes().get(at - 1).copied().is_some_and(is_boundary);
    let mut places = kind.char_indices().map(|(at, _)| at).filter(begins);
    places.any(|at| {
        let profile = kind.get(at..).unwrap_or_default();
        let end = profile.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.'));
        // The longest name is some ten characters: what is longer is none.
        let name = profile.get(..end.unwrap_or(profile.len()).min(PROFILE_BYTES_MAX)).unwrap_or_default();
        MigProfile::parse(name).is_ok()
    })
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
#[path = "sacct_tests.rs"]
mod tests;
