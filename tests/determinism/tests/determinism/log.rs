//! A log that holds the events: one order of arrival, one size of batches.

use std::collections::BTreeMap;

use wb_events::commits::TopicPartition;
use wb_events::frame::{self, FRAME_EVENTS_MAX, FrameKey};
use wb_fold::LogRecord;
use wb_fold::assemble::BLOCK_EVENTS_MAX;

use crate::input::{Input, Item, PARTITIONS, Payload};
use crate::rng::Rng;

/// One in so many events is sent again.
const REPEATED_ONE_IN: usize = 10;
/// One event in this many arrives after all others.
const LATE_ONE_IN: usize = 20;
/// 2026-11-02T00:00:00Z: both months are over, the logs begin.
const APPENDED_FROM_US: i64 = 1_793_577_600_000_000;

/// The key that frames are signed with.
pub(crate) fn key() -> FrameKey {
    FrameKey::new([7; 32])
}

/// An order of arrival: indices of items, repeats among them.
pub(crate) struct Arrival {
    pub(crate) order: Vec<usize>,
    /// Which of [`PARTITIONS`] the log has.
    counts: usize,
}

/// Which events are sent twice: one in ten.
pub(crate) fn repeats(input: &Input, rng: &mut Rng) -> Vec<usize> {
    let mut repeatable: Vec<usize> =
        (0..input.items.len()).filter(|at| input.items[*at].repeatable).collect();
    rng.shuffle(&mut repeatable);
    repeatable.truncate(input.items.len() / REPEATED_ONE_IN);
    repeatable
}

impl Arrival {
    /// A given order.
    pub(crate) fn of(order: Vec<usize>) -> Self {
        Self { order, counts: 0 }
    }

    /// The first two are the order of the sources and its reverse; the others are drawn.
    pub(crate) fn draw(input: &Input, repeats: &[usize], number: usize, rng: &mut Rng) -> Self {
        let mut order: Vec<usize> = (0..input.items.len()).chain(repeats.iter().copied()).collect();
        match number {
            0 => {}
            1 => order.reverse(),
            _ => rng.shuffle(&mut order),
        }
        let late: Vec<bool> = input.items.iter().map(|_| rng.below(LATE_ONE_IN) == 0).collect();
        let (mut arrived, last): (Vec<usize>, Vec<usize>) = order.iter().partition(|item| !late[**item]);
        arrived.extend(last);
        for (item, before) in input.items.iter().enumerate().filter_map(|(at, item)| Some((at, item.after?)))
        {
            let place = |wanted: usize| arrived.iter().position(|item| *item == wanted).unwrap();
            let (first, second) = (place(before), place(item));
            if second < first {
                arrived.swap(first, second);
            }
        }
        Self { order: arrived, counts: number % PARTITIONS.len() }
    }
}

/// The records of every partition.
pub(crate) struct Log {
    pub(crate) partitions: BTreeMap<TopicPartition, Vec<LogRecord>>,
    /// How many events it holds.
    pub(crate) events: u64,
}

/// A partition that is being written.
#[derive(Default)]
struct Writing {
    records: Vec<LogRecord>,
    frame: Vec<Vec<u8>>,
    block_starts: u64,
    block_events: usize,
}

impl Writing {
    fn append(&mut self, payload: Vec<u8>, rng: &mut Rng) {
        let before_us = self.records.last().map_or(APPENDED_FROM_US, |record| record.append_time_us);
        let append_time_us = before_us + i64::try_from(rng.below(2_000_000)).unwrap();
        let offset = u64::try_from(self.records.len()).unwrap();
        self.records.push(LogRecord { offset, append_time_us, payload });
    }

    fn end_frame(&mut self, rng: &mut Rng) {
        if !self.frame.is_empty() {
            let events = std::mem::take(&mut self.frame);
            self.block_events += events.len();
            self.append(frame::encode_events("ingest", events, &key()), rng);
        }
    }

    /// Ends the block, which must have been begun.
    fn end_block(&mut self, rng: &mut Rng) {
        // A full block has ended already.
        if self.block_events < BLOCK_EVENTS_MAX {
            // A punctuation of a stale aggregator, for a block that has ended, changes nothing.
            if self.block_starts > 0 && rng.below(8) == 0 {
                self.append(frame::encode_punctuation("zombie", self.block_starts - 1, &key()), rng);
            }
            self.append(frame::encode_punctuation("aggregator", self.block_starts, &key()), rng);
        }
        self.block_starts = u64::try_from(self.records.len()).unwrap();
        self.block_events = 0;
    }

    fn take(&mut self, payload: &Payload, batch: usize, rng: &mut Rng) {
        match payload {
            Payload::Event(bytes) => {
                self.frame.push(bytes.clone());
                if self.frame.len() >= batch.min(FRAME_EVENTS_MAX) {
                    self.end_frame(rng);
                }
            }
            Payload::Record(bytes) => {
                self.end_frame(rng);
                self.append(bytes.clone(), rng);
                self.block_events += 1;
            }
        }
        if self.block_events >= batch {
            self.end_block(rng);
        }
    }
}

impl Log {
    /// Writes the events in blocks of `batch`, and in frames of as many where a frame may hold them.
    pub(crate) fn write(input: &Input, arrival: &Arrival, batch: usize, rng: &mut Rng) -> Self {
        let mut writing: BTreeMap<TopicPartition, Writing> = BTreeMap::new();
        for Item { topic, payload, partitions, .. } in arrival.order.iter().map(|at| &input.items[*at]) {
            let place = TopicPartition::new(topic, partitions[arrival.counts]);
            writing.entry(place).or_default().take(payload, batch, rng);
        }
        let partitions = writing.into_iter().map(|(place, mut partition)| {
            partition.end_frame(rng);
            if partition.block_events > 0 {
                partition.end_block(rng);
            }
            (place, partition.records)
        });
        Self { partitions: partitions.collect(), events: u64::try_from(arrival.order.len()).unwrap() }
    }
}
