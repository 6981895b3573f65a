//! The traits that connect the biller to the outside. Adapters implement them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

pub use wb_counted::{
    AllocationRow, AppendedRow, Backing, BlockId, CorrectionsRead, EachWork, FactRow, Holding, ReadingRow,
    Recorded, SampleRow, SealedDays, Touched, WorkRead,
};
use wb_ledger::{ChainHead, EvidenceBlock, WonRecord};
pub use wb_metering::corrections::EventId;
use wb_rating::WorkSlice;
use wb_units::{Interval, Micros};

use crate::error::PortError;
use crate::running_bill::RunningBill;

/// The topic `ledger`, which has one partition and never expires.
pub trait LedgerLog: Send + Sync {
    /// Appends a record and returns its offset once it is durable.
    fn append(&self, bytes: Vec<u8>) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// All records from `offset` on, in offset order. The end lies after every record that was acknowledged to any
    /// process before the call.
    fn read_all_from(
        &self,
        offset: u64,
    ) -> impl Future<Output = Result<Vec<(u64, Vec<u8>)>, PortError>> + Send;
}

/// Determines the cut up to which events count.
pub trait CutSource: Send + Sync {
    /// Waits until everything acknowledged before the call is committed and projected into the tables. Returns an
    /// offset in `commits` after all those commits.
    fn settled_cut(&self) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// Checks that the figures that a bill of these UTC days (days since 1970-01-01) reads below a cut are equal
    /// wherever they are stored. The error states the block or day and the difference.
    fn check_conserved(
        &self,
        days: std::ops::RangeInclusive<i32>,
        cut: u64,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The wall clock. It decides when a period is over and dates records. No digest depends on it.
pub trait Clock: Send + Sync {
    /// The present, UTC microseconds.
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

/// Counted and recorded data at a cut: only rows of blocks committed before it.
pub trait UsageStore: Send + Sync {
    /// One past the highest projected offset in `commits` below `below`; 0 if there is none.
    fn committed_cut(&self, below: u64) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// [`Self::committed_cut`], with the heads of the chains at that cut if everything below `settled` is projected
    /// and one query gives both.
    fn committed_heads(
        &self,
        settled: u64,
    ) -> impl Future<Output = Result<(u64, Option<Vec<ChainHead>>), PortError>> + Send {
        async move { Ok((self.committed_cut(settled).await?, None)) }
    }

    /// The entities of rows of blocks committed in `[from, to)`; `None` if unknown, which means all.
    fn touched(
        &self,
        _from: u64,
        _to: u64,
    ) -> impl Future<Output = Result<Option<Touched>, PortError>> + Send {
        std::future::ready(Ok(None))
    }

    /// Those of some events that are recorded, by their identities; `None` if that cannot be told.
    fn known_events(
        &self,
        _ids: &[EventId],
        _cut: u64,
    ) -> impl Future<Output = Result<Option<BTreeSet<EventId>>, PortError>> + Send {
        std::future::ready(Ok(None))
    }

    /// All facts of a kind, in any order; with `entities`, only those about them.
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

    /// The corrections in force. The other reads leave out voided events.
    fn corrections(&self, cut: u64) -> impl Future<Output = Result<CorrectionsRead, PortError>> + Send;

    /// Accepted work of several parties, of their machines while assigned to them. `corrections` are those of the
    /// cut.
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

    /// All rows of the allocations of some nodes that touch a window, including rows that do not touch it.
    fn allocations(
        &self,
        node_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<AllocationRow>, PortError>> + Send;

    /// The nodes on which allocations of some accounts touch a window.
    fn nodes_of_accounts(
        &self,
        accounts: &[String],
        window: Interval,
        cut: u64,
    ) -> impl Future<Output = Result<BTreeSet<String>, PortError>> + Send;

    /// The nodes with allocations that touch a window. More nodes may be given; reading their allocations tells.
    fn nodes_with_allocations(
        &self,
        window: Interval,
        cut: u64,
    ) -> impl Future<Output = Result<BTreeSet<String>, PortError>> + Send;

    /// Those of some machines that have readings at any time. More of them may be given; reading them tells.
    fn machines_with_readings(
        &self,
        machine_ids: &[String],
        cut: u64,
    ) -> impl Future<Output = Result<BTreeSet<String>, PortError>> + Send;

    /// Readings of the meters of some machines: those in the window and, for each machine, meter and witness, the
    /// last one before it and the first one at or after its end, however far away.
    fn readings(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<ReadingRow>, PortError>> + Send;

    /// When readings of some machines with a time in a window were appended to the log: those that were not appended in
    /// the moment in which they were read. Voided ones may be among them.
    fn readings_appended(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<AppendedRow>, PortError>> + Send;

    /// The commits of those of some blocks that are committed at or above `from`, an offset in `commits`, and before
    /// the cut. A store without sealed days may ignore `from`.
    fn blocks(
        &self,
        ids: &BTreeSet<BlockId>,
        from: u64,
        cut: u64,
    ) -> impl Future<Output = Result<Vec<EvidenceBlock>, PortError>> + Send;

    /// The sealed days at a cut, which stand for their blocks. They follow from the log alone, not from what is read.
    fn sealed_days(&self, _cut: u64) -> impl Future<Output = Result<SealedDays, PortError>> + Send {
        std::future::ready(Ok(SealedDays::default()))
    }

    /// The head of every chain: the latest committed block of each partition.
    fn chain_heads(&self, cut: u64) -> impl Future<Output = Result<Vec<ChainHead>, PortError>> + Send;
}

/// The table of winning ledger records for readers.
pub trait LedgerTable: Send + Sync {
    /// Appends those of the given winning records, in offset order, that lie after the last one in the table; returns
    /// how many.
    fn append_missing(&self, records: &[WonRecord]) -> impl Future<Output = Result<u64, PortError>> + Send;
}

/// The table of running bills. Several processes may write; of one contract and month the bill with the highest cut
/// holds.
pub trait RunningTable: Send + Sync {
    /// Writes bills, all or none of them.
    fn write(&self, bills: &[RunningBill]) -> impl Future<Output = Result<(), PortError>> + Send;
}
