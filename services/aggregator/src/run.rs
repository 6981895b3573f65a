//! Runs the aggregator: its partitions and the tasks of the leader, until shutdown.

use tokio::sync::watch;
use tokio::task::JoinSet;
use wb_clickhouse::Store;
use wb_events::commits::TopicPartition;
use wb_events::topics;
use wb_kafka::commits_view::follow_channel;
use wb_kafka::membership::Change;
use wb_kafka::topics::Partitions;
use wb_kafka::{CommitsView, Log, Membership};

use crate::config::AggregatorConfig;
use crate::error::AggregatorError;
use crate::garbage::collect_garbage;
use crate::pause::stopped;
use crate::project::Projector;
use crate::{conserve, owners, publish, seal};

/// Which partitions an aggregator works on.
enum Assignment {
    /// All of them: the aggregator is alone.
    All(Partitions),
    /// Those that the group assigns.
    OfGroup(Membership),
}

/// An aggregator that has read the commits and owns no partition yet.
pub struct Aggregator {
    config: AggregatorConfig,
    log: Log,
    store: Store,
    commits: CommitsView,
    projector: Projector,
    assignment: Assignment,
    shutdown: watch::Receiver<bool>,
}

impl Aggregator {
    /// Reads all commits, projects them, and joins the group if a member is configured. `log_id` becomes the id of
    /// the log if the log is not pinned yet.
    ///
    /// # Errors
    /// [`AggregatorError::Commits`], [`AggregatorError::Group`].
    pub async fn start(
        config: AggregatorConfig,
        log: Log,
        store: Store,
        partitions: Partitions,
        log_id: [u8; 16],
        shutdown: watch::Receiver<bool>,
    ) -> Result<Self, AggregatorError> {
        let (sender, follow) = follow_channel();
        // The projector must run before the view is awaited, because the view sends it every commit.
        let projector = Projector::start(store.clone(), follow, shutdown.clone());
        let commits = CommitsView::start(log.clone(), &partitions, log_id, Some(sender))
            .await
            .map_err(AggregatorError::Commits)?;
        let assignment = match &config.member {
            None => Assignment::All(partitions),
            Some(member) => {
                let joined = Membership::join(&log, &member.id, member.session_timeout);
                Assignment::OfGroup(joined.map_err(AggregatorError::Group)?)
            }
        };
        Ok(Self { config, log, store, commits, projector, assignment, shutdown })
    }

    /// Runs the event partitions until `shutdown` is true; returns once no commit is in progress.
    ///
    /// # Errors
    /// [`AggregatorError::Log`] if membership of the group ended.
    pub async fn run(self) -> Result<(), AggregatorError> {
        let Self { config, log, store, commits, projector, assignment, mut shutdown } = self;
        let mut tasks = JoinSet::new();
        tasks.spawn(projector.ended());
        let (seal_pace, who) = (config.seal_pace, config.name.clone());
        let publisher = publish::Publisher {
            log: log.clone(),
            store: store.clone(),
            commits: commits.clone(),
            writer: config.name.clone(),
        };
        let sealer = seal::Sealer::new(log.clone(), store.clone(), commits.clone());
        let mut owners = owners::PartitionOwners::new(config, log, store.clone(), commits.clone());
        let watch = conserve::Watch { store: store.clone(), commits, who, holdings: owners.holdings() };
        tasks.spawn(sealer.keep_sealing(seal_pace, owners.holdings(), shutdown.clone()));
        tasks.spawn(watch.keep_watching(shutdown.clone()));
        tasks.spawn(owners.tell_lag(shutdown.clone()));
        tasks.spawn(publish::keep_publishing(publisher, owners.holdings(), shutdown.clone()));
        tasks.spawn(collect_garbage(store, owners.holdings(), shutdown.clone()));
        let ended = match assignment {
            Assignment::All(partitions) => {
                let counts =
                    partitions.iter().filter(|(topic, _)| topics::EVENT_TOPICS.contains(&topic.as_str()));
                let all =
                    counts.flat_map(|(topic, count)| (0..*count).map(|it| TopicPartition::new(topic, it)));
                owners.take_up(all.collect()).await;
                stopped(&mut shutdown).await;
                Ok(())
            }
            Assignment::OfGroup(membership) => follow_group(membership, &mut owners, &mut shutdown).await,
        };
        owners.put_down_all().await;
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the aggregator failed");
            }
        }
        ended
    }
}

/// Takes up and puts down partitions as the group assigns them, until shutdown.
async fn follow_group(
    mut membership: Membership,
    owners: &mut owners::PartitionOwners,
    shutdown: &mut watch::Receiver<bool>,
) -> Result<(), AggregatorError> {
    loop {
        let change = tokio::select! {
            () = stopped(shutdown) => return Ok(()),
            change = membership.next() => change,
        };
        match change {
            Change::Assigned(partitions) => owners.take_up(partitions).await,
            Change::Revoked(partitions, drained) => {
                owners.put_down(&partitions).await;
                drop(drained);
            }
            Change::Ended(error) => return Err(AggregatorError::Log(error)),
        }
    }
}
