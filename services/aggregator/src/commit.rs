//! The way of one block from fold to commit: write the rows, read them back, append the commit, read the commit back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wb_events::commits::{CHAIN_START, COMMITS_VERSION, WonCommit, encode_commit};
use wb_events::topics;
use wb_events::wire::Commit;
use wb_fold::{FoldedBlock, LogRecord};

use crate::error::AggregatorError;
use crate::partition::PartitionOwner;
use crate::pause::{RETRY_MAX, RETRY_MIN};

/// How long each step of the committed attempt took.
struct Spent {
    write: Duration,
    verify: Duration,
    commit: Duration,
}

/// Where a block stands in its chain.
enum Place {
    /// It is committed.
    Committed,
    /// Its predecessor is committed, so it is next.
    Next { predecessor: [u8; 32] },
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Adds a committed block to the metrics.
fn count_committed(block: &FoldedBlock, fold: Duration, spent: &Spent) {
    let topic = || block.id.topic.clone();
    metrics::counter!("weighbridge_blocks_committed_total", "topic" => topic()).increment(1);
    for ((verdict, _), events) in block.counts.by_verdict() {
        metrics::counter!("weighbridge_events_total", "topic" => topic(), "verdict" => verdict)
            .increment(events);
    }
    for (step, time) in
        [("fold", fold), ("write", spent.write), ("verify", spent.verify), ("commit", spent.commit)]
    {
        metrics::histogram!("weighbridge_block_step_seconds", "step" => step).record(time);
    }
}

fn random_attempt() -> Result<u64, AggregatorError> {
    getrandom::u64().map_err(|_| AggregatorError::Random)
}

impl PartitionOwner {
    /// Tries until an attempt of the block is committed, by this aggregator or another. `fold` is how long folding
    /// took, for the log line; `log` are the block's records, for the archive.
    pub(crate) async fn commit(
        &self,
        block: &FoldedBlock,
        log: &Arc<Vec<LogRecord>>,
        fold: Duration,
    ) -> Result<(), AggregatorError> {
        if !block.counts.is_conserved() {
            return Err(AggregatorError::NotConserved {
                topic: block.id.topic.clone(),
                partition: block.id.partition,
                block: block.id.block,
                accepted: block.counts.accepted(),
                duplicate: block.counts.duplicate(),
                rejected: block.counts.rejected(),
                events: block.counts.events(),
            });
        }
        let mut pause = RETRY_MIN;
        loop {
            self.commits.check_no_alarm().map_err(AggregatorError::Log)?;
            let Place::Next { predecessor } = self.place_of(block)? else { return Ok(()) };
            match self.try_once(block, predecessor, log).await {
                Ok(spent) => {
                    count_committed(block, fold, &spent);
                    tracing::info!(
                        topic = block.id.topic,
                        partition = block.id.partition,
                        block = block.id.block,
                        events = block.counts.events(),
                        fold_us = micros(fold),
                        write_us = micros(spent.write),
                        verify_us = micros(spent.verify),
                        commit_us = micros(spent.commit),
                        "a block is committed"
                    );
                    return Ok(());
                }
                // These may pass, so a new attempt is made. A difference from committed history does not pass.
                Err(
                    error @ (AggregatorError::Store(_)
                    | AggregatorError::Log(_)
                    | AggregatorError::FrameArchive(_)),
                ) => {
                    tracing::warn!(
                        topic = block.id.topic,
                        partition = block.id.partition,
                        block = block.id.block,
                        error = wb_units::with_causes(&error),
                        "a block is not committed yet"
                    );
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(RETRY_MAX);
            // The commit may have reached the log without being acknowledged.
            self.commits.catch_up().await.map_err(AggregatorError::Log)?;
        }
    }

    async fn try_once(
        &self,
        block: &FoldedBlock,
        predecessor: [u8; 32],
        log: &Arc<Vec<LogRecord>>,
    ) -> Result<Spent, AggregatorError> {
        let attempt = random_attempt()?;
        let began = Instant::now();
        let write = async { self.store.write_block(block, attempt).await.map_err(AggregatorError::Store) };
        let ((), archive_hash) = tokio::try_join!(write, self.archive(&block.id, log))?;
        let written = Instant::now();
        let mismatch = self.store.verify_block(block, attempt).await.map_err(AggregatorError::Store)?;
        if let Some(mismatch) = mismatch {
            tracing::error!(
                topic = block.id.topic,
                partition = block.id.partition,
                block = block.id.block,
                ?mismatch,
                "ClickHouse returns other rows than were written; this attempt is not committed"
            );
            let problem =
                format!("an attempt of {} reads back with other rows than were written", mismatch.table);
            return Err(AggregatorError::Store(wb_clickhouse::StoreError::Row {
                table: mismatch.table,
                problem,
            }));
        }
        let verified = Instant::now();
        let record = encode_commit(&self.commit_of(block, attempt, predecessor, archive_hash));
        let key = format!("{}/{}", block.id.topic, block.id.partition);
        let offset = self
            .log
            .append(topics::COMMITS, 0, key.as_bytes(), &record, &[])
            .await
            .map_err(AggregatorError::Log)?;
        self.commits.wait_until(offset.saturating_add(1)).await.map_err(AggregatorError::Log)?;
        if matches!(self.place_of(block)?, Place::Committed) {
            return Ok(Spent {
                write: written - began,
                verify: verified - written,
                commit: verified.elapsed(),
            });
        }
        // Our commit lost to that of another block: the chain has another head.
        Err(self.history(block.id.block, "place in its chain"))
    }

    fn commit_of(
        &self,
        block: &FoldedBlock,
        attempt: u64,
        predecessor: [u8; 32],
        archive_hash: Vec<u8>,
    ) -> Commit {
        Commit {
            version: COMMITS_VERSION,
            topic: block.id.topic.clone(),
            partition: block.id.partition,
            block: block.id.block,
            attempt,
            first_offset: block.first_offset,
            end_offset: block.end_offset,
            events: block.counts.events(),
            accepted: block.counts.accepted(),
            duplicate: block.counts.duplicate(),
            rejected: block.counts.rejected(),
            content_hash: block.content_hash.to_vec(),
            merkle_root: block.merkle_root.to_vec(),
            last_frame_hash: block.last_frame_hash.to_vec(),
            predecessor: predecessor.to_vec(),
            fold_version: block.fold_version,
            archive_hash,
            log_id: self.commits.pin().map(|pin| pin.log_id).unwrap_or_default(),
        }
    }

    /// Whether the block is committed already (by any aggregator) or is next in its chain. It is an error if it was
    /// committed with other content or offsets, or if its predecessor is not committed.
    fn place_of(&self, block: &FoldedBlock) -> Result<Place, AggregatorError> {
        let number = block.id.block;
        match self.commits.head(&self.chain) {
            Some(head) if head.commit.block > number => Ok(Place::Committed),
            Some(head) if head.commit.block == number => {
                self.check_against(block, &head)?;
                Ok(Place::Committed)
            }
            Some(head) if head.commit.block.checked_add(1) == Some(number) => {
                Ok(Place::Next { predecessor: head.commit_hash })
            }
            None if number == 0 => Ok(Place::Next { predecessor: CHAIN_START }),
            _ => Err(self.history(number, "predecessor")),
        }
    }

    /// Compares a block folded from the log with its commit.
    pub(crate) fn check_against(&self, block: &FoldedBlock, won: &WonCommit) -> Result<(), AggregatorError> {
        let commit = &won.commit;
        let differs = if commit.end_offset != block.end_offset || commit.first_offset != block.first_offset {
            Some("first or last offset")
        } else if commit.last_frame_hash != block.last_frame_hash {
            Some("last frame")
        } else if commit.merkle_root != block.merkle_root {
            Some("Merkle root")
        } else if commit.content_hash != block.content_hash {
            Some("content")
        } else {
            None
        };
        differs.map_or(Ok(()), |what| Err(self.history(block.id.block, what)))
    }

    pub(crate) fn history(&self, block: u64, what: &'static str) -> AggregatorError {
        AggregatorError::History {
            topic: self.chain.topic.clone(),
            partition: self.chain.partition,
            block,
            what,
        }
    }
}
