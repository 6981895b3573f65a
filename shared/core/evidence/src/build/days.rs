//! Blocks of sealed days: which of them a bundle takes, each with its Merkle path to the day's root.

use std::collections::{BTreeMap, BTreeSet};

use wb_fold::merkle::{Tree, block_leaf};
use wb_ledger::{EvidenceBlock, EvidenceDay, Hash};

use super::BuildError;
use crate::bundle::{CommitRecord, DayBlock};

/// A sealed day behind an invoice.
#[derive(Debug, Clone)]
pub struct SealedDay {
    /// Its seal as the record lies in `commits`.
    pub seal: CommitRecord,
    /// What the invoice says of it.
    pub day: EvidenceDay,
    /// All blocks of the day, of all customers, sorted.
    pub blocks: Vec<EvidenceBlock>,
    /// The places among them of those that hold events about the invoice.
    pub own: BTreeSet<usize>,
}

/// The blocks of a day that are taken, each with the numbers that were drawn in it.
pub(super) type Chosen = BTreeMap<usize, BTreeSet<u128>>;

impl SealedDay {
    /// All that hold events about the invoice.
    pub(super) fn all(&self) -> Chosen {
        self.own.iter().map(|index| (*index, BTreeSet::new())).collect()
    }

    /// For each draw (place and number) the first block about the invoice, from the drawn place on, going round.
    pub(super) fn drawn(&self, draws: &[(u64, u128)]) -> Chosen {
        let mut chosen = Chosen::new();
        for (index, number) in draws {
            let from = usize::try_from(*index).unwrap_or(usize::MAX);
            let own = self.own.range(from..).next().or_else(|| self.own.first());
            if let Some(own) = own {
                chosen.entry(*own).or_default().insert(*number);
            }
        }
        chosen
    }

    /// The chosen blocks with their proofs and drawn numbers. The day's tree and its other blocks are dropped
    /// afterwards.
    pub(super) fn prove(self, chosen: Chosen) -> Result<Vec<(DayBlock, BTreeSet<u128>)>, BuildError> {
        let day = self.day.day;
        let other = |detail| BuildError::OtherDay { day, detail };
        if u64::try_from(self.blocks.len()) != Ok(self.day.blocks_count) {
            return Err(other("it has another number of blocks"));
        }
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let tree = Tree::new(self.blocks.iter().map(leaf).collect());
        if tree.root() != *self.day.blocks_root.as_bytes() {
            return Err(other("its blocks make another root"));
        }
        let mut proven = Vec::with_capacity(chosen.len());
        for (at, numbers) in chosen {
            let (Some(block), Some(path), Ok(index)) =
                (self.blocks.get(at), tree.path(at), u64::try_from(at))
            else {
                return Err(other("a block that is said to be the invoice's own lies beyond its last one"));
            };
            let path = path.into_iter().map(Hash::from_bytes).collect();
            proven.push((DayBlock { day, index, block: block.clone(), path }, numbers));
        }
        Ok(proven)
    }
}

/// The leaf of a block in the tree over a day's blocks.
pub(crate) fn leaf(block: &EvidenceBlock) -> [u8; 32] {
    block_leaf(
        (&block.topic, block.partition, block.block),
        block.content_hash.as_bytes(),
        block.merkle_root.as_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Bytes;

    fn day(own: &[usize]) -> SealedDay {
        let block = |block| EvidenceBlock {
            topic: "shares".to_owned(),
            partition: 0,
            block,
            content_hash: Hash::of(b"c"),
            merkle_root: Hash::of(b"m"),
        };
        let blocks: Vec<EvidenceBlock> = (0..5).map(block).collect();
        let root = wb_fold::merkle::root(blocks.iter().map(leaf).collect());
        SealedDay {
            seal: CommitRecord { commit_offset: 9, record: Bytes(Vec::new()) },
            day: EvidenceDay {
                day: 3,
                commit_offset: 9,
                seal_hash: Hash::ZERO,
                blocks_count: 5,
                blocks_root: Hash::from_bytes(root),
            },
            blocks,
            own: own.iter().copied().collect(),
        }
    }

    #[test]
    fn the_first_own_block_from_the_drawn_one_is_taken_going_round() {
        let day = day(&[1, 3]);
        let chosen = day.drawn(&[(0, 10), (1, 11), (2, 12), (3, 13), (4, 14)]);
        let numbers = |numbers: &[u128]| numbers.iter().copied().collect::<BTreeSet<u128>>();
        assert_eq!(chosen, Chosen::from([(1, numbers(&[10, 11, 14])), (3, numbers(&[12, 13]))]));
        assert_eq!(day.all().into_keys().collect::<Vec<_>>(), [1, 3]);
        assert!(super::tests::day(&[]).drawn(&[(2, 1)]).is_empty());
    }

    #[test]
    fn blocks_that_are_not_the_days_own_prove_nothing() {
        let proven = day(&[4]).prove(day(&[4]).all()).unwrap();
        assert_eq!((proven[0].0.day, proven[0].0.index, proven[0].0.block.block), (3, 4, 4));
        let cases: [fn(&mut SealedDay); 4] = [
            |day| drop(day.blocks.pop()),
            |day| day.blocks.swap(0, 1),
            |day| day.blocks[2].content_hash = Hash::ZERO,
            |day| day.own.extend([5]),
        ];
        for (at, change) in cases.iter().enumerate() {
            let mut changed = day(&[4]);
            change(&mut changed);
            let chosen = changed.all();
            assert_eq!(changed.prove(chosen).unwrap_err().code(), "WB-5944", "case {at}");
        }
    }
}
