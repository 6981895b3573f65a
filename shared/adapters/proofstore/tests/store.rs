//! The store on disk behaves like the archive in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use wb_fold::State;
use wb_fold::archive::{FrozenTip, MemoryArchive, ProofArchive};
use wb_fold::ids::IdSet;
use wb_proofstore::snapshot::{self, Position};
use wb_proofstore::{FENCE_IDS, ProofStore, SECTIONS_MAX};

fn id(number: u64) -> [u8; 16] {
    u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()
}

fn set(ids: impl IntoIterator<Item = [u8; 16]>) -> IdSet {
    let mut set = IdSet::default();
    for id in ids {
        set.insert(id);
    }
    set
}

#[test]
fn what_was_frozen_is_found_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = ProofStore::open(dir.path()).unwrap();
    let ids = 10 * u64::try_from(FENCE_IDS).unwrap() + 7;
    let frozen = FrozenTip { tip: [1; 32], counted: set((0..ids).map(id)), refused: set([id(ids)]) };
    store.freeze(&[frozen]).unwrap();
    for number in 0..ids {
        assert_eq!(store.seen(&[1; 32], &id(number)).unwrap(), Some(true));
    }
    assert_eq!(store.seen(&[1; 32], &id(ids)).unwrap(), Some(false));
    assert_eq!(store.seen(&[1; 32], &id(ids + 1)).unwrap(), None);
    assert_eq!(store.seen(&[2; 32], &id(1)).unwrap(), None);
    store.forget(&[1; 32]).unwrap();
    assert_eq!(store.seen(&[1; 32], &id(1)).unwrap(), None);
    store.collect(std::time::Duration::ZERO).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "its run is gone with it");
}

#[test]
fn equal_leading_bytes_over_several_pages_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = ProofStore::open(dir.path()).unwrap();
    let crowd = |number: u64| {
        let mut id = [7; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        id
    };
    let ids = 3 * u64::try_from(FENCE_IDS).unwrap();
    let frozen = FrozenTip { tip: [1; 32], counted: set((0..ids).map(crowd)), refused: IdSet::default() };
    store.freeze(&[frozen]).unwrap();
    for number in 0..ids {
        assert_eq!(store.seen(&[1; 32], &crowd(number)).unwrap(), Some(true));
    }
    assert_eq!(store.seen(&[1; 32], &crowd(ids)).unwrap(), None);
}

#[test]
fn a_new_life_begins_empty() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("note.txt"), "not ours").unwrap();
    let mut store = ProofStore::open(dir.path()).unwrap();
    let frozen = FrozenTip { tip: [1; 32], counted: set([id(1)]), refused: IdSet::default() };
    store.freeze(&[frozen]).unwrap();
    std::mem::drop(store);
    let store = ProofStore::open(dir.path()).unwrap();
    assert_eq!(store.seen(&[1; 32], &id(1)).unwrap(), None);
    assert!(dir.path().join("note.txt").exists());
}

fn position() -> Position {
    Position {
        log_id: vec![1; 16],
        topic: "shares".into(),
        partition: 3,
        fold_version: 1,
        next_block: 9,
        end_offset: 77,
        commit_hash: [5; 32],
    }
}

fn saved(dir: &std::path::Path) -> (State, ProofStore) {
    let mut store = ProofStore::open(dir).unwrap();
    for number in 0..40 {
        let frozen = FrozenTip {
            tip: [u8::try_from(number % 3).unwrap(); 32],
            counted: set((number * 600..number * 600 + 600).map(id)),
            refused: set([id(1_000_000 + number)]),
        };
        store.freeze(&[frozen]).unwrap();
    }
    let state = State::default();
    snapshot::save(dir, &position(), &state, &store).unwrap();
    (state, store)
}

#[test]
fn a_snapshot_brings_everything_back() {
    let dir = tempfile::tempdir().unwrap();
    let (_, store) = saved(dir.path());
    let (position_read, _, back) = snapshot::load(dir.path()).unwrap().unwrap();
    assert_eq!(position_read, position());
    for number in 0..40 * 600 {
        for tip in 0..3_u8 {
            let expected = store.seen(&[tip; 32], &id(number)).unwrap();
            assert_eq!(back.seen(&[tip; 32], &id(number)).unwrap(), expected);
        }
    }
    assert_eq!(back.seen(&[0; 32], &id(1_000_000)).unwrap(), Some(false));
}

#[test]
fn an_empty_store_leaves_no_snapshot_that_could_speak_of_its_runs() {
    let dir = tempfile::tempdir().unwrap();
    std::mem::drop(saved(dir.path()));
    std::mem::drop(ProofStore::open(dir.path()).unwrap());
    assert!(snapshot::load(dir.path()).unwrap().is_none());
}

#[test]
fn a_snapshot_that_does_not_hold_is_no_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    assert!(snapshot::load(dir.path()).unwrap().is_none(), "there is none");
    std::mem::drop(saved(dir.path()));
    let path = dir.path().join(snapshot::FILE);
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 50) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        assert!(snapshot::load(dir.path()).unwrap().is_none(), "a flipped bit in byte {at}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(snapshot::load(dir.path()).unwrap().is_some());
    let run = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    for run in run.filter(|path| path.extension().is_some_and(|extension| extension == "run")) {
        std::fs::File::options().write(true).open(&run).unwrap().set_len(8).unwrap();
    }
    assert!(snapshot::load(dir.path()).unwrap().is_none(), "its runs were cut");
}

#[test]
fn a_stale_owner_spoils_nothing_of_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let (state, stale) = saved(dir.path());
    // The next owner starts at the stale owner's snapshot, goes on, and saves its own.
    let (_, _, mut next) = snapshot::load(dir.path()).unwrap().unwrap();
    let frozen = |number| FrozenTip { tip: [7; 32], counted: set([id(number)]), refused: IdSet::default() };
    next.freeze(&[frozen(5)]).unwrap();
    let later = Position { next_block: 20, ..position() };
    snapshot::save(dir.path(), &later, &state, &next).unwrap();
    // The stale owner resumes, writes a run and saves its state.
    let mut stale = stale;
    stale.freeze(&[frozen(6)]).unwrap();
    snapshot::save(dir.path(), &Position { next_block: 10, ..position() }, &state, &stale).unwrap();
    let (found, _, back) = snapshot::load(dir.path()).unwrap().unwrap();
    assert_eq!(found.next_block, 20);
    assert_eq!(back.seen(&[7; 32], &id(5)).unwrap(), Some(true));
    assert_eq!(back.seen(&[7; 32], &id(6)).unwrap(), None);
    // A snapshot of another log does not prevent saving.
    let other = Position { log_id: vec![2; 16], ..position() };
    snapshot::save(dir.path(), &other, &state, &next).unwrap();
    assert_eq!(snapshot::load(dir.path()).unwrap().unwrap().0, other);
}

#[test]
fn old_runs_that_nothing_speaks_of_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (_, store) = saved(dir.path());
    let runs = || {
        let entries = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "run")).count()
    };
    let all = runs();
    store.collect(std::time::Duration::from_secs(3_600)).unwrap();
    assert_eq!(runs(), all, "they are young");
    store.collect(std::time::Duration::ZERO).unwrap();
    assert!(runs() < all, "merged ones are left of {all}");
    assert!(snapshot::load(dir.path()).unwrap().is_some(), "the snapshot holds without them");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn disk_and_memory_agree(
        steps in prop::collection::vec(
            (0_u8..3, prop::collection::vec(0_u64..200, 0..20), prop::collection::vec(0_u64..200, 0..5), any::<bool>()),
            1..4 * SECTIONS_MAX,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = ProofStore::open(dir.path()).unwrap();
        let mut memory = MemoryArchive::default();
        for (tip, counted, refused, forget) in steps {
            let frozen = [FrozenTip {
                tip: [tip; 32],
                counted: set(counted.into_iter().map(id)),
                refused: set(refused.into_iter().map(id)),
            }];
            store.freeze(&frozen).unwrap();
            memory.freeze(&frozen).unwrap();
            if forget && tip == 2 {
                store.forget(&[tip; 32]).unwrap();
                memory.forget(&[tip; 32]).unwrap();
            }
            for number in 0..200 {
                for tip in 0..3_u8 {
                    let expected = memory.seen(&[tip; 32], &id(number)).unwrap();
                    prop_assert_eq!(store.seen(&[tip; 32], &id(number)).unwrap(), expected);
                }
            }
        }
    }
}
