//! Reading a log as the aggregator does: a number of threads, one way of hashing, commits in the order in which
//! blocks are done.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use wb_events::commits::{Applied, COMMITS_VERSION, Chains, TopicPartition, Won, WonCommit, encode_commit};
use wb_events::wire::Commit;
use wb_fold::rules::RULES;
use wb_fold::{Assembler, BlockId, FOLD_VERSION, FoldedBlock, LogRecord, MemoryArchive, State, fold_by};
use wb_proof::Hash256;
use wb_proof::testing::Path;

use crate::log::{Log, key};
use crate::rng::Rng;

/// How the headers of a block are hashed.
#[derive(Debug, Clone)]
pub(crate) enum Hashing {
    /// As the product chooses for itself.
    Chosen,
    /// By one way alone.
    By(Path),
}

impl Hashing {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Chosen => format!("chosen ({} first)", wb_proof::batch_path()),
            Self::By(path) => path.name().to_owned(),
        }
    }

    fn hash(&self, headers: &[[u8; 80]]) -> Vec<Hash256> {
        match self {
            Self::Chosen => wb_proof::hash_headers(headers),
            Self::By(path) => {
                let mut hashes = vec![[0; 32]; headers.len()];
                path.sha256d_headers(headers, &mut hashes);
                hashes
            }
        }
    }
}

/// One way to read a log.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) threads: usize,
    pub(crate) hashing: Hashing,
    /// Whether the state goes through a checkpoint after each so many blocks.
    pub(crate) checkpoint_every: usize,
}

/// The blocks of every partition.
pub(crate) type Blocks = BTreeMap<TopicPartition, Vec<FoldedBlock>>;

/// The topic `commits`: what was appended, and what won.
#[derive(Default)]
pub(crate) struct Commits {
    chains: Chains,
    pub(crate) won: Vec<WonCommit>,
}

impl Commits {
    /// Commits a block with a random attempt, as the aggregator does.
    fn add(&mut self, block: &FoldedBlock, attempt: u64) {
        let chain = TopicPartition::new(&block.id.topic, block.id.partition);
        let commit = Commit {
            version: COMMITS_VERSION,
            topic: block.id.topic.clone(),
            partition: block.id.partition,
            block: block.id.block,
            attempt,
            first_offset: block.first_offset,
            end_offset: block.end_offset,
            events: block.counts.events(),
            accepted: block.counts.accepted(),
            duplicate: block.counts.duplicate(),
            rejected: block.counts.rejected(),
            content_hash: block.content_hash.to_vec(),
            merkle_root: block.merkle_root.to_vec(),
            last_frame_hash: block.last_frame_hash.to_vec(),
            predecessor: self.chains.predecessor(&chain).to_vec(),
            fold_version: FOLD_VERSION,
            log_id: vec![1; 16],
            archive_hash: Vec::new(),
        };
        let offset = u64::try_from(self.won.len()).unwrap();
        match self.chains.apply(offset, &encode_commit(&commit)).unwrap() {
            Applied::Won(won) => match *won {
                Won::Commit(commit) => self.won.push(commit),
                Won::Seal(_) => unreachable!("nothing is sealed here"),
            },
            other => panic!("block {:?} was not committed: {other:?}", block.id),
        }
    }

    /// Blocks that were folded again must be what was committed, to the last byte.
    pub(crate) fn check(&self, blocks: &Blocks, what: &str) {
        let folded: usize = blocks.values().map(Vec::len).sum();
        assert_eq!(folded, self.won.len(), "{what}: blocks");
        for WonCommit { commit, .. } in &self.won {
            let chain = TopicPartition::new(&commit.topic, commit.partition);
            let block = &blocks[&chain][usize::try_from(commit.block).unwrap()];
            let place = format!("{what}: block {} of {}/{}", commit.block, commit.topic, commit.partition);
            assert_eq!(commit.content_hash, block.content_hash, "{place}: content hash");
            assert_eq!(commit.merkle_root, block.merkle_root, "{place}: Merkle root");
            assert_eq!(commit.last_frame_hash, block.last_frame_hash, "{place}: last frame");
            assert_eq!(
                (
                    commit.block,
                    commit.first_offset,
                    commit.end_offset,
                    commit.events,
                    commit.accepted,
                    commit.duplicate
                ),
                (
                    block.id.block,
                    block.first_offset,
                    block.end_offset,
                    block.counts.events(),
                    block.counts.accepted(),
                    block.counts.duplicate()
                ),
                "{place}"
            );
        }
    }
}

/// Folds a partition, and calls `done` with each block.
fn fold_partition(
    chain: &TopicPartition,
    records: &[LogRecord],
    way: &Way,
    done: impl Fn(&FoldedBlock),
) -> Vec<FoldedBlock> {
    let mut assembler = Assembler::new(0, key());
    let (mut state, mut archive) = (State::default(), MemoryArchive::default());
    let mut blocks: Vec<FoldedBlock> = Vec::new();
    for record in records {
        let Some(closed) = assembler.push(record.clone()) else { continue };
        let block = u64::try_from(blocks.len()).unwrap();
        let id = BlockId { topic: chain.topic.clone(), partition: chain.partition, block };
        let hash = |headers: &[[u8; 80]]| way.hashing.hash(headers);
        let folded = fold_by(RULES, hash, id, &mut state, &mut archive, &closed).unwrap();
        assert!(folded.counts.is_conserved());
        done(&folded);
        blocks.push(folded);
        if blocks.len().is_multiple_of(way.checkpoint_every) {
            state = State::from_bytes(&state.to_bytes()).unwrap();
        }
    }
    assert!(!assembler.something_waits(), "the log ends with a block");
    blocks
}

/// Folds all partitions, each on one of the way's threads. With `commits`, each block is committed when it is done.
pub(crate) fn read(log: &Log, way: &Way, commits: Option<(&Mutex<Commits>, u64)>) -> Blocks {
    let partitions: Vec<_> = log.partitions.iter().collect();
    let next = AtomicUsize::new(0);
    let blocks = Mutex::new(Blocks::new());
    let work = |thread: usize| {
        let mut attempts = Rng::of(commits.map_or(0, |(_, seed)| seed), u64::try_from(thread).unwrap());
        while let Some((chain, records)) = partitions.get(next.fetch_add(1, Ordering::Relaxed)) {
            let attempt = attempts.next();
            let folded = fold_partition(chain, records, way, |block| {
                if let Some((commits, _)) = commits {
                    commits.lock().unwrap().add(block, attempt);
                }
            });
            blocks.lock().unwrap().insert((*chain).clone(), folded);
        }
    };
    if way.threads == 1 {
        work(0);
    } else {
        std::thread::scope(|scope| {
            for thread in 0..way.threads {
                scope.spawn({
                    let work = &work;
                    move || work(thread)
                });
            }
        });
    }
    blocks.into_inner().unwrap()
}
