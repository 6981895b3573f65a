//! Which partitions are ours: membership of the group of aggregators that share them.
//!
//! The group only hands partitions out (classic protocol, cooperative and sticky, so that a member
//! that comes or goes moves few of them). It reads nothing and commits nothing: where a partition
//! begins is said by the commits, and a reader of its own reads it. A member that was slow, or stood
//! still and woke, may go on for a while with partitions that are another's by then; the commits
//! fence it, the group need not.
//!
//! A member is known by an id that it keeps: killed and started again it gets its partitions back
//! at once. Two processes with one id are a mistake, and the earlier one is ended for it.

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
/// How long a member may take to put down partitions that another is to have.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Changes that may wait to be taken up.
const CHANGES_MAX: usize = 16;
/// How often the group is served.
const POLL: Duration = Duration::from_millis(100);
/// Heartbeats in one session, so that some may be lost.
const HEARTBEATS_PER_SESSION: u32 = 5;

/// A change of what is ours.
#[derive(Debug)]
pub enum Change {
    /// These are ours from now on.
    Assigned(Vec<TopicPartition>),
    /// These are to be put down; dropping the second part says that it is done.
    Revoked(Vec<TopicPartition>, Drained),
    /// Membership has ended, and nothing is ours any more.
    Ended(LogError),
}

/// Held until what was revoked is put down.
#[derive(Debug)]
pub struct Drained(#[expect(dead_code, reason = "its drop is the message")] std::sync::mpsc::Sender<()>);

/// A membership. It ends when it is dropped.
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
                // Returns at the drop of the other end. Whoever is slower is fenced by the commits.
                let _ = done.recv_timeout(DRAIN_TIMEOUT);
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                // Others read: this consumer is here for the assignment alone.
                if let Err(error) = consumer.pause(list) {
                    tracing::debug!(%error, "what the group fetches is thrown away");
                }
                let _ = self.changes.blocking_send(Change::Assigned(partitions_of(list)));
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => tracing::warn!(%error, "the group could not share its partitions out"),
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
    /// Joins the group under an id that no other member has. A member that is not heard of for
    /// `session_timeout` loses its partitions to the others.
    ///
    /// # Errors
    /// [`LogError::Client`] where the settings are not accepted.
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
        // A thread of its own: a drain blocks it, and the group must be served whatever else runs.
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
            // A broker that is away comes back; a refusal is told, as it stays until somebody acts.
            Some(Err(error)) if is_refusal(&error) => {
                tracing::warn!(%error, "the broker does not let this aggregator into the group");
            }
            Some(Err(error)) => tracing::debug!(%error, "the group is waited for"),
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
