//! GPU samples are counted once, in their own topic.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

use prost::Message as _;
use wb_events::frame::{FrameKey, encode_events, encode_punctuation};
use wb_events::wire::{Event, GpuSample, event::Body};
use wb_fold::{Assembler, BlockId, FoldedBlock, LogRecord, MemoryArchive, State, fold};

fn key() -> FrameKey {
    FrameKey::new([3; 32])
}

fn sample(sequence: u64, utilisation_ppm: Option<u64>) -> Vec<u8> {
    let sample = GpuSample {
        node_id: "n1".into(),
        device: "GPU-1".into(),
        utilisation_ppm,
        last_xid: Some(0),
        site_id: "s".into(),
        ..GpuSample::default()
    };
    let event = Event {
        source: "dcgm".into(),
        source_epoch: 1,
        key: "gpu/GPU-1/sample".into(),
        sequence,
        event_time_us: 1_790_000_000_000_000,
        body: Some(Body::GpuSample(sample)),
    };
    event.encode_to_vec()
}

/// Folds records in blocks of two, each of a record and a punctuation.
fn folded(state: &mut State, topic: &str, records: &[Vec<u8>]) -> Vec<FoldedBlock> {
    let (mut assembler, mut offset) = (Assembler::new(0, key()), 0);
    let mut push = |payload: Vec<u8>| {
        let closed = assembler.push(LogRecord { offset, append_time_us: 5, payload });
        offset += 1;
        closed
    };
    (0..)
        .zip(records)
        .map(|(block, payload)| {
            assert!(push(payload.clone()).is_none());
            let closed = push(encode_punctuation("a", block * 2, &key())).unwrap();
            let id = BlockId { topic: topic.into(), partition: 0, block };
            fold(id, state, &mut MemoryArchive::default(), &closed).unwrap()
        })
        .collect()
}

fn frame(events: &[Vec<u8>]) -> Vec<u8> {
    encode_events("ingest", events.to_vec(), &key())
}

fn rows(block: &FoldedBlock) -> Vec<(&'static str, usize)> {
    block.tables.iter().map(|table| (table.name, table.rows())).collect()
}

fn counts(block: &FoldedBlock) -> (u64, u64, u64) {
    (block.counts.accepted(), block.counts.duplicate(), block.counts.rejected())
}

#[test]
fn samples_of_gpus_are_counted_once() {
    let events = [sample(1, Some(970_000)), sample(1, Some(970_000)), sample(1, None), sample(2, None)];
    let block = folded(&mut State::default(), "gpu", &[frame(&events)]).remove(0);
    assert_eq!((counts(&block), block.fold_version), ((2, 1, 1), 1));
    assert_eq!(rows(&block), [("gpu_samples", 2), ("quarantine", 1), ("block_counts", 3)]);
    // Utilisation, engine, memory, power, last fault and faults, each with whether it is NULL.
    let said =
        [[0].as_slice(), &970_000_u64.to_le_bytes(), &[1, 1, 1, 0], &0_u64.to_le_bytes(), &[1]].concat();
    assert!(block.tables[0].iter().next().unwrap().ends_with(&said));
    let elsewhere = folded(&mut State::default(), "telemetry", &[frame(&events)]).remove(0);
    assert_eq!(counts(&elsewhere), (0, 0, 4));
}
