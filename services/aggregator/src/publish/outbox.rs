//! Sends records under one claim, a bounded number at once, and remembers their offsets.

use prost::Message as _;
use wb_events::identity::partition_of_key;
use wb_events::published::{QUARANTINE_TYPE, USAGE_TYPE};
use wb_events::topics;
use wb_events::wire::usage_record::Counted;
use wb_events::wire::{QuarantineRecord, UsageMark, UsageRecord};
use wb_kafka::{Delivery, Log, LogError};

use crate::error::AggregatorError;
use crate::pause::RETRY_MIN;

/// How many records are read at once.
pub(super) const READ_AT_ONCE: u64 = 4_096;
/// The most records that are not acknowledged yet.
const UNDER_WAY_MAX: usize = 2_000;
/// The most bytes that are not acknowledged yet, not counting the last record. Commits go through the same producer
/// and must not wait long.
const UNDER_WAY_BYTES_MAX: usize = 4 * 1024 * 1024;

struct UnderWay {
    place: Place,
    delivery: Delivery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Usage(u32),
    Quarantine,
}

/// What is published under one claim.
pub(super) struct Outbox {
    log: Log,
    writer: String,
    epoch: u64,
    under_way: Vec<UnderWay>,
    under_way_bytes: usize,
    sent: u64,
    /// For each partition of `usage`, one past the last record that is known to be ours or to precede our claim.
    usage_ends: Vec<u64>,
    quarantine_end: u64,
    /// Offsets of our records in partition 0 of `usage` from `checked` on.
    zero: Vec<u64>,
    /// Between our claim and this offset, partition 0 holds no record of another publisher.
    checked: u64,
}

impl Outbox {
    /// Starts after a claim. `usage_claims` and `quarantine_claim` are the claim's offsets; the first of them is its
    /// epoch.
    pub(super) fn new(log: Log, writer: String, usage_claims: &[u64], quarantine_claim: u64) -> Self {
        let epoch = usage_claims.first().copied().unwrap_or(0);
        Self {
            log,
            writer,
            epoch,
            under_way: Vec::new(),
            under_way_bytes: 0,
            sent: 0,
            usage_ends: usage_claims.iter().map(|claim| claim.saturating_add(1)).collect(),
            quarantine_end: quarantine_claim.saturating_add(1),
            zero: Vec::new(),
            checked: epoch.saturating_add(1),
        }
    }

    /// How many records of rows were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends a record of `usage`: a mark to partition 0, a row to the partition of its customer.
    pub(super) async fn usage(&mut self, mut record: UsageRecord) -> Result<(), AggregatorError> {
        record.epoch = self.epoch;
        let partitions = u32::try_from(self.usage_ends.len()).unwrap_or(u32::MAX);
        let (partition, id) = if record.table.is_empty() {
            (0, String::new())
        } else {
            self.sent = self.sent.saturating_add(1);
            let id = [record.table.as_str(), &record.index.to_string()].join("/");
            (partition_of_key(&record.customer_id, partitions), id)
        };
        let block = block_commit(&record.topic, record.partition, record.block);
        let payload = record.encode_to_vec();
        let customer = record.customer_id.clone();
        self.hand_over(Place::Usage(partition), customer.as_bytes(), &payload, USAGE_TYPE, &block, &id).await
    }

    /// Sends a record of `quarantine`.
    pub(super) async fn quarantine(&mut self, mut record: QuarantineRecord) -> Result<(), AggregatorError> {
        record.epoch = self.epoch;
        self.sent = self.sent.saturating_add(1);
        let id = format!("quarantine/{}", record.index);
        let block = block_commit(&record.topic, record.partition, record.block);
        let payload = record.encode_to_vec();
        let source = record.source.clone();
        self.hand_over(Place::Quarantine, source.as_bytes(), &payload, QUARANTINE_TYPE, &block, &id).await
    }

    async fn hand_over(
        &mut self,
        place: Place,
        key: &[u8],
        payload: &[u8],
        kind: &str,
        block: &str,
        id: &str,
    ) -> Result<(), AggregatorError> {
        let (topic, partition) = match place {
            Place::Usage(partition) => (topics::USAGE, partition),
            Place::Quarantine => (topics::QUARANTINE, 0),
        };
        let id = format!("{block}/{id}");
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_type", kind),
            ("ce_source", self.writer.as_str()),
            ("ce_id", id.as_str()),
            ("wb_block", block),
            ("content-type", "application/x-protobuf"),
        ];
        let delivery = loop {
            match self.log.send(topic, partition, key, payload, &headers) {
                Ok(delivery) => break delivery,
                // Other tasks share the producer; its queue drains shortly.
                Err(LogError::QueueFull) => tokio::time::sleep(RETRY_MIN).await,
                Err(error) => return Err(AggregatorError::Log(error)),
            }
        };
        self.under_way.push(UnderWay { place, delivery });
        self.under_way_bytes = self.under_way_bytes.saturating_add(payload.len());
        if self.under_way.len() >= UNDER_WAY_MAX || self.under_way_bytes >= UNDER_WAY_BYTES_MAX {
            self.drain().await?;
        }
        Ok(())
    }

    /// Waits until every record is acknowledged.
    pub(super) async fn drain(&mut self) -> Result<(), AggregatorError> {
        self.under_way_bytes = 0;
        for UnderWay { place, delivery } in std::mem::take(&mut self.under_way) {
            let offset = delivery.acknowledged().await.map_err(AggregatorError::Log)?;
            let end = match place {
                Place::Usage(partition) => {
                    if partition == 0 {
                        self.zero.push(offset);
                    }
                    let at = usize::try_from(partition).unwrap_or(usize::MAX);
                    self.usage_ends.get_mut(at)
                }
                Place::Quarantine => Some(&mut self.quarantine_end),
            };
            if let Some(end) = end {
                *end = (*end).max(offset.saturating_add(1));
            }
        }
        Ok(())
    }

    /// The mark for an offset. Requires that every record is acknowledged.
    pub(super) fn mark(&self, next_commit_offset: u64) -> UsageMark {
        UsageMark {
            next_commit_offset,
            usage_ends: self.usage_ends.clone(),
            quarantine_end: self.quarantine_end,
            checked_offset: self.checked,
        }
    }

    /// Whether no other publisher has claimed partition 0 of `usage` since the last check. If our records there are
    /// consecutive, none has. Otherwise the records between them are read: they may be leftovers of a predecessor.
    /// Requires that every record is acknowledged.
    pub(super) async fn check_alone(&mut self) -> Result<bool, AggregatorError> {
        self.zero.sort_unstable();
        let Some(last) = self.zero.last().copied() else { return Ok(true) };
        let end = last.saturating_add(1);
        if self.zero.iter().zip(self.checked..).any(|(offset, expected)| *offset != expected)
            && self.claimed_before(end).await?
        {
            return Ok(false);
        }
        self.checked = end;
        self.zero.clear();
        Ok(true)
    }

    /// Whether another publisher has already claimed partition 0 of `usage`. Asked before a batch is sent, so that a
    /// publisher that was suspended does not send records that do not count.
    pub(super) async fn is_fenced(&mut self) -> Result<bool, AggregatorError> {
        let end = self.log.end_offset(topics::USAGE, 0).await.map_err(AggregatorError::Log)?;
        if end <= self.checked || !self.zero.is_empty() {
            return Ok(false);
        }
        let fenced = self.claimed_before(end).await?;
        if !fenced {
            self.checked = end;
        }
        Ok(fenced)
    }

    /// Whether there is a claim between `checked` and an offset of partition 0.
    async fn claimed_before(&self, end: u64) -> Result<bool, AggregatorError> {
        let mut from = self.checked;
        while from < end {
            let until = from.saturating_add(READ_AT_ONCE).min(end);
            let records = self.log.read_range(topics::USAGE, 0, from, until).await;
            let is_claim = |record: &wb_fold::LogRecord| {
                let decoded = UsageRecord::decode(record.payload.as_slice());
                matches!(decoded, Ok(UsageRecord { counted: Some(Counted::Claim(_)), .. }))
            };
            if records.map_err(AggregatorError::Log)?.iter().any(is_claim) {
                return Ok(true);
            }
            from = until;
        }
        Ok(false)
    }
}

fn block_commit(topic: &str, partition: u32, block: u64) -> String {
    format!("{topic}/{partition}/{block}")
}
