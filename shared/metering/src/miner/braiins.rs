//! Braiins OS: the REST interface since 25.07, and the GraphQL one of the versions before.

use super::answer::{Answer, Answers};
use super::{Family, Reading, State};

/// `miner_details.status` of a machine that mines as configured; 1 is not started, 3 paused,
/// 4 suspended, 5 restricted.
const STATUS_NORMAL: u64 = 2;

const MEGA: u32 = 6;
const GIGA: u32 = 9;

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    read_rest(answers).or_else(|| read_graphql(answers))
}

fn read_rest(answers: &Answers<'_>) -> Option<Reading> {
    let details = answers.iter().find(|answer| answer.at(&["bos_version", "current"]).is_some());
    let stats = answers.iter().find(|answer| answer.at(&["miner_stats", "real_hashrate"]).is_some());
    if details.is_none() && stats.is_none() {
        return None;
    }
    let rate = stats.and_then(|answer| answer.at(&["miner_stats", "real_hashrate"])).map(Answer::fields);
    let hashrate_hs = rate.and_then(|windows| {
        ["last_5s", "last_15s", "last_1m", "last_5m"]
            .into_iter()
            .find_map(|window| windows.get(window)?.at(&["gigahash_per_second"])?.scaled(GIGA))
    });
    let power = stats.and_then(|answer| answer.at(&["power_stats", "approximated_consumption", "watt"]));
    let share = |name| stats.and_then(|answer| answer.at(&["pool_stats", name])?.count());
    let status = details.and_then(|answer| answer.at(&["status"])?.count());
    let normal = status.is_none_or(|status| status == STATUS_NORMAL);
    Some(Reading {
        family: Family::BraiinsOs,
        state: if normal { State::Hashing } else { State::Reachable },
        algorithm: "sha256d",
        hashrate_hs,
        power_mw: power.and_then(Answer::watts_as_mw),
        uptime_s: details.and_then(|answer| answer.at(&["bosminer_uptime_s"])?.count()),
        accepted_shares: share("accepted_shares"),
        rejected_shares: share("rejected_shares"),
        stale_shares: share("stale_shares"),
    })
}

fn read_graphql(answers: &Answers<'_>) -> Option<Reading> {
    let info = ["data", "bosminer", "info"];
    answers.find(&info)?;
    let within = |path: &[&str]| answers.find(&[&info, path].concat());
    let mut shares = [None::<u64>; 2];
    for group in within(&["poolGroups"]).map(Answer::items).unwrap_or_default() {
        for pool in group.at(&["pools"]).map(Answer::items).unwrap_or_default() {
            for (sum, name) in shares.iter_mut().zip(["acceptedSolutions", "rejectedSolutions"]) {
                if let Some(count) = pool.at(&["shares", name]).and_then(Answer::count) {
                    *sum = sum.unwrap_or(0).checked_add(count);
                }
            }
        }
    }
    let [accepted_shares, rejected_shares] = shares;
    Some(Reading {
        family: Family::BraiinsOs,
        state: State::Hashing,
        algorithm: "sha256d",
        hashrate_hs: within(&["workSolver", "realHashrate", "mhs5S"]).and_then(|rate| rate.scaled(MEGA)),
        power_mw: within(&["summary", "power", "approxConsumptionW"]).and_then(Answer::watts_as_mw),
        // `bos.uptime` is the control board's: the mining software may have started later.
        uptime_s: None,
        accepted_shares,
        rejected_shares,
        stale_shares: None,
    })
}
