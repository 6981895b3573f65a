//! The tips of a chain over time.

use std::collections::{BTreeMap, HashSet};

use wb_units::Micros;

/// A chain's tips, by the time from which each was the tip.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tips {
    by_time: BTreeMap<Micros, [u8; 32]>,
    ever: HashSet<[u8; 32]>,
}

impl Tips {
    pub(crate) fn insert(&mut self, from_us: Micros, hash: [u8; 32]) {
        self.ever.insert(hash);
        self.by_time.insert(from_us, hash);
    }

    /// When a block last ceased to be the tip, as of a time. `None` while it is the tip, before it was one, and for a
    /// block that never was.
    ///
    /// Several witnesses may record the same tip in turn: only a record of another block replaces it. A block that
    /// became the tip again after a reorganisation counts from its last end.
    pub(crate) fn replaced_us(&self, hash: &[u8; 32], at_us: Micros) -> Option<Micros> {
        if !self.ever.contains(hash) {
            return None;
        }
        let mut next_us = None;
        for (from_us, tip) in self.by_time.range(..=at_us).rev() {
            if tip == hash {
                return next_us;
            }
            next_us = Some(*from_us);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_replaced_when_another_follows() {
        let [a, b, c, never] = [[1; 32], [2; 32], [3; 32], [4; 32]];
        let mut tips = Tips::default();
        // A twice (two witnesses), B, back to A, then C.
        for (from_us, hash) in [(10, a), (12, a), (20, b), (30, a), (40, c)] {
            tips.insert(from_us, hash);
        }
        for (hash, at_us, expected) in [
            (a, 9, None),
            (a, 10, None),
            (a, 19, None),
            (a, 20, Some(20)),
            (a, 29, Some(20)),
            (a, 30, None),
            (a, 40, Some(40)),
            (a, 99, Some(40)),
            (b, 19, None),
            (b, 29, None),
            (b, 35, Some(30)),
            (b, 99, Some(30)),
            (c, 39, None),
            (c, 99, None),
            (never, 99, None),
        ] {
            assert_eq!(tips.replaced_us(&hash, at_us), expected, "{hash:?} at {at_us}");
        }
    }
}
