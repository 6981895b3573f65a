//! What the firmwares that descend from cgminer's API share: sections, and rates whose unit is in
//! the field's name.

use super::answer::{Answer, Answers, Fields};

/// Powers of ten of the rate units: `MHS` is millions of hashes per second.
const MEGA: u32 = 6;
const GIGA: u32 = 9;

/// The first element of a section such as `SUMMARY`, from whichever command gave it.
pub(super) fn section<'a>(answers: &Answers<'a>, name: &str) -> Option<Answer<'a>> {
    answers.iter().find_map(|answer| answer.section(name))
}

/// Whether any answer's status line describes itself with this word in front.
pub(super) fn described_as(answers: &Answers<'_>, word: &str) -> bool {
    answers.iter().any(|answer| {
        let wrapped = answer.section("STATUS").and_then(|status| status.fields().get("Description"));
        let flat = || answer.fields().get("Description");
        wrapped
            .or_else(flat)
            .and_then(Answer::text)
            .is_some_and(|text| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
    })
}

/// The current rate in hashes per second, shortest window first.
pub(super) fn rate_hs(summary: &Fields<'_>) -> Option<u128> {
    for window in ["5s", "1m", "5m", "av"] {
        for (prefix, places) in [("MHS", MEGA), ("GHS", GIGA)] {
            let rate = summary.get(&format!("{prefix} {window}")).and_then(|field| field.scaled(places));
            if rate.is_some() {
                return rate;
            }
        }
    }
    None
}

/// Decimal places that bring a unit such as `GH`, `GH/s` or `TH/s` to hashes per second.
pub(super) fn unit_places(unit: &str) -> Option<u32> {
    match unit.trim_end_matches("/s").trim_end_matches("S").to_ascii_uppercase().as_str() {
        "H" => Some(0),
        "KH" => Some(3),
        "MH" => Some(MEGA),
        "GH" => Some(GIGA),
        "TH" => Some(12),
        "PH" => Some(15),
        _ => None,
    }
}

/// Accepted, rejected and stale shares of a summary.
pub(super) fn shares(summary: &Fields<'_>) -> [Option<u64>; 3] {
    ["Accepted", "Rejected", "Stale"].map(|name| summary.get(name).and_then(Answer::count))
}

#[cfg(test)]
mod tests {
    use super::unit_places;

    #[test]
    fn units_are_read_with_and_without_per_second() {
        for (unit, places) in [
            ("GH", Some(9)),
            ("MH/s", Some(6)),
            ("TH/s", Some(12)),
            ("GHS", Some(9)),
            ("kH", Some(3)),
            ("W", None),
        ] {
            assert_eq!(unit_places(unit), places, "{unit}");
        }
    }
}
