//! What the biller needs from outside. It owns these traits; adapters implement them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

pub use wb_counted::{
    AllocationRow, Backing, BlockId, CorrectionsRead, EachWork, FactRow, Holding, ReadingRow, Recorded,
    SampleRow, SealedDays, Touched, WorkRead,
};
use wb_ledger::{ChainHead, EvidenceBlock, WonRecord};
use wb_rating::WorkSlice;
use wb_units::{Interval, Micros};

use crate::error::PortError;
use crate::running_bill::RunningBill;

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

    /// All facts of a kind, in any order; those about some entities where they are given.
    fn facts(
        &self,
        kind: &str,
        entities: Option<&[String]>,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<FactRow>, PortError>> + Send;

    /// All facts of some kinds, and the corrections.
    fn recorded(
        &self,
        kinds: &[&'static str],
        cut: u64,
    ) -> impl Future<Output = Result<Recorded, PortError>> + Send {
        async move {
            let mut facts = BTreeMap::new();
            for kind in kinds {
                facts.insert((*kind).to_owned(), self.facts(kind, None, cut).await?);
            }
            Ok(Recorded { facts, corrections: self.corrections(cut).await?, commits: BTreeMap::new() })
        }
    }

    /// The corrections that hold. What is voided is in none of the rows that the others give.
    fn corrections(&self, cut: u64) -> impl Future<Output = Result<CorrectionsRead, PortError>> + Send;

    /// Accepted work of several parties, of their machines while they held them. `corrections` are those of the cut.
    fn work_of_each(
        &self,
        parties: &[Vec<Holding>],
        corrections: &CorrectionsRead,
        cut: u64,
    ) -> impl Future<Output = Result<EachWork, PortError>> + Send;

    /// The work of a party by settlement interval and chain.
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

    /// Those of some blocks that are committed at or above `from`, an offset in `commits`, and before the cut. A store
    /// without sealed days may leave `from` out of account.
    fn blocks(
        &self,
        ids: &BTreeSet<BlockId>,
        from: u64,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<EvidenceBlock>, PortError>> + Send;

    /// The sealed days that stand for their blocks at a cut. That follows from the log alone: it does not
    /// change with what is read from where.
    fn sealed_days(&self, _cut: u64) -> impl Future<Output = Result<SealedDays, PortError>> + Send {
        std::future::ready(Ok(SealedDays::default()))
    }

    /// The head of every chain: the latest committed block of each partition.
    fn chain_heads(&self, cut: u64) -> impl Future<Output = Result<Vec<ChainHead>, PortError>> + Send;
}

/// The table of winning ledger records that readers ask.
pub trait LedgerTable: Send + Sync {
    /// Appends those of some winning records, given in offset order, that lie after the last one that the table holds;
    /// gives how many.
    fn append_missing(&self, records: &[WonRecord]) -> impl Future<Output = Result<u64, PortError>> + Send;
}

/// The table of running bills. Several may write: of one contract and month the bill of the highest cut holds.
pub trait RunningTable: Send + Sync {
    /// Writes bills, all or none of them.
    fn write(&self, bills: &[RunningBill]) -> impl Future<Output = Result<(), PortError>> + Send;
}
