//! The topics and their settings. Missing topics are created; existing ones are never changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use wb_events::topics as commits;

use crate::{LogError, LogSettings, METADATA_TIMEOUT, RECORD_BYTES_MAX};

/// Partitions of a new topic `usage`. Not pinned: a reader of one customer needs only that customer's partition.
pub const USAGE_PARTITIONS: u32 = 4;
/// How much larger a record of `quarantine` may be than the record in it.
pub const QUARANTINE_ENVELOPE_BYTES_MAX: u32 = 256 * 1024;

/// The partitions of new event topics, and the settings of topics.
#[derive(Debug, Clone)]
pub struct TopicPlan {
    /// Partitions of `shares`.
    pub shares: u32,
    /// Partitions of `telemetry`.
    pub telemetry: u32,
    /// Partitions of `energy`.
    pub energy: u32,
    /// Partitions of `gpu`.
    pub gpu: u32,
    /// Replicas of every topic.
    pub replication: u32,
    /// How long event topics keep their records, in hours; 0 means forever.
    pub retention_hours: u32,
}

/// Partitions by topic.
pub type Partitions = BTreeMap<String, u32>;

impl TopicPlan {
    fn topics(&self) -> [(&'static str, u32, bool); 9] {
        // (topic, partitions, whether every record is kept forever and flushed by itself)
        [
            (commits::SHARES, self.shares, false),
            (commits::TELEMETRY, self.telemetry, false),
            (commits::ENERGY, self.energy, false),
            (commits::GPU, self.gpu, false),
            (commits::REFERENCE, 1, true),
            (commits::COMMITS, 1, true),
            (commits::LEDGER, 1, true),
            (commits::USAGE, USAGE_PARTITIONS, false),
            (commits::QUARANTINE, 1, false),
        ]
    }
}

pub(crate) async fn ensure(
    settings: &LogSettings,
    consumer: &Arc<BaseConsumer>,
    plan: &TopicPlan,
) -> Result<Partitions, LogError> {
    let admin: AdminClient<DefaultClientContext> = settings.client().create().map_err(LogError::client)?;
    let retention_ms = match plan.retention_hours {
        0 => "-1".to_owned(),
        hours => (u64::from(hours) * 3_600_000).to_string(),
    };
    let (record_bytes, quarantine_bytes) =
        (RECORD_BYTES_MAX.to_string(), (RECORD_BYTES_MAX + QUARANTINE_ENVELOPE_BYTES_MAX).to_string());
    let replication = i32::try_from(plan.replication).unwrap_or(1);
    let wanted = plan.topics();
    let topics: Vec<NewTopic<'_>> = wanted
        .iter()
        .map(|(name, partitions, for_ever)| {
            let count = i32::try_from(*partitions).unwrap_or(i32::MAX);
            let topic = NewTopic::new(name, count, TopicReplication::Fixed(replication))
                .set("message.timestamp.type", "LogAppendTime")
                .set("cleanup.policy", "delete")
                .set(
                    "max.message.bytes",
                    if *name == commits::QUARANTINE { &quarantine_bytes } else { &record_bytes },
                );
            if *for_ever {
                topic.set("retention.ms", "-1").set("retention.bytes", "-1").set("flush.messages", "1")
            } else {
                topic.set("retention.ms", &retention_ms)
            }
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(METADATA_TIMEOUT));
    let results = admin
        .create_topics(&topics, &options)
        .await
        .map_err(|error| LogError::Topics { detail: error.to_string() })?;
    for result in results {
        if let Err((topic, code)) = result
            && code != RDKafkaErrorCode::TopicAlreadyExists
        {
            return Err(LogError::Topics { detail: format!("{topic}: {code}") });
        }
    }
    // A new topic may be missing from the broker's metadata for a moment.
    let deadline = tokio::time::Instant::now() + METADATA_TIMEOUT;
    loop {
        let found = describe(consumer).await?;
        if wanted.iter().all(|(name, _, _)| found.contains_key(*name)) {
            let ours = |topic: &String| wanted.iter().any(|(name, _, _)| name == topic);
            return Ok(found.into_iter().filter(|(topic, _)| ours(topic)).collect());
        }
        if tokio::time::Instant::now() > deadline {
            return Err(LogError::Topics { detail: "created topics did not appear in time".to_owned() });
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

pub(crate) async fn describe(consumer: &Arc<BaseConsumer>) -> Result<Partitions, LogError> {
    let consumer = Arc::clone(consumer);
    let described = tokio::task::spawn_blocking(move || {
        let metadata = consumer.fetch_metadata(None, METADATA_TIMEOUT)?;
        let count = |topic: &rdkafka::metadata::MetadataTopic| {
            (topic.name().to_owned(), u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX))
        };
        Ok::<_, rdkafka::error::KafkaError>(
            metadata.topics().iter().filter(|topic| topic.error().is_none()).map(count).collect(),
        )
    })
    .await;
    match described {
        Ok(Ok(partitions)) => Ok(partitions),
        Ok(Err(error)) => Err(LogError::Topics { detail: error.to_string() }),
        Err(error) => Err(LogError::Topics { detail: error.to_string() }),
    }
}
