//! Random moments that can be repeated: the seed is printed, and `WEIGHBRIDGE_SEED` sets it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) struct Random(wb_testkit::Random);

impl Random {
    pub(crate) fn new(test: &str) -> Self {
        let given = std::env::var("WEIGHBRIDGE_SEED").ok().map(|text| text.parse().unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let seed = given.unwrap_or_else(|| u64::try_from(now).unwrap());
        eprintln!("{test}: WEIGHBRIDGE_SEED={seed}");
        Self(wb_testkit::Random::of(seed, test))
    }

    /// A number below a bound.
    pub(crate) fn number(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// A time below a bound.
    pub(crate) fn below(&mut self, bound: Duration) -> Duration {
        let bound_ms = u64::try_from(bound.as_millis()).unwrap();
        Duration::from_millis(self.0.below(bound_ms))
    }
}
