//! AxeOS of the Bitaxe: one `system/info` object; the rate in GH/s, power in watts.

use super::answer::{Answer, Answers, suffixed};
use super::cgminer::GIGA;
use super::draft::Draft;
use super::reading::{Family, PowerSource, Reading, ShareDifficulty, State};

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let info = answers.tops().find(|fields| {
        fields.get("ASICModel").is_some() && fields.first_of(&["sharesAccepted", "hashRate"]).is_some()
    })?;
    // All of Bitmain's BM13xx hash SHA-256d; a chip of another maker is not assumed to.
    let model = info.get("ASICModel").and_then(Answer::text).unwrap_or_default();
    let algorithm = if model.starts_with("BM13") { "sha256d" } else { "unknown" };
    let mut draft = Draft::of(Family::Bitaxe, algorithm);
    draft.hashrate_hs = info.said(&["hashRate"], |rate| rate.scaled(GIGA));
    draft.power_source = PowerSource::Supply;
    draft.power_mw = info.said(&["power"], Answer::watts_as_mw);
    draft.uptime_s = info.said(&["uptimeSeconds"], Answer::count);
    draft.shares =
        [info.said(&["sharesAccepted"], Answer::count), info.said(&["sharesRejected"], Answer::count), None];
    draft.share_difficulty = info.first_of(&["stratumDiff", "stratumDifficulty"]).and_then(|value| {
        let text = value.text();
        let (value, rounded) = match &text {
            Some(text) => suffixed(text)?,
            None => (value.scaled(0)?, false),
        };
        (value > 0).then_some(ShareDifficulty { value, rounded })
    });
    let hot = info.get("overheat_mode").and_then(Answer::count).is_some_and(|mode| mode != 0);
    draft.stopped = hot.then_some((State::Reachable, "overheat_mode"));
    Some(draft.settled())
}
