//! ePIC's PowerPlay and umcOS: one large `summary` object with named sections.

use super::answer::{Answer, Answers};
use super::{Family, Reading, State};

/// Board and session rates are in MH/s.
const MEGA: u32 = 6;

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let summary = answers
        .iter()
        .map(Answer::fields)
        .find(|fields| fields.get("Session").is_some() && fields.get("HBs").is_some())?;
    let session = summary.get("Session").map(Answer::fields);
    let counter = |name| session.as_ref()?.get(name)?.count();
    let boards = summary.get("HBs").map(Answer::items).unwrap_or_default();
    let mining = summary
        .get("Status")
        .and_then(|status| status.fields().get("Operating State"))
        .and_then(Answer::text)
        .is_none_or(|state| state == "Mining");
    Some(Reading {
        family: Family::Epic,
        state: if mining { State::Hashing } else { State::Reachable },
        algorithm: summary
            .get("Mining")
            .and_then(|mining| mining.at(&["Algorithm"]))
            .map_or("unknown", algorithm),
        hashrate_hs: boards_rate_hs(&boards),
        power_mw: summary
            .get("Power Supply Stats")
            .and_then(|supply| supply.at(&["Input Power"]))
            .and_then(Answer::watts_as_mw),
        uptime_s: counter("Uptime"),
        accepted_shares: counter("Accepted"),
        rejected_shares: counter("Rejected"),
        stale_shares: None,
    })
}

/// The sum over the boards of the first figure of `Hashrate`, the rate; `None` where no board
/// gives one. The other two figures are shares of the nominal rate and of errors.
fn boards_rate_hs(boards: &[Answer<'_>]) -> Option<u128> {
    let rates = boards.iter().filter_map(|board| board.section("Hashrate")?.scaled(MEGA));
    rates.fold(None, |sum: Option<u128>, rate| Some(sum.unwrap_or(0).saturating_add(rate)))
}

fn algorithm(named: Answer<'_>) -> &'static str {
    match named.text().as_deref() {
        Some("SHA-256") => "sha256d",
        Some("Scrypt") => "scrypt",
        _ => "unknown",
    }
}
