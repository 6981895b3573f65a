//! The ratio of a meter's transformer, and registers converted to the right ratio.

use ruint::aliases::U512;
use wb_units::{Interval, Micros};

/// A transformer's ratio, exact: 200:5 is 200 over 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransformerRatio {
    /// What flows for...
    pub num: u32,
    /// ...so much that is measured.
    pub den: u32,
}

/// The register counted with a wrong ratio: what it counted in this time is multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatioCorrection {
    /// When the wrong ratio was in force.
    pub interval: Interval,
    /// What is right...
    pub right: u64,
    /// ...over what was used; zero means no correction.
    pub used: u64,
}

impl RatioCorrection {
    /// The correction of one ratio by another, in lowest terms. `None` where the time is empty or a part of a ratio
    /// is zero.
    #[must_use]
    pub fn new(interval: Interval, used: TransformerRatio, right: TransformerRatio) -> Option<Self> {
        let times = u64::from(right.num) * u64::from(used.den);
        let over = u64::from(right.den) * u64::from(used.num);
        if times == 0 || over == 0 || interval.duration_us() <= 0 {
            return None;
        }
        let common = greatest_common_divisor(times, over);
        Some(Self { interval, right: times / common, used: over / common })
    }

    /// Whether right and used are the same.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.right == self.used || self.used == 0
    }

    /// A register, or any other running total, as it would stand with the right ratio, rounded down. This is the one
    /// rounding of a correction. A quantity is the difference of two such registers, so readings in between are not
    /// rounded, and the parts of a time add up to it exactly.
    #[must_use]
    pub fn register(&self, register: u128) -> u128 {
        if self.changes_nothing() {
            return register;
        }
        let wide = U512::from(register) * U512::from(self.right) / U512::from(self.used);
        u128::try_from(wide).unwrap_or(u128::MAX)
    }
}

fn greatest_common_divisor(mut left: u64, mut right: u64) -> u64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left.max(1)
}

/// Adds a later correction to the list, which stays in order of time and without overlaps.
pub(super) fn lay_over(list: &mut Vec<RatioCorrection>, over: RatioCorrection) {
    let mut left = Vec::with_capacity(list.len() + 2);
    for under in list.drain(..) {
        let before = Interval { end_us: under.interval.end_us.min(over.interval.start_us), ..under.interval };
        let after =
            Interval { start_us: under.interval.start_us.max(over.interval.end_us), ..under.interval };
        let parts = [before, after].into_iter().filter(|part| part.start_us < part.end_us);
        left.extend(parts.map(|interval| RatioCorrection { interval, ..under }));
    }
    left.push(over);
    left.sort_unstable_by_key(|correction| correction.interval);
    *list = left;
}

/// Cuts a time where corrections begin and end: each part with the correction that holds in it. Corrections are in
/// order of time and do not overlap.
pub(crate) fn cut(
    interval: Interval,
    corrections: &[RatioCorrection],
) -> impl Iterator<Item = (Interval, Option<&RatioCorrection>)> {
    let mut from_us: Micros = interval.start_us;
    let mut parts = Vec::new();
    for correction in corrections.iter().filter(|correction| !correction.changes_nothing()) {
        let Some(part) = correction.interval.intersect(&interval) else { continue };
        parts.push((Interval { start_us: from_us, end_us: part.start_us }, None));
        parts.push((part, Some(correction)));
        from_us = part.end_us;
    }
    parts.push((Interval { start_us: from_us, end_us: interval.end_us }, None));
    parts.into_iter().filter(|(part, _)| part.start_us < part.end_us)
}
