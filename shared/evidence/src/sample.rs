//! Which events are sampled: drawn by the invoice's own evidence digest.
//!
//! ```text
//! h      = SHA-256("weighbridge/evidence/sample/1" 0x00 | evidence digest | topic | 0x00 | LE32(n))
//! block  = LE128(h[0..16])  mod  the topic's blocks, sorted
//! place  = LE128(h[16..32]) mod  the block's events
//! ```
//!
//! Draws are shared out evenly over the topics behind the invoice, the first topics in order of name
//! taking what is left. At a drawn place the first event is taken, going round from it, that is about the
//! invoice: a block holds the events of many customers, and a bundle shows none of another's.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use wb_ledger::{EvidenceBlock, Hash};

/// A draw: a block, and a number that says where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw<'a> {
    /// The block.
    pub block: &'a EvidenceBlock,
    number: u128,
}

impl Draw<'_> {
    /// The place among this many events; 0 where there is none.
    #[must_use]
    pub fn place(&self, events: u64) -> u64 {
        place_of_number(self.number, events)
    }

    pub(crate) fn number(&self) -> u128 {
        self.number
    }
}

/// The place that a drawn number is among some events.
pub(crate) fn place_of_number(number: u128, events: u64) -> u64 {
    number.checked_rem(u128::from(events)).and_then(|place| u64::try_from(place).ok()).unwrap_or(0)
}

const LABEL: &[u8] = b"weighbridge/evidence/sample/1\0";

fn half(hash: &[u8; 32], from: usize) -> u128 {
    hash.iter().skip(from).take(16).rev().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

/// The draws of an invoice over all its blocks, which must be sorted.
#[must_use]
pub fn draws<'a>(evidence_digest: &Hash, blocks: &'a [EvidenceBlock], wanted: u32) -> Vec<Draw<'a>> {
    let mut topics: BTreeMap<&str, Vec<&'a EvidenceBlock>> = BTreeMap::new();
    for block in blocks {
        topics.entry(&block.topic).or_default().push(block);
    }
    let Some(count) = u32::try_from(topics.len()).ok().filter(|count| *count > 0) else { return Vec::new() };
    let (each, left) = (wanted / count, wanted % count);
    let mut drawn = Vec::new();
    for (position, (topic, blocks)) in (0_u32..).zip(&topics) {
        for ordinal in 0..each + u32::from(position < left) {
            let hash: [u8; 32] = Sha256::new()
                .chain_update(LABEL)
                .chain_update(evidence_digest.as_bytes())
                .chain_update(topic.as_bytes())
                .chain_update([0])
                .chain_update(ordinal.to_le_bytes())
                .finalize()
                .into();
            let among = u128::try_from(blocks.len()).unwrap_or(u128::MAX);
            let at = usize::try_from(half(&hash, 0) % among).unwrap_or(0);
            if let Some(block) = blocks.get(at) {
                drawn.push(Draw { block, number: half(&hash, 16) });
            }
        }
    }
    drawn
}

/// The first of some sorted places, going round from a place.
pub(crate) fn first_from(places: &[u64], from: u64) -> Option<u64> {
    let at = places.partition_point(|place| *place < from);
    places.get(at).or_else(|| places.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks() -> Vec<EvidenceBlock> {
        let block = |topic: &str, block| EvidenceBlock {
            topic: topic.to_owned(),
            partition: 0,
            block,
            content_hash: Hash::of(b"c"),
            merkle_root: Hash::of(b"m"),
        };
        ["energy", "reference", "shares"].into_iter().flat_map(|t| (0..9).map(move |b| block(t, b))).collect()
    }

    #[test]
    fn draws_follow_from_the_digest_and_reach_every_topic() {
        let blocks = blocks();
        let digest = Hash::of(b"evidence");
        let drawn = draws(&digest, &blocks, 256);
        assert_eq!(drawn.len(), 256);
        for (topic, expected) in [("energy", 86), ("reference", 85), ("shares", 85)] {
            assert_eq!(drawn.iter().filter(|draw| draw.block.topic == topic).count(), expected, "{topic}");
            for block in blocks.iter().filter(|block| block.topic == topic) {
                assert!(drawn.iter().any(|draw| draw.block == block), "{topic} {}", block.block);
            }
        }
        assert_eq!(draws(&digest, &blocks, 256), drawn);
        assert_ne!(draws(&Hash::of(b"another"), &blocks, 256), drawn);
        assert_eq!(draws(&digest, &blocks, 2).len(), 2);
        assert!(draws(&digest, &[], 256).is_empty());
        assert!(drawn.iter().all(|draw| draw.place(7) < 7 && draw.place(0) == 0));
    }

    /// The rule, written down once more by hand: a change of it would make every bundle fail.
    #[test]
    fn the_rule_of_drawing_stays() {
        let blocks = blocks();
        let drawn = draws(&Hash::ZERO, &blocks, 3);
        let hash = Hash::of(&[LABEL, &[0; 32], b"energy\0", &[0; 4]].concat());
        let number = |bytes: &[u8]| u128::from_le_bytes(bytes.try_into().unwrap());
        let bytes = hash.as_bytes();
        assert_eq!(u128::from(drawn[0].block.block), number(&bytes[..16]) % 9);
        assert_eq!(u128::from(drawn[0].place(1000)), number(&bytes[16..]) % 1000);
    }

    #[test]
    fn the_next_place_goes_round() {
        assert_eq!(first_from(&[2, 5, 9], 5), Some(5));
        assert_eq!(first_from(&[2, 5, 9], 6), Some(9));
        assert_eq!(first_from(&[2, 5, 9], 10), Some(2));
        assert_eq!(first_from(&[], 1), None);
    }
}
