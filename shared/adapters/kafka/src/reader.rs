//! Reads one partition in order, without gaps, from an explicit position.

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use wb_fold::LogRecord;

use crate::{LogError, LogSettings};

/// A reader of one partition.
pub struct Reader {
    consumer: StreamConsumer,
    topic: String,
    partition: u32,
    next_offset: u64,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Reader")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("next_offset", &self.next_offset)
            .finish_non_exhaustive()
    }
}

impl Reader {
    pub(crate) fn new(
        settings: &LogSettings,
        topic: &str,
        partition: u32,
        offset: u64,
    ) -> Result<Self, LogError> {
        let consumer: StreamConsumer = settings.consumer().create().map_err(LogError::client)?;
        let mut position = TopicPartitionList::new();
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let at = Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX));
        position.add_partition_offset(topic, number, at).map_err(LogError::client)?;
        consumer.assign(&position).map_err(LogError::client)?;
        Ok(Self { consumer, topic: topic.to_owned(), partition, next_offset: offset })
    }

    /// Waits for the next record, also while the broker is away; the caller limits the time. Safe to cancel: a record
    /// that was not returned comes next time.
    ///
    /// # Errors
    /// [`LogError::Read`] if the position is not in the log, [`LogError::Gap`] if offsets are missing.
    pub async fn next(&mut self) -> Result<LogRecord, LogError> {
        loop {
            match self.consumer.recv().await {
                Ok(message) => {
                    let found = u64::try_from(message.offset()).unwrap_or(0);
                    if found != self.next_offset {
                        return Err(LogError::Gap {
                            topic: self.topic.clone(),
                            partition: self.partition,
                            wanted: self.next_offset,
                            found,
                        });
                    }
                    self.next_offset = found.saturating_add(1);
                    return Ok(LogRecord {
                        offset: found,
                        append_time_us: message.timestamp().to_millis().unwrap_or(0).saturating_mul(1_000),
                        payload: message.payload().unwrap_or_default().to_vec(),
                    });
                }
                Err(error) if is_fatal(&error) => {
                    return Err(LogError::Read {
                        topic: self.topic.clone(),
                        partition: self.partition,
                        offset: self.next_offset,
                        source: Box::new(error),
                    });
                }
                Err(error) => {
                    tracing::debug!(topic = self.topic, partition = self.partition, %error, "waiting for the broker");
                }
            }
        }
    }
}

/// Errors that waiting does not resolve: the position or the topic is gone.
fn is_fatal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
        )
    )
}
