//! What an audit finds, as text and as JSON.

use std::fmt;

use serde::Serialize;
use wb_events::commits::WonCommit;

/// A block of a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub topic: String,
    pub partition: u32,
    pub block: u64,
}

impl Place {
    pub(crate) fn of(won: &WonCommit) -> Self {
        Self { topic: won.commit.topic.clone(), partition: won.commit.partition, block: won.commit.block }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {} of {}/{}", self.block, self.topic, self.partition)
    }
}

/// A fault, or something worth reporting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Finding {
    /// A commit ahead of its chain: commits between are missing.
    CommitOutOfPlace {
        /// Its offset in `commits`.
        commit_offset: u64,
        /// The block that it commits.
        #[serde(flatten)]
        place: Place,
        /// The next block of the chain.
        next_block: u64,
    },
    /// A committed block that the manifest lacks, so that no reader sees it.
    ManifestRowMissing {
        /// The offset of its commit in `commits`.
        commit_offset: u64,
        /// The block.
        #[serde(flatten)]
        place: Place,
    },
    /// A row of the manifest without a matching commit.
    ManifestRowWrong {
        /// The offset in `commits` that the row states.
        commit_offset: u64,
    },
    /// A part whose files are damaged.
    BrokenPart {
        table: String,
        part: String,
        /// The message of the server.
        message: String,
    },
    /// A committed block whose rows are not those that were committed.
    BlockDamaged {
        /// The block.
        #[serde(flatten)]
        place: Place,
        /// The committed attempt.
        attempt: u64,
        /// What the tables hold of the block.
        holds: String,
    },
    /// Rows of a losing attempt.
    LosingAttempt {
        /// The block.
        #[serde(flatten)]
        place: Place,
        attempt: u64,
        rows: u64,
    },
    /// Rows of a block that is not committed: an attempt in progress, or an abandoned one.
    UncommittedBlock {
        /// The block.
        #[serde(flatten)]
        place: Place,
        attempt: u64,
        rows: u64,
    },
    /// A block that the archive lacks or holds with other content.
    ArchiveDamaged {
        /// The block.
        #[serde(flatten)]
        place: Place,
        /// What is wrong.
        problem: String,
    },
    /// A log that ends before the last committed record.
    LogTailLost {
        topic: String,
        partition: u32,
        /// One past its last record.
        end: u64,
        /// One past the last committed record.
        committed: u64,
    },
    /// Records of the log that differ from those that were committed.
    LogDiffers {
        /// The block.
        #[serde(flatten)]
        place: Place,
        /// What is wrong.
        problem: String,
    },
    /// A topic whose records do not get the broker's time.
    TopicTimes { topic: String },
}

impl Finding {
    /// Whether it is a fault, not only worth reporting.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::UncommittedBlock { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommitOutOfPlace { commit_offset, place, next_block } => write!(
                f,
                "the commit at offset {commit_offset} is of {place}, but the next block of its chain is \
                 {next_block}: commits between are missing"
            ),
            Self::ManifestRowMissing { commit_offset, place } => write!(
                f,
                "{place} is committed (at offset {commit_offset}), but the manifest does not show it: \
                 no reader counts it"
            ),
            Self::ManifestRowWrong { commit_offset } => write!(
                f,
                "the manifest has a row for offset {commit_offset} of commits that differs from the commit there"
            ),
            Self::BrokenPart { table, part, message } => {
                write!(f, "part {part} of table {table} is broken: {message}")
            }
            Self::BlockDamaged { place, attempt, holds } => {
                write!(
                    f,
                    "the rows of {place} (attempt {attempt}) are not those that were committed: {holds}"
                )
            }
            Self::LosingAttempt { place, attempt, rows } => write!(
                f,
                "{rows} rows are left of attempt {attempt} of {place}, but another attempt was committed"
            ),
            Self::UncommittedBlock { place, attempt, rows } => write!(
                f,
                "{rows} rows belong to attempt {attempt} of {place}, which was not committed when the scrub began; \
                 they do not count until it is"
            ),
            Self::ArchiveDamaged { place, problem } => {
                write!(f, "{place} is not in the archive as it was committed: {problem}")
            }
            Self::LogTailLost { topic, partition, end, committed } => write!(
                f,
                "the log {topic}/{partition} has lost its tail: it ends at offset {end} and is committed up to {committed}"
            ),
            Self::LogDiffers { place, problem } => {
                write!(f, "the log does not hold {place} as it was committed: {problem}")
            }
            Self::TopicTimes { topic } => {
                write!(
                    f,
                    "the records of topic {topic} do not get the broker's time (message.timestamp.type)"
                )
            }
        }
    }
}

/// What an audit reports while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Said {
    /// Something was found.
    Found(Finding),
    /// Something was repaired.
    Repaired {
        /// What was done.
        done: String,
    },
    /// Something could not be repaired.
    NotRepaired {
        /// What, and why.
        problem: String,
    },
    /// A difference between two databases, or between a block and its commit.
    Differs {
        /// The block, if one is concerned.
        #[serde(flatten)]
        place: Option<Place>,
        /// What differs.
        problem: String,
    },
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(finding) if finding.is_fault() => write!(f, "found: {finding}"),
            Self::Found(finding) => write!(f, "note: {finding}"),
            Self::Repaired { done } => write!(f, "repaired: {done}"),
            Self::NotRepaired { problem } => write!(f, "not repaired: {problem}"),
            Self::Differs { place: Some(place), problem } => write!(f, "differs: {place}: {problem}"),
            Self::Differs { place: None, problem } => write!(f, "differs: {problem}"),
        }
    }
}

/// Receives what an audit reports.
pub type Listener<'a> = &'a mut (dyn FnMut(&Said) + Send);
