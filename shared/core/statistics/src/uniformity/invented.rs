//! The test made for invented shares.
//!
//! Who makes shares up without the work has nothing but the target to aim at, so they lie just
//! under it. Under chance the number of n positions in the last 1/m below the target is binomial
//! (n, 1/m). Eight widths are looked at, 1/8 to 1/1024, because nobody says how close the inventor
//! aims, and Kolmogorov's and Smirnov's test beside them for what lies elsewhere. Their parts of
//! [`ALPHA`] add to it, so an honest worker is flagged with at most that probability, whatever
//! the dependence between the tests (Bonferroni's inequality).

use super::Histogram;
use super::histogram::BINS;
use crate::gamma;
use crate::number;

/// How often an honest worker is flagged at most: once in 2,000 judgements.
pub const ALPHA: f64 = 0.000_5;

/// What of [`ALPHA`] is for Kolmogorov's and Smirnov's test; the tails share the rest equally.
const KS_ALPHA: f64 = 0.000_1;

/// The widths of the tails, in bins: 1/8 to 1/1024 of the target.
const TAIL_BINS: [u32; 8] = [128, 64, 32, 16, 8, 4, 2, 1];

/// What each tail has of [`ALPHA`].
const TAIL_ALPHA: f64 = (ALPHA - KS_ALPHA) / 8.0;

/// What was found in one tail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tail {
    /// The tail is the last 1 / `one_in` below the target.
    pub one_in: u32,
    /// Positions in it.
    pub found: u64,
    /// Positions expected in it.
    pub expected: f64,
    /// The probability of so many or more by chance.
    pub p_value: f64,
}

/// What the tests say of a worker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Positions that were judged.
    pub shares: u64,
    /// Kolmogorov's and Smirnov's distance at the bins' edges.
    pub ks_statistic: f64,
    pub ks_p_value: f64,
    /// The tail that chance explains least.
    pub tail: Tail,
    /// The p-value of all tests together: each one's, weighted by its part of [`ALPHA`].
    pub p_value: f64,
    /// Whether chance is no longer an explanation: the p-value is at most [`ALPHA`].
    pub flagged: bool,
}

/// Judges a worker's positions. `None` without any.
#[must_use]
pub fn judge(histogram: &Histogram) -> Option<Judgement> {
    let ks = histogram.ks()?;
    let mut worst: Option<Tail> = None;
    for bins in TAIL_BINS {
        let tail = tail(histogram, bins);
        if worst.is_none_or(|least| tail.p_value < least.p_value) {
            worst = Some(tail);
        }
    }
    let tail = worst?;
    let weighted = |p_value: f64, part: f64| p_value * (ALPHA / part);
    let p_value = weighted(ks.p_value_max, KS_ALPHA).min(weighted(tail.p_value, TAIL_ALPHA)).min(1.0);
    Some(Judgement {
        shares: ks.count,
        ks_statistic: ks.statistic_min,
        ks_p_value: ks.p_value_max,
        tail,
        p_value,
        flagged: p_value <= ALPHA,
    })
}

fn tail(histogram: &Histogram, bins: u32) -> Tail {
    let probability = f64::from(bins) / 1_024.0;
    let found = histogram.in_last(usize::try_from(bins).unwrap_or(BINS));
    Tail {
        one_in: 1_024 / bins,
        found,
        expected: number::count(histogram.total()) * probability,
        p_value: binomial_at_least(found, histogram.total(), probability),
    }
}

/// The probability of `found` or more of `count`, each with `probability`: summed outwards from the
/// end nearer to it, where each term is smaller than the one before by more than the ratio of the
/// first two, so that a bounded number of terms counts.
#[must_use]
pub fn binomial_at_least(found: u64, count: u64, probability: f64) -> f64 {
    if found == 0 {
        return 1.0;
    }
    if found > count || probability <= 0.0 {
        return 0.0;
    }
    if probability >= 1.0 {
        return 1.0;
    }
    let (found_f, count_f) = (number::count(found), number::count(count));
    let odds = probability / (1.0 - probability);
    if found_f > count_f * probability {
        let (mut term, mut sum, mut k) = (binomial_exactly(found_f, count_f, probability), 0.0, found_f);
        while term > sum * 1e-17 {
            sum += term;
            term *= (count_f - k) / (k + 1.0) * odds;
            k += 1.0;
        }
        return sum.min(1.0);
    }
    let mut k = found_f - 1.0;
    let (mut term, mut sum) = (binomial_exactly(k, count_f, probability), 0.0);
    while term > sum * 1e-17 {
        sum += term;
        term *= k / (count_f - k + 1.0) / odds;
        k -= 1.0;
    }
    (1.0 - sum).clamp(0.0, 1.0)
}

fn binomial_exactly(found: f64, count: f64, probability: f64) -> f64 {
    let ln_ways =
        gamma::ln_gamma(count + 1.0) - gamma::ln_gamma(found + 1.0) - gamma::ln_gamma(count - found + 1.0);
    (ln_ways + found * probability.ln() + (count - found) * (-probability).ln_1p()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binomial_tails_are_their_sums() {
        // Ways to throw k of 10 fair coins, over 1024.
        let ways = [1.0, 10.0, 45.0, 120.0, 210.0, 252.0, 210.0, 120.0, 45.0, 10.0, 1.0];
        for found in 0..=10_u32 {
            let sum: f64 = ways.iter().skip(usize::try_from(found).unwrap()).sum();
            let p = binomial_at_least(u64::from(found), 10, 0.5);
            assert!((p - sum / 1_024.0).abs() < 1e-13, "{found}: {p}");
        }
        assert!(
            (binomial_at_least(1, 500, 1.0 / 1_024.0) - (1.0 - (1_023.0_f64 / 1_024.0).powi(500))).abs()
                < 1e-12
        );
        for (found, count, probability, p) in
            [(0, 0, 0.5, 1.0), (1, 0, 0.5, 0.0), (11, 10, 0.5, 0.0), (3, 10, 0.0, 0.0), (3, 10, 1.0, 1.0)]
        {
            assert!((binomial_at_least(found, count, probability) - p).abs() < 1e-15, "{found} of {count}");
        }
    }

    #[test]
    fn parts_of_alpha_add_to_it() {
        let tails = f64::from(u32::try_from(TAIL_BINS.len()).unwrap());
        assert!((KS_ALPHA + TAIL_ALPHA * tails - ALPHA).abs() < 1e-18);
    }

    #[test]
    fn even_positions_pass_and_a_heap_under_the_target_does_not() {
        let mut histogram = Histogram::default();
        assert_eq!(judge(&histogram), None);
        for bin in (0..BINS).step_by(2) {
            histogram.add(bin, 1);
        }
        let even = judge(&histogram).unwrap();
        assert!(!even.flagged && even.p_value > 0.5, "{even:?}");
        histogram.add(BINS - 1, 20);
        let heap = judge(&histogram).unwrap();
        assert!(heap.flagged && heap.tail.one_in >= 512 && heap.tail.found == 20, "{heap:?}");
        assert!((heap.tail.expected - 532.0 / f64::from(heap.tail.one_in)).abs() < 1e-12);
    }

    #[test]
    fn a_heap_elsewhere_is_found_by_the_other_test() {
        let mut histogram = Histogram::default();
        for bin in (0..BINS).step_by(2) {
            histogram.add(bin, 1);
        }
        histogram.add(100, 120);
        let heap = judge(&histogram).unwrap();
        assert!(heap.flagged && heap.ks_p_value < KS_ALPHA, "{heap:?}");
    }
}
