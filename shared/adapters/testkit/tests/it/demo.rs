//! The demonstration's input: its counts, that it is reproducible, and its shares checked by a second, simpler
//! implementation of the protocol.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde_json::Value;
use wb_testkit::{DemoInput, SOURCES, demo_input, share_stream};

/// Any seed works; failures print it.
const SEED: u64 = 20_261_001;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data")
}

fn input() -> DemoInput {
    demo_input(&data(), SEED).unwrap()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

#[test]
fn counts_are_those_of_the_files() {
    let input = input();
    let part = |name: &str| input.part(name).unwrap_or_else(|| panic!("no part {name}"));
    let (genesis, historic, rejects) =
        (part("genesis blocks"), part("historic blocks"), part("historic rejects"));
    assert_eq!((genesis.expect.accepted, genesis.expect.blocks), (400, 400));
    assert_eq!((historic.expect.accepted, historic.expect.blocks), (8, 8));
    assert_eq!(rejects.expect.accepted, 0);
    assert_eq!(
        rejects.expect.rejected,
        BTreeMap::from([
            ("bad_version_bits".to_owned(), 1),
            ("low_difficulty".to_owned(), 24),
            ("time_too_old".to_owned(), 8),
        ])
    );
    assert_eq!(part("miner samples").expect.accepted, 10);
    // Six machines in two hours.
    assert_eq!(part("fleet samples").expect.accepted, 6 * 24);
    let spans = part("gpu spans");
    assert_eq!(spans.expect.accepted, 5);
    assert_eq!(spans.expect.not_sent.len(), 1);
    assert_eq!(
        spans.expect.gpu_seconds,
        BTreeMap::from([("acme".to_owned(), 744_000 + 59_684), ("birch".to_owned(), 5)])
    );
    let fleet = part("fleet shares");
    println!("seed {SEED}, fleet: {} shares", fleet.expect.accepted);
    assert!((1_300..1_700).contains(&fleet.expect.accepted), "{}", fleet.expect.accepted);
    // Twelve machines and two sites.
    assert_eq!(part("fleet energy").expect.accepted, 14 * 25);
    // With the first block, five hours of 3 January, 28 days, and midnight of 1 February.
    assert_eq!(part("genesis energy").expect.accepted, 3 * (1 + 5 + 28 * 24 + 1));
    let work: u128 = genesis.expect.credited_q32.values().sum();
    assert_eq!(work, 400 << 32);
    let main = historic.expect.credited_q32.iter().filter(|((chain, _), _)| chain == "main");
    assert_eq!(main.map(|(_, credited_q32)| credited_q32).sum::<u128>(), (6 * 65_536) << 32);
    for part in &input.parts {
        let events = u64::try_from(part.events.len()).unwrap();
        assert_eq!(part.expect.accepted + part.expect.rejected_total(), events, "{}", part.name);
        assert!(SOURCES.iter().any(|(source, _)| *source == part.source), "{}", part.source);
    }
    assert_eq!((input.parts[0].name, input.parts[1].name), ("facts", "sessions and jobs"));
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_gives_others() {
    let bytes = |input: &DemoInput| -> Vec<String> {
        input.parts.iter().map(|part| serde_json::to_string(&part.events).unwrap()).collect()
    };
    let (first, again) = (input(), input());
    assert_eq!(bytes(&first), bytes(&again));
    let other = demo_input(&data(), SEED + 1).unwrap();
    assert_ne!(bytes(&first), bytes(&other));
    // Parts from files do not depend on the seed.
    for name in ["genesis blocks", "historic blocks", "historic rejects", "miner samples", "gpu spans"] {
        assert_eq!(first.part(name), other.part(name), "{name}");
    }
}

#[test]
fn no_source_numbers_two_events_alike() {
    let input = input();
    let mut seen = BTreeSet::new();
    for part in &input.parts {
        for event in &part.events {
            let identity = (part.source, text(event, "/key").to_owned(), event["sequence"].as_u64().unwrap());
            assert!(seen.insert(identity.clone()), "{identity:?}");
        }
    }
}

#[test]
fn every_event_refers_to_facts_that_hold_before_it() {
    let input = input();
    let mut since: HashMap<(String, String), i64> = HashMap::new();
    for event in input.parts[..2].iter().flat_map(|part| &part.events) {
        let key = (text(event, "/body/fact").to_owned(), text(event, "/body/entity").to_owned());
        let from = event.pointer("/body/valid_from_us").and_then(Value::as_i64).unwrap();
        let earliest = since.entry(key).or_insert(from);
        *earliest = from.min(*earliest);
    }
    let holds = |fact: &str, entity: &str, at_us: i64| {
        let from = since.get(&(fact.to_owned(), entity.to_owned()));
        assert!(from.is_some_and(|from| *from <= at_us), "{fact} {entity} at {at_us}: {from:?}");
    };
    let mut checked = 0;
    for event in input.parts[2..].iter().flat_map(|part| &part.events) {
        let at_us = event["event_time_us"].as_i64().unwrap();
        match text(event, "/kind") {
            "share" => holds("session", text(event, "/body/session_id"), at_us),
            "gpu_span" | "gpu_sample" => holds("machine", text(event, "/body/node_id"), at_us),
            _ => holds("machine", text(event, "/body/machine_id"), at_us),
        }
        checked += 1;
    }
    assert!(checked > 4_000, "{checked}");
}

/// A second implementation of the protocol, which shares only the hash function: builds the header of a submit from
/// its facts.
fn header_of(facts: &HashMap<(String, String), Value>, body: &Value) -> Vec<u8> {
    let fact = |kind: &str, entity: &str| &facts[&(kind.to_owned(), entity.to_owned())];
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
    };
    let reversed = |text: &str| unhex(text).into_iter().rev().collect::<Vec<u8>>();
    let session = fact("session", text(body, "/session_id"));
    let job = fact("job", &format!("{}/{}", text(session, "/scope"), text(body, "/job_id")));
    let parts = [
        text(job, "/coinb1"),
        text(session, "/extranonce1"),
        text(body, "/extranonce2"),
        text(job, "/coinb2"),
    ];
    let mut root = wb_proof::sha256d(&unhex(&parts.concat()));
    for branch in job["branch"].as_array().unwrap() {
        root = wb_proof::sha256d(&[root.as_slice(), &unhex(branch.as_str().unwrap())].concat());
    }
    let prevhash = text(job, "/prevhash");
    let prev: Vec<u8> = (0..8).flat_map(|word| reversed(&prevhash[8 * word..8 * word + 8])).collect();
    [
        reversed(text(job, "/version")),
        prev,
        root.to_vec(),
        reversed(text(body, "/ntime")),
        reversed(text(job, "/nbits")),
        reversed(text(body, "/nonce")),
    ]
    .concat()
}

fn facts_of(events: &[Value]) -> HashMap<(String, String), Value> {
    let entry = |event: &Value| {
        let key = (text(event, "/body/fact").to_owned(), text(event, "/body/entity").to_owned());
        (key, event.pointer("/body/body").unwrap().clone())
    };
    events.iter().map(entry).collect()
}

#[test]
fn each_mined_share_meets_its_target() {
    let input = input();
    let facts = facts_of(&input.parts[1].events);
    let mut proofs = BTreeSet::new();
    let shares = &input.part("fleet shares").unwrap().events;
    for event in shares {
        let header = header_of(&facts, &event["body"]);
        assert_eq!(header.len(), 80);
        let hash = wb_proof::sha256d(&header);
        // Difficulty 2^-20: the target is 0xffff * 2^228, whose top byte is 0 and next 0x0f.
        assert!(hash[31] == 0 && hash[30] <= 0x0f, "{}", wb_proof::display_hash(&hash));
        assert!(proofs.insert(hash), "one proof twice");
    }
    assert_eq!(proofs.len(), shares.len());
}

#[test]
fn a_stream_is_mined_in_turn_and_meets_its_target() {
    let stream = share_stream(SEED, 3, 1_000).unwrap();
    assert_eq!(stream.shares.len(), 1_000);
    assert_eq!(stream, share_stream(SEED, 3, 1_000).unwrap());
    let facts = facts_of(&stream.sessions_and_jobs);
    let mut proofs = BTreeSet::new();
    for share in &stream.shares {
        let hash = wb_proof::sha256d(&header_of(&facts, &share.to_json()["body"]));
        // Difficulty 2^-28: the target is 0xffff * 2^236.
        assert!(hash[31] <= 0x0f, "{}", wb_proof::display_hash(&hash));
        assert!(proofs.insert(hash), "one proof twice");
    }
    assert!(share_stream(SEED, 0, 1).is_err());
}
