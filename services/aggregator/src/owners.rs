//! The partitions that this aggregator owns, with one task each.

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

/// How often the lag of commits behind the log is measured.
const LAG_EVERY: Duration = Duration::from_secs(10);

/// The partitions that are owned at present.
#[derive(Debug, Clone)]
pub(crate) struct Holdings(watch::Receiver<BTreeSet<TopicPartition>>);

impl Holdings {
    /// Whether this aggregator is the leader: it owns the only partition of `reference`. Two may believe so for a
    /// moment; this costs work but does no harm.
    pub(crate) fn leads(&self) -> bool {
        leads(&self.0.borrow())
    }

    /// Waits until this aggregator becomes the leader (`ours`) or stops being it. If that can no longer change, waits
    /// forever.
    pub(crate) async fn until_leading_is(&mut self, ours: bool) {
        if self.0.wait_for(|held| leads(held) == ours).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn leads(held: &BTreeSet<TopicPartition>) -> bool {
    held.contains(&TopicPartition::new(topics::REFERENCE, 0))
}

/// The task of one partition.
struct OwnerTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The tasks of all owned partitions.
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

    /// Starts a task for each partition that has none.
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

    /// Measures until shutdown how far the commits of each owned partition are behind its log.
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
                    // Skipped while the broker is away.
                    let Ok(end) = log.end_offset(&chain.topic, chain.partition).await else { continue };
                    let committed = commits.head(&chain).map_or(0, |head| head.commit.end_offset);
                    let labels = [("topic", chain.topic.clone()), ("partition", chain.partition.to_string())];
                    metrics::gauge!("weighbridge_lag_records", &labels)
                        .set(wb_observe::figure(end.saturating_sub(committed)));
                }
            }
        }
    }

    /// Stops the tasks of these partitions; returns once none has a commit in progress.
    pub(crate) async fn put_down(&mut self, partitions: &[TopicPartition]) {
        let tasks: Vec<(TopicPartition, OwnerTask)> =
            partitions.iter().filter_map(|chain| self.tasks.remove_entry(chain)).collect();
        self.tell_held();
        // All are stopped before any is waited for, so they end in parallel.
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
                Err(error) => tracing::error!(%error, "the task of a partition failed"),
            }
        }
    }

    pub(crate) async fn put_down_all(&mut self) {
        let all: Vec<TopicPartition> = self.tasks.keys().cloned().collect();
        self.put_down(&all).await;
    }
}

/// Runs one partition until shutdown. After a failure it starts again from the last commit, after a growing pause.
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
                    "the partition failed and starts again from its last commit"
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
