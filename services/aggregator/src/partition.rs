//! One partition: recover the state from the log, then follow it, block by block.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wb_clickhouse::Store;
use wb_events::commits::TopicPartition;
use wb_events::frame::encode_punctuation;
use wb_fold::{Assembler, BlockId, ClosedBlock, FoldError, FoldedBlock, State};
use wb_kafka::{CommitsView, Log};
use wb_proofstore::ProofStore;

use crate::config::AggregatorConfig;
use crate::error::AggregatorError;
use crate::pause::stopped;
use crate::snapshots::Snapshots;

/// The longest random delay that is added when only late punctuations wait.
const JITTER_MAX_MS: u64 = 3_000;

/// What the task of one partition needs.
pub(crate) struct PartitionOwner {
    pub(crate) chain: TopicPartition,
    pub(crate) config: AggregatorConfig,
    pub(crate) log: Log,
    pub(crate) store: Store,
    pub(crate) commits: CommitsView,
}

/// The state of the fold and where the next block begins.
pub(crate) struct FoldCursor {
    pub(crate) state: State,
    pub(crate) proofs: ProofStore,
    pub(crate) next_block: u64,
    /// The offset at which the next block begins.
    pub(crate) next_offset: u64,
}

impl PartitionOwner {
    /// Runs until shutdown.
    ///
    /// # Errors
    /// [`AggregatorError`]; the next run goes on from the last commit.
    pub(crate) async fn run(&self, mut shutdown: watch::Receiver<bool>) -> Result<(), AggregatorError> {
        // While there is an alarm nothing is committed, so no block is begun.
        loop {
            // Read before the alarm, so a record that clears the alarm comes at this offset or later.
            let seen = self.commits.next_offset();
            if self.commits.alarm().is_none() {
                break;
            }
            tokio::select! {
                () = stopped(&mut shutdown) => return Ok(()),
                more = self.commits.wait_until(seen.saturating_add(1)) => more.map_err(AggregatorError::Log)?,
            }
        }
        let (mut cursor, first_offset) = self.recover().await?;
        let (topic, partition) = (self.chain.topic.as_str(), self.chain.partition);
        let mut reader = self.log.read_from(topic, partition, first_offset).map_err(AggregatorError::Log)?;
        let mut assembler = Assembler::new(first_offset, self.config.frame_key.clone());
        let mut snapshots = Snapshots::default();
        let mut waiting_since: Option<Instant> = None;
        let jitter = jitter()?;
        loop {
            // Without a random delay, two owners of one partition would answer each other's late punctuations
            // forever.
            let patience = if assembler.only_punctuations_wait() { jitter } else { Duration::ZERO };
            let punctuate_at = waiting_since.map(|since| since + self.config.punctuate_after + patience);
            let closed = tokio::select! {
                biased;
                () = stopped(&mut shutdown) => {
                    self.save(cursor, &mut snapshots).await?;
                    return Ok(());
                }
                record = reader.next() => {
                    let record = record.map_err(AggregatorError::Log)?;
                    let closed = assembler.push(record);
                    if closed.is_some() || !assembler.something_waits() {
                        waiting_since = None;
                    } else if waiting_since.is_none() {
                        waiting_since = Some(Instant::now());
                    }
                    closed
                }
                () = sleep_until(punctuate_at) => {
                    self.punctuate(assembler.first_offset()).await?;
                    // The punctuation comes back through the log and closes the block there for every reader.
                    waiting_since = Some(Instant::now());
                    None
                }
            };
            if let Some(closed) = closed {
                cursor = self.take_block(cursor, closed).await?;
                if snapshots.are_due() {
                    cursor = self.save(cursor, &mut snapshots).await?;
                }
            }
        }
    }

    /// Folds a block and commits it. A block that is committed already only advances the state.
    async fn take_block(
        &self,
        cursor: FoldCursor,
        mut closed: ClosedBlock,
    ) -> Result<FoldCursor, AggregatorError> {
        let log = Arc::new(std::mem::take(&mut closed.log));
        let (mut cursor, folded, fold) = self.fold(cursor, closed).await?;
        self.commit(&folded, &log, fold).await?;
        cursor.next_block = cursor.next_block.saturating_add(1);
        cursor.next_offset = folded.end_offset;
        Ok(cursor)
    }

    /// Folds a block onto the cursor without advancing the cursor; returns also how long folding took.
    pub(crate) async fn fold(
        &self,
        mut cursor: FoldCursor,
        closed: ClosedBlock,
    ) -> Result<(FoldCursor, FoldedBlock, Duration), AggregatorError> {
        let id = BlockId {
            topic: self.chain.topic.clone(),
            partition: self.chain.partition,
            block: cursor.next_block,
        };
        // Hashes tens of thousands of headers, so it runs on a blocking thread.
        let folded = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let folded = wb_fold::fold(id, &mut cursor.state, &mut cursor.proofs, &closed);
            (cursor, folded, began.elapsed())
        });
        let (cursor, folded, fold): (FoldCursor, Result<FoldedBlock, FoldError>, Duration) =
            folded.await.map_err(|error| AggregatorError::Fold(error.to_string()))?;
        Ok((cursor, folded.map_err(AggregatorError::Rules)?, fold))
    }

    async fn punctuate(&self, first_offset: u64) -> Result<(), AggregatorError> {
        let record = encode_punctuation(&self.config.name, first_offset, &self.config.frame_key);
        self.log
            .append(&self.chain.topic, self.chain.partition, &[], &record, &[])
            .await
            .map_err(AggregatorError::Log)
            .map(|_| ())
    }
}

/// A random delay of up to [`JITTER_MAX_MS`], drawn once per run.
fn jitter() -> Result<Duration, AggregatorError> {
    let drawn = getrandom::u32().map_err(|_| AggregatorError::Random)?;
    Ok(Duration::from_millis(u64::from(drawn) % JITTER_MAX_MS))
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
