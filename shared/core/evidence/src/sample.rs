//! Which events are sampled: drawn by the invoice's own evidence digest.
//!
//! ```text
//! h      = SHA-256("weighbridge/evidence/sample/1" 0x00 | evidence digest | stratum | 0x00 | LE32(n))
//! block  = LE128(h[0..16])  mod  the stratum's blocks, sorted
//! place  = LE128(h[16..32]) mod  the block's events
//! ```
//!
//! The strata are the topics whose blocks are listed one by one, and `sealed days`: all blocks of all sealed days,
//! day by day. The draws are shared out evenly over the strata; the first ones, sorted by name, take the rest. The
//! event taken is the first one about the invoice, from the drawn place on and round, because a block also holds
//! other customers' events, which a bundle must not show. In a sealed day, the block taken is likewise the first one
//! that holds such an event, from the drawn one on and round within the day.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use wb_ledger::{EvidenceBlock, EvidenceDay, Hash};

/// What a draw falls on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// On a block that is committed by itself.
    Block(&'a EvidenceBlock),
    /// On a block of a sealed day.
    Day {
        /// The day.
        day: &'a EvidenceDay,
        /// The block's place among the day's, from 0.
        index: u64,
    },
}

/// A draw: a block, and a number that says where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw<'a> {
    /// The block.
    pub target: Target<'a>,
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
/// The name of the stratum of sealed days, which is no topic's.
const SEALED_DAYS: &str = "sealed days";

fn half(hash: &[u8; 32], from: usize) -> u128 {
    hash.iter().skip(from).take(16).rev().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

/// What is drawn from separately.
enum Stratum<'a> {
    Blocks(Vec<&'a EvidenceBlock>),
    /// The days, and for each the number of blocks up to its end.
    Days(&'a [EvidenceDay], Vec<u128>),
}

impl<'a> Stratum<'a> {
    fn of_days(days: &'a [EvidenceDay]) -> Self {
        let mut end = 0_u128;
        let end_of = |day: &EvidenceDay| {
            end = end.saturating_add(u128::from(day.blocks_count));
            end
        };
        Self::Days(days, days.iter().map(end_of).collect())
    }

    /// How many blocks it has.
    fn len(&self) -> u128 {
        match self {
            Self::Blocks(blocks) => u128::try_from(blocks.len()).unwrap_or(u128::MAX),
            Self::Days(_, ends) => ends.last().copied().unwrap_or(0),
        }
    }

    /// The block at a place.
    fn at(&self, place: u128) -> Option<Target<'a>> {
        match self {
            Self::Blocks(blocks) => {
                blocks.get(usize::try_from(place).ok()?).map(|block| Target::Block(block))
            }
            Self::Days(days, ends) => {
                let at = ends.partition_point(|end| *end <= place);
                let start = at.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
                let index = u64::try_from(place.checked_sub(start)?).ok()?;
                days.get(at).map(|day| Target::Day { day, index })
            }
        }
    }
}

/// The draws of an invoice over all its blocks and sealed days, each of which must be sorted.
#[must_use]
pub fn draws<'a>(
    evidence_digest: &Hash,
    blocks: &'a [EvidenceBlock],
    days: &'a [EvidenceDay],
    wanted: u32,
) -> Vec<Draw<'a>> {
    let mut topics: BTreeMap<&str, Vec<&'a EvidenceBlock>> = BTreeMap::new();
    for block in blocks {
        topics.entry(&block.topic).or_default().push(block);
    }
    let mut strata: BTreeMap<&str, Stratum<'a>> =
        topics.into_iter().map(|(topic, blocks)| (topic, Stratum::Blocks(blocks))).collect();
    if days.iter().any(|day| day.blocks_count > 0) {
        strata.insert(SEALED_DAYS, Stratum::of_days(days));
    }
    let Some(count) = u32::try_from(strata.len()).ok().filter(|count| *count > 0) else { return Vec::new() };
    let (each, left) = (wanted / count, wanted % count);
    let mut drawn = Vec::new();
    for (position, (name, stratum)) in (0_u32..).zip(&strata) {
        for ordinal in 0..each + u32::from(position < left) {
            let hash: [u8; 32] = Sha256::new()
                .chain_update(LABEL)
                .chain_update(evidence_digest.as_bytes())
                .chain_update(name.as_bytes())
                .chain_update([0])
                .chain_update(ordinal.to_le_bytes())
                .finalize()
                .into();
            let place = half(&hash, 0).checked_rem(stratum.len());
            if let Some(target) = place.and_then(|place| stratum.at(place)) {
                drawn.push(Draw { target, number: half(&hash, 16) });
            }
        }
    }
    drawn
}

/// The first of some sorted places from a place on, going round.
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

    fn days() -> Vec<EvidenceDay> {
        let day = |(day, blocks_count)| EvidenceDay {
            day,
            commit_offset: 100,
            seal_hash: Hash::of(b"s"),
            blocks_count,
            blocks_root: Hash::of(b"r"),
        };
        [(14_253, 4), (14_254, 0), (14_255, 7)].map(day).to_vec()
    }

    fn topic<'a>(draw: &Draw<'a>) -> &'a str {
        let Target::Block(block) = draw.target else { return SEALED_DAYS };
        &block.topic
    }

    #[test]
    fn draws_follow_from_the_digest_and_reach_every_topic() {
        let blocks = blocks();
        let digest = Hash::of(b"evidence");
        let drawn = draws(&digest, &blocks, &[], 256);
        assert_eq!(drawn.len(), 256);
        for (name, expected) in [("energy", 86), ("reference", 85), ("shares", 85)] {
            assert_eq!(drawn.iter().filter(|draw| topic(draw) == name).count(), expected, "{name}");
            for block in blocks.iter().filter(|block| block.topic == name) {
                assert!(
                    drawn.iter().any(|draw| draw.target == Target::Block(block)),
                    "{name} {}",
                    block.block
                );
            }
        }
        assert_eq!(draws(&digest, &blocks, &[], 256), drawn);
        assert_ne!(draws(&Hash::of(b"another"), &blocks, &[], 256), drawn);
        assert_eq!(draws(&digest, &blocks, &[], 2).len(), 2);
        assert!(draws(&digest, &[], &[], 256).is_empty());
        assert!(drawn.iter().all(|draw| draw.place(7) < 7 && draw.place(0) == 0));
    }

    #[test]
    fn draws_reach_every_block_of_every_sealed_day() {
        let (blocks, days) = (blocks(), days());
        let digest = Hash::of(b"evidence");
        let drawn = draws(&digest, &blocks, &days, 257);
        // By its name it comes between `reference` and `shares`: one of four strata, and the first takes the rest.
        for (name, expected) in [("energy", 65), ("reference", 64), (SEALED_DAYS, 64), ("shares", 64)] {
            assert_eq!(drawn.iter().filter(|draw| topic(draw) == name).count(), expected, "{name}");
        }
        for day in &days {
            let mut indexes: Vec<u64> = drawn
                .iter()
                .filter_map(|draw| match draw.target {
                    Target::Day { day: of, index } if of == day => Some(index),
                    _ => None,
                })
                .collect();
            indexes.sort_unstable();
            indexes.dedup();
            assert_eq!(indexes, (0..day.blocks_count).collect::<Vec<_>>(), "day {}", day.day);
        }
        // Days change how many events are drawn of the topics, but not which come first.
        let without = draws(&digest, &blocks, &[], 192);
        assert!(without.iter().filter(|draw| topic(draw) == "shares").all(|draw| drawn.contains(draw)));
        // Days without a block are no stratum.
        assert_eq!(draws(&digest, &blocks, &days[1..2], 256), draws(&digest, &blocks, &[], 256));
        assert!(draws(&digest, &[], &days[1..2], 256).is_empty());
    }

    /// The rule, written once more by hand: a change of it would make every bundle fail.
    #[test]
    fn the_rule_of_drawing_stays() {
        let (blocks, days) = (blocks(), days());
        let number = |bytes: &[u8]| u128::from_le_bytes(bytes.try_into().unwrap());
        let drawn = draws(&Hash::ZERO, &blocks, &[], 3);
        let hash = Hash::of(&[LABEL, &[0; 32], b"energy\0", &[0; 4]].concat());
        let bytes = hash.as_bytes();
        let Target::Block(first) = drawn[0].target else { panic!("no block") };
        assert_eq!(u128::from(first.block), number(&bytes[..16]) % 9);
        assert_eq!(u128::from(drawn[0].place(1000)), number(&bytes[16..]) % 1000);
        // Over four and seven blocks, one day after the other.
        let drawn = draws(&Hash::ZERO, &[], &days, 64);
        for (ordinal, draw) in (0_u32..).zip(&drawn) {
            let hash = Hash::of(
                &[b"weighbridge/evidence/sample/1\0", &[0; 32][..], b"sealed days\0", &ordinal.to_le_bytes()]
                    .concat(),
            );
            let bytes = hash.as_bytes();
            let place = u64::try_from(number(&bytes[..16]) % 11).unwrap();
            let expected = if place < 4 { (14_253, place) } else { (14_255, place - 4) };
            let Target::Day { day, index } = draw.target else { panic!("no day") };
            assert_eq!((day.day, index), expected, "draw {ordinal}");
            assert_eq!(u128::from(draw.place(1000)), number(&bytes[16..]) % 1000);
        }
    }

    #[test]
    fn the_next_place_goes_round() {
        assert_eq!(first_from(&[2, 5, 9], 5), Some(5));
        assert_eq!(first_from(&[2, 5, 9], 6), Some(9));
        assert_eq!(first_from(&[2, 5, 9], 10), Some(2));
        assert_eq!(first_from(&[], 1), None);
    }
}
