//! The network's target by height.

use std::collections::BTreeMap;

use wb_units::Micros;

/// Blocks between two changes of the target (Bitcoin Core, `DifficultyAdjustmentInterval`).
const EPOCH_BLOCKS: u32 = 2_016;

/// A chain's targets, by the height from which each holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct NetworkBits {
    by_height: BTreeMap<u32, (Micros, u32)>,
}

impl NetworkBits {
    /// Adds a target. Of two records for one height the one with the later start wins; with equal starts, the later
    /// one in the log.
    pub(crate) fn insert(&mut self, height: u32, from_us: Micros, nbits: u32) {
        let kept = self.by_height.entry(height).or_insert((from_us, nbits));
        if from_us >= kept.0 {
            *kept = (from_us, nbits);
        }
    }

    /// The target at a height: that of the nearest record at or below it within the same 2016 blocks, which share one
    /// target. On testnets a late block may have the easiest target (Bitcoin Core, `fPowAllowMinDifficultyBlocks`),
    /// so there only a record of that very height counts.
    pub(crate) fn at(&self, chain: &str, height: u32) -> Option<u32> {
        let (from, (_, nbits)) = self.by_height.range(..=height).next_back()?;
        let one_target = *from == height || !has_easy_blocks(chain);
        (one_target && from / EPOCH_BLOCKS == height / EPOCH_BLOCKS).then_some(*nbits)
    }
}

fn has_easy_blocks(chain: &str) -> bool {
    chain.starts_with("testnet") || chain == "regtest"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_holds_within_its_epoch() {
        let mut bits = NetworkBits::default();
        bits.insert(2_020, 5, 0xaa);
        bits.insert(4_032, 5, 0xbb);
        bits.insert(4_040, 5, 0xcc);
        for (chain, height, expected) in [
            ("main", 2_019, None),
            ("main", 2_020, Some(0xaa)),
            ("main", 4_031, Some(0xaa)),
            ("main", 4_032, Some(0xbb)),
            ("main", 4_039, Some(0xbb)),
            ("main", 4_041, Some(0xcc)),
            ("main", 6_047, Some(0xcc)),
            ("main", 6_048, None),
            ("testnet3", 2_020, Some(0xaa)),
            ("testnet3", 2_021, None),
            ("testnet4", 4_033, None),
            ("signet", 4_033, Some(0xbb)),
        ] {
            assert_eq!(bits.at(chain, height), expected, "{chain} {height}");
        }
        bits.insert(2_020, 4, 0xdd);
        assert_eq!(bits.at("main", 2_020), Some(0xaa), "a record that is valid from earlier loses");
        bits.insert(2_020, 5, 0xee);
        assert_eq!(bits.at("main", 2_020), Some(0xee), "of one time, the later recorded wins");
    }
}
