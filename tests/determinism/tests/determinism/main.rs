//! Same events, same bill; same log, same bytes. The same events in a hundred orders of arrival, a tenth of them sent twice
//! and a twentieth late, in batches of 1, 100 and 65,536, read by 1, 2 and 8 threads and by each way of hashing that this
//! CPU has, give the same day tables byte for byte and the same bill digests. One log read again gives the same blocks and
//! the same evidence digests. Floats, added up in the order of arrival, do not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at what it did not expect, and says what it has seen"
)]

mod floats;
mod input;
mod log;
mod ports;
mod reading;
mod rng;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use wb_fold::assemble::BLOCK_EVENTS_MAX;
use wb_ledger::Hash;
use wb_proof::testing::Path;

use input::Input;
use log::{Arrival, Log};
use ports::{Bills, CommittedStore, Digests};
use reading::{Commits, Hashing, Way};
use rng::Rng;
use tables::{DayTables, Exported, Schema, assert_same};

/// Orders of arrival.
const INTERLEAVINGS: usize = 100;
/// Different choices of which events are sent twice; so many interleavings share one.
const REPEATED_SETS: usize = 10;
/// Events of a block at most, and of a frame as far as a frame may hold so many.
const BATCHES: [usize; 3] = [1, 100, BLOCK_EVENTS_MAX];
const THREADS: [usize; 3] = [1, 2, 8];
/// All ways of hashing that some CPU has.
const ALL_PATHS: [&str; 4] = ["portable", "sha-ni", "avx2", "avx512"];
/// Shares with a real proof that the input must hold, so that the test is strong enough.
const PROOFS_MIN: usize = 300;

/// All ways to read a log: threads by hashing.
fn ways() -> Vec<Way> {
    let mut hashings = vec![Hashing::Chosen];
    for name in ALL_PATHS {
        match Path::named(name) {
            Some(path) => hashings.push(Hashing::By(path)),
            None => println!("determinism: skipped the way {name}: this CPU does not have it"),
        }
    }
    let by = hashings.iter().map(Hashing::name).collect::<Vec<_>>();
    println!("determinism: hashing by {}", by.join(", "));
    let ways = hashings.iter().flat_map(|hashing| {
        // The state goes through a checkpoint now and then, at other blocks on each count of threads.
        THREADS.map(|threads| Way { threads, hashing: hashing.clone(), checkpoint_every: 4 * threads + 7 })
    });
    ways.collect()
}

/// What all runs must give alike, and what must differ.
#[derive(Default)]
struct Seen {
    counted: Option<Exported>,
    /// By the set of events that were sent twice.
    repeats: BTreeMap<usize, Exported>,
    bills: Option<Digests>,
    evidence: BTreeSet<Vec<Hash>>,
    /// The sum in floats, as bits.
    floats: BTreeSet<u64>,
    readings: usize,
    logs: usize,
    blocks: usize,
}

struct Trial {
    input: Input,
    schema: Schema,
    ways: Vec<Way>,
    seed: u64,
    seen: Mutex<Seen>,
}

/// A reading's results.
struct Outcome {
    tables: DayTables,
    bills: Bills,
}

impl Trial {
    fn new(name: &str) -> Self {
        let input = Input::make();
        println!("{name}: {} events, {} proofs", input.items.len(), input.proofs);
        assert!(input.proofs >= PROOFS_MIN);
        Self { input, schema: Schema::read(), ways: ways(), seed: rng::seed(name), seen: Mutex::default() }
    }

    fn read(
        &self,
        log: &Log,
        way: &Way,
        commits: &Commits,
        billers: &tokio::runtime::Runtime,
        what: &str,
    ) -> Outcome {
        let blocks = reading::read(log, way, None);
        commits.check(&blocks, what);
        let events: u64 = blocks.values().flatten().map(|block| block.counts.events()).sum();
        assert_eq!(events, log.events, "{what}: each event counts, whatever became of it");
        let store = CommittedStore::new(&self.schema, &blocks, commits);
        let bills = billers.block_on(ports::close(&store));
        Outcome { tables: DayTables::of(&self.schema, &blocks), bills }
    }

    /// A given order, committed and read; gives how many blocks it has, too.
    fn read_once(
        &self,
        order: Vec<usize>,
        batch: usize,
        way: &Way,
        billers: &tokio::runtime::Runtime,
        what: &str,
    ) -> (Outcome, usize) {
        let log = Log::write(&self.input, &Arrival::of(order), batch, &mut Rng::of(self.seed, 0));
        let commits = Mutex::new(Commits::default());
        reading::read(&log, way, Some((&commits, 1)));
        let commits = commits.into_inner().unwrap();
        (self.read(&log, way, &commits, billers, what), commits.won.len())
    }

    /// One order of arrival in all batches, read in all ways.
    fn interleaving(&self, number: usize, billers: &tokio::runtime::Runtime) {
        let set = number % REPEATED_SETS;
        let repeats = log::repeats(&self.input, &mut Rng::of(self.seed, u64::try_from(set).unwrap()));
        let mut rng = Rng::of(self.seed, u64::try_from(REPEATED_SETS + number).unwrap());
        let arrival = Arrival::draw(&self.input, &repeats, number, &mut rng);
        self.seen.lock().unwrap().floats.insert(self.input.float_sum(&arrival.order).to_bits());
        for (batch_at, batch) in BATCHES.into_iter().enumerate() {
            let log = Log::write(&self.input, &arrival, batch, &mut rng);
            let commits = Mutex::new(Commits::default());
            // Another way commits each log, so that commits stand in many orders.
            let committer = &self.ways[(number * BATCHES.len() + batch_at) % self.ways.len()];
            let committed = reading::read(&log, committer, Some((&commits, rng.next())));
            let commits = commits.into_inner().unwrap();
            drop(committed);
            let mut evidence: Option<Vec<Hash>> = None;
            for way in &self.ways {
                let what = format!(
                    "interleaving {number}, batches of {batch}, {} threads, hashing {}",
                    way.threads,
                    way.hashing.name()
                );
                let outcome = self.read(&log, way, &commits, billers, &what);
                let first = evidence.get_or_insert_with(|| outcome.bills.evidence.clone());
                assert_eq!(
                    *first, outcome.bills.evidence,
                    "{what}: the same log gives the same evidence digests"
                );
                self.compare(outcome, set, &what);
            }
            let mut seen = self.seen.lock().unwrap();
            seen.evidence.extend(evidence);
            seen.logs += 1;
            seen.blocks += commits.won.len();
        }
    }

    fn compare(&self, outcome: Outcome, set: usize, what: &str) {
        let mut seen = self.seen.lock().unwrap();
        seen.readings += 1;
        let DayTables { counted, repeats } = outcome.tables;
        assert_same(&counted, seen.counted.get_or_insert_with(|| counted.clone()), what);
        assert_same(&repeats, seen.repeats.entry(set).or_insert_with(|| repeats.clone()), what);
        let bills = outcome.bills.bills;
        let expected = seen.bills.get_or_insert_with(|| bills.clone());
        assert_eq!(bills, *expected, "{what}: the same events give the same bill digests");
    }

    /// All interleavings, shared among as many workers as there are processors.
    fn run(&self) {
        let next = AtomicUsize::new(0);
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    let billers = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= INTERLEAVINGS {
                            break;
                        }
                        self.interleaving(number, &billers);
                    }
                });
            }
        });
    }
}

#[test]
fn order_batches_threads_and_hashing_change_no_table_and_no_bill() {
    let began = Instant::now();
    let trial = Trial::new("determinism");
    trial.run();
    let seen = trial.seen.into_inner().unwrap();
    let bytes: usize = seen.counted.iter().flatten().map(|(_, table)| table.len()).sum();
    println!(
        "determinism: {} readings of {} logs ({} blocks) agree in {} day tables ({bytes} bytes) and {} bills; \
         {} evidence digests, {} float sums; {:.1} s",
        seen.readings,
        seen.logs,
        seen.blocks,
        seen.counted.as_ref().map_or(0, BTreeMap::len),
        seen.bills.as_ref().map_or(0, BTreeMap::len),
        seen.evidence.len(),
        seen.floats.len(),
        began.elapsed().as_secs_f64()
    );
    assert_eq!(seen.readings, INTERLEAVINGS * BATCHES.len() * trial.ways.len());
    assert_eq!(seen.bills.map_or(0, |bills| bills.len()), 4, "four contracts have something to charge");
    assert_eq!(seen.repeats.len(), REPEATED_SETS);
    assert_eq!(seen.evidence.len(), seen.logs, "each log has evidence of its own");
    assert!(seen.floats.len() > 1, "floats gave one sum: these events are too easy to prove anything");
}

/// The comparison must tell a log with one event less, or one more, from the others.
#[test]
fn one_event_more_or_less_is_noticed() {
    let trial = Trial::new("one event");
    let billers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let way = &trial.ways[0];
    let read = |order: Vec<usize>, what: &str| trial.read_once(order, 100, way, &billers, what).0;
    let all: Vec<usize> = (0..trial.input.items.len()).collect();
    let whole = read(all.clone(), "all events");
    let share =
        trial.input.items.iter().rposition(|item| item.topic == "shares" && item.worth > 0.0).unwrap();
    let less = read(all.iter().copied().filter(|item| *item != share).collect(), "a share less");
    assert_ne!(less.tables.counted, whole.tables.counted);
    assert_ne!(less.bills.bills, whole.bills.bills);
    let more = read(all.into_iter().chain([share]).collect(), "a share twice");
    assert_eq!(more.tables.counted, whole.tables.counted);
    assert_ne!(more.tables.repeats, whole.tables.repeats);
    assert_eq!(more.bills.bills, whole.bills.bills);
    assert_ne!(more.bills.evidence, whole.bills.evidence);
}

/// A block without a punctuation closes at 65,536 events; here one does within the compared events.
#[test]
fn a_block_that_is_full_changes_nothing() {
    let trial = Trial::new("full block");
    let billers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let all: Vec<usize> = (0..trial.input.items.len()).collect();
    let reading = trial.input.items.iter().position(|item| item.topic == "energy").unwrap();
    let (half, rest) = all.split_at(all.len() * 2 / 3);
    let padding = vec![reading; BLOCK_EVENTS_MAX];
    let padded = [half, &padding, rest].concat();
    for way in [&trial.ways[0], &trial.ways[2]] {
        let (whole, blocks) =
            trial.read_once(all.clone(), BLOCK_EVENTS_MAX, way, &billers, "without a full block");
        let (full, more_blocks) =
            trial.read_once(padded.clone(), BLOCK_EVENTS_MAX, way, &billers, "with a full block");
        assert_eq!(more_blocks, blocks + 1);
        assert_same(&full.tables.counted, &whole.tables.counted, "a full block");
        assert_eq!(full.bills.bills, whole.bills.bills);
    }
}
