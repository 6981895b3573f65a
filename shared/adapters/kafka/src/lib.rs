//! The log: a small interface to Kafka with defined guarantees.

pub mod commits_cursor;
pub mod commits_view;
pub mod error;
pub mod membership;
mod producer;
pub mod reader;
mod restore;
mod settling;
pub mod topic_ids;
pub mod topics;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

pub use commits_cursor::CommitsCursor;
pub use commits_view::CommitsView;
pub use error::LogError;
pub use membership::Membership;
pub use producer::Delivery;
pub use reader::Reader;
pub use topics::TopicPlan;

/// How long to wait for the acknowledgement of a record.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit of requests for metadata.
pub const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
/// The most unacknowledged data of a producer.
pub const PRODUCER_QUEUE_KIB: u32 = 64 * 1024;
/// The most prefetched data of a reader.
pub const READER_QUEUE_KIB: u32 = 16 * 1024;
/// The largest record; the broker has the same limit.
pub const RECORD_BYTES_MAX: u32 = 8 * 1024 * 1024;

/// How to connect to the log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Bootstrap servers, `host:port` separated by commas.
    pub brokers: String,
    /// Further librdkafka properties, such as those of TLS and SASL.
    pub properties: Vec<(String, String)>,
}

/// A connection to the log. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    settings: Arc<LogSettings>,
    producer: Arc<producer::Producer>,
    watermarks: Arc<BaseConsumer>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Log").field("brokers", &self.settings.brokers).finish_non_exhaustive()
    }
}

impl LogSettings {
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "weighbridge");
        config.set("allow.auto.create.topics", "false");
        // Reconnects quickly after a crash of the broker.
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", "weighbridge")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A position outside the log is an error, not a jump to another position.
            .set("auto.offset.reset", "error")
            // The broker answers as soon as there is a record. A long wait only avoids fifty requests a second for
            // each idle partition.
            .set("fetch.wait.max.ms", "500")
            // A block is about as large as the queue. By default a full queue waits a second.
            .set("fetch.queue.backoff.ms", "20")
            .set("fetch.error.backoff.ms", "50")
            .set("queued.max.messages.kbytes", READER_QUEUE_KIB.to_string())
            .set("fetch.message.max.bytes", RECORD_BYTES_MAX.to_string())
            .set("check.crcs", "true");
        config
    }
}

impl Log {
    /// Connects. Sends no request yet.
    ///
    /// # Errors
    /// [`LogError::Client`] if the settings are not valid.
    pub fn connect(settings: LogSettings) -> Result<Self, LogError> {
        let producer = producer::Producer::new(&settings)?;
        let watermarks = settings.consumer().create().map_err(LogError::client)?;
        Ok(Self {
            settings: Arc::new(settings),
            producer: Arc::new(producer),
            watermarks: Arc::new(watermarks),
        })
    }

    pub(crate) fn settings(&self) -> &LogSettings {
        &self.settings
    }

    /// Appends a record and waits until every in-sync replica has it. Returns its offset.
    ///
    /// # Errors
    /// [`LogError::QueueFull`] if too many records are waiting (nothing was sent), [`LogError::NotDelivered`] if the
    /// broker did not acknowledge it in time: then the record may be in the log or not.
    pub async fn append(
        &self,
        topic: &str,
        partition: u32,
        key: &[u8],
        payload: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<u64, LogError> {
        self.send(topic, partition, key, payload, headers)?.acknowledged().await
    }

    /// Queues a record after all earlier ones, without waiting.
    ///
    /// # Errors
    /// [`LogError::QueueFull`] if too many records are waiting (nothing was sent).
    pub fn send(
        &self,
        topic: &str,
        partition: u32,
        key: &[u8],
        payload: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<Delivery, LogError> {
        self.producer.send(topic, partition, key, payload, headers, None)
    }

    /// The first offset in the log, and the offset after the last record.
    ///
    /// # Errors
    /// [`LogError::Watermarks`] if the broker does not answer in time.
    pub async fn watermarks(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        let (consumer, name) = (Arc::clone(&self.watermarks), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || {
            let number = i32::try_from(partition).unwrap_or(i32::MAX);
            settling::ask(METADATA_TIMEOUT, || consumer.fetch_watermarks(&name, number, METADATA_TIMEOUT))
        })
        .await;
        let failed = |source| LogError::Watermarks { topic: topic.to_owned(), partition, source };
        match asked {
            Ok(Ok((low, high))) => Ok((u64::try_from(low).unwrap_or(0), u64::try_from(high).unwrap_or(0))),
            Ok(Err(source)) => Err(failed(source)),
            Err(_) => Err(failed(rdkafka::error::KafkaError::Canceled)),
        }
    }

    /// The offset after the last record.
    ///
    /// # Errors
    /// As [`Log::watermarks`].
    pub async fn end_offset(&self, topic: &str, partition: u32) -> Result<u64, LogError> {
        self.watermarks(topic, partition).await.map(|(_, high)| high)
    }

    /// The offset of the first record appended at or after an instant, to the millisecond; the offset after the last
    /// record if there is none.
    ///
    /// # Errors
    /// As [`Log::watermarks`].
    pub async fn first_offset_at(&self, topic: &str, partition: u32, at_us: i64) -> Result<u64, LogError> {
        let (consumer, name) = (Arc::clone(&self.watermarks), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || {
            let number = i32::try_from(partition).unwrap_or(i32::MAX);
            let mut wanted = TopicPartitionList::new();
            // Timestamps are whole milliseconds.
            let at_ms = at_us.div_euclid(1_000).max(0);
            wanted.add_partition_offset(&name, number, Offset::Offset(at_ms))?;
            let found = settling::ask(METADATA_TIMEOUT, || {
                consumer.offsets_for_times(wanted.clone(), METADATA_TIMEOUT)
            })?;
            Ok(found.find_partition(&name, number).map(|found| found.offset()))
        })
        .await;
        let failed = |source| LogError::Watermarks { topic: topic.to_owned(), partition, source };
        match asked {
            Ok(Ok(Some(Offset::Offset(offset)))) => Ok(u64::try_from(offset).unwrap_or(0)),
            Ok(Ok(_)) => self.end_offset(topic, partition).await,
            Ok(Err(source)) => Err(failed(source)),
            Err(_) => Err(failed(rdkafka::error::KafkaError::Canceled)),
        }
    }

    /// Reads a partition from an offset on.
    ///
    /// # Errors
    /// [`LogError::Client`] if the position cannot be set.
    pub fn read_from(&self, topic: &str, partition: u32, offset: u64) -> Result<Reader, LogError> {
        Reader::new(&self.settings, topic, partition, offset)
    }

    /// Reads the present records of a partition, from an offset on. For small topics.
    ///
    /// # Errors
    /// As [`Log::watermarks`] and [`Reader::next`].
    pub async fn read_all(
        &self,
        topic: &str,
        partition: u32,
        from_offset: u64,
    ) -> Result<Vec<wb_fold::LogRecord>, LogError> {
        let end = self.end_offset(topic, partition).await?;
        let mut records = Vec::new();
        if from_offset >= end {
            return Ok(records);
        }
        let mut reader = self.read_from(topic, partition, from_offset)?;
        loop {
            let record = reader.next().await?;
            let last = record.offset.saturating_add(1) >= end;
            records.push(record);
            if last {
                return Ok(records);
            }
        }
    }

    /// How many partitions each topic has.
    ///
    /// # Errors
    /// [`LogError::Topics`] if no broker answers.
    pub async fn partitions(&self) -> Result<topics::Partitions, LogError> {
        topics::describe(&self.watermarks).await
    }

    /// Reads the records of a partition in `[from, to)`; both must lie in the log. For ranges that fit into memory.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub async fn read_range(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        to: u64,
    ) -> Result<Vec<wb_fold::LogRecord>, LogError> {
        let mut records = Vec::new();
        if from >= to {
            return Ok(records);
        }
        let mut reader = self.read_from(topic, partition, from)?;
        for _ in from..to {
            records.push(reader.next().await?);
        }
        Ok(records)
    }

    /// The broker's ids of topics; a topic that does not exist has none.
    ///
    /// # Errors
    /// [`LogError::Topics`] if no broker answers or one refuses to describe a topic.
    pub async fn topic_ids(&self, topics: &[&str]) -> Result<topic_ids::TopicIds, LogError> {
        let asked = topic_ids::ask(&self.watermarks, topics, METADATA_TIMEOUT).await;
        asked.map_err(|error| LogError::Topics { detail: format!("their ids are not known: {error}") })
    }

    /// Creates the missing topics; returns how many partitions each topic has.
    ///
    /// # Errors
    /// [`LogError::Topics`] if the broker refuses or does not answer.
    pub async fn ensure_topics(&self, plan: &TopicPlan) -> Result<topics::Partitions, LogError> {
        topics::ensure(&self.settings, &self.watermarks, plan).await
    }
}
