//! Every system call of the commit path, killed once or made to fail once.
//!
//! A commit is recorded first: which calls its threads make, and how often. `strace` counts calls by thread, so a
//! point is (call, number), reached by the first thread that gets to this number after the attachment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wb_testkit::Random;

use super::Counts;
use super::strace::Tracer;
use crate::part::Part;
use crate::stack::{Stack, until};

/// What an engine does to keep an insert, and to answer.
const ENGINE_CALLS: [&str; 10] = [
    "openat",
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "rename",
    "renameat2",
    "sendto",
    "sendmsg",
];
/// The calls of an aggregator that writes a block and commits it.
const COMMIT_CALLS: [&str; 4] = ["sendto", "sendmsg", "writev", "write"];
/// The calls of an aggregator that saves a checkpoint, at its end.
const CHECKPOINT_CALLS: [&str; 8] =
    ["openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2"];
/// The calls whose failure is a full or broken disk.
const DISK_CALLS: [&str; 8] =
    ["openat", "pwrite64", "writev", "fsync", "fdatasync", "rename", "renameat", "renameat2"];
/// How a disk fails.
const DISK_ERRORS: [&str; 2] = ["ENOSPC", "EIO"];
/// The most numbers of one call of an aggregator: more than a block takes up to its commit.
const COMMIT_NUMBERS_MAX: u32 = 24;
/// The rename that ends an insert in the engine: of a part's temporary folder.
const INSERT_ENDS: &str = "tmp_insert_";
/// Failures are tried at these numbers.
const ERROR_NUMBERS: [u32; 2] = [1, 3];
/// For how long commits are recorded.
const RECORD: Duration = Duration::from_secs(4);
/// How often a point is set before it counts as one that is not reached.
const TRIES: u32 = 4;
/// How long a point may take to be reached.
const REACH: Duration = Duration::from_secs(6);
/// For how long a disk fails.
const FAIL: Duration = Duration::from_millis(1_500);
/// How long a process has run before a point is set.
const SETTLED: Duration = Duration::from_millis(1_200);
/// How long a process may take to come back.
const BACK: Duration = Duration::from_secs(60);
/// How long an engine with a failed disk may take to answer before it is killed, as an operator would.
const HEALTHY: Duration = Duration::from_secs(5);

/// The moment in a process's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    EngineInsert,
    Commit,
    Checkpoint,
}

/// One enumerated point.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Point {
    moment: Moment,
    call: &'static str,
    number: u32,
    /// `None`: the process is killed there.
    error: Option<&'static str>,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.error.unwrap_or("KILL");
        write!(formatter, "{what} at {} no. {} of {:?}", self.call, self.number, self.moment)
    }
}

impl Moment {
    fn calls(self) -> &'static [&'static str] {
        match self {
            Self::EngineInsert => &ENGINE_CALLS,
            Self::Commit => &COMMIT_CALLS,
            Self::Checkpoint => &CHECKPOINT_CALLS,
        }
    }

    /// Which processes have this moment. Where aggregators share out the partitions, some may have no work.
    fn parts(self, stack: &Stack) -> &[Part] {
        match self {
            Self::EngineInsert => std::slice::from_ref(&stack.engine),
            Self::Commit | Self::Checkpoint => {
                let (always, _) = stack.aggregators.split_at(stack.site.layout.aggregators);
                always
            }
        }
    }
}

/// How often one thread made each call, the busiest thread of each; for an engine within one insert, that is from the end of
/// the insert before to its own.
fn busiest(trace: &str) -> BTreeMap<String, u32> {
    let mut by_thread: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    let (mut inserts, mut whole) = (BTreeMap::new(), BTreeMap::new());
    let raise = |most: &mut BTreeMap<String, u32>, found: BTreeMap<&str, u32>| {
        for (call, times) in found {
            let most = most.entry(call.to_owned()).or_default();
            *most = times.max(*most);
        }
    };
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        let Some((call, arguments)) = rest.trim_start().split_once('(') else { continue };
        if !call.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            continue;
        }
        *by_thread.entry(thread).or_default().entry(call).or_default() += 1;
        if call.starts_with("rename") && arguments.contains(INSERT_ENDS) {
            raise(&mut inserts, by_thread.remove(thread).unwrap_or_default());
        }
    }
    by_thread.into_values().for_each(|found| raise(&mut whole, found));
    if inserts.is_empty() { whole } else { inserts }
}

/// Runs the points of all moments: all of them, or a sample.
///
/// # Errors
/// Where a process cannot be traced or does not come back.
pub async fn run(
    stack: &Stack,
    counts: &Arc<Counts>,
    sample: Option<usize>,
    random: &mut Random,
) -> Result<()> {
    for moment in [Moment::EngineInsert, Moment::Commit, Moment::Checkpoint] {
        let recorded = record(stack, moment).await.with_context(|| format!("recording {moment:?}"))?;
        let mut points = points(moment, &recorded);
        let all = points.len();
        if let Some(sample) = sample {
            random.shuffle(&mut points);
            // One of each kind before a second of any.
            let mut kinds = BTreeSet::new();
            let (first, rest): (Vec<_>, Vec<_>) =
                points.into_iter().partition(|point| kinds.insert((point.call, point.error)));
            points = first.into_iter().chain(rest).take(sample).collect();
        }
        crate::tell(&format!("{moment:?}: {} of {all} points; recorded {recorded:?}", points.len()));
        for point in points {
            let began = Instant::now();
            let mut hit = false;
            for (part, _) in moment.parts(stack).iter().cycle().zip(0..TRIES) {
                hit = strike(stack, part, &point).await.with_context(|| point.to_string())?;
                if hit {
                    break;
                }
            }
            Counts::add(if hit { &counts.points } else { &counts.missed });
            let how = if hit { "" } else { " was not reached" };
            crate::tell(&format!("{point}{how} ({} ms)", began.elapsed().as_millis()));
        }
    }
    Ok(())
}

/// Waits until a process is at work; gives its id.
async fn ready(stack: &Stack, part: &Part) -> Result<u32> {
    anyhow::ensure!(part.up_for(SETTLED, BACK).await, "{} did not come back", part.name());
    let sql = stack.sql()?;
    until("the engine answers", BACK, || async { sql.run("SELECT 1").await.map(|_| ()) }).await?;
    part.pid().context("it has just ended")
}

/// The calls of the processes of a moment, of the busiest thread.
async fn record(stack: &Stack, moment: Moment) -> Result<BTreeMap<String, u32>> {
    let mut recorded = BTreeMap::new();
    for part in moment.parts(stack) {
        let pid = ready(stack, part).await?;
        let rules = [format!("trace={}", moment.calls().join(","))];
        let tracer = Tracer::attach(pid, true, &rules, &stack.site.path().join("record.trace")).await?;
        if moment == Moment::Checkpoint {
            part.ask_to_end();
            part.gone(pid, BACK).await;
        } else {
            tokio::time::sleep(RECORD).await;
        }
        for (call, times) in busiest(&tracer.detach().await?) {
            let most = recorded.entry(call).or_insert(0);
            *most = times.max(*most);
        }
    }
    Ok(recorded)
}

fn points(moment: Moment, recorded: &BTreeMap<String, u32>) -> Vec<Point> {
    let mut points = Vec::new();
    for call in moment.calls() {
        let bound = if moment == Moment::Commit { COMMIT_NUMBERS_MAX } else { u32::MAX };
        let most = recorded.get(*call).copied().unwrap_or(0).min(bound);
        points.extend((1..=most).map(|number| Point { moment, call, number, error: None }));
        // An aggregator's own files are those of its checkpoints; its other calls are not on a disk.
        if moment != Moment::Commit && DISK_CALLS.contains(call) {
            for error in DISK_ERRORS {
                let numbers = ERROR_NUMBERS.into_iter().filter(|number| *number <= most);
                points.extend(numbers.map(|number| Point { moment, call, number, error: Some(error) }));
            }
        }
    }
    points
}

/// Sets a point and waits until it is reached; false where it was not.
async fn strike(stack: &Stack, part: &Part, point: &Point) -> Result<bool> {
    let pid = ready(stack, part).await?;
    let what = match point.error {
        Some(error) => format!("error={error}"),
        None => "signal=KILL".to_owned(),
    };
    // A disk that is full is so for every call after the first, too.
    let from = if point.error.is_some() { "+" } else { "" };
    let rules = [
        format!("trace={}", point.call),
        format!("inject={}:{what}:when={}{from}", point.call, point.number),
    ];
    let output = stack.site.path().join("point.trace");
    let Ok(tracer) = Tracer::attach(pid, true, &rules, &output).await else {
        // It ended by itself at this very moment.
        return Ok(false);
    };
    if point.moment == Moment::Checkpoint {
        part.ask_to_end();
    }
    let gone = if point.error.is_some() && point.moment != Moment::Checkpoint {
        part.gone(pid, FAIL).await
    } else {
        part.gone(pid, REACH).await
    };
    let trace = tracer.detach().await?;
    if point.error.is_some() {
        after_failure(stack, part, pid, gone).await?;
        return Ok(trace.contains("(INJECTED)"));
    }
    let hit = trace.contains("killed by SIGKILL");
    if hit {
        stack.arms.iter().for_each(|arm| {
            arm.kill();
        });
    }
    Ok(hit)
}

/// A process that does not recover from a failed disk is killed.
async fn after_failure(stack: &Stack, part: &Part, pid: u32, gone: bool) -> Result<()> {
    if gone || part.pid() != Some(pid) {
        return Ok(());
    }
    let sql = stack.sql()?;
    let answers = until("the engine answers", HEALTHY, || async { sql.run("SELECT 1").await.map(|_| ()) });
    if answers.await.is_err() {
        crate::tell(&format!("{} does not recover from its disk's failure and is killed", part.name()));
        part.kill();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_thread() {
        let trace = "12  openat(AT_FDCWD, \"a\") = 3\n12  write(3, \"x\", 1) = 1\n13  write(3, \"y\", 1 <unfinished ...>\n\
                     12  write(3, \"x\", 1) = 1\n13  <... write resumed>) = 1\n12  --- SIGCHLD {} ---\n12  +++ exited with 0 +++\n";
        let busiest = busiest(trace);
        assert_eq!(busiest, BTreeMap::from([("openat".to_owned(), 1), ("write".to_owned(), 2)]));
    }

    #[test]
    fn an_insert_ends_with_its_rename() {
        let insert = "7 write(3) = 1\n7 rename(\"/d/tmp_insert_all_1_1_0/\", \"/d/all_1_1_0/\") = 0\n";
        let busiest = busiest(&format!("7 write(3) = 1\n{insert}{insert}7 write(3) = 1\n9 write(3) = 1\n"));
        assert_eq!(busiest, BTreeMap::from([("rename".to_owned(), 1), ("write".to_owned(), 2)]));
    }
}
