//! The control arms: the same log, counted in the two usual ways, and killed at the same moments. Both must fail, or
//! the campaign was too weak.
//!
//! - `at-least-once`: consume, insert into a plain table, store the offset afterwards.
//! - `token`: the same with ClickHouse's insert deduplication by token (`non_replicated_deduplication_window = 3`), the
//!   token made of a batch's offsets, offsets stored every fourth batch.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use wb_events::frame::{self, FrameKey};
use wb_events::topics;

use crate::engine::Engine;

pub const BROKERS: &str = "TORTURE_BROKERS";
pub const ENGINE: &str = "TORTURE_ENGINE";
/// The engine's password.
pub const PASSWORD: &str = "TORTURE_PASSWORD";
/// The key of the frames, in hex.
pub const FRAME_KEY: &str = "TORTURE_FRAME_KEY";
/// Partitions of `shares`.
pub const SHARES: &str = "TORTURE_SHARES";
/// Partitions of `energy`.
pub const ENERGY: &str = "TORTURE_ENERGY";

/// Plain at-least-once.
pub const AT_LEAST_ONCE: &str = "at-least-once";
/// Deduplication by token.
pub const TOKEN: &str = "token";

/// The time for which records are collected into one batch a partition.
const COLLECT: Duration = Duration::from_millis(200);
/// How long one poll of the log waits.
const POLL: Duration = Duration::from_millis(20);
/// The token arm stores its offsets once in so many batches.
const TOKEN_BATCHES: u32 = 4;
/// Where nothing came for so long, all offsets are stored.
const IDLE: Duration = Duration::from_millis(1_500);
/// The pause before something that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long a question to the broker may take.
const ASK: Duration = Duration::from_secs(5);

#[must_use]
pub fn table(arm: &str) -> String {
    format!("torture_{}", arm.replace('-', "_"))
}

/// The consumer group that keeps an arm's offsets.
#[must_use]
pub fn group(arm: &str) -> String {
    format!("torture-{arm}")
}

/// A consumer that stores offsets for an arm.
///
/// # Errors
/// Where the client does not accept its settings.
pub fn consumer(brokers: &str, arm: &str) -> Result<BaseConsumer> {
    let consumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group(arm))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("fetch.wait.max.ms", "100")
        .create()?;
    Ok(consumer)
}

/// All partitions that the arms read.
#[must_use]
pub fn partitions(shares: u32, energy: u32) -> Vec<(&'static str, u32)> {
    let shares = (0..shares).map(|partition| (topics::SHARES, partition));
    shares.chain((0..energy).map(|partition| (topics::ENERGY, partition))).collect()
}

/// The offsets an arm has stored, `None` for a partition of which none is stored.
///
/// # Errors
/// Where the broker does not answer.
pub fn stored(
    consumer: &BaseConsumer,
    partitions: &[(&'static str, u32)],
) -> Result<BTreeMap<(String, u32), Option<u64>>> {
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in partitions {
        asked.add_partition(topic, i32::try_from(*partition)?);
    }
    let mut found = BTreeMap::new();
    for element in consumer.committed_offsets(asked, ASK)?.elements() {
        element.error()?;
        let offset = match element.offset() {
            Offset::Offset(offset) => Some(u64::try_from(offset)?),
            _ => None,
        };
        found.insert((element.topic().to_owned(), u32::try_from(element.partition())?), offset);
    }
    Ok(found)
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: arms are started by the campaign"))
}

/// Runs an arm until it is killed.
///
/// # Errors
/// Where its surroundings are not those that the campaign gives it.
pub fn run(arm: &str) -> Result<()> {
    let tokens = match arm {
        AT_LEAST_ONCE => false,
        TOKEN => true,
        other => bail!("{other:?} is no arm: {AT_LEAST_ONCE} or {TOKEN}"),
    };
    let key = wb_proof::hex::decode_array("frame key", &variable(FRAME_KEY)?)
        .ok()
        .context("the frame key is not 32 bytes of hex")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut worker = Worker {
        arm: arm.to_owned(),
        tokens,
        engine: Engine::new(&variable(ENGINE)?, &variable(PASSWORD)?)?,
        consumer: consumer(&variable(BROKERS)?, arm)?,
        key: FrameKey::new(key),
        unstored: BTreeMap::new(),
    };
    let partitions = partitions(variable(SHARES)?.parse()?, variable(ENERGY)?.parse()?);
    runtime.block_on(worker.run(&partitions))
}

/// Records of one partition that are inserted together.
#[derive(Default)]
struct Collected {
    first: u64,
    next: u64,
    rows: String,
}

struct Worker {
    arm: String,
    tokens: bool,
    engine: Engine,
    consumer: BaseConsumer,
    key: FrameKey,
    /// Next offset and batches since it was stored, by partition.
    unstored: BTreeMap<(String, u32), (u64, u32)>,
}

impl Worker {
    async fn run(&mut self, partitions: &[(&'static str, u32)]) -> Result<()> {
        self.create_table().await;
        let stored = loop {
            match stored(&self.consumer, partitions) {
                Ok(stored) => break stored,
                Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
            }
        };
        let mut position = TopicPartitionList::new();
        for ((topic, partition), offset) in stored {
            let at = i64::try_from(offset.unwrap_or(0))?;
            position.add_partition_offset(&topic, i32::try_from(partition)?, Offset::Offset(at))?;
        }
        self.consumer.assign(&position)?;
        let mut last = Instant::now();
        loop {
            let collected = self.collect()?;
            if !collected.is_empty() {
                last = Instant::now();
            }
            for (place, batch) in collected {
                self.insert(&place, &batch).await;
                let unstored = self.unstored.entry(place).or_default();
                *unstored = (batch.next, unstored.1 + 1);
            }
            // What was collected is inserted, then its offsets are stored.
            let due = if self.tokens && last.elapsed() < IDLE { TOKEN_BATCHES } else { 1 };
            self.store(due);
        }
    }

    async fn create_table(&self) {
        let window = if self.tokens { " SETTINGS non_replicated_deduplication_window = 3" } else { "" };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (topic String, partition UInt32, log_offset UInt64, frame_index UInt32) \
             ENGINE = MergeTree ORDER BY (topic, partition, log_offset, frame_index){window}",
            table(&self.arm)
        );
        while let Err(error) = self.engine.run(&sql).await {
            crate::tell(&format!("{}: {error:#}", self.arm));
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    fn collect(&self) -> Result<BTreeMap<(String, u32), Collected>> {
        let deadline = Instant::now() + COLLECT;
        let mut collected: BTreeMap<(String, u32), Collected> = BTreeMap::new();
        while Instant::now() < deadline {
            // Errors from the broker's death pass by themselves.
            let Some(Ok(message)) = self.consumer.poll(POLL) else { continue };
            let (topic, partition) = (message.topic().to_owned(), u32::try_from(message.partition())?);
            let offset = u64::try_from(message.offset())?;
            let batch = collected.entry((topic.clone(), partition)).or_default();
            if batch.next == 0 {
                batch.first = offset;
            }
            batch.next = offset + 1;
            for index in 0..frame_rows(message.payload().unwrap_or_default(), &self.key) {
                writeln!(batch.rows, "{topic}\t{partition}\t{offset}\t{index}")?;
            }
        }
        Ok(collected)
    }

    async fn insert(&self, (topic, partition): &(String, u32), batch: &Collected) {
        if batch.rows.is_empty() {
            return;
        }
        let token = format!("{topic}-{partition}-{}-{}", batch.first, batch.next);
        let settings: Vec<(&str, &str)> = if self.tokens {
            vec![("insert_deduplicate", "1"), ("insert_deduplication_token", &token)]
        } else {
            vec![("insert_deduplicate", "0")]
        };
        while self.engine.insert(&table(&self.arm), &settings, batch.rows.clone()).await.is_err() {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Stores the offsets of all partitions with so many batches since; what is not stored is stored with the next.
    fn store(&mut self, due: u32) {
        let mut offsets = TopicPartitionList::new();
        for ((topic, partition), (next, _)) in
            self.unstored.iter().filter(|(_, (_, batches))| *batches >= due)
        {
            let at = Offset::Offset(i64::try_from(*next).unwrap_or(i64::MAX));
            let partition = i32::try_from(*partition).unwrap_or(i32::MAX);
            // Only an invalid offset would be refused.
            let _ = offsets.add_partition_offset(topic, partition, at);
        }
        if offsets.count() > 0 && self.consumer.commit(&offsets, CommitMode::Sync).is_ok() {
            self.unstored
                .values_mut()
                .filter(|(_, batches)| *batches >= due)
                .for_each(|(_, batches)| *batches = 0);
        }
    }
}

/// Events of a record; one that is no frame is one.
#[must_use]
pub fn frame_rows(record: &[u8], key: &FrameKey) -> u32 {
    match frame::decode(record, key) {
        Ok(frame) if frame.punctuation.is_some() => 0,
        Ok(frame) => u32::try_from(frame.events.len()).unwrap_or(u32::MAX),
        Err(_) => 1,
    }
}
