//! Reads rows for bills: of the parties and machines that each call states, at a cut, over months.
//!
//! Only rows of attempts committed before the cut count, or of the seals that hold them. Sums are of integers, so
//! their order does not matter. A seal states the root over its blocks, so only blocks above the seals are listed one
//! by one.

mod commits;
mod events;
mod parties;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use clickhouse::Client;
use wb_auth::TenantScope;
use wb_counted::{
    AllocationRow, AppendedRow, BlockId, CorrectionsRead, EachWork, FactRow, Holding, ReadingRow, Recorded,
    SampleRow, SealedDays, Touched,
};
use wb_events::facts::{METER_RATIO, VOID};
use wb_events::topics::REFERENCE;
use wb_ledger::{ChainHead, EvidenceBlock, EvidenceDay, Hash};
use wb_rating::WorkSlice;
use wb_units::Interval;

use crate::client::Store;
use crate::corrections::CorrectionsAt;
use crate::error::{StoreError, query_failed};
use crate::facts::RecordedFact;
use crate::read::{Cut, Read, ReadingsOf};
use crate::whole_days::SealsAt;
use commits::Standing;

/// Machines per query: the query contains their ids of up to 128 bytes each.
const MACHINES_PER_QUERY: usize = 1_000;

/// Reads for bills. Cheap to clone; clones share the cache of seals.
#[derive(Clone)]
pub struct Usage {
    client: Client,
    standing: Arc<Mutex<Option<Standing>>>,
}

impl Store {
    /// Creates a reader for bills.
    ///
    /// A month of a large customer exceeds the limits of an interactive query: results are not limited and may take
    /// ten minutes. The biller reads bounded portions.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let client = self
            .client()
            .clone()
            .with_setting("max_result_rows", "0")
            .with_setting("max_execution_time", "600")
            // Compiling costs more than the few rows of most of these queries.
            .with_setting("compile_expressions", "0")
            .with_setting("compile_aggregate_expressions", "0")
            .with_setting("compile_sort_description", "0");
        Usage { client, standing: Arc::default() }
    }
}

/// Converts seals to the form of inputs.
fn sealed_days(seals: &SealsAt) -> SealedDays {
    let days = seals.days.iter().map(|seal| EvidenceDay {
        day: seal.day,
        commit_offset: seal.commit_offset,
        seal_hash: Hash::from_bytes(seal.seal_hash),
        blocks_count: seal.blocks,
        blocks_root: Hash::from_bytes(seal.blocks_root),
    });
    SealedDays { cut: seals.cut, days: days.map(|day| (day.day, day)).collect() }
}

/// Groups machines by the time they were held, which is nearly always the same for all.
fn by_interval(holdings: &[Holding]) -> BTreeMap<Interval, Vec<&str>> {
    let mut intervals: BTreeMap<Interval, Vec<&str>> = BTreeMap::new();
    for holding in holdings {
        intervals.entry(holding.interval).or_default().push(&holding.machine_id);
    }
    intervals
}

impl Usage {
    /// A reader that sees all customers, because each call states its machines.
    fn read(&self, cut: Cut) -> Read {
        Read::new(self.client.clone(), TenantScope::Operator, cut)
    }

    /// One past the highest projected offset in `commits` below `below`; 0 if there is none.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn committed_cut(&self, below: u64) -> Result<u64, StoreError> {
        self.read_committed_cut(below).await
    }

    /// [`Self::committed_cut`], and the heads of the chains there if everything below `settled` is projected.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn committed_heads(&self, settled: u64) -> Result<(u64, Vec<ChainHead>), StoreError> {
        self.read_committed_heads(settled).await
    }

    /// The entities of rows of blocks committed in `[from, to)`, offsets in `commits`.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn touched(&self, from: u64, to: u64) -> Result<Touched, StoreError> {
        let committed = |condition: &str| {
            format!(
                "(topic, partition, block, attempt) IN (SELECT topic, partition, block, attempt FROM manifest \
                 WHERE commit_offset >= {{from:UInt64}} AND commit_offset < {{to:UInt64}}) AND {condition}"
            )
        };
        // The block number alone is narrow and indexed; it excludes nearly all old rows.
        let new = committed(
            "block IN (SELECT block FROM manifest WHERE commit_offset >= {from:UInt64} AND commit_offset < {to:UInt64})",
        );
        let of = |column: &str, table: &str| format!("SELECT {column} AS id FROM {table} WHERE {new}");
        let sql = format!(
            "SELECT DISTINCT id FROM ({} UNION ALL {} UNION ALL {} UNION ALL {})",
            of("machine_id", "work_5m"),
            of("machine_id", "energy_readings"),
            of("machine_id", "miner_samples"),
            of("node_id", "gpu_spans"),
        );
        let query = self.client.query_raw(&sql).param("from", from).param("to", to);
        let ids: Vec<String> =
            query.fetch_all().await.map_err(query_failed("find what new blocks are about"))?;
        let facts = self.client.query_raw(&format!("SELECT count() FROM facts WHERE {new}"));
        let facts: u64 = facts
            .param("from", from)
            .param("to", to)
            .fetch_one()
            .await
            .map_err(query_failed("find whether facts are new"))?;
        Ok(Touched { machine_ids: ids.into_iter().collect(), facts: facts > 0 })
    }

    /// All facts of a kind, in any order; with `entities`, only those about them.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn facts(
        &self,
        kind: &str,
        entities: Option<&[String]>,
        cut: Cut,
    ) -> Result<Vec<FactRow>, StoreError> {
        let rows = RecordedFact::read(&self.client, &[kind], entities, cut.0).await?;
        Ok(rows.into_iter().map(RecordedFact::row).collect())
    }

    /// All facts of some kinds, and the corrections, with the commits of their blocks.
    ///
    /// # Errors
    /// [`StoreError::Query`], or as [`CorrectionsAt::read`].
    pub async fn recorded(&self, kinds: &[&str], cut: Cut) -> Result<Recorded, StoreError> {
        let kinds: Vec<&str> = kinds.iter().copied().chain([VOID, METER_RATIO]).collect();
        let mut rows = RecordedFact::read_attempts(&self.client, &kinds).await?;
        // The commits of their blocks are read anyway; they show which facts count.
        rows.retain(|row| row.topic == REFERENCE);
        let ids: BTreeSet<BlockId> = rows.iter().map(RecordedFact::block).collect();
        let commits = self.read_commits(&ids, 0, cut.0).await?;
        rows.retain(|row| commits.get(&row.block()).is_some_and(|commit| commit.attempt == row.attempt));
        let is_correction = |row: &RecordedFact| row.kind == VOID || row.kind == METER_RATIO;
        let (corrections, facts): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_correction);
        let mut recorded = Recorded {
            corrections: CorrectionsAt::of(corrections)?.into(),
            commits: commits.into_iter().map(|(id, commit)| (id, commit.evidence())).collect(),
            ..Recorded::default()
        };
        for mut fact in facts {
            let kind = std::mem::take(&mut fact.kind);
            recorded.facts.entry(kind).or_default().push(fact.row());
        }
        Ok(recorded)
    }

    /// The corrections in force. The other reads leave out voided events.
    ///
    /// # Errors
    /// As [`CorrectionsAt::read`].
    pub async fn corrections(&self, cut: Cut) -> Result<CorrectionsRead, StoreError> {
        Ok(CorrectionsAt::read(&self.client, cut.0).await?.into())
    }

    /// Accepted work of several parties, of their machines while assigned to them. `corrections` are those of the
    /// cut.
    ///
    /// # Errors
    /// [`StoreError::Query`], or as [`CorrectionsAt::read`].
    pub async fn work_of_each(
        &self,
        parties: &[Vec<Holding>],
        corrections: &CorrectionsRead,
        cut: Cut,
    ) -> Result<EachWork, StoreError> {
        self.read_work_of_each(parties, corrections, cut).await
    }

    /// The work of a party by settlement interval and chain.
    ///
    /// # Errors
    /// [`StoreError::Query`], or as [`CorrectionsAt::read`].
    pub async fn work_slices(&self, holdings: &[Holding], cut: Cut) -> Result<Vec<WorkSlice>, StoreError> {
        let read = self.read(cut);
        let mut sums: BTreeMap<(i64, String), u128> = BTreeMap::new();
        for (interval, machines) in by_interval(holdings) {
            for chunk in machines.chunks(MACHINES_PER_QUERY) {
                for row in read.work_by_interval(chunk, interval).await? {
                    let sum = sums.entry((row.at_us, row.chain)).or_default();
                    *sum = sum.saturating_add(row.credited_q32);
                }
            }
        }
        let slice = |((start_us, chain), credited_q32)| WorkSlice { start_us, chain, credited_q32 };
        Ok(sums.into_iter().map(slice).collect())
    }

    /// Samples of some machines inside a window.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`], or as [`CorrectionsAt::read`].
    pub async fn samples(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: Cut,
    ) -> Result<Vec<SampleRow>, StoreError> {
        let read = self.read(cut);
        let mut rows = Vec::new();
        for machines in machine_ids.chunks(MACHINES_PER_QUERY) {
            rows.extend(read.samples(machines, window).await?);
        }
        Ok(rows)
    }

    /// All rows of the allocations of some nodes that touch a window, including rows that do not touch it.
    ///
    /// # Errors
    /// [`StoreError::Query`], or as [`CorrectionsAt::read`].
    pub async fn allocations(
        &self,
        node_ids: &[String],
        window: Interval,
        cut: Cut,
    ) -> Result<Vec<AllocationRow>, StoreError> {
        let read = self.read(cut);
        let mut rows = Vec::new();
        for nodes in node_ids.chunks(MACHINES_PER_QUERY) {
            rows.extend(read.spans(nodes, window).await?);
        }
        Ok(rows)
    }

    /// The nodes on which allocations of some accounts touch a window.
    ///
    /// # Errors
    /// [`StoreError::Query`], or as [`CorrectionsAt::read`].
    pub async fn nodes_of_accounts(
        &self,
        accounts: &[String],
        window: Interval,
        cut: Cut,
    ) -> Result<BTreeSet<String>, StoreError> {
        let read = self.read(cut);
        let mut nodes = BTreeSet::new();
        for accounts in accounts.chunks(MACHINES_PER_QUERY) {
            nodes.extend(read.nodes_of_accounts(accounts, window).await?);
        }
        Ok(nodes)
    }

    /// The nodes with rows of allocations that touch a window, whether they count or not.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn nodes_with_allocations(
        &self,
        window: Interval,
        cut: Cut,
    ) -> Result<BTreeSet<String>, StoreError> {
        Ok(self.read(cut).nodes_with_spans(window).await?.into_iter().collect())
    }

    /// Those of some machines that have rows of readings, whether they count or not.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn machines_with_readings(
        &self,
        machine_ids: &[String],
        cut: Cut,
    ) -> Result<BTreeSet<String>, StoreError> {
        let read = self.read(cut);
        let mut found = BTreeSet::new();
        for machines in machine_ids.chunks(MACHINES_PER_QUERY) {
            found.extend(read.machines_with_readings(machines).await?);
        }
        Ok(found)
    }

    /// Readings of the meters of some machines: those in the window and, for each machine, meter and witness, the
    /// last one before it and the first one at or after its end, however far away.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`], or as [`CorrectionsAt::read`].
    pub async fn readings(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: Cut,
    ) -> Result<Vec<ReadingRow>, StoreError> {
        let read = self.read(cut);
        let mut rows = Vec::new();
        for machines in machine_ids.chunks(MACHINES_PER_QUERY) {
            let of = ReadingsOf { machines, meters: None, window, reach_us: None };
            rows.extend(read.readings(&of).await?);
        }
        Ok(rows)
    }

    /// When readings of some machines with a time in a window were appended to the log, of those that were not appended
    /// in the moment in which they were read.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn readings_appended(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: Cut,
    ) -> Result<Vec<AppendedRow>, StoreError> {
        let read = self.read(cut);
        let mut rows = Vec::new();
        for machines in machine_ids.chunks(MACHINES_PER_QUERY) {
            rows.extend(read.readings_appended(machines, window).await?);
        }
        Ok(rows)
    }

    /// The commits of those of some blocks that are committed at or above `from`, an offset in `commits`, and before
    /// the cut.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn blocks(
        &self,
        ids: &BTreeSet<BlockId>,
        from: u64,
        cut: Cut,
    ) -> Result<Vec<EvidenceBlock>, StoreError> {
        let committed = self.read_commits(ids, from, cut.0).await?;
        Ok(committed.into_values().map(commits::BlockCommit::evidence).collect())
    }

    /// The sealed days at a cut, which stand for their blocks.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn sealed_days(&self, cut: Cut) -> Result<SealedDays, StoreError> {
        Ok(sealed_days(&self.seals(cut.0).await?))
    }

    /// The head of every chain: the latest committed block of each partition.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn chain_heads(&self, cut: Cut) -> Result<Vec<ChainHead>, StoreError> {
        self.read_chain_heads(cut.0).await
    }
}
