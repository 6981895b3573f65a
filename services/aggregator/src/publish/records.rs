//! Converts committed rows to records.

use wb_clickhouse::Store;
use wb_clickhouse::committed::{CommittedBlock, CommittedEnergy, CommittedGpu, CommittedWork, RowPlace};
use wb_clickhouse::quarantine::CommittedQuarantined;
use wb_events::topics;
use wb_events::u128_bytes;
use wb_events::wire::usage_record::Counted;
use wb_events::wire::{QuarantineRecord, UsageEnergy, UsageGpu, UsageRecord, UsageWork};

use crate::error::AggregatorError;

/// The rows that are published as usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Rows {
    Work,
    Energy,
    Gpu,
}

impl Rows {
    /// The topic of the blocks that hold them.
    pub(super) fn topic(self) -> &'static str {
        match self {
            Self::Work => topics::SHARES,
            Self::Energy => topics::ENERGY,
            Self::Gpu => topics::GPU,
        }
    }
}

/// Identifies a row: the offset of its block's commit, whether it was refused, and its place in the block. A block
/// has one table of usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) commit_offset: u64,
    index: u32,
    refused: bool,
}

impl Row {
    pub(super) fn of_usage(record: &UsageRecord) -> Self {
        Self { commit_offset: record.commit_offset, index: record.index, refused: false }
    }

    pub(super) fn of_quarantine(record: &QuarantineRecord) -> Self {
        Self { commit_offset: record.commit_offset, index: record.index, refused: true }
    }
}

/// The next page of a batch's rows, as records without an epoch.
pub(super) async fn usage_page(
    store: &Store,
    rows: Rows,
    blocks: &[CommittedBlock],
    after: Option<RowPlace>,
) -> Result<Vec<UsageRecord>, AggregatorError> {
    let failed = AggregatorError::Store;
    let records: Vec<UsageRecord> = match rows {
        Rows::Work => {
            let page = store.committed_work(blocks, after).await.map_err(failed)?;
            page.into_iter().map(work).collect()
        }
        Rows::Energy => {
            let page = store.committed_energy(blocks, after).await.map_err(failed)?;
            page.into_iter().map(energy).collect()
        }
        Rows::Gpu => {
            let page = store.committed_gpu(blocks, after).await.map_err(failed)?;
            page.into_iter().map(gpu).collect()
        }
    };
    let of_block = |mut record: UsageRecord| {
        if let Some(block) = blocks.iter().find(|block| block.commit_offset == record.commit_offset) {
            block.topic.clone_into(&mut record.topic);
            record.partition = block.partition;
            record.block = block.block;
        }
        record
    };
    Ok(records.into_iter().map(of_block).collect())
}

fn work(row: CommittedWork) -> UsageRecord {
    UsageRecord {
        commit_offset: row.commit_offset,
        table: "work_5m".to_owned(),
        index: row.idx,
        customer_id: row.customer_id,
        contract_id: row.contract_id,
        counted: Some(Counted::Work(UsageWork {
            machine_id: row.machine_id,
            site_id: row.site_id,
            interval_start_us: row.interval_start_us,
            chain: row.chain,
            nbits: row.nbits,
            subsidy_sat: row.subsidy_sat,
            shares: row.shares,
            credited_q32: u128_bytes::encode(row.credited_q32),
            blocks: row.blocks,
        })),
        ..UsageRecord::default()
    }
}

fn energy(row: CommittedEnergy) -> UsageRecord {
    UsageRecord {
        commit_offset: row.commit_offset,
        table: "energy_readings".to_owned(),
        index: row.idx,
        customer_id: row.customer_id,
        contract_id: row.contract_id,
        counted: Some(Counted::Energy(UsageEnergy {
            event_id: row.event_id.to_vec(),
            machine_id: row.machine_id,
            site_id: row.site_id,
            meter_id: row.meter_id,
            witness: row.witness,
            event_time_us: row.event_time_us,
            register_wh: row.register_wh,
        })),
        ..UsageRecord::default()
    }
}

fn gpu(row: CommittedGpu) -> UsageRecord {
    UsageRecord {
        commit_offset: row.commit_offset,
        table: "gpu_spans".to_owned(),
        index: row.idx,
        customer_id: row.customer_id,
        contract_id: row.contract_id,
        counted: Some(Counted::Gpu(UsageGpu {
            event_id: row.event_id.to_vec(),
            node_id: row.node_id,
            site_id: row.site_id,
            allocation_id: row.allocation_id,
            device: row.device,
            profile: row.profile,
            account: row.account,
            state: row.state,
            gpus: row.gpus,
            start_us: row.start_us,
            end_us: row.end_us,
            event_time_us: row.event_time_us,
        })),
        ..UsageRecord::default()
    }
}

/// A refused event as a record without an epoch.
pub(super) fn quarantine(block: &CommittedBlock, row: CommittedQuarantined) -> QuarantineRecord {
    QuarantineRecord {
        commit_offset: block.commit_offset,
        topic: block.topic.clone(),
        partition: block.partition,
        block: block.block,
        index: row.idx,
        log_offset: row.log_offset,
        frame_index: row.frame_index,
        append_time_us: row.append_time_us,
        source: row.source,
        code: row.code,
        reason: row.reason,
        original: row.original,
        ..QuarantineRecord::default()
    }
}
