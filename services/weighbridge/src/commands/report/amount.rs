//! Formats a report's whole numbers for reading.

use wb_metering::report::{Term, Unit};
use wb_units::{Currency, decimal};

/// Shown for an unknown value.
pub(super) const NOT_KNOWN: &str = "not known";

/// Decimal places of bitcoin.
const BTC_PLACES: u32 = 8;

/// Formats the value of a term.
pub(super) fn value(term: &Term, value: Option<i128>, currency: Option<Currency>) -> String {
    let Some(value) = value else { return NOT_KNOWN.to_owned() };
    let (code, scale) = currency.map_or(("minor units", 0), |currency| (currency.code(), currency.scale()));
    let money = decimal::format(value, scale);
    match term.unit {
        Unit::Count => value.to_string(),
        Unit::Sat => format!("{} BTC", decimal::format(value, BTC_PLACES)),
        Unit::Hs => rate(value),
        // The only ratio that is not shown in per cent.
        Unit::Ppm if term.name == "pue" => decimal::format(value, 6),
        Unit::Ppm => percent(value),
        Unit::MjPerTh => format!("{} J/TH", decimal::format(value, 3)),
        Unit::Wh => format!("{} kWh", decimal::format(value, 3)),
        Unit::Minor => format!("{money} {code}"),
        Unit::MinorPerBtc => format!("{money} {code}/BTC"),
        Unit::MinorPerMwh => format!("{money} {code}/MWh"),
        Unit::MinorPerPhDay => format!("{money} {code}/PH/s/day"),
        Unit::MilliGpuHours => format!("{} GPU-hours", decimal::format(value, 3)),
    }
}

/// Formats parts per million as per cent.
pub(super) fn percent(ppm: i128) -> String {
    format!("{} %", decimal::format(ppm, 4))
}

/// Formats a difference: in per cent, or as a factor if it is more than tenfold.
pub(super) fn difference(ppm: i64) -> String {
    const TENFOLD_PPM: i64 = 10_000_000;
    if ppm < TENFOLD_PPM {
        return format!("off by {}", percent(i128::from(ppm)));
    }
    format!("{} times as much", ppm / 1_000_000 + 1)
}

/// Formats a hashrate in the largest unit that leaves digits before the point, to three places, rounded down.
fn rate(hashrate_hs: i128) -> String {
    const UNITS: [(&str, i128); 6] = [
        ("EH/s", 1_000_000_000_000_000_000),
        ("PH/s", 1_000_000_000_000_000),
        ("TH/s", 1_000_000_000_000),
        ("GH/s", 1_000_000_000),
        ("MH/s", 1_000_000),
        ("kH/s", 1_000),
    ];
    let unit = UNITS.iter().find(|(_, size)| hashrate_hs.abs() >= *size);
    unit.map_or_else(
        || format!("{hashrate_hs} H/s"),
        |(name, size)| format!("{} {name}", decimal::format(hashrate_hs / (size / 1_000), 3)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_read_them() {
        let shown = |unit, amount| {
            let term = Term { name: "x".to_owned(), unit, value: Some(amount) };
            value(&term, Some(amount), Some(Currency::USD))
        };
        for (unit, amount, expected) in [
            (Unit::Sat, 2_000_000_000_000, "20000.00000000 BTC"),
            (Unit::Hs, 71, "71 H/s"),
            (Unit::Hs, 50_123_456_789_000_000_000, "50.123 EH/s"),
            (Unit::Ppm, 960_000, "96.0000 %"),
            (Unit::MjPerTh, 22_222, "22.222 J/TH"),
            (Unit::Wh, 6_240_000, "6240.000 kWh"),
            (Unit::Minor, -31_200, "-312.00 USD"),
            (Unit::MinorPerPhDay, 2_222, "22.22 USD/PH/s/day"),
            (Unit::MilliGpuHours, 1_536_000, "1536.000 GPU-hours"),
            (Unit::Count, 6, "6"),
        ] {
            assert_eq!(shown(unit, amount), expected);
        }
        assert_eq!(difference(-165_788), "off by -16.5788 %");
        assert_eq!(difference(11_500_000), "12 times as much");
        let term = Term { name: "x".to_owned(), unit: Unit::Wh, value: None };
        assert_eq!(value(&term, None, None), "not known");
    }
}
