//! The scrub: checks everything that was committed against the manifest, the tables, the archive and the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message as _;
use wb_clickhouse::audit::BrokenPart;
use wb_events::commits::{Applied, Chains, TopicPartition, Won, WonCommit};
use wb_events::topics;
use wb_events::wire::CommitsRecord;
use wb_events::wire::commits_record::Record;
use wb_kafka::commits_cursor::CommitsStep;

use crate::blocks::{self, Runs};
use crate::finding::{Finding, Listener, Place, Said};
use crate::records::{Records, block_id, chain_of};
use crate::{AuditError, Auditor, manifest};

/// How many offsets of `commits` are compared with the manifest at once.
const COMMITS_MAX: usize = 1_024;
/// How long to wait for the projection to catch up with the commits.
const PROJECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause between two checks of the projection.
const PROJECTION_PAUSE: Duration = Duration::from_millis(100);

/// What a scrub does besides the standard checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScrubOptions {
    /// Repair what was found.
    pub repair: bool,
    /// Read every record that the log still holds, and compare it with the commits.
    pub log: bool,
}

/// The result of a scrub.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScrubReport {
    /// How many records of `commits` were read.
    pub commits: u64,
    /// How many committed blocks were checked.
    pub blocks: u64,
    /// Their events.
    pub events: u64,
    /// How many faults were found.
    pub faults: u64,
    /// How many faults are left. Without repair these are all of them.
    pub left: u64,
}

impl ScrubReport {
    /// Whether no fault is left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left == 0
    }
}

/// A running scrub.
pub(crate) struct Scrub<'a> {
    pub(crate) auditor: &'a Auditor,
    pub(crate) options: ScrubOptions,
    listener: Listener<'a>,
    pub(crate) report: ScrubReport,
    pub(crate) records: Records,
    pub(crate) broken: Vec<BrokenPart>,
    /// Blocks whose rows must be written again.
    pub(crate) damaged: BTreeSet<Place>,
    /// Blocks that must be archived again.
    pub(crate) unarchived: BTreeSet<Place>,
    /// Logs that lost their tail, with their ends.
    pub(crate) tails: BTreeMap<TopicPartition, u64>,
    /// Commits that may still be projected.
    late: Vec<WonCommit>,
    /// One past the last offset of `commits` that is checked.
    pub(crate) end: u64,
}

impl Auditor {
    /// Checks everything that is committed, and repairs it if the options say so.
    ///
    /// # Errors
    /// [`AuditError`] if the audit cannot go on. A fault that cannot be repaired is not an error; it is reported and
    /// counted.
    pub async fn scrub(
        &self,
        options: ScrubOptions,
        listener: Listener<'_>,
    ) -> Result<ScrubReport, AuditError> {
        let mut scrub = Scrub {
            auditor: self,
            options,
            listener,
            report: ScrubReport::default(),
            records: self.records(false).await?,
            broken: Vec::new(),
            damaged: BTreeSet::new(),
            unarchived: BTreeSet::new(),
            tails: BTreeMap::new(),
            late: Vec::new(),
            end: 0,
        };
        scrub.topics().await?;
        scrub.parts().await?;
        let chains = scrub.commits().await?;
        scrub.projection().await?;
        scrub.ends(&chains).await?;
        scrub.uncommitted(&chains).await?;
        if options.repair {
            scrub.repair().await?;
        }
        Ok(scrub.report)
    }
}

impl Scrub<'_> {
    pub(crate) fn found(&mut self, finding: Finding) {
        if finding.is_fault() {
            self.report.faults += 1;
            self.report.left += 1;
        }
        (self.listener)(&Said::Found(finding));
    }

    pub(crate) fn repaired(&mut self, done: String) {
        self.report.left = self.report.left.saturating_sub(1);
        (self.listener)(&Said::Repaired { done });
    }

    pub(crate) fn not_repaired(&mut self, problem: String) {
        (self.listener)(&Said::NotRepaired { problem });
    }

    /// Checks how topics set the times of records.
    async fn topics(&mut self) -> Result<(), AuditError> {
        for topic in topics::EVENT_TOPICS {
            if self.auditor.log.broker_sets_times(topic).await? {
                continue;
            }
            self.found(Finding::TopicTimes { topic: topic.to_owned() });
            if self.options.repair {
                self.auditor.log.let_broker_set_times(topic, true).await?;
                self.repaired(format!("the records of topic {topic} get the broker's time again"));
            }
        }
        Ok(())
    }

    /// Finds broken parts. With repair they are detached before anything is read; their rows are then found missing.
    async fn parts(&mut self) -> Result<(), AuditError> {
        for part in self.auditor.store.broken_parts().await? {
            self.found(Finding::BrokenPart {
                table: part.table.to_owned(),
                part: part.part.clone(),
                message: part.message.clone(),
            });
            if self.options.repair {
                self.auditor.store.detach_part(&part).await?;
                self.repaired(format!("part {} of table {} was detached", part.part, part.table));
            } else {
                self.broken.push(part);
            }
        }
        Ok(())
    }

    /// Reads all commits and checks the manifest, the tables and the archive against them.
    async fn commits(&mut self) -> Result<Chains, AuditError> {
        let mut cursor = self.auditor.log.walk_commits(None).await?;
        self.end = cursor.end();
        let mut runs = Runs::default();
        let (mut from, mut batch) = (0, Vec::new());
        while let Some(step) = cursor.next_record().await? {
            self.report.commits += 1;
            match step.applied {
                Applied::Won(ref won) => {
                    if let Won::Commit(commit) = won.as_ref() {
                        batch.push(commit.clone());
                        if let Some(run) = runs.push(commit.clone()) {
                            self.blocks(&run).await?;
                        }
                    }
                }
                Applied::Lost => self.lost(&step, cursor.chains()),
                Applied::Pinned | Applied::Alarm => {}
            }
            if batch.len() >= COMMITS_MAX {
                let to = step.offset.saturating_add(1);
                self.manifest(from..to, &batch).await?;
                batch.clear();
                from = to;
            }
        }
        self.manifest(from..self.end, &batch).await?;
        while let Some(run) = runs.pop() {
            self.blocks(&run).await?;
        }
        Ok(cursor.chains().clone())
    }

    /// Judges a commit that lost. Losing a race is normal; being ahead of the chain is a fault.
    fn lost(&mut self, step: &CommitsStep, chains: &Chains) {
        let Ok(CommitsRecord { record: Some(Record::Commit(commit)) }) =
            CommitsRecord::decode(step.record.as_slice())
        else {
            return;
        };
        let chain = TopicPartition::new(&commit.topic, commit.partition);
        let next_block = chains.head(&chain).map_or(0, |head| head.commit.block.saturating_add(1));
        if commit.block > next_block {
            let place = Place { topic: commit.topic, partition: commit.partition, block: commit.block };
            self.found(Finding::CommitOutOfPlace { commit_offset: step.offset, place, next_block });
        }
    }

    async fn manifest(
        &mut self,
        offsets: std::ops::Range<u64>,
        commits: &[WonCommit],
    ) -> Result<(), AuditError> {
        let store = &self.auditor.store;
        let projected = store.cut().await?.0;
        let run = manifest::compare(store, offsets, commits, &self.broken).await?;
        for commit_offset in &run.wrong {
            self.found(Finding::ManifestRowWrong { commit_offset: *commit_offset });
            if self.options.repair {
                self.auditor.store.remove_manifest_row(*commit_offset).await?;
                self.repaired(format!("the row for offset {commit_offset} was removed from the manifest"));
            }
        }
        let (late, missing): (Vec<_>, Vec<_>) =
            run.missing.into_iter().partition(|won| won.commit_offset >= projected);
        self.late.extend(late);
        self.missing_rows(&missing).await?;
        if self.late.len() > COMMITS_MAX {
            // The projection has had time enough.
            let late = std::mem::take(&mut self.late);
            self.missing_rows(&late).await?;
        }
        Ok(())
    }

    /// Reports commits that the manifest lacks, in offset order.
    async fn missing_rows(&mut self, missing: &[WonCommit]) -> Result<(), AuditError> {
        for won in missing {
            let (commit_offset, place) = (won.commit_offset, Place::of(won));
            self.found(Finding::ManifestRowMissing { commit_offset, place });
        }
        if self.options.repair && !missing.is_empty() {
            self.auditor.store.project_commits(missing).await?;
            for won in missing {
                self.repaired(format!("the manifest shows {} again", Place::of(won)));
            }
        }
        Ok(())
    }

    /// Waits until the newest commits are projected, up to a limit.
    async fn projection(&mut self) -> Result<(), AuditError> {
        let deadline = tokio::time::Instant::now() + PROJECTION_TIMEOUT;
        let mut late = std::mem::take(&mut self.late);
        while let (Some(first), Some(last)) = (late.first(), late.last()) {
            let offsets = first.commit_offset..last.commit_offset.saturating_add(1);
            late = manifest::compare(&self.auditor.store, offsets, &late, &self.broken).await?.missing;
            if tokio::time::Instant::now() > deadline {
                break;
            }
            if !late.is_empty() {
                tokio::time::sleep(PROJECTION_PAUSE).await;
            }
        }
        self.missing_rows(&late).await
    }

    /// Checks a run of blocks of one partition: tables, archive and, if asked for, the log.
    async fn blocks(&mut self, run: &[WonCommit]) -> Result<(), AuditError> {
        let held = blocks::look_up(&self.auditor.store, run, &self.broken).await?;
        for (won, held) in run.iter().zip(held) {
            self.report.blocks += 1;
            self.report.events = self.report.events.saturating_add(won.commit.events);
            let place = Place::of(won);
            if held.content_hash().as_slice() != won.commit.content_hash {
                let (attempt, holds) = (won.commit.attempt, held.in_words());
                self.found(Finding::BlockDamaged { place: place.clone(), attempt, holds });
                self.damaged.insert(place.clone());
            }
            for (attempt, rows) in held.others {
                self.found(Finding::LosingAttempt { place: place.clone(), attempt, rows });
                if self.options.repair {
                    self.auditor.store.remove_attempt(&block_id(won), attempt).await?;
                    self.repaired(format!("attempt {attempt} of {place} was removed"));
                }
            }
            self.archived(won).await?;
            if self.options.log {
                self.logged(won).await?;
            }
        }
        Ok(())
    }

    async fn archived(&mut self, won: &WonCommit) -> Result<(), AuditError> {
        let place = Place::of(won);
        if won.commit.archive_hash.is_empty() || self.auditor.archive.is_none() {
            let (low, _) = self.records.held(&chain_of(won)).await?;
            if won.commit.first_offset < low {
                let problem = format!("it begins at offset {low}, and no archive holds what is before it");
                self.found(Finding::LogDiffers { place, problem });
            }
            return Ok(());
        }
        if let Err(problem) = self.records.archived(won).await? {
            self.unarchived.insert(place.clone());
            self.found(Finding::ArchiveDamaged { place, problem });
        }
        Ok(())
    }

    /// Checks every record of a block that the log still holds.
    async fn logged(&mut self, won: &WonCommit) -> Result<(), AuditError> {
        let (low, end) = self.records.held(&chain_of(won)).await?;
        if won.commit.first_offset < low || won.commit.end_offset > end {
            return Ok(());
        }
        if let Err(problem) = self.records.logged(won).await? {
            self.found(Finding::LogDiffers { place: Place::of(won), problem });
        }
        Ok(())
    }

    /// Checks where each log ends and its last committed record.
    async fn ends(&mut self, chains: &Chains) -> Result<(), AuditError> {
        for (chain, head) in chains.heads() {
            let (low, end) = self.records.held(chain).await?;
            let committed = head.commit.end_offset;
            if end < committed {
                let (topic, partition) = (chain.topic.clone(), chain.partition);
                self.tails.insert(chain.clone(), end);
                self.found(Finding::LogTailLost { topic, partition, end, committed });
                continue;
            }
            let Some(last) = committed.checked_sub(1).filter(|last| *last >= low) else { continue };
            let record = self.records.read(chain, last, committed).await?;
            let payload = record.first().map_or(&[][..], |record| record.payload.as_slice());
            if wb_events::frame::record_hash(payload).as_slice() != head.commit.last_frame_hash {
                let problem = format!("its record at offset {last} is another one");
                self.found(Finding::LogDiffers { place: Place::of(head), problem });
            }
        }
        Ok(())
    }

    /// Reports attempts of blocks that are not committed. They may be in progress.
    async fn uncommitted(&mut self, chains: &Chains) -> Result<(), AuditError> {
        for (chain, head) in chains.heads() {
            let next = head.commit.block.saturating_add(1);
            let mut attempts: BTreeMap<(u64, u64), u64> = BTreeMap::new();
            for (_, found) in self.auditor.store.attempts_from(chain, next, &self.broken).await? {
                *attempts.entry((found.block, found.attempt)).or_default() += found.rows;
            }
            for ((block, attempt), rows) in attempts {
                let place = Place { topic: chain.topic.clone(), partition: chain.partition, block };
                self.found(Finding::UncommittedBlock { place, attempt, rows });
            }
        }
        Ok(())
    }
}
