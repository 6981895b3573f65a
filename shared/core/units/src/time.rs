//! Instants and half-open intervals in UTC microseconds, and the settlement grid.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// An instant: microseconds since 1970-01-01T00:00:00Z, UTC, leap seconds not counted.
pub type Micros = i64;

/// Microseconds in a second.
pub const SECOND_US: i64 = 1_000_000;

/// Microseconds in a UTC day.
pub const DAY_US: i64 = 86_400 * SECOND_US;

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

/// The UTC day of an instant, counted since 1970-01-01.
#[must_use]
pub fn day_of(at_us: Micros) -> i32 {
    // The range of `i64` has a hundred million days in each direction.
    i32::try_from(at_us.div_euclid(DAY_US)).unwrap_or(if at_us < 0 { i32::MIN } else { i32::MAX })
}

/// The first instant of a UTC day.
#[must_use]
pub fn day_start(day: i32) -> Micros {
    i64::from(day).saturating_mul(DAY_US)
}

/// An instant as text for people and records: UTC, as RFC 3339 writes it, with fractions of a second only where there
/// are any. The calendar reaches from year -9999 to 9999; other instants are written in microseconds.
#[must_use]
pub fn rfc3339(at_us: Micros) -> String {
    Timestamp::from_microsecond(at_us).map_or_else(|_| format!("{at_us} us"), |at| at.to_string())
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

    /// Merges intervals, which must be in order: those that touch or overlap become one; empty ones are left out.
    #[must_use]
    pub fn union(mut intervals: Vec<Self>) -> Vec<Self> {
        intervals.sort_unstable();
        let mut merged: Vec<Self> = Vec::with_capacity(intervals.len());
        for interval in intervals.into_iter().filter(|interval| interval.duration_us() > 0) {
            match merged.last_mut() {
                Some(last) if interval.start_us <= last.end_us => {
                    last.end_us = last.end_us.max(interval.end_us);
                }
                _ => merged.push(interval),
            }
        }
        merged
    }
}

/// Checks that a name is one of the IANA table of time zones.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn check_zone(name: &str) -> Result<(), String> {
    if TimeZone::get(name).is_ok() {
        return Ok(());
    }
    let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    Err(format!(
        "{name:?} is no time zone of the IANA table: write one such as America/Chicago or UTC{}",
        crate::did_you_mean(name, known.iter().map(String::as_str))
    ))
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
    fn days_are_utc_days() {
        for (at_us, day) in [
            (0, 0),
            (DAY_US - 1, 0),
            (DAY_US, 1),
            (-1, -1),
            (-DAY_US, -1),
            (-DAY_US - 1, -2),
            // 2026-10-01T00:00:00Z.
            (1_790_812_800 * SECOND_US, 20_727),
            (i64::MAX, 106_751_991),
            (i64::MIN, -106_751_992),
        ] {
            assert_eq!(day_of(at_us), day, "{at_us}");
            assert!(day_start(day) <= at_us, "{at_us}");
        }
        assert_eq!((day_start(20_727), day_start(-1)), (1_790_812_800 * SECOND_US, -DAY_US));
        assert_eq!((day_start(i32::MAX), day_start(i32::MIN)), (i64::MAX, i64::MIN), "never another day");
    }

    #[test]
    fn instants_are_text_in_utc() {
        for (at_us, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_790_812_800 * SECOND_US, "2026-10-01T00:00:00Z"),
            (1_790_812_800 * SECOND_US + 500_000, "2026-10-01T00:00:00.5Z"),
            (EARLIEST_EVENT_US, "2009-01-03T18:15:05Z"),
            (i64::MAX, "9223372036854775807 us"),
        ] {
            assert_eq!(rfc3339(at_us), text);
        }
    }

    #[test]
    fn a_union_has_each_instant_once_and_no_seams() {
        let union = |parts: &[(i64, i64)]| -> Vec<(i64, i64)> {
            let parts = parts.iter().map(|&(start_us, end_us)| Interval { start_us, end_us }).collect();
            Interval::union(parts).into_iter().map(|part| (part.start_us, part.end_us)).collect()
        };
        for (parts, expected) in [
            (&[][..], &[][..]),
            (&[(1, 2)], &[(1, 2)]),
            (&[(3, 4), (1, 2)], &[(1, 2), (3, 4)]),
            (&[(1, 2), (2, 3)], &[(1, 3)]),
            (&[(1, 9), (2, 3), (8, 10)], &[(1, 10)]),
            (&[(5, 5), (1, 2), (4, 3)], &[(1, 2)]),
            (&[(1, 2), (1, 2)], &[(1, 2)]),
        ] {
            assert_eq!(union(parts), expected, "{parts:?}");
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

    #[test]
    fn a_time_zone_is_one_of_the_table() {
        for zone in ["UTC", "America/Chicago", "Europe/Oslo"] {
            assert_eq!(check_zone(zone), Ok(()));
        }
        assert!(check_zone("Mars").unwrap_err().contains("America/Chicago"));
        assert!(check_zone("America/Chicgo").unwrap_err().ends_with("did you mean America/Chicago?"));
        assert!(check_zone("").is_err());
    }
}
