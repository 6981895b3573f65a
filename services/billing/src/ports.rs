//! What the biller needs from outside. It owns these traits; adapters implement them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use wb_ledger::{ChainHead, EvidenceBlock, EvidenceDay};
use wb_metering::corrections::Corrections;
use wb_metering::energy::RegisterReading;
use wb_metering::report::machine::{Sample, SpanRow};
use wb_rating::{WorkGroup, WorkSlice};
use wb_units::{Interval, Micros};

use crate::error::PortError;

/// The topic `ledger`: one partition, never expires.
pub trait LedgerLog: Send + Sync {
    /// Appends a record and returns its offset once it is durable.
    fn append(&self, bytes: Vec<u8>) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// All records from `offset` on, in offset order, up to an end that lies after every record
    /// acknowledged to anyone before the call.
    fn read_all_from(
        &self,
        offset: u64,
    ) -> impl Future<Output = Result<Vec<(u64, Vec<u8>)>, PortError>> + Send;
}

/// Decides up to where the events count.
pub trait CutSource: Send + Sync {
    /// Waits until everything that was acknowledged before the call is committed and its commits are
    /// projected into the tables, and returns an offset in `commits` that is after all those commits.
    fn settled_cut(&self) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// Checks that what was counted below a cut is found again, unchanged, wherever a bill of these
    /// UTC days, counted since 1970-01-01, reads it; an error names the block or day and what differs.
    fn check_conserved(
        &self,
        days: std::ops::RangeInclusive<i32>,
        cut: u64,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The wall clock: when a period is over, and the time in a record. No digest depends on it.
pub trait Clock: Send + Sync {
    /// Now, UTC microseconds.
    fn now_us(&self) -> Micros;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> Micros {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}

/// A block of a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockId {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The block.
    pub block: u64,
}

/// A fact as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactRow {
    /// What it is about.
    pub entity: String,
    /// When it begins to hold.
    pub valid_from_us: Micros,
    /// When it ceases to hold, if it says so.
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
    /// The machine.
    pub machine_id: String,
}

/// Accepted work, with the blocks that hold it where no sealed day stands for them.
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
    /// The sealed days it was read by, as [`UsageStore::sealed_days`] gives them, where that is known.
    pub sealed: Option<SealedDays>,
    /// Names of those of its blocks above the sealed days that are known with it.
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

/// A register reading, with where it was taken and the block that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingRow {
    /// The machine the meter feeds.
    pub machine_id: String,
    /// The meter.
    pub meter_id: String,
    /// Who read it: `meter`, `pdu` or `firmware`.
    pub witness: String,
    /// The reading.
    pub reading: RegisterReading,
    /// The block.
    pub block: BlockId,
    /// Whether it was read from the seal of its day.
    pub is_sealed: bool,
}

/// What stands for a row in an invoice's evidence.
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
    /// What stands for it where these days are sealed.
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

/// The UTC day of an instant, counted since 1970-01-01.
#[must_use]
pub fn day_of(at_us: Micros) -> i32 {
    const DAY_US: i64 = 86_400_000_000;
    i32::try_from(at_us.div_euclid(DAY_US)).unwrap_or(if at_us < 0 { i32::MIN } else { i32::MAX })
}

impl SealedDays {
    /// The sealed ones among the days that a time touches.
    pub fn within(&self, interval: Interval) -> impl Iterator<Item = i32> {
        let (first, last) = (day_of(interval.start_us), day_of(interval.end_us.saturating_sub(1)));
        self.days.keys().copied().filter(move |day| (first..=last).contains(day))
    }
}

/// A sample of a machine, with the block that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRow {
    /// The machine.
    pub machine_id: String,
    /// The sample.
    pub sample: Sample,
    /// The block.
    pub block: BlockId,
}

/// A row of a GPU allocation, with the block that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllocationRow {
    /// The row; it names its node.
    pub row: SpanRow,
    /// The block.
    pub block: BlockId,
}

/// Corrections, with the blocks that hold them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorrectionsRead {
    /// What they come to.
    pub resolved: Corrections,
    /// The blocks.
    pub blocks: BTreeSet<BlockId>,
}

/// Facts and corrections at a cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Facts by their kind, in any order; a kind without any may be missing.
    pub facts: BTreeMap<String, Vec<FactRow>>,
    /// The corrections.
    pub corrections: CorrectionsRead,
    /// Names of blocks that hold them, where they are known with them.
    pub commits: BTreeMap<BlockId, EvidenceBlock>,
}

/// What rows of newly committed blocks are about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    /// The machines, nodes and places of site meters with rows of any kind.
    pub machine_ids: BTreeSet<String>,
    /// Whether facts are among the rows.
    pub facts: bool,
}

/// What was counted and recorded, as of a cut: only rows of blocks committed before it.
pub trait UsageStore: Send + Sync {
    /// One past the highest offset in `commits`, below `below`, that the tables know; 0 for none.
    fn committed_cut(&self, below: u64) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// [`Self::committed_cut`] where the tables have everything below that offset, with the heads of the chains at the
    /// cut that it gives, where that is one question.
    fn committed_heads(
        &self,
        settled: u64,
    ) -> impl Future<Output = Result<(u64, Option<Vec<ChainHead>>), PortError>> + Send {
        async move { Ok((self.committed_cut(settled).await?, None)) }
    }

    /// What the rows of blocks committed in `[from, to)` are about; `None` where that is not known, which is
    /// taken for everything.
    fn touched(
        &self,
        _from: u64,
        _to: u64,
    ) -> impl Future<Output = Result<Option<Touched>, PortError>> + Send {
        std::future::ready(Ok(None))
    }

    /// All facts of a kind, in any order.
    fn facts(&self, kind: &str, cut: u64) -> impl Future<Output = Result<Vec<FactRow>, PortError>> + Send;

    /// All facts of some kinds, and the corrections.
    fn recorded(
        &self,
        kinds: &[&'static str],
        cut: u64,
    ) -> impl Future<Output = Result<Recorded, PortError>> + Send {
        async move {
            let mut facts = BTreeMap::new();
            for kind in kinds {
                facts.insert((*kind).to_owned(), self.facts(kind, cut).await?);
            }
            Ok(Recorded { facts, corrections: self.corrections(cut).await?, commits: BTreeMap::new() })
        }
    }

    /// Facts of a kind about some entities, in any order.
    fn facts_of(
        &self,
        kind: &str,
        entities: &[String],
        cut: u64,
    ) -> impl Future<Output = Result<Vec<FactRow>, PortError>> + Send;

    /// Accepted work of machines while they were held.
    fn work(
        &self,
        holdings: &[Holding],
        cut: u64,
    ) -> impl Future<Output = Result<WorkRead, PortError>> + Send;

    /// The work of several parties at once: for each what [`Self::work`] gives for it. `corrections` are
    /// those of the cut.
    fn work_of_each(
        &self,
        parties: &[Vec<Holding>],
        _corrections: &CorrectionsRead,
        cut: u64,
    ) -> impl Future<Output = Result<EachWork, PortError>> + Send {
        async move {
            let mut works = Vec::with_capacity(parties.len());
            for holdings in parties {
                works.push(self.work(holdings, cut).await?);
            }
            Ok(EachWork { works, ..EachWork::default() })
        }
    }

    /// The same work by settlement interval and chain.
    fn work_slices(
        &self,
        holdings: &[Holding],
        cut: u64,
    ) -> impl Future<Output = Result<Vec<WorkSlice>, PortError>> + Send;

    /// Samples of some machines inside a window.
    fn samples(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<SampleRow>, PortError>> + Send;

    /// All rows of the allocations of some nodes that touch a window, also those rows that do not.
    fn allocations(
        &self,
        node_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<AllocationRow>, PortError>> + Send;

    /// Readings of the meters of some machines: those inside the window and, for each machine, meter
    /// and witness, the last before it and the first at or after its end, however far away.
    fn readings(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<ReadingRow>, PortError>> + Send;

    /// The corrections that hold. What is voided is in none of the rows that the others give.
    fn corrections(&self, cut: u64) -> impl Future<Output = Result<CorrectionsRead, PortError>> + Send;

    /// The names of some blocks.
    fn blocks(
        &self,
        ids: &BTreeSet<BlockId>,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<EvidenceBlock>, PortError>> + Send;

    /// The names of those of some blocks that are committed at or above `from`.
    fn blocks_above(
        &self,
        ids: &BTreeSet<BlockId>,
        _from: u64,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<EvidenceBlock>, PortError>> + Send {
        self.blocks(ids, cut)
    }

    /// The sealed days that stand for their blocks at a cut. That follows from the log alone: it does not
    /// change with what is read from where.
    fn sealed_days(&self, _cut: u64) -> impl Future<Output = Result<SealedDays, PortError>> + Send {
        std::future::ready(Ok(SealedDays::default()))
    }

    /// The latest name of every partition.
    fn chain_heads(&self, cut: u64) -> impl Future<Output = Result<Vec<ChainHead>, PortError>> + Send;
}
