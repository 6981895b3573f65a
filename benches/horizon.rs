//! The horizon of proofs: 30 million ids of a live tip in memory, then the same on disk.
//!
//! `cargo bench --bench horizon` prints bytes an id in memory, nanoseconds for an insert and a
//! lookup there, and the median and 99th percentile of a lookup in the runs on disk.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its figures and may stop at any fault"
)]

use std::time::{Duration, Instant};

use wb_fold::archive::{FrozenTip, ProofArchive};
use wb_fold::ids::IdSet;
use wb_proofstore::ProofStore;

/// Ids of one tip: ten minutes at 50,000 shares a second.
const IDS: u64 = 30_000_000;
/// Lookups that are timed one by one.
const LOOKUPS: u64 = 100_000;
/// What the ids may take in memory.
const MEMORY_BYTES_MAX: usize = 1_000_000_000;

fn id(number: u64) -> [u8; 16] {
    // A fixed permutation of the counter, as evenly spread as hashes are.
    let mut mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    mixed ^= mixed >> 61;
    mixed.wrapping_mul(0xd6e8_feb8_6659_fd93_a5a3_564a_6ac1_67d5).to_be_bytes()
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kib: usize = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    kib * 1024
}

fn main() {
    // `cargo test --benches` runs this too; a thousandth is enough to see that it works.
    let ids = if std::env::args().any(|argument| argument == "--bench") { IDS } else { IDS / 1_000 };
    let before = resident_bytes();
    let mut set = IdSet::default();
    let began = Instant::now();
    for number in 0..ids {
        set.insert(id(number));
    }
    let insert = began.elapsed();
    let resident = resident_bytes().saturating_sub(before);
    let began = Instant::now();
    let mut found = 0_u64;
    for number in (0..2 * ids).step_by(2) {
        found += u64::from(set.contains(&id(number)));
    }
    let lookup = began.elapsed();
    assert_eq!(found, ids / 2);
    println!("ids in memory           {}", set.len());
    println!("heap of the set         {} MB", set.heap_bytes() / 1_000_000);
    println!(
        "resident memory         {} MB (at most {} MB)",
        resident / 1_000_000,
        MEMORY_BYTES_MAX / 1_000_000
    );
    println!("insert                  {} ns", insert.as_nanos() / u128::from(ids));
    println!("lookup                  {} ns", lookup.as_nanos() / u128::from(ids));

    let dir = tempfile::tempdir().unwrap();
    let mut store = ProofStore::open(dir.path()).unwrap();
    let began = Instant::now();
    store.freeze(&[FrozenTip { tip: [1; 32], counted: set, refused: IdSet::default() }]).unwrap();
    println!(
        "freezing to disk        {:.1} s, fences {} kB",
        began.elapsed().as_secs_f64(),
        store.fence_bytes() / 1_000
    );
    let step = 2 * ids / LOOKUPS.min(ids);
    let mut times = Vec::new();
    let mut found = 0_u64;
    for number in (0..2 * ids).step_by(usize::try_from(step).unwrap()) {
        let wanted = id(number);
        let began = Instant::now();
        let seen = store.seen(&[1; 32], &wanted).unwrap();
        times.push(began.elapsed());
        assert_eq!(seen, (number < ids).then_some(true));
        found += u64::from(seen.is_some());
    }
    times.sort_unstable();
    println!(
        "lookup on disk          median {:?}, p99 {:?} ({found} of {} found)",
        percentile(&times, 50),
        percentile(&times, 99),
        times.len()
    );
}
