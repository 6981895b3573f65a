//! Why the aggregator, or a partition of it, stopped for now.

use wb_clickhouse::StoreError;
use wb_fold::{ArchiveError, FoldError};
use wb_framearchive::FrameArchiveError;
use wb_kafka::LogError;

/// Why a partition stopped for now.
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
    /// The group did not take it.
    #[code(source)]
    #[error("the group of aggregators cannot be joined")]
    Group(#[source] LogError),
    /// ClickHouse failed.
    #[code(source)]
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// What was read again is not what was committed.
    #[code("WB-5611")]
    #[error(
        "block {block} of {topic}/{partition} was committed with another {what} than its log gives now: \
         the log or the fold has changed; nothing more of this partition is committed"
    )]
    History {
        topic: String,
        partition: u32,
        block: u64,
        /// What differs.
        what: &'static str,
    },
    /// The log no longer holds the partition's beginning.
    #[code("WB-5612")]
    #[error(
        "{topic}/{partition} begins at offset {low}, and its state is recovered from offset {wanted} \
         on: retention has dropped records that the frame archive lacks too; bring its folder back, or restore \
         the records"
    )]
    BeginningLost {
        topic: String,
        partition: u32,
        /// The first offset still held.
        low: u64,
        /// The first offset that is needed.
        wanted: u64,
    },
    /// A block could not be archived, or read from the archive.
    #[code(source)]
    #[error("the frame archive failed")]
    FrameArchive(#[source] FrameArchiveError),
    /// The log ends before what was committed.
    #[code("WB-5614")]
    #[error(
        "{topic}/{partition} ends at offset {high}, but blocks are committed up to {committed}: the log has \
         lost its tail; nothing more of this partition is committed, so that two histories are not mixed"
    )]
    TailLost {
        topic: String,
        partition: u32,
        /// One past the last record.
        high: u64,
        /// One past the last committed record.
        committed: u64,
    },
    /// The fold broke the conservation law.
    #[code("WB-5613")]
    #[error(
        "block {block} of {topic}/{partition} does not add up: {accepted} accepted + {duplicate} duplicate + {rejected} rejected is not {events} events; nothing more is committed"
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
    /// A seal does not hold what was read.
    #[code("WB-5615")]
    #[error("the rows of a seal of day {day} are not what its day adds up to; it is left uncommitted")]
    Seal {
        /// The day, counted since 1970-01-01 UTC.
        day: i32,
    },
    /// No random attempt could be drawn.
    #[code("WB-5616")]
    #[error("the operating system gave no random number")]
    Random,
    /// The fold's thread was lost.
    #[code("WB-5617")]
    #[error("the fold did not finish: {0}")]
    Fold(String),
}
