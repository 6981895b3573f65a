//! MicroBT's Whatsminers: cgminer's sections with its own fields (interface 1 and 2), or one
//! `msg` object per command (interface 3). All of them hash SHA-256d.

use super::answer::{Answer, Answers, Fields};
use super::{Family, Reading, State, cgminer};

/// Decimal places from TH/s, the unit of interface 3, to hashes per second.
const TERA: u32 = 12;

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    read_sections(answers).or_else(|| read_messages(answers))
}

fn read_sections(answers: &Answers<'_>) -> Option<Reading> {
    let summary = cgminer::section(answers, "SUMMARY").map(Answer::fields);
    let own_fields = summary.as_ref().is_some_and(|fields| {
        fields.get("Factory GHS").is_some() && fields.first_of(&["Power Mode", "Power_RT"]).is_some()
    });
    if !own_fields && !cgminer::described_as(answers, "whatsminer") {
        return None;
    }
    let stopped = answers.find(&["Msg", "btmineroff"]).and_then(Answer::flag) == Some(true);
    let field = |names: &[&str]| summary.as_ref().and_then(|fields| fields.first_of(names));
    let [accepted_shares, rejected_shares, stale_shares] =
        summary.as_ref().map_or([None; 3], cgminer::shares);
    Some(Reading {
        family: Family::Whatsminer,
        state: if stopped { State::Reachable } else { State::Hashing },
        algorithm: "sha256d",
        hashrate_hs: summary.as_ref().and_then(cgminer::rate_hs),
        power_mw: field(&["Power_RT", "Power"]).and_then(Answer::watts_as_mw),
        uptime_s: field(&["Elapsed"]).and_then(Answer::count),
        accepted_shares,
        rejected_shares,
        stale_shares,
    })
}

fn read_messages(answers: &Answers<'_>) -> Option<Reading> {
    let ours = answers.iter().any(|answer| {
        let fields = answer.fields();
        let described = fields.get("desc").and_then(Answer::text);
        fields.get("msg").is_some() && described.is_some_and(|text| text.starts_with("get."))
    });
    if !ours {
        return None;
    }
    let summary: Option<Fields<'_>> = answers.find(&["msg", "summary"]).map(Answer::fields);
    let stopped = answers.find(&["msg", "miner", "working"]).and_then(Answer::flag) == Some(false);
    let field = |names: &[&str]| summary.as_ref().and_then(|fields| fields.first_of(names));
    Some(Reading {
        family: Family::Whatsminer,
        state: if stopped { State::Reachable } else { State::Hashing },
        algorithm: "sha256d",
        hashrate_hs: field(&["hash-realtime", "hash-1min", "hash-average"])
            .and_then(|rate| rate.scaled(TERA)),
        power_mw: field(&["power-realtime", "power-5min"]).and_then(Answer::watts_as_mw),
        uptime_s: field(&["elapsed"]).and_then(Answer::count),
        // This interface has no share counters.
        accepted_shares: None,
        rejected_shares: None,
        stale_shares: None,
    })
}
