//! What a crash costs: how soon a partition counts again after its aggregator was killed, and how fast what piled up
//! meanwhile is caught up with.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use wb_events::topics;
use wb_kafka::CommitsView;
use wb_kafka::topics::Partitions;

use crate::load::{IngestClient, Load};
use crate::stack::Stack;
use crate::usage::Usage;

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(900);
/// How often the aggregator's log is read while something is waited for.
const PAUSE: Duration = Duration::from_millis(50);
/// Shares that are sent while the aggregator is dead, so that each partition has something to name.
const FEW: usize = 1;
/// A partition saves a snapshot with the first block that it names this long after the one before, as it runs for ever.
const SNAPSHOT_PAUSE: Duration = Duration::from_secs(31);
/// And then takes a moment to write it.
const SAVED_PAUSE: Duration = Duration::from_secs(3);
const DAY_US: i64 = 86_400 * 1_000_000;

/// What was measured.
pub(crate) struct Recovery {
    live_ids: u64,
    first_committed_ms: Vec<(String, u64)>,
    caught_up_events: u64,
    caught_up: Duration,
    spent_us: Vec<(&'static str, u64)>,
}

/// The time of day of a stamp such as `2026-11-23T04:05:06.789012Z`, in microseconds.
fn time_of_day_us(stamp: &str) -> Option<i64> {
    let (_, time) = stamp.trim_end_matches('Z').split_once('T')?;
    let (clock, fraction) = time.split_once('.')?;
    let seconds =
        clock.split(':').try_fold(0, |sum: i64, part| Some(sum * 60 + part.parse::<i64>().ok()?))?;
    Some(seconds * 1_000_000 + format!("{fraction:0<6}").get(..6)?.parse::<i64>().ok()?)
}

/// A line of the log that says `message` of a partition, with its time.
fn moments(lines: &[Value], message: &str) -> Vec<(String, i64)> {
    let of_line = |line: &Value| {
        if line.get("message")?.as_str()? != message {
            return None;
        }
        let chain = format!("{}/{}", line.get("topic")?.as_str()?, line.get("partition")?.as_u64()?);
        let at = time_of_day_us(line.get("timestamp")?.as_str()?)?;
        Some((chain, at))
    };
    lines.iter().filter_map(of_line).collect()
}

/// Waits until every partition of shares has committed a block after `from` lines of the log; gives the
/// milliseconds from its assignment to that name.
async fn first_committed(stack: &Stack, from: usize, partitions: &Partitions) -> Result<Vec<(String, u64)>> {
    let shares = partitions.get(topics::SHARES).copied().unwrap_or(0);
    let deadline = Instant::now() + LIMIT;
    loop {
        let lines = stack.aggregator_log()?.split_off(from);
        let assigned = moments(&lines, "a partition is taken up");
        let committed = moments(&lines, "a block is committed");
        let found: Vec<(String, u64)> = (0..shares)
            .filter_map(|partition| {
                let chain = format!("{}/{partition}", topics::SHARES);
                let at = |list: &[(String, i64)]| list.iter().find(|(of, _)| *of == chain).map(|(_, at)| *at);
                // Over midnight the day begins anew.
                let took_us = (at(&committed)? - at(&assigned)?).rem_euclid(DAY_US);
                Some((chain, u64::try_from(took_us / 1_000).ok()?))
            })
            .collect();
        if found.len() == usize::try_from(shares)? {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "only {found:?} of {shares} partitions committed a block");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Kills the aggregator twice: once with little to do afterwards, once with all of `pile`.
pub(crate) async fn measure(
    stack: &mut Stack,
    binary: &Path,
    ingest: &IngestClient,
    commits: &CommitsView,
    partitions: &Partitions,
    [live, pile]: [&Load; 2],
) -> Result<Recovery> {
    let settled = async || {
        let cut = tokio::time::timeout(LIMIT, commits.settled_cut(partitions)).await;
        cut.context("not everything was committed in time")?.context("reading commits")
    };
    crate::tell("waiting for snapshots, which are taken with the first block after half a minute");
    tokio::time::sleep(SNAPSHOT_PAUSE).await;
    ingest.send_part(pile, 0..FEW).await?;
    settled().await?;
    tokio::time::sleep(SAVED_PAUSE).await;
    crate::tell("killing the aggregator with all ids live");
    stack.kill_service("aggregator").await?;
    let from = stack.aggregator_log()?.len();
    ingest.send_part(pile, FEW..2 * FEW).await?;
    stack.start_service(binary, "aggregator").await?;
    let first_committed_ms = first_committed(stack, from, partitions).await?;
    settled().await?;

    crate::tell(&format!("killing it again, and sending {} shares meanwhile", pile.events));
    stack.kill_service("aggregator").await?;
    ingest.send_part(pile, 2 * FEW..pile.bodies.len()).await?;
    let before = Usage::read(stack)?;
    let began = Instant::now();
    stack.start_service(binary, "aggregator").await?;
    settled().await?;
    let caught_up = began.elapsed();
    let spent = Usage::read(stack)?.since(&before);
    let few: usize = pile.bodies.iter().take(2 * FEW).map(|(_, events)| events).sum();
    Ok(Recovery {
        live_ids: live.events,
        first_committed_ms,
        caught_up_events: pile.events.saturating_sub(u64::try_from(few)?),
        caught_up,
        spent_us: spent.into_iter().collect(),
    })
}

impl Recovery {
    fn per_second(&self) -> u64 {
        let millis = u64::try_from(self.caught_up.as_millis()).unwrap_or(u64::MAX).max(1);
        self.caught_up_events.saturating_mul(1_000) / millis
    }

    /// What a person reads.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "from assignment to the first committed block, {} live ids, after kill -9\n",
            self.live_ids
        );
        for (chain, took_ms) in &self.first_committed_ms {
            text.push_str(&format!("  {chain:<32}{took_ms:>10} ms\n"));
        }
        text.push_str(&format!(
            "catching up with {} shares, from the start of the process\n  {:<32}{:>10} shares/s\n",
            self.caught_up_events,
            "",
            self.per_second()
        ));
        for (name, us) in &self.spent_us {
            let share =
                us.saturating_mul(100) / u64::try_from(self.caught_up.as_micros()).unwrap_or(u64::MAX).max(1);
            text.push_str(&format!("  {name:<32}{share:>10} % of one core\n"));
        }
        text
    }

    /// The same for comparison with later runs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "live_ids": self.live_ids,
            "first_committed_ms": self.first_committed_ms.iter().map(|(_, ms)| ms).collect::<Vec<_>>(),
            "caught_up_events": self.caught_up_events,
            "caught_up_events_per_s": self.per_second(),
        })
    }
}
