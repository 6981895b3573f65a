//! A usage store that reads ahead for the next contracts, all at once: a close of four hundred contracts takes a few
//! dozen queries, not thousands.
//!
//! Nothing below a cut ever changes, so what was read at a cut stays valid. Only the contracts at hand are held,
//! which bounds memory.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wb_ledger::{ChainHead, EvidenceBlock};
use wb_rating::WorkSlice;
use wb_units::Interval;

use crate::error::PortError;
use crate::ports::{
    AllocationRow, AppendedRow, Backing, BlockId, CorrectionsRead, EachWork, EventId, FactRow, Holding,
    ReadingRow, Recorded, SampleRow, SealedDays, Touched, UsageStore, WorkRead,
};
use crate::reference::{PeriodTerms, Reference};
use crate::usage::UsageReader;

/// The most contracts that are read ahead at once. Most of the memory holds the commits of their blocks.
const CONTRACTS_AT_ONCE: usize = 500;
/// The most machines of these contracts: a query contains their ids.
const MACHINES_AT_ONCE: usize = 1_000;
/// The most of these machines whose register readings are held.
const METERED_AT_ONCE: usize = 64;

/// Readings of a window, by machine.
type Registers = BTreeMap<(Interval, String), Vec<ReadingRow>>;

/// A usage store with a cache of what was read ahead.
pub(crate) struct Ahead<S> {
    store: S,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// The cut of everything held; 0 while nothing is held.
    cut: u64,
    /// Whether the tables are known to be projected up to it.
    reached: bool,
    /// The last cut up to which the tables were found to be projected, with the heads of the chains.
    found: Option<(u64, Option<Vec<ChainHead>>)>,
    /// The corrections at the cut of the facts that were read last, and the commits of the facts' blocks.
    recorded: Option<(u64, CorrectionsRead, BTreeMap<BlockId, EvidenceBlock>)>,
    work: BTreeMap<Vec<Holding>, WorkRead>,
    registers: Registers,
    commits: BTreeMap<BlockId, EvidenceBlock>,
    /// Blocks that were looked up above the sealed days; those that are committed there are in `commits`.
    asked_above: BTreeSet<BlockId>,
    sealed: Option<SealedDays>,
    heads: Option<Vec<ChainHead>>,
    corrections: Option<CorrectionsRead>,
}

/// What a few contracts will read.
#[derive(Default)]
struct Asked {
    contracts: usize,
    machines: usize,
    metered: usize,
    parties: Vec<Vec<Holding>>,
    registers: BTreeMap<Interval, BTreeSet<String>>,
    blocks: BTreeSet<BlockId>,
}

impl Asked {
    /// Adds a contract, unless it exceeds a limit.
    fn add<S: UsageStore>(
        &mut self,
        store: &S,
        reference: &Reference,
        (terms, cut): (&PeriodTerms, u64),
    ) -> bool {
        let readers: Vec<_> = terms
            .terms
            .iter()
            .filter_map(|part| UsageReader::new(store, reference, part, cut).ok())
            .collect();
        let machines: usize = readers.iter().map(|reader| reader.holdings.len()).sum();
        let is_metered = |reader: &&UsageReader<'_, S>| reader.needs.energy || reader.needs.curtailed;
        let metered: usize = readers.iter().filter(is_metered).map(|reader| reader.holdings.len()).sum();
        let fits = self.contracts < CONTRACTS_AT_ONCE
            && self.machines + machines <= MACHINES_AT_ONCE
            && self.metered + metered <= METERED_AT_ONCE;
        if self.contracts > 0 && !fits {
            return false;
        }
        self.contracts += 1;
        self.machines += machines;
        self.metered += metered;
        // A contract that is too large is read while it is billed, a few machines at a time.
        if !fits {
            return true;
        }
        for reader in readers {
            if is_metered(&&reader) {
                let ids = reader.holdings.iter().map(|holding| holding.machine_id.clone());
                self.registers.entry(reader.part.interval).or_default().extend(ids);
            }
            self.blocks.extend(reader.blocks);
            if reader.needs.work && !reader.holdings.is_empty() {
                self.parties.push(reader.holdings);
            }
        }
        true
    }
}

impl<S: UsageStore> Ahead<S> {
    pub(crate) fn new(store: S) -> Self {
        Self { store, held: Mutex::default() }
    }

    /// Reads ahead for the first contracts, as many as fit, by their terms, and forgets the earlier ones. Returns how
    /// many it read for; at least one, if there is any.
    pub(crate) async fn read_ahead(
        &self,
        reference: &Reference,
        contracts: impl Iterator<Item = Option<impl Borrow<PeriodTerms>>>,
        cut: u64,
    ) -> Result<usize, PortError> {
        let mut asked = Asked::default();
        // The error of a contract without terms is returned when it is billed.
        let fitting = contracts
            .take_while(|terms| {
                let terms = terms.as_ref().map(Borrow::borrow);
                terms.is_none_or(|terms| asked.add(&self.store, reference, (terms, cut)))
            })
            .count();
        let Asked { parties, registers, mut blocks, .. } = asked;
        let mut above = BTreeSet::new();
        let mut fresh = Held { cut, ..Held::default() };
        let corrections = self.corrections(cut).await?;
        let EachWork { works, sealed, commits: commits_above } =
            self.store.work_of_each(&parties, &corrections, cut).await?;
        let sealed = match sealed {
            Some(sealed) => sealed,
            None => self.sealed_days(cut).await?,
        };
        for (party, work) in parties.into_iter().zip(works) {
            above.extend(work.above.iter().cloned());
            fresh.work.insert(party, work);
        }
        for (window, machine_ids) in registers {
            let machine_ids: Vec<String> = machine_ids.into_iter().collect();
            let rows = self.store.readings(&machine_ids, window, cut).await?;
            for machine_id in machine_ids {
                fresh.registers.insert((window, machine_id), Vec::new());
            }
            for row in rows {
                match row.stands_in(&sealed) {
                    Backing::Named => {
                        blocks.insert(row.block.clone());
                    }
                    Backing::Above(_) => {
                        above.insert(row.block.clone());
                    }
                    Backing::Day(_) => {}
                }
                if let Some(rows) = fresh.registers.get_mut(&(window, row.machine_id.clone())) {
                    rows.push(row);
                }
            }
        }
        above.retain(|id| !blocks.contains(id));
        if let Some((_, _, commits)) = self.held().recorded.as_ref().filter(|(at, ..)| *at == cut) {
            let known = blocks.iter().filter_map(|id| Some((id.clone(), commits.get(id)?.clone())));
            fresh.commits = known.collect();
        }
        blocks.retain(|id| !fresh.commits.contains_key(id));
        let mut commits =
            if blocks.is_empty() { Vec::new() } else { self.store.blocks(&blocks, 0, cut).await? };
        let missing: BTreeSet<BlockId> =
            above.iter().filter(|id| !commits_above.contains_key(id)).cloned().collect();
        if !missing.is_empty() {
            commits.extend(self.store.blocks(&missing, sealed.cut, cut).await?);
        }
        fresh.commits.extend(commits_above.into_iter().filter(|(id, _)| above.contains(id)));
        fresh.commits.extend(commits.into_iter().map(|committed| (BlockId::of(&committed), committed)));
        fresh.asked_above = above;
        fresh.sealed = Some(sealed);
        let mut held = self.held();
        // A cut that was found as the end of the tables is projected.
        fresh.reached = held.found.as_ref().is_some_and(|(found, _)| *found == cut);
        fresh.found = held.found.take();
        fresh.recorded = held.recorded.take();
        if held.cut == cut {
            fresh.reached |= held.reached;
            fresh.heads = held.heads.take();
        }
        fresh.corrections = Some(corrections);
        *held = fresh;
        Ok(fitting)
    }

    /// The cut for a settled offset: one past the highest projected offset below it.
    pub(crate) async fn settled(&self, settled: u64) -> Result<u64, PortError> {
        let (found, heads) = self.store.committed_heads(settled).await?;
        self.held().found = Some((found, heads));
        Ok(found)
    }

    /// Forgets what was read ahead.
    pub(crate) fn forget(&self) {
        *self.held() = Held::default();
    }

    /// Every statement leaves the cache consistent, so a poisoned lock is harmless.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at<T>(&self, cut: u64, find: impl FnOnce(&mut Held) -> Option<T>) -> Option<T> {
        let mut held = self.held();
        if held.cut == cut { find(&mut held) } else { None }
    }
}

impl<S: UsageStore> UsageStore for Ahead<S> {
    async fn committed_cut(&self, below: u64) -> Result<u64, PortError> {
        // Kept for one close only, because tables may be lost and rebuilt.
        if self.at(below, |held| held.reached.then_some(())).is_some() {
            return Ok(below);
        }
        let found = self.store.committed_cut(below).await?;
        let mut held = self.held();
        held.reached |= found == below && held.cut == below && held.cut > 0;
        Ok(found)
    }

    async fn facts(
        &self,
        kind: &str,
        entities: Option<&[String]>,
        cut: u64,
    ) -> Result<Vec<FactRow>, PortError> {
        self.store.facts(kind, entities, cut).await
    }

    async fn recorded(&self, kinds: &[&'static str], cut: u64) -> Result<Recorded, PortError> {
        let recorded = self.store.recorded(kinds, cut).await?;
        self.held().recorded = Some((cut, recorded.corrections.clone(), recorded.commits.clone()));
        Ok(recorded)
    }

    async fn corrections(&self, cut: u64) -> Result<CorrectionsRead, PortError> {
        let held = self.at(cut, |held| held.corrections.clone());
        let recorded = || {
            let held = self.held();
            held.recorded
                .as_ref()
                .filter(|(at, ..)| *at == cut)
                .map(|(_, corrections, _)| corrections.clone())
        };
        if let Some(corrections) = held.or_else(recorded) {
            return Ok(corrections);
        }
        let corrections = self.store.corrections(cut).await?;
        let kept = corrections.clone();
        self.at(cut, |held| held.corrections.replace(kept));
        Ok(corrections)
    }

    async fn known_events(&self, ids: &[EventId], cut: u64) -> Result<Option<BTreeSet<EventId>>, PortError> {
        self.store.known_events(ids, cut).await
    }

    async fn touched(&self, from: u64, to: u64) -> Result<Option<Touched>, PortError> {
        self.store.touched(from, to).await
    }

    async fn work_of_each(
        &self,
        parties: &[Vec<Holding>],
        corrections: &CorrectionsRead,
        cut: u64,
    ) -> Result<EachWork, PortError> {
        if let [holdings] = parties
            && let Some(work) = self.at(cut, |held| held.work.remove(holdings))
        {
            return Ok(EachWork { works: vec![work], ..EachWork::default() });
        }
        self.store.work_of_each(parties, corrections, cut).await
    }

    async fn work_slices(&self, holdings: &[Holding], cut: u64) -> Result<Vec<WorkSlice>, PortError> {
        self.store.work_slices(holdings, cut).await
    }

    async fn samples(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<SampleRow>, PortError> {
        self.store.samples(machine_ids, window, cut).await
    }

    async fn allocations(
        &self,
        node_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<AllocationRow>, PortError> {
        self.store.allocations(node_ids, window, cut).await
    }

    async fn nodes_with_allocations(
        &self,
        window: Interval,
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        self.store.nodes_with_allocations(window, cut).await
    }

    async fn machines_with_readings(
        &self,
        machine_ids: &[String],
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        self.store.machines_with_readings(machine_ids, cut).await
    }

    async fn nodes_of_accounts(
        &self,
        accounts: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        self.store.nodes_of_accounts(accounts, window, cut).await
    }

    async fn readings(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<ReadingRow>, PortError> {
        let found = self.at(cut, |held| {
            let of = |machine_id: &String| held.registers.get(&(window, machine_id.clone())).cloned();
            machine_ids.iter().map(of).collect::<Option<Vec<_>>>()
        });
        match found {
            Some(rows) => Ok(rows.into_iter().flatten().collect()),
            None => self.store.readings(machine_ids, window, cut).await,
        }
    }

    async fn readings_appended(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<AppendedRow>, PortError> {
        self.store.readings_appended(machine_ids, window, cut).await
    }

    async fn blocks(
        &self,
        ids: &BTreeSet<BlockId>,
        from: u64,
        cut: u64,
    ) -> Result<Vec<EvidenceBlock>, PortError> {
        let above = self.at(cut, |held| {
            let is_own = held.sealed.as_ref().is_some_and(|sealed| sealed.cut == from);
            (is_own && ids.is_subset(&held.asked_above))
                .then(|| ids.iter().filter_map(|id| held.commits.get(id).cloned()).collect())
        });
        if let Some(committed) = above {
            return Ok(committed);
        }
        // The commits of other blocks may lie anywhere.
        if from > 0 {
            return self.store.blocks(ids, from, cut).await;
        }
        let held = self.at(cut, |held| {
            Some(ids.iter().filter_map(|id| held.commits.get(id).cloned()).collect::<Vec<_>>())
        });
        let mut committed = held.unwrap_or_default();
        if committed.len() < ids.len() {
            let mut missing = ids.clone();
            for found in &committed {
                missing.remove(&BlockId::of(found));
            }
            committed.extend(self.store.blocks(&missing, 0, cut).await?);
        }
        Ok(committed)
    }

    async fn sealed_days(&self, cut: u64) -> Result<SealedDays, PortError> {
        if let Some(sealed) = self.at(cut, |held| held.sealed.clone()) {
            return Ok(sealed);
        }
        let sealed = self.store.sealed_days(cut).await?;
        let kept = sealed.clone();
        self.at(cut, |held| held.sealed.replace(kept));
        Ok(sealed)
    }

    async fn chain_heads(&self, cut: u64) -> Result<Vec<ChainHead>, PortError> {
        let held = self.at(cut, |held| held.heads.clone());
        let found = || self.held().found.clone().filter(|(found, _)| *found == cut);
        if let Some(heads) = held.or_else(|| found().and_then(|(_, heads)| heads)) {
            return Ok(heads);
        }
        let heads = self.store.chain_heads(cut).await?;
        let kept = heads.clone();
        self.at(cut, |held| held.heads.replace(kept));
        Ok(heads)
    }
}
