//! Quantities and prices as people read them: decimals of a fixed number of places, rounded half to even, in units
//! that people use. The exact quantity stays in the ledger, and amounts are computed from it.

use ruint::aliases::U512;
use wb_units::rounding::div_half_even;
use wb_units::{Currency, decimal as text_of};

use crate::language::Language;
use crate::number::decimal;

/// A quantity and its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) number: String,
    pub(crate) unit: String,
    /// How many units of the ledger one shown unit has.
    pub(crate) per: u64,
}

impl Shown {
    pub(crate) fn text(&self) -> String {
        if self.unit.is_empty() { self.number.clone() } else { format!("{} {}", self.number, self.unit) }
    }
}

/// Quantities of this many units or more are shown in the next larger unit.
const LARGE: u64 = 1_000;

/// Places of most quantities.
const PLACES: u32 = 3;
/// Places of hours and percentages.
const SHORT_PLACES: u32 = 2;

/// A quantity of the ledger, for people.
pub(crate) fn quantity(exact: &str, unit: &str, language: Language) -> Shown {
    let words = language.words();
    let (shown_unit, per, places) = match unit {
        "kWh" if is_large(exact) => ("MWh".to_owned(), LARGE, PLACES),
        "PH/s/day" if is_large(exact) => (format!("EH/s {}", words.days), LARGE, PLACES),
        "PH/s/day" => (format!("PH/s {}", words.days), 1, PLACES),
        "percent available" => (format!("% {}", words.available), 1, SHORT_PLACES),
        "percent adjusted uptime" => (format!("% {}", words.adjusted_uptime), 1, SHORT_PLACES),
        "percent" => ("%".to_owned(), 1, SHORT_PLACES),
        "kW-month" => (words.kw_months.to_owned(), 1, PLACES),
        "period" | "charge" | "package" => (words.unit_of(unit).to_owned(), 1, 0),
        _ => match unit.rsplit_once('-') {
            Some((of, "second")) => (words.hours_of(of), 3_600, SHORT_PLACES),
            Some((of, "minute")) => (words.hours_of(of), 60, SHORT_PLACES),
            Some((of, "hour")) => (words.hours_of(of), 1, SHORT_PLACES),
            _ => (unit.to_owned(), 1, Currency::from_code(unit).map_or(PLACES, Currency::scale)),
        },
    };
    let number =
        rounded(exact, per, places).map_or_else(|| exact.to_owned(), |number| decimal(&number, language));
    Shown { number, unit: shown_unit, per }
}

/// A quantity of the ledger with its unit, for people.
#[must_use]
pub fn quantity_text(exact: &str, unit: &str, language: Language) -> String {
    quantity(exact, unit, language).text()
}

/// The price of a unit, for people: in the shown unit if the ledger's is of the quantity's unit. A price that is a
/// formula is in the annex, and the page says so.
pub(crate) fn price(exact: &str, unit: &str, shown: &Shown, language: Language) -> String {
    let words = language.words();
    if exact.is_empty() {
        return String::new();
    }
    let Some((number, of)) = exact.split_once(' ').filter(|(number, _)| is_decimal(number)) else {
        return words.see_annex.to_owned();
    };
    if let Some(rest) = of.strip_prefix("percent") {
        return format!("{} %{}", decimal(number, language), words.percent_of(rest));
    }
    match of.split_once('/') {
        Some((code, per)) if code.len() == 3 && per == unit && shown.per > 1 => {
            // A price per kWh times 1000 is one per MWh, exactly.
            let scaled = times(number, shown.per).unwrap_or_else(|| number.to_owned());
            format!("{} {code}/{}", decimal(&scaled, language), shown.unit)
        }
        Some((code, per)) if code.len() == 3 && !per.contains(' ') => {
            format!("{} {code}/{per}", decimal(number, language))
        }
        None if of.len() == 3 => format!("{} {of}", decimal(number, language)),
        _ => words.see_annex.to_owned(),
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, places) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, places].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A decimal or a fraction as sign, numerator and denominator.
fn read(text: &str) -> Option<(bool, U512, U512)> {
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (numerator, denominator) = match unsigned.split_once('/') {
        Some((numerator, denominator)) => (whole(numerator)?, whole(denominator)?),
        None => {
            let (before, after) = unsigned.split_once('.').unwrap_or((unsigned, ""));
            (whole(&format!("{before}{after}"))?, ten_to(after.len())?)
        }
    };
    (!denominator.is_zero()).then_some((negative, numerator, denominator))
}

/// An exact quantity, divided by a whole number and rounded half to even; `None` for other text.
fn rounded(text: &str, per: u64, places: u32) -> Option<String> {
    let (negative, numerator, denominator) = read(text)?;
    let numerator = numerator.checked_mul(ten_to(usize::try_from(places).ok()?)?)?;
    let denominator = denominator.checked_mul(U512::from(per))?;
    Some(text_of::format(div_half_even(numerator, denominator, negative)?, places))
}

/// A decimal times a whole number, with at least two places.
fn times(text: &str, factor: u64) -> Option<String> {
    let places = text.split_once('.').map_or(0, |(_, after)| after.len());
    let (negative, numerator, denominator) = read(text)?;
    let scaled = div_half_even(numerator.checked_mul(U512::from(factor))?, U512::ONE, negative)?;
    debug_assert_eq!(Some(denominator), ten_to(places));
    let mut product = text_of::format(scaled, u32::try_from(places).ok()?);
    while product.split_once('.').is_some_and(|(_, after)| after.len() > 2 && after.ends_with('0')) {
        product.pop();
    }
    Some(product)
}

fn is_large(exact: &str) -> bool {
    read(exact).is_some_and(|(_, numerator, denominator)| {
        denominator.checked_mul(U512::from(LARGE)).is_some_and(|bound| numerator >= bound)
    })
}

fn whole(digits: &str) -> Option<U512> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { U512::from_str_radix(digits, 10).ok() } else { None }
}

fn ten_to(places: usize) -> Option<U512> {
    (0..places).try_fold(U512::ONE, |power, _| power.checked_mul(U512::from(10_u8)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(exact: &str, unit: &str) -> String {
        quantity(exact, unit, Language::English).text()
    }

    #[test]
    fn quantities_are_decimals_in_units_that_people_use() {
        for (exact, unit, english, spanish) in [
            ("172800", "GPU-second", "48.00 GPU-hours", "48,00 horas de GPU"),
            ("100/7", "GPU-hour", "14.29 GPU-hours", "14,29 horas de GPU"),
            ("90", "slice-minute", "1.50 slice-hours", "1,50 horas de fracción"),
            ("9175/93", "percent available", "98.66 % available", "98,66 % de disponibilidad"),
            ("2410387.200", "kWh", "2,410.387 MWh", "2410,387 MWh"),
            ("72.500001", "kWh", "72.500 kWh", "72,500 kWh"),
            ("-0.0005", "kWh", "0.000 kWh", "0,000 kWh"),
            ("12500", "PH/s/day", "12.500 EH/s days", "12,500 EH/s días"),
            ("12.5", "PH/s/day", "12.500 PH/s days", "12,500 PH/s días"),
            ("187011.32", "USD", "187,011.32 USD", "187.011,32 USD"),
            ("1", "period", "1 period", "1 periodo"),
            ("267", "difficulty", "267.000 difficulty", "267,000 difficulty"),
            ("by hand", "jobs", "by hand jobs", "by hand jobs"),
        ] {
            assert_eq!(shown(exact, unit), english);
            assert_eq!(quantity(exact, unit, Language::Spanish).text(), spanish);
        }
    }

    #[test]
    fn halves_go_to_the_even_digit() {
        for (exact, expected) in
            [("0.0005", "0.000"), ("0.0015", "0.002"), ("0.0025", "0.002"), ("-0.0015", "-0.002")]
        {
            assert_eq!(rounded(exact, 1, 3).as_deref(), Some(expected));
        }
        assert_eq!(rounded("1/0", 1, 3), None);
    }

    #[test]
    fn prices_are_of_the_shown_unit_and_formulas_are_in_the_annex() {
        let of = |exact: &str, of: &str, unit: &str| {
            price(exact, unit, &quantity(of, unit, Language::English), Language::English)
        };
        assert_eq!(of("3.99 USD/GPU-hour", "172800", "GPU-second"), "3.99 USD/GPU-hour");
        assert_eq!(of("0.0725 USD/kWh", "2410387.2", "kWh"), "72.50 USD/MWh");
        assert_eq!(of("0.0725 USD/kWh", "12", "kWh"), "0.0725 USD/kWh");
        assert_eq!(of("5 percent", "187011.32", "USD"), "5 %");
        assert_eq!(of("25 percent credited", "9175/93", "percent available"), "25 % credited");
        assert_eq!(of("", "1", "period"), "");
        for formula in [
            "T(nbits) x (subsidy_sat + 2500000) / D1 satoshi per difficulty, by group",
            "0.05 USD/kWh to 1000, then 0.04 USD/kWh",
            "series ercot-west + 0.01 USD/kWh",
        ] {
            assert_eq!(of(formula, "1", "kWh"), "see annex", "{formula}");
        }
    }
}
