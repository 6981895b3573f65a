//! What readers see once all is settled: rows of committed attempts, the manifest as a set, and the log itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use wb_events::topics;
use wb_kafka::CommitsView;

use crate::control;
use crate::engine::Engine;
use crate::oracle::{Identity, Quarantined, Seen, Table};
use crate::part::Part;
use crate::stack::{Stack, until};

/// How long committing everything may take once nothing is killed any more.
const SETTLE_LIMIT: Duration = Duration::from_secs(150);
/// How long an arm may take to get to the end of the log.
const ARM_LIMIT: Duration = Duration::from_secs(90);
/// How long a question may be repeated.
const ASK_LIMIT: Duration = Duration::from_secs(30);

/// The rule of every reader.
const COMMITTED: &str =
    "(topic, partition, block, attempt) IN (SELECT topic, partition, block, attempt FROM manifest)";

/// A place in the log: topic, partition, offset, index in the frame.
pub type Place = (String, u32, u64, u32);

/// Waits until everything in the log is committed and projected.
///
/// # Errors
/// Where that does not happen in time: then something is stuck, which is a finding.
pub async fn settle(stack: &Stack) -> Result<()> {
    let partitions = until("partitions", ASK_LIMIT, || stack.partitions()).await?;
    let commits = CommitsView::start(stack.log.clone(), &partitions, [0; 16], None).await?;
    let settled = tokio::time::timeout(SETTLE_LIMIT, commits.settled_cut(&partitions)).await;
    let cut = settled.context("not everything was committed in time once nothing was killed any more")??;
    let sql = stack.sql()?;
    until("commits are projected", SETTLE_LIMIT, || async {
        let projected: u64 = number(&sql.run("SELECT max(commit_offset) + 1 FROM manifest").await?)?;
        if projected < cut {
            bail!("projected up to {projected}, committed up to {cut}");
        }
        Ok(())
    })
    .await
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.trim().parse().ok().with_context(|| format!("{text:?} is no number"))
}

fn column(row: &[String], at: usize) -> Result<&str> {
    row.get(at).map(String::as_str).context("an answer has too few columns")
}

/// The events' places in the log: how many of all topics, and the places in the topics that the arms read.
///
/// # Errors
/// Where the log cannot be read.
pub async fn log_places(stack: &Stack) -> Result<(u64, BTreeSet<Place>)> {
    let key = stack.site.frame_key();
    let partitions = stack.partitions().await?;
    let (mut events, mut places) = (0, BTreeSet::new());
    for (topic, count) in &partitions {
        if !topics::EVENT_TOPICS.contains(&topic.as_str()) {
            continue;
        }
        for partition in 0..*count {
            for record in stack.log.read_all(topic, partition, 0).await? {
                let rows = control::frame_rows(&record.payload, &key);
                events += u64::from(rows);
                if topic == topics::SHARES || topic == topics::ENERGY {
                    places.extend((0..rows).map(|index| (topic.clone(), partition, record.offset, index)));
                }
            }
        }
    }
    Ok((events, places))
}

async fn identities(sql: &Engine, what: &str, content: &str) -> Result<Vec<(Identity, String)>> {
    let question =
        format!("SELECT source, source_key, source_epoch, sequence, {content} FROM {what} AND {COMMITTED}");
    let rows = sql.rows(&question).await.with_context(|| format!("reading {what}"))?;
    rows.iter()
        .map(|row| {
            let identity = Identity {
                source: column(row, 0)?.to_owned(),
                key: column(row, 1)?.to_owned(),
                epoch: number(column(row, 2)?)?,
                sequence: number(column(row, 3)?)?,
            };
            Ok((identity, column(row, 4)?.to_owned()))
        })
        .collect()
}

/// Everything the oracle compares.
///
/// # Errors
/// Where the engine does not answer.
pub async fn seen(stack: &Stack, log_events: u64) -> Result<Seen> {
    let sql = stack.sql()?;
    let interval = "toString(intDiv(event_time_us, 300000000) * 300000000)";
    let share = format!("concat(machine_id, ' ', {interval}, ' ', toString(credited_q32))");
    let span = "concat(allocation_id, ' ', toString(gpus), ' ', toString(start_us))";
    let questions = [
        (Table::Shares, "shares WHERE verdict = 'accepted'", share.as_str()),
        (Table::Refused, "shares WHERE verdict = 'rejected'", "toString(reason)"),
        (Table::Energy, "energy_readings WHERE true", "toString(register_wh)"),
        (Table::Samples, "miner_samples WHERE true", "machine_id"),
        (Table::Spans, "gpu_spans WHERE true", span),
        (Table::Facts, "facts WHERE true", "concat(kind, ' ', entity)"),
    ];
    let mut seen = Seen { log_events, ..Seen::default() };
    for (table, what, content) in questions {
        seen.rows.insert(table, identities(&sql, what, content).await?);
    }
    let work = format!(
        "SELECT machine_id, interval_start_us, sum(shares), sum(credited_q32) FROM work_5m \
         WHERE verdict = 'accepted' AND {COMMITTED} GROUP BY 1, 2"
    );
    for row in sql.rows(&work).await? {
        let place = (column(&row, 0)?.to_owned(), number(column(&row, 1)?)?);
        seen.work.insert(place, (number(column(&row, 2)?)?, number(column(&row, 3)?)?));
    }
    let quarantine = format!("SELECT code, hex(original) FROM quarantine WHERE {COMMITTED}");
    for row in sql.rows(&quarantine).await? {
        let (code, original) = (column(&row, 0)?.to_owned(), row.get(1).cloned().unwrap_or_default());
        seen.quarantine.push(Quarantined { code, original });
    }
    // Two projectors may have written one commit twice.
    let manifest = "SELECT count(), sum(events), sum(accepted), sum(duplicate), sum(rejected) FROM \
         (SELECT DISTINCT commit_offset, topic, partition, block, events, accepted, duplicate, rejected FROM manifest)";
    let sums = sums(&sql, manifest).await?;
    let [blocks, manifest @ ..] = sums;
    (seen.blocks, seen.manifest) = (blocks, manifest);
    let counts = format!(
        "SELECT 0, sum(events), sumIf(events, verdict = 'accepted'), sumIf(events, verdict = 'duplicate'), \
         sumIf(events, verdict = 'rejected') FROM block_counts WHERE {COMMITTED}"
    );
    let [_, counts @ ..] = self::sums(&sql, &counts).await?;
    seen.counts = counts;
    let twice = "SELECT count() FROM (SELECT topic, partition, block FROM manifest \
         GROUP BY 1, 2, 3 HAVING uniqExact(attempt) > 1 OR uniqExact(commit_offset) > 1)";
    let twice: u64 = number(&sql.run(twice).await?)?;
    if twice > 0 {
        bail!("{twice} blocks have more than one commit in the manifest");
    }
    Ok(seen)
}

async fn sums(sql: &Engine, question: &str) -> Result<[u64; 5]> {
    let rows = sql.rows(question).await?;
    let row = rows.first().context("no sums")?;
    let mut sums = [0; 5];
    for (at, sum) in sums.iter_mut().enumerate() {
        *sum = number(column(row, at)?)?;
    }
    Ok(sums)
}

/// The rows of an arm once it has stored the offsets of everything in the log.
///
/// # Errors
/// Where it does not get there.
pub async fn arm_rows(stack: &Stack, arm: &Part, log: &BTreeSet<Place>) -> Result<BTreeMap<Place, u64>> {
    let layout = stack.site.layout;
    let partitions = control::partitions(layout.shares, layout.others);
    let mut ends: BTreeMap<(String, u32), u64> = BTreeMap::new();
    for (topic, partition, offset, _) in log {
        let end = ends.entry((topic.clone(), *partition)).or_default();
        *end = (*end).max(offset + 1);
    }
    let consumer = control::consumer(&stack.site.brokers(), arm.name())?;
    until(&format!("{} reads the log to its end", arm.name()), ARM_LIMIT, || async {
        let stored = tokio::task::block_in_place(|| control::stored(&consumer, &partitions))?;
        for (place, end) in &ends {
            let at = stored.get(place).copied().flatten().unwrap_or(0);
            if at < *end {
                bail!("{place:?} is at {at} of {end}");
            }
        }
        Ok(())
    })
    .await?;
    let question = format!(
        "SELECT topic, partition, log_offset, frame_index, count() FROM {} GROUP BY 1, 2, 3, 4",
        control::table(arm.name())
    );
    let mut rows = BTreeMap::new();
    for row in stack.sql()?.rows(&question).await? {
        let (topic, partition) = (column(&row, 0)?.to_owned(), number(column(&row, 1)?)?);
        let place = (topic, partition, number(column(&row, 2)?)?, number(column(&row, 3)?)?);
        rows.insert(place, number(column(&row, 4)?)?);
    }
    Ok(rows)
}
