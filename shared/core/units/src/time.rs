//! Instants and half-open intervals in UTC microseconds, and the settlement grid.

/// An instant: microseconds since 1970-01-01T00:00:00Z, UTC, leap seconds not counted.
pub type Micros = i64;

/// Microseconds in a second.
pub const SECOND_US: i64 = 1_000_000;

/// The settlement interval: five minutes. Assignments, contract versions and prices take effect
/// at its boundaries, and roll-ups are per interval.
pub const SETTLEMENT_INTERVAL_US: i64 = 300 * SECOND_US;

/// The earliest event time accepted anywhere: the time of Bitcoin's genesis block,
/// 2009-01-03T18:15:05Z. Anything before it is a broken clock.
pub const EARLIEST_EVENT_US: Micros = 1_231_006_505 * SECOND_US;

/// How far in the future of the receiving clock an event time may lie: two hours, as Bitcoin
/// allows for block times.
pub const FUTURE_TOLERANCE_US: i64 = 7_200 * SECOND_US;

/// The settlement boundary at or before an instant.
///
/// Saturates at the end of the range of `i64`, which no accepted event time comes near.
#[must_use]
pub fn interval_start(at_us: Micros) -> Micros {
    at_us.saturating_sub(at_us.rem_euclid(SETTLEMENT_INTERVAL_US))
}

/// The settlement boundary at or after an instant: when a change at that instant takes effect.
#[must_use]
pub fn boundary_at_or_after(at_us: Micros) -> Micros {
    let start = interval_start(at_us);
    if start == at_us { start } else { start.saturating_add(SETTLEMENT_INTERVAL_US) }
}

/// A half-open interval `[start_us, end_us)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval {
    /// The first instant inside.
    pub start_us: Micros,
    /// The first instant after it.
    pub end_us: Micros,
}

impl Interval {
    /// Makes an interval; `None` where the end lies before the start.
    #[must_use]
    pub fn new(start_us: Micros, end_us: Micros) -> Option<Self> {
        (start_us <= end_us).then_some(Self { start_us, end_us })
    }

    /// Whether the instant lies inside. The end does not.
    #[must_use]
    pub fn contains(&self, at_us: Micros) -> bool {
        self.start_us <= at_us && at_us < self.end_us
    }

    /// The common part of two intervals, `None` where it is empty.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let start_us = self.start_us.max(other.start_us);
        let end_us = self.end_us.min(other.end_us);
        (start_us < end_us).then_some(Self { start_us, end_us })
    }

    /// Its length in microseconds.
    #[must_use]
    pub fn duration_us(&self) -> i64 {
        self.end_us.saturating_sub(self.start_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_on_the_five_minute_grid() {
        for (at_s, before_s, after_s) in
            [(0, 0, 0), (1, 0, 300), (299, 0, 300), (300, 300, 300), (301, 300, 600), (-1, -300, 0)]
        {
            assert_eq!(interval_start(at_s * SECOND_US), before_s * SECOND_US);
            assert_eq!(boundary_at_or_after(at_s * SECOND_US), after_s * SECOND_US);
        }
    }

    #[test]
    fn intervals_are_half_open() {
        let hour = Interval::new(0, 3600).unwrap();
        assert!(hour.contains(0));
        assert!(!hour.contains(3600));
        assert_eq!(hour.intersect(&Interval { start_us: 3600, end_us: 7200 }), None);
        assert_eq!(Interval::new(2, 1), None);
    }
}
