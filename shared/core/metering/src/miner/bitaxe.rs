//! AxeOS of the Bitaxe and its relatives: one `system/info` object; the rate in GH/s, power in watts. The NerdQAxe's
//! gives `deviceModel` and `asicCount` in place of `ASICModel`, and `poolDifficulty` in place of `stratumDiff`. A board
//! that has cut its power keeps the last rate in its answer and says so in `power_fault`.

use super::answer::{Answer, Answers, suffixed};
use super::cgminer::GIGA;
use super::draft::Draft;
use super::reading::{Family, PowerSource, Reading, ShareDifficulty, State};

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let info = answers.tops().find(|fields| {
        let is_relative = fields.get("deviceModel").is_some() && fields.get("asicCount").is_some();
        (fields.get("ASICModel").is_some() || is_relative)
            && fields.first_of(&["sharesAccepted", "hashRate"]).is_some()
    })?;
    // All of Bitmain's BM13xx hash SHA-256d, and all of the Nerd boards have them; a chip of another maker is not assumed
    // to.
    let begins = |field: &str, word: &str| {
        info.get(field).and_then(Answer::text).is_some_and(|text| text.starts_with(word))
    };
    let is_known = begins("ASICModel", "BM13") || begins("deviceModel", "Nerd");
    let algorithm = if is_known { "sha256d" } else { "unknown" };
    let mut draft = Draft::of(Family::Bitaxe, algorithm);
    draft.hashrate_hs = info.said(&["hashRate"], |rate| rate.scaled(GIGA));
    draft.power_source = PowerSource::Supply;
    draft.power_mw = info.said(&["power"], Answer::watts_as_mw);
    draft.uptime_s = info.said(&["uptimeSeconds"], Answer::count);
    draft.shares =
        [info.said(&["sharesAccepted"], Answer::count), info.said(&["sharesRejected"], Answer::count), None];
    draft.share_difficulty =
        info.first_of(&["stratumDiff", "stratumDifficulty", "poolDifficulty"]).and_then(|value| {
            let text = value.text();
            let (value, rounded) = match &text {
                Some(text) => suffixed(text)?,
                None => (value.scaled(0)?, false),
            };
            (value > 0).then_some(ShareDifficulty { value, rounded })
        });
    let hot = info.get("overheat_mode").and_then(Answer::count).is_some_and(|mode| mode != 0);
    draft.stopped = hot.then_some((State::Reachable, "overheat_mode"));
    let fault = info.get("power_fault").is_some_and(|fault| match fault.text() {
        Some(text) => !text.trim().is_empty(),
        None => fault.flag() == Some(true) || fault.count().is_some_and(|fault| fault != 0),
    });
    draft.stopped = draft.stopped.or(fault.then_some((State::Reachable, "power_fault")));
    Some(draft.settled())
}
