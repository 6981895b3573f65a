//! LuxOS: cgminer's sections under the description `LUXminer`, with power and curtailment.

use super::answer::{Answer, Answers};
use super::cgminer;
use super::draft::Draft;
use super::reading::{Family, PowerSource, Reading, State};

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    if !cgminer::described_as(answers, "LUXminer") {
        return None;
    }
    let mut draft = Draft::of(Family::LuxOs, "sha256d");
    cgminer::fill(&mut draft, answers);
    if let Some(power) = answers.section("POWER") {
        draft.power_mw = power.said(&["POWER.Watts"], Answer::watts_as_mw);
        // `PSU` shows whether the supply was read; without it the figure comes from a model.
        if power.get("PSU").and_then(Answer::flag) == Some(true) {
            draft.power_source = PowerSource::Supply;
        }
    }
    // "None" while nothing is curtailed; a mode such as "Sleep" otherwise.
    let asleep = answers
        .section("CONFIG")
        .and_then(|config| config.get("CurtailMode")?.text())
        .is_some_and(|mode| mode.eq_ignore_ascii_case("sleep"));
    draft.stopped = asleep.then_some((State::Curtailed, "CONFIG.CurtailMode"));
    Some(draft.settled())
}
