//! What the firmwares with cgminer's API share: sections, and rates whose unit is in the field's name.

use super::answer::{Answer, Answers, Fields, suffixed};
use super::draft::{Draft, Said};
use super::reading::{Average, Boards, Downtime, Family, ShareDifficulty};

/// Powers of ten of the rate units: `MHS` is millions of hashes per second.
pub(super) const MEGA: u32 = 6;
pub(super) const GIGA: u32 = 9;

/// The fields of a current rate, shortest window first.
const RATES: [(&str, u32); 8] = [
    ("SUMMARY.MHS 5s", MEGA),
    ("SUMMARY.GHS 5s", GIGA),
    ("SUMMARY.MHS 1m", MEGA),
    ("SUMMARY.GHS 1m", GIGA),
    ("SUMMARY.MHS 5m", MEGA),
    ("SUMMARY.GHS 5m", GIGA),
    ("SUMMARY.MHS av", MEGA),
    ("SUMMARY.GHS av", GIGA),
];

/// Whether any answer's status line has a description that begins with this word.
pub(super) fn described_as(answers: &Answers<'_>, word: &str) -> bool {
    answers.sections("STATUS").chain(answers.tops()).any(|fields| {
        fields
            .get("Description")
            .and_then(Answer::text)
            .is_some_and(|text| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
    })
}

/// The current rate in hashes per second, shortest window first.
pub(super) fn rate_hs(summary: &Fields<'_>) -> Said<u128> {
    RATES.iter().find_map(|(name, places)| summary.said(&[name], |field| field.scaled(*places)))
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

/// Fills in what `SUMMARY`, `POOLS` and `DEVS` give: rate, uptime, shares, difficulty, average and boards. A family
/// fills in first what it reads elsewhere.
pub(super) fn fill(draft: &mut Draft, answers: &Answers<'_>) {
    let pools = answers.list("POOLS");
    if let Some(summary) = answers.section("SUMMARY") {
        draft.hashrate_hs = draft.hashrate_hs.or_else(|| rate_hs(summary));
        draft.uptime_s = draft.uptime_s.or_else(|| summary.said(&["SUMMARY.Elapsed"], Answer::count));
        let names = ["SUMMARY.Accepted", "SUMMARY.Rejected", "SUMMARY.Stale"];
        draft.shares = names.map(|name| summary.said(&[name], Answer::count));
        draft.accepted_difficulty = summary.get("Difficulty Accepted").and_then(|sum| sum.scaled(0));
        draft.average = draft.average.or_else(|| average(summary));
    } else if !pools.is_empty() {
        let names = ["POOLS.Accepted", "POOLS.Rejected", "POOLS.Stale"];
        draft.shares = names.map(|name| sum_of(&pools, name));
    }
    draft.share_difficulty =
        draft.share_difficulty.or_else(|| pools.iter().find_map(|pool| share_difficulty(pool)));
    let devices = answers.list("DEVS");
    if draft.boards.is_none() && !devices.is_empty() {
        let states: Vec<bool> = devices.iter().map(|device| is_working(device)).collect();
        draft.boards = boards(&states);
        // Bitmain's own firmware always writes zeros there.
        if draft.family != Family::AntminerStock {
            draft.hashrate_hs = draft.hashrate_hs.or_else(|| devices_rate_hs(&devices));
        }
    }
}

/// The sum of a counter over all pools; `None` where none of them gives it.
pub(super) fn sum_of(pools: &[&Fields<'_>], name: &'static str) -> Said<u64> {
    let counts = pools.iter().filter_map(|pool| pool.said(&[name], Answer::count));
    counts.fold(None, |sum, (count, name)| {
        Some((sum.map_or(0, |(sum, _): (u64, _)| sum).saturating_add(count), name))
    })
}

/// The difficulty of the pool in use, exact figures before those with a suffix.
fn share_difficulty(pool: &Fields<'_>) -> Option<ShareDifficulty> {
    let in_use = pool.get("Stratum Active").and_then(Answer::flag).unwrap_or(false);
    let exact = ["Stratum Difficulty", "Last Share Difficulty"];
    let exact = exact.iter().find_map(|name| pool.get(name)?.scaled(0).filter(|value| *value > 0));
    let found = exact.map(|value| (value, false)).or_else(|| suffixed(&pool.get("Diff")?.text()?));
    let (value, rounded) = found.filter(|_| in_use)?;
    Some(ShareDifficulty { value, rounded })
}

/// A device counts where it is enabled and alive: a disabled one keeps the rate it had when it was last enabled.
fn is_working(device: &Fields<'_>) -> bool {
    let enabled = device.get("Enabled").and_then(Answer::flag).unwrap_or(true);
    let alive = device.get("Status").and_then(Answer::text).is_none_or(|text| text == "Alive");
    enabled && alive
}

/// The sum of the working devices' rates; `None` where none of them gives one.
fn devices_rate_hs(devices: &[&Fields<'_>]) -> Said<u128> {
    let working = devices.iter().filter(|device| is_working(device));
    let rates = working.filter_map(|device| device.said(&["DEVS.MHS 5s"], |rate| rate.scaled(MEGA)));
    rates.fold(None, |sum, (rate, name)| {
        Some((sum.map_or(0, |(sum, _): (u128, _)| sum).saturating_add(rate), name))
    })
}

/// Counts boards; `None` where none is listed.
pub(super) fn boards(working: &[bool]) -> Option<Boards> {
    let listed = u32::try_from(working.len()).ok().filter(|listed| *listed > 0)?;
    let working = u32::try_from(working.iter().filter(|works| **works).count()).ok()?;
    Some(Boards { working, listed })
}

/// The average since the start, checked against the total work where that is plausible.
pub(super) fn average(summary: &Fields<'_>) -> Said<Average> {
    let (hashrate_hs, name) = summary
        .said(&["SUMMARY.MHS av"], |rate| rate.scaled(MEGA))
        .or_else(|| summary.said(&["SUMMARY.GHS av"], |rate| rate.scaled(GIGA)))?;
    let total = summary.get("Total MH").and_then(|total| total.scaled(MEGA));
    let elapsed_s = summary.get("Elapsed").and_then(Answer::count);
    Some((Average { hashrate_hs, downtime: downtime(hashrate_hs, total, elapsed_s) }, name))
}

/// Whether an average counts downtime, from the total work over the elapsed time. A total of less than half of that
/// is not used: LuxOS writes the rate of one second there.
pub(super) fn downtime(average_hs: u128, total_hashes: Option<u128>, elapsed_s: Option<u64>) -> Downtime {
    let (Some(total), Some(elapsed_s)) = (total_hashes, elapsed_s) else { return Downtime::NotSaid };
    let expected = average_hs.saturating_mul(u128::from(elapsed_s));
    if expected == 0 || total < expected / 2 {
        Downtime::NotSaid
    } else if total.abs_diff(expected) <= expected / 100 {
        Downtime::Counted
    } else if total < expected {
        Downtime::LeftOut
    } else {
        Downtime::NotSaid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_average_is_held_against_the_total() {
        for (total, elapsed_s, expected) in [
            (Some(10_000), Some(100), Downtime::Counted),
            (Some(9_910), Some(100), Downtime::Counted),
            (Some(8_000), Some(100), Downtime::LeftOut),
            (Some(100), Some(100), Downtime::NotSaid),
            (Some(20_000), Some(100), Downtime::NotSaid),
            (None, Some(100), Downtime::NotSaid),
            (Some(0), Some(0), Downtime::NotSaid),
        ] {
            assert_eq!(downtime(100, total, elapsed_s), expected, "{total:?} in {elapsed_s:?} s");
        }
    }
}
