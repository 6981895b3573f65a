//! Positions below the target, counted in bins of equal width.

use super::ks;
use crate::number;

/// Bins of a [`Histogram`].
pub const BINS: usize = 1_024;

/// The width of one bin.
const WIDTH: f64 = 1.0 / 1_024.0;

/// How many positions lie in each of [`BINS`] bins of equal width: 8 KiB whatever the count.
/// Histograms add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BINS].into_boxed_slice(), total: 0 }
    }
}

impl Histogram {
    /// Counts positions of one bin (from [`super::bin`]); beyond the last bin they count as in it.
    pub fn add(&mut self, bin: usize, count: u64) {
        if let Some(place) = self.counts.get_mut(bin.min(BINS - 1)) {
            *place = place.saturating_add(count);
            self.total = self.total.saturating_add(count);
        }
    }

    /// Counts one position in (0, 1).
    pub fn add_position(&mut self, position: f64) {
        let bin = number::floor(position / WIDTH);
        self.add(usize::try_from(bin).unwrap_or(BINS - 1), 1);
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (bin, count) in other.counts.iter().enumerate() {
            self.add(bin, *count);
        }
    }

    /// How many positions were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many positions lie in the last `bins` bins.
    #[must_use]
    pub fn in_last(&self, bins: usize) -> u64 {
        self.counts.iter().rev().take(bins).fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Kolmogorov's and Smirnov's distance, to within a bin's width.
    ///
    /// At the bins' edges it is known exactly. Between two edges the share of positions below a
    /// point can exceed that point by at most what it does at the upper edge plus the width, and
    /// fall short of it by at most what it does at the lower edge plus the width. `None` without
    /// positions.
    #[must_use]
    pub fn ks(&self) -> Option<KsBounds> {
        if self.total == 0 {
            return None;
        }
        let total = number::count(self.total);
        let (mut below, mut edge, mut statistic) = (0_u64, 0.0_f64, 0.0_f64);
        for count in &self.counts {
            below = below.saturating_add(*count);
            edge += WIDTH;
            statistic = statistic.max((number::count(below) / total - edge).abs());
        }
        let statistic_max = (statistic + WIDTH).min(1.0);
        Some(KsBounds {
            count: self.total,
            statistic_min: statistic,
            statistic_max,
            p_value_max: ks::p_value(statistic, self.total),
            p_value_min: ks::p_value(statistic_max, self.total),
        })
    }
}

/// Between which values the statistic and the p-value lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KsBounds {
    /// How many positions.
    pub count: u64,
    /// The distance at the bins' edges: the true one is not smaller.
    pub statistic_min: f64,
    /// One bin's width more: the true distance is not larger.
    pub statistic_max: f64,
    /// The p-value of the smaller distance: the true one is not larger.
    pub p_value_max: f64,
    /// The p-value of the larger distance: the true one is not smaller.
    pub p_value_min: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn positions_fall_into_their_bins_and_histograms_add() {
        let mut left = Histogram::default();
        for position in [0.0, 0.000_9, 0.999_1, 1.0, 7.0, -1.0] {
            left.add_position(position);
        }
        assert_eq!((left.total(), left.in_last(1), left.in_last(BINS - 1), left.in_last(BINS)), (6, 3, 3, 6));
        let mut right = Histogram::default();
        right.add(BINS + 5, 4);
        left.merge(&right);
        assert_eq!((left.total(), left.in_last(1)), (10, 7));
        assert_eq!(Histogram::default().ks(), None);
    }

    proptest! {
        #[test]
        fn the_exact_distance_lies_within_the_bounds(
            mut values in prop::collection::vec(0.0_f64..1.0, 1..400),
            power in 0.2_f64..3.0,
        ) {
            let mut histogram = Histogram::default();
            for value in &mut values {
                *value = value.powf(power);
                histogram.add_position(*value);
            }
            let (exact, bounds) = (ks::exact(&mut values).unwrap(), histogram.ks().unwrap());
            prop_assert!(bounds.statistic_min <= exact.statistic + 1e-12, "{exact:?} {bounds:?}");
            prop_assert!(exact.statistic <= bounds.statistic_max + 1e-12, "{exact:?} {bounds:?}");
            prop_assert!(bounds.p_value_min <= exact.p_value + 1e-9 && exact.p_value <= bounds.p_value_max + 1e-9);
        }
    }
}
