//! Firmware that is not known by its own words and speaks cgminer's sections: VNish, MSKMiner and others. What stands in
//! a stated unit is read, and no more. What such a machine hashes is not said, so its rates are never added to those of
//! a known algorithm; power is not in these sections.

use super::answer::{Answer, Answers, Fields};
use super::cgminer;
use super::draft::{Draft, Said};
use super::reading::{Average, Downtime, Family, Reading};

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let has_rate = |fields: &&Fields<'_>| rate_hs(fields).is_some();
    let stats = answers.sections("STATS").find(has_rate);
    let summary = answers.sections("SUMMARY").find(has_rate);
    // A version says that these are a machine's answers, and not some other object with such a field.
    if answers.section("VERSION").is_none() || (stats.is_none() && summary.is_none()) {
        return None;
    }
    let mut draft = Draft::of(Family::Cgminer, "unknown");
    draft.hashrate_hs = stats.filter(|fields| fields.get("rate_unit").is_some()).and_then(rate_hs);
    draft.average = stats.and_then(|fields| {
        let (hashrate_hs, name) = by_unit(fields, &["STATS.GHS av", "STATS.rate_avg"])?;
        Some((Average { hashrate_hs, downtime: Downtime::NotSaid }, name))
    });
    draft.uptime_s =
        answers.section("SUMMARY").and_then(|fields| fields.said(&["SUMMARY.Elapsed"], Answer::count));
    draft.uptime_s =
        draft.uptime_s.or_else(|| stats.and_then(|fields| fields.said(&["STATS.Elapsed"], Answer::count)));
    cgminer::fill(&mut draft, answers);
    draft.hashrate_hs = draft.hashrate_hs.or_else(|| stats.and_then(rate_hs));
    Some(draft.settled())
}

/// The rate of now: in the unit that stands beside it, or in that of its name.
fn rate_hs(fields: &Fields<'_>) -> Said<u128> {
    match fields.get("rate_unit") {
        Some(_) => by_unit(fields, &["STATS.GHS 5s", "STATS.rate_5s", "STATS.rate_30m"]),
        None => cgminer::rate_hs(fields),
    }
}

fn by_unit(fields: &Fields<'_>, names: &[&'static str]) -> Said<u128> {
    let places = cgminer::unit_places(&fields.get("rate_unit")?.text()?)?;
    fields.said(names, |rate| rate.scaled(places))
}
