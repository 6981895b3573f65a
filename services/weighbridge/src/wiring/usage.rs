//! The biller's usage store and the tables for readers, on ClickHouse.

use std::collections::BTreeSet;

use wb_billing::ports::{
    AllocationRow, AppendedRow, BlockId, CorrectionsRead, EachWork, EventId, FactRow, Holding, LedgerTable,
    ReadingRow, Recorded, RunningTable, SampleRow, SealedDays, Touched, UsageStore,
};
use wb_billing::{PortError, RunningBill};
use wb_clickhouse::read::RunningBillRow;
use wb_clickhouse::{Cut, Store, StoreError, Usage};
use wb_ledger::{ChainHead, EvidenceBlock, WonRecord, canonical};
use wb_rating::WorkSlice;
use wb_units::Interval;

fn failed(error: StoreError) -> PortError {
    PortError::new("read what was counted", error)
}

/// Reads counted usage from the tables.
#[derive(Clone)]
pub(crate) struct CountedUsage(pub(crate) Usage);

impl UsageStore for CountedUsage {
    async fn committed_cut(&self, below: u64) -> Result<u64, PortError> {
        self.0.committed_cut(below).await.map_err(failed)
    }

    async fn committed_heads(&self, settled: u64) -> Result<(u64, Option<Vec<ChainHead>>), PortError> {
        let (cut, heads) = self.0.committed_heads(settled).await.map_err(failed)?;
        Ok((cut, Some(heads)))
    }

    async fn touched(&self, from: u64, to: u64) -> Result<Option<Touched>, PortError> {
        self.0.touched(from, to).await.map(Some).map_err(failed)
    }

    async fn known_events(&self, ids: &[EventId], cut: u64) -> Result<Option<BTreeSet<EventId>>, PortError> {
        self.0.known_events(ids, Cut(cut)).await.map(Some).map_err(failed)
    }

    async fn facts(
        &self,
        kind: &str,
        entities: Option<&[String]>,
        cut: u64,
    ) -> Result<Vec<FactRow>, PortError> {
        self.0.facts(kind, entities, Cut(cut)).await.map_err(failed)
    }

    async fn recorded(&self, kinds: &[&'static str], cut: u64) -> Result<Recorded, PortError> {
        self.0.recorded(kinds, Cut(cut)).await.map_err(failed)
    }

    async fn corrections(&self, cut: u64) -> Result<CorrectionsRead, PortError> {
        self.0.corrections(Cut(cut)).await.map_err(failed)
    }

    async fn work_of_each(
        &self,
        parties: &[Vec<Holding>],
        corrections: &CorrectionsRead,
        cut: u64,
    ) -> Result<EachWork, PortError> {
        self.0.work_of_each(parties, corrections, Cut(cut)).await.map_err(failed)
    }

    async fn work_slices(&self, holdings: &[Holding], cut: u64) -> Result<Vec<WorkSlice>, PortError> {
        self.0.work_slices(holdings, Cut(cut)).await.map_err(failed)
    }

    async fn samples(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<SampleRow>, PortError> {
        self.0.samples(machine_ids, window, Cut(cut)).await.map_err(failed)
    }

    async fn allocations(
        &self,
        node_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<AllocationRow>, PortError> {
        self.0.allocations(node_ids, window, Cut(cut)).await.map_err(failed)
    }

    async fn nodes_with_allocations(
        &self,
        window: Interval,
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        self.0.nodes_with_allocations(window, Cut(cut)).await.map_err(failed)
    }

    async fn machines_with_readings(
        &self,
        machine_ids: &[String],
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        self.0.machines_with_readings(machine_ids, Cut(cut)).await.map_err(failed)
    }

    async fn nodes_of_accounts(
        &self,
        accounts: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<BTreeSet<String>, PortError> {
        self.0.nodes_of_accounts(accounts, window, Cut(cut)).await.map_err(failed)
    }

    async fn readings(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<ReadingRow>, PortError> {
        self.0.readings(machine_ids, window, Cut(cut)).await.map_err(failed)
    }

    async fn readings_appended(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<AppendedRow>, PortError> {
        self.0.readings_appended(machine_ids, window, Cut(cut)).await.map_err(failed)
    }

    async fn blocks(
        &self,
        ids: &BTreeSet<BlockId>,
        from: u64,
        cut: u64,
    ) -> Result<Vec<EvidenceBlock>, PortError> {
        self.0.blocks(ids, from, Cut(cut)).await.map_err(failed)
    }

    async fn sealed_days(&self, cut: u64) -> Result<SealedDays, PortError> {
        self.0.sealed_days(Cut(cut)).await.map_err(failed)
    }

    async fn chain_heads(&self, cut: u64) -> Result<Vec<ChainHead>, PortError> {
        self.0.chain_heads(Cut(cut)).await.map_err(failed)
    }
}

/// The tables that the biller writes for readers.
#[derive(Clone)]
pub(crate) struct BillTables(pub(crate) Store);

impl RunningTable for BillTables {
    async fn write(&self, bills: &[RunningBill]) -> Result<(), PortError> {
        let failed =
            |error: Box<dyn std::error::Error + Send + Sync>| PortError::new("write running bills", error);
        let row = |bill: &RunningBill| {
            let document = &bill.document;
            let body = canonical::write_document(document).map_err(|error| failed(error.into()))?;
            Ok(RunningBillRow {
                contract_id: document.contract_id.clone(),
                customer_id: document.customer_id.clone(),
                period: document.period.text.clone(),
                cut: bill.cut,
                until_us: bill.until_us,
                completeness_ppm: bill.completeness.known_ppm(),
                body,
            })
        };
        let rows = bills.iter().map(row).collect::<Result<Vec<_>, PortError>>()?;
        self.0.write_running_bills(&rows).await.map_err(|error| failed(error.into()))
    }
}

impl LedgerTable for BillTables {
    async fn append_missing(&self, records: &[WonRecord]) -> Result<u64, PortError> {
        let appended = self.0.project_ledger(records).await;
        appended.map_err(|error| PortError::new("file the ledger's records", error))
    }
}
