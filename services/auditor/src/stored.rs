//! Reads committed blocks from the log or the archive: each with its commit and the stored bytes of its events, for
//! evidence bundles.

use std::collections::BTreeSet;

use wb_events::commits::{Applied, Won, WonCommit};
use wb_events::frame::FrameKey;

use crate::records::{Records, block_id};
use crate::refold::close;
use crate::{AuditError, Auditor};

/// A committed block.
#[derive(Debug, Clone)]
pub struct StoredBlock {
    /// The offset of its commit in `commits`.
    pub commit_offset: u64,
    /// The bytes of its commit.
    pub commit: Vec<u8>,
    /// The stored bytes of every record in it that counts as one event, in log order.
    pub stored: Vec<Vec<u8>>,
}

/// Reads committed blocks one by one, so that only one is in memory.
#[derive(Debug)]
pub struct StoredBlocks {
    records: Records,
    key: FrameKey,
    commits: std::vec::IntoIter<(Vec<u8>, WonCommit)>,
}

impl Auditor {
    /// Selects blocks (topic, partition, block) that are committed below an offset of `commits`, in the order of
    /// topic, partition and block. Blocks not committed below it are left out.
    ///
    /// # Errors
    /// Any error of reading the commits.
    pub async fn stored_blocks(
        &self,
        wanted: &BTreeSet<(String, u32, u64)>,
        below: u64,
    ) -> Result<StoredBlocks, AuditError> {
        let mut walk = self.log.walk_commits(Some(below)).await?;
        let mut commits = Vec::new();
        while let Some(step) = walk.next_record().await? {
            let Applied::Won(won) = step.applied else { continue };
            let Won::Commit(won) = *won else { continue };
            let id = block_id(&won);
            if wanted.contains(&(id.topic, id.partition, id.block)) {
                commits.push((step.record, won));
            }
        }
        commits.sort_by(|(_, left), (_, right)| {
            let key = |won: &WonCommit| (won.commit.topic.clone(), won.commit.partition, won.commit.block);
            key(left).cmp(&key(right))
        });
        Ok(StoredBlocks {
            records: self.records(false).await?,
            key: self.frame_key.clone(),
            commits: commits.into_iter(),
        })
    }
}

impl Auditor {
    /// The records at some offsets of `commits`, in order.
    ///
    /// # Errors
    /// Any error of reading the commits.
    pub async fn commits_records(&self, offsets: &BTreeSet<u64>) -> Result<Vec<(u64, Vec<u8>)>, AuditError> {
        let mut found = Vec::with_capacity(offsets.len());
        let Some(last) = offsets.last() else { return Ok(found) };
        let mut walk = self.log.walk_commits(Some(last.saturating_add(1))).await?;
        while let Some(step) = walk.next_record().await? {
            if offsets.contains(&step.offset) {
                found.push((step.offset, step.record));
            }
        }
        Ok(found)
    }
}

impl StoredBlocks {
    /// The next block; `None` after the last.
    ///
    /// [`AuditError::NoRecords`] if neither log nor archive hold the block as it was committed,
    /// [`AuditError::FoldsOtherwise`] if its records make no block.
    pub async fn next_block(&mut self) -> Result<Option<StoredBlock>, AuditError> {
        let Some((commit, won)) = self.commits.next() else { return Ok(None) };
        let records = self.records.of(&won).await?;
        let id = block_id(&won);
        let closed =
            close(&self.key, won.commit.first_offset, records).ok_or(AuditError::FoldsOtherwise {
                topic: id.topic,
                partition: id.partition,
                block: id.block,
                what: "first or last offset",
            })?;
        let stored = closed.stored().map(<[u8]>::to_vec).collect();
        Ok(Some(StoredBlock { commit_offset: won.commit_offset, commit, stored }))
    }
}
