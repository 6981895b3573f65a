//! The scale: Kafka to verdict to sealed block in ClickHouse. One task a partition; each block
//! is folded, written, read back, and counts once it is committed in the log.

mod archive;
mod commit;
mod conserve;
mod owners;
mod partition;
mod project;
mod publish;
mod recover;
pub mod seal;

pub use project::Projector;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use wb_clickhouse::{Store, StoreError};
use wb_events::commits::TopicPartition;
use wb_events::frame::FrameKey;
use wb_events::topics;
use wb_fold::{ArchiveError, FoldError};
use wb_framearchive::{FrameArchive, FrameArchiveError};
use wb_kafka::membership::Change;
use wb_kafka::topics::Partitions;
use wb_kafka::{CommitsView, Log, LogError, Membership};

/// Where something waits, a punctuation closes the block after this long.
pub const PUNCTUATE_AFTER: Duration = Duration::from_secs(1);
/// How often attempts that lost are removed.
pub const COLLECT_EVERY: Duration = Duration::from_secs(600);
/// The shortest pause before something that failed is tried again.
pub const RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest pause before something that failed is tried again.
pub const RETRY_MAX: Duration = Duration::from_secs(5);

/// What the aggregator needs to run.
#[derive(Debug, Clone)]
pub struct AggregatorConfig {
    /// The key that frames are signed with.
    pub frame_key: FrameKey,
    /// Its name in the punctuations it writes.
    pub name: String,
    /// Where proofs of older tips and snapshots are kept, one folder a partition.
    pub state_dir: PathBuf,
    /// Where the records of blocks are archived before they are committed, if anywhere.
    pub frame_archive: Option<Arc<dyn FrameArchive>>,
    /// How long something waits before a punctuation closes its block.
    pub punctuate_after: Duration,
    /// How often days are sealed.
    pub seal_pace: seal::SealPace,
}

/// Why a partition stopped for now.
#[derive(Debug, thiserror::Error)]
pub enum AggregatorError {
    /// The log failed.
    #[error("the log failed")]
    Log(#[source] LogError),
    /// ClickHouse failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// What was read again is not what was committed.
    #[error(
        "WB-5611 block {block} of {topic}/{partition} was committed with another {what} than its log gives now: \
         the log or the fold has changed; nothing more of this partition is committed"
    )]
    History {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The block.
        block: u64,
        /// What differs.
        what: &'static str,
    },
    /// The log no longer holds the partition's beginning.
    #[error(
        "WB-5612 {topic}/{partition} begins at offset {low}, and its state is recovered from offset {wanted} \
         on: retention has dropped records that the frame archive lacks too; bring its folder back, or restore \
         the records"
    )]
    BeginningLost {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The first offset still held.
        low: u64,
        /// The first offset that is needed.
        wanted: u64,
    },
    /// A block could not be archived, or read from the archive.
    #[error("the frame archive failed")]
    FrameArchive(#[source] FrameArchiveError),
    /// The log ends before what was committed.
    #[error(
        "WB-5614 {topic}/{partition} ends at offset {high}, but blocks are committed up to {committed}: the log has \
         lost its tail; nothing more of this partition is committed, so that two histories are not mixed"
    )]
    TailLost {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// One past the last record.
        high: u64,
        /// One past the last committed record.
        committed: u64,
    },
    /// The fold broke the conservation law.
    #[error(
        "WB-5613 block {block} of {topic}/{partition} does not add up: {accepted} accepted + {duplicate} duplicate + {rejected} rejected is not {events} events; nothing more is committed"
    )]
    NotConserved {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The block.
        block: u64,
        /// Accepted events.
        accepted: u64,
        /// Duplicate events.
        duplicate: u64,
        /// Rejected events.
        rejected: u64,
        /// All events.
        events: u64,
    },
    /// The proofs of older tips failed.
    #[error("the archive of proofs failed")]
    Archive(#[source] ArchiveError),
    /// A block could not be folded.
    #[error("a block could not be folded")]
    Rules(#[source] FoldError),
    /// A seal does not hold what was read.
    #[error("the rows of a seal of day {day} are not what its day adds up to; it is left uncommitted")]
    Seal {
        /// The day, counted since 1970-01-01 UTC.
        day: i32,
    },
    /// No random attempt could be drawn.
    #[error("the operating system gave no random number")]
    Random,
    /// The fold's thread was lost.
    #[error("the fold did not finish: {0}")]
    Fold(String),
}

/// Which partitions an aggregator works on.
#[derive(Debug)]
pub enum PartitionAssignment {
    /// All of them: it is alone.
    All(Partitions),
    /// Those that the group gives it.
    OfGroup(Membership),
}

/// Runs partitions of the event topics until `shutdown` turns true, then returns once no commit is
/// under way.
///
/// The projector is started before the view of commits is: it takes what the view reads.
///
/// # Errors
/// [`AggregatorError::Log`] where membership of the group has ended.
pub async fn run(
    config: AggregatorConfig,
    log: Log,
    store: Store,
    commits: CommitsView,
    projector: Projector,
    assignment: PartitionAssignment,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), AggregatorError> {
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
        PartitionAssignment::All(partitions) => {
            let counts =
                partitions.iter().filter(|(topic, _)| topics::EVENT_TOPICS.contains(&topic.as_str()));
            let all = counts.flat_map(|(topic, count)| (0..*count).map(|it| TopicPartition::new(topic, it)));
            owners.take_up(all.collect()).await;
            stopped(&mut shutdown).await;
            Ok(())
        }
        PartitionAssignment::OfGroup(membership) => {
            follow_group(membership, &mut owners, &mut shutdown).await
        }
    };
    owners.put_down_all().await;
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task of the aggregator ended badly");
        }
    }
    ended
}

/// Takes partitions up and puts them down as the group says, until the end.
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

/// Removes attempts that lost, now and then, where the house is ours to keep.
async fn collect_garbage(store: Store, holdings: owners::Holdings, mut shutdown: watch::Receiver<bool>) {
    // Floors of the seals as they were raised: the rows below one go two rounds later, when no query
    // is left that began before.
    let (mut ripe, mut ripening) = (0, 0);
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            () = tokio::time::sleep(COLLECT_EVERY) => {}
        }
        if !holdings.leads() {
            continue;
        }
        let seals = async {
            let found = store.collect_seals(ripe).await?;
            let floor = store.raise_seal_floor().await?;
            Ok::<_, StoreError>((found, floor))
        };
        match seals.await {
            Ok((found, floor)) => {
                (ripe, ripening) = (ripening, floor);
                if found > 0 {
                    tracing::info!(found, "seals that nobody reads any more were removed");
                }
            }
            Err(error) => tracing::warn!(error = with_causes(&error), "old seals are left for the next time"),
        }
        match store.collect_garbage().await {
            Ok(0) => {}
            Ok(found) => tracing::info!(found, "attempts that lost were removed"),
            Err(error) => tracing::warn!(error = with_causes(&error), "garbage is left for the next time"),
        }
    }
}

/// Waits for the end. A sender that is gone ends it too.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
