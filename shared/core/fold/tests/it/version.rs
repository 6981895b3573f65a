//! A record of the log switches the rules of the fold, and unknown rules stop it. Only one version exists; the
//! version that is switched to here exists in this test alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

use prost::Message as _;
use wb_events::frame::{FrameKey, encode_events, encode_fold_switch, encode_punctuation};
use wb_events::wire::{Event, GpuSample, event::Body};
use wb_fold::rules::{RULES, knows};
use wb_fold::{
    Assembler, BlockId, ClosedBlock, FOLD_VERSION, FoldError, FoldedBlock, LogRecord, MemoryArchive, Rules,
    State, fold, fold_by,
};

/// A version that counts no samples of GPUs.
const NEXT: u32 = FOLD_VERSION + 1;

fn rules() -> Vec<Rules> {
    let next = Rules { version: NEXT, counts: |body| !matches!(body, Body::GpuSample(_)) };
    [RULES, &[next]].concat()
}

fn key() -> FrameKey {
    FrameKey::new([3; 32])
}

fn samples(sequences: &[u64]) -> Vec<u8> {
    let sample = |sequence: &u64| {
        let sample = GpuSample {
            node_id: "n1".into(),
            device: "GPU-1".into(),
            site_id: "s".into(),
            ..GpuSample::default()
        };
        let event = Event {
            source: "dcgm".into(),
            source_epoch: 1,
            key: "gpu/GPU-1/sample".into(),
            sequence: *sequence,
            event_time_us: 1_790_000_000_000_000,
            body: Some(Body::GpuSample(sample)),
        };
        event.encode_to_vec()
    };
    encode_events("ingest", sequences.iter().map(sample).collect(), &key())
}

/// Blocks of one of these payloads each, closed by a punctuation.
fn blocks(payloads: &[Vec<u8>]) -> Vec<(BlockId, ClosedBlock)> {
    let (mut assembler, mut offset) = (Assembler::new(0, key()), 0);
    let mut push = |payload: Vec<u8>| {
        let closed = assembler.push(LogRecord { offset, append_time_us: 5, payload });
        offset += 1;
        closed
    };
    let mut blocks = Vec::new();
    for (block, payload) in (0..).zip(payloads) {
        assert!(push(payload.clone()).is_none());
        let closed = push(encode_punctuation("a", block * 2, &key())).unwrap();
        blocks.push((BlockId { topic: "gpu".into(), partition: 0, block }, closed));
    }
    blocks
}

/// Folds blocks by this test's rules.
fn folded(state: &mut State, blocks: &[(BlockId, ClosedBlock)]) -> Vec<FoldedBlock> {
    let mut archive = MemoryArchive::default();
    let mut fold_one = |(id, block): &(BlockId, ClosedBlock)| {
        fold_by(&rules(), wb_proof::hash_headers, id.clone(), state, &mut archive, block).unwrap()
    };
    blocks.iter().map(&mut fold_one).collect()
}

type Seen = (u32, (u64, u64, u64), [u8; 32], [u8; 32]);

/// For each block: the version of its rules, how many events were accepted, repeated and rejected, and its hashes.
fn seen(blocks: &[FoldedBlock]) -> Vec<Seen> {
    let of = |block: &FoldedBlock| {
        let counts = (block.counts.accepted(), block.counts.duplicate(), block.counts.rejected());
        (block.fold_version, counts, block.content_hash, block.merkle_root)
    };
    blocks.iter().map(of).collect()
}

#[test]
fn a_switch_in_the_middle_holds_from_the_next_block_on_and_replays_as_it_ran() {
    let log = blocks(&[
        samples(&[1, 2]),
        encode_fold_switch("a", NEXT, &key()),
        samples(&[2, 3]),
        encode_fold_switch("a", FOLD_VERSION, &key()),
        samples(&[2, 3]),
    ]);
    let mut state = State::default();
    let ran = seen(&folded(&mut state, &log));
    let told: Vec<_> = ran.iter().map(|(version, counts, ..)| (*version, *counts)).collect();
    // What the version between does not count, it does not remember either.
    assert_eq!(
        told,
        [
            (FOLD_VERSION, (2, 0, 0)),
            (FOLD_VERSION, (0, 0, 0)),
            (NEXT, (0, 0, 2)),
            (NEXT, (0, 0, 0)),
            (FOLD_VERSION, (1, 1, 0)),
        ]
    );
    let mut again = State::default();
    assert_eq!(seen(&folded(&mut again, &log)), ran, "from the beginning");
    assert_eq!(again.to_bytes(), state.to_bytes());
    for cut in 0..=log.len() {
        let mut before = State::default();
        folded(&mut before, &log[..cut]);
        let mut back = State::from_bytes(&before.to_bytes()).unwrap();
        assert_eq!(back.fold_version(), before.fold_version());
        assert_eq!(seen(&folded(&mut back, &log[cut..])), ran[cut..], "from a checkpoint after {cut} blocks");
        assert_eq!(back.to_bytes(), state.to_bytes());
    }
}

#[test]
fn a_log_may_begin_with_other_rules() {
    let log = blocks(&[samples(&[1])]);
    let begun = folded(&mut State::beginning(NEXT), &log);
    assert_eq!((begun[0].fold_version, begun[0].counts.rejected()), (NEXT, 1));
    let row = String::from_utf8_lossy(begun[0].tables[0].iter().next().unwrap()).into_owned();
    assert!(row.contains("WB-4007"), "{row}");
    assert_eq!(State::default().to_bytes(), State::beginning(FOLD_VERSION).to_bytes());
}

#[test]
fn rules_that_are_not_known_stop_the_partition() {
    let log = blocks(&[samples(&[1]), encode_fold_switch("a", NEXT, &key()), samples(&[2])]);
    let mut state = State::default();
    let results: Vec<Result<FoldedBlock, FoldError>> = log
        .iter()
        .map(|(id, block)| fold(id.clone(), &mut state, &mut MemoryArchive::default(), block))
        .collect();
    assert!(results[0].is_ok() && results[1].is_ok(), "the block that holds the switch is folded as before");
    let Err(FoldError::UnknownVersion { wanted }) = &results[2] else { panic!("{:?}", results[2]) };
    assert_eq!(*wanted, NEXT);
    assert!(results[2].as_ref().unwrap_err().to_string().contains("WB-4033"));
    // A checkpoint brings back the version too, so that it stops there again.
    let mut back = State::from_bytes(&state.to_bytes()).unwrap();
    let (id, block) = &log[2];
    assert!(fold(id.clone(), &mut back, &mut MemoryArchive::default(), block).is_err());
    assert!(knows(FOLD_VERSION) && !knows(NEXT) && !knows(0));
}
