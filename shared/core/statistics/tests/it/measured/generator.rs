//! A seeded generator, and the distributions that the measurements draw from. None of it uses the
//! crate under test.

/// xoshiro256++ (Blackman and Vigna), seeded by splitmix64.
pub(crate) struct Generator {
    state: [u64; 4],
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        let mut mixed = seed;
        let state = [(); 4].map(|()| {
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = mixed;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Self { state }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Uniform in (0, 1): the middle of one of 2^32 equal parts.
    pub(crate) fn uniform(&mut self) -> f64 {
        let high = u32::try_from(self.next() >> 32).unwrap();
        (f64::from(high) + 0.5) / 4_294_967_296.0
    }

    /// A Poisson count: by the gaps between events where few are expected, else by Hörmann's
    /// transformed rejection (1993).
    pub(crate) fn poisson(&mut self, expected: f64, ln_factorials: &[f64]) -> u32 {
        if expected < 10.0 {
            let (limit, mut product, mut count) = ((-expected).exp(), self.uniform(), 0);
            while product > limit {
                product *= self.uniform();
                count += 1;
            }
            return count;
        }
        let b = 0.931 + 2.53 * expected.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.uniform() - 0.5;
            let v = self.uniform();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + expected + 0.43).floor();
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let Some((count, ln_factorial)) = whole(k, ln_factorials) else { continue };
            let accepted = (us >= 0.07 && v <= v_r)
                || (v * inverse_alpha / (a / (us * us) + b)).ln()
                    <= k * expected.ln() - expected - ln_factorial;
            if accepted {
                return count;
            }
        }
    }
}

/// A whole float as an index, with what stands there.
fn whole(value: f64, table: &[f64]) -> Option<(u32, f64)> {
    let index = usize::try_from(ruint::aliases::U256::try_from(value).ok()?).ok()?;
    Some((u32::try_from(index).ok()?, *table.get(index)?))
}

/// ln k! for k below `count`, by adding logarithms.
pub(crate) fn ln_factorials(count: u32) -> Vec<f64> {
    let mut sum = 0.0;
    (0..count)
        .map(|k| {
            sum += if k == 0 { 0.0 } else { f64::from(k).ln() };
            sum
        })
        .collect()
}

/// How far a simulated part may lie from the true one before chance stops explaining it: four
/// standard errors. Of 100 judgements one in 160 runs would fail by chance, if the seed changed.
pub(crate) fn allowance(part: f64, trials: u32) -> f64 {
    4.0 * (part * (1.0 - part) / f64::from(trials)).sqrt()
}
