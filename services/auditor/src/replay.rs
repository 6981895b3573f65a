//! The replay: builds a second database from the log alone and compares it with the first.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use wb_clickhouse::Store;
use wb_events::commits::{TopicPartition, WonCommit};
use wb_fold::FoldedBlock;
use wb_fold::tables::{ALL, table_hash};

use crate::blocks::{self, Runs, rows};
use crate::finding::{Listener, Place, Said};
use crate::records::chain_of;
use crate::{AuditError, Auditor, manifest};

/// The most commits that are projected and compared at once.
const COMMITS_MAX: usize = 256;

/// A table's rows in both databases.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TableTotals {
    pub table: String,
    /// Committed rows that were built from the log.
    pub rebuilt_rows: u64,
    /// The SHA-256 over the hashes of their blocks.
    pub rebuilt_hash: String,
    /// Committed rows of the live database.
    pub live_rows: u64,
    /// The SHA-256 over the hashes of their blocks.
    pub live_hash: String,
}

/// The result of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReplayReport {
    /// Everything committed below this offset of `commits` was built.
    pub cut: u64,
    /// How many blocks were built.
    pub blocks: u64,
    /// Their events.
    pub events: u64,
    /// How many differences were reported.
    pub differences: u64,
    /// Both databases, table by table.
    pub tables: Vec<TableTotals>,
}

/// Per table, the rows and the hash over its hashes in every block.
#[derive(Clone, Default)]
struct Sums(BTreeMap<(usize, TopicPartition), (u64, Sha256)>);

impl Sums {
    fn add(&mut self, table: usize, chain: &TopicPartition, rows: u64, hash: [u8; 32]) {
        let (sum, hasher) = self.0.entry((table, chain.clone())).or_default();
        *sum = sum.saturating_add(rows);
        hasher.update(hash);
    }

    /// Rows and hash of a table over all partitions, in order.
    fn total(&self, table: usize) -> (u64, String) {
        let mut all = (0_u64, Sha256::new());
        for (_, (rows, hasher)) in self.0.iter().filter(|((at, _), _)| *at == table) {
            all.0 = all.0.saturating_add(*rows);
            all.1.update(hasher.clone().finalize());
        }
        (all.0, faster_hex::hex_string(&all.1.finalize()))
    }
}

/// Rows and hash of each table of one block, by the table's place.
type BlockTables = BTreeMap<usize, (u64, [u8; 32])>;

struct Replay<'a> {
    live: &'a Store,
    target: &'a Store,
    listener: Listener<'a>,
    report: ReplayReport,
    rebuilt: Sums,
    held: Sums,
    /// Blocks that were built and not compared yet.
    waiting: BTreeMap<(TopicPartition, u64), BlockTables>,
}

impl Auditor {
    /// Builds everything that is committed into an empty database and compares it with this one. With
    /// `archive_first`, blocks are read from the archive if it has them.
    ///
    /// # Errors
    /// [`AuditError`]. Differences are not errors; they are reported and counted.
    pub async fn replay(
        &self,
        target: &Store,
        archive_first: bool,
        listener: Listener<'_>,
    ) -> Result<ReplayReport, AuditError> {
        target.migrate().await?;
        if let Some(table) = target.table_with_rows().await? {
            let (database, table) = (target.database().to_owned(), table.to_owned());
            return Err(AuditError::NotEmpty { database, table });
        }
        let mut refold = self.refold(archive_first).await?;
        let mut commits = self.log.walk_commits(None).await?;
        let mut replay = Replay {
            live: &self.store,
            target,
            listener,
            report: ReplayReport { cut: commits.end(), ..ReplayReport::default() },
            rebuilt: Sums::default(),
            held: Sums::default(),
            waiting: BTreeMap::new(),
        };
        let mut runs = Runs::default();
        let (mut from, mut batch) = (0, Vec::new());
        while let Some(won) = commits.next_commit().await? {
            let (folded, differs) = refold.block(&won).await?;
            if let Some(what) = differs {
                let problem = format!("its {what} is not what was committed");
                replay.differs(Some(Place::of(&won)), problem);
            }
            replay.write(&won, &folded).await?;
            batch.push(won.clone());
            if batch.len() >= COMMITS_MAX {
                let to = won.commit_offset.saturating_add(1);
                replay.commits(from..to, &mut batch).await?;
                from = to;
            }
            if let Some(run) = runs.push(won) {
                replay.compare(&run).await?;
            }
        }
        replay.commits(from..commits.end(), &mut batch).await?;
        while let Some(run) = runs.pop() {
            replay.compare(&run).await?;
        }
        Ok(replay.end())
    }
}

impl Replay<'_> {
    fn differs(&mut self, place: Option<Place>, problem: String) {
        self.report.differences += 1;
        (self.listener)(&Said::Differs { place, problem });
    }

    /// Writes a block under its committed attempt and reads it back.
    async fn write(&mut self, won: &WonCommit, folded: &FoldedBlock) -> Result<(), AuditError> {
        self.target.write_block(folded, won.commit.attempt).await?;
        if let Some(mismatch) = self.target.verify_block(folded, won.commit.attempt).await? {
            return Err(AuditError::WrittenOtherwise {
                topic: won.commit.topic.clone(),
                partition: won.commit.partition,
                block: won.commit.block,
                table: mismatch.table,
            });
        }
        let chain = chain_of(won);
        let mut tables = BlockTables::new();
        for table in &folded.tables {
            let rows = u64::try_from(table.rows()).unwrap_or(u64::MAX);
            let hash = table_hash(table.name, rows, table.content());
            let place = ALL.iter().position(|name| *name == table.name).unwrap_or(ALL.len());
            tables.insert(place, (rows, hash));
            self.rebuilt.add(place, &chain, rows, hash);
        }
        self.waiting.insert((chain, won.commit.block), tables);
        self.report.blocks += 1;
        self.report.events = self.report.events.saturating_add(folded.counts.events());
        Ok(())
    }

    /// Projects commits, and checks that the live database shows the same.
    async fn commits(
        &mut self,
        offsets: std::ops::Range<u64>,
        batch: &mut Vec<WonCommit>,
    ) -> Result<(), AuditError> {
        if !batch.is_empty() {
            self.target.project_commits(batch).await?;
        }
        let run = manifest::compare(self.live, offsets, batch, &[]).await?;
        for won in &run.missing {
            let problem = "the live manifest does not show it as it was committed".to_owned();
            self.differs(Some(Place::of(won)), problem);
        }
        for commit_offset in &run.wrong {
            let problem = format!("the live manifest has a wrong row for offset {commit_offset} of commits");
            self.differs(None, problem);
        }
        batch.clear();
        Ok(())
    }

    /// Compares a run of blocks of one partition with the live database.
    async fn compare(&mut self, run: &[WonCommit]) -> Result<(), AuditError> {
        let held = blocks::look_up(self.live, run, &[]).await?;
        for (won, held) in run.iter().zip(held) {
            let chain = chain_of(won);
            let built = self.waiting.remove(&(chain.clone(), won.commit.block)).unwrap_or_default();
            let mut live = BlockTables::new();
            for held in &held.committed {
                let place = ALL.iter().position(|name| *name == held.table).unwrap_or(ALL.len());
                live.insert(place, (held.rows, held.hash));
                self.held.add(place, &chain, held.rows, held.hash);
            }
            for (place, table) in ALL.iter().enumerate() {
                let (built, live) = (built.get(&place), live.get(&place));
                if built == live {
                    continue;
                }
                let number = |side: Option<&(u64, [u8; 32])>| side.map_or(0, |(rows, _)| *rows);
                let (built, live) = (number(built), number(live));
                let problem = if built == live {
                    format!("{table}: {} as in the log, but with other content", rows(live))
                } else {
                    format!("{table}: {} in the live database, {} in the log", rows(live), rows(built))
                };
                self.differs(Some(Place::of(won)), problem);
            }
        }
        Ok(())
    }

    fn end(mut self) -> ReplayReport {
        let totals = ALL.iter().enumerate().map(|(place, table)| {
            let ((rebuilt_rows, rebuilt_hash), (live_rows, live_hash)) =
                (self.rebuilt.total(place), self.held.total(place));
            TableTotals { table: (*table).to_owned(), rebuilt_rows, rebuilt_hash, live_rows, live_hash }
        });
        self.report.tables = totals.collect();
        self.report
    }
}
