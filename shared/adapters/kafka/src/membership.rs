//! Membership of the group of aggregators, which assigns the partitions to them.
//!
//! The group only assigns partitions (classic protocol, cooperative and sticky, so that few partitions move when a
//! member joins or leaves). Its consumer reads and commits nothing: the commits state where a partition continues,
//! and separate readers read it. A member that was slow or suspended may work on for a while on partitions that have
//! another owner; the chain of commits rejects its blocks.
//!
//! A member keeps its id, so after a restart it gets its partitions back at once. If two processes use the same id,
//! the earlier one is removed from the group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::mpsc;
use wb_events::commits::TopicPartition;
use wb_events::topics;

use crate::{Log, LogError};

/// The group's name.
const GROUP: &str = "weighbridge-aggregators";
/// How long a member may take to stop work on revoked partitions.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The most changes that wait.
const CHANGES_MAX: usize = 16;
/// How often the group's events are polled.
const POLL: Duration = Duration::from_millis(100);
/// Heartbeats per session timeout, so that some may be lost.
const HEARTBEATS_PER_SESSION: u32 = 5;

/// A change of the assignment.
#[derive(Debug)]
pub enum Change {
    /// These partitions are assigned to this member.
    Assigned(Vec<TopicPartition>),
    /// These partitions are revoked; drop the second part once work on them has stopped.
    Revoked(Vec<TopicPartition>, Drained),
    /// Membership has ended; no partition is assigned.
    Ended(LogError),
}

/// Held until work on revoked partitions has stopped.
#[derive(Debug)]
pub struct Drained(#[expect(dead_code, reason = "its drop is the message")] std::sync::mpsc::Sender<()>);

/// A membership. It ends when dropped.
#[derive(Debug)]
pub struct Membership {
    changes: mpsc::Receiver<Change>,
    over: Arc<AtomicBool>,
}

struct Context {
    changes: mpsc::Sender<Change>,
}

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let (held, done) = std::sync::mpsc::channel();
            let change = Change::Revoked(partitions_of(list), Drained(held));
            if self.changes.blocking_send(change).is_ok() {
                // Returns when the other end is dropped. A slower owner is fenced by the commits.
                let _ = done.recv_timeout(DRAIN_TIMEOUT);
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                // This consumer is only for the assignment; other readers read the partitions.
                if let Err(error) = consumer.pause(list) {
                    tracing::debug!(%error, "fetched records are discarded");
                }
                let _ = self.changes.blocking_send(Change::Assigned(partitions_of(list)));
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => tracing::warn!(%error, "the group could not assign its partitions"),
        }
    }
}

fn partitions_of(list: &TopicPartitionList) -> Vec<TopicPartition> {
    let mut partitions: Vec<TopicPartition> = list
        .elements()
        .iter()
        .filter_map(|element| {
            let partition = u32::try_from(element.partition()).ok()?;
            Some(TopicPartition::new(element.topic(), partition))
        })
        .collect();
    partitions.sort();
    partitions
}

impl Membership {
    /// Joins the group under an id that no other member has. A member without heartbeats for `session_timeout` loses
    /// its partitions.
    ///
    /// # Errors
    /// [`LogError::Client`] if the settings are not valid.
    pub fn join(log: &Log, instance_id: &str, session_timeout: Duration) -> Result<Self, LogError> {
        let (sender, changes) = mpsc::channel(CHANGES_MAX);
        let mut config = log.settings().consumer();
        config
            .set("group.id", GROUP)
            .set("group.instance.id", instance_id)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session_timeout.as_millis().to_string())
            .set(
                "heartbeat.interval.ms",
                (session_timeout / HEARTBEATS_PER_SESSION).as_millis().max(1).to_string(),
            )
            .set("auto.offset.reset", "latest");
        let context = Context { changes: sender.clone() };
        let consumer: BaseConsumer<Context> =
            config.create_with_context(context).map_err(LogError::client)?;
        consumer.subscribe(&topics::EVENT_TOPICS).map_err(LogError::client)?;
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        // A separate thread, because stopping work blocks it and the group must always be polled.
        std::thread::Builder::new()
            .name("membership".to_owned())
            .spawn(move || serve(&consumer, &sender, &stop))
            .map_err(|error| LogError::Membership { detail: error.to_string() })?;
        Ok(Self { changes, over })
    }

    /// Waits for the next change. Safe to cancel.
    pub async fn next(&mut self) -> Change {
        match self.changes.recv().await {
            Some(change) => change,
            None => Change::Ended(LogError::Membership { detail: "its thread has ended".to_owned() }),
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn serve(consumer: &BaseConsumer<Context>, changes: &mpsc::Sender<Change>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        match consumer.poll(POLL) {
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                let _ =
                    changes.blocking_send(Change::Ended(LogError::Membership { detail: error.to_string() }));
                return;
            }
            // A broker that is away will come back. A refusal is logged, because it stays until somebody acts.
            Some(Err(error)) if is_refusal(&error) => {
                tracing::warn!(%error, "the broker does not admit this aggregator to the group");
            }
            Some(Err(error)) => tracing::debug!(%error, "waiting for the group"),
            Some(Ok(_)) | None => {}
        }
    }
}

fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::InvalidSessionTimeout
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::InconsistentGroupProtocol
                | RDKafkaErrorCode::GroupMaxSizeReached
                | RDKafkaErrorCode::TopicAuthorizationFailed
        )
    )
}
