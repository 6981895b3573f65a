//! Folds committed blocks again, each partition from its beginning.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use wb_events::commits::{TopicPartition, WonCommit};
use wb_events::frame::FrameKey;
use wb_fold::{Assembler, ClosedBlock, FoldedBlock, LogRecord, State};
use wb_proofstore::ProofStore;

use crate::AuditError;
use crate::records::{Records, block_id, chain_of};

/// A folder for the proofs of older tips during an audit; removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(within: &Path) -> Result<Self, AuditError> {
        let path = within.join(format!("audit-{}", std::process::id()));
        let made = std::fs::create_dir_all(&path);
        made.map_err(|source| AuditError::Scratch { path: path.display().to_string(), source })?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the scratch folder could not be removed");
        }
    }
}

/// The fold's state of one partition.
struct FoldState {
    state: State,
    proofs: ProofStore,
}

/// Folds blocks in the order of their commits.
pub(crate) struct Refold {
    pub(crate) records: Records,
    key: FrameKey,
    scratch: Scratch,
    first_fold_version: u32,
    states: HashMap<TopicPartition, FoldState>,
}

/// The block that these records make; `None` if they make none.
pub(crate) fn close(key: &FrameKey, first_offset: u64, records: Vec<LogRecord>) -> Option<ClosedBlock> {
    let mut assembler = Assembler::new(first_offset, key.clone());
    let mut closed = None;
    for record in records {
        if closed.is_some() {
            return None;
        }
        closed = assembler.push(record);
    }
    closed
}

/// How a folded block differs from its commit.
pub(crate) fn difference(won: &WonCommit, block: &FoldedBlock) -> Option<&'static str> {
    let commit = &won.commit;
    if commit.end_offset != block.end_offset || commit.first_offset != block.first_offset {
        Some("first or last offset")
    } else if commit.last_frame_hash != block.last_frame_hash {
        Some("last record")
    } else if commit.merkle_root != block.merkle_root {
        Some("Merkle root")
    } else if commit.content_hash != block.content_hash {
        Some("content hash")
    } else {
        None
    }
}

impl Refold {
    /// Starts at the beginning, with the rules that the first record of `commits` states.
    pub(crate) fn new(records: Records, key: FrameKey, scratch: Scratch, first_fold_version: u32) -> Self {
        Self { records, key, scratch, first_fold_version, states: HashMap::new() }
    }

    /// Folds the next committed block of its partition; returns also how it differs from its commit.
    ///
    /// # Errors
    /// [`AuditError::NoRecords`], and any error of reading and folding.
    pub(crate) async fn block(
        &mut self,
        won: &WonCommit,
    ) -> Result<(FoldedBlock, Option<&'static str>), AuditError> {
        let records = self.records.of(won).await?;
        let id = block_id(won);
        let Some(closed) = close(&self.key, won.commit.first_offset, records) else {
            return Err(AuditError::FoldsOtherwise {
                topic: id.topic,
                partition: id.partition,
                block: id.block,
                what: "first or last offset",
            });
        };
        let chain = chain_of(won);
        let mut partition = match self.states.remove(&chain) {
            Some(partition) => partition,
            None => {
                let dir = self.scratch.0.join(format!("{}-{}", chain.topic, chain.partition));
                let state = State::beginning(self.first_fold_version);
                FoldState { state, proofs: ProofStore::open(&dir)? }
            }
        };
        // Hashes tens of thousands of headers, so it runs on a blocking thread.
        let folded = tokio::task::spawn_blocking(move || {
            let folded = wb_fold::fold(id, &mut partition.state, &mut partition.proofs, &closed);
            (partition, folded)
        });
        let (partition, folded) = folded.await.map_err(|error| AuditError::Lost(error.to_string()))?;
        self.states.insert(chain, partition);
        let folded = folded?;
        let differs = difference(won, &folded);
        Ok((folded, differs))
    }
}
