//! ePIC's PowerPlay and umcOS: one large `summary` object with named sections.

use super::answer::{Answer, Answers, Fields};
use super::cgminer::{self, MEGA};
use super::draft::{Draft, Said};
use super::reading::{Average, Downtime, Family, PowerSource, Reading, ShareDifficulty, State};

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let summary =
        answers.tops().find(|fields| fields.get("Session").is_some() && fields.get("HBs").is_some())?;
    let mining = summary.get("Mining").and_then(|mining| mining.at(&["Algorithm"]));
    let mut draft = Draft::of(Family::Epic, mining.map_or("unknown", algorithm));
    // A disabled board keeps its last rate, so only the indices of enabled boards count.
    let statuses = summary.get("HBStatus").map(Answer::items).unwrap_or_default();
    let disabled: Vec<u64> = statuses
        .iter()
        .map(|status| status.fields())
        .filter(|status| status.get("Enabled").and_then(Answer::flag) == Some(false))
        .filter_map(|status| status.get("Index")?.count())
        .collect();
    let boards = summary.get("HBs").map(Answer::items).unwrap_or_default();
    draft.hashrate_hs = boards_rate_hs(&boards, &disabled);
    let listed = statuses.len().max(boards.len());
    let states: Vec<bool> = (0..listed).map(|place| place >= disabled.len()).collect();
    draft.boards = cgminer::boards(&states);
    draft.power_source = PowerSource::Supply;
    draft.power_mw = summary
        .get("Power Supply Stats")
        .map(Answer::fields)
        .and_then(|supply| supply.said(&["Power Supply Stats.Input Power"], Answer::watts_as_mw));
    if let Some(session) = summary.get("Session").map(Answer::fields) {
        fill_session(&mut draft, &session);
    }
    let other = summary
        .get("Status")
        .and_then(|status| status.fields().get("Operating State")?.text())
        .is_some_and(|state| state != "Mining");
    draft.stopped = other.then_some((State::Reachable, "Status.Operating State"));
    Some(draft.settled())
}

fn fill_session(draft: &mut Draft, session: &Fields<'_>) {
    draft.uptime_s = session.said(&["Session.Uptime"], Answer::count);
    draft.shares = [
        session.said(&["Session.Accepted"], Answer::count),
        session.said(&["Session.Rejected"], Answer::count),
        None,
    ];
    draft.average = session
        .said(&["Session.Average MHs"], |rate| rate.scaled(MEGA))
        .map(|(hashrate_hs, name)| (Average { hashrate_hs, downtime: Downtime::NotSaid }, name));
    draft.share_difficulty = session
        .get("Difficulty")
        .and_then(|value| value.scaled(0))
        .map(|value| ShareDifficulty { value, rounded: false });
}

/// The sum over the enabled boards of the first figure of `Hashrate`, the rate in MH/s; `None`
/// where no board gives one. The other two figures are shares of the nominal rate and of errors.
fn boards_rate_hs(boards: &[Answer<'_>], disabled: &[u64]) -> Said<u128> {
    let enabled = boards.iter().map(|board| board.fields()).filter(|board| {
        board.get("Index").and_then(Answer::count).is_none_or(|index| !disabled.contains(&index))
    });
    let rates = enabled.filter_map(|board| board.get("Hashrate")?.items().first()?.scaled(MEGA));
    rates.fold(None, |sum, rate| {
        Some((sum.map_or(0, |(sum, _): (u128, _)| sum).saturating_add(rate), "HBs.Hashrate[0]"))
    })
}

fn algorithm(named: Answer<'_>) -> &'static str {
    match named.text().as_deref() {
        Some("SHA-256") => "sha256d",
        Some("Scrypt") => "scrypt",
        _ => "unknown",
    }
}
