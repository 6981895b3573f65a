//! Errors that stop the aggregator or one of its partitions.

use wb_clickhouse::StoreError;
use wb_fold::{ArchiveError, FoldError};
use wb_framearchive::FrameArchiveError;
use wb_kafka::LogError;

/// Why a partition stopped.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum AggregatorError {
    /// The log failed.
    #[code(source)]
    #[error("the log failed")]
    Log(#[source] LogError),
    /// The commits could not be read at the start.
    #[code(source)]
    #[error("the commits cannot be read")]
    Commits(#[source] LogError),
    /// The group could not be joined.
    #[code(source)]
    #[error("the group of aggregators cannot be joined")]
    Group(#[source] LogError),
    /// ClickHouse failed.
    #[code(source)]
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// A block folds to another result than was committed.
    #[code("WB-5611")]
    #[error(
        "block {block} of {topic}/{partition} was committed with another {what} than the log gives: \
         the log or the fold has changed; no further block of this partition is committed"
    )]
    History {
        topic: String,
        partition: u32,
        block: u64,
        /// What differs.
        what: &'static str,
    },
    /// The log no longer holds the first records that the partition needs.
    #[code("WB-5612")]
    #[error(
        "{topic}/{partition} begins at offset {low}, and its state is recovered from offset {wanted} \
         on: retention has dropped records that the frame archive lacks too; restore the archive folder or \
         the records"
    )]
    BeginningLost {
        topic: String,
        partition: u32,
        /// The first offset that the log holds.
        low: u64,
        /// The first offset that is needed.
        wanted: u64,
    },
    /// A block could not be archived, or read from the archive.
    #[code(source)]
    #[error("the frame archive failed")]
    FrameArchive(#[source] FrameArchiveError),
    /// The log ends before the last committed record.
    #[code("WB-5614")]
    #[error(
        "{topic}/{partition} ends at offset {high}, but blocks are committed up to {committed}: the log has \
         lost its tail; no further block of this partition is committed, so that two histories are not mixed"
    )]
    TailLost {
        topic: String,
        partition: u32,
        /// One past the last record.
        high: u64,
        /// One past the last committed record.
        committed: u64,
    },
    /// The counts of a block do not add up.
    #[code("WB-5613")]
    #[error(
        "block {block} of {topic}/{partition} does not add up: {accepted} accepted + {duplicate} duplicate + {rejected} rejected is not {events} events; no further block is committed"
    )]
    NotConserved {
        topic: String,
        partition: u32,
        block: u64,
        /// Accepted events.
        accepted: u64,
        /// Duplicate events.
        duplicate: u64,
        /// Rejected events.
        rejected: u64,
        events: u64,
    },
    /// The proofs of older tips failed.
    #[code(source)]
    #[error("the archive of proofs failed")]
    Archive(#[source] ArchiveError),
    /// A block could not be folded.
    #[code(source)]
    #[error("a block could not be folded")]
    Rules(#[source] FoldError),
    /// The rows of a seal are not the sums of its day.
    #[code("WB-5615")]
    #[error("the rows of a seal of day {day} are not the sums of that day; the seal is not committed")]
    Seal {
        /// The day, counted since 1970-01-01 UTC.
        day: i32,
    },
    /// The operating system gave no random number.
    #[code("WB-5616")]
    #[error("the operating system gave no random number")]
    Random,
    /// The thread of the fold ended early.
    #[code("WB-5617")]
    #[error("the fold did not finish: {0}")]
    Fold(String),
}
