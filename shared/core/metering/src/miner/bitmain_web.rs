//! The web interface that newer Antminers have and Elphapex took over: `INFO`, a `STATUS` that is
//! an object, lower-case fields, and rates in the `rate_unit` that stands beside them.

use super::answer::{Answer, Answers, Fields};
use super::cgminer;
use super::draft::{Draft, Said};
use super::reading::{Average, Downtime, ShareDifficulty};

/// Fills in rate, uptime, shares, average and boards.
pub(super) fn fill(draft: &mut Draft, answers: &Answers<'_>) {
    let with_unit = |name: &str| {
        answers.sections(name).find(|fields| {
            fields.get("rate_unit").is_some()
                && fields.first_of(&["rate_5s", "rate_30m", "rate_avg"]).is_some()
                && fields.get("Elapsed").is_none()
        })
    };
    let stats = with_unit("STATS");
    for (fields, names, elapsed, average) in [
        (
            with_unit("SUMMARY"),
            ["SUMMARY.rate_5s", "SUMMARY.rate_30m", "SUMMARY.rate_avg"],
            "SUMMARY.elapsed",
            "SUMMARY.rate_avg",
        ),
        (stats, ["STATS.rate_5s", "STATS.rate_30m", "STATS.rate_avg"], "STATS.elapsed", "STATS.rate_avg"),
    ] {
        let Some(fields) = fields else { continue };
        draft.hashrate_hs = draft.hashrate_hs.or_else(|| rate_hs(fields, &names));
        draft.uptime_s = draft.uptime_s.or_else(|| fields.said(&[elapsed], Answer::count));
        draft.average = draft.average.or_else(|| {
            let (hashrate_hs, name) = rate_hs(fields, &[average])?;
            Some((Average { hashrate_hs, downtime: Downtime::NotSaid }, name))
        });
    }
    if let Some(chains) = stats.and_then(|stats| stats.get("chain")) {
        let chips = chains.items().into_iter().filter_map(|chain| chain.fields().get("asic_num")?.count());
        draft.boards = cgminer::boards(&chips.map(|chips| chips > 0).collect::<Vec<_>>());
    }
    let pools = answers.list("POOLS");
    draft.shares =
        ["POOLS.accepted", "POOLS.rejected", "POOLS.stale"].map(|name| cgminer::sum_of(&pools, name));
    let accepted = pools.iter().filter_map(|pool| pool.get("diffa")?.scaled(0));
    draft.accepted_difficulty =
        accepted.fold(None, |sum: Option<u128>, part| Some(sum.unwrap_or(0).saturating_add(part)));
    draft.share_difficulty = pools.iter().find_map(|pool| share_difficulty(pool));
}

fn rate_hs(fields: &Fields<'_>, names: &[&'static str]) -> Said<u128> {
    let places = cgminer::unit_places(&fields.get("rate_unit")?.text()?)?;
    fields.said(names, |rate| rate.scaled(places))
}

/// The difficulty of the first pool that is alive.
fn share_difficulty(pool: &Fields<'_>) -> Option<ShareDifficulty> {
    pool.get("status")?.text().filter(|status| status == "Alive")?;
    let (value, rounded) = super::answer::suffixed(&pool.get("diff")?.text()?)?;
    Some(ShareDifficulty { value, rounded })
}
