//! Why an audit could not be made, or a damage not repaired.

use wb_clickhouse::StoreError;
use wb_fold::{ArchiveError, FoldError};
use wb_framearchive::FrameArchiveError;
use wb_kafka::LogError;

/// Why an audit ended early.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log failed.
    #[code(source)]
    #[error("the log failed")]
    Log(#[from] LogError),
    /// ClickHouse failed.
    #[code(source)]
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The frame archive failed.
    #[code(source)]
    #[error("the frame archive failed")]
    FrameArchive(#[from] FrameArchiveError),
    /// The rules could not fold a block.
    #[code(source)]
    #[error("a block could not be folded")]
    Rules(#[from] FoldError),
    /// The proofs of older tips failed.
    #[code(source)]
    #[error("the proofs of older tips failed")]
    Proofs(#[from] ArchiveError),
    /// The database that shall be filled is not empty.
    #[code("WB-5901")]
    #[error(
        "the database {database} holds rows already (in {table}): name one that does not exist yet, \
         or remove this one"
    )]
    NotEmpty {
        database: String,
        /// A table with rows.
        table: String,
    },
    /// Neither the log nor the archive holds a block.
    #[code("WB-5902")]
    #[error(
        "block {block} of {topic}/{partition} can be read from nowhere: {why}; bring the archive's folder \
         or the topic's records back"
    )]
    NoRecords {
        topic: String,
        partition: u32,
        block: u64,
        /// Where was looked and what was found.
        why: String,
    },
    /// A block folds to another result than was committed.
    #[code("WB-5903")]
    #[error(
        "block {block} of {topic}/{partition} was committed with another {what} than its records give now: \
         nothing of it is written; run the version that committed it"
    )]
    FoldsOtherwise {
        topic: String,
        partition: u32,
        block: u64,
        /// What differs.
        what: &'static str,
    },
    /// A block was written again and reads back otherwise.
    #[code("WB-5904")]
    #[error(
        "block {block} of {topic}/{partition} was written and {table} reads back otherwise: look for a \
         failing disk, then run this again"
    )]
    WrittenOtherwise { topic: String, partition: u32, block: u64, table: &'static str },
    /// A log that lost its tail cannot be made whole.
    #[code("WB-5905")]
    #[error(
        "{topic}/{partition} ends at offset {end}, is committed up to {committed}, and cannot be made whole from the \
         archive: {why}; stop ingest and the aggregators, and restore the topic from a replica or a backup"
    )]
    TailNotRestored {
        topic: String,
        partition: u32,
        /// One past its last record.
        end: u64,
        /// One past the last committed record.
        committed: u64,
        /// What stands in the way.
        why: String,
    },
    /// The scratch folder failed.
    #[code("WB-5906")]
    #[error("an audit needs a scratch folder for the proofs of older tips, and {path} cannot be used")]
    Scratch {
        /// The folder.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The broker gave nothing for too long.
    #[code("WB-5907")]
    #[error("{topic}/{partition} gave no record at offset {offset} for {seconds} seconds: is the broker up?")]
    LogSilent {
        topic: String,
        partition: u32,
        /// The offset that was wanted.
        offset: u64,
        /// How long was waited.
        seconds: u64,
    },
    /// A thread was lost.
    #[code("WB-5908")]
    #[error("a task of the audit was lost: {0}")]
    Lost(String),
}
