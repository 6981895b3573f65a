//! The floor: what the same events cost one thread in memory, without network, log or store.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use prost::Message as _;
use wb_events::frame::FrameKey;
use wb_events::{input, topics, wire};
use wb_fold::{Assembler, BlockId, LogRecord, MemoryArchive, State};
use wb_kafka::Log;
use wb_kafka::topics::Partitions;

use crate::load::Load;
use crate::stack::Stack;

/// How long each stage took for all events.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    /// Bodies: decompressed, decoded and checked, as at the ingest.
    pub(crate) decode: Duration,
    /// Records: signature checked, frame opened, blocks assembled.
    pub(crate) frames: Duration,
    /// Blocks: every header hashed and judged, Merkle tree and content hash.
    pub(crate) fold: Duration,
    /// Rows: the bodies of the INSERTs.
    pub(crate) rows: Duration,
    /// Events that count.
    pub(crate) accepted: u64,
}

impl Floor {
    pub(crate) fn total(&self) -> Duration {
        self.decode + self.frames + self.fold + self.rows
    }
}

/// Takes the bodies that were sent and the records that are in the log, so that the blocks are
/// the very ones that were committed.
pub(crate) async fn measure(stack: &Stack, log: &Log, partitions: &Partitions, load: &Load) -> Result<Floor> {
    let key = stack.frame_key()?;
    let mut floor = Floor::default();
    let began = Instant::now();
    for (body, _) in load.bodies.iter() {
        let batch = wire::EventBatch::decode(zstd::decode_all(body.as_slice())?.as_slice())?;
        for event in batch.events {
            input::check(event).ok().context("the ingest would refuse an event of the bench")?;
        }
    }
    floor.decode = began.elapsed();
    for partition in 0..partitions.get(topics::SHARES).copied().unwrap_or(0) {
        let records = log.read_all(topics::SHARES, partition, 0).await.context("reading the log again")?;
        tokio::task::block_in_place(|| floor.add_partition(partition, &records, &key))?;
    }
    Ok(floor)
}

impl Floor {
    fn add_partition(&mut self, partition: u32, records: &[LogRecord], key: &FrameKey) -> Result<()> {
        let mut assembler = Assembler::new(0, key.clone());
        let (mut state, mut archive) = (State::default(), MemoryArchive::default());
        let mut block = 0;
        for record in records {
            let began = Instant::now();
            let closed = assembler.push(record.clone());
            self.frames += began.elapsed();
            let Some(closed) = closed else { continue };
            let began = Instant::now();
            let id = BlockId { topic: topics::SHARES.to_owned(), partition, block };
            let folded = wb_fold::fold(id, &mut state, &mut archive, &closed)?;
            self.fold += began.elapsed();
            let began = Instant::now();
            for table in &folded.tables {
                std::hint::black_box(table.iter().map(<[u8]>::len).sum::<usize>());
            }
            self.rows += began.elapsed();
            self.accepted += folded.counts.accepted();
            block += 1;
        }
        Ok(())
    }
}
