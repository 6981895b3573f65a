//! The Merkle tree over a block's events: leaf = SHA-256(0x00 | bytes), node =
//! SHA-256(0x01 | left | right), as RFC 6962 separates leaves from nodes. A last node without a
//! neighbour is carried up unchanged.

use sha2::{Digest, Sha256};

/// The leaf of an event's stored bytes.
#[must_use]
pub fn leaf(bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(bytes).finalize().into()
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
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node(left, right),
                [single] => *single,
                _ => [0; 32],
            })
            .collect();
    }
    level[0]
}

#[cfg(test)]
mod tests {
    use super::*;

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
