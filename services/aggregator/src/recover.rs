//! Where a partition begins after it was assigned: at its snapshot, where that holds, else at the
//! beginning of the log; and the snapshots themselves.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use wb_events::frame::record_hash;
use wb_fold::{FIRST_FOLD_VERSION, FOLD_VERSION, State};
use wb_proofstore::ProofStore;
use wb_proofstore::snapshot::{self, Position};

use crate::AggregatorError;
use crate::partition::{Course, Seat};

/// Snapshots are at least this far apart.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(30);
/// And so many times as long as the last one took, so that they take a twentieth of the time.
const SNAPSHOT_PAUSE_FACTOR: u32 = 20;

/// When the next snapshot is due.
#[derive(Debug)]
pub(crate) struct Snapshots {
    due: Instant,
    saved_block: u64,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { due: Instant::now() + SNAPSHOT_EVERY, saved_block: 0 }
    }
}

impl Snapshots {
    pub(crate) fn are_due(&self) -> bool {
        Instant::now() >= self.due
    }
}

impl Seat {
    fn proofs_dir(&self) -> PathBuf {
        self.config.state_dir.join(format!("{}-{}", self.chain.topic, self.chain.partition))
    }

    /// The course to go on with and the offset of its next block. The log is checked against the
    /// names first: one that lost its tail, or holds other records, stops the partition.
    pub(crate) async fn recover(&self) -> Result<(Course, u64), AggregatorError> {
        self.names.catch_up().await.map_err(AggregatorError::Log)?;
        self.names.check_topic_ids().await.map_err(AggregatorError::Log)?;
        self.check_tail().await?;
        let dir = self.proofs_dir();
        let loaded = tokio::task::spawn_blocking(move || (snapshot::load(&dir), dir)).await;
        let (loaded, dir) = loaded.map_err(|error| AggregatorError::Fold(error.to_string()))?;
        let course = match loaded {
            Ok(Some((position, state, proofs))) if self.holds(&position) => {
                let (next_block, next_offset) = (position.next_block, position.end_offset);
                Course { state, proofs, next_block, next_offset }
            }
            other => {
                if let Err(error) = other {
                    tracing::warn!(%error, "a snapshot cannot be read; the partition is folded again");
                }
                let proofs = ProofStore::open(&dir).map_err(AggregatorError::Archive)?;
                let first = self.names.pin().and_then(|pin| pin.first_fold_version);
                Course { state: State::beginning(first), proofs, next_block: 0, next_offset: 0 }
            }
        };
        let (topic, partition) = (self.chain.topic.as_str(), self.chain.partition);
        let (low, _) = self.log.watermarks(topic, partition).await.map_err(AggregatorError::Log)?;
        let course = if low > course.next_offset { self.fold_archived(course, low).await? } else { course };
        let next_offset = course.next_offset;
        Ok((course, next_offset))
    }

    /// A snapshot holds where it is of this log, by these rules, and not beyond what is named.
    fn holds(&self, position: &Position) -> bool {
        let same = self.names.pin().is_some_and(|pin| pin.log_id == position.log_id)
            && position.topic == self.chain.topic
            && position.partition == self.chain.partition
            && (FIRST_FOLD_VERSION..=FOLD_VERSION).contains(&position.fold_version);
        let Some(head) = self.names.head(&self.chain) else { return false };
        let named_next = head.name.block.saturating_add(1);
        let at_head = position.next_block == named_next
            && position.end_offset == head.name.end_offset
            && position.name_hash == head.name_hash;
        same && (at_head || position.next_block < named_next)
    }

    async fn check_tail(&self) -> Result<(), AggregatorError> {
        let Some(head) = self.names.head(&self.chain) else { return Ok(()) };
        let (topic, partition) = (self.chain.topic.as_str(), self.chain.partition);
        let (low, high) = self.log.watermarks(topic, partition).await.map_err(AggregatorError::Log)?;
        let named = head.name.end_offset;
        if high < named {
            return Err(AggregatorError::TailLost { topic: topic.to_owned(), partition, high, named });
        }
        // Where retention has passed the last named record there is nothing to compare it with.
        let Some(last) = named.checked_sub(1).filter(|last| *last >= low) else { return Ok(()) };
        let mut reader = self.log.read_from(topic, partition, last).map_err(AggregatorError::Log)?;
        let record = reader.next().await.map_err(AggregatorError::Log)?;
        if head.name.last_frame_hash == record_hash(&record.payload) {
            Ok(())
        } else {
            Err(self.history(head.name.block, "last record"))
        }
    }

    /// Saves a snapshot of the course; one that cannot be saved is not needed.
    pub(crate) async fn save(
        &self,
        course: Course,
        snapshots: &mut Snapshots,
    ) -> Result<Course, AggregatorError> {
        let head = self.names.head(&self.chain);
        let Some(head) = head.filter(|head| head.name.block.checked_add(1) == Some(course.next_block)) else {
            return Ok(course);
        };
        if snapshots.saved_block == course.next_block {
            return Ok(course);
        }
        let position = Position {
            log_id: head.name.log_id.clone(),
            topic: self.chain.topic.clone(),
            partition: self.chain.partition,
            fold_version: course.state.fold_version(),
            next_block: course.next_block,
            end_offset: course.next_offset,
            name_hash: head.name_hash,
        };
        let partition = format!("{}/{}", self.chain.topic, self.chain.partition);
        let live = u64::try_from(course.state.live_proofs()).unwrap_or(u64::MAX);
        metrics::gauge!("weighbridge_live_proofs", "partition" => partition)
            .set(crate::conserve::figure(live));
        let (dir, began) = (self.proofs_dir(), Instant::now());
        let saved = tokio::task::spawn_blocking(move || {
            let saved = snapshot::save(&dir, &position, &course.state, &course.proofs);
            (saved, course)
        });
        let (saved, course) = saved.await.map_err(|error| AggregatorError::Fold(error.to_string()))?;
        if let Err(error) = saved {
            tracing::warn!(%error, topic = self.chain.topic, partition = self.chain.partition, "a snapshot was not saved");
        }
        let pause = SNAPSHOT_EVERY.max(began.elapsed().saturating_mul(SNAPSHOT_PAUSE_FACTOR));
        snapshots.due = Instant::now() + pause;
        snapshots.saved_block = course.next_block;
        Ok(course)
    }
}
