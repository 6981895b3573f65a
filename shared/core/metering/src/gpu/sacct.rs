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
    for (at, line) in lines.iter().enumerate() {
        if columns.has_names && at > 0 && line.is_part_of_a_name(&columns) {
            continue;
        }
        let next = lines.get(at + 1..).unwrap_or_default().iter().find_map(|line| line.job_number(&columns));
        let is_before_next = match (line.job_number(&columns), next) {
            (Some(own), Some(next)) => own <= next,
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

/// Whether a type of GPU is a MIG slice, such as `1g.5gb`, `a100_3g.20gb` or `a100l.2g.10gb+me`.
fn is_slice(kind: &str) -> bool {
    let is_boundary = |byte: u8| matches!(byte, b'_' | b'.' | b'-' | b':');
    kind.char_indices().any(|(at, _)| {
        let begins = at == 0 || kind.as_bytes().get(at - 1).copied().is_some_and(is_boundary);
        let profile = kind.get(at..).unwrap_or_default();
        let end = profile.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.'));
        let name = profile.get(..end.unwrap_or(profile.len())).unwrap_or_default();
        begins && MigProfile::parse(name).is_ok()
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
mod tests {
    use super::*;

    const HEADER: &str = "JobIDRaw|Account|State|Start|End|ElapsedRaw|AllocTRES|NodeList|JobName\n";

    fn one(row: &str) -> RowOutcome {
        parse(&format!("{HEADER}{row}\n")).unwrap().rows.remove(0)
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
                "9|a|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|11|gres/gpu=2|n1|j",
                "ElapsedRaw says 11 s",
            ),
            ("9|a|COMPLETED|2026-11-01T00:00:10|2026-11-01T00:00:00|10|gres/gpu=2|n1|j", "-10 s"),
            ("9|a|COMPLETED|2026-11-01T00:00:00|Unknown|9|gres/gpu=2|n1|j", "only a running job"),
            (
                "9|a|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|10|gres/gpu=15|n[1-2]|j",
                "does not divide",
            ),
            ("9|a|COMPLETED|yesterday|2026-11-01T00:00:10|10|gres/gpu=2|n1|j", "no time"),
            ("9|a|COMPLETED", "3 fields"),
            ("|a|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|10|gres/gpu=2|n1|j", "no job id"),
        ] {
            let reason = quarantine_reason(row);
            assert!(reason.contains(word), "{row}: {reason}");
        }
    }

    #[test]
    fn a_part_of_a_gpu_is_never_a_whole_one() {
        for tres in [
            "gres/gpu:a100_1g.5gb=2,gres/gpu=2",
            "gres/gpu:a100l.2g.20gb=1",
            "gres/gpu:1g.10gb+me=1,gres/gpu=1",
            "gres/gpu:nvidia_a100_3g.20gb=1",
            "gres/shard=4",
            "gres/mps:a100=50",
        ] {
            assert!(gpus_of(tres).unwrap_err().contains("no whole one"), "{tres}");
        }
        for (tres, gpus) in [("gres/gpu:h100=2,gres/shard=0", 2), ("gres/nic=1,gres/gpu:rtx_6000=1", 1)] {
            assert_eq!(gpus_of(tres), Ok(gpus), "{tres}");
        }
    }

    fn shown(text: &str) -> Vec<String> {
        let shown = |row| match row {
            RowOutcome::Span(span) => format!(
                "{} {} {} x {} s",
                span.allocation_id,
                span.node_id,
                span.gpus,
                (span.end_us.unwrap() - span.start_us) / SECOND_US
            ),
            RowOutcome::Nothing { job_id, why } => format!("{job_id} {why:?}"),
            RowOutcome::Quarantined { line, job_id, .. } => format!("{job_id} line {line} quarantined"),
        };
        parse(text).unwrap().rows.into_iter().map(shown).collect()
    }

    #[test]
    fn a_suspended_job_held_its_gpus_and_one_on_several_nodes_held_some_on_each() {
        let header = HEADER.replace("|JobName", "");
        let text = format!(
            "{header}1|acme|COMPLETED|2026-10-05T10:00:00|2026-10-05T11:56:40|5200|gres/gpu=2|n1\n\
             2|acme|COMPLETED|2026-10-05T10:00:00|2026-10-05T12:00:00|7200|gres/gpu:h100=32,gres/gpu=32|n[1-4]\n\
             3|acme|COMPLETED|2026-10-05T10:00:00|2026-10-05T12:00:00|7200|gres/gpu=12|n5,n6\n"
        );
        let eight = |node: &str| format!("2 {node} 8 x 7200 s");
        let expected = ["1 n1 2 x 7000 s".to_owned(), eight("n1"), eight("n2"), eight("n3"), eight("n4")];
        assert_eq!(shown(&text)[..5], expected);
        assert_eq!(shown(&text)[5..], ["3 n5 6 x 7200 s", "3 n6 6 x 7200 s"]);
        assert_eq!(parse(&text).unwrap().warnings, []);
    }

    #[test]
    fn a_name_with_a_line_break_forges_nothing_unseen() {
        let row = |id: u32, account: &str, name: &str| {
            format!(
                "{id}|{account}|COMPLETED|2026-10-05T10:00:00|2026-10-05T10:00:10|10|gres/gpu=1|n1|{name}\n"
            )
        };
        let forged = row(53_999, "acme", "x");
        let text = format!(
            "{HEADER}{}{forged}{}",
            row(53_001, "birch", "sweep"),
            row(53_002, "birch", "two\nlines\n12 of them")
        );
        assert_eq!(
            shown(&text),
            [
                "53001 n1 1 x 10 s",
                "53999 line 3 quarantined",
                "53002 n1 1 x 10 s",
                "12 of them line 6 quarantined"
            ]
        );
        assert_eq!(parse(&text).unwrap().warnings, [Warning::NamesCanForgeRows]);
        // A row of which bytes are missing is no name.
        let cut = format!("{HEADER}{}53003|birch|COMP\n", row(53_001, "birch", "sweep"));
        assert_eq!(shown(&cut)[1], "53003 line 3 quarantined");
    }

    #[test]
    fn what_is_not_recorded_is_not_none() {
        let row = |tres: &str| {
            let header = HEADER.replace("|JobName", "");
            format!("{header}1|acme|COMPLETED|2026-10-05T10:00:00|2026-10-05T10:00:10|10|{tres}|n1\n")
        };
        assert_eq!(parse(&row("billing=96,cpu=96,mem=800G,node=1")), Err(SacctError::GpusNotTracked));
        for tres in ["cpu=96,gres/gpu=0", "cpu=96,gres/gpu=8", "gres/shard=1"] {
            assert!(parse(&row(tres)).is_ok(), "{tres}");
        }
        let never = row("cpu=1").replace("2026-10-05T10:00:00", "None");
        assert!(parse(&never).is_ok());
    }

    #[test]
    fn a_header_without_a_column_is_refused() {
        assert_eq!(parse("JobName"), Err(SacctError::MissingColumn { column: "JobIDRaw" }));
        assert_eq!(parse(""), Err(SacctError::MissingColumn { column: "JobIDRaw" }));
        let moved = "JobName|JobIDRaw|Account|State|Start|End|ElapsedRaw|AllocTRES|NodeList";
        assert_eq!(parse(moved), Err(SacctError::NameNotLast { at: 1, columns: 9 }));
    }

    #[test]
    fn local_times_are_read_in_the_clusters_zone_and_ambiguous_ones_refused() {
        let in_chicago = |start: &str, end: &str, elapsed: u32| {
            let text = format!("{HEADER}9|a|COMPLETED|{start}|{end}|{elapsed}|gres/gpu=2|n1|j\n");
            parse_in_zone(&text, "America/Chicago").unwrap().rows.remove(0)
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
