//! The frame archive: the records of every committed block as they stand in the log, kept for when the
//! log's retention has passed. A block's name holds the hash of its archived form, so what is read
//! back is what was committed, or an error.

mod folder;
pub mod form;

use std::path::PathBuf;
use std::time::Duration;

pub use folder::FolderArchive;
pub use form::ArchivedBlock;

use wb_fold::{BlockId, LogRecord};

/// The largest archived form of a block, in bytes. A block closes at 16 MiB of events; its last
/// record, and punctuations that closed nothing, come on top.
pub const FORM_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Why a block could not be archived or read from the archive.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum FrameArchiveError {
    /// A file could not be written.
    #[code("WB-5801")]
    #[error(
        "a block cannot be archived at {}: it needs a folder that can be written and room for it",
        path.display()
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is there and could not be read.
    #[code("WB-5802")]
    #[error("the archived block {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is not the block that was committed.
    #[code("WB-5803")]
    #[error("the archived block {} is not the one that was committed: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Records that are no block.
    #[code("WB-5804")]
    #[error(
        "block {} of {}/{} cannot be archived: {problem}",
        id.block, id.topic, id.partition
    )]
    NoBlock {
        id: BlockId,
        /// Why its records are none.
        problem: String,
    },
}

/// Where blocks are archived: a port, so that a folder, a share of several machines or an object
/// store can stand behind it. Calls may take as long as a disk does.
pub trait FrameArchive: std::fmt::Debug + Send + Sync {
    /// Keeps all records of a block, durably, and gives the hash that its name shall hold. The
    /// same block may be kept any number of times, also at once; a file that is torn or another
    /// one is replaced.
    ///
    /// # Errors
    /// [`FrameArchiveError::Write`], [`FrameArchiveError::NoBlock`]. What was there before stays.
    fn keep(&self, log_id: &[u8], id: &BlockId, records: &[LogRecord])
    -> Result<[u8; 32], FrameArchiveError>;

    /// Reads a block whose archived form has this hash. `None` where the archive has no such block.
    ///
    /// # Errors
    /// [`FrameArchiveError::Read`], [`FrameArchiveError::Damaged`] where what is there is another.
    fn fetch(
        &self,
        log_id: &[u8],
        id: &BlockId,
        hash: &[u8],
    ) -> Result<Option<ArchivedBlock>, FrameArchiveError>;

    /// Removes what writers that were killed have left half-written at least so long ago; gives how
    /// many there were.
    ///
    /// # Errors
    /// [`FrameArchiveError::Write`].
    fn sweep(&self, log_id: &[u8], age: Duration) -> Result<u64, FrameArchiveError>;
}
