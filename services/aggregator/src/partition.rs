//! One partition: recover the state from the log, then follow it, block by block.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wb_clickhouse::Store;
use wb_events::frame::encode_punctuation;
use wb_events::names::TopicPartition;
use wb_fold::{ArchiveError, Assembler, BlockId, ClosedBlock, FoldedBlock, State};
use wb_kafka::{Log, NamesView};
use wb_proofstore::ProofStore;

use crate::{AggregatorConfig, AggregatorError, stopped};

/// Everything that one partition's task holds.
pub(crate) struct Seat {
    pub(crate) chain: TopicPartition,
    pub(crate) config: AggregatorConfig,
    pub(crate) log: Log,
    pub(crate) store: Store,
    pub(crate) names: NamesView,
}

/// The fold's state with the number of the block that comes next.
struct Course {
    state: State,
    proofs: ProofStore,
    next_block: u64,
}

impl Seat {
    /// Runs until shutdown.
    ///
    /// # Errors
    /// [`AggregatorError`]; running again begins from the last name.
    pub(crate) async fn run(&self, mut shutdown: watch::Receiver<bool>) -> Result<(), AggregatorError> {
        self.names.catch_up().await.map_err(AggregatorError::Log)?;
        let (topic, partition) = (self.chain.topic.as_str(), self.chain.partition);
        let (low, _) = self.log.watermarks(topic, partition).await.map_err(AggregatorError::Log)?;
        if low > 0 {
            return Err(AggregatorError::BeginningLost { topic: topic.to_owned(), partition, low });
        }
        let mut reader = self.log.read_from(topic, partition, 0).map_err(AggregatorError::Log)?;
        let mut assembler = Assembler::new(0, self.config.frame_key.clone());
        let proofs_dir = self.config.proofs_dir.join(format!("{topic}-{partition}"));
        let proofs = ProofStore::open(&proofs_dir).map_err(AggregatorError::Archive)?;
        let mut course = Course { state: State::default(), proofs, next_block: 0 };
        let mut waiting_since: Option<Instant> = None;
        loop {
            let punctuate_at = waiting_since.map(|since| since + self.config.punctuate_after);
            let closed = tokio::select! {
                biased;
                () = stopped(&mut shutdown) => return Ok(()),
                record = reader.next() => {
                    let record = record.map_err(AggregatorError::Log)?;
                    let closed = assembler.push(&record);
                    if closed.is_some() || !assembler.something_waits() {
                        waiting_since = None;
                    } else if waiting_since.is_none() {
                        waiting_since = Some(Instant::now());
                    }
                    closed
                }
                () = sleep_until(punctuate_at) => {
                    self.punctuate(assembler.first_offset()).await?;
                    // It comes back through the log, and closes the block there for everyone.
                    waiting_since = Some(Instant::now());
                    None
                }
            };
            if let Some(closed) = closed {
                course = self.take_block(course, closed).await?;
            }
        }
    }

    /// Folds a block; one that has its name already only moves the state forward.
    async fn take_block(&self, mut course: Course, closed: ClosedBlock) -> Result<Course, AggregatorError> {
        let id = BlockId {
            topic: self.chain.topic.clone(),
            partition: self.chain.partition,
            block: course.next_block,
        };
        // Hashing tens of thousands of headers is work for a thread that may block.
        let folded = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let folded = wb_fold::fold(id, &mut course.state, &mut course.proofs, &closed);
            (course, folded, began.elapsed())
        });
        let (mut course, folded, fold): (Course, Result<FoldedBlock, ArchiveError>, Duration) =
            folded.await.map_err(|error| AggregatorError::Fold(error.to_string()))?;
        let folded = folded.map_err(AggregatorError::Archive)?;
        self.commit(&folded, fold).await?;
        course.next_block = course.next_block.saturating_add(1);
        Ok(course)
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

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
