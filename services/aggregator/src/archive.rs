//! The frame archive: keeps a block's records before the block is committed, and reads them back once the log has
//! dropped them.

use std::sync::Arc;
use std::time::Duration;

use wb_events::commits::WonCommit;
use wb_fold::{Assembler, BlockId, ClosedBlock, LogRecord};

use crate::error::AggregatorError;
use crate::partition::{FoldCursor, PartitionOwner};

impl PartitionOwner {
    /// Archives the records of a block; returns the hash for its commit, which is empty without an archive.
    pub(crate) async fn archive(
        &self,
        id: &BlockId,
        log: &Arc<Vec<LogRecord>>,
    ) -> Result<Vec<u8>, AggregatorError> {
        let Some(archive) = self.config.frame_archive.clone() else { return Ok(Vec::new()) };
        let (log_id, id, log) = (self.log_id(), id.clone(), Arc::clone(log));
        let kept = tokio::task::spawn_blocking(move || archive.keep(&log_id, &id, &log)).await;
        let kept = kept.map_err(|error| AggregatorError::Fold(error.to_string()))?;
        kept.map(|hash| hash.to_vec()).map_err(AggregatorError::FrameArchive)
    }

    fn log_id(&self) -> Vec<u8> {
        self.commits.pin().map(|pin| pin.log_id).unwrap_or_default()
    }

    /// Folds archived blocks onto the cursor until the log holds the next block. These blocks are committed already,
    /// so nothing is written.
    pub(crate) async fn fold_archived(
        &self,
        cursor: FoldCursor,
        low: u64,
    ) -> Result<FoldCursor, AggregatorError> {
        let mut cursor = cursor;
        let mut commits = self.log.walk_commits(None).await.map_err(AggregatorError::Log)?;
        while cursor.next_offset < low {
            let lost = AggregatorError::BeginningLost {
                topic: self.chain.topic.clone(),
                partition: self.chain.partition,
                low,
                wanted: cursor.next_offset,
            };
            let Some(won) = commits.next_commit().await.map_err(AggregatorError::Log)? else {
                return Err(lost);
            };
            let ours = won.commit.topic == self.chain.topic && won.commit.partition == self.chain.partition;
            if ours && won.commit.block == cursor.next_block {
                let Some(closed) = self.archived(&won).await? else { return Err(lost) };
                cursor = self.refold(cursor, closed, &won).await?;
            }
        }
        Ok(cursor)
    }

    /// A committed block from the archive; `None` where it is not there.
    async fn archived(&self, won: &WonCommit) -> Result<Option<ClosedBlock>, AggregatorError> {
        let commit = &won.commit;
        let Some(archive) = self.config.frame_archive.clone() else { return Ok(None) };
        if commit.archive_hash.is_empty() {
            return Ok(None);
        }
        let id = BlockId { topic: commit.topic.clone(), partition: commit.partition, block: commit.block };
        let (log_id, hash) = (self.log_id(), commit.archive_hash.clone());
        let fetched = tokio::task::spawn_blocking(move || archive.fetch(&log_id, &id, &hash)).await;
        let fetched = fetched.map_err(|error| AggregatorError::Fold(error.to_string()))?;
        let Some(block) = fetched.map_err(AggregatorError::FrameArchive)? else { return Ok(None) };
        let mut assembler = Assembler::new(commit.first_offset, self.config.frame_key.clone());
        let mut closed = None;
        for record in block.records {
            closed = assembler.push(record);
        }
        closed.map(Some).ok_or_else(|| self.history(commit.block, "last record"))
    }

    async fn refold(
        &self,
        cursor: FoldCursor,
        closed: ClosedBlock,
        won: &WonCommit,
    ) -> Result<FoldCursor, AggregatorError> {
        let (mut cursor, folded, _): (FoldCursor, _, Duration) = self.fold(cursor, closed).await?;
        self.check_against(&folded, won)?;
        cursor.next_block = cursor.next_block.saturating_add(1);
        cursor.next_offset = folded.end_offset;
        Ok(cursor)
    }
}
