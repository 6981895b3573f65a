//! Bundles of sealed days that somebody changed and wrote again; and what such a bundle proves and does not prove.

use serde_json::Value;
use wb_events::commits::{encode_commit, encode_seal};
use wb_events::wire::commits_record::Record;
use wb_events::wire::{Commit, CommitsRecord, Seal};
use wb_evidence::{Bundle, EventProof, Sampling, StepName};
use wb_ledger::{Hash, canonical};

use super::report;
use crate::support;
use crate::support::{drawn, drawn_of_days, whole_of_days, world_sealed};

/// Changes the evidence in the ledger's record.
fn in_evidence(bundle: &mut Bundle, change: impl Fn(&mut Value)) {
    let mut value: Value = serde_json::from_str(&bundle.record).unwrap();
    change(&mut value["body"]["evidence"]);
    bundle.record = canonical::write(&value).unwrap();
}

fn read(record: &[u8]) -> Record {
    <CommitsRecord as prost::Message>::decode(record).unwrap().record.unwrap()
}

fn in_seal(bundle: &mut Bundle, at: usize, change: impl Fn(&mut Seal)) {
    let bytes = &mut bundle.seals[at].record.0;
    let Record::Seal(mut seal) = read(bytes) else { panic!("no seal") };
    change(&mut seal);
    *bytes = encode_seal(&seal);
}

fn commit_of(record: &[u8]) -> Commit {
    let Record::Commit(commit) = read(record) else { panic!("no commit") };
    commit
}

/// The place in the bundle of the commit of a block of shares.
fn commit_at(bundle: &Bundle, block: u64) -> usize {
    let is_it = |commit: &Commit| commit.topic == "shares" && commit.block == block;
    bundle.commits.iter().position(|commit| is_it(&commit_of(&commit.record.0))).unwrap()
}

fn is_of(event: &EventProof, block: u64) -> bool {
    event.topic == "shares" && event.block == block
}

/// Takes a block of shares out, with its commit, events and proofs.
fn without(bundle: &mut Bundle, block: u64) {
    let at = commit_at(bundle, block);
    bundle.commits.remove(at);
    bundle.events.retain(|event| !is_of(event, block));
    bundle.day_blocks.retain(|held| held.block.topic != "shares" || held.block.block != block);
}

/// Puts a block of shares in, with its proofs and one event.
fn with(bundle: &mut Bundle, block: u64) {
    let whole = whole_of_days();
    bundle.commits.push(whole.commits[commit_at(&whole, block)].clone());
    bundle.commits.sort_by_key(|commit| {
        let commit = commit_of(&commit.record.0);
        (commit.topic, commit.block)
    });
    bundle.events.extend(whole.events.iter().find(|event| is_of(event, block)).cloned());
    bundle.events.sort_by_key(|event| (event.topic.clone(), event.partition, event.block, event.index));
    bundle.day_blocks.extend(
        whole.day_blocks.into_iter().filter(|held| held.block.block == block && held.block.topic == "shares"),
    );
    bundle.day_blocks.sort_by_key(|held| (held.day, held.index));
}

const EARNINGS: &str = "lab-1/earnings";
const POWER: &str = "lab-1/power";
/// The 9th, with blocks 0 to 3 of shares, and the 10th, with 3 to 8. Of the latter 4 and 5 are not drawn, and 7 and 8
/// are another customer's.
const NINTH: i32 = 14_253;
const TENTH: i32 = 14_254;

#[test]
fn what_was_not_tampered_with_is_valid() {
    let found = report(&drawn_of_days());
    assert!(found.valid, "{found}");
    let step = |name| found.steps.iter().find(|step| step.step == name).unwrap();
    assert_eq!(step(StepName::Days).checked, 5);
    assert_eq!(step(StepName::Sample).checked, u64::from(support::DRAWS_OF_DAYS));
    assert!(
        step(StepName::Sample).text.ends_with("1 in sealed days that are said to hold others' events alone")
    );
    let found = report(&whole_of_days());
    assert!(found.valid, "{found}");
    let step = |name| found.steps.iter().find(|step| step.step == name).unwrap();
    // The block that lies in two days is there twice, and its events count once.
    assert_eq!(whole_of_days().day_blocks.iter().filter(|held| held.block.block == 3).count(), 2);
    assert_eq!((step(StepName::Work).checked, step(StepName::Sums).checked), (27, 1));
}

/// For every number of draws, the events taken are the events that the verification looks for.
#[test]
fn every_number_of_draws_makes_a_bundle_that_is_valid() {
    for draws in (1..80).chain([257, 1_024]) {
        let bundle = support::world_of_days(Sampling::Drawn(draws)).bundle();
        let found = report(&bundle);
        assert!(found.valid, "{draws} draws: {found}");
        let step = found.steps.iter().find(|step| step.step == StepName::Sample).unwrap();
        assert_eq!(step.checked, u64::from(draws), "{found}");
    }
}

/// (what, change, code that must be there, words that must be there, line that must be there)
type Case = (&'static str, fn(&mut Bundle), &'static str, &'static str, Option<&'static str>);

fn cases_of_seals() -> Vec<Case> {
    vec![
        (
            "the root in a seal",
            |bundle| in_seal(bundle, 1, |seal| seal.blocks_root[0] ^= 1),
            "WB-5930",
            "the seal of day 14253 has another root over its blocks",
            Some(POWER),
        ),
        (
            "the blocks in a seal",
            |bundle| in_seal(bundle, 1, |seal| seal.blocks += 1),
            "WB-5930",
            "the seal of day 14253 is of 5 blocks, and the invoice says 4",
            Some(EARNINGS),
        ),
        (
            "another seal of the day",
            |bundle| in_seal(bundle, 1, |seal| seal.seal += 1),
            "WB-5930",
            "the seal of day 14253 does not hash to ",
            Some(POWER),
        ),
        (
            "a missing seal",
            |bundle| drop(bundle.seals.remove(2)),
            "WB-5930",
            "rests on sealed day 14254, and its seal is missing",
            Some(POWER),
        ),
        (
            "no seals at all, and no blocks of days",
            |bundle| {
                bundle.seals.clear();
                bundle.day_blocks.clear();
            },
            "WB-5930",
            "rests on sealed day 14265, and its seal is missing",
            Some(POWER),
        ),
        (
            "seals out of order",
            |bundle| bundle.seals.swap(0, 1),
            "WB-5930",
            "the seal of day 14245 stands there twice, or out of order",
            Some(POWER),
        ),
        (
            "a seal twice",
            |bundle| bundle.seals.insert(0, bundle.seals[0].clone()),
            "WB-5930",
            "the seal of day 14245 stands there twice, or out of order",
            Some(POWER),
        ),
        (
            "a seal of another day",
            |bundle| in_seal(bundle, 4, |seal| seal.day += 1),
            "WB-5930",
            "the seal of day 14266 is here, and the invoice does not rest on it",
            Some(POWER),
        ),
        (
            "a commit for a seal",
            |bundle| bundle.seals[0].record = bundle.commits[0].record.clone(),
            "WB-5930",
            "record 14 of commits is no seal",
            Some(POWER),
        ),
        (
            "more in a seal than a seal",
            |bundle| bundle.seals[0].record.0.extend([0x78, 1]),
            "WB-5930",
            "the seal of day 14245 holds more than a seal",
            Some(POWER),
        ),
        (
            "where a seal lies",
            |bundle| bundle.seals[0].commit_offset += 1,
            "WB-5930",
            "the seal of day 14245 lies at offset 15 here, and at 14 on the invoice",
            Some(POWER),
        ),
        (
            "a seal beyond the cut",
            |bundle| in_evidence(bundle, |evidence| evidence["cut"] = 18.into()),
            "WB-5930",
            "the seal of day 14265 lies at offset 18, and only what lies before 18 counts",
            Some(POWER),
        ),
        (
            "another cut",
            |bundle| in_evidence(bundle, |evidence| evidence["cut"] = 49.into()),
            "WB-5929",
            "the blocks, sealed days and chain heads hash to ",
            None,
        ),
        (
            "another root on the invoice",
            |bundle| {
                in_evidence(bundle, |evidence| {
                    evidence["days"][1]["blocks_root"] = Hash::ZERO.to_string().into()
                })
            },
            "WB-5929",
            "the blocks, sealed days and chain heads hash to ",
            None,
        ),
        (
            "a day left out on the invoice, and in the bundle",
            |bundle| {
                in_evidence(bundle, |evidence| drop(evidence["days"].as_array_mut().unwrap().remove(3)));
                bundle.seals.remove(3);
            },
            "WB-5929",
            "rests on 16 blocks, and the bundle lists 3, and the invoice's sealed days have 12",
            None,
        ),
        (
            "a day left out on the invoice",
            |bundle| in_evidence(bundle, |evidence| drop(evidence["days"].as_array_mut().unwrap().remove(1))),
            "WB-5930",
            "at 0 of sealed day 14253: the invoice does not rest on that day",
            Some(EARNINGS),
        ),
        (
            "a day added on the invoice",
            |bundle| {
                in_evidence(bundle, |evidence| {
                    let mut day = evidence["days"][4].clone();
                    day["day"] = 14_270.into();
                    evidence["days"].as_array_mut().unwrap().push(day);
                });
            },
            "WB-5929",
            "the blocks, sealed days and chain heads hash to ",
            None,
        ),
        (
            "days out of order on the invoice",
            |bundle| in_evidence(bundle, |evidence| evidence["days"].as_array_mut().unwrap().swap(0, 1)),
            "WB-5929",
            "the invoice's sealed days are not sorted",
            None,
        ),
        (
            "how many blocks there are",
            |bundle| in_evidence(bundle, |evidence| evidence["blocks_count"] = 17.into()),
            "WB-5929",
            "rests on 17 blocks, and the bundle lists 3, and the invoice's sealed days have 13",
            None,
        ),
    ]
}

fn cases_of_blocks() -> Vec<Case> {
    vec![
        (
            "a block's path",
            |bundle| bundle.day_blocks[1].path[0] = Hash::of(b"another"),
            "WB-5930",
            "block 0 of shares/0, at 0 of sealed day 14253: block and path do not lead to the root",
            Some(EARNINGS),
        ),
        (
            "a longer path",
            |bundle| bundle.day_blocks[0].path.push(Hash::ZERO),
            "WB-5930",
            "block 0 of energy/0, at 0 of sealed day 14245: block and path do not lead to the root",
            Some(POWER),
        ),
        (
            "a block's place",
            |bundle| bundle.day_blocks[3].index += 1,
            "WB-5930",
            "block 2 of shares/0, at 3 of sealed day 14253: block and path do not lead to the root",
            Some(EARNINGS),
        ),
        (
            "a place beyond the day's last",
            |bundle| bundle.day_blocks[3].index += 100,
            "WB-5930",
            "at 102 of sealed day 14253: block and path do not lead to the root",
            Some(EARNINGS),
        ),
        (
            "another day of a block",
            |bundle| bundle.day_blocks[0].day += 1,
            "WB-5930",
            "at 0 of sealed day 14246: the invoice does not rest on that day",
            Some(POWER),
        ),
        (
            "a block for another of its day, without proof",
            |bundle| bundle.day_blocks[2].block = bundle.day_blocks[4].block.clone(),
            "WB-5930",
            "block 3 of shares/0, at 1 of sealed day 14253: block and path do not lead to the root",
            Some(EARNINGS),
        ),
        (
            "blocks of a day out of order",
            |bundle| bundle.day_blocks[2].block = bundle.day_blocks[4].block.clone(),
            "WB-5930",
            "block 2 of shares/0, at 2 of sealed day 14253: the day's blocks are not sorted",
            Some(EARNINGS),
        ),
        (
            "a block for another of its day, with proof",
            |bundle| {
                without(bundle, 6);
                with(bundle, 5);
            },
            "WB-5932",
            "no draw falls to block 5 of shares/0, at 2 of sealed day 14254",
            Some(EARNINGS),
        ),
        (
            "a block that nobody drew",
            |bundle| with(bundle, 4),
            "WB-5932",
            "no draw falls to block 4 of shares/0, at 1 of sealed day 14254",
            Some(EARNINGS),
        ),
        (
            "what a block holds",
            |bundle| bundle.day_blocks[1].block.content_hash = Hash::of(b"another"),
            "WB-5930",
            "block 0 of shares/0 is committed with another content than its place in sealed day 14253 says",
            Some(EARNINGS),
        ),
        (
            "a commit with another root",
            |bundle| {
                let at = commit_at(bundle, 6);
                let mut commit = commit_of(&bundle.commits[at].record.0);
                commit.merkle_root[0] ^= 1;
                bundle.commits[at].record.0 = encode_commit(&commit);
            },
            "WB-5930",
            "block 6 of shares/0 is committed with another Merkle root than its place in sealed day 14254 says",
            Some(EARNINGS),
        ),
        (
            "a commit that is left out",
            |bundle| {
                let at = commit_at(bundle, 6);
                bundle.commits.remove(at);
            },
            "WB-5930",
            "block 6 of shares/0, at 3 of sealed day 14254: the bundle holds no commit of that block",
            Some(EARNINGS),
        ),
        (
            "a commit above the seal's cut",
            |bundle| {
                let at = commit_at(bundle, 6);
                bundle.commits[at].commit_offset = 14;
            },
            "WB-5930",
            "it is committed at offset 14, and the seal is of what was committed before 14",
            Some(EARNINGS),
        ),
        (
            "a block that is left out, and its commit and events are not",
            |bundle| drop(bundle.day_blocks.remove(2)),
            "WB-5930",
            "block 1 of shares/0 is committed, and the invoice does not rest on it",
            Some(EARNINGS),
        ),
        (
            "events that are left out",
            |bundle| bundle.events.retain(|event| !is_of(event, 1)),
            "WB-5932",
            "of block 1 of shares/0 was drawn, and no event of that block is here",
            Some(EARNINGS),
        ),
        (
            "an event that was chosen",
            |bundle| {
                let is_other = |event: &&EventProof| is_of(event, 1) && !bundle.events.contains(event);
                let other = whole_of_days().events.iter().find(is_other).cloned().unwrap();
                bundle.events.push(other);
                bundle
                    .events
                    .sort_by_key(|event| (event.topic.clone(), event.partition, event.block, event.index));
            },
            "WB-5932",
            "of block 1 of shares/0 was not drawn",
            Some(EARNINGS),
        ),
        (
            "an event of another's block",
            |bundle| {
                let at = bundle.events.iter().position(|event| is_of(event, 1)).unwrap();
                bundle.events[at].block = 8;
                bundle
                    .events
                    .sort_by_key(|event| (event.topic.clone(), event.partition, event.block, event.index));
            },
            "WB-5931",
            "block 8 of shares/0: the bundle holds no commit of that block",
            Some(EARNINGS),
        ),
        (
            "a byte of an event",
            |bundle| {
                let at = bundle.events.iter().position(|event| is_of(event, 1)).unwrap();
                *bundle.events[at].event.0.last_mut().unwrap() ^= 1;
            },
            "WB-5931",
            "bytes and path do not lead to its Merkle root",
            Some(EARNINGS),
        ),
    ]
}

#[test]
fn what_was_tampered_with_fails_with_its_code_its_words_and_its_line() {
    for (what, change, code, words, line) in cases_of_seals().into_iter().chain(cases_of_blocks()) {
        let mut bundle = drawn_of_days();
        change(&mut bundle);
        let report = report(&bundle);
        let is_it = |failure: &&wb_evidence::Failure| failure.code == code && failure.text.contains(words);
        let Some(failure) = report.failures.iter().find(is_it) else {
            panic!("{what}: no {code} with {words:?} in\n{report}");
        };
        let has_line = line.is_none_or(|line| failure.lines.iter().any(|touched| touched == line));
        assert!(!report.valid && has_line, "{what}: {line:?} is not in\n{report}");
    }
}

/// (what, change of a seal, words that must be there)
type Sealing = (&'static str, fn(&mut Seal), &'static [&'static str]);

/// Seals that agree with the invoice's digest and are invalid all the same.
#[test]
fn an_invoice_on_seals_that_are_none_is_found_out() {
    let cases: [Sealing; 6] = [
        ("nothing", |_| {}, &[]),
        ("a newer form", |seal| seal.version += 1, &["is of version 2, and this program knows 1"]),
        ("a cut above itself", |seal| seal.cut = 30, &["holds commits below 30, and lies itself at 15"]),
        (
            "a cut below its blocks",
            |seal| seal.cut = 7,
            &[
                "block 2 of shares/0, at 2 of sealed day 14253: it is committed at offset 7, and the seal is of what was committed before 7",
            ],
        ),
        ("other blocks", |seal| seal.blocks += 1, &["is of 5 blocks, and the invoice says 4"]),
        ("another root", |seal| seal.blocks_root[31] ^= 1, &["has another root over its blocks than "]),
    ];
    for (what, change, expected) in cases {
        let change = |seal: &mut Seal| {
            if seal.day == NINTH {
                change(seal);
            }
        };
        let found = report(&world_sealed(Sampling::All, &change).bundle());
        assert_eq!(found.valid, expected.is_empty(), "{what}: {found}");
        for words in expected {
            let is_it =
                |failure: &wb_evidence::Failure| failure.code == "WB-5930" && failure.text.contains(words);
            assert!(found.failures.iter().any(is_it), "{what}: no {words:?} in\n{found}");
        }
        assert!(found.failures.iter().all(|failure| failure.step == StepName::Days), "{what}: {found}");
    }
}

#[test]
fn an_invoice_without_sealed_days_has_none_in_its_bundle() {
    let of_days = drawn_of_days();
    let mut with_seals = drawn();
    with_seals.seals = of_days.seals;
    let mut with_blocks = drawn();
    with_blocks.day_blocks = of_days.day_blocks;
    for bundle in [with_seals, with_blocks] {
        let found = report(&bundle);
        assert!(found.failures.iter().any(|failure| failure.step == StepName::Days), "{found}");
    }
}

/// Where events are drawn, only the issuer states which blocks of a day hold nothing of the customer's. Where all
/// events are here, their sum shows it.
#[test]
fn a_block_that_is_passed_over_is_found_by_the_sums_alone() {
    let mut bundle = drawn_of_days();
    without(&mut bundle, 1);
    let found = report(&bundle);
    assert!(found.valid, "{found}");
    let mut bundle = whole_of_days();
    without(&mut bundle, 1);
    let found = report(&bundle);
    assert_eq!(found.failures.iter().map(|failure| failure.code).collect::<Vec<_>>(), ["WB-5934"], "{found}");
    assert!(found.lines().contains(&EARNINGS), "{found}");
    // The same with one event, and with a block in one of its two days: in the other it still counts.
    let mut bundle = whole_of_days();
    let at = bundle.events.iter().position(|event| is_of(event, 3)).unwrap();
    bundle.events.remove(at);
    assert!(report(&bundle).failures.iter().any(|failure| failure.code == "WB-5934"));
    let mut bundle = whole_of_days();
    bundle.day_blocks.retain(|held| held.day != TENTH || held.block.block != 3);
    assert!(report(&bundle).valid);
}
