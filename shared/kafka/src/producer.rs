//! The producer: idempotent, acknowledged by all replicas, bounded by bytes and by time.

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use crate::{DELIVERY_TIMEOUT, LogError, LogSettings, PRODUCER_QUEUE_KIB, RECORD_BYTES_MAX};

type Report = Result<u64, KafkaError>;

struct Reports;

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<oneshot::Sender<Report>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let report = match result {
            Ok(message) => u64::try_from(message.offset()).map_err(|_| KafkaError::Canceled),
            Err((error, _)) => Err(error.clone()),
        };
        // Whoever waited may have gone; the record is in the log all the same.
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
            // Records are frames already: what lingers is only what is sent at the same moment.
            .set("linger.ms", "1")
            .set("queue.buffering.max.kbytes", PRODUCER_QUEUE_KIB.to_string())
            .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
            .set("retry.backoff.ms", "50");
        let inner = config.create_with_context(Reports).map_err(LogError::client)?;
        Ok(Self { inner })
    }

    pub(crate) async fn append(
        &self,
        topic: &str,
        partition: u32,
        key: &[u8],
        payload: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<u64, LogError> {
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
        let not_delivered = |source| LogError::NotDelivered {
            topic: topic.to_owned(),
            partition,
            source: Box::new(source),
        };
        match self.inner.send(record) {
            Ok(()) => {}
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                return Err(LogError::QueueFull);
            }
            Err((source, _)) => return Err(not_delivered(source)),
        }
        match report.await {
            Ok(Ok(offset)) => Ok(offset),
            Ok(Err(source)) => Err(not_delivered(source)),
            Err(_) => Err(not_delivered(KafkaError::Canceled)),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // What was sent and not yet acknowledged gets a last chance; nobody was told it is safe.
        let _ = self.inner.flush(std::time::Duration::from_secs(2));
    }
}
