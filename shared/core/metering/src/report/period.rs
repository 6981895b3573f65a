//! The periods of a report: a day, a month, a quarter or a year, in a site's time zone.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use wb_units::Interval;

/// A calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReportPeriod {
    first: Date,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Day,
    Month,
    Quarter,
    Year,
}

/// Why a period was refused.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportPeriodError {
    /// Not of a known form.
    #[code("WB-3141")]
    #[error(
        "{text:?} is no period: write a day 2026-10-31, a month 2026-10, a quarter 2026-Q3 or a year 2026"
    )]
    UnknownForm {
        /// What was given.
        text: String,
    },
    /// The time zone is not known.
    #[code("WB-3142")]
    #[error("{name:?} is no time zone: write one of the IANA database, such as America/Chicago or UTC")]
    UnknownZone {
        /// What was given.
        name: String,
    },
}

impl ReportPeriod {
    /// Reads `2026-10-31`, `2026-10`, `2026-Q3` or `2026`.
    ///
    /// # Errors
    /// [`ReportPeriodError::UnknownForm`].
    pub fn parse(text: &str) -> Result<Self, ReportPeriodError> {
        read(text).ok_or_else(|| ReportPeriodError::UnknownForm { text: text.chars().take(40).collect() })
    }

    /// The period of the same kind before this one.
    #[must_use]
    pub fn before(&self) -> Option<Self> {
        let first = match self.kind {
            Kind::Day => self.first.yesterday().ok()?,
            Kind::Month => months_later(self.first, -1)?,
            Kind::Quarter => months_later(self.first, -3)?,
            Kind::Year => months_later(self.first, -12)?,
        };
        Some(Self { first, kind: self.kind })
    }

    /// Its instants in a time zone: from the first midnight to the one after its last day, so that
    /// a day with a clock change has 23 or 25 hours.
    ///
    /// # Errors
    /// [`ReportPeriodError::UnknownZone`].
    pub fn interval(&self, zone: &str) -> Result<Interval, ReportPeriodError> {
        let unknown = || ReportPeriodError::UnknownZone { name: zone.chars().take(60).collect() };
        let zone = TimeZone::get(zone).map_err(|_| unknown())?;
        let midnight = |day: Date| {
            day.to_zoned(zone.clone())
                .map(|midnight| midnight.timestamp().as_microsecond())
                .map_err(|_| unknown())
        };
        let next = match self.kind {
            Kind::Day => self.first.tomorrow().ok(),
            Kind::Month => months_later(self.first, 1),
            Kind::Quarter => months_later(self.first, 3),
            Kind::Year => months_later(self.first, 12),
        };
        let (start_us, end_us) = (midnight(self.first)?, midnight(next.ok_or_else(unknown)?)?);
        Ok(Interval { start_us, end_us })
    }
}

impl std::fmt::Display for ReportPeriod {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = (self.first.year(), self.first.month(), self.first.day());
        match self.kind {
            Kind::Day => write!(formatter, "{year:04}-{month:02}-{day:02}"),
            Kind::Month => write!(formatter, "{year:04}-{month:02}"),
            Kind::Quarter => write!(formatter, "{year:04}-Q{}", (month + 2) / 3),
            Kind::Year => write!(formatter, "{year:04}"),
        }
    }
}

fn read(text: &str) -> Option<ReportPeriod> {
    let number = |digits: &str, length: usize| -> Option<i16> {
        let is_number = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4).filter(|year| (1970..=9998).contains(year))?;
    let (month, day, kind) = match (parts.next(), parts.next(), parts.next()) {
        (None, None, None) => (1, 1, Kind::Year),
        (Some(quarter), None, None) if quarter.starts_with('Q') => {
            let quarter = number(quarter.get(1..)?, 1).filter(|quarter| (1..=4).contains(quarter))?;
            (quarter * 3 - 2, 1, Kind::Quarter)
        }
        (Some(month), None, None) => (number(month, 2)?, 1, Kind::Month),
        (Some(month), Some(day), None) => (number(month, 2)?, number(day, 2)?, Kind::Day),
        _ => return None,
    };
    let first = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    Some(ReportPeriod { first, kind })
}

/// The first of a month some months away.
fn months_later(first: Date, months: i32) -> Option<Date> {
    let index = i32::from(first.year()) * 12 + i32::from(first.month()) - 1 + months;
    let year = i16::try_from(index.div_euclid(12)).ok().filter(|year| (1..=9999).contains(year))?;
    let month = i8::try_from(index.rem_euclid(12) + 1).ok()?;
    Some(date(year, month, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_shown_and_have_one_before() {
        for (text, before, hours) in [
            ("2026-10-31", "2026-10-30", 24),
            ("2026-03-01", "2026-02-28", 24),
            ("2026-10", "2026-09", 31 * 24),
            ("2026-01", "2025-12", 31 * 24),
            ("2026-Q3", "2026-Q2", 92 * 24),
            ("2026-Q1", "2025-Q4", 90 * 24),
            ("2026", "2025", 365 * 24),
        ] {
            let period = ReportPeriod::parse(text).unwrap();
            assert_eq!(period.to_string(), text);
            assert_eq!(period.before().unwrap().to_string(), before);
            let interval = period.interval("UTC").unwrap();
            assert_eq!(interval.duration_us() / 3_600_000_000, hours, "{text}");
            assert_eq!(period.before().unwrap().interval("UTC").unwrap().end_us, interval.start_us);
        }
    }

    #[test]
    fn a_day_with_a_clock_change_is_longer_or_shorter() {
        let hours = |text: &str| {
            let interval = ReportPeriod::parse(text).unwrap().interval("America/Chicago").unwrap();
            interval.duration_us() / 3_600_000_000
        };
        assert_eq!((hours("2026-03-08"), hours("2026-11-01"), hours("2026-11")), (23, 25, 721));
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in
            ["", "2026-13", "2026-02-30", "2026-Q5", "2026-Q", "26-10", "2026-1", "2026-10-31-1", "20x6"]
        {
            assert_eq!(ReportPeriod::parse(text).unwrap_err().code(), "WB-3141", "{text}");
        }
        let month = ReportPeriod::parse("2026-10").unwrap();
        assert_eq!(month.interval("Mars/Olympus").unwrap_err().code(), "WB-3142");
    }
}
