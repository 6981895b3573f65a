//! The scrub: everything that was named, checked against everything that holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message as _;
use wb_clickhouse::audit::BrokenPart;
use wb_events::names::{Applied, Chains, TopicPartition, Won, WonName};
use wb_events::topics;
use wb_events::wire::NamesRecord;
use wb_events::wire::names_record::Record;
use wb_kafka::names_cursor::NamesStep;

use crate::blocks::{self, Runs};
use crate::finding::{Finding, Listener, Place, Said};
use crate::records::{Records, block_id, chain_of};
use crate::{AuditError, Auditor, manifest};

/// Offsets of `names` whose rows of the manifest are compared at once.
const NAMES_MAX: usize = 1_024;
/// How long the projection may lag behind the names.
const PROJECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is asked for.
const PROJECTION_PAUSE: Duration = Duration::from_millis(100);

/// What a scrub shall do beyond looking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScrubOptions {
    /// Repair what was found.
    pub repair: bool,
    /// Read every record that the log still holds, and compare it with the names.
    pub log: bool,
}

/// What a scrub came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScrubReport {
    /// Records of `names` that were read.
    pub names: u64,
    /// Named blocks that were checked.
    pub blocks: u64,
    /// Their events.
    pub events: u64,
    /// Faults that were found.
    pub faults: u64,
    /// Faults that could not be repaired; all of them where nothing was to be repaired.
    pub left: u64,
}

impl ScrubReport {
    /// Whether nothing is wrong any more.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left == 0
    }
}

/// A scrub under way.
pub(crate) struct Scrub<'a> {
    pub(crate) auditor: &'a Auditor,
    pub(crate) options: ScrubOptions,
    listener: Listener<'a>,
    pub(crate) report: ScrubReport,
    pub(crate) records: Records,
    pub(crate) broken: Vec<BrokenPart>,
    /// Blocks whose rows are to be written again.
    pub(crate) damaged: BTreeSet<Place>,
    /// Blocks that are to be archived again.
    pub(crate) unarchived: BTreeSet<Place>,
    /// Logs that end before what was named, with where they end.
    pub(crate) tails: BTreeMap<TopicPartition, u64>,
    /// Names that the projection may still come to.
    late: Vec<WonName>,
    /// One past the last offset of `names` that is audited.
    pub(crate) end: u64,
}

impl Auditor {
    /// Checks everything that is named now, and repairs it where that is wanted.
    ///
    /// # Errors
    /// [`AuditError`] where the audit itself could not go on. What cannot be repaired is no error:
    /// it is told, and counted in the report.
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
        let chains = scrub.names().await?;
        scrub.projection().await?;
        scrub.ends(&chains).await?;
        scrub.unnamed(&chains).await?;
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

    /// The topics' times.
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

    /// Broken parts. They are taken out before anything is read, where that is wanted: their rows
    /// are then missing, and found as such.
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

    /// All names, and with them the manifest, the tables and the archive.
    async fn names(&mut self) -> Result<Chains, AuditError> {
        let mut cursor = self.auditor.log.walk_names(None).await?;
        self.end = cursor.end();
        let mut runs = Runs::default();
        let (mut from, mut batch) = (0, Vec::new());
        while let Some(step) = cursor.next_record().await? {
            self.report.names += 1;
            match step.applied {
                Applied::Won(ref won) => {
                    if let Won::Name(name) = won.as_ref() {
                        batch.push(name.clone());
                        if let Some(run) = runs.push(name.clone()) {
                            self.blocks(&run).await?;
                        }
                    }
                }
                Applied::Lost => self.lost(&step, cursor.chains()),
                Applied::Pinned => {}
            }
            if batch.len() >= NAMES_MAX {
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

    /// A record that lost its race is as it should be; a name that is ahead of its chain is not.
    fn lost(&mut self, step: &NamesStep, chains: &Chains) {
        let Ok(NamesRecord { record: Some(Record::Name(name)) }) =
            NamesRecord::decode(step.record.as_slice())
        else {
            return;
        };
        let chain = TopicPartition::new(&name.topic, name.partition);
        let next_block = chains.head(&chain).map_or(0, |head| head.name.block.saturating_add(1));
        if name.block > next_block {
            let place = Place { topic: name.topic, partition: name.partition, block: name.block };
            self.found(Finding::NameOutOfPlace { names_offset: step.offset, place, next_block });
        }
    }

    async fn manifest(&mut self, offsets: std::ops::Range<u64>, names: &[WonName]) -> Result<(), AuditError> {
        let store = &self.auditor.store;
        let projected = store.cut().await?.0;
        let run = manifest::compare(store, offsets, names, &self.broken).await?;
        for names_offset in &run.wrong {
            self.found(Finding::ManifestRowWrong { names_offset: *names_offset });
            if self.options.repair {
                self.auditor.store.remove_manifest_row(*names_offset).await?;
                self.repaired(format!("the row for offset {names_offset} was removed from the manifest"));
            }
        }
        let (late, missing): (Vec<_>, Vec<_>) =
            run.missing.into_iter().partition(|won| won.names_offset >= projected);
        self.late.extend(late);
        self.missing_rows(&missing).await?;
        if self.late.len() > NAMES_MAX {
            // So much is no lag any more.
            let late = std::mem::take(&mut self.late);
            self.missing_rows(&late).await?;
        }
        Ok(())
    }

    /// Rows that the manifest lacks, in the order of their offsets.
    async fn missing_rows(&mut self, missing: &[WonName]) -> Result<(), AuditError> {
        for won in missing {
            let (names_offset, place) = (won.names_offset, Place::of(won));
            self.found(Finding::ManifestRowMissing { names_offset, place });
        }
        if self.options.repair && !missing.is_empty() {
            self.auditor.store.project_names(missing).await?;
            for won in missing {
                self.repaired(format!("the manifest shows {} again", Place::of(won)));
            }
        }
        Ok(())
    }

    /// Gives the projection its time for the newest names.
    async fn projection(&mut self) -> Result<(), AuditError> {
        let deadline = tokio::time::Instant::now() + PROJECTION_TIMEOUT;
        let mut late = std::mem::take(&mut self.late);
        while let (Some(first), Some(last)) = (late.first(), late.last()) {
            let offsets = first.names_offset..last.names_offset.saturating_add(1);
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

    /// A run of blocks of one partition: tables, archive and, where wanted, the log.
    async fn blocks(&mut self, run: &[WonName]) -> Result<(), AuditError> {
        let held = blocks::look_up(&self.auditor.store, run, &self.broken).await?;
        for (won, held) in run.iter().zip(held) {
            self.report.blocks += 1;
            self.report.events = self.report.events.saturating_add(won.name.events);
            let place = Place::of(won);
            if held.content_hash().as_slice() != won.name.content_hash {
                let (attempt, holds) = (won.name.attempt, held.in_words());
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

    async fn archived(&mut self, won: &WonName) -> Result<(), AuditError> {
        let place = Place::of(won);
        if won.name.archive_hash.is_empty() || self.auditor.archive.is_none() {
            let (low, _) = self.records.held(&chain_of(won)).await?;
            if won.name.first_offset < low {
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

    /// Every record of a block, as far as the log holds it.
    async fn logged(&mut self, won: &WonName) -> Result<(), AuditError> {
        let (low, end) = self.records.held(&chain_of(won)).await?;
        if won.name.first_offset < low || won.name.end_offset > end {
            return Ok(());
        }
        if let Err(problem) = self.records.logged(won).await? {
            self.found(Finding::LogDiffers { place: Place::of(won), problem });
        }
        Ok(())
    }

    /// Where each log ends, and its last named record.
    async fn ends(&mut self, chains: &Chains) -> Result<(), AuditError> {
        for (chain, head) in chains.heads() {
            let (low, end) = self.records.held(chain).await?;
            let named = head.name.end_offset;
            if end < named {
                let (topic, partition) = (chain.topic.clone(), chain.partition);
                self.tails.insert(chain.clone(), end);
                self.found(Finding::LogTailLost { topic, partition, end, named });
                continue;
            }
            let Some(last) = named.checked_sub(1).filter(|last| *last >= low) else { continue };
            let record = self.records.read(chain, last, named).await?;
            let payload = record.first().map_or(&[][..], |record| record.payload.as_slice());
            if wb_events::frame::record_hash(payload).as_slice() != head.name.last_frame_hash {
                let problem = format!("its record at offset {last} is another one");
                self.found(Finding::LogDiffers { place: Place::of(head), problem });
            }
        }
        Ok(())
    }

    /// Attempts of blocks that are not named. They may be under way.
    async fn unnamed(&mut self, chains: &Chains) -> Result<(), AuditError> {
        for (chain, head) in chains.heads() {
            let next = head.name.block.saturating_add(1);
            let mut attempts: BTreeMap<(u64, u64), u64> = BTreeMap::new();
            for (_, found) in self.auditor.store.attempts_from(chain, next, &self.broken).await? {
                *attempts.entry((found.block, found.attempt)).or_default() += found.rows;
            }
            for ((block, attempt), rows) in attempts {
                let place = Place { topic: chain.topic.clone(), partition: chain.partition, block };
                self.found(Finding::UnnamedBlock { place, attempt, rows });
            }
        }
        Ok(())
    }
}
