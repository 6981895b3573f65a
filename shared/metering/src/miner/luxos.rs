//! LuxOS: cgminer's sections under the description `LUXminer`, with power and curtailment.

use super::answer::{Answer, Answers};
use super::{Family, Reading, State, cgminer};

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    if !cgminer::described_as(answers, "LUXminer") {
        return None;
    }
    let summary = cgminer::section(answers, "SUMMARY").map(Answer::fields);
    let power = cgminer::section(answers, "POWER").map(Answer::fields);
    // "None" while nothing is curtailed; a mode such as "Sleep" otherwise.
    let curtailed = cgminer::section(answers, "CONFIG")
        .and_then(|config| config.fields().get("CurtailMode"))
        .and_then(Answer::text)
        .is_some_and(|mode| mode.eq_ignore_ascii_case("sleep"));
    let [accepted_shares, rejected_shares, stale_shares] =
        summary.as_ref().map_or([None; 3], cgminer::shares);
    Some(Reading {
        family: Family::LuxOs,
        state: if curtailed { State::Curtailed } else { State::Hashing },
        algorithm: "sha256d",
        hashrate_hs: summary.as_ref().and_then(cgminer::rate_hs),
        power_mw: power.and_then(|fields| fields.get("Watts")).and_then(Answer::watts_as_mw),
        uptime_s: summary.as_ref().and_then(|fields| fields.get("Elapsed")).and_then(Answer::count),
        accepted_shares,
        rejected_shares,
        stale_shares,
    })
}
