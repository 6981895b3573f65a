//! Random moments that can be had again: the seed is printed, and `WEIGHBRIDGE_SEED` sets it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(test: &str) -> Self {
        let given = std::env::var("WEIGHBRIDGE_SEED").ok().map(|text| text.parse().unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let seed = given.unwrap_or_else(|| u64::try_from(now).unwrap());
        eprintln!("{test}: WEIGHBRIDGE_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound.
    pub(crate) fn number(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A time below a bound.
    pub(crate) fn below(&mut self, bound: Duration) -> Duration {
        let bound_ms = u64::try_from(bound.as_millis()).unwrap();
        Duration::from_millis(self.next() % bound_ms)
    }
}
