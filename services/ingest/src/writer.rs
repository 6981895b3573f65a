//! Writes frames. Events of many requests share a frame, and each sender is answered when its own are acknowledged.
//! The events of a request for one partition are queued in parcels, each within one frame, so that queueing costs
//! once per parcel, not once per event.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};
use wb_events::frame::{self, FRAME_BYTES_MAX, FRAME_EVENTS_MAX, FrameKey};
use wb_kafka::topics::Partitions;
use wb_kafka::{Delivery, Log, LogError};

use crate::limits;

type Durable = Result<u64, String>;

/// Encoded events that fit into one frame.
#[derive(Debug, Default)]
pub struct Parcel {
    events: Vec<Vec<u8>>,
    bytes: usize,
}

impl Parcel {
    /// Adds an event.
    pub fn push(&mut self, event: Vec<u8>) {
        self.bytes += event.len();
        self.events.push(event);
    }

    /// Whether it fills a frame; then it is queued and another one is started.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.events.len() >= FRAME_EVENTS_MAX || self.bytes >= FRAME_BYTES_MAX
    }

    fn takes(&self, other: &Self) -> bool {
        self.events.len() + other.events.len() <= FRAME_EVENTS_MAX && self.bytes < FRAME_BYTES_MAX
    }

    fn append(&mut self, mut other: Self) {
        self.bytes += other.bytes;
        self.events.append(&mut other.events);
    }
}

struct Waiting {
    parcel: Parcel,
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
                let (queue, waiting) = mpsc::channel(limits::WAITING_PARCELS_MAX);
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

    /// Queues a parcel; the receiver gets the offset of its frame once it is durable.
    ///
    /// # Errors
    /// [`LogError::QueueFull`] if there is no such partition or its queue has ended.
    pub async fn hand_over(
        &self,
        topic: &str,
        partition: u32,
        parcel: Parcel,
    ) -> Result<oneshot::Receiver<Durable>, LogError> {
        let (durable, told) = oneshot::channel();
        let queue = self.queues.get(&(topic.to_owned(), partition)).ok_or(LogError::QueueFull)?;
        queue.send(Waiting { parcel, durable }).await.map_err(|_| LogError::QueueFull)?;
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

/// Collects and sends frames in order. Several may be unacknowledged; the idempotent producer keeps their order.
async fn collect(target: Target, mut waiting: mpsc::Receiver<Waiting>) {
    let target = Arc::new(target);
    let under_way = Arc::new(Semaphore::new(limits::FRAMES_UNDER_WAY_MAX));
    let mut next_frame = None;
    loop {
        let first = match next_frame.take() {
            Some(first) => first,
            None => match waiting.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let mut frame = first.parcel;
        let mut told = vec![first.durable];
        let deadline = tokio::time::Instant::now() + limits::FRAME_LINGER;
        while !frame.is_full() {
            match tokio::time::timeout_at(deadline, waiting.recv()).await {
                Ok(Some(next)) if frame.takes(&next.parcel) => {
                    frame.append(next.parcel);
                    told.push(next.durable);
                }
                Ok(Some(next)) => {
                    next_frame = Some(next);
                    break;
                }
                Ok(None) | Err(_) => break,
            }
        }
        let Ok(permit) = Arc::clone(&under_way).acquire_owned().await else { return };
        // Sent here, in order; only the wait for the acknowledgement is a separate task.
        let sent = send(&target, frame.events);
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
        // If the requester has gone, it will send again; that is safe whether its events are in the log or not.
        let _ = sender.send(durable.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(events: usize, bytes_each: usize) -> Parcel {
        let mut parcel = Parcel::default();
        for _ in 0..events {
            parcel.push(vec![0; bytes_each]);
        }
        parcel
    }

    #[test]
    fn a_frame_never_holds_more_events_than_a_frame_may() {
        for first in 1..=FRAME_EVENTS_MAX {
            for second in 1..=FRAME_EVENTS_MAX {
                let (mut frame, next) = (parcel(first, 1), parcel(second, 1));
                let fits = first + second <= FRAME_EVENTS_MAX;
                assert_eq!(frame.takes(&next), fits, "{first} + {second}");
                if fits {
                    frame.append(next);
                    assert_eq!((frame.events.len(), frame.bytes), (first + second, first + second));
                }
            }
        }
    }

    #[test]
    fn a_parcel_is_full_by_events_or_by_bytes() {
        assert!(!parcel(FRAME_EVENTS_MAX - 1, 1).is_full());
        assert!(parcel(FRAME_EVENTS_MAX, 1).is_full());
        assert!(!parcel(1, FRAME_BYTES_MAX - 1).is_full());
        assert!(parcel(1, FRAME_BYTES_MAX).is_full());
        assert!(!parcel(2, FRAME_BYTES_MAX / 2).takes(&parcel(1, 1)));
    }
}
