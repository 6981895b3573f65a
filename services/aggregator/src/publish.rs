//! Publishes what committed blocks counted and refused to the topics `usage` and `quarantine`.
//!
//! Only the leader publishes. It follows the commits in order, in batches: it reads the rows of a batch from
//! ClickHouse, appends those that the topics lack, waits until they are acknowledged, and appends a *mark* that says
//! how far it came. A new publisher first claims the topics (`wb_events::published`). After its claim no record of an
//! earlier publisher counts, so reading from the last mark to its claim shows exactly what is missing.

mod outbox;
mod records;
mod recover;

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wb_clickhouse::Store;
use wb_clickhouse::committed::{COMMITTED_PAGE_ROWS, CommittedBlock};
use wb_clickhouse::quarantine::QUARANTINE_PAGE_ROWS;
use wb_events::topics;
use wb_events::wire::{UsageRecord, usage_record::Counted};
use wb_kafka::{CommitsView, Log};

use crate::error::AggregatorError;
use crate::owners::Holdings;
use crate::pause::{RETRY_MAX, RETRY_MIN, stopped};
use crate::publish::outbox::Outbox;
use crate::publish::records::{Row, Rows};

/// The most blocks between two marks.
const BATCH_BLOCKS_MAX: u32 = 64;
/// The most events of the blocks between two marks, not counting the last block. This bounds how many rows a
/// successor must remember after a mark.
const BATCH_EVENTS_MAX: u64 = 128 * 1024;
/// The shortest time between two batches that are not full.
const BATCH_PAUSE: Duration = Duration::from_millis(250);
/// How often to check whether ClickHouse shows a commit that the log already has.
const PROJECTION_PAUSE: Duration = Duration::from_millis(50);
/// The longest time between two marks. Retention then never removes the last mark.
const MARK_EVERY: Duration = Duration::from_secs(600);
/// A mark is written after this many commits even if they had nothing to publish.
const MARK_EVERY_COMMITS: u64 = 4_096;
/// A fenced publisher takes over again once the other one has appended nothing for this long although commits came
/// ...
const TAKE_OVER_AFTER: Duration = Duration::from_secs(10);
/// ... or for this many times as long if no commits came.
const TAKE_OVER_AFTER_LOOKS: u32 = 6;

/// What publishing needs.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) log: Log,
    pub(crate) store: Store,
    pub(crate) commits: CommitsView,
    /// Its name in claims and headers.
    pub(crate) writer: String,
}

/// Why publishing stopped.
enum Ended {
    /// Shutdown, or another aggregator is the leader.
    PutDown,
    /// Another publisher has claimed the topics.
    Fenced,
}

/// How far publishing came under one claim.
struct PublishCursor {
    outbox: Outbox,
    /// Everything committed below this offset is published.
    next_commit_offset: u64,
    /// Rows that lie after the last mark already; they are not sent again.
    published: HashSet<Row>,
    /// Whether a mark is due: something was sent since the last one, or many commits were passed.
    unmarked: bool,
    marked_commit_offset: u64,
    marked_at: Instant,
}

/// Publishes while this aggregator is the leader, until shutdown.
pub(crate) async fn keep_publishing(
    publisher: Publisher,
    mut holdings: Holdings,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut pause = RETRY_MIN;
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            () = holdings.until_leading_is(true) => {}
        }
        let began = Instant::now();
        let ended = publisher.publish_while_ours(&mut holdings, &mut shutdown).await;
        if began.elapsed() > RETRY_MAX {
            pause = RETRY_MIN;
        }
        let waited = async {
            match ended {
                Ok(Ended::PutDown) => {}
                Ok(Ended::Fenced) => {
                    tracing::info!("another aggregator publishes usage now");
                    publisher.until_it_stands_still().await;
                }
                Err(error) => {
                    tracing::warn!(error = wb_units::with_causes(&error), "usage is not published yet");
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(RETRY_MAX);
                }
            }
        };
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            () = waited => {}
        }
    }
}

impl Publisher {
    async fn publish_while_ours(
        &self,
        holdings: &mut Holdings,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<Ended, AggregatorError> {
        let mut cursor = self.take_up().await?;
        loop {
            if *shutdown.borrow() || !holdings.leads() {
                return Ok(Ended::PutDown);
            }
            let blocks = self.next_blocks(cursor.next_commit_offset).await?;
            let full = blocks.len() >= usize::try_from(BATCH_BLOCKS_MAX).unwrap_or(usize::MAX);
            if let Some(last) = blocks.last() {
                if cursor.outbox.is_fenced().await? {
                    return Ok(Ended::Fenced);
                }
                let sent = self.publish(&mut cursor, &blocks).await?;
                cursor.next_commit_offset = last.commit_offset.saturating_add(1);
                let behind = cursor.next_commit_offset.saturating_sub(cursor.marked_commit_offset);
                cursor.published.retain(|row| row.commit_offset >= cursor.next_commit_offset);
                cursor.unmarked |= sent > 0 || behind > MARK_EVERY_COMMITS;
                // A mark would forget the rows of later blocks that are known from before our claim, so it waits.
                if cursor.unmarked && cursor.published.is_empty() && !self.mark(&mut cursor).await? {
                    return Ok(Ended::Fenced);
                }
                if full {
                    continue;
                }
            } else if cursor.marked_at.elapsed() > MARK_EVERY
                && cursor.published.is_empty()
                && !self.mark(&mut cursor).await?
            {
                return Ok(Ended::Fenced);
            }
            let mark_at = Instant::now().max(cursor.marked_at + MARK_EVERY) + BATCH_PAUSE;
            tokio::select! {
                () = stopped(shutdown) => {}
                () = holdings.until_leading_is(false) => {}
                more = self.until_more(cursor.next_commit_offset) => more?,
                () = tokio::time::sleep_until(mark_at) => {}
            }
        }
    }

    /// The blocks of the next batch; empty if no further commit is projected.
    async fn next_blocks(&self, from_commit_offset: u64) -> Result<Vec<CommittedBlock>, AggregatorError> {
        let blocks = self.store.committed_blocks(from_commit_offset, BATCH_BLOCKS_MAX).await;
        let mut blocks = blocks.map_err(AggregatorError::Store)?;
        let mut events = 0_u64;
        let fit = blocks.iter().take_while(|block| {
            let fits = events < BATCH_EVENTS_MAX;
            events = events.saturating_add(block.events);
            fits
        });
        let fit = fit.count();
        blocks.truncate(fit);
        Ok(blocks)
    }

    /// Waits until there may be another batch.
    async fn until_more(&self, next_commit_offset: u64) -> Result<(), AggregatorError> {
        tokio::time::sleep(BATCH_PAUSE).await;
        loop {
            let next = self.commits.next_offset();
            let committed =
                self.commits.heads().iter().any(|(_, head)| head.commit_offset >= next_commit_offset);
            if committed {
                // The log has it; ClickHouse will show it shortly.
                tokio::time::sleep(PROJECTION_PAUSE).await;
                return Ok(());
            }
            self.commits.wait_until(next.saturating_add(1)).await.map_err(AggregatorError::Log)?;
        }
    }

    /// Appends the rows of a batch that are missing; returns how many records were appended.
    async fn publish(
        &self,
        cursor: &mut PublishCursor,
        blocks: &[CommittedBlock],
    ) -> Result<u64, AggregatorError> {
        let before = cursor.outbox.sent();
        for rows in [Rows::Work, Rows::Energy, Rows::Gpu] {
            let of_topic = |block: &&CommittedBlock| block.topic == rows.topic() && block.accepted > 0;
            let blocks: Vec<CommittedBlock> = blocks.iter().filter(of_topic).cloned().collect();
            let mut after = None;
            loop {
                let page = records::usage_page(&self.store, rows, &blocks, after).await?;
                let whole = page.len() < usize::try_from(COMMITTED_PAGE_ROWS).unwrap_or(usize::MAX);
                after = page.last().map(|record| (record.commit_offset, record.index));
                for record in page {
                    if !cursor.published.remove(&Row::of_usage(&record)) {
                        cursor.outbox.usage(record).await?;
                    }
                }
                if whole {
                    break;
                }
            }
        }
        for block in blocks.iter().filter(|block| block.rejected > 0) {
            let mut after = None;
            loop {
                let page = self.store.committed_quarantined(block, after).await;
                let page = page.map_err(AggregatorError::Store)?;
                let whole = page.len() < usize::try_from(QUARANTINE_PAGE_ROWS).unwrap_or(usize::MAX);
                after = page.last().map(|row| row.idx);
                for row in page {
                    let record = records::quarantine(block, row);
                    if !cursor.published.remove(&Row::of_quarantine(&record)) {
                        cursor.outbox.quarantine(record).await?;
                    }
                }
                if whole {
                    break;
                }
            }
        }
        cursor.outbox.drain().await?;
        Ok(cursor.outbox.sent().saturating_sub(before))
    }

    /// Appends a mark. Returns false if another publisher has claimed the topics meanwhile, so that records under
    /// this claim may not count.
    async fn mark(&self, cursor: &mut PublishCursor) -> Result<bool, AggregatorError> {
        let mark = cursor.outbox.mark(cursor.next_commit_offset);
        cursor
            .outbox
            .usage(UsageRecord { counted: Some(Counted::Mark(mark)), ..UsageRecord::default() })
            .await?;
        cursor.outbox.drain().await?;
        cursor.marked_commit_offset = cursor.next_commit_offset;
        cursor.marked_at = Instant::now();
        cursor.unmarked = false;
        cursor.outbox.check_alone().await
    }

    /// Waits until the other publisher has appended nothing for a while although commits came, or for a long while if
    /// none came.
    async fn until_it_stands_still(&self) {
        let (mut before, mut same) = (None, 0);
        while same < TAKE_OVER_AFTER_LOOKS {
            let committed = self.commits.heads().iter().map(|(_, head)| head.commit_offset).max();
            tokio::time::sleep(TAKE_OVER_AFTER).await;
            let Ok(end) = self.log.end_offset(topics::USAGE, 0).await else { continue };
            match before {
                Some((same_end, earlier)) if same_end == end && earlier < committed => return,
                Some((same_end, _)) if same_end == end => same += 1,
                _ => same = 0,
            }
            before = Some((end, committed));
        }
    }
}
