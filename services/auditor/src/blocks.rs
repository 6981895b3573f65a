//! Looks up what the tables hold of committed blocks, a run of one partition's blocks at a time.

use std::collections::BTreeMap;

use wb_clickhouse::Store;
use wb_clickhouse::audit::{BrokenPart, Held};
use wb_events::commits::{TopicPartition, WonCommit};
use wb_fold::tables::content_hash_of;

use crate::AuditError;
use crate::records::chain_of;

/// The most blocks that are looked up at once.
const BLOCKS_MAX: usize = 256;
/// The most events of the blocks that are looked up at once, not counting the last block.
const EVENTS_MAX: u64 = 65_536;

/// Commits of each partition that are to be looked up together.
#[derive(Debug, Default)]
pub(crate) struct Runs(BTreeMap<TopicPartition, Vec<WonCommit>>);

impl Runs {
    /// Adds a commit; returns its partition's run once the run is full.
    pub(crate) fn push(&mut self, won: WonCommit) -> Option<Vec<WonCommit>> {
        let run = self.0.entry(chain_of(&won)).or_default();
        run.push(won);
        let events = run.iter().fold(0_u64, |events, won| events.saturating_add(won.commit.events));
        (run.len() >= BLOCKS_MAX || events >= EVENTS_MAX).then(|| std::mem::take(run))
    }

    /// Takes a run that is not full yet, if there is one.
    pub(crate) fn pop(&mut self) -> Option<Vec<WonCommit>> {
        loop {
            let (_, run) = self.0.pop_first()?;
            if !run.is_empty() {
                return Some(run);
            }
        }
    }
}

/// What the tables hold of one block.
#[derive(Debug, Default)]
pub(crate) struct HeldBlock {
    /// The rows of the committed attempt, in the order of tables.
    pub(crate) committed: Vec<Held>,
    /// Row counts of all other attempts.
    pub(crate) others: BTreeMap<u64, u64>,
}

impl HeldBlock {
    /// The content hash of the committed attempt's rows.
    pub(crate) fn content_hash(&self) -> [u8; 32] {
        content_hash_of(self.committed.iter().map(|held| held.hash))
    }

    /// Describes the committed attempt's rows.
    pub(crate) fn in_words(&self) -> String {
        let tables: Vec<String> =
            self.committed.iter().map(|held| format!("{} {}", held.table, rows(held.rows))).collect();
        if tables.is_empty() {
            "it has no rows".to_owned()
        } else {
            format!("it holds {}", tables.join(", "))
        }
    }
}

/// A number of rows in words.
pub(crate) fn rows(number: u64) -> String {
    if number == 1 { "1 row".to_owned() } else { format!("{number} rows") }
}

/// What a store holds of a run of commits of one partition, in their order.
pub(crate) async fn look_up(
    store: &Store,
    run: &[WonCommit],
    broken: &[BrokenPart],
) -> Result<Vec<HeldBlock>, AuditError> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(Vec::new()) };
    let blocks = first.commit.block..last.commit.block.saturating_add(1);
    let mut by_block: BTreeMap<u64, HeldBlock> = BTreeMap::new();
    let attempts: BTreeMap<u64, u64> = run.iter().map(|won| (won.commit.block, won.commit.attempt)).collect();
    for held in store.held(&chain_of(first), blocks, broken).await? {
        let block = by_block.entry(held.block).or_default();
        if attempts.get(&held.block) == Some(&held.attempt) {
            block.committed.push(held);
        } else {
            let rows = block.others.entry(held.attempt).or_default();
            *rows = rows.saturating_add(held.rows);
        }
    }
    Ok(run.iter().map(|won| by_block.remove(&won.commit.block).unwrap_or_default()).collect())
}
