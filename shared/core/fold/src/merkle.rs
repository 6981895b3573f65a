//! The Merkle tree over a block's events: leaf = SHA-256(0x00 | bytes), node =
//! SHA-256(0x01 | left | right), as RFC 6962 separates leaves from nodes. A last node without a
//! neighbour is carried up unchanged.

use sha2::{Digest, Sha256};

/// The leaf of an event's stored bytes.
#[must_use]
pub fn leaf(bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(bytes).finalize().into()
}

/// The leaf of a committed block in the tree over a sealed day's blocks: topic and partition, the block's number, the hash
/// of its content and the root over its events.
///
/// ```text
/// SHA-256(0x00 | topic | 0x00 | LE32(partition) | LE64(block) | content hash | Merkle root)
/// ```
#[must_use]
pub fn block_leaf(
    (topic, partition, block): (&str, u32, u64),
    content_hash: &[u8; 32],
    merkle_root: &[u8; 32],
) -> [u8; 32] {
    Sha256::new()
        .chain_update([0])
        .chain_update(topic)
        .chain_update([0])
        .chain_update(partition.to_le_bytes())
        .chain_update(block.to_le_bytes())
        .chain_update(content_hash)
        .chain_update(merkle_root)
        .finalize()
        .into()
}

/// The node above two.
#[must_use]
pub fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of leaves in log order; SHA-256 of nothing where there are none.
#[must_use]
pub fn root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    if level.is_empty() {
        return Sha256::digest([]).into();
    }
    while level.len() > 1 {
        level = above(&level);
    }
    level[0]
}

/// A tree with all its levels, for the paths of many leaves.
#[derive(Debug, Clone)]
pub struct Tree {
    /// From the leaves up.
    levels: Vec<Vec<[u8; 32]>>,
}

impl Tree {
    /// The tree over leaves in log order.
    #[must_use]
    pub fn new(leaves: Vec<[u8; 32]>) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let above = above(level);
            levels.push(above);
        }
        Self { levels }
    }

    /// As [`root`] gives it.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.levels.last().and_then(|level| level.first().copied()).unwrap_or_else(|| root(Vec::new()))
    }

    /// What has to be known beside the leaf at `index` to find the root again: its neighbour on every
    /// level, from the leaves up; levels on which it has none are left out. `None` for an index beyond the
    /// leaves.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<[u8; 32]>> {
        self.levels.first()?.get(index)?;
        let mut at = index;
        let mut path = Vec::new();
        for level in &self.levels {
            // The root has no neighbour, and neither has a last node of an odd level.
            path.extend(level.get(at ^ 1));
            at /= 2;
        }
        Some(path)
    }
}

fn above(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => node(left, right),
            [single] => *single,
            _ => [0; 32],
        })
        .collect()
}

/// The root above a leaf at `index` of `count`, by its path. `None` where the path is not one of such a
/// place: it has more or fewer neighbours, or the index lies beyond the leaves.
#[must_use]
pub fn root_of_path(leaf: &[u8; 32], index: u64, count: u64, path: &[[u8; 32]]) -> Option<[u8; 32]> {
    if index >= count {
        return None;
    }
    let mut neighbours = path.iter();
    let (mut at, mut width, mut hash) = (index, count, *leaf);
    while width > 1 {
        if at % 2 == 1 {
            hash = node(neighbours.next()?, &hash);
        } else if at + 1 < width {
            hash = node(&hash, neighbours.next()?);
        }
        at /= 2;
        width = width.div_ceil(2);
    }
    neighbours.next().is_none().then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: usize) -> Vec<[u8; 32]> {
        (0..count).map(|index| leaf(&index.to_le_bytes())).collect()
    }

    #[test]
    fn every_leaf_of_every_size_is_proven() {
        for count in 1..=200 {
            let leaves = leaves(count);
            let root = root(leaves.clone());
            let tree = Tree::new(leaves.clone());
            assert_eq!(tree.root(), root);
            let width = u64::try_from(count).unwrap();
            for (place, hash) in (0_u64..).zip(&leaves) {
                let index = usize::try_from(place).unwrap();
                let path = tree.path(index).unwrap();
                assert_eq!(root_of_path(hash, place, width, &path), Some(root), "{place} of {count}");
                // At another place, or of a tree with another way up, it proves nothing.
                let other = (place + 1) % width;
                if other != place {
                    assert_ne!(root_of_path(hash, other, width, &path), Some(root), "{place} as {other}");
                }
                assert_eq!(root_of_path(hash, width, width, &path), None);
                let longer = [path.clone(), vec![[0; 32]]].concat();
                assert_eq!(root_of_path(hash, place, width, &longer), None);
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(root_of_path(hash, place, width, shorter), None);
                }
            }
            assert_eq!(tree.path(count), None);
        }
        assert_eq!(Tree::new(Vec::new()).root(), root(Vec::new()));
        assert_eq!(root_of_path(&leaf(b""), 0, 0, &[]), None);
    }

    proptest! {
        #[test]
        fn any_flipped_bit_fails(
            count in 2_usize..200, place in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let leaves = leaves(count);
            let root = root(leaves.clone());
            let index = place.index(count);
            let mut path = Tree::new(leaves.clone()).path(index).unwrap();
            let mut hash = leaves[index];
            let byte = at.index(32 * (path.len() + 1));
            let changed = if byte < 32 { &mut hash } else { &mut path[byte / 32 - 1] };
            changed[byte % 32] ^= 1 << bit;
            let (place, width) = (u64::try_from(index).unwrap(), u64::try_from(count).unwrap());
            prop_assert_ne!(root_of_path(&hash, place, width, &path), Some(root));
        }
    }

    #[test]
    fn roots_depend_on_every_leaf_and_their_order() {
        let leaves: Vec<_> = (0_u8..5).map(|byte| leaf(&[byte])).collect();
        let by_hand = node(&node(&node(&leaves[0], &leaves[1]), &node(&leaves[2], &leaves[3])), &leaves[4]);
        assert_eq!(root(leaves.clone()), by_hand);
        let mut swapped = leaves.clone();
        swapped.swap(1, 2);
        assert_ne!(root(swapped), by_hand);
        assert_eq!(root(leaves[..1].to_vec()), leaves[0]);
    }
}
