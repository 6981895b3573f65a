//! Reads the sealed days of an invoice: their seals from the log, their blocks from the tables.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use wb_auditor::Auditor;
use wb_billing::Bill;
use wb_clickhouse::Store;
use wb_clickhouse::seal::DayBlock;
use wb_events::commits::sealed;
use wb_evidence::{Bytes, CommitRecord, SealedDay};
use wb_ledger::{EvidenceBlock, EvidenceDay, Hash};
use wb_rating::Contract;
use wb_units::Interval;
use wb_units::time::{DAY_US, day_start};

/// The days in a bill's evidence.
pub(super) async fn sealed_days(auditor: &Auditor, store: &Store, bill: &Bill) -> Result<Vec<SealedDay>> {
    let days = &bill.billed.days;
    let offsets: BTreeSet<u64> = days.iter().map(|day| day.commit_offset).collect();
    let records: BTreeMap<u64, Vec<u8>> = auditor.commits_records(&offsets).await?.into_iter().collect();
    let mut found = Vec::with_capacity(days.len());
    for day in days {
        let record = records.get(&day.commit_offset).cloned();
        let record =
            record.with_context(|| format!("commits has no record at offset {}", day.commit_offset))?;
        let seal = sealed(&record).with_context(|| {
            format!("the record of commits at offset {} is not a seal", day.commit_offset)
        })?;
        let blocks = store.blocks_of_day(day.day, seal.cut).await?;
        let places = own_places(store, bill, day, seal.cut).await?;
        let is_own = |block: &DayBlock| places.contains(&(block.topic.clone(), block.partition, block.block));
        found.push(SealedDay {
            seal: CommitRecord { commit_offset: day.commit_offset, record: Bytes(record) },
            day: day.clone(),
            own: (0..).zip(&blocks).filter(|(_, block)| is_own(block)).map(|(index, _)| index).collect(),
            blocks: blocks.into_iter().map(evidence_block).collect(),
        });
    }
    Ok(found)
}

fn evidence_block(block: DayBlock) -> EvidenceBlock {
    EvidenceBlock {
        topic: block.topic,
        partition: block.partition,
        block: block.block,
        content_hash: Hash::from_bytes(block.content_hash),
        merkle_root: Hash::from_bytes(block.merkle_root),
    }
}

/// The blocks of a day with rows that the bill counts.
async fn own_places(
    store: &Store,
    bill: &Bill,
    day: &EvidenceDay,
    below: u64,
) -> Result<BTreeSet<(String, u32, u64)>> {
    let start_us = day_start(day.day);
    let whole = Interval { start_us, end_us: start_us.saturating_add(DAY_US) };
    let (mut needs_work, mut needs_energy) = (false, false);
    for stretch in &bill.stretches {
        let needs = Contract::parse(&stretch.contract)?.needs();
        needs_work |= needs.work;
        needs_energy |= needs.energy || needs.curtailed;
    }
    let mut places = BTreeSet::new();
    if needs_work {
        let mut held: BTreeMap<Interval, Vec<&str>> = BTreeMap::new();
        for holding in &bill.holdings {
            if let Some(within) = holding.interval.intersect(&whole) {
                held.entry(within).or_default().push(&holding.machine_id);
            }
        }
        for (within, machine_ids) in held {
            places.extend(store.blocks_with_work(&machine_ids, within, below).await?);
        }
    }
    if needs_energy {
        // A machine's readings just outside its assignment count too.
        let machine_ids: BTreeSet<&str> =
            bill.holdings.iter().map(|holding| holding.machine_id.as_str()).collect();
        let machine_ids: Vec<&str> = machine_ids.into_iter().collect();
        places.extend(store.blocks_with_readings(&machine_ids, whole, below).await?);
    }
    Ok(places)
}
