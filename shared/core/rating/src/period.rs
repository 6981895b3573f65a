//! A billing period: a calendar month of the contract's time zone.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use wb_units::time::interval_start;
use wb_units::{Interval, Micros};

use crate::error::PeriodError;

/// The first year with anything to bill: Bitcoin's first block is of January 2009.
const FIRST_YEAR: i16 = 2009;
/// The last year whose end the calendar can represent.
const LAST_YEAR: i16 = 9998;

/// A month, half open, in UTC microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    /// The month as text, such as `2026-10`.
    pub text: String,
    /// From the first instant of the month to the first instant of the next.
    pub interval: Interval,
}

impl Period {
    /// The month `text` (`YYYY-MM`) in an IANA time zone.
    ///
    /// A month with a clock change is an hour longer or shorter. Where midnight does not exist on the first day (the
    /// clock is put forward at midnight), the month begins at the first instant of that day.
    ///
    /// # Errors
    /// [`PeriodError`] where the text is no month, the zone is unknown, or the bounds do not lie on
    /// the five-minute settlement grid.
    pub fn month(text: &str, zone: &str) -> Result<Self, PeriodError> {
        let malformed = || PeriodError::Malformed { text: text.chars().take(16).collect() };
        let (year, month) = read_month(text).ok_or_else(malformed)?;
        let tz = TimeZone::get(zone).map_err(|_| PeriodError::UnknownZone { zone: zone.to_owned() })?;
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let unsettled =
            |detail: String| PeriodError::Unsettled { text: text.to_owned(), zone: zone.to_owned(), detail };
        let start_us = first_instant(year, month, &tz).map_err(|error| unsettled(error.to_string()))?;
        let end_us =
            first_instant(next_year, next_month, &tz).map_err(|error| unsettled(error.to_string()))?;
        for bound_us in [start_us, end_us] {
            if interval_start(bound_us) != bound_us {
                return Err(unsettled("a bound is not on a five-minute boundary of UTC".to_owned()));
            }
        }
        let interval = Interval::new(start_us, end_us)
            .ok_or_else(|| unsettled("it ends before it starts".to_owned()))?;
        Ok(Self { text: text.to_owned(), interval })
    }

    /// The length of the month.
    #[must_use]
    pub fn duration_us(&self) -> i64 {
        self.interval.duration_us()
    }
}

fn first_instant(year: i16, month: i8, tz: &TimeZone) -> Result<Micros, jiff::Error> {
    let midnight = Date::new(year, month, 1)?.to_zoned(tz.clone())?;
    Ok(midnight.timestamp().as_microsecond())
}

/// `YYYY-MM` and nothing else: no sign, no space, no single-digit month.
fn read_month(text: &str) -> Option<(i16, i8)> {
    let (year, month) = text.split_once('-')?;
    let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) {
        return None;
    }
    let year: i16 = year.parse().ok()?;
    let month: i8 = month.parse().ok()?;
    ((FIRST_YEAR..=LAST_YEAR).contains(&year) && (1..=12).contains(&month)).then_some((year, month))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    #[test]
    fn months_follow_the_zone_and_its_clock_changes() {
        for (text, zone, start_s, hours) in [
            ("2009-01", "UTC", 1_230_768_000, 31 * 24),
            ("2026-10", "UTC", 1_790_812_800, 31 * 24),
            // Oslo leaves summer time on 25 October 2026: one hour more.
            ("2026-10", "Europe/Oslo", 1_790_812_800 - 2 * 3600, 31 * 24 + 1),
            // Chicago enters summer time on 8 March 2026 and leaves it on 1 November.
            ("2026-03", "America/Chicago", 1_772_323_200 + 6 * 3600, 31 * 24 - 1),
            ("2026-10", "America/Chicago", 1_790_812_800 + 5 * 3600, 31 * 24),
            ("2026-11", "America/Chicago", 1_793_491_200 + 5 * 3600, 30 * 24 + 1),
            ("2024-02", "Asia/Kathmandu", 1_706_745_600 - (5 * 3600 + 45 * 60), 29 * 24),
        ] {
            let period = Period::month(text, zone).unwrap();
            assert_eq!(period.interval.start_us, start_s * 1_000_000, "{text} {zone}");
            assert_eq!(period.duration_us(), hours * HOUR_US, "{text} {zone}");
        }
    }

    #[test]
    fn one_months_end_is_the_nexts_start() {
        for zone in ["UTC", "Europe/Oslo", "America/Asuncion", "Australia/Lord_Howe"] {
            let months =
                ["2023-09", "2023-10", "2023-11", "2023-12", "2024-01", "2024-02", "2024-03", "2024-04"];
            for pair in months.windows(2) {
                let (left, right) =
                    (Period::month(pair[0], zone).unwrap(), Period::month(pair[1], zone).unwrap());
                assert_eq!(left.interval.end_us, right.interval.start_us, "{zone} {}", pair[1]);
            }
        }
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for text in [
            "",
            "2026",
            "2026-1",
            "2026-13",
            "2026-00",
            "2026-10-01",
            "+026-10",
            "2008-12",
            "9999-12",
            "２０２６-10",
        ] {
            assert_eq!(Period::month(text, "UTC").unwrap_err().code(), "WB-5120", "{text}");
        }
        assert_eq!(Period::month("2026-10", "Mars/Olympus").unwrap_err().code(), "WB-5121");
    }
}
