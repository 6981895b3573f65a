//! The auditor: checks everything that was committed against the manifest, the tables, the archive and the log,
//! repairs damage from the log or the archive, and rebuilds a second database from the log for comparison.

mod blocks;
mod error;
pub mod finding;
mod manifest;
mod records;
mod refold;
mod repair;
mod replay;
mod scrub;
mod stored;
mod tail;

pub use error::AuditError;
pub use finding::{Finding, Listener, Said};
pub use replay::{ReplayReport, TableTotals};
pub use scrub::{ScrubOptions, ScrubReport};
pub use stored::{StoredBlock, StoredBlocks};

use std::path::PathBuf;
use std::sync::Arc;

use wb_clickhouse::Store;
use wb_events::frame::FrameKey;
use wb_events::wire::Pin;
use wb_framearchive::FrameArchive;
use wb_kafka::Log;

use crate::records::Records;
use crate::refold::{Refold, Scratch};

/// What an audit needs.
#[derive(Clone)]
pub struct Auditor {
    pub log: Log,
    /// The database that is audited.
    pub store: Store,
    /// The frame archive, if there is one.
    pub archive: Option<Arc<dyn FrameArchive>>,
    /// The key that frames are signed with.
    pub frame_key: FrameKey,
    /// A folder in which an audit may write while it runs.
    pub scratch_in: PathBuf,
}

impl Auditor {
    /// The pin of the log; an empty one if the log is not pinned yet.
    async fn pin(&self) -> Result<Pin, AuditError> {
        let mut commits = self.log.walk_commits(None).await?;
        while commits.chains().pin().is_none() {
            if commits.next_record().await?.is_none() {
                return Ok(Pin::default());
            }
        }
        Ok(commits.chains().pin().cloned().unwrap_or_default())
    }

    async fn records(&self, archive_first: bool) -> Result<Records, AuditError> {
        Ok(self.records_of(self.pin().await?, archive_first))
    }

    fn records_of(&self, pin: Pin, archive_first: bool) -> Records {
        Records::new(self.log.clone(), self.archive.clone(), pin.log_id, archive_first)
    }

    async fn refold(&self, archive_first: bool) -> Result<Refold, AuditError> {
        let scratch = Scratch::new(&self.scratch_in)?;
        let pin = self.pin().await?;
        let first = pin.first_fold_version;
        Ok(Refold::new(self.records_of(pin, archive_first), self.frame_key.clone(), scratch, first))
    }
}
