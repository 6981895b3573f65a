//! The events are those that had to be taken.

use std::collections::{BTreeMap, BTreeSet};

use wb_events::topics;
use wb_rating::{Contract, RatedStretch};

use super::events::Commits;
use super::{Context, Fault};
use crate::bundle::{DayBlock, Place, Sampling, place_of, words};
use crate::report::{Findings, StepName};
use crate::sample::{Draw, Target, draws, first_from};

const STEP: StepName = StepName::Sample;

/// Compares the events with the draws, or with all blocks.
pub(super) fn check(context: &Context<'_>, commits: &Commits, findings: &mut Findings) {
    match context.bundle.sampling {
        Sampling::All => whole(context, commits, findings),
        Sampling::Drawn(count) => drawn(context, commits, count, findings),
    }
}

fn whole(context: &Context<'_>, commits: &Commits, findings: &mut Findings) {
    let (bundle, days) = (context.bundle, context.invoice.evidence.days.len());
    let missing = bundle
        .blocks
        .iter()
        .filter(|block| !commits.contains_key(&(block.topic.clone(), block.partition, block.block)));
    for block in missing {
        let lines = context.index.of_topic(&block.topic);
        let text = format!("{} should be here whole, and its commit is missing", words(place_of(block)));
        findings.fail(STEP, Fault::Sample.code(), lines, text);
    }
    let events: u64 = commits.values().fold(0, |sum, committed| sum.saturating_add(committed.commit.events));
    let mut text = format!(
        "{} of the {events} events in all {} blocks are about the invoice",
        bundle.events.len(),
        bundle.blocks.len()
    );
    if days > 0 {
        text = format!(
            "{} of the {events} events in all {} blocks committed one by one and in {} blocks of {days} sealed days are \
             about the invoice",
            bundle.events.len(),
            bundle.blocks.len(),
            context.day_blocks.len()
        );
    }
    findings.end(STEP, bundle.blocks.len().saturating_add(bundle.day_blocks.len()), text);
}

/// The draws that have an answer, and of which kind.
#[derive(Default)]
struct Answers<'a> {
    /// The events that some draw takes, by block.
    wanted: BTreeMap<Place<'a>, BTreeSet<u64>>,
    /// The blocks of sealed days on which some draw falls: day and place in it.
    fallen_to: BTreeSet<(i32, u64)>,
    exact: usize,
    passed: usize,
    none: usize,
    /// Draws in sealed days without a block in the bundle.
    unanswered: usize,
}

fn drawn(context: &Context<'_>, commits: &Commits, count: u32, findings: &mut Findings) {
    let bundle = context.bundle;
    let mut held: BTreeMap<Place<'_>, Vec<u64>> = BTreeMap::new();
    for event in &bundle.events {
        held.entry(event.place()).or_default().push(event.index);
    }
    let mut by_day: BTreeMap<i32, BTreeMap<u64, &DayBlock>> = BTreeMap::new();
    for block in &bundle.day_blocks {
        by_day.entry(block.day).or_default().insert(block.index, block);
    }
    let drawn =
        draws(&context.invoice.evidence_digest, &bundle.blocks, &context.invoice.evidence.days, count);
    let mut answers = Answers::default();
    for draw in &drawn {
        let (place, is_here) = match draw.target {
            Target::Block(block) => (place_of(block), true),
            Target::Day { day, index } => {
                let of_day = by_day.get(&day.day);
                let next =
                    of_day.and_then(|of_day| of_day.range(index..).next().or_else(|| of_day.iter().next()));
                let Some((at, block)) = next else {
                    answers.unanswered += 1;
                    continue;
                };
                answers.fallen_to.insert((day.day, *at));
                (place_of(&block.block), *at == index)
            }
        };
        answer(context, commits, &held, draw, (place, is_here), &mut answers, findings);
    }
    nothing_else(context, commits, &held, &answers, findings);
    let mut text = format!("{} of {} draws at the drawn place", answers.exact, drawn.len());
    for (count, what) in [
        (answers.passed, "at the next event after others'"),
        (answers.none, "in blocks with others' events alone"),
        (answers.unanswered, "in sealed days that are said to hold others' events alone"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    findings.end(STEP, drawn.len(), text);
}

/// Finds a draw's event in its block: the drawn block, or the next one of its day that is in the bundle.
fn answer<'a>(
    context: &Context<'_>,
    commits: &Commits,
    held: &BTreeMap<Place<'_>, Vec<u64>>,
    draw: &Draw<'_>,
    (place, is_here): (Place<'a>, bool),
    answers: &mut Answers<'a>,
    findings: &mut Findings,
) {
    let wanted = answers.wanted.entry(place).or_default();
    let mut fail =
        |text: String| findings.fail(STEP, Fault::Sample.code(), context.index.of_topic(place.0), text);
    let Some(committed) = commits.get(&(place.0.to_owned(), place.1, place.2)) else {
        fail(format!("an event of {} was drawn, and the bundle holds nothing of it", words(place)));
        return;
    };
    let at = draw.place(committed.commit.events);
    let of_block = held.get(&place).map(Vec::as_slice).unwrap_or_default();
    match first_from(of_block, at) {
        Some(index) => {
            wanted.insert(index);
            if index == at && is_here {
                answers.exact += 1;
            } else {
                answers.passed += 1;
            }
        }
        None => {
            answers.none += 1;
            if !may_hold_none(context, place.0) {
                fail(format!("event {at} of {} was drawn, and no event of that block is here", words(place)));
            }
        }
    }
}

/// The bundle holds only what some draw takes.
fn nothing_else(
    context: &Context<'_>,
    commits: &Commits,
    held: &BTreeMap<Place<'_>, Vec<u64>>,
    answers: &Answers<'_>,
    findings: &mut Findings,
) {
    let mut fail = |topic: &str, text: String| {
        findings.fail(STEP, Fault::Sample.code(), context.index.of_topic(topic), text)
    };
    for (place, indexes) in held {
        let of_block = answers.wanted.get(place);
        for index in
            indexes.iter().filter(|index| !of_block.is_some_and(|of_block| of_block.contains(*index)))
        {
            fail(place.0, format!("event {index} of {} was not drawn", words(*place)));
        }
    }
    for key in commits.keys() {
        let place = (key.0.as_str(), key.1, key.2);
        if !answers.wanted.contains_key(&place) {
            fail(place.0, format!("nothing of {} was drawn, and its commit is here", words(place)));
        }
    }
    for block in &context.bundle.day_blocks {
        if !answers.fallen_to.contains(&(block.day, block.index)) {
            let place = place_of(&block.block);
            let (at, day) = (block.index, block.day);
            fail(
                place.0,
                format!("no draw falls to {}, at {at} of sealed day {day}, and it is here", words(place)),
            );
        }
    }
}

/// Whether a block may stand behind the invoice without an event about it. Losses of a site are measured by the
/// site's meters and all its machines, and a fact behind a bill may be of a kind that states no customer or contract.
fn may_hold_none(context: &Context<'_>, topic: &str) -> bool {
    if topic == topics::SHARES {
        return false;
    }
    let needs_sites = |stretch: &RatedStretch| {
        Contract::parse(&stretch.contract).is_ok_and(|contract| contract.needs().sites)
    };
    topic == topics::REFERENCE || context.bundle.stretches.iter().any(needs_sites)
}
