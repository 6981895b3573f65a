//! A small seeded generator: the same seed gives the same input on every machine.

/// `SplitMix64` (Steele, Lea and Flood, 2014): enough for made-up data, not for secrets.
pub(crate) struct Rng(u64);

impl Rng {
    /// A generator of its own for each subject, so that one subject's draws never move another's.
    pub(crate) fn of(seed: u64, subject: &str) -> Self {
        let mixed = subject.bytes().fold(seed, |state, byte| {
            let mut step = Self(state ^ u64::from(byte));
            step.next()
        });
        Self(mixed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included. The slight preference of the remainder for
    /// small numbers does not matter for made-up data.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        let width = high.saturating_sub(low).saturating_add(1);
        low + self.next() % width
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        bytes
    }
}
