//! Bitdeer's SealMiner: cgminer's sections under the description `bdminer`, and a web interface with answers for
//! system and supply.

use super::answer::{Answer, Answers};
use super::cgminer;
use super::draft::Draft;
use super::reading::{Family, PowerSource, Reading};

const BOARDS_MAX: usize = 8;

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let branded = || {
        answers
            .find(&["brand"])
            .and_then(Answer::text)
            .is_some_and(|brand| brand.eq_ignore_ascii_case("Sealminer"))
    };
    if !cgminer::described_as(answers, "bdminer") && !branded() {
        return None;
    }
    let mut draft = Draft::of(Family::SealMiner, "sha256d");
    if let Some(stats) = answers.section("STATS") {
        let online: Vec<bool> = (0..BOARDS_MAX)
            .map_while(|board| stats.get(&format!("{board} Online")).and_then(Answer::flag))
            .collect();
        draft.boards = cgminer::boards(&online);
    }
    // The supply's answer has no name of its own; voltage times current, its output, is a little less than its power,
    // which is therefore the input in watts.
    draft.power_source = PowerSource::Supply;
    draft.power_mw = answers
        .tops()
        .find(|fields| fields.get("Online").is_some() && fields.get("StatusCode").is_some())
        .and_then(|supply| supply.said(&["psu.Power"], Answer::watts_as_mw));
    cgminer::fill(&mut draft, answers);
    Some(draft.settled())
}
