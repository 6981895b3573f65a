//! Builds a bundle, block by block.

mod days;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use wb_events::wire::commits_record::Record;
use wb_events::wire::{Commit, CommitsRecord};
use wb_fold::merkle::{self, Tree};
use wb_ledger::{EvidenceBlock, EvidenceDay, Hash};
use wb_rating::RatedStretch;

use crate::bundle::{Bundle, CommitRecord, EventProof, Sampling, words};
use crate::bytes::Bytes;
use crate::form::{DAY_BLOCKS_MAX, EVENTS_MAX};
use crate::sample::{Target, draws, first_from};
use crate::subject::{MappedAccount, Neighbours, Relation, Scope, Subject};

pub use days::SealedDay;
pub(crate) use days::leaf as day_leaf;

/// What the biller holds of an invoice.
#[derive(Debug, Clone)]
pub struct Material {
    /// The bytes of the ledger's record that issued it.
    pub record: String,
    /// What it was rated from, in order of time.
    pub stretches: Vec<RatedStretch>,
    /// Which events are about it.
    pub subject: Subject,
    /// All blocks behind it that are listed one by one.
    pub blocks: Vec<EvidenceBlock>,
    /// All sealed days behind it.
    pub days: Vec<SealedDay>,
    /// Its evidence digest, from which the draws follow.
    pub evidence_digest: Hash,
    /// Which events to take.
    pub sampling: Sampling,
    /// The ids of all events that corrections void at the invoice's cut, of all customers.
    pub voided: BTreeSet<[u8; 16]>,
    /// When accounts are mapped to other contracts at the invoice's cut: their allocations are never taken.
    pub neighbours: Vec<MappedAccount>,
}

/// A block as the log holds it.
#[derive(Debug, Clone)]
pub struct CommittedBlock {
    /// The offset of its commit in `commits`.
    pub commit_offset: u64,
    /// The bytes of its commit.
    pub commit: Vec<u8>,
    /// The stored bytes of its events, in log order.
    pub stored: Vec<Vec<u8>>,
}

/// Why there is no bundle.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The log or archive differs from what invoice and commits say.
    #[code("WB-5941")]
    #[error("{place} is not what invoice and commits say: {detail}; run `weighbridge scrub`")]
    OtherBlock {
        /// The block.
        place: String,
        /// What differs.
        detail: &'static str,
    },
    /// Too many events.
    #[code("WB-5942")]
    #[error(
        "the blocks behind the invoice hold more than {EVENTS_MAX} events that are about it; draw some of them \
         with --events N"
    )]
    TooMany,
    /// The blocks of a sealed day are not those of its seal.
    #[code("WB-5944")]
    #[error(
        "the blocks of sealed day {day} (counted since 1970-01-01) are not those that the invoice rests on: \
         {detail}; run `weighbridge scrub`"
    )]
    OtherDay {
        /// The day.
        day: i32,
        /// What differs.
        detail: &'static str,
    },
    /// A block that the bundle needs was not given.
    #[code("WB-5943")]
    #[error("{place} stands behind the invoice, but its commit was not found below the invoice's cut")]
    NoBlock {
        /// The block.
        place: String,
    },
}

/// The commit in a record of `commits`, if it is one.
pub(crate) fn commit_of(record: &[u8]) -> Option<Commit> {
    match CommitsRecord::decode(record).ok()?.record? {
        Record::Commit(commit) => Some(commit),
        _ => None,
    }
}

/// A topic, a partition and a block.
type Key = (String, u32, u64);

fn key_of(block: &EvidenceBlock) -> Key {
    (block.topic.clone(), block.partition, block.block)
}

/// A block that the bundle still needs.
#[derive(Debug, Default)]
struct Wanted {
    /// What invoice and sealed days say of it; they say the same.
    said: BTreeSet<EvidenceBlock>,
    /// The numbers that were drawn in it.
    numbers: BTreeSet<u128>,
}

/// The blocks that the bundle still needs.
#[derive(Debug, Default)]
struct Wants(BTreeMap<Key, Wanted>);

impl Wants {
    fn add(&mut self, block: &EvidenceBlock, numbers: impl IntoIterator<Item = u128>) {
        let wanted = self.0.entry(key_of(block)).or_default();
        wanted.numbers.extend(numbers);
        if !wanted.said.contains(block) {
            wanted.said.insert(block.clone());
        }
    }
}

/// A bundle under construction.
#[derive(Debug)]
pub struct Builder {
    bundle: Bundle,
    /// Blocks that were not given yet.
    wanted: Wants,
    /// What corrections void, hex.
    voided: BTreeSet<String>,
    /// Accounts of other contracts.
    neighbours: Vec<MappedAccount>,
}

impl Builder {
    /// Begins with everything but commits and events. Of the days' blocks it keeps only those that the bundle needs.
    ///
    /// # Errors
    /// [`BuildError::OtherDay`] where a day's blocks are not those that the invoice rests on, [`BuildError::TooMany`]
    /// where they hold more events than a bundle may.
    pub fn new(material: Material) -> Result<Self, BuildError> {
        let mut blocks = material.blocks;
        blocks.sort();
        blocks.dedup();
        let mut days = material.days;
        days.sort_by(|left, right| left.day.cmp(&right.day));
        days.dedup_by(|left, right| left.day == right.day);
        let mut wanted = Wants::default();
        let mut drawn: BTreeMap<i32, Vec<(u64, u128)>> = BTreeMap::new();
        match material.sampling {
            Sampling::All => blocks.iter().for_each(|block| wanted.add(block, [])),
            Sampling::Drawn(count) => {
                let of_days: Vec<EvidenceDay> = days.iter().map(|day| day.day.clone()).collect();
                for draw in draws(&material.evidence_digest, &blocks, &of_days, count) {
                    match draw.target {
                        Target::Block(block) => wanted.add(block, [draw.number()]),
                        Target::Day { day, index } => {
                            drawn.entry(day.day).or_default().push((index, draw.number()));
                        }
                    }
                }
            }
        }
        let (mut seals, mut day_blocks) = (Vec::with_capacity(days.len()), Vec::new());
        for day in days {
            let chosen = match material.sampling {
                Sampling::All => day.all(),
                Sampling::Drawn(_) => day.drawn(drawn.get(&day.day.day).map_or(&[], Vec::as_slice)),
            };
            // Each of them holds at least one event.
            if day_blocks.len().saturating_add(chosen.len()) > DAY_BLOCKS_MAX {
                return Err(BuildError::TooMany);
            }
            seals.push(day.seal.clone());
            for (block, numbers) in day.prove(chosen)? {
                wanted.add(&block.block, numbers);
                day_blocks.push(block);
            }
        }
        let mut subject = material.subject;
        subject.machines.sort();
        subject.machines.dedup();
        subject.accounts.sort();
        subject.accounts.dedup();
        subject.series.sort();
        subject.series.dedup();
        subject.sites.sort();
        subject.sites.dedup();
        // Which voided ids the bundle may list is known once its events are taken.
        subject.voided.clear();
        let voided = material.voided.iter().map(|id| wb_proof::hex::encode(id)).collect();
        let bundle = Bundle {
            record: material.record,
            stretches: material.stretches,
            subject,
            blocks,
            seals,
            day_blocks,
            sampling: material.sampling,
            commits: Vec::new(),
            events: Vec::new(),
        };
        Ok(Self { bundle, wanted, voided, neighbours: material.neighbours })
    }

    /// The blocks that are still needed: topic, partition and block, sorted.
    pub fn wanted(&self) -> impl Iterator<Item = (&str, u32, u64)> {
        self.wanted.0.keys().map(|(topic, partition, block)| (topic.as_str(), *partition, *block))
    }

    /// Takes a block; a block that is not needed is left out.
    ///
    /// # Errors
    /// [`BuildError::OtherBlock`] where its records are not those that were committed, [`BuildError::TooMany`].
    pub fn take(&mut self, block: &CommittedBlock) -> Result<(), BuildError> {
        let Some(commit) = commit_of(&block.commit) else {
            let place = format!("record {} of commits", block.commit_offset);
            return Err(BuildError::OtherBlock { place, detail: "it is not a commit" });
        };
        let key = (commit.topic.clone(), commit.partition, commit.block);
        let Some(wanted) = self.wanted.0.remove(&key) else { return Ok(()) };
        let place = (key.0.as_str(), key.1, key.2);
        let other = |detail| BuildError::OtherBlock { place: words(place), detail };
        let tree = Tree::new(block.stored.iter().map(|stored| merkle::leaf(stored)).collect());
        if wanted.said.iter().any(|evidence| {
            evidence.merkle_root.as_bytes() != commit.merkle_root.as_slice()
                || evidence.content_hash.as_bytes() != commit.content_hash.as_slice()
        }) {
            return Err(other("the invoice has another content hash of it"));
        }
        if tree.root().as_slice() != commit.merkle_root.as_slice() {
            return Err(other("its events make another Merkle root"));
        }
        if u64::try_from(block.stored.len()).ok() != Some(commit.events) {
            return Err(other("it has another number of events"));
        }
        let mut void_ids = BTreeSet::new();
        let scope = Scope::new(&self.bundle.subject);
        let neighbours = Neighbours::new(&self.neighbours);
        let own: Vec<u64> = (0_u64..)
            .zip(&block.stored)
            .filter(|(_, stored)| scope.relation(stored).is_own() && !neighbours.has(stored))
            .map(|(index, _)| index)
            .collect();
        let chosen: BTreeSet<u64> = match self.bundle.sampling {
            Sampling::All => own.into_iter().collect(),
            Sampling::Drawn(_) => wanted
                .numbers
                .iter()
                .filter_map(|number| first_from(&own, crate::sample::place_of_number(*number, commit.events)))
                .collect(),
        };
        if self.bundle.events.len().saturating_add(chosen.len()) > EVENTS_MAX {
            return Err(BuildError::TooMany);
        }
        for index in chosen {
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            let (Some(stored), Some(path)) = (block.stored.get(at), tree.path(at)) else { continue };
            if !self.voided.is_empty()
                && let Relation::Work(share) = scope.relation(stored)
            {
                void_ids.extend(share.event_ids().into_iter().filter(|id| self.voided.contains(id)));
            }
            self.bundle.events.push(EventProof {
                topic: key.0.clone(),
                partition: key.1,
                block: key.2,
                index,
                event: Bytes(stored.clone()),
                path: path.into_iter().map(Hash::from_bytes).collect(),
            });
        }
        self.bundle.subject.voided.extend(void_ids);
        self.bundle
            .commits
            .push(CommitRecord { commit_offset: block.commit_offset, record: Bytes(block.commit.clone()) });
        Ok(())
    }

    /// The bundle.
    ///
    /// # Errors
    /// [`BuildError::NoBlock`] where a needed block was not given.
    pub fn finish(mut self) -> Result<Bundle, BuildError> {
        if let Some(((topic, partition, block), _)) = self.wanted.0.pop_first() {
            return Err(BuildError::NoBlock { place: words((&topic, partition, block)) });
        }
        self.bundle
            .events
            .sort_by(|left, right| (left.place(), left.index).cmp(&(right.place(), right.index)));
        self.bundle.subject.voided.sort();
        self.bundle.subject.voided.dedup();
        self.bundle.commits.sort_by_cached_key(|commit| {
            let key =
                commit_of(&commit.record.0).map(|commit| (commit.topic, commit.partition, commit.block));
            (key, commit.commit_offset)
        });
        Ok(self.bundle)
    }
}
