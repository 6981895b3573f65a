//! The store with a stopwatch around each of its calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use wb_billing::PortError;
use wb_billing::ports::{
    AllocationRow, AppendedRow, BlockId, CorrectionsRead, EachWork, FactRow, Holding, ReadingRow, Recorded,
    SampleRow, SealedDays, UsageStore,
};
use wb_ledger::{ChainHead, EvidenceBlock};
use wb_rating::WorkSlice;
use wb_units::Interval;

use crate::wiring::CountedUsage;

/// Time spent in a store, and how often it was asked.
#[derive(Default)]
pub(crate) struct Spent {
    pub(crate) us: AtomicU64,
    pub(crate) calls: AtomicU64,
    pub(crate) by_call: Mutex<BTreeMap<&'static str, u64>>,
}

#[derive(Clone)]
pub(crate) struct Timed {
    pub(crate) store: CountedUsage,
    pub(crate) spent: Arc<Spent>,
}

impl Timed {
    async fn timed<T>(&self, name: &'static str, call: impl Future<Output = T> + Send) -> T {
        let began = Instant::now();
        let answer = call.await;
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap();
        self.spent.us.fetch_add(took_us, Ordering::Relaxed);
        *self.spent.by_call.lock().unwrap().entry(name).or_default() += took_us;
        self.spent.calls.fetch_add(1, Ordering::Relaxed);
        answer
    }
}

pub(crate) type Answer<T> = Result<T, PortError>;

impl UsageStore for Timed {
    async fn committed_cut(&self, below: u64) -> Answer<u64> {
        self.timed("committed_cut", self.store.committed_cut(below)).await
    }
    async fn facts(&self, kind: &str, entities: Option<&[String]>, cut: u64) -> Answer<Vec<FactRow>> {
        self.timed("facts", self.store.facts(kind, entities, cut)).await
    }
    async fn corrections(&self, cut: u64) -> Answer<CorrectionsRead> {
        self.timed("corrections", self.store.corrections(cut)).await
    }
    async fn recorded(&self, kinds: &[&'static str], cut: u64) -> Answer<Recorded> {
        self.timed("recorded", self.store.recorded(kinds, cut)).await
    }
    async fn committed_heads(&self, below: u64) -> Answer<(u64, Option<Vec<ChainHead>>)> {
        self.timed("committed_heads", self.store.committed_heads(below)).await
    }
    async fn work_of_each(
        &self,
        parties: &[Vec<Holding>],
        corrections: &CorrectionsRead,
        cut: u64,
    ) -> Answer<EachWork> {
        self.timed("work_of_each", self.store.work_of_each(parties, corrections, cut)).await
    }
    async fn work_slices(&self, holdings: &[Holding], cut: u64) -> Answer<Vec<WorkSlice>> {
        self.timed("work_slices", self.store.work_slices(holdings, cut)).await
    }
    async fn samples(&self, ids: &[String], window: Interval, cut: u64) -> Answer<Vec<SampleRow>> {
        self.timed("samples", self.store.samples(ids, window, cut)).await
    }
    async fn allocations(&self, ids: &[String], window: Interval, cut: u64) -> Answer<Vec<AllocationRow>> {
        self.timed("allocations", self.store.allocations(ids, window, cut)).await
    }
    async fn nodes_with_allocations(&self, window: Interval, cut: u64) -> Answer<BTreeSet<String>> {
        self.timed("nodes_with_allocations", self.store.nodes_with_allocations(window, cut)).await
    }
    async fn machines_with_readings(&self, ids: &[String], cut: u64) -> Answer<BTreeSet<String>> {
        self.timed("machines_with_readings", self.store.machines_with_readings(ids, cut)).await
    }
    async fn nodes_of_accounts(
        &self,
        accounts: &[String],
        window: Interval,
        cut: u64,
    ) -> Answer<BTreeSet<String>> {
        self.timed("nodes_of_accounts", self.store.nodes_of_accounts(accounts, window, cut)).await
    }
    async fn readings_appended(
        &self,
        ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Answer<Vec<AppendedRow>> {
        self.timed("readings_appended", self.store.readings_appended(ids, window, cut)).await
    }
    async fn readings(&self, ids: &[String], window: Interval, cut: u64) -> Answer<Vec<ReadingRow>> {
        self.timed("readings", self.store.readings(ids, window, cut)).await
    }
    async fn blocks(&self, ids: &BTreeSet<BlockId>, from: u64, cut: u64) -> Answer<Vec<EvidenceBlock>> {
        self.timed("blocks", self.store.blocks(ids, from, cut)).await
    }
    async fn sealed_days(&self, cut: u64) -> Answer<SealedDays> {
        self.timed("sealed_days", self.store.sealed_days(cut)).await
    }
    async fn chain_heads(&self, cut: u64) -> Answer<Vec<ChainHead>> {
        self.timed("chain_heads", self.store.chain_heads(cut)).await
    }
}
