//! Bitmain's own firmware on an Antminer.
//!
//! The rates of `stats` are in `rate_unit`, whatever prefix their names carry: scrypt models write `GHS 5s` and mean
//! megahashes, and x11 models too, also where no `rate_unit` stands beside it. `summary` of the older interface has no unit field, so it is used only where `stats` has no rate and no
//! unit that is not known, and only of SHA-256 models.
//! Power is in none of its answers.

use std::borrow::Cow;

use super::answer::{Answer, Answers, Fields};
use super::draft::{Draft, Said};
use super::reading::{Family, Reading};
use super::{bitmain_web, cgminer};

/// The one algorithm whose models mean what the prefixes of their fields say.
const SHA256D: &str = "sha256d";

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let model = model(answers)?;
    let mut draft = Draft::of(Family::AntminerStock, algorithm(&model));
    bitmain_web::fill(&mut draft, answers);
    if let Some(stats) = stats(answers) {
        draft.hashrate_hs = draft.hashrate_hs.or_else(|| stats_rate_hs(stats, draft.algorithm));
        let chips = ["chain_acn1", "chain_acn2", "chain_acn3", "chain_acn4"];
        let chips: Vec<bool> =
            chips.iter().filter_map(|name| stats.get(name)?.count()).map(|chips| chips > 0).collect();
        let listed = stats.get("miner_count").and_then(Answer::count).and_then(|n| usize::try_from(n).ok());
        // The fourth of three chains is a place without a board, not one that failed.
        draft.boards = cgminer::boards(chips.get(..listed.unwrap_or(chips.len())).unwrap_or(&chips));
    }
    let lower_case = draft.shares;
    let by_unit = (draft.hashrate_hs, draft.average);
    cgminer::fill(&mut draft, answers);
    if draft.algorithm != SHA256D || unit_is_unknown(answers) {
        (draft.hashrate_hs, draft.average) = by_unit;
    }
    if draft.shares.iter().all(Option::is_none) {
        draft.shares = lower_case;
    }
    draft.uptime_s = draft
        .uptime_s
        .or_else(|| stats(answers).and_then(|stats| stats.said(&["STATS.Elapsed"], Answer::count)));
    Some(draft.settled())
}

/// The machine's model where the firmware is Bitmain's: its version names BMMiner, or its web
/// interface a `minertype` or `INFO.type`.
fn model<'a>(answers: &Answers<'a>) -> Option<Cow<'a, str>> {
    let by_version = ["VERSION", "STATS"].into_iter().find_map(|name| {
        let fields = answers.section(name)?;
        fields.get("BMMiner")?;
        fields.get("Type")?.text()
    });
    let by_web = || answers.find(&["minertype"]).or_else(|| answers.find(&["INFO", "type"]))?.text();
    by_version.or_else(by_web).filter(|model| model.starts_with("Antminer"))
}

/// The element of `STATS` that holds the counters; the first one only gives the firmware.
fn stats<'s, 'a>(answers: &'s Answers<'a>) -> Option<&'s Fields<'a>> {
    answers.sections("STATS").find(|fields| fields.get("Elapsed").is_some())
}

/// Whether a unit stands beside a rate that no rate can be read in, such as `KSol`.
fn unit_is_unknown(answers: &Answers<'_>) -> bool {
    ["STATS", "SUMMARY"].into_iter().flat_map(|name| answers.sections(name)).any(|fields| {
        let unit = fields.get("rate_unit").and_then(Answer::text);
        unit.is_some_and(|unit| cgminer::unit_places(&unit).is_none())
    })
}

fn stats_rate_hs(stats: &Fields<'_>, algorithm: &str) -> Said<u128> {
    let named = stats.get("rate_unit").and_then(Answer::text);
    let places = match &named {
        Some(unit) => cgminer::unit_places(unit)?,
        None if algorithm == SHA256D => return cgminer::rate_hs(stats),
        // What these models mean by it, where no unit stands beside it.
        None if matches!(algorithm, "scrypt" | "x11") => {
            return stats.said(&["STATS.GHS 5s"], |rate| rate.scaled(cgminer::MEGA));
        }
        None => return None,
    };
    let names = ["STATS.GHS 5s", "STATS.rate_5s", "STATS.rate_30m", "STATS.GHS av", "STATS.rate_avg"];
    stats.said(&names, |rate| rate.scaled(places))
}

/// What a model hashes, by the letter of its series.
fn algorithm(model: &str) -> &'static str {
    let series = model.trim_start_matches("Antminer").trim_start();
    match series.bytes().next() {
        Some(b'S' | b'T') => SHA256D,
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
