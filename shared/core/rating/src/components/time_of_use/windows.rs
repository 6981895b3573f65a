//! Windows of local time: days, hours and months.
//!
//! A window from 22:00 to 06:00 begins on its day and reaches into the next. A day that is in the list of
//! holidays is of the kind `holiday` and of no weekday; a window without `days` holds on all days.
//! An hour that a clock change repeats is in its window twice, one that it skips not at all.

use jiff::civil::{Date, DateTime, Weekday};

use crate::document::Node;
use crate::error::ContractError;
use crate::fields::{Fields, choice, shorten, text_of};

/// The names of days, Monday first.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// The name of the days in the list of holidays.
const HOLIDAY: &str = "holiday";

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// A time that recurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The weekdays on which it begins; empty for all days, unless it lists holidays alone.
    pub weekdays: Vec<Weekday>,
    /// Whether it begins on holidays.
    pub on_holidays: bool,
    /// The months in which it begins, 1 to 12; all where it is empty.
    pub months: Vec<u8>,
    /// Minutes after midnight at which it begins.
    pub from_minute: u16,
    /// Minutes after midnight at which it ends; not after `from_minute` where it reaches into the next day.
    pub to_minute: u16,
}

impl Window {
    /// Whether a local time is in it.
    #[must_use]
    pub fn holds(&self, local: DateTime, holidays: &[Date]) -> bool {
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
        let today = local.date();
        if self.from_minute < self.to_minute {
            return self.from_minute <= minute && minute < self.to_minute && self.begins_on(today, holidays);
        }
        let begun = minute >= self.from_minute && self.begins_on(today, holidays);
        let yesterday = || today.yesterday().is_ok_and(|date| self.begins_on(date, holidays));
        begun || (minute < self.to_minute && yesterday())
    }

    fn begins_on(&self, date: Date, holidays: &[Date]) -> bool {
        let month = u8::try_from(date.month()).unwrap_or(0);
        if !self.months.is_empty() && !self.months.contains(&month) {
            return false;
        }
        if self.weekdays.is_empty() && !self.on_holidays {
            return true;
        }
        if holidays.binary_search(&date).is_ok() {
            return self.on_holidays;
        }
        self.weekdays.contains(&date.weekday())
    }
}

/// Reads the `windows` of a rate; none where it is left out.
pub(crate) fn read_windows(rate: &mut Fields<'_>) -> Result<Vec<Window>, ContractError> {
    let mut windows = Vec::new();
    for node in rate.list("windows")? {
        let mut fields = Fields::of(node, &[])?;
        let (mut weekdays, mut on_holidays, mut months) = (Vec::new(), false, Vec::new());
        for day in fields.list("days")? {
            let name = text_of(day)?;
            match DAYS.iter().find(|(known, _)| *known == name) {
                Some((_, weekday)) => weekdays.push(*weekday),
                None if name == HOLIDAY => on_holidays = true,
                None => {
                    return Err(choice(day, "write mon, tue, wed, thu, fri, sat, sun or holiday".to_owned()));
                }
            }
        }
        for month in fields.list("months")? {
            let number = match &month.value {
                crate::document::Value::Whole(digits) => {
                    digits.parse().ok().filter(|number| (1..=12).contains(number))
                }
                _ => None,
            };
            months.push(
                number.ok_or_else(|| choice(month, "write the number of a month, 1 to 12".to_owned()))?,
            );
        }
        let from_minute = minute(fields.required("from")?)?;
        let end = fields.required("to")?;
        let to_minute = minute(end)?;
        if from_minute == DAY_MINUTES || from_minute == to_minute {
            return Err(wrong_time(
                end,
                "a window begins before 24:00 and has a length; write 00:00 to 24:00 for a day",
            ));
        }
        fields.finish()?;
        windows.push(Window { weekdays, on_holidays, months, from_minute, to_minute });
    }
    Ok(windows)
}

/// Reads `holidays`: dates, sorted here.
pub(crate) fn read_holidays(fields: &mut Fields<'_>) -> Result<Vec<Date>, ContractError> {
    let mut dates = Vec::new();
    for node in fields.list("holidays")? {
        let text = text_of(node)?;
        let date: Option<Date> = text.parse().ok().filter(|_| text.len() == 10);
        dates.push(date.ok_or_else(|| wrong_time(node, "write a date, such as 2026-12-25"))?);
    }
    dates.sort_unstable();
    dates.dedup();
    Ok(dates)
}

/// `HH:MM` on the five-minute grid, up to 24:00.
fn minute(node: &Node) -> Result<u16, ContractError> {
    let right = "write a time of day on a five-minute boundary from 00:00 to 24:00, such as 14:30";
    let text = text_of(node)?;
    let read = |part: &str| -> Option<u16> {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| plain)
    };
    // TOML's local times have seconds.
    let short = text.strip_suffix(":00").filter(|short| short.contains(':')).unwrap_or(text);
    let parts = short.split_once(':').and_then(|(hour, minute)| read(hour).zip(read(minute)));
    parts
        .filter(|(_, minute)| *minute < 60 && minute % 5 == 0)
        .map(|(hour, minute)| hour * 60 + minute)
        .filter(|minutes| *minutes <= DAY_MINUTES)
        .ok_or_else(|| wrong_time(node, right))
}

fn wrong_time(node: &Node, right: &'static str) -> ContractError {
    let value = text_of(node).map(shorten).unwrap_or_default();
    ContractError::Moment { field: node.place.clone(), value, right }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn windows(json: &str) -> Result<Vec<Window>, ContractError> {
        let node = Node::from_json(&format!(r#"{{"windows":[{json}]}}"#)).unwrap();
        read_windows(&mut Fields::of(&node, &[]).unwrap())
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins_on() {
        let window = windows(r#"{"days":["fri","holiday"],"months":[12],"from":"22:00","to":"06:00"}"#)
            .unwrap()
            .remove(0);
        let holidays = [date(2026, 12, 24)];
        for (day, hour, expected) in [
            // Friday 18 December to Saturday.
            (date(2026, 12, 18), 21, false),
            (date(2026, 12, 18), 22, true),
            (date(2026, 12, 19), 5, true),
            (date(2026, 12, 19), 6, false),
            (date(2026, 12, 19), 22, false),
            // A Thursday that is a holiday, and the Friday after it.
            (date(2026, 12, 24), 23, true),
            (date(2026, 12, 25), 3, true),
            // The window of Friday, 27 November, does not begin in December.
            (date(2026, 11, 27), 23, false),
            // That of 25 December 2026 reaches into the 26th.
            (date(2026, 12, 26), 1, true),
        ] {
            assert_eq!(window.holds(day.at(hour, 0, 0, 0), &holidays), expected, "{day} {hour}");
        }
    }

    #[test]
    fn days_and_times_that_cannot_be_are_refused() {
        for (json, code) in [
            (r#"{"from":"14:03","to":"20:00"}"#, "WB-5112"),
            (r#"{"from":"2:00","to":"20:00"}"#, "WB-5112"),
            (r#"{"from":"25:00","to":"20:00"}"#, "WB-5112"),
            (r#"{"from":"14:00","to":"14:00"}"#, "WB-5112"),
            (r#"{"from":"24:00","to":"06:00"}"#, "WB-5112"),
            (r#"{"days":["monday"],"from":"14:00","to":"20:00"}"#, "WB-5113"),
            (r#"{"months":[13],"from":"14:00","to":"20:00"}"#, "WB-5113"),
            (r#"{"day":["mon"],"from":"14:00","to":"20:00"}"#, "WB-5101"),
        ] {
            assert_eq!(windows(json).unwrap_err().code(), code, "{json}");
        }
        assert_eq!(windows(r#"{"from":"00:00","to":"24:00"}"#).unwrap()[0].to_minute, 1440);
    }
}
