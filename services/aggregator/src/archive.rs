//! The frame archive: a block's records are kept before it is named, and read again where the log
//! no longer holds them.

use std::sync::Arc;
use std::time::Duration;

use wb_events::names::WonName;
use wb_fold::{Assembler, BlockId, ClosedBlock, LogRecord};

use crate::AggregatorError;
use crate::partition::{Course, Seat};

impl Seat {
    /// Keeps the records of a block; gives the hash that its name shall hold, empty without an
    /// archive.
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
        self.names.pin().map(|pin| pin.log_id).unwrap_or_default()
    }

    /// Folds archived blocks onto the course until the log holds what comes next. Each is what its
    /// name says, so nothing is written.
    pub(crate) async fn fold_archived(&self, course: Course, low: u64) -> Result<Course, AggregatorError> {
        let mut course = course;
        let mut names = self.log.walk_names(None).await.map_err(AggregatorError::Log)?;
        while course.next_offset < low {
            let lost = AggregatorError::BeginningLost {
                topic: self.chain.topic.clone(),
                partition: self.chain.partition,
                low,
                wanted: course.next_offset,
            };
            let Some(won) = names.next_name().await.map_err(AggregatorError::Log)? else { return Err(lost) };
            let ours = won.name.topic == self.chain.topic && won.name.partition == self.chain.partition;
            if ours && won.name.block == course.next_block {
                let Some(closed) = self.archived(&won).await? else { return Err(lost) };
                course = self.refold(course, closed, &won).await?;
            }
        }
        Ok(course)
    }

    /// A named block from the archive; `None` where it is not there.
    async fn archived(&self, won: &WonName) -> Result<Option<ClosedBlock>, AggregatorError> {
        let name = &won.name;
        let Some(archive) = self.config.frame_archive.clone() else { return Ok(None) };
        if name.archive_hash.is_empty() {
            return Ok(None);
        }
        let id = BlockId { topic: name.topic.clone(), partition: name.partition, block: name.block };
        let (log_id, hash) = (self.log_id(), name.archive_hash.clone());
        let fetched = tokio::task::spawn_blocking(move || archive.fetch(&log_id, &id, &hash)).await;
        let fetched = fetched.map_err(|error| AggregatorError::Fold(error.to_string()))?;
        let Some(block) = fetched.map_err(AggregatorError::FrameArchive)? else { return Ok(None) };
        let mut assembler = Assembler::new(name.first_offset, self.config.frame_key.clone());
        let mut closed = None;
        for record in block.records {
            closed = assembler.push(record);
        }
        closed.map(Some).ok_or_else(|| self.history(name.block, "last record"))
    }

    async fn refold(
        &self,
        course: Course,
        closed: ClosedBlock,
        won: &WonName,
    ) -> Result<Course, AggregatorError> {
        let (mut course, folded, _): (Course, _, Duration) = self.fold(course, closed).await?;
        self.check_against(&folded, won)?;
        course.next_block = course.next_block.saturating_add(1);
        course.next_offset = folded.end_offset;
        Ok(course)
    }
}
