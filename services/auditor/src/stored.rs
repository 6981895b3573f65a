//! Named blocks as the log or the archive holds them: each with its name and the stored bytes of its
//! events, for whoever proves what lies in them.

use std::collections::BTreeSet;

use wb_events::frame::FrameKey;
use wb_events::names::{Applied, Won, WonName};

use crate::records::{Records, block_id};
use crate::refold::close;
use crate::{AuditError, Auditor};

/// A named block.
#[derive(Debug, Clone)]
pub struct StoredBlock {
    /// The offset of its name in `names`.
    pub names_offset: u64,
    /// The bytes of its name.
    pub name: Vec<u8>,
    /// The stored bytes of everything in it that counts as one event, in log order.
    pub stored: Vec<Vec<u8>>,
}

/// Reads named blocks one after the other, so that one is in memory at a time.
#[derive(Debug)]
pub struct StoredBlocks {
    records: Records,
    key: FrameKey,
    names: std::vec::IntoIter<(Vec<u8>, WonName)>,
}

impl Auditor {
    /// Some blocks (topic, partition, block) that are named below an offset of `names`, in the order of
    /// topic, partition and block. What is not named below it is left out.
    ///
    /// # Errors
    /// What stopped the reading of the names.
    pub async fn stored_blocks(
        &self,
        wanted: &BTreeSet<(String, u32, u64)>,
        below: u64,
    ) -> Result<StoredBlocks, AuditError> {
        let mut walk = self.log.walk_names(Some(below)).await?;
        let mut names = Vec::new();
        while let Some(step) = walk.next_record().await? {
            let Applied::Won(won) = step.applied else { continue };
            let Won::Name(won) = *won else { continue };
            let id = block_id(&won);
            if wanted.contains(&(id.topic, id.partition, id.block)) {
                names.push((step.record, won));
            }
        }
        names.sort_by(|(_, left), (_, right)| {
            let key = |won: &WonName| (won.name.topic.clone(), won.name.partition, won.name.block);
            key(left).cmp(&key(right))
        });
        Ok(StoredBlocks {
            records: self.records(false).await?,
            key: self.frame_key.clone(),
            names: names.into_iter(),
        })
    }
}

impl Auditor {
    /// The records at some offsets of `names`, in their order.
    ///
    /// # Errors
    /// What stopped the reading of the names.
    pub async fn names_records(&self, offsets: &BTreeSet<u64>) -> Result<Vec<(u64, Vec<u8>)>, AuditError> {
        let mut found = Vec::with_capacity(offsets.len());
        let Some(last) = offsets.last() else { return Ok(found) };
        let mut walk = self.log.walk_names(Some(last.saturating_add(1))).await?;
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
    /// # Errors
    /// [`AuditError::NoRecords`] where neither log nor archive hold the block as it was named, and
    /// [`AuditError::FoldsOtherwise`] where its records make no block.
    pub async fn next_block(&mut self) -> Result<Option<StoredBlock>, AuditError> {
        let Some((name, won)) = self.names.next() else { return Ok(None) };
        let records = self.records.of(&won).await?;
        let id = block_id(&won);
        let closed = close(&self.key, won.name.first_offset, records).ok_or(AuditError::FoldsOtherwise {
            topic: id.topic,
            partition: id.partition,
            block: id.block,
            what: "first or last offset",
        })?;
        let stored = closed.stored().map(<[u8]>::to_vec).collect();
        Ok(Some(StoredBlock { names_offset: won.names_offset, name, stored }))
    }
}
