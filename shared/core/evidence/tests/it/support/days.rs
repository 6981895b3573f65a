//! The fixture's blocks by sealed days: 2009-01-01, the 9th, 10th, 15th (only another customer's) and 21st. One block
//! of shares lies in two days; one of shares, one of readings and the facts are committed one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use prost::Message as _;
use wb_events::commits::{CHAIN_START, COMMITS_VERSION, commit_hash, encode_seal};
use wb_events::wire::Seal;
use wb_events::{Body, Event};
use wb_evidence::{Bytes, CommitRecord, CommittedBlock, SealedDay};
use wb_fold::merkle;
use wb_ledger::{EvidenceBlock, EvidenceDay, Hash};
use wb_rating::Period;

use super::{Block, SECOND_US, reading, reference};

/// Where the seals lie in `commits`.
pub(super) const SEALS: Range<u64> = 14..19;
const DAY_US: i64 = 86_400_000_000;

pub(super) fn blocks(period: &Period, shares: &[Vec<u8>]) -> Vec<Block> {
    let (from_us, end_us) = (period.interval.start_us, period.interval.end_us);
    let block = |topic, block, stored| Block { topic, block, stored };
    let both = |sequence: u64, at_us: i64, wh: u64| {
        vec![reading("gen-9", sequence, at_us, 100 * sequence), reading("gen-1", sequence, at_us, wh)]
    };
    let mut blocks = vec![
        block("reference", 0, reference(from_us)),
        block("energy", 0, both(1, from_us, 0)),
        block("energy", 1, vec![reading("gen-9", 2, from_us + 14 * DAY_US, 150)]),
        block("energy", 2, both(3, SECOND_US, 1_205_193_600)),
    ];
    // Every third is the other customer's; of the last twelve, those have blocks of their own.
    let (mixed, rest) = shares.split_at(28);
    let of_rest = |is_other: bool| {
        let rest = (29_u64..).zip(rest).filter(move |(sequence, _)| (sequence % 3 == 0) == is_other);
        rest.map(|(_, stored)| stored.clone()).collect::<Vec<_>>()
    };
    let others = of_rest(true);
    let chunks = mixed.chunks(4).chain(others.chunks(2)).map(<[_]>::to_vec).chain([of_rest(false)]);
    blocks.extend((0..).zip(chunks).map(|(number, stored)| block("shares", number, stored)));
    blocks.push(block("energy", 3, both(4, end_us, 2_410_387_200)));
    blocks
}

/// The days on which a block's events are, and on which of them some are the invoice's.
fn days_of(block: &CommittedBlock) -> BTreeMap<i32, bool> {
    let mut days = BTreeMap::new();
    for stored in &block.stored {
        let event = Event::decode(stored.as_slice()).unwrap();
        let day = i32::try_from(event.event_time_us.div_euclid(DAY_US)).unwrap();
        let is_own = match event.body.unwrap() {
            Body::Share(share) => share.resolution.unwrap().machine_id == "gen-1",
            Body::EnergyReading(reading) => reading.machine_id == "gen-1",
            _ => continue,
        };
        *days.entry(day).or_default() |= is_own;
    }
    days
}

/// Seals the days of what was committed before the seals; the other blocks stay unsealed.
pub(super) fn seal(
    committed: &[CommittedBlock],
    evidence: &mut Vec<EvidenceBlock>,
    change: super::Sealing<'_>,
) -> Vec<SealedDay> {
    let mut days: BTreeMap<i32, BTreeMap<EvidenceBlock, bool>> = BTreeMap::new();
    let mut listed = Vec::new();
    for (block, said) in committed.iter().zip(evidence.drain(..)) {
        let of = days_of(block);
        if block.commit_offset >= SEALS.start || of.is_empty() {
            listed.push(said);
            continue;
        }
        for (day, is_own) in of {
            days.entry(day).or_default().insert(said.clone(), is_own);
        }
    }
    *evidence = listed;
    assert_eq!(u64::try_from(days.len()).unwrap(), SEALS.end - SEALS.start);
    SEALS.zip(days).map(|(commit_offset, (day, blocks))| sealed(commit_offset, day, blocks, change)).collect()
}

fn sealed(
    commit_offset: u64,
    day: i32,
    blocks: BTreeMap<EvidenceBlock, bool>,
    change: super::Sealing<'_>,
) -> SealedDay {
    let own: BTreeSet<usize> =
        blocks.values().enumerate().filter(|(_, is_own)| **is_own).map(|(index, _)| index).collect();
    let blocks: Vec<EvidenceBlock> = blocks.into_keys().collect();
    let leaf = |block: &EvidenceBlock| {
        let place = (block.topic.as_str(), block.partition, block.block);
        merkle::block_leaf(place, block.content_hash.as_bytes(), block.merkle_root.as_bytes())
    };
    let root = merkle::root(blocks.iter().map(leaf).collect());
    let blocks_count = u64::try_from(blocks.len()).unwrap();
    let mut seal = Seal {
        version: COMMITS_VERSION,
        day,
        // The draws follow from the evidence digest, and that from this value. With it they fall on blocks 0 to 2 of
        // the 9th, and 3 and 6 of the 10th.
        seal: 372,
        cut: SEALS.start,
        rows: 7,
        content_hash: vec![3; 32],
        predecessor: CHAIN_START.to_vec(),
        log_id: vec![2; 16],
        blocks: blocks_count,
        blocks_root: root.to_vec(),
    };
    change(&mut seal);
    let record = encode_seal(&seal);
    let day = EvidenceDay {
        day,
        commit_offset,
        seal_hash: Hash::from_bytes(commit_hash(&record)),
        blocks_count,
        blocks_root: Hash::from_bytes(root),
    };
    SealedDay { seal: CommitRecord { commit_offset, record: Bytes(record) }, day, blocks, own }
}
