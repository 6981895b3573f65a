//! Frames: events of many requests travel together, and each sender is told when its own are
//! acknowledged.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};
use wb_events::frame::{self, FRAME_BYTES_MAX, FRAME_EVENTS_MAX, FrameKey};
use wb_kafka::topics::Partitions;
use wb_kafka::{Delivery, Log, LogError};

use crate::limits;

type Durable = Result<u64, String>;

struct Waiting {
    event: Vec<u8>,
    durable: oneshot::Sender<Durable>,
}

/// Writes events into frames, one queue per partition.
#[derive(Debug, Clone)]
pub struct FrameWriter {
    queues: Arc<HashMap<(String, u32), mpsc::Sender<Waiting>>>,
    partitions: Arc<Partitions>,
}

impl FrameWriter {
    /// Starts a queue for every partition of the event topics.
    #[must_use]
    pub fn start(log: &Log, partitions: &Partitions, key: &FrameKey, writer: &str) -> Self {
        let mut queues = HashMap::new();
        for (topic, count) in partitions {
            if !wb_events::topics::EVENT_TOPICS.contains(&topic.as_str()) {
                continue;
            }
            for partition in 0..*count {
                let (queue, waiting) = mpsc::channel(limits::WAITING_EVENTS_MAX);
                let target = Target {
                    log: log.clone(),
                    topic: topic.clone(),
                    partition,
                    key: key.clone(),
                    writer: writer.to_owned(),
                };
                tokio::spawn(collect(target, waiting));
                queues.insert((topic.clone(), partition), queue);
            }
        }
        Self { queues: Arc::new(queues), partitions: Arc::new(partitions.clone()) }
    }

    /// How many partitions a topic has.
    #[must_use]
    pub fn partitions_of(&self, topic: &str) -> u32 {
        self.partitions.get(topic).copied().unwrap_or(1)
    }

    /// Hands an event over; the receiver tells the offset of its frame once it is durable.
    ///
    /// # Errors
    /// [`LogError::QueueFull`] where there is no such partition or its queue has ended.
    pub async fn hand_over(
        &self,
        topic: &str,
        partition: u32,
        event: Vec<u8>,
    ) -> Result<oneshot::Receiver<Durable>, LogError> {
        let (durable, told) = oneshot::channel();
        let queue = self.queues.get(&(topic.to_owned(), partition)).ok_or(LogError::QueueFull)?;
        queue.send(Waiting { event, durable }).await.map_err(|_| LogError::QueueFull)?;
        Ok(told)
    }
}

struct Target {
    log: Log,
    topic: String,
    partition: u32,
    key: FrameKey,
    writer: String,
}

/// Collects frames in order. Several may be under way at once; the idempotent producer keeps
/// their order.
async fn collect(target: Target, mut waiting: mpsc::Receiver<Waiting>) {
    let target = Arc::new(target);
    let under_way = Arc::new(Semaphore::new(limits::FRAMES_UNDER_WAY_MAX));
    while let Some(first) = waiting.recv().await {
        let mut bytes = first.event.len();
        let mut frame = vec![first];
        let deadline = tokio::time::Instant::now() + limits::FRAME_LINGER;
        while frame.len() < FRAME_EVENTS_MAX && bytes < FRAME_BYTES_MAX {
            match tokio::time::timeout_at(deadline, waiting.recv()).await {
                Ok(Some(next)) => {
                    bytes += next.event.len();
                    frame.push(next);
                }
                Ok(None) | Err(_) => break,
            }
        }
        let Ok(permit) = Arc::clone(&under_way).acquire_owned().await else { return };
        let (events, told): (Vec<_>, Vec<_>) =
            frame.into_iter().map(|waiting| (waiting.event, waiting.durable)).unzip();
        // Handed over here, in order; only the wait for the acknowledgement is a task of its own.
        let sent = send(&target, events);
        let target = Arc::clone(&target);
        tokio::spawn(async move {
            let durable = match sent {
                Ok(delivery) => delivery.acknowledged().await,
                Err(error) => Err(error),
            };
            tell(&target, durable, told);
            drop(permit);
        });
    }
}

fn send(target: &Target, events: Vec<Vec<u8>>) -> Result<Delivery, LogError> {
    let record = frame::encode_events(&target.writer, events, &target.key);
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_type", "weighbridge.frame.v1"),
        ("ce_source", target.writer.as_str()),
        ("content-type", "application/x-protobuf"),
    ];
    target.log.send(&target.topic, target.partition, &[], &record, &headers)
}

fn tell(target: &Target, durable: Result<u64, LogError>, told: Vec<oneshot::Sender<Durable>>) {
    let durable = durable.map_err(|error| {
        tracing::warn!(topic = target.topic, partition = target.partition, %error, "a frame was not acknowledged");
        error.to_string()
    });
    for sender in told {
        // A sender that has gone will send again; its events are in the log or not, both are safe.
        let _ = sender.send(durable.clone());
    }
}
