//! Errors that end an audit.

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
    /// A block could not be folded.
    #[code(source)]
    #[error("a block could not be folded")]
    Rules(#[from] FoldError),
    /// The proofs of older tips failed.
    #[code(source)]
    #[error("the proofs of older tips failed")]
    Proofs(#[from] ArchiveError),
    /// The database to be filled is not empty.
    #[code("WB-5901")]
    #[error(
        "the database {database} already has rows (in {table}): choose one that does not exist, \
         or remove this one"
    )]
    NotEmpty {
        database: String,
        /// The table with rows.
        table: String,
    },
    /// Neither the log nor the archive holds the block.
    #[code("WB-5902")]
    #[error(
        "block {block} of {topic}/{partition} is in neither log nor archive: {why}; restore the archive folder \
         or the topic's records"
    )]
    NoRecords {
        topic: String,
        partition: u32,
        block: u64,
        /// Where it was looked for and what was found.
        why: String,
    },
    /// A block folds to another result than was committed.
    #[code("WB-5903")]
    #[error(
        "block {block} of {topic}/{partition} was committed with another {what} than its records give: \
         nothing is written; run the version that committed it"
    )]
    FoldsOtherwise {
        topic: String,
        partition: u32,
        block: u64,
        /// What differs.
        what: &'static str,
    },
    /// A block was written again and reads back with other rows.
    #[code("WB-5904")]
    #[error(
        "block {block} of {topic}/{partition} was written, but {table} returns other rows: check for a \
         failing disk, then run this again"
    )]
    WrittenOtherwise { topic: String, partition: u32, block: u64, table: &'static str },
    /// A log that lost its tail cannot be completed.
    #[code("WB-5905")]
    #[error(
        "{topic}/{partition} ends at offset {end}, but is committed up to {committed}, and cannot be completed from \
         the archive: {why}; stop ingest and the aggregators, and restore the topic from a replica or a backup"
    )]
    TailNotRestored {
        topic: String,
        partition: u32,
        /// One past its last record.
        end: u64,
        /// One past the last committed record.
        committed: u64,
        /// Why it cannot be completed.
        why: String,
    },
    /// The scratch folder cannot be used.
    #[code("WB-5906")]
    #[error("an audit needs a scratch folder for the proofs of older tips, and {path} cannot be used")]
    Scratch {
        /// The folder.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The broker gave no record for too long.
    #[code("WB-5907")]
    #[error("{topic}/{partition} gave no record at offset {offset} for {seconds} seconds: is the broker up?")]
    LogSilent {
        topic: String,
        partition: u32,
        /// The offset of the missing record.
        offset: u64,
        /// How long the audit waited.
        seconds: u64,
    },
    /// A task of the audit ended early.
    #[code("WB-5908")]
    #[error("a task of the audit ended early: {0}")]
    Lost(String),
}
