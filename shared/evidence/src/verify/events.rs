//! Names of blocks, and the events in them.

use std::collections::{BTreeMap, BTreeSet};

use wb_events::names::{NAMES_VERSION, encode_name, name_hash};
use wb_events::topics;
use wb_events::wire::Name;
use wb_fold::merkle;
use wb_rating::{Contract, RatedStretch};

use super::{Context, code};
use crate::build::name_of;
use crate::bundle::{Place, Sampling, place_of, words};
use crate::report::{Findings, StepName};
use crate::sample::{draws, first_from};
use crate::subject::Relation;

/// The names that say of a block what the invoice says of it.
pub(super) type Names = BTreeMap<(String, u32, u64), Named>;

/// A name.
pub(super) struct Named {
    pub(super) name: Name,
    names_offset: u64,
    hash: [u8; 32],
}

/// Reads the names and holds them against the invoice's blocks, its cut, its chain heads and each other.
pub(super) fn names(context: &Context<'_>, findings: &mut Findings) -> Names {
    const STEP: StepName = StepName::Names;
    let mut names = Names::new();
    let mut before = None;
    for record in &context.bundle.names {
        let Some(name) = name_of(&record.record.0) else {
            let text = format!("record {} of names is no name", record.names_offset);
            findings.fail(STEP, code::NAME, [], text);
            continue;
        };
        let key = (name.topic.clone(), name.partition, name.block);
        let place: Place<'_> = (&key.0, key.1, key.2);
        let lines = context.index.of_topic(&key.0);
        let mut fail = |text: String| findings.fail(STEP, code::NAME, lines.iter().cloned(), text);
        if before.as_ref().is_some_and(|before| *before >= key) {
            fail(format!("the name of {} stands there twice, or out of order", words(place)));
        }
        let found = context.bundle.blocks.binary_search_by(|block| place_of(block).cmp(&place));
        match found.ok().and_then(|at| context.bundle.blocks.get(at)) {
            None => fail(format!("{} is named, and the invoice does not rest on it", words(place))),
            Some(block) => {
                if block.merkle_root.as_bytes() != name.merkle_root.as_slice() {
                    fail(format!("{} is named with another Merkle root than the invoice says", words(place)));
                }
                if block.content_hash.as_bytes() != name.content_hash.as_slice() {
                    fail(format!("{} is named with another content than the invoice says", words(place)));
                }
            }
        }
        let counted =
            name.accepted.checked_add(name.duplicate).and_then(|sum| sum.checked_add(name.rejected));
        if counted != Some(name.events)
            || name.version != NAMES_VERSION
            || name.end_offset <= name.first_offset
        {
            fail(format!("the name of {} contradicts itself", words(place)));
        }
        // Decoders pass over what they do not know; a record of this form holds nothing else.
        if encode_name(&name) != record.record.0 {
            fail(format!("the name of {} holds more than a name", words(place)));
        }
        if record.names_offset >= context.invoice.evidence.cut {
            fail(format!(
                "{} is named at offset {}, and only what is named before {} counts for the invoice",
                words(place),
                record.names_offset,
                context.invoice.evidence.cut
            ));
        }
        let named = Named { names_offset: record.names_offset, hash: name_hash(&record.record.0), name };
        before = Some(key.clone());
        names.insert(key, named);
    }
    chains(context, &names, findings);
    let text = format!(
        "of {} blocks behind the invoice: their names say what the invoice says of them",
        context.bundle.blocks.len()
    );
    findings.end(STEP, context.bundle.names.len(), text);
    names
}

/// Two names of neighbouring blocks are links of one chain, and the last one is the head that the invoice names.
fn chains(context: &Context<'_>, names: &Names, findings: &mut Findings) {
    let mut fail = |key: &(String, u32, u64), text: String| {
        findings.fail(StepName::Names, code::NAME, context.index.of_topic(&key.0), text);
    };
    let mut before: Option<(&(String, u32, u64), &Named)> = None;
    for (key, named) in names {
        if let Some((other, earlier)) = before
            && (&other.0, other.1) == (&key.0, key.1)
        {
            let place = words((&key.0, key.1, key.2));
            if earlier.names_offset >= named.names_offset || earlier.name.end_offset > named.name.first_offset
            {
                fail(key, format!("the name of {place} does not come after those of earlier blocks"));
            }
            let is_next = other.2.checked_add(1) == Some(key.2);
            if is_next && named.name.predecessor != earlier.hash {
                fail(key, format!("the name of {place} does not follow the name of the block before it"));
            }
        }
        before = Some((key, named));
    }
    let heads = &context.invoice.evidence.chain_heads;
    for head in heads {
        let key = (head.topic.clone(), head.partition, head.block);
        let differs = names.get(&key).is_some_and(|named| named.hash != *head.name_hash.as_bytes());
        if differs {
            fail(
                &key,
                format!(
                    "the name of {} is not the chain's head that the invoice names",
                    words((&key.0, key.1, key.2))
                ),
            );
        }
    }
    for (key, named) in names {
        let head = heads.iter().find(|head| (&head.topic, head.partition) == (&key.0, key.1));
        if head.is_none_or(|head| head.block < named.name.block) {
            fail(
                key,
                format!(
                    "{} lies beyond the chain's head that the invoice names",
                    words((&key.0, key.1, key.2))
                ),
            );
        }
    }
}

/// Every event lies where it is said to lie, and is about the invoice.
pub(super) fn inclusion(context: &Context<'_>, names: &Names, findings: &mut Findings) {
    const STEP: StepName = StepName::Events;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &context.bundle.events {
        *counts.entry(&event.topic).or_default() += 1;
        let lines = context.index.of_topic(&event.topic);
        let mut fail = |text: String| findings.fail(STEP, code::EVENT, lines.iter().cloned(), text);
        let place = format!("event {} of {}", event.index, words(event.place()));
        let key = (event.topic.clone(), event.partition, event.block);
        let Some(named) = names.get(&key) else {
            fail(format!("{place}: the bundle holds no name of that block"));
            continue;
        };
        let path: Vec<[u8; 32]> = event.path.iter().map(|hash| *hash.as_bytes()).collect();
        let root = merkle::root_of_path(&merkle::leaf(&event.event.0), event.index, named.name.events, &path);
        if root.is_none_or(|root| root.as_slice() != named.name.merkle_root.as_slice()) {
            fail(format!("{place} is not in the block: bytes and path do not lead to its Merkle root"));
        }
        // What proves no work is told where work is looked at.
        if matches!(context.scope.relation(&event.event.0), Relation::Foreign) {
            fail(format!("{place} is not about this invoice"));
        }
    }
    let parts: Vec<String> = counts.iter().map(|(topic, count)| format!("{count} of {topic}")).collect();
    let text = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    findings.end(STEP, context.bundle.events.len(), format!("in their blocks by their Merkle paths: {text}"));
}

/// The events are those that were to be taken.
pub(super) fn sample(context: &Context<'_>, names: &Names, findings: &mut Findings) {
    const STEP: StepName = StepName::Sample;
    let mut held: BTreeMap<Place<'_>, Vec<u64>> = BTreeMap::new();
    for event in &context.bundle.events {
        held.entry(event.place()).or_default().push(event.index);
    }
    let Sampling::Drawn(count) = context.bundle.sampling else {
        let missing = context
            .bundle
            .blocks
            .iter()
            .filter(|block| !names.contains_key(&(block.topic.clone(), block.partition, block.block)));
        for block in missing {
            let lines = context.index.of_topic(&block.topic);
            let text =
                format!("{} is said to be here whole, and its name is missing", words(place_of(block)));
            findings.fail(STEP, code::SAMPLE, lines, text);
        }
        let events: u64 = names.values().fold(0, |sum, named| sum.saturating_add(named.name.events));
        let text = format!(
            "{} of the {events} events in all {} blocks are about the invoice",
            context.bundle.events.len(),
            context.bundle.blocks.len()
        );
        findings.end(STEP, context.bundle.blocks.len(), text);
        return;
    };
    let drawn = draws(&context.invoice.evidence_digest, &context.bundle.blocks, count);
    let mut wanted: BTreeMap<Place<'_>, BTreeSet<u64>> = BTreeMap::new();
    let (mut exact, mut passed, mut none) = (0_usize, 0_usize, 0_usize);
    for draw in &drawn {
        let place = place_of(draw.block);
        let key = (place.0.to_owned(), place.1, place.2);
        let Some(named) = names.get(&key) else {
            wanted.entry(place).or_default();
            let lines = context.index.of_topic(place.0);
            let text = format!("an event of {} was drawn, and the bundle holds nothing of it", words(place));
            findings.fail(STEP, code::SAMPLE, lines, text);
            continue;
        };
        let at = draw.place(named.name.events);
        let of_block = held.get(&place).map(Vec::as_slice).unwrap_or_default();
        match first_from(of_block, at) {
            Some(index) => {
                wanted.entry(place).or_default().insert(index);
                if index == at {
                    exact += 1;
                } else {
                    passed += 1;
                }
            }
            None => {
                wanted.entry(place).or_default();
                none += 1;
                if !may_hold_none(context, place.0) {
                    let lines = context.index.of_topic(place.0);
                    let text = format!(
                        "event {at} of {} was drawn, and no event of that block is here",
                        words(place)
                    );
                    findings.fail(STEP, code::SAMPLE, lines, text);
                }
            }
        }
    }
    for (place, indexes) in &held {
        let of_block = wanted.get(place);
        for index in
            indexes.iter().filter(|index| !of_block.is_some_and(|of_block| of_block.contains(*index)))
        {
            let text = format!("event {index} of {} was not drawn", words(*place));
            findings.fail(STEP, code::SAMPLE, context.index.of_topic(place.0), text);
        }
    }
    for key in names.keys() {
        if !wanted.contains_key(&(key.0.as_str(), key.1, key.2)) {
            let text =
                format!("nothing of {} was drawn, and its name is here", words((&key.0, key.1, key.2)));
            findings.fail(STEP, code::SAMPLE, context.index.of_topic(&key.0), text);
        }
    }
    let mut text = format!("{exact} of {} draws at the drawn place", drawn.len());
    if passed > 0 {
        text.push_str(&format!(", {passed} at the next event after others'"));
    }
    if none > 0 {
        text.push_str(&format!(", {none} in blocks with others' events alone"));
    }
    findings.end(STEP, drawn.len(), text);
}

/// Whether a block may stand behind the invoice without an event that is about it: losses of a site are
/// measured by the site's meters and by machines of everybody, and a fact that a bill rests on may be of a
/// kind that does not say whose it is.
fn may_hold_none(context: &Context<'_>, topic: &str) -> bool {
    if topic == topics::SHARES {
        return false;
    }
    let needs_sites = |stretch: &RatedStretch| {
        Contract::parse(&stretch.contract).is_ok_and(|contract| contract.needs().sites)
    };
    topic == topics::REFERENCE || context.bundle.stretches.iter().any(needs_sites)
}
