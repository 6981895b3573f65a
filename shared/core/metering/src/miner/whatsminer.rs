//! MicroBT's Whatsminers: cgminer's sections with its own fields (interface 1 and 2), or one
//! `msg` object per command (interface 3). All of them hash SHA-256d.

use super::answer::{Answer, Answers, Fields};
use super::cgminer;
use super::draft::Draft;
use super::reading::{Average, Downtime, Family, PowerSource, Reading, State};

/// Decimal places from TH/s, the unit of interface 3, to hashes per second.
const TERA: u32 = 12;

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    read_sections(answers).or_else(|| read_messages(answers))
}

fn read_sections(answers: &Answers<'_>) -> Option<Reading> {
    let summary = answers.section("SUMMARY");
    let own_fields = summary.as_ref().is_some_and(|fields| {
        fields.get("Factory GHS").is_some() && fields.first_of(&["Power Mode", "Power_RT"]).is_some()
    });
    if !own_fields && !cgminer::described_as(answers, "whatsminer") {
        return None;
    }
    let mut draft = Draft::of(Family::Whatsminer, "sha256d");
    cgminer::fill(&mut draft, answers);
    if let Some(summary) = summary {
        draft.power_mw = summary.said(&["SUMMARY.Power_RT", "SUMMARY.Power"], Answer::watts_as_mw);
        draft.power_source = PowerSource::Supply;
        draft.system_uptime_s = summary.get("Uptime").and_then(Answer::count);
    }
    let stopped = answers.find(&["Msg", "btmineroff"]).and_then(Answer::flag) == Some(true);
    draft.stopped = stopped.then_some((State::Reachable, "Msg.btmineroff"));
    Some(draft.settled())
}

fn read_messages(answers: &Answers<'_>) -> Option<Reading> {
    let ours = answers.tops().any(|fields| {
        let described = fields.get("desc").and_then(Answer::text);
        fields.get("msg").is_some() && described.is_some_and(|text| text.starts_with("get."))
    });
    if !ours {
        return None;
    }
    let mut draft = Draft::of(Family::Whatsminer, "sha256d");
    draft.power_source = PowerSource::Supply;
    let boards: Vec<Fields<'_>> = answers
        .find(&["msg", "edevs"])
        .map(Answer::items)
        .unwrap_or_default()
        .into_iter()
        .map(Answer::fields)
        .collect();
    let alive = |board: &Fields<'_>| {
        board.get("status").and_then(Answer::text).is_none_or(|status| status == "alive")
    };
    draft.boards = cgminer::boards(&boards.iter().map(alive).collect::<Vec<_>>());
    let tera = |rate: Answer<'_>| rate.scaled(TERA);
    if let Some(summary) = answers.find(&["msg", "summary"]).map(Answer::fields) {
        let names = ["msg.summary.hash-realtime", "msg.summary.hash-1min", "msg.summary.hash-average"];
        draft.hashrate_hs = summary.said(&names, tera);
        draft.power_mw =
            summary.said(&["msg.summary.power-realtime", "msg.summary.power-5min"], Answer::watts_as_mw);
        draft.uptime_s = summary.said(&["msg.summary.elapsed"], Answer::count);
        draft.average = summary
            .said(&["msg.summary.hash-average"], tera)
            .map(|(hashrate_hs, name)| (Average { hashrate_hs, downtime: Downtime::NotSaid }, name));
    } else {
        let working = boards.iter().filter(|board| alive(board));
        let rates = working.filter_map(|board| board.said(&["msg.edevs.hash-realtime"], tera));
        draft.hashrate_hs = rates.fold(None, |sum, (rate, name)| {
            Some((sum.map_or(0, |(sum, _): (u128, _)| sum).saturating_add(rate), name))
        });
    }
    // This interface has no share counters.
    let stopped = answers.find(&["msg", "miner", "working"]).and_then(Answer::flag) == Some(false);
    draft.stopped = stopped.then_some((State::Reachable, "msg.miner.working"));
    Some(draft.settled())
}
