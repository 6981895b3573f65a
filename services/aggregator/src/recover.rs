//! Where a partition starts after it is assigned: at its snapshot if that is valid, otherwise at the beginning of the
//! log. Also saves snapshots.

use std::path::PathBuf;
use std::time::Instant;

use wb_events::frame::record_hash;
use wb_fold::{FOLD_VERSION, State};
use wb_proofstore::ProofStore;
use wb_proofstore::snapshot::{self, Position};

use crate::error::AggregatorError;
use crate::partition::{FoldCursor, PartitionOwner};
use crate::snapshots::Snapshots;

impl PartitionOwner {
    fn proofs_dir(&self) -> PathBuf {
        self.config.state_dir.join(format!("{}-{}", self.chain.topic, self.chain.partition))
    }

    /// Returns the cursor to go on with and the offset of its next block. Checks the log against the commits first: a
    /// lost tail or other records are an error.
    pub(crate) async fn recover(&self) -> Result<(FoldCursor, u64), AggregatorError> {
        self.commits.catch_up().await.map_err(AggregatorError::Log)?;
        self.commits.check_topic_ids().await.map_err(AggregatorError::Log)?;
        self.check_tail().await?;
        let dir = self.proofs_dir();
        let loaded = tokio::task::spawn_blocking(move || (snapshot::load(&dir), dir)).await;
        let (loaded, dir) = loaded.map_err(|error| AggregatorError::Fold(error.to_string()))?;
        let cursor = match loaded {
            Ok(Some((position, state, proofs))) if self.holds(&position) => {
                let (next_block, next_offset) = (position.next_block, position.end_offset);
                FoldCursor { state, proofs, next_block, next_offset }
            }
            other => {
                if let Err(error) = other {
                    tracing::warn!(%error, "a snapshot cannot be read; the partition is folded from the beginning");
                }
                let proofs = ProofStore::open(&dir).map_err(AggregatorError::Archive)?;
                // The topic was pinned when the view of the commits started.
                let first = self.commits.pin().map_or(FOLD_VERSION, |pin| pin.first_fold_version);
                FoldCursor { state: State::beginning(first), proofs, next_block: 0, next_offset: 0 }
            }
        };
        let (topic, partition) = (self.chain.topic.as_str(), self.chain.partition);
        let (low, _) = self.log.watermarks(topic, partition).await.map_err(AggregatorError::Log)?;
        let cursor = if low > cursor.next_offset { self.fold_archived(cursor, low).await? } else { cursor };
        let next_offset = cursor.next_offset;
        Ok((cursor, next_offset))
    }

    /// Whether a snapshot is of this log, was made by these rules, and does not go beyond the last commit.
    fn holds(&self, position: &Position) -> bool {
        let same = self.commits.pin().is_some_and(|pin| pin.log_id == position.log_id)
            && position.topic == self.chain.topic
            && position.partition == self.chain.partition
            && wb_fold::rules::knows(position.fold_version);
        let Some(head) = self.commits.head(&self.chain) else { return false };
        let committed_next = head.commit.block.saturating_add(1);
        let at_head = position.next_block == committed_next
            && position.end_offset == head.commit.end_offset
            && position.commit_hash == head.commit_hash;
        same && (at_head || position.next_block < committed_next)
    }

    async fn check_tail(&self) -> Result<(), AggregatorError> {
        let Some(head) = self.commits.head(&self.chain) else { return Ok(()) };
        let (topic, partition) = (self.chain.topic.as_str(), self.chain.partition);
        let (low, high) = self.log.watermarks(topic, partition).await.map_err(AggregatorError::Log)?;
        let committed = head.commit.end_offset;
        if high < committed {
            return Err(AggregatorError::TailLost { topic: topic.to_owned(), partition, high, committed });
        }
        // If retention has removed the last committed record, there is nothing to compare.
        let Some(last) = committed.checked_sub(1).filter(|last| *last >= low) else { return Ok(()) };
        let mut reader = self.log.read_from(topic, partition, last).map_err(AggregatorError::Log)?;
        let record = reader.next().await.map_err(AggregatorError::Log)?;
        if head.commit.last_frame_hash == record_hash(&record.payload) {
            Ok(())
        } else {
            Err(self.history(head.commit.block, "last record"))
        }
    }

    /// Saves a snapshot of the cursor. A failure is only logged, because recovery works without it.
    pub(crate) async fn save(
        &self,
        cursor: FoldCursor,
        snapshots: &mut Snapshots,
    ) -> Result<FoldCursor, AggregatorError> {
        let head = self.commits.head(&self.chain);
        let Some(head) = head.filter(|head| head.commit.block.checked_add(1) == Some(cursor.next_block))
        else {
            return Ok(cursor);
        };
        if snapshots.saved_block == cursor.next_block {
            return Ok(cursor);
        }
        let position = Position {
            log_id: head.commit.log_id.clone(),
            topic: self.chain.topic.clone(),
            partition: self.chain.partition,
            fold_version: cursor.state.fold_version(),
            next_block: cursor.next_block,
            end_offset: cursor.next_offset,
            commit_hash: head.commit_hash,
        };
        let partition = format!("{}/{}", self.chain.topic, self.chain.partition);
        let live = u64::try_from(cursor.state.live_proofs()).unwrap_or(u64::MAX);
        metrics::gauge!("weighbridge_live_proofs", "partition" => partition).set(wb_observe::figure(live));
        let (dir, began) = (self.proofs_dir(), Instant::now());
        let saved = tokio::task::spawn_blocking(move || {
            let saved = snapshot::save(&dir, &position, &cursor.state, &cursor.proofs);
            (saved, cursor)
        });
        let (saved, cursor) = saved.await.map_err(|error| AggregatorError::Fold(error.to_string()))?;
        if let Err(error) = saved {
            tracing::warn!(%error, topic = self.chain.topic, partition = self.chain.partition, "a snapshot was not saved");
        }
        snapshots.saved(cursor.next_block, began.elapsed());
        Ok(cursor)
    }
}
