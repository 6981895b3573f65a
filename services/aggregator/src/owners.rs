//! The partitions that this aggregator works on: one task each, taken up and put down one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use wb_clickhouse::Store;
use wb_events::commits::TopicPartition;
use wb_events::topics;
use wb_kafka::{CommitsView, Log};

use crate::config::AggregatorConfig;
use crate::partition::PartitionOwner;
use crate::pause::{RETRY_MAX, RETRY_MIN, stopped};

/// How often it is told how far names are behind the log.
const LAG_EVERY: Duration = Duration::from_secs(10);

/// What is held now, for whoever must know.
#[derive(Debug, Clone)]
pub(crate) struct Holdings(watch::Receiver<BTreeSet<TopicPartition>>);

impl Holdings {
    /// Whether the work that one aggregator does for all is ours: that of who holds the only
    /// partition of `reference`. Two that believe so for a moment do no harm, only work.
    pub(crate) fn leads(&self) -> bool {
        leads(&self.0.borrow())
    }

    /// Waits until that work is ours, or no longer. Once nothing more will change it waits for ever.
    pub(crate) async fn until_leading_is(&mut self, ours: bool) {
        if self.0.wait_for(|held| leads(held) == ours).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn leads(held: &BTreeSet<TopicPartition>) -> bool {
    held.contains(&TopicPartition::new(topics::REFERENCE, 0))
}

/// A partition's task.
struct OwnerTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// All tasks.
pub(crate) struct PartitionOwners {
    config: AggregatorConfig,
    log: Log,
    store: Store,
    commits: CommitsView,
    tasks: BTreeMap<TopicPartition, OwnerTask>,
    held: watch::Sender<BTreeSet<TopicPartition>>,
}

impl PartitionOwners {
    pub(crate) fn new(config: AggregatorConfig, log: Log, store: Store, commits: CommitsView) -> Self {
        let (held, _) = watch::channel(BTreeSet::new());
        Self { config, log, store, commits, tasks: BTreeMap::new(), held }
    }

    pub(crate) fn holdings(&self) -> Holdings {
        Holdings(self.held.subscribe())
    }

    fn tell_held(&self) {
        self.held.send_replace(self.tasks.keys().cloned().collect());
    }

    /// Begins to work on partitions; those that are worked on already go on.
    pub(crate) async fn take_up(&mut self, partitions: Vec<TopicPartition>) {
        for chain in partitions {
            if self.tasks.contains_key(&chain) {
                continue;
            }
            tracing::info!(topic = chain.topic, partition = chain.partition, "a partition is taken up");
            let owner = PartitionOwner {
                chain: chain.clone(),
                config: self.config.clone(),
                log: self.log.clone(),
                store: self.store.clone(),
                commits: self.commits.clone(),
            };
            let (stop, stopping) = watch::channel(false);
            let task = tokio::spawn(keep_running(owner, stopping));
            self.tasks.insert(chain, OwnerTask { stop, task });
        }
        self.tell_held();
    }

    /// Tells how far each held partition's names are behind its log, until the end.
    pub(crate) fn tell_lag(&self, mut shutdown: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        let (log, commits, held) = (self.log.clone(), self.commits.clone(), self.held.subscribe());
        async move {
            loop {
                tokio::select! {
                    () = stopped(&mut shutdown) => return,
                    () = tokio::time::sleep(LAG_EVERY) => {}
                }
                let chains: Vec<TopicPartition> = held.borrow().iter().cloned().collect();
                for chain in chains {
                    // A broker that is away has no end to tell.
                    let Ok(end) = log.end_offset(&chain.topic, chain.partition).await else { continue };
                    let committed = commits.head(&chain).map_or(0, |head| head.commit.end_offset);
                    let labels = [("topic", chain.topic.clone()), ("partition", chain.partition.to_string())];
                    metrics::gauge!("weighbridge_lag_records", &labels)
                        .set(wb_observe::figure(end.saturating_sub(committed)));
                }
            }
        }
    }

    /// Stops working on partitions, and returns once no commit of theirs is under way.
    pub(crate) async fn put_down(&mut self, partitions: &[TopicPartition]) {
        let tasks: Vec<(TopicPartition, OwnerTask)> =
            partitions.iter().filter_map(|chain| self.tasks.remove_entry(chain)).collect();
        self.tell_held();
        // All are told first: they end side by side.
        for (_, post) in &tasks {
            post.stop.send_replace(true);
        }
        for (chain, post) in tasks {
            match post.task.await {
                Ok(()) => {
                    tracing::info!(
                        topic = chain.topic,
                        partition = chain.partition,
                        "a partition is put down"
                    );
                }
                Err(error) => tracing::error!(%error, "the task of a partition ended badly"),
            }
        }
    }

    pub(crate) async fn put_down_all(&mut self) {
        let all: Vec<TopicPartition> = self.tasks.keys().cloned().collect();
        self.put_down(&all).await;
    }
}

/// Runs one partition; what fails is begun again from the last name, after a growing pause.
async fn keep_running(owner: PartitionOwner, mut shutdown: watch::Receiver<bool>) {
    let mut pause = RETRY_MIN;
    while !*shutdown.borrow() {
        let started = tokio::time::Instant::now();
        match owner.run(shutdown.clone()).await {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(
                    topic = owner.chain.topic,
                    partition = owner.chain.partition,
                    error = wb_units::with_causes(&error),
                    "the partition stopped and is begun again from its last name"
                );
            }
        }
        if started.elapsed() > RETRY_MAX {
            pause = RETRY_MIN;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopped(&mut shutdown) => return,
        }
        pause = pause.saturating_mul(2).min(RETRY_MAX);
    }
}
