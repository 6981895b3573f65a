//! Reads the records of a committed block from the log or the archive, whichever holds them as they were committed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use wb_events::commits::{TopicPartition, WonCommit};
use wb_fold::{BlockId, LogRecord};
use wb_framearchive::{ArchivedBlock, FrameArchive, FrameArchiveError, form};
use wb_kafka::{Log, LogError, Reader};
use wb_units::with_causes;

use crate::AuditError;

/// How long to wait for a record that the broker says it has.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// No writer takes this long: an older unfinished file was left by a killed writer.
const UNFINISHED_AGE: Duration = Duration::from_secs(86_400);

/// Reads blocks, each partition in order.
#[derive(Debug)]
pub(crate) struct Records {
    log: Log,
    archive: Option<Arc<dyn FrameArchive>>,
    log_id: Vec<u8>,
    archive_first: bool,
    places: HashMap<TopicPartition, Place>,
}

/// How far reading has come in a partition.
#[derive(Debug)]
struct Place {
    /// The first offset that the log holds, and one past the last.
    held: (u64, u64),
    reader: Option<(u64, Reader)>,
}

pub(crate) fn block_id(won: &WonCommit) -> BlockId {
    let commit = &won.commit;
    BlockId { topic: commit.topic.clone(), partition: commit.partition, block: commit.block }
}

pub(crate) fn chain_of(won: &WonCommit) -> TopicPartition {
    TopicPartition::new(&won.commit.topic, won.commit.partition)
}

impl Records {
    pub(crate) fn new(
        log: Log,
        archive: Option<Arc<dyn FrameArchive>>,
        log_id: Vec<u8>,
        archive_first: bool,
    ) -> Self {
        Self { log, archive, log_id, archive_first, places: HashMap::new() }
    }

    /// All records of a block, as they were committed.
    ///
    /// # Errors
    /// [`AuditError::NoRecords`] where neither the log nor the archive has them.
    pub(crate) async fn of(&mut self, won: &WonCommit) -> Result<Vec<LogRecord>, AuditError> {
        let mut why = Vec::new();
        if self.archive_first {
            match self.archived(won).await? {
                Ok(block) => return Ok(block.records),
                Err(problem) => why.push(problem),
            }
        }
        match self.logged(won).await? {
            Ok(records) => return Ok(records),
            Err(problem) => why.push(problem),
        }
        if !self.archive_first {
            match self.archived(won).await? {
                Ok(block) => return Ok(block.records),
                Err(problem) => why.push(problem),
            }
        }
        let BlockId { topic, partition, block } = block_id(won);
        Err(AuditError::NoRecords { topic, partition, block, why: why.join("; ") })
    }

    /// A block from the archive, or why the archive does not hold it as it was committed.
    pub(crate) async fn archived(
        &self,
        won: &WonCommit,
    ) -> Result<Result<ArchivedBlock, String>, AuditError> {
        let Some(archive) = self.archive.clone() else {
            return Ok(Err("no archive is configured".to_owned()));
        };
        if won.commit.archive_hash.is_empty() {
            return Ok(Err("it was committed without an archive".to_owned()));
        }
        let (log_id, id, hash) = (self.log_id.clone(), block_id(won), won.commit.archive_hash.clone());
        let fetched = tokio::task::spawn_blocking(move || archive.fetch(&log_id, &id, &hash)).await;
        match fetched.map_err(|error| AuditError::Lost(error.to_string()))? {
            Ok(Some(block)) => Ok(Ok(block)),
            Ok(None) => Ok(Err("the archive has no file of it".to_owned())),
            Err(error @ (FrameArchiveError::Damaged { .. } | FrameArchiveError::Read { .. })) => {
                Ok(Err(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Archives a block.
    pub(crate) async fn archive(&self, won: &WonCommit, records: Vec<LogRecord>) -> Result<(), AuditError> {
        let Some(archive) = self.archive.clone() else { return Ok(()) };
        let (log_id, id) = (self.log_id.clone(), block_id(won));
        let kept = tokio::task::spawn_blocking(move || archive.keep(&log_id, &id, &records)).await;
        kept.map_err(|error| AuditError::Lost(error.to_string()))??;
        Ok(())
    }

    /// Removes files that killed writers left unfinished in the archive; returns how many.
    pub(crate) async fn sweep(&self) -> Result<u64, AuditError> {
        let Some(archive) = self.archive.clone() else { return Ok(0) };
        let log_id = self.log_id.clone();
        let swept = tokio::task::spawn_blocking(move || archive.sweep(&log_id, UNFINISHED_AGE)).await;
        Ok(swept.map_err(|error| AuditError::Lost(error.to_string()))??)
    }

    /// The first offset that the log holds of a partition, and one past the last.
    pub(crate) async fn held(&mut self, chain: &TopicPartition) -> Result<(u64, u64), AuditError> {
        if let Some(place) = self.places.get(chain) {
            return Ok(place.held);
        }
        let held = self.log.watermarks(&chain.topic, chain.partition).await?;
        self.places.insert(chain.clone(), Place { held, reader: None });
        Ok(held)
    }

    /// A block from the log, or why the log does not hold it as it was committed.
    pub(crate) async fn logged(
        &mut self,
        won: &WonCommit,
    ) -> Result<Result<Vec<LogRecord>, String>, AuditError> {
        let (commit, chain) = (&won.commit, chain_of(won));
        let (low, end) = self.held(&chain).await?;
        if commit.first_offset < low {
            return Ok(Err(format!("the log begins at offset {low}, the block at {}", commit.first_offset)));
        }
        if commit.end_offset > end {
            return Ok(Err(format!("the log ends at offset {end}, the block at {}", commit.end_offset)));
        }
        let records = match self.read(&chain, commit.first_offset, commit.end_offset).await {
            Ok(records) => records,
            // Records that the log lacks, or drops while it is read, may be archived.
            Err(AuditError::Log(error @ (LogError::Gap { .. } | LogError::Read { .. }))) => {
                return Ok(Err(with_causes(&error)));
            }
            Err(error) => return Err(error),
        };
        let differs = if commit.archive_hash.is_empty() {
            let last = records.last().map_or(&[][..], |record| record.payload.as_slice());
            wb_events::frame::record_hash(last).as_slice() != commit.last_frame_hash
        } else {
            form::hash(&form::encode(&block_id(won), &records)?).as_slice() != commit.archive_hash
        };
        Ok(if differs {
            Err("the log holds other records than those committed".to_owned())
        } else {
            Ok(records)
        })
    }

    /// The records of a range that the log holds.
    pub(crate) async fn read(
        &mut self,
        chain: &TopicPartition,
        first_offset: u64,
        end_offset: u64,
    ) -> Result<Vec<LogRecord>, AuditError> {
        let place = self.places.get_mut(chain).and_then(|place| place.reader.take());
        let mut reader = match place {
            Some((at, reader)) if at == first_offset => reader,
            _ => self.log.read_from(&chain.topic, chain.partition, first_offset)?,
        };
        let mut records = Vec::new();
        for offset in first_offset..end_offset {
            match tokio::time::timeout(READ_TIMEOUT, reader.next()).await {
                Ok(record) => records.push(record?),
                Err(_) => {
                    return Err(AuditError::LogSilent {
                        topic: chain.topic.clone(),
                        partition: chain.partition,
                        offset,
                        seconds: READ_TIMEOUT.as_secs(),
                    });
                }
            }
        }
        if let Some(place) = self.places.get_mut(chain) {
            place.reader = Some((end_offset, reader));
        }
        Ok(records)
    }
}
