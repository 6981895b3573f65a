//! Columns and their values.

use serde_json::Value;
use wb_units::time::{day_start, rfc3339};
use wb_units::{Currency, Money, decimal};

/// Digits of the decimals of a Parquet file, the most that readers take.
pub(crate) const DECIMAL_DIGITS: u32 = 38;
/// Places of money in a Parquet file: as many as the finest currency has, bitcoin with 8.
pub(crate) const MONEY_PLACES: u32 = 8;
/// Places of other decimals in a Parquet file, and the most that a division is written with.
pub(crate) const NUMBER_PLACES: u32 = 12;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// One of few texts.
    Word,
    /// JSON: text in CSV and Parquet, the value itself in JSON lines.
    Json,
    /// A count or an offset, up to 2^53 - 1.
    Count,
    /// Minor units of the row's currency: cents, satoshi.
    Minor,
    /// Money, as decimal text with all places of its currency; `DECIMAL(38, 8)` in Parquet.
    Money,
    /// Another exact decimal; `DECIMAL(38, 12)` in Parquet.
    Number,
    /// An instant: ISO 8601 in UTC; microseconds in Parquet.
    Instant,
    /// A calendar day in UTC, as days since 1970-01-01.
    Day,
    /// Yes or no.
    Flag,
}

impl Kind {
    /// The type's name in the control totals.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text | Self::Word => "text",
            Self::Json => "json",
            Self::Count => "integer",
            Self::Minor => "integer minor units",
            Self::Money | Self::Number => "decimal",
            Self::Instant => "instant, ISO 8601 UTC",
            Self::Day => "date",
            Self::Flag => "boolean",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be empty.
    pub nullable: bool,
}

impl Column {
    pub(crate) const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, nullable: false }
    }

    pub(crate) const fn or_null(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, nullable: true }
    }
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Text, of a column of text or words.
    Text(String),
    Json(Value),
    Count(u64),
    /// Minor units.
    Minor(i128),
    Money(Money),
    /// A decimal: `unscaled` in units of 10^-`places`.
    Number {
        /// The digits.
        unscaled: i128,
        places: u32,
    },
    /// An instant, UTC microseconds.
    Instant(i64),
    /// Days since 1970-01-01.
    Day(i32),
    /// Yes or no.
    Flag(bool),
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn or_null(text: &str) -> Self {
        if text.is_empty() { Self::Null } else { Self::Text(text.to_owned()) }
    }

    pub(crate) fn money(minor: i128, currency: Currency) -> Self {
        Self::Money(Money { minor, currency })
    }

    /// A number without zeros at its end.
    pub(crate) fn number(mut unscaled: i128, mut places: u32) -> Self {
        while places > 0 && unscaled % 10 == 0 {
            unscaled /= 10;
            places -= 1;
        }
        Self::Number { unscaled, places }
    }

    /// The value as in CSV before quoting, and as in JSON if it is text there.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) => text.clone(),
            Self::Json(value) => value.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Minor(minor) => minor.to_string(),
            Self::Money(money) => money.decimal_text(),
            Self::Number { unscaled, places } => decimal::format(*unscaled, *places),
            Self::Instant(at_us) => rfc3339(*at_us),
            Self::Day(day) => day_text(*day),
            Self::Flag(flag) => flag.to_string(),
        }
    }

    /// An upper bound of the value's bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 32,
            Self::Json(value) => value.to_string().len() + 32,
            _ => 32,
        }
    }
}

/// A day by ISO 8601.
pub(crate) fn day_text(day: i32) -> String {
    rfc3339(day_start(day)).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_spelling() {
        let btc = Currency::from_code("BTC").unwrap();
        let jpy = Currency::from_code("JPY").unwrap();
        for (cell, expected) in [
            (Cell::money(-17_475_307, Currency::USD), "-174753.07"),
            (Cell::money(5, Currency::USD), "0.05"),
            (Cell::money(1, btc), "0.00000001"),
            (Cell::money(-9, jpy), "-9"),
            (Cell::number(2_410_387_200, 3), "2410387.2"),
            (Cell::number(-1_000, 3), "-1"),
            (Cell::number(0, 3), "0"),
            (Cell::Instant(1_790_812_800_000_000), "2026-10-01T00:00:00Z"),
            (Cell::Instant(1_790_812_800_000_001), "2026-10-01T00:00:00.000001Z"),
            (Cell::Day(20_727), "2026-10-01"),
            (Cell::Day(-1), "1969-12-31"),
            (Cell::Flag(true), "true"),
            (Cell::Minor(i128::MIN), "-170141183460469231731687303715884105728"),
        ] {
            assert_eq!(cell.plain(), expected);
        }
    }
}
