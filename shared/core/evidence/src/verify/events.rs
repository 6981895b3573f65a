//! Commits of blocks, and the events in them.

use std::collections::BTreeMap;

use wb_events::commits::{COMMITS_VERSION, commit_hash, encode_commit};
use wb_events::wire::Commit;
use wb_fold::merkle;
use wb_ledger::EvidenceBlock;

use super::{Context, Fault};
use crate::build::commit_of;
use crate::bundle::{Place, place_of, words};
use crate::report::{Findings, StepName};
use crate::subject::Relation;

/// The commits that agree with the invoice about their blocks.
pub(super) type Commits = BTreeMap<(String, u32, u64), Committed>;

/// A commit.
pub(super) struct Committed {
    pub(super) commit: Commit,
    pub(super) commit_offset: u64,
    hash: [u8; 32],
}

/// Compares the commits with the invoice's blocks, its cut, its chain heads and each other.
pub(super) fn commits(context: &Context<'_>, findings: &mut Findings) -> Commits {
    const STEP: StepName = StepName::Commits;
    let mut commits = Commits::new();
    let mut before = None;
    for record in &context.bundle.commits {
        let Some(commit) = commit_of(&record.record.0) else {
            let text = format!("record {} of commits is not a commit", record.commit_offset);
            findings.fail(STEP, Fault::Commit.code(), [], text);
            continue;
        };
        let key = (commit.topic.clone(), commit.partition, commit.block);
        let place: Place<'_> = (&key.0, key.1, key.2);
        let lines = context.index.of_topic(&key.0);
        let mut fail = |text: String| findings.fail(STEP, Fault::Commit.code(), lines.iter().cloned(), text);
        if before.as_ref().is_some_and(|before| *before >= key) {
            fail(format!("the commit of {} stands there twice, or out of order", words(place)));
        }
        let found = context.bundle.blocks.binary_search_by(|block| place_of(block).cmp(&place));
        let listed = found.ok().and_then(|at| context.bundle.blocks.get(at));
        let of_days = context.day_blocks.get(&place).map(Vec::as_slice).unwrap_or_default();
        if listed.is_none() && of_days.is_empty() {
            fail(format!("{} is committed, and the invoice does not rest on it", words(place)));
        }
        for text in listed.iter().flat_map(|block| differences(block, &commit, "the invoice")) {
            fail(text);
        }
        for of_day in of_days {
            let sayer = format!("its place in sealed day {}", of_day.day);
            for text in differences(&of_day.block, &commit, &sayer) {
                fail(text);
            }
        }
        let counted =
            commit.accepted.checked_add(commit.duplicate).and_then(|sum| sum.checked_add(commit.rejected));
        if counted != Some(commit.events)
            || commit.version != COMMITS_VERSION
            || commit.end_offset <= commit.first_offset
        {
            fail(format!("the commit of {} contradicts itself", words(place)));
        }
        // Decoders skip unknown fields; a record of this form has none.
        if encode_commit(&commit) != record.record.0 {
            fail(format!("the commit of {} holds more than a commit", words(place)));
        }
        if record.commit_offset >= context.invoice.evidence.cut {
            fail(format!(
                "{} is committed at offset {}, and only what is committed before {} counts for the invoice",
                words(place),
                record.commit_offset,
                context.invoice.evidence.cut
            ));
        }
        let committed =
            Committed { commit_offset: record.commit_offset, hash: commit_hash(&record.record.0), commit };
        before = Some(key.clone());
        commits.insert(key, committed);
    }
    chains(context, &commits, findings);
    let listed = context.bundle.blocks.len();
    let text = if context.invoice.evidence.days.is_empty() {
        format!("of {listed} blocks behind the invoice: their commits say what the invoice says of them")
    } else {
        format!(
            "of {listed} blocks listed one by one and {} of sealed days: their commits say what invoice and days say of them",
            context.day_blocks.len()
        )
    };
    findings.end(STEP, context.bundle.commits.len(), text);
    commits
}

/// How a commit differs from a block as the invoice or a sealed day gives it.
fn differences(block: &EvidenceBlock, commit: &Commit, sayer: &str) -> Vec<String> {
    let place = words(place_of(block));
    let mut found = Vec::new();
    if block.merkle_root.as_bytes() != commit.merkle_root.as_slice() {
        found.push(format!("{place} is committed with another Merkle root than {sayer} says"));
    }
    if block.content_hash.as_bytes() != commit.content_hash.as_slice() {
        found.push(format!("{place} is committed with another content than {sayer} says"));
    }
    found
}

/// Commits of neighbouring blocks follow each other, and the last one is the chain head on the invoice.
fn chains(context: &Context<'_>, commits: &Commits, findings: &mut Findings) {
    let mut fail = |key: &(String, u32, u64), text: String| {
        findings.fail(StepName::Commits, Fault::Commit.code(), context.index.of_topic(&key.0), text);
    };
    let mut before: Option<(&(String, u32, u64), &Committed)> = None;
    for (key, committed) in commits {
        if let Some((other, earlier)) = before
            && (&other.0, other.1) == (&key.0, key.1)
        {
            let place = words((&key.0, key.1, key.2));
            if earlier.commit_offset >= committed.commit_offset
                || earlier.commit.end_offset > committed.commit.first_offset
            {
                fail(key, format!("the commit of {place} does not come after those of earlier blocks"));
            }
            let is_next = other.2.checked_add(1) == Some(key.2);
            if is_next && committed.commit.predecessor != earlier.hash {
                fail(key, format!("the commit of {place} does not follow the commit of the block before it"));
            }
        }
        before = Some((key, committed));
    }
    let heads = &context.invoice.evidence.chain_heads;
    for head in heads {
        let key = (head.topic.clone(), head.partition, head.block);
        let differs =
            commits.get(&key).is_some_and(|committed| committed.hash != *head.commit_hash.as_bytes());
        if differs {
            fail(
                &key,
                format!(
                    "the commit of {} is not the chain head on the invoice",
                    words((&key.0, key.1, key.2))
                ),
            );
        }
    }
    for (key, committed) in commits {
        let head = heads.iter().find(|head| (&head.topic, head.partition) == (&key.0, key.1));
        if head.is_none_or(|head| head.block < committed.commit.block) {
            fail(key, format!("{} lies beyond the chain head on the invoice", words((&key.0, key.1, key.2))));
        }
    }
}

/// Every event lies in the block that is given for it, and is about the invoice.
pub(super) fn inclusion(context: &Context<'_>, commits: &Commits, findings: &mut Findings) {
    const STEP: StepName = StepName::Events;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &context.bundle.events {
        *counts.entry(&event.topic).or_default() += 1;
        let lines = context.index.of_topic(&event.topic);
        let mut fail = |text: String| findings.fail(STEP, Fault::Event.code(), lines.iter().cloned(), text);
        let place = format!("event {} of {}", event.index, words(event.place()));
        let key = (event.topic.clone(), event.partition, event.block);
        let Some(committed) = commits.get(&key) else {
            fail(format!("{place}: the bundle holds no commit of that block"));
            continue;
        };
        let path: Vec<[u8; 32]> = event.path.iter().map(|hash| *hash.as_bytes()).collect();
        let root =
            merkle::root_of_path(&merkle::leaf(&event.event.0), event.index, committed.commit.events, &path);
        if root.is_none_or(|root| root.as_slice() != committed.commit.merkle_root.as_slice()) {
            fail(format!("{place} is not in the block: bytes and path do not lead to its Merkle root"));
        }
        // A share without work is reported by the step that checks work.
        if matches!(context.scope.relation(&event.event.0), Relation::Foreign) {
            fail(format!("{place} is not about this invoice"));
        }
    }
    let parts: Vec<String> = counts.iter().map(|(topic, count)| format!("{count} of {topic}")).collect();
    let text = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    findings.end(STEP, context.bundle.events.len(), format!("in their blocks by their Merkle paths: {text}"));
}
