//! Bitmain's own firmware on an Antminer.
//!
//! The rates of `stats` are in `rate_unit`, whatever prefix their names carry: scrypt models say
//! `GHS 5s` and mean megahashes. `summary` has no unit field, so it is believed only where
//! `stats` has no rate. Power is in none of its answers.

use super::answer::{Answer, Answers, Fields};
use super::{Family, Reading, State, cgminer};

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let model = model(answers)?;
    let summary = cgminer::section(answers, "SUMMARY").map(Answer::fields);
    let stats = stats(answers);
    let hashrate_hs =
        stats.as_ref().and_then(stats_rate_hs).or_else(|| summary.as_ref().and_then(cgminer::rate_hs));
    let [accepted_shares, rejected_shares, stale_shares] =
        summary.as_ref().map_or([None; 3], cgminer::shares);
    let elapsed = summary.as_ref().and_then(|fields| fields.get("Elapsed"));
    let uptime_s = elapsed.or_else(|| stats.as_ref()?.get("Elapsed")).and_then(Answer::count);
    Some(Reading {
        family: Family::AntminerStock,
        state: State::Hashing,
        algorithm: algorithm(&model),
        hashrate_hs,
        power_mw: None,
        uptime_s,
        accepted_shares,
        rejected_shares,
        stale_shares,
    })
}

/// The machine's model where the firmware is Bitmain's: its version names BMMiner, or its web
/// interface a `minertype`.
fn model(answers: &Answers<'_>) -> Option<String> {
    let by_version = ["VERSION", "STATS"].into_iter().find_map(|name| {
        let fields = cgminer::section(answers, name)?.fields();
        fields.get("BMMiner")?;
        fields.get("Type")?.text()
    });
    let model = by_version.or_else(|| answers.find(&["minertype"])?.text())?;
    model.starts_with("Antminer").then(|| model.into_owned())
}

/// The element of `STATS` that holds the counters: the first one only names the firmware.
fn stats<'a>(answers: &Answers<'a>) -> Option<Fields<'a>> {
    answers
        .iter()
        .filter_map(|answer| answer.fields().get("STATS"))
        .flat_map(Answer::items)
        .map(Answer::fields)
        .find(|fields| fields.get("Elapsed").is_some())
}

fn stats_rate_hs(stats: &Fields<'_>) -> Option<u128> {
    let named = stats.get("rate_unit").and_then(Answer::text);
    let places = match &named {
        Some(unit) => cgminer::unit_places(unit)?,
        None => return cgminer::rate_hs(stats),
    };
    stats.first_of(&["GHS 5s", "rate_5s", "rate_30m", "GHS av", "rate_avg"])?.scaled(places)
}

/// What a model hashes, by the letter of its series.
fn algorithm(model: &str) -> &'static str {
    let series = model.trim_start_matches("Antminer").trim_start();
    match series.bytes().next() {
        Some(b'S' | b'T') => "sha256d",
        Some(b'L') => "scrypt",
        Some(b'D') => "x11",
        Some(b'Z') => "equihash",
        Some(b'K') => match series.get(..3) {
            Some("KS3" | "KS5" | "KS7") => "kheavyhash",
            _ => "unknown",
        },
        _ => "unknown",
    }
}
