//! Names of blocks, and the events in them.

use std::collections::BTreeMap;

use wb_events::names::{NAMES_VERSION, encode_name, name_hash};
use wb_events::wire::Name;
use wb_fold::merkle;
use wb_ledger::EvidenceBlock;

use super::{Context, code};
use crate::build::name_of;
use crate::bundle::{Place, place_of, words};
use crate::report::{Findings, StepName};
use crate::subject::Relation;

/// The names that say of a block what the invoice says of it.
pub(super) type Names = BTreeMap<(String, u32, u64), Named>;

/// A name.
pub(super) struct Named {
    pub(super) name: Name,
    pub(super) names_offset: u64,
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
        let listed = found.ok().and_then(|at| context.bundle.blocks.get(at));
        let of_days = context.day_blocks.get(&place).map(Vec::as_slice).unwrap_or_default();
        if listed.is_none() && of_days.is_empty() {
            fail(format!("{} is named, and the invoice does not rest on it", words(place)));
        }
        for text in listed.iter().flat_map(|block| differences(block, &name, "the invoice")) {
            fail(text);
        }
        for of_day in of_days {
            let sayer = format!("its place in sealed day {}", of_day.day);
            for text in differences(&of_day.block, &name, &sayer) {
                fail(text);
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
    let listed = context.bundle.blocks.len();
    let text = if context.invoice.evidence.days.is_empty() {
        format!("of {listed} blocks behind the invoice: their names say what the invoice says of them")
    } else {
        format!(
            "of {listed} blocks named one by one and {} of sealed days: their names say what invoice and days say of them",
            context.day_blocks.len()
        )
    };
    findings.end(STEP, context.bundle.names.len(), text);
    names
}

/// What a name says otherwise of a block.
fn differences(block: &EvidenceBlock, name: &Name, sayer: &str) -> Vec<String> {
    let place = words(place_of(block));
    let mut found = Vec::new();
    if block.merkle_root.as_bytes() != name.merkle_root.as_slice() {
        found.push(format!("{place} is named with another Merkle root than {sayer} says"));
    }
    if block.content_hash.as_bytes() != name.content_hash.as_slice() {
        found.push(format!("{place} is named with another content than {sayer} says"));
    }
    found
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
