//! A set of proof ids that stays small: 16 bytes an id and little beside.
//!
//! Ids are the leading bytes of hashes and so uniformly spread. They lie sorted in shards by their
//! leading bits; the number of shards grows with the set so that a shard stays near
//! `SHARD_IDS`, and a shard's room grows by an eighth at a time. A hash table of 30 million ids
//! would take 1.2 GB, because it doubles.

use wb_events::identity::EventId;

/// Ids that a shard is meant to hold on average, at most.
const SHARD_IDS: usize = 512;
/// Shards grow sixteenfold at a time, up to 2^16.
const BITS_STEP: u32 = 4;
const BITS_MAX: u32 = 16;

/// A set of ids.
#[derive(Debug, Clone)]
pub struct IdSet {
    bits: u32,
    shards: Vec<Vec<EventId>>,
    len: usize,
}

impl Default for IdSet {
    fn default() -> Self {
        Self { bits: 0, shards: vec![Vec::new()], len: 0 }
    }
}

fn shard_of(id: &EventId, bits: u32) -> usize {
    let leading = u32::from_be_bytes([id[0], id[1], id[2], id[3]]);
    // With no bits there is one shard; a shift by 32 would overflow.
    usize::try_from(leading.checked_shr(32 - bits).unwrap_or(0)).unwrap_or(0)
}

impl IdSet {
    /// A set of ids that come in ascending order, each once.
    #[must_use]
    pub fn from_sorted(ids: &[EventId]) -> Self {
        let mut bits = 0;
        while bits < BITS_MAX && ids.len() >= SHARD_IDS << bits {
            bits = (bits + BITS_STEP).min(BITS_MAX);
        }
        let mut shards: Vec<Vec<EventId>> = Vec::new();
        shards.resize_with(1 << bits, Vec::new);
        for run in ids.chunk_by(|left, right| shard_of(left, bits) == shard_of(right, bits)) {
            shards[shard_of(&run[0], bits)] = run.to_vec();
        }
        Self { bits, shards, len: ids.len() }
    }

    /// How many ids it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it holds an id.
    #[must_use]
    pub fn contains(&self, id: &EventId) -> bool {
        self.shards[shard_of(id, self.bits)].binary_search(id).is_ok()
    }

    /// Puts an id in; `false` where it was in already.
    pub fn insert(&mut self, id: EventId) -> bool {
        if self.bits < BITS_MAX && self.len >= self.shards.len() * SHARD_IDS {
            self.split();
        }
        let shard = &mut self.shards[shard_of(&id, self.bits)];
        let Err(place) = shard.binary_search(&id) else { return false };
        if shard.len() == shard.capacity() {
            shard.reserve_exact((shard.len() / 8).max(4));
        }
        shard.insert(place, id);
        self.len += 1;
        true
    }

    /// All ids in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &EventId> {
        self.shards.iter().flatten()
    }

    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let ids: usize = self.shards.iter().map(Vec::capacity).sum();
        ids * size_of::<EventId>() + self.shards.capacity() * size_of::<Vec<EventId>>()
    }

    fn split(&mut self) {
        let bits = (self.bits + BITS_STEP).min(BITS_MAX);
        let mut shards: Vec<Vec<EventId>> = Vec::new();
        shards.resize_with(1 << bits, Vec::new);
        for old in std::mem::take(&mut self.shards) {
            // Ids are sorted, so each new shard is one run of the old one.
            for run in old.chunk_by(|left, right| shard_of(left, bits) == shard_of(right, bits)) {
                shards[shard_of(&run[0], bits)] = run.to_vec();
            }
        }
        self.bits = bits;
        self.shards = shards;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn id(number: u64) -> EventId {
        // Spread as hashes are: a fixed permutation of the counter.
        let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        mixed.to_be_bytes()
    }

    #[test]
    fn a_large_set_holds_what_was_put_in_and_nothing_else() {
        let mut set = IdSet::default();
        for number in 1..=300_000 {
            assert!(set.insert(id(number)));
        }
        for number in 1..=300_000 {
            assert!(!set.insert(id(number)));
        }
        assert!(!set.contains(&id(300_001)));
        assert_eq!(set.len(), 300_000);
        assert!(set.iter().is_sorted());
        assert_eq!(set.iter().count(), 300_000);
        assert!(set.heap_bytes() < 300_000 * 33, "{} bytes an id", set.heap_bytes() / 300_000);
    }

    proptest! {
        #[test]
        fn it_is_a_set(ids in prop::collection::vec(any::<[u8; 16]>(), 0..2_000)) {
            let mut set = IdSet::default();
            let mut model = BTreeSet::new();
            for id in &ids {
                prop_assert_eq!(set.insert(*id), model.insert(*id));
            }
            prop_assert!(set.iter().eq(model.iter()));
            let sorted: Vec<_> = set.iter().copied().collect();
            prop_assert!(IdSet::from_sorted(&sorted).iter().eq(model.iter()));
        }
    }
}
