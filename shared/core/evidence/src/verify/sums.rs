//! Proofs of work, and the sums of the events.

use std::collections::{BTreeMap, BTreeSet};

use wb_events::topics;
use wb_proof::work_text;
use wb_rating::RatedStretch;
use wb_units::Interval;

use super::{Context, Fault};
use crate::bundle::{Sampling, words};
use crate::report::{Findings, StepName};
use crate::subject::{Proven, Relation};

/// What the worth of work depends on: chain, network target and subsidy.
type Group = (String, u32, u64);

fn group_of(proven: &Proven) -> Group {
    (proven.chain.clone(), proven.nbits, proven.subsidy_sat)
}

fn in_words((chain, nbits, subsidy_sat): &Group) -> String {
    format!("chain {chain}, nBits {nbits:08x}, subsidy {subsidy_sat} sat")
}

/// Whether any version of the contract charges for work.
fn bills_work(stretch: &RatedStretch) -> bool {
    wb_rating::Contract::parse(&stretch.contract).is_ok_and(|contract| contract.needs().work)
}

/// Hashes every share of the bundle again.
pub(super) fn work(context: &Context<'_>, findings: &mut Findings) -> Vec<Proven> {
    const STEP: StepName = StepName::Work;
    let lines = context.index.of_topic(topics::SHARES);
    let mut proven = Vec::new();
    let mut shares = 0_usize;
    let mut seen = BTreeSet::new();
    let mut repeats = 0_usize;
    let mut voided = 0_usize;
    for event in context.bundle.events.iter().filter(|event| event.topic == topics::SHARES) {
        shares += 1;
        match context.scope.relation(&event.event.0) {
            Relation::Work(share) => {
                // One proof counts once: the first in its partition.
                if !seen.insert(*share.id.as_bytes()) {
                    repeats += 1;
                } else if share.is_voided(&context.bundle.subject.voided) {
                    voided += 1;
                } else {
                    proven.push(share);
                }
            }
            Relation::NoWork(why) => {
                let text = format!("event {} of {} proves no work: {why}", event.index, words(event.place()));
                findings.fail(STEP, Fault::Work.code(), lines.iter().cloned(), text);
            }
            Relation::Own | Relation::Foreign => {
                let text =
                    format!("event {} of {} is no share of the invoice", event.index, words(event.place()));
                findings.fail(STEP, Fault::Work.code(), lines.iter().cloned(), text);
            }
        }
    }
    of_usage(context, &proven, &lines, findings);
    let credited_q32 = proven.iter().fold(0_u128, |sum, share| sum.saturating_add(share.credited_q32));
    let mut text = format!(
        "shares hashed again, each below the target of its difficulty; together {} hashes",
        work_text(credited_q32)
    );
    if repeats > 0 {
        text.push_str(&format!(" ({repeats} repeats left out)"));
    }
    if voided > 0 {
        text.push_str(&format!(" ({voided} voided by corrections, and not counted)"));
    }
    findings.end(STEP, shares, text);
    proven
}

/// Sampled work is never more than was billed in its group.
fn of_usage(context: &Context<'_>, proven: &[Proven], lines: &[String], findings: &mut Findings) {
    for stretch in context.bundle.stretches.iter().filter(|stretch| bills_work(stretch)) {
        let (sums, billed) = (proven_in(stretch, proven), billed(stretch));
        for (group, (credited_q32, shares)) in &sums {
            let (billed_q32, billed_shares) = billed.get(group).copied().unwrap_or((Some(0), 0));
            if billed_q32.is_none_or(|billed_q32| *credited_q32 > billed_q32) || *shares > billed_shares {
                let text = format!(
                    "the bundle proves {credited_q32} q32 in {shares} shares on {}, and only {} q32 in {billed_shares} shares \
                     were billed",
                    in_words(group),
                    billed_q32.unwrap_or(0)
                );
                findings.fail(StepName::Work, Fault::Work.code(), lines.iter().cloned(), text);
            }
        }
    }
}

/// Work and shares by group, proven in a stretch.
fn proven_in(stretch: &RatedStretch, proven: &[Proven]) -> BTreeMap<Group, (u128, u64)> {
    let within = Interval { start_us: stretch.start_us, end_us: stretch.end_us };
    let mut sums: BTreeMap<Group, (u128, u64)> = BTreeMap::new();
    for share in proven.iter().filter(|share| within.contains(share.interval_start_us)) {
        let sum = sums.entry(group_of(share)).or_default();
        sum.0 = sum.0.saturating_add(share.credited_q32);
        sum.1 = sum.1.saturating_add(1);
    }
    sums
}

/// Work and shares by group, as they were billed; `None` for work that does not fit.
fn billed(stretch: &RatedStretch) -> BTreeMap<Group, (Option<u128>, u64)> {
    let mut sums: BTreeMap<Group, (Option<u128>, u64)> = BTreeMap::new();
    for group in &stretch.usage.work {
        let sum = sums.entry((group.chain.clone(), group.nbits, group.subsidy_sat)).or_insert((Some(0), 0));
        sum.0 = sum.0.and_then(|sum| sum.checked_add(group.credited_q32));
        sum.1 = sum.1.saturating_add(group.shares);
    }
    sums
}

/// Where all events are here, the work of all shares is the work that was billed.
pub(super) fn sums(context: &Context<'_>, proven: &[Proven], findings: &mut Findings) {
    const STEP: StepName = StepName::Sums;
    let shares = || context.bundle.stretches.iter().filter(|stretch| bills_work(stretch));
    let total: u64 = shares()
        .flat_map(|stretch| &stretch.usage.work)
        .fold(0, |sum, group| sum.saturating_add(group.shares));
    if matches!(context.bundle.sampling, Sampling::Drawn(_)) {
        let text = format!(
            "sampled: {} of {total} shares; a bundle made with --events all adds up all of them",
            proven.len()
        );
        findings.end(STEP, 0, text);
        return;
    }
    let lines = context.index.of_topic(topics::SHARES);
    let mut groups = 0_usize;
    for stretch in shares() {
        let (sums, billed) = (proven_in(stretch, proven), billed(stretch));
        let keys: BTreeSet<&Group> = sums.keys().chain(billed.keys()).collect();
        for key in keys {
            groups += 1;
            let (credited_q32, count) = sums.get(key).copied().unwrap_or_default();
            let (billed_q32, billed_count) = billed.get(key).copied().unwrap_or((Some(0), 0));
            if billed_q32 != Some(credited_q32) || billed_count != count {
                let text = format!(
                    "the events prove {credited_q32} q32 in {count} shares on {}, and {} q32 in {billed_count} shares were billed",
                    in_words(key),
                    billed_q32.map_or_else(|| "more than 128 bits of".to_owned(), |sum| sum.to_string())
                );
                findings.fail(STEP, Fault::Sums.code(), lines.iter().cloned(), text);
            }
        }
    }
    let text = format!("groups of work, each the exact sum of its {} shares in all", proven.len());
    findings.end(STEP, groups, text);
}
