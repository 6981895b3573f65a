//! The rows that count at a cut: one type for each kind of row, for every reader and every store.
//!
//! Stores return these; bills, reports and their evidence are made of them. [`SealedDays`] says which blocks need not
//! be listed in evidence, because the seal of their day stands for them.

mod references;

use std::collections::{BTreeMap, BTreeSet};

use wb_ledger::{EvidenceBlock, EvidenceDay};
use wb_metering::corrections::Corrections;
use wb_metering::energy::RegisterReading;
use wb_metering::energy::witness::Witness;
use wb_metering::report::machine::{Sample, SpanRow};
use wb_rating::WorkGroup;
use wb_units::time::day_of;
use wb_units::{Interval, Micros};

pub use references::{REFERRING_KINDS, Unresolved, unresolved};

/// A block of a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockId {
    pub topic: String,
    pub partition: u32,
    pub block: u64,
}

impl BlockId {
    /// The block that a piece of evidence is about.
    #[must_use]
    pub fn of(evidence: &EvidenceBlock) -> Self {
        Self { topic: evidence.topic.clone(), partition: evidence.partition, block: evidence.block }
    }
}

/// A fact as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactRow {
    /// Its entity.
    pub entity: String,
    /// When it begins to hold.
    pub valid_from_us: Micros,
    /// When it ceases to hold, if it has an end.
    pub valid_to_us: Option<Micros>,
    /// The block that holds it.
    pub block: BlockId,
    /// Its place in the block.
    pub idx: u32,
    /// Its body, JSON.
    pub body: String,
}

/// A machine held under a contract for a stretch of time on the settlement grid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// The stretch.
    pub interval: Interval,
    pub machine_id: String,
}

/// Accepted work, with the blocks that hold it outside of sealed days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkRead {
    /// The work, in groups of equal worth.
    pub groups: Vec<WorkGroup>,
    /// The blocks that hold it, of which those count that are committed at or above the cut of [`SealedDays`]: sealed
    /// days stand for all others.
    pub above: BTreeSet<BlockId>,
}

/// The work of several parties.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EachWork {
    /// That of each.
    pub works: Vec<WorkRead>,
    /// The sealed days it was read by, where they are known with it.
    pub sealed: Option<SealedDays>,
    /// Commits of those of its blocks above the sealed days that are known with it.
    pub commits: BTreeMap<BlockId, EvidenceBlock>,
}

/// Sealed days that stand for their blocks in an invoice's evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedDays {
    /// All blocks with rows of such a day that are committed below this offset lie in the day's seal.
    pub cut: u64,
    /// The days, counted since 1970-01-01 UTC.
    pub days: BTreeMap<i32, EvidenceDay>,
}

impl SealedDays {
    /// The sealed ones among the days that a time touches.
    pub fn within(&self, interval: Interval) -> impl Iterator<Item = i32> {
        let (first, last) = (day_of(interval.start_us), day_of(interval.end_us.saturating_sub(1)));
        self.days.keys().copied().filter(move |day| (first..=last).contains(day))
    }
}

/// A register reading, with its machine and the block that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingRow {
    /// The machine the meter feeds.
    pub machine_id: String,
    pub meter_id: String,
    /// The witness.
    pub witness: Witness,
    pub reading: RegisterReading,
    pub block: BlockId,
    /// Whether it was read from the seal of its day.
    pub is_sealed: bool,
}

/// When a register reading came, where that was not the moment in which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendedRow {
    pub machine_id: String,
    pub meter_id: String,
    /// The reading's event.
    pub id: [u8; 16],
    /// When it was appended to the log.
    pub appended_at_us: Micros,
}

/// The evidence of a row on an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backing {
    /// Its block.
    Named,
    /// Its block if that is committed above the sealed days; the seal of this day if not.
    Above(i32),
    /// The seal of this day.
    Day(i32),
}

impl ReadingRow {
    /// The evidence of a row in this block where these days are sealed.
    #[must_use]
    pub fn stands_in(&self, sealed: &SealedDays) -> Backing {
        let day = day_of(self.reading.at_us);
        if !sealed.days.contains_key(&day) {
            Backing::Named
        } else if self.is_sealed {
            Backing::Day(day)
        } else {
            Backing::Above(day)
        }
    }
}

/// A sample of a machine, with the block that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRow {
    pub machine_id: String,
    pub sample: Sample,
    /// The algorithm that it reported.
    pub algorithm: String,
    pub block: BlockId,
}

/// A row of a GPU allocation, with the block that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllocationRow {
    /// The row; it has its node.
    pub row: SpanRow,
    pub block: BlockId,
}

/// Corrections, with the blocks that hold them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorrectionsRead {
    /// The resolved corrections.
    pub resolved: Corrections,
    pub blocks: BTreeSet<BlockId>,
}

/// Facts and corrections at a cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Facts by their kind, in any order; a kind without any may be missing.
    pub facts: BTreeMap<String, Vec<FactRow>>,
    pub corrections: CorrectionsRead,
    /// Commits of blocks that hold them, where they are known with them.
    pub commits: BTreeMap<BlockId, EvidenceBlock>,
}

/// The machines and facts in the rows of newly committed blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    /// The machines, nodes and places of site meters with rows of any kind.
    pub machine_ids: BTreeSet<String>,
    /// Whether facts are among the rows.
    pub facts: bool,
}
