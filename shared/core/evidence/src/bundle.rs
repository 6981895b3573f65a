//! What a bundle holds.

use serde::{Deserialize, Serialize};
use wb_ledger::{EvidenceBlock, Hash};
use wb_rating::RatedStretch;

use crate::bytes::Bytes;
use crate::subject::Subject;

/// All that an invoice follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The bytes of the ledger's record that issued the invoice: canonical JSON.
    pub record: String,
    /// What each version of the contract was rated from, in order of time.
    pub stretches: Vec<RatedStretch>,
    /// Which events the bundle may hold.
    pub subject: Subject,
    /// Every block behind the lines that is committed one by one, sorted.
    pub blocks: Vec<EvidenceBlock>,
    /// The records of the seals of the invoice's days, in order of the days.
    pub seals: Vec<CommitRecord>,
    /// The blocks of sealed days whose events are here, sorted by day and place in the day.
    pub day_blocks: Vec<DayBlock>,
    /// Which events were taken.
    pub sampling: Sampling,
    /// The commits of the blocks whose events are here, sorted by block.
    pub commits: Vec<CommitRecord>,
    /// The events, sorted by block and place.
    pub events: Vec<EventProof>,
}

/// Which events of the blocks a bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sampling {
    /// As many draws as this.
    Drawn(u32),
    /// Every event that is about the invoice.
    All,
}

/// A commit or a seal, as its record lies in `commits`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitRecord {
    /// The offset of the record.
    pub commit_offset: u64,
    /// Its bytes.
    pub record: Bytes,
}

/// A block with the proof that it lies in a sealed day. One block may lie in two days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayBlock {
    /// The day, counted since 1970-01-01.
    pub day: i32,
    /// Its place among the day's blocks, from 0.
    pub index: u64,
    /// The block.
    pub block: EvidenceBlock,
    /// Its neighbours in the Merkle tree over the day's blocks, from the leaves up.
    pub path: Vec<Hash>,
}

/// An event with the proof that it lies in its block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventProof {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The block.
    pub block: u64,
    /// Its place among the block's events, from 0.
    pub index: u64,
    /// Its bytes as they are stored.
    pub event: Bytes,
    /// Its neighbours in the Merkle tree, from the leaves up.
    pub path: Vec<Hash>,
}

/// Where a block lies.
pub(crate) type Place<'a> = (&'a str, u32, u64);

impl EventProof {
    pub(crate) fn place(&self) -> Place<'_> {
        (&self.topic, self.partition, self.block)
    }
}

pub(crate) fn place_of(block: &EvidenceBlock) -> Place<'_> {
    (&block.topic, block.partition, block.block)
}

/// A place in words, as commands read it.
pub(crate) fn words((topic, partition, block): Place<'_>) -> String {
    format!("block {block} of {topic}/{partition}")
}
