//! Events a second from the front ingest to sealed block, on the real stack.
//!
//! `cargo bench --bench pipeline [-- --events N --pile N --machines N --senders N --batch N --bin PATH --keep]`
//!
//! Kafka, the ClickHouse engine and each service run as processes of their own, from the release
//! binary, on free ports and in a folder that is removed at the end. The binary is built by
//! `cargo build --release -p weighbridge` unless `--bin` or the variable `PIPELINE_BIN` names
//! one. The variables `WEIGHBRIDGE_KAFKA_LIBS` and `WEIGHBRIDGE_CHDB_LIB` name Kafka's jars and
//! the engine's library where they do not lie in `.stack`.
//!
//! With `--pile` the aggregator is killed afterwards, with all ids of `--events` live: once with next to nothing to do,
//! which tells how soon the first block is committed after an assignment, and once with that many shares sent while it is
//! dead, which tells how fast they are caught up with.
//!
//! The shares are mined before the clock starts. The table tells how long it took until all were
//! acknowledged and until all were committed, what each process spent, and how far that is from the
//! floor: the same records decoded, folded and written as rows by one thread in memory. The last
//! line is one JSON object with the same figures, for comparison with later runs.

mod arguments;
mod floor;
mod load;
mod recovery;
mod report;
mod stack;
mod usage;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wb_events::topics;
use wb_kafka::CommitsView;

use crate::arguments::Arguments;
use crate::load::Load;
use crate::recovery::Recovery;
use crate::report::Report;
use crate::stack::{CommittedBlock, Stack};
use crate::usage::Usage;

/// The seed of the mined shares.
const SEED: u64 = 20_261_123;
/// How long committing everything may take after the last acknowledgement.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(600);
/// How long the aggregator's log may lag behind the commits, and how often it is read until then.
const TOLD_TIMEOUT: Duration = Duration::from_secs(10);
const TOLD_PAUSE: Duration = Duration::from_millis(50);
/// How long the stack is watched with nothing to do, before the load.
const IDLE: Duration = Duration::from_secs(3);

fn main() -> Result<()> {
    let arguments = Arguments::read()?;
    let binary = arguments.binary()?;
    tell("mining shares");
    let load = Load::mine(SEED, &arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            ended = bench(&arguments, &binary, load) => ended,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted; the stack is ended"),
        }
    })
}

/// Says how far the bench is; results go to standard output.
pub(crate) fn tell(text: &str) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "pipeline: {text}");
}

async fn bench(arguments: &Arguments, binary: &std::path::Path, load: Load) -> Result<()> {
    tell("starting Kafka, the ClickHouse engine and the services");
    let mut stack = Stack::start(binary, arguments.keep).await?;
    let [load, pile] = load.split(arguments.events);
    let measured = measure(arguments, &mut stack, binary, [&load, &pile]).await;
    if measured.is_err() {
        tell(&stack.log_tails());
    }
    stack.stop().await?;
    let (report, recovery) = measured?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}\n{}", report.table(), report.json())?;
    if let Some(recovery) = recovery {
        writeln!(out, "{}\n{}", recovery.table(), recovery.json())?;
    }
    Ok(())
}

/// The blocks of shares that the aggregator's log tells of, after the lines of before. A name is
/// in the log before its line is.
async fn told_blocks(stack: &Stack, lines_before: usize, events: u64) -> Result<Vec<CommittedBlock>> {
    let deadline = Instant::now() + TOLD_TIMEOUT;
    loop {
        let mut blocks = stack.committed_blocks()?.split_off(lines_before);
        blocks.retain(|block| block.topic == topics::SHARES);
        let told: u64 = blocks.iter().map(|block| block.events).sum();
        if told >= events {
            return Ok(blocks);
        }
        anyhow::ensure!(Instant::now() < deadline, "the aggregator's log tells of {told} of {events} shares");
        tokio::time::sleep(TOLD_PAUSE).await;
    }
}

async fn measure(
    arguments: &Arguments,
    stack: &mut Stack,
    binary: &std::path::Path,
    [load, pile]: [&Load; 2],
) -> Result<(Report, Option<Recovery>)> {
    let (log, partitions) = stack.log().await?;
    let commits =
        CommitsView::start(log.clone(), &partitions, [0; 16], None).await.context("reading commits")?;
    let settled = async || {
        let cut = tokio::time::timeout(SETTLE_TIMEOUT, commits.settled_cut(&partitions)).await;
        cut.context("not everything was committed in time")?.context("reading commits")
    };
    let ingest = load::IngestClient::new(stack);
    tell("sending facts");
    ingest.send_facts(load).await?;
    settled().await?;

    let before_idle = Usage::read(stack)?;
    tokio::time::sleep(IDLE).await;
    let before = Usage::read(stack)?;
    let lines_before = stack.committed_blocks()?.len();

    tell(&format!("sending {} shares", load.events));
    let began = Instant::now();
    let requests_us = ingest.send_shares(load, arguments.senders).await?;
    let acknowledged = began.elapsed();
    settled().await?;
    let committed = began.elapsed();
    let after = Usage::read(stack)?;

    let blocks = told_blocks(stack, lines_before, load.events).await?;
    let kafka_bytes = stack.kafka_bytes(topics::SHARES)?;
    tell("measuring the floor");
    let floor = floor::measure(stack, &log, &partitions, load).await?;
    anyhow::ensure!(
        floor.accepted == load.events,
        "{} shares were sent, but {} count: the figures would be of something else",
        load.events,
        floor.accepted
    );
    let report = Report {
        events: load.events,
        senders: arguments.senders,
        batch: arguments.batch,
        acknowledged,
        committed,
        requests_us,
        idle: before.since(&before_idle),
        idle_time: IDLE,
        spent: after.since(&before),
        kafka_bytes,
        body_bytes: load.body_bytes(),
        blocks,
        floor,
    };
    let recovery = match pile.events {
        0 => None,
        _ => Some(recovery::measure(stack, binary, &ingest, &commits, &partitions, [load, pile]).await?),
    };
    Ok((report, recovery))
}
