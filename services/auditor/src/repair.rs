//! Repairs what a scrub found: the log's tail from the archive, the archive from the log, and the tables from either,
//! by folding.

use std::collections::{BTreeMap, BTreeSet};

use wb_events::commits::{TopicPartition, WonCommit};
use wb_fold::FoldedBlock;
use wb_units::with_causes;

use crate::AuditError;
use crate::blocks::rows;
use crate::finding::Place;
use crate::records::{block_id, chain_of};
use crate::scrub::Scrub;

impl Scrub<'_> {
    /// Repairs in order of dependency.
    pub(crate) async fn repair(&mut self) -> Result<(), AuditError> {
        for (chain, end) in std::mem::take(&mut self.tails) {
            match self.restore_tail(&chain, end).await {
                Ok(records) => {
                    self.repaired(format!(
                        "{records} records were put back at the end of {}/{}; others that were acknowledged \
                         and never committed may be missing",
                        chain.topic, chain.partition
                    ));
                }
                Err(error) => self.not_repaired(with_causes(&error)),
            }
        }
        // The ends of the logs have changed.
        self.records = self.auditor.records(false).await?;
        self.archive_again().await?;
        let swept = self.records.sweep().await?;
        if swept > 0 {
            tracing::info!(swept, "unfinished files of killed writers were removed from the archive");
        }
        self.write_again().await
    }

    /// Archives blocks that the archive lacks, where the log still holds them.
    async fn archive_again(&mut self) -> Result<(), AuditError> {
        let mut left = std::mem::take(&mut self.unarchived);
        let mut commits = self.auditor.log.walk_commits(Some(self.end)).await?;
        while !left.is_empty() {
            let Some(won) = commits.next_commit().await? else { break };
            let place = Place::of(&won);
            if !left.remove(&place) {
                continue;
            }
            match self.records.logged(&won).await? {
                Ok(records) => {
                    self.records.archive(&won, records).await?;
                    self.repaired(format!("{place} was archived again from the log"));
                }
                Err(problem) => self.not_repaired(format!("{place} cannot be archived again: {problem}")),
            }
        }
        Ok(())
    }

    /// Folds the partitions that have damaged blocks, and writes these blocks again under their committed attempts.
    async fn write_again(&mut self) -> Result<(), AuditError> {
        let mut left: BTreeMap<TopicPartition, BTreeSet<u64>> = BTreeMap::new();
        for place in std::mem::take(&mut self.damaged) {
            let chain = TopicPartition::new(&place.topic, place.partition);
            left.entry(chain).or_default().insert(place.block);
        }
        if left.is_empty() {
            return Ok(());
        }
        let mut refold = self.auditor.refold(false).await?;
        let mut commits = self.auditor.log.walk_commits(Some(self.end)).await?;
        while !left.is_empty() {
            let Some(won) = commits.next_commit().await? else { break };
            let chain = chain_of(&won);
            let Some(blocks) = left.get_mut(&chain) else { continue };
            let written = match refold.block(&won).await {
                Ok((_, Some(what))) => Err(folds_otherwise(&won, what)),
                Ok((folded, None)) if blocks.remove(&won.commit.block) => {
                    self.write(&won, &folded).await.map(Some)
                }
                Ok(_) => Ok(None),
                Err(error) => Err(error),
            };
            match written {
                Ok(Some(done)) => self.repaired(done),
                Ok(None) => {}
                Err(error) => {
                    // Later blocks of this partition cannot be folded either.
                    blocks.insert(won.commit.block);
                    let problem = with_causes(&error);
                    let numbers: Vec<String> = blocks.iter().map(u64::to_string).collect();
                    let numbers = numbers.join(", ");
                    let (topic, partition) = (chain.topic.clone(), chain.partition);
                    blocks.clear();
                    self.not_repaired(format!("blocks {numbers} of {topic}/{partition}: {problem}"));
                }
            }
            if left.get(&chain).is_some_and(BTreeSet::is_empty) {
                left.remove(&chain);
            }
        }
        Ok(())
    }

    async fn write(&self, won: &WonCommit, folded: &FoldedBlock) -> Result<String, AuditError> {
        let (store, attempt) = (&self.auditor.store, won.commit.attempt);
        store.remove_attempt(&block_id(won), attempt).await?;
        store.write_block(folded, attempt).await?;
        if let Some(mismatch) = store.verify_block(folded, attempt).await? {
            return Err(AuditError::WrittenOtherwise {
                topic: won.commit.topic.clone(),
                partition: won.commit.partition,
                block: won.commit.block,
                table: mismatch.table,
            });
        }
        let number = |table: &wb_fold::Table| u64::try_from(table.rows()).unwrap_or(u64::MAX);
        let tables: Vec<String> =
            folded.tables.iter().map(|table| format!("{} {}", table.name, rows(number(table)))).collect();
        Ok(format!("{} was folded and written again: {}", Place::of(won), tables.join(", ")))
    }
}

fn folds_otherwise(won: &WonCommit, what: &'static str) -> AuditError {
    AuditError::FoldsOtherwise {
        topic: won.commit.topic.clone(),
        partition: won.commit.partition,
        block: won.commit.block,
        what,
    }
}
