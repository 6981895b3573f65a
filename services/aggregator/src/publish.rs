//! Publishing what named blocks counted and refused, to the topics `usage` and `quarantine`.
//!
//! One aggregator does it for all: the one that keeps house. It follows the names in their order,
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
use wb_clickhouse::named::{NAMED_PAGE_ROWS, NamedBlock};
use wb_clickhouse::quarantine::QUARANTINE_PAGE_ROWS;
use wb_events::topics;
use wb_events::wire::{UsageRecord, usage_record::Counted};
use wb_kafka::{Log, NamesView};

use crate::crew::Holdings;
use crate::publish::outbox::Outbox;
use crate::publish::records::{Row, Rows};
use crate::{AggregatorError, RETRY_MAX, RETRY_MIN, stopped, with_causes};

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
/// And after this many times that, where no names have come either.
const TAKE_OVER_AFTER_LOOKS: u32 = 6;

/// What publishing needs.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) log: Log,
    pub(crate) store: Store,
    pub(crate) names: NamesView,
    /// Its name in claims and headers.
    pub(crate) writer: String,
}

/// Why publishing stopped.
enum Ended {
    /// The end was asked for, or the house is another's now.
    PutDown,
    /// Another publisher has claimed the topics.
    Fenced,
}

/// How far publishing has come under one claim.
struct Course {
    outbox: Outbox,
    /// Everything named below is published.
    next_names_offset: u64,
    /// What lies after the last mark already: its rows are not sent again.
    published: HashSet<Row>,
    /// Whether something was sent since the last mark, or much was passed over.
    unmarked: bool,
    marked_names_offset: u64,
    marked_at: Instant,
}

/// Publishes for as long as the house is ours to keep, until the end.
pub(crate) async fn keep_publishing(
    publisher: Publisher,
    mut holdings: Holdings,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut pause = RETRY_MIN;
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            () = holdings.until_house_is(true) => {}
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
                    tracing::warn!(error = with_causes(&error), "usage is not published yet");
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
        let mut course = self.take_up().await?;
        loop {
            if *shutdown.borrow() || !holdings.keeps_house() {
                return Ok(Ended::PutDown);
            }
            let blocks = self.next_blocks(course.next_names_offset).await?;
            let full = blocks.len() >= usize::try_from(BATCH_BLOCKS_MAX).unwrap_or(usize::MAX);
            if let Some(last) = blocks.last() {
                if course.outbox.is_fenced().await? {
                    return Ok(Ended::Fenced);
                }
                let sent = self.publish(&mut course, &blocks).await?;
                course.next_names_offset = last.names_offset.saturating_add(1);
                let behind = course.next_names_offset.saturating_sub(course.marked_names_offset);
                course.published.retain(|row| row.names_offset >= course.next_names_offset);
                course.unmarked |= sent > 0 || behind > MARK_EVERY_NAMES;
                // While rows of later blocks are known from before our claim, a mark would forget them.
                if course.unmarked && course.published.is_empty() && !self.mark(&mut course).await? {
                    return Ok(Ended::Fenced);
                }
                if full {
                    continue;
                }
            } else if course.marked_at.elapsed() > MARK_EVERY
                && course.published.is_empty()
                && !self.mark(&mut course).await?
            {
                return Ok(Ended::Fenced);
            }
            let mark_at = Instant::now().max(course.marked_at + MARK_EVERY) + BATCH_PAUSE;
            tokio::select! {
                () = stopped(shutdown) => {}
                () = holdings.until_house_is(false) => {}
                more = self.until_more(course.next_names_offset) => more?,
                () = tokio::time::sleep_until(mark_at) => {}
            }
        }
    }

    /// The blocks of the next batch; none where nothing more is projected.
    async fn next_blocks(&self, from_names_offset: u64) -> Result<Vec<NamedBlock>, AggregatorError> {
        let blocks = self.store.named_blocks(from_names_offset, BATCH_BLOCKS_MAX).await;
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
    async fn until_more(&self, next_names_offset: u64) -> Result<(), AggregatorError> {
        tokio::time::sleep(BATCH_PAUSE).await;
        loop {
            let next = self.names.next_offset();
            let named = self.names.heads().iter().any(|(_, head)| head.names_offset >= next_names_offset);
            if named {
                // In the log already; ClickHouse has it in a moment.
                tokio::time::sleep(PROJECTION_PAUSE).await;
                return Ok(());
            }
            self.names.wait_until(next.saturating_add(1)).await.map_err(AggregatorError::Log)?;
        }
    }

    /// Appends what is missing of a batch; gives how many records that were.
    async fn publish(&self, course: &mut Course, blocks: &[NamedBlock]) -> Result<u64, AggregatorError> {
        let before = course.outbox.sent();
        for rows in [Rows::Work, Rows::Energy, Rows::Gpu] {
            let of_topic = |block: &&NamedBlock| block.topic == rows.topic() && block.accepted > 0;
            let blocks: Vec<NamedBlock> = blocks.iter().filter(of_topic).cloned().collect();
            let mut after = None;
            loop {
                let page = records::usage_page(&self.store, rows, &blocks, after).await?;
                let whole = page.len() < usize::try_from(NAMED_PAGE_ROWS).unwrap_or(usize::MAX);
                after = page.last().map(|record| (record.names_offset, record.index));
                for record in page {
                    if !course.published.remove(&Row::of_usage(&record)) {
                        course.outbox.usage(record).await?;
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
                let page = self.store.named_quarantined(block, after).await;
                let page = page.map_err(AggregatorError::Store)?;
                let whole = page.len() < usize::try_from(QUARANTINE_PAGE_ROWS).unwrap_or(usize::MAX);
                after = page.last().map(|row| row.idx);
                for row in page {
                    let record = records::quarantine(block, row);
                    if !course.published.remove(&Row::of_quarantine(&record)) {
                        course.outbox.quarantine(record).await?;
                    }
                }
                if whole {
                    break;
                }
            }
        }
        course.outbox.drain().await?;
        Ok(course.outbox.sent().saturating_sub(before))
    }

    /// Says how far publishing came; false where another has claimed the topics meanwhile, so that
    /// what was sent under this claim may not count.
    async fn mark(&self, course: &mut Course) -> Result<bool, AggregatorError> {
        let mark = course.outbox.mark(course.next_names_offset);
        course
            .outbox
            .usage(UsageRecord { counted: Some(Counted::Mark(mark)), ..UsageRecord::default() })
            .await?;
        course.outbox.drain().await?;
        course.marked_names_offset = course.next_names_offset;
        course.marked_at = Instant::now();
        course.unmarked = false;
        course.outbox.check_alone().await
    }

    /// Waits until whoever publishes now has appended nothing for a while although names came, or for
    /// a long while.
    async fn until_it_stands_still(&self) {
        let (mut before, mut same) = (None, 0);
        while same < TAKE_OVER_AFTER_LOOKS {
            let named = self.names.heads().iter().map(|(_, head)| head.names_offset).max();
            tokio::time::sleep(TAKE_OVER_AFTER).await;
            let Ok(end) = self.log.end_offset(topics::USAGE, 0).await else { continue };
            match before {
                Some((same_end, earlier)) if same_end == end && earlier < named => return,
                Some((same_end, _)) if same_end == end => same += 1,
                _ => same = 0,
            }
            before = Some((end, named));
        }
    }
}
