//! The producer: idempotent, acknowledged by all replicas, with limits of bytes and time.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Timestamp};
use tokio::sync::oneshot;

use crate::topics::QUARANTINE_ENVELOPE_BYTES_MAX;
use crate::{DELIVERY_TIMEOUT, LogError, LogSettings, PRODUCER_QUEUE_KIB, RECORD_BYTES_MAX};

/// The record's offset, and its time in milliseconds if the broker set it.
type Report = Result<(u64, Option<i64>), KafkaError>;

struct Reports;

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<oneshot::Sender<Report>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let report = match result {
            Ok(message) => {
                let set_by_broker = match message.timestamp() {
                    Timestamp::LogAppendTime(time_ms) => Some(time_ms),
                    Timestamp::CreateTime(_) | Timestamp::NotAvailable => None,
                };
                let offset = u64::try_from(message.offset()).map_err(|_| KafkaError::Canceled);
                offset.map(|offset| (offset, set_by_broker))
            }
            Err((error, _)) => Err(error.clone()),
        };
        // The waiting caller may be gone; the record is in the log anyway.
        let _ = waiting.send(report);
    }
}

pub(crate) struct Producer {
    inner: ThreadedProducer<Reports>,
}

impl Producer {
    pub(crate) fn new(settings: &LogSettings) -> Result<Self, LogError> {
        let mut config = settings.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("delivery.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
            // Records are already frames, so only simultaneous ones are batched.
            .set("linger.ms", "1")
            .set("queue.buffering.max.kbytes", PRODUCER_QUEUE_KIB.to_string())
            // The broker applies each topic's own limit; one topic takes larger records.
            .set("message.max.bytes", (RECORD_BYTES_MAX + QUARANTINE_ENVELOPE_BYTES_MAX).to_string())
            .set("retry.backoff.ms", "50");
        let inner = config.create_with_context(Reports).map_err(LogError::client)?;
        Ok(Self { inner })
    }

    /// Queues a record, optionally with its own time.
    pub(crate) fn send(
        &self,
        topic: &str,
        partition: u32,
        key: &[u8],
        payload: &[u8],
        headers: &[(&str, &str)],
        time_ms: Option<i64>,
    ) -> Result<Delivery, LogError> {
        let (waiting, report) = oneshot::channel();
        let mut owned = OwnedHeaders::new_with_capacity(headers.len());
        for (name, value) in headers {
            owned = owned.insert(Header { key: name, value: Some(*value) });
        }
        let record = BaseRecord::with_opaque_to(topic, Box::new(waiting))
            .partition(i32::try_from(partition).unwrap_or(i32::MAX))
            .key(key)
            .payload(payload)
            .headers(owned);
        let record = match time_ms {
            Some(time_ms) => record.timestamp(time_ms),
            None => record,
        };
        let delivery = Delivery { topic: topic.to_owned(), partition, report };
        match self.inner.send(record) {
            Ok(()) => Ok(delivery),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Err(LogError::QueueFull),
            Err((source, _)) => Err(delivery.failed(source)),
        }
    }
}

/// A queued record that is not acknowledged yet.
#[derive(Debug)]
pub struct Delivery {
    topic: String,
    partition: u32,
    report: oneshot::Receiver<Report>,
}

impl Delivery {
    fn failed(&self, source: KafkaError) -> LogError {
        LogError::NotDelivered {
            topic: self.topic.clone(),
            partition: self.partition,
            source: Box::new(source),
        }
    }

    /// Waits for the acknowledgement; returns the record's offset.
    ///
    /// # Errors
    /// [`LogError::NotDelivered`]: the record may or may not be in the log.
    pub async fn acknowledged(self) -> Result<u64, LogError> {
        self.reported().await.map(|(offset, _)| offset)
    }

    pub(crate) async fn reported(mut self) -> Result<(u64, Option<i64>), LogError> {
        match (&mut self.report).await {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(source)) => Err(self.failed(source)),
            Err(_) => Err(self.failed(KafkaError::Canceled)),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // Unacknowledged records get a last chance; their senders have no confirmation.
        let _ = self.inner.flush(std::time::Duration::from_secs(2));
    }
}
