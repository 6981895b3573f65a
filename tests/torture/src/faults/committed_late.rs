//! A late commit, deterministically: an aggregator is stopped at the very call that sends the commit of a block it
//! has verified. Others commit the block, its lost attempts are collected, and only then is it woken and sends its
//! commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use wb_events::topics;
use wb_kafka::CommitsView;

use super::Counts;
use super::strace::Tracer;
use crate::part::Part;
use crate::stack::{Stack, until};

/// How long an aggregator has run before it is traced.
const SETTLED: Duration = Duration::from_secs(2);
const BACK: Duration = Duration::from_secs(60);
/// How long its calls are traced at a time.
const WATCH: Duration = Duration::from_secs(12);
/// How often the call of another record may come first.
const TRIES: u32 = 60;
/// How long others may take to commit everything.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);
/// How long the woken aggregator has to send.
const WOKEN: Duration = Duration::from_secs(2);
/// If fewer lost attempts than this are found, they are those of the last seconds.
const FEW: usize = 64;
const COLLECTIONS: u32 = 3;
const LOOK: Duration = Duration::from_millis(10);

/// Whether a traced call carries a commit: its key is a topic and a partition.
fn carries_commit(line: &str) -> bool {
    topics::EVENT_TOPICS.iter().any(|topic| line.contains(&format!("{topic}/")))
}

/// Does it once.
///
/// # Errors
/// Where no commit was caught, or others did not take over.
pub async fn run(stack: &Stack, counts: &Arc<Counts>) -> Result<()> {
    let partitions = until("partitions", BACK, || stack.partitions()).await?;
    let commits = CommitsView::start(stack.log.clone(), &partitions, [0; 16], None).await?;
    let deadline = Instant::now() + BACK;
    let stopped = loop {
        if let Some(stopped) = stop_at_commit(stack).await? {
            break stopped;
        }
        if Instant::now() > deadline {
            bail!("no aggregator was caught sending a commit");
        }
    };
    // What is in the log now is committed by others, its block too.
    let settled = tokio::time::timeout(COMMIT_LIMIT, commits.settled_cut(&partitions)).await;
    let collected = match settled {
        Ok(cut) => {
            cut?;
            collect_all(stack).await
        }
        Err(_) => Err(anyhow::anyhow!("others did not commit what a stopped aggregator left")),
    };
    stopped.signal(Signal::CONT);
    let collected = collected?;
    tokio::time::sleep(WOKEN).await;
    Counts::add(&counts.committed_late);
    Counts::add(&counts.stops);
    crate::tell(&format!(
        "{} was stopped at its commit, {collected} lost attempts were collected, and it was woken",
        stopped.name()
    ));
    Ok(())
}

/// Collects the attempts that have lost until now; one collection takes a bounded number of them, and others go on losing.
async fn collect_all(stack: &Stack) -> Result<usize> {
    let store = stack.store().await?;
    let mut collected = 0;
    for _ in 0..COLLECTIONS {
        let found = store.collect_garbage().await?;
        collected += found;
        if found < FEW {
            break;
        }
    }
    Ok(collected)
}

/// Stops an aggregator at a commit; `None` where only other records were sent.
async fn stop_at_commit(stack: &Stack) -> Result<Option<Part>> {
    // Where processes share out the partitions, an aggregator may have nothing to commit for a while.
    for part in stack.aggregators.iter().take(stack.site.layout.aggregators) {
        anyhow::ensure!(part.up_for(SETTLED, BACK).await, "{} did not come back", part.name());
        let Some(pid) = part.pid() else { continue };
        let output = stack.site.path().join("commits.trace");
        let Some(thread) = committing_thread(pid, &output).await? else { continue };
        for _ in 0..TRIES {
            if part.pid() != Some(pid) {
                break;
            }
            match stop_at_send(thread, &output).await? {
                Some(line) if carries_commit(&line) => return Ok(Some(part.clone())),
                _ => part.signal(Signal::CONT),
            };
        }
    }
    Ok(None)
}

/// The thread that sends commits to the broker.
async fn committing_thread(pid: u32, output: &std::path::Path) -> Result<Option<u32>> {
    let tracer = Tracer::attach(pid, true, &["trace=sendmsg".to_owned()], output).await?;
    let deadline = Instant::now() + WATCH;
    let mut found = None;
    while found.is_none() && Instant::now() < deadline {
        tokio::time::sleep(LOOK).await;
        let trace = tracer.so_far();
        found = trace.lines().find(|line| carries_commit(line)).map(str::to_owned);
    }
    tracer.detach().await?;
    let Some(line) = found else { return Ok(None) };
    let thread = line.split_whitespace().next().unwrap_or_default();
    thread.parse().map(Some).with_context(|| format!("no thread in {line:?}"))
}

/// Stops the process at the thread's next send, which does not happen: the call returns that it would block, and its
/// caller repeats it once the process is woken. Returns the call.
async fn stop_at_send(thread: u32, output: &std::path::Path) -> Result<Option<String>> {
    let rules = ["trace=sendmsg".to_owned(), "inject=sendmsg:error=EAGAIN:signal=STOP:when=1".to_owned()];
    let tracer = Tracer::attach(thread, false, &rules, output).await?;
    let deadline = Instant::now() + WATCH;
    let mut found = None;
    while found.is_none() && Instant::now() < deadline {
        tokio::time::sleep(LOOK).await;
        let trace = tracer.so_far();
        found = trace.lines().find(|line| line.contains("(INJECTED)")).map(str::to_owned);
    }
    tracer.detach().await?;
    Ok(found)
}
