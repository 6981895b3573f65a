//! Braiins OS: the REST interface since 25.07, the GraphQL one of the versions before, and cgminer's sections on port
//! 4028, which need no login: rate, shares and boards, and in `TUNERSTATUS` the tuner's estimate of the power.
//!
//! `last_24h` counts the time before the mining software started as zero; `since_restart` does not. Only the latter
//! is taken as the average.

use super::answer::{Answer, Answers};
use super::cgminer::{self, GIGA, MEGA};
use super::draft::Draft;
use super::reading::{Average, Downtime, Family, Reading, ShareDifficulty, State};

/// `miner_details.status` of a machine that mines as configured; 1 is not started, 3 paused,
/// 4 suspended, 5 restricted.
const STATUS_NORMAL: u64 = 2;

/// The windows of the current rate, shortest first.
const WINDOWS: [&str; 4] = [
    "miner_stats.real_hashrate.last_5s",
    "miner_stats.real_hashrate.last_15s",
    "miner_stats.real_hashrate.last_1m",
    "miner_stats.real_hashrate.last_5m",
];

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let mut draft = Draft::of(Family::BraiinsOs, "sha256d");
    let by_version =
        answers.section("VERSION").is_some_and(|version| version.first_of(&["BOSer", "BOSminer"]).is_some());
    let described = cgminer::described_as(answers, "BOSer") || cgminer::described_as(answers, "BOSminer");
    let known = fill_rest(&mut draft, answers) | fill_graphql(&mut draft, answers) | by_version | described;
    if !known {
        return None;
    }
    fill_sections(&mut draft, answers);
    Some(draft.settled())
}

/// What the interfaces with a login did not give, from cgminer's sections.
fn fill_sections(draft: &mut Draft, answers: &Answers<'_>) {
    let (shares, accepted_difficulty) = (draft.shares, draft.accepted_difficulty);
    cgminer::fill(draft, answers);
    if shares.iter().any(Option::is_some) {
        // Never counters of two interfaces beside each other.
        (draft.shares, draft.accepted_difficulty) = (shares, accepted_difficulty);
    }
    draft.power_mw = draft.power_mw.or_else(|| {
        let tuner = answers.section("TUNERSTATUS")?;
        tuner.said(&["TUNERSTATUS.ApproximateMinerPowerConsumption"], Answer::watts_as_mw)
    });
}

fn fill_rest(draft: &mut Draft, answers: &Answers<'_>) -> bool {
    let details = answers.tops().find(|fields| {
        fields.get("bos_version").is_some_and(|version| version.fields().get("current").is_some())
    });
    let stats = answers.tops().find(|fields| {
        fields.get("miner_stats").is_some_and(|stats| stats.fields().get("real_hashrate").is_some())
    });
    if let Some(stats) = stats {
        let giga = |window: Answer<'_>| window.at(&["gigahash_per_second"])?.scaled(GIGA);
        if let Some(windows) = stats.get("miner_stats").and_then(|stats| stats.at(&["real_hashrate"])) {
            let windows = windows.fields();
            draft.hashrate_hs = windows.said(&WINDOWS, giga);
            draft.average = windows
                .said(&["miner_stats.real_hashrate.since_restart"], giga)
                .map(|(hashrate_hs, name)| (Average { hashrate_hs, downtime: Downtime::NotSaid }, name));
        }
        draft.power_mw = stats
            .get("power_stats")
            .and_then(|power| power.at(&["approximated_consumption", "watt"])?.watts_as_mw())
            .map(|power| (power, "power_stats.approximated_consumption.watt"));
        if let Some(pool) = stats.get("pool_stats").map(Answer::fields) {
            let names =
                ["pool_stats.accepted_shares", "pool_stats.rejected_shares", "pool_stats.stale_shares"];
            draft.shares = names.map(|name| pool.said(&[name], Answer::count));
            draft.share_difficulty = pool
                .get("last_difficulty")
                .and_then(|value| value.scaled(0))
                .map(|value| ShareDifficulty { value, rounded: false });
        }
    }
    if let Some(details) = details {
        draft.uptime_s = details.said(&["miner_details.bosminer_uptime_s"], Answer::count);
        draft.system_uptime_s =
            details.first_of(&["system_uptime_s", "system_uptime"]).and_then(Answer::count);
        let other = details.get("status").and_then(Answer::count).filter(|status| *status != STATUS_NORMAL);
        draft.stopped = other.map(|_| (State::Reachable, "miner_details.status"));
    }
    let boards = answers.find(&["hashboards"]).map(Answer::items).unwrap_or_default();
    let enabled = boards.iter().map(|board| board.at(&["enabled"]).and_then(Answer::flag).unwrap_or(true));
    draft.boards = cgminer::boards(&enabled.collect::<Vec<_>>());
    details.is_some() || stats.is_some() || draft.boards.is_some()
}

fn fill_graphql(draft: &mut Draft, answers: &Answers<'_>) -> bool {
    let infos: Vec<Answer<'_>> =
        answers.tops().filter_map(|fields| fields.get("data")?.at(&["bosminer", "info"])).collect();
    let Some(first) = infos.first() else { return false };
    let within = |path: &[&str]| infos.iter().find_map(|info| info.at(path)).or_else(|| first.at(path));
    if let Some(rate) = within(&["workSolver", "realHashrate", "mhs5S"]).and_then(|rate| rate.scaled(MEGA)) {
        draft.hashrate_hs = Some((rate, "workSolver.realHashrate.mhs5S"));
    }
    let boards = within(&["workSolver", "childSolvers"]).map(Answer::items).unwrap_or_default();
    let rates: Vec<u128> =
        boards.iter().filter_map(|board| board.at(&["realHashrate", "mhs5S"])?.scaled(MEGA)).collect();
    draft.boards = cgminer::boards(&rates.iter().map(|rate| *rate > 0).collect::<Vec<_>>());
    if draft.hashrate_hs.is_none() && !rates.is_empty() {
        draft.hashrate_hs = Some((rates.iter().sum(), "workSolver.childSolvers.realHashrate.mhs5S"));
    }
    draft.power_mw = within(&["summary", "power", "approxConsumptionW"])
        .and_then(Answer::watts_as_mw)
        .map(|power| (power, "summary.power.approxConsumptionW"));
    // `bos.uptime` is the control board's: the mining software may have started later.
    draft.system_uptime_s = answers.find(&["data", "bos", "uptime", "durationS"]).and_then(Answer::count);
    let names = [
        ("acceptedSolutions", "poolGroups.pools.shares.acceptedSolutions"),
        ("rejectedSolutions", "poolGroups.pools.shares.rejectedSolutions"),
    ];
    for group in within(&["poolGroups"]).map(Answer::items).unwrap_or_default() {
        for pool in group.at(&["pools"]).map(Answer::items).unwrap_or_default() {
            for (sum, (field, name)) in draft.shares.iter_mut().zip(names) {
                if let Some(count) = pool.at(&["shares", field]).and_then(Answer::count) {
                    *sum = Some((sum.map_or(0, |(sum, _)| sum).saturating_add(count), name));
                }
            }
        }
    }
    true
}
