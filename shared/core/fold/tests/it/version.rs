//! The rules of the fold are switched by a record of the log, and rules that are not there stop it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

use wb_events::frame::{FrameKey, encode_events, encode_fold_switch, encode_punctuation};
use wb_fold::{
    Assembler, BlockId, FIRST_FOLD_VERSION, FOLD_VERSION, FoldError, FoldedBlock, LogRecord, MemoryArchive,
    State, fold,
};

fn key() -> FrameKey {
    FrameKey::new([3; 32])
}

/// Folds blocks of these payloads, each closed by a punctuation, onto one state.
fn folded(state: &mut State, blocks: &[Vec<u8>]) -> Vec<Result<FoldedBlock, FoldError>> {
    let (mut assembler, mut offset) = (Assembler::new(0, key()), 0);
    let mut push = |payload: Vec<u8>| {
        let closed = assembler.push(LogRecord { offset, append_time_us: 0, payload });
        offset += 1;
        closed
    };
    let mut results = Vec::new();
    for (block, payload) in (0..).zip(blocks) {
        assert!(push(payload.clone()).is_none());
        let closed = push(encode_punctuation("a", block * 2, &key())).unwrap();
        let id = BlockId { topic: "energy".into(), partition: 0, block };
        results.push(fold(id, state, &mut MemoryArchive::default(), &closed));
    }
    results
}

#[test]
fn a_switch_holds_from_the_next_block_on_and_unknown_rules_stop_the_fold() {
    let events = encode_events("ingest", vec![b"no event".to_vec()], &key());
    let mut state = State::default();
    let blocks = [
        events.clone(),
        encode_fold_switch("a", FOLD_VERSION, &key()),
        events.clone(),
        encode_fold_switch("a", FOLD_VERSION + 1, &key()),
        events,
    ];
    let results = folded(&mut state, &blocks);
    let versions: Vec<u32> =
        results.iter().map_while(|result| result.as_ref().ok()).map(|block| block.fold_version).collect();
    assert_eq!(versions, [FIRST_FOLD_VERSION, FIRST_FOLD_VERSION, FOLD_VERSION, FOLD_VERSION]);
    let Err(FoldError::UnknownVersion { wanted }) = &results[4] else { panic!("{:?}", results[4]) };
    assert_eq!(*wanted, FOLD_VERSION + 1);
    assert!(results[4].as_ref().unwrap_err().to_string().contains("WB-4033"));
    // What a snapshot brings back goes on with the same rules.
    let back = State::from_bytes(&state.to_bytes()).unwrap();
    assert_eq!(back.fold_version(), FOLD_VERSION + 1);
}
