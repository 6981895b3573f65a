//! Publishing what committed blocks counted and refused, to the topics `usage` and `quarantine`.
//!
//! One aggregator does it for all: the leader. It follows the commits in their order,
//! batch by batch: reads a batch's rows from ClickHouse, appends what is not there yet, waits until
//! all of it is acknowledged, and appends a *mark* that says how far it came. Whoever takes up
//! publishing claims the topics first (`wb_events::published`): what it then finds after the last
//! mark is all that will ever count of its predecessors', so it sends exactly what is missing.

mod outbox;
mod records;
mod recover;

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wb_clickhouse::Store;
use wb_clickhouse::committed::{CommittedBlock, NAMED_PAGE_ROWS};
use wb_clickhouse::quarantine::QUARANTINE_PAGE_ROWS;
use wb_events::topics;
use wb_events::wire::{UsageRecord, usage_record::Counted};
use wb_kafka::{CommitsView, Log};

use crate::error::AggregatorError;
use crate::owners::Holdings;
use crate::pause::{RETRY_MAX, RETRY_MIN, stopped};
use crate::publish::outbox::Outbox;
use crate::publish::records::{Row, Rows};

/// Blocks that are published between two marks, at most.
const BATCH_BLOCKS_MAX: u32 = 64;
/// Events of the blocks between two marks, but for those of the last one: they bound what a successor
/// must remember of what it finds after a mark.
const BATCH_EVENTS_MAX: u64 = 128 * 1024;
/// The shortest time between two batches that are not full.
const BATCH_PAUSE: Duration = Duration::from_millis(250);
/// How often a name is looked for in ClickHouse that the log has already.
const PROJECTION_PAUSE: Duration = Duration::from_millis(50);
/// A mark is written after this long even where nothing was published: retention never takes the last.
const MARK_EVERY: Duration = Duration::from_secs(600);
/// Names after which a mark is written even where they held nothing to publish.
const MARK_EVERY_NAMES: u64 = 4_096;
/// Who was fenced by another takes over again where that one has stood still for this long.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(10);
/// And after this many times that, where no commits have come either.
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
    /// The end was asked for, or another aggregator is the leader now.
    PutDown,
    /// Another publisher has claimed the topics.
    Fenced,
}

/// How far publishing has come under one claim.
struct PublishCursor {
    outbox: Outbox,
    /// Everything committed below is published.
    next_commit_offset: u64,
    /// What lies after the last mark already: its rows are not sent again.
    published: HashSet<Row>,
    /// Whether something was sent since the last mark, or much was passed over.
    unmarked: bool,
    marked_commit_offset: u64,
    marked_at: Instant,
}

/// Publishes for as long as this aggregator is the leader, until the end.
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
                cursor.unmarked |= sent > 0 || behind > MARK_EVERY_NAMES;
                // While rows of later blocks are known from before our claim, a mark would forget them.
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

    /// The blocks of the next batch; none where nothing more is projected.
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
                // In the log already; ClickHouse has it in a moment.
                tokio::time::sleep(PROJECTION_PAUSE).await;
                return Ok(());
            }
            self.commits.wait_until(next.saturating_add(1)).await.map_err(AggregatorError::Log)?;
        }
    }

    /// Appends what is missing of a batch; gives how many records that were.
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
                let whole = page.len() < usize::try_from(NAMED_PAGE_ROWS).unwrap_or(usize::MAX);
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

    /// Says how far publishing came; false where another has claimed the topics meanwhile, so that
    /// what was sent under this claim may not count.
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

    /// Waits until whoever publishes now has appended nothing for a while although names came, or for
    /// a long while.
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
