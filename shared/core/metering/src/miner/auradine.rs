//! Auradine's Teraflux: cgminer's sections under the description `GCMiner` or `FluxOS`, the
//! supply's figures as text with their unit.

use super::answer::{Answer, Answers};
use super::cgminer;
use super::draft::Draft;
use super::reading::{Family, PowerSource, Reading, State};

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let described = cgminer::described_as(answers, "GCMiner") || cgminer::described_as(answers, "FluxOS");
    let versioned = || answers.section("VERSION").is_some_and(|version| version.get("GCMiner").is_some());
    if !described && !versioned() {
        return None;
    }
    let mut draft = Draft::of(Family::Auradine, "sha256d");
    cgminer::fill(&mut draft, answers);
    draft.power_source = PowerSource::Supply;
    draft.power_mw =
        answers.section("PSU").and_then(|supply| supply.said(&["PSU.PowerIn"], Answer::named_watts_as_mw));
    // `Mode.Power` and `Mode.Ths` are targets, not readings.
    let asleep = answers
        .section("Mode")
        .and_then(|mode| mode.get("Sleep")?.text())
        .is_some_and(|sleep| sleep.eq_ignore_ascii_case("on"));
    draft.stopped = asleep.then_some((State::Curtailed, "Mode.Sleep"));
    Some(draft.settled())
}
