//! The frame archive: the log's records of every committed block, kept after the log has dropped them. A block's
//! commit holds the hash of its archived form, so reading returns what was committed, or an error.

mod folder;
pub mod form;

use std::path::PathBuf;
use std::time::Duration;

pub use folder::FolderArchive;
pub use form::ArchivedBlock;

use wb_fold::{BlockId, LogRecord};

/// The largest archived form of a block, in bytes. A block closes at 16 MiB of events; its last record, and
/// punctuations that closed nothing, come on top.
pub const FORM_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Why a block could not be archived or read from the archive.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum FrameArchiveError {
    /// A file could not be written.
    #[code("WB-5801")]
    #[error(
        "a block cannot be archived at {}: it needs a writable folder with free space",
        path.display()
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be read.
    #[code("WB-5802")]
    #[error("the archived block {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file is not the committed block.
    #[code("WB-5803")]
    #[error("the archived block {} is not the one that was committed: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The records do not make a block.
    #[code("WB-5804")]
    #[error(
        "block {} of {}/{} cannot be archived: {problem}",
        id.block, id.topic, id.partition
    )]
    NoBlock {
        id: BlockId,
        /// Why not.
        problem: String,
    },
}

/// The storage of archived blocks, as a port: a folder, a share of several machines or an object store. Calls may
/// take as long as disk access.
pub trait FrameArchive: std::fmt::Debug + Send + Sync {
    /// Archives all records of a block durably; returns the hash for its commit. The same block may be archived any
    /// number of times, also concurrently; a damaged or different file is replaced.
    ///
    /// # Errors
    /// [`FrameArchiveError::Write`], [`FrameArchiveError::NoBlock`]. An existing file is unchanged.
    fn keep(&self, log_id: &[u8], id: &BlockId, records: &[LogRecord])
    -> Result<[u8; 32], FrameArchiveError>;

    /// Reads a block whose archived form has this hash. `None` where the archive has no such block.
    ///
    /// # Errors
    /// [`FrameArchiveError::Read`], [`FrameArchiveError::Damaged`] if the file is not that block.
    fn fetch(
        &self,
        log_id: &[u8],
        id: &BlockId,
        hash: &[u8],
    ) -> Result<Option<ArchivedBlock>, FrameArchiveError>;

    /// Removes unfinished files of killed writers that are at least this old; returns how many.
    ///
    /// # Errors
    /// [`FrameArchiveError::Write`].
    fn sweep(&self, log_id: &[u8], age: Duration) -> Result<u64, FrameArchiveError>;
}
