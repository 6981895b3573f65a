//! What an audit found, in plain words and as JSON.

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

/// Something that is not as it must be, or that is worth telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Finding {
    /// A name that stands further on than its chain: names between are gone.
    CommitOutOfPlace {
        /// Its offset in `commits`.
        commit_offset: u64,
        /// The block it names.
        #[serde(flatten)]
        place: Place,
        /// The block that its chain has come to.
        next_block: u64,
    },
    /// A committed block that the manifest does not show, so that no reader sees it.
    ManifestRowMissing {
        /// The name's offset in `commits`.
        commit_offset: u64,
        /// The block.
        #[serde(flatten)]
        place: Place,
    },
    /// A row of the manifest that no name stands for.
    ManifestRowWrong {
        /// The offset in `commits` that it tells.
        commit_offset: u64,
    },
    /// A part whose files are not what was written.
    BrokenPart {
        table: String,
        part: String,
        /// What the server says of it.
        message: String,
    },
    /// A committed block whose rows are not what was committed.
    BlockDamaged {
        /// The block.
        #[serde(flatten)]
        place: Place,
        /// The attempt that was committed.
        attempt: u64,
        /// What the tables hold of it.
        holds: String,
    },
    /// Rows of an attempt that lost: garbage.
    LosingAttempt {
        /// The block.
        #[serde(flatten)]
        place: Place,
        attempt: u64,
        rows: u64,
    },
    /// Rows of a block without a name: an attempt that is under way, or that nobody went on with.
    UncommittedBlock {
        /// The block.
        #[serde(flatten)]
        place: Place,
        attempt: u64,
        rows: u64,
    },
    /// A block that is not in the archive, or not as it was committed.
    ArchiveDamaged {
        /// The block.
        #[serde(flatten)]
        place: Place,
        /// What is wrong.
        problem: String,
    },
    /// A log that ends before what was committed.
    LogTailLost {
        topic: String,
        partition: u32,
        /// One past its last record.
        end: u64,
        /// One past the last committed record.
        committed: u64,
    },
    /// Records of the log that are not what was committed.
    LogDiffers {
        /// The block.
        #[serde(flatten)]
        place: Place,
        /// What is wrong.
        problem: String,
    },
    /// A topic whose records get other times than the broker's.
    TopicTimes { topic: String },
}

impl Finding {
    /// Whether something is wrong, rather than worth telling.
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
                "the name at offset {commit_offset} is of {place}, but its chain has come to block {next_block}: \
                 commits between are missing"
            ),
            Self::ManifestRowMissing { commit_offset, place } => write!(
                f,
                "{place} is committed (at offset {commit_offset}), but the manifest does not show it: no reader counts it"
            ),
            Self::ManifestRowWrong { commit_offset } => write!(
                f,
                "the manifest has a row for offset {commit_offset} of commits that is not what stands there"
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
                "{rows} rows are left of attempt {attempt} of {place}, which another attempt was committed for"
            ),
            Self::UncommittedBlock { place, attempt, rows } => write!(
                f,
                "{rows} rows stand under attempt {attempt} of {place}, which had no name when this began; they \
                 count for nobody until it has"
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

/// What an audit says while it runs.
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
    /// Two databases, or a block and its name, differ.
    Differs {
        /// The block, where it is one.
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

/// Takes what an audit says.
pub type Listener<'a> = &'a mut (dyn FnMut(&Said) + Send);
