//! Starts publishing: claims the topics, finds the last mark and reads the records after it.

use std::collections::HashSet;

use prost::Message as _;
use tokio::time::Instant;
use wb_events::published::{Epochs, quarantine_claim, usage_claim};
use wb_events::topics;
use wb_events::wire::usage_record::Counted;
use wb_events::wire::{UsageMark, UsageRecord};

use super::outbox::{Outbox, READ_AT_ONCE};
use super::records::Row;
use super::{PublishCursor, Publisher};
use crate::error::AggregatorError;

/// How many records of `usage` are searched for the last mark at first; each further step searches four times as
/// many.
const WINDOW_MIN: u64 = 256;

/// A mark that counts, and the epoch under which it was written.
struct Found {
    epoch: u64,
    mark: UsageMark,
}

impl Publisher {
    /// Claims both topics and finds which rows they lack.
    pub(super) async fn take_up(&self) -> Result<PublishCursor, AggregatorError> {
        let partitions = self.log.partitions().await.map_err(AggregatorError::Log)?;
        let usage_partitions = partitions.get(topics::USAGE).copied().unwrap_or(0);
        // Partition 0 first: a mark below our claim there precedes our other claims, so every offset in it lies below
        // them.
        let mut claims = Vec::new();
        for partition in 0..usage_partitions {
            let epoch = claims.first().copied().unwrap_or(0);
            let claim = usage_claim(&self.writer, epoch).encode_to_vec();
            let appended = self.log.append(topics::USAGE, partition, b"", &claim, &[]).await;
            claims.push(appended.map_err(AggregatorError::Log)?);
        }
        let epoch = claims.first().copied().unwrap_or(0);
        let claim = quarantine_claim(&self.writer, epoch).encode_to_vec();
        let appended = self.log.append(topics::QUARANTINE, 0, b"", &claim, &[]).await;
        let quarantine_end = appended.map_err(AggregatorError::Log)?;

        let found = self.last_mark(epoch).await?;
        let mut published = HashSet::new();
        let begin = |found: &Option<Found>| found.as_ref().map(|found| Epochs::in_force(found.epoch));
        for (partition, end) in (0_u32..).zip(&claims) {
            let at = usize::try_from(partition).unwrap_or(usize::MAX);
            let from = found.as_ref().and_then(|found| found.mark.usage_ends.get(at)).copied().unwrap_or(0);
            let mut epochs = begin(&found).unwrap_or_default();
            self.walk(topics::USAGE, partition, from, *end, |offset, payload| {
                // Later marks do not count: the last one that counts was found.
                let record = epochs.usage(partition, offset, payload);
                published.extend(record.filter(|it| !it.table.is_empty()).map(|it| Row::of_usage(&it)));
            })
            .await?;
        }
        let mut epochs = begin(&found).unwrap_or_default();
        let from = found.as_ref().map_or(0, |found| found.mark.quarantine_end);
        self.walk(topics::QUARANTINE, 0, from, quarantine_end, |_, payload| {
            published.extend(epochs.quarantine(payload).map(|it| Row::of_quarantine(&it)));
        })
        .await?;
        let next_commit_offset = found.map_or(0, |found| found.mark.next_commit_offset);
        tracing::info!(
            epoch,
            next_commit_offset,
            published = published.len(),
            "usage is published from here"
        );
        Ok(PublishCursor {
            outbox: Outbox::new(self.log.clone(), self.writer.clone(), &claims, quarantine_end),
            next_commit_offset,
            published,
            unmarked: false,
            marked_commit_offset: next_commit_offset,
            marked_at: Instant::now(),
        })
    }

    /// The last mark that counts below an offset of partition 0.
    async fn last_mark(&self, end: u64) -> Result<Option<Found>, AggregatorError> {
        let (low, _) = self.log.watermarks(topics::USAGE, 0).await.map_err(AggregatorError::Log)?;
        let mut window = WINDOW_MIN;
        loop {
            let from = end.saturating_sub(window).max(low);
            let mut marks: Vec<(u64, Found)> = Vec::new();
            let mut claims: Vec<u64> = Vec::new();
            self.walk(topics::USAGE, 0, from, end, |offset, payload| {
                let Ok(UsageRecord { epoch, counted: Some(counted), .. }) = UsageRecord::decode(payload)
                else {
                    return;
                };
                match counted {
                    Counted::Claim(_) => claims.push(offset),
                    Counted::Mark(mark) => marks.push((offset, Found { epoch, mark })),
                    Counted::Work(_) | Counted::Energy(_) | Counted::Gpu(_) => {}
                }
            })
            .await?;
            // A mark counts if there is no other claim between its checked offset and its own offset.
            let counts = |offset: u64, mark: &UsageMark| {
                mark.checked_offset >= from
                    && !claims.iter().any(|claim| (mark.checked_offset..offset).contains(claim))
            };
            let last = marks.into_iter().rev().find(|(offset, found)| counts(*offset, &found.mark));
            match last {
                Some((_, found)) => return Ok(Some(found)),
                None if from == low => {
                    if low > 0 {
                        tracing::warn!(
                            low,
                            "no mark is left in usage: retention removed it, and everything is published again"
                        );
                    }
                    return Ok(None);
                }
                None => window = window.saturating_mul(4),
            }
        }
    }

    /// Visits the records of a partition in `[from, to)` that the log still holds.
    async fn walk(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        to: u64,
        mut each: impl FnMut(u64, &[u8]),
    ) -> Result<(), AggregatorError> {
        let (low, _) = self.log.watermarks(topic, partition).await.map_err(AggregatorError::Log)?;
        let mut from = from.max(low);
        while from < to {
            let until = from.saturating_add(READ_AT_ONCE).min(to);
            let records = self.log.read_range(topic, partition, from, until).await;
            for record in records.map_err(AggregatorError::Log)? {
                each(record.offset, &record.payload);
            }
            from = until;
        }
        Ok(())
    }
}
