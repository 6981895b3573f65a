//! The commit protocol, explored exhaustively on a small model.
//!
//! Two writers share a partition of two blocks. Each folds, writes rows under its own attempt, verifies them, appends
//! a commit and reads it back. At every step a writer may die and start again from the commits, an append may be
//! delayed, arrive at any later time, or be lost, and the collector may remove a losing attempt. The commits are
//! folded by the production code (`Chains`). In every reachable state:
//!
//! - a reader at the newest cut sees a prefix of the blocks, each once and whole;
//! - what was seen at an earlier cut is still there;
//! - a writer that believes its block is committed is right.
//!
//! A second model appends the commit before the rows are verified. It must break the first rule, which shows that the
//! model can fail.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says how much it saw"
)]

use std::collections::{BTreeSet, HashSet, VecDeque};

use wb_events::commits::{Applied, CHAIN_START, COMMITS_VERSION, Chains, TopicPartition, Won, encode_commit};
use wb_events::wire::Commit;

const BLOCKS: u64 = 2;
const WRITERS: usize = 2;
/// Attempts that all writers together may start. Each death uses one.
const ATTEMPTS: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Step {
    /// Reads all commits, then takes the next block.
    Recovering,
    /// Will write the rows of a block next.
    Folded { block: u64 },
    /// Has sent rows. ClickHouse holds all of them, or none if it died.
    Written { block: u64, attempt: u64 },
    /// Has read the rows back.
    Verified { block: u64, attempt: u64 },
    /// Has sent its commit and waits for the acknowledgement.
    Committing { block: u64 },
    /// Has committed everything.
    Done,
}

/// A commit on its way to the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Flying {
    block: u64,
    attempt: u64,
    predecessor: [u8; 32],
    writer: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    writers: [Step; WRITERS],
    attempts: u64,
    /// (block, attempt) pairs whose rows ClickHouse holds.
    rows: BTreeSet<(u64, u64)>,
    commits: Vec<Vec<u8>>,
    flying: BTreeSet<Flying>,
}

fn chain() -> TopicPartition {
    TopicPartition::new("shares", 0)
}

fn record(block: u64, attempt: u64, predecessor: [u8; 32]) -> Vec<u8> {
    encode_commit(&Commit {
        version: COMMITS_VERSION,
        topic: "shares".into(),
        block,
        attempt,
        first_offset: block,
        end_offset: block + 1,
        predecessor: predecessor.to_vec(),
        // The fold is pure, so every attempt of a block has the same content.
        content_hash: vec![u8::try_from(block).unwrap(); 32],
        ..Commit::default()
    })
}

/// Folds the commits; returns the chains and the winners in order.
fn folded(commits: &[Vec<u8>]) -> (Chains, Vec<(u64, u64)>) {
    let mut chains = Chains::default();
    let mut winners = Vec::new();
    for (offset, bytes) in (0..).zip(commits) {
        if let Applied::Won(won) = chains.apply(offset, bytes).unwrap()
            && let Won::Commit(won) = *won
        {
            winners.push((won.commit.block, won.commit.attempt));
        }
    }
    (chains, winners)
}

impl World {
    fn start() -> Self {
        Self {
            writers: [Step::Recovering; WRITERS],
            attempts: 0,
            rows: BTreeSet::new(),
            commits: Vec::new(),
            flying: BTreeSet::new(),
        }
    }

    fn with(&self, writer: usize, step: Step) -> Self {
        let mut next = self.clone();
        next.writers[writer] = step;
        next
    }

    fn committed_next(&self) -> u64 {
        folded(&self.commits).0.head(&chain()).map_or(0, |head| head.commit.block + 1)
    }

    /// All states one step away. With `careful` unset, commits are appended before the rows are verified.
    fn next(&self, careful: bool) -> Vec<Self> {
        let mut worlds = Vec::new();
        let (chains, winners) = folded(&self.commits);
        for writer in 0..WRITERS {
            let step = self.writers[writer];
            // A writer may die at any time; its appends stay on their way without a waiting writer.
            if step != Step::Recovering {
                let mut dead = self.with(writer, Step::Recovering);
                dead.flying = dead
                    .flying
                    .into_iter()
                    .map(|commit| {
                        if commit.writer == Some(writer) { Flying { writer: None, ..commit } } else { commit }
                    })
                    .collect();
                worlds.push(dead);
            }
            match step {
                Step::Recovering => {
                    let block = self.committed_next();
                    let step = if block == BLOCKS { Step::Done } else { Step::Folded { block } };
                    worlds.push(self.with(writer, step));
                }
                Step::Folded { block } if self.attempts < ATTEMPTS => {
                    let attempt = self.attempts;
                    let mut lost = self.with(writer, Step::Written { block, attempt });
                    lost.attempts += 1;
                    let mut kept = lost.clone();
                    kept.rows.insert((block, attempt));
                    worlds.push(kept);
                    // ClickHouse died before the rows were durable and reported no error.
                    worlds.push(lost);
                }
                Step::Written { block, attempt } => {
                    if self.rows.contains(&(block, attempt)) || !careful {
                        worlds.push(self.with(writer, Step::Verified { block, attempt }));
                    }
                }
                Step::Verified { block, attempt } => {
                    let mut committing = self.with(writer, Step::Committing { block });
                    let predecessor = chains.predecessor(&chain());
                    committing.flying.insert(Flying { block, attempt, predecessor, writer: Some(writer) });
                    worlds.push(committing);
                }
                Step::Committing { block } => {
                    // The writer reads the commits back. If its block is committed, by any writer, it goes on.
                    if chains.head(&chain()).is_some_and(|head| head.commit.block >= block) {
                        worlds.push(self.with(writer, Step::Recovering));
                    }
                }
                Step::Folded { .. } | Step::Done => {}
            }
        }
        for flying in &self.flying {
            let mut arrived = self.clone();
            arrived.flying.remove(flying);
            let mut dropped = arrived.clone();
            arrived.commits.push(record(flying.block, flying.attempt, flying.predecessor));
            worlds.push(arrived);
            // The waiting writer gets no acknowledgement and starts again.
            if let Some(writer) = flying.writer {
                dropped.writers[writer] = Step::Recovering;
            }
            worlds.push(dropped);
        }
        for (block, attempt) in &self.rows {
            let committed = winners.iter().find(|(winner, _)| winner == block);
            if committed.is_some_and(|winner| winner != &(*block, *attempt)) {
                let mut collected = self.clone();
                collected.rows.remove(&(*block, *attempt));
                worlds.push(collected);
            }
        }
        worlds
    }

    fn fault(&self) -> Option<String> {
        let (_, winners) = folded(&self.commits);
        let blocks: Vec<u64> = winners.iter().map(|(block, _)| *block).collect();
        if blocks != (0..u64::try_from(blocks.len()).unwrap()).collect::<Vec<_>>() {
            return Some(format!("committed blocks are no prefix: {blocks:?}"));
        }
        winners.iter().find(|winner| !self.rows.contains(winner)).map(|(block, attempt)| {
            format!("block {block} counts by attempt {attempt}, whose rows are not there")
        })
    }
}

/// Explores all states; returns how many there are, in how many all is committed, and the first fault.
fn explore(careful: bool) -> (usize, usize, Option<String>) {
    let mut seen = HashSet::from([World::start()]);
    let mut open = VecDeque::from([World::start()]);
    let mut finished = 0;
    while let Some(world) = open.pop_front() {
        if let Some(fault) = world.fault() {
            return (seen.len(), finished, Some(fault));
        }
        finished += usize::from(world.committed_next() == BLOCKS);
        for next in world.next(careful) {
            if seen.insert(next.clone()) {
                open.push_back(next);
            }
        }
    }
    (seen.len(), finished, None)
}

#[test]
fn every_reachable_state_counts_each_block_once() {
    let (worlds, finished, fault) = explore(true);
    println!("explored {worlds} states, {finished} of them with every block committed");
    assert_eq!(fault, None);
    assert!(finished > 0 && worlds > 10_000, "the model is too small to say anything");
}

#[test]
fn committing_before_verifying_is_caught() {
    let (_, _, fault) = explore(false);
    assert!(fault.unwrap().contains("whose rows are not there"));
}

#[test]
fn the_start_of_a_chain_is_no_hash() {
    assert_eq!(Chains::default().predecessor(&chain()), CHAIN_START);
}
