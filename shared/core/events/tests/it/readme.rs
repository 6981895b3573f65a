//! The examples of `schemas/events/README.md`: each is read as a sender's event would be, and each share proves the block
//! the page speaks of.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use wb_events::facts::FactBody;
use wb_events::wire::{Share, event::Body};
use wb_events::{Event, identity, input};
use wb_proof::{Header, ShareContext, Verdict, display_hash, judge, stratum_v1, stratum_v2};

const BLOCK: &str = "000000000000406178b12a4dea3b27e13b3c4fe4510994fd667d7c1e6a3f4dc1";

/// The fenced blocks of the page with some words behind their fence.
fn fenced(info: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../schemas/events/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    let mut inside: Option<(bool, String)> = None;
    for line in text.lines() {
        match (&mut inside, line.strip_prefix("```")) {
            (None, Some(words)) => inside = Some((words == info, String::new())),
            (Some(_), Some(_)) => {
                let (wanted, block) = inside.take().unwrap();
                found.extend(wanted.then_some(block));
            }
            (Some((_, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(inside.is_none(), "a fence is not closed");
    found
}

fn events() -> Vec<Event> {
    let values = fenced("json").into_iter().flat_map(|block| match serde_json::from_str(&block).unwrap() {
        Value::Array(items) => items,
        item => vec![item],
    });
    values
        .map(|value| {
            input::parse_json("north-proxy", &value.to_string())
                .unwrap_or_else(|error| panic!("{error}\n{value}"))
        })
        .collect()
}

fn header_of(share: &Share, facts: &BTreeMap<(String, String), FactBody>) -> (&'static str, Header) {
    let fact = |kind: &str, entity: &str| &facts[&(kind.to_owned(), entity.to_owned())];
    let FactBody::Session(session) = fact("session", &share.session_id) else { panic!("no session") };
    if !share.header.is_empty() {
        assert_eq!(session.protocol, "replay");
        return ("bare", Header::from_slice(&share.header).unwrap());
    }
    match (session.channel().unwrap(), fact("job", &format!("{}/{}", session.scope, share.job_id))) {
        (Some(channel), FactBody::JobV2(job)) => {
            let submit = stratum_v2::Submit {
                job_id: share.job_id.clone(),
                version: share.version.unwrap(),
                ntime: share.ntime,
                nonce: share.nonce,
                extranonce: share.extranonce.clone(),
            };
            let form = if submit.extranonce.is_some() { "extended" } else { "standard" };
            (form, stratum_v2::rebuild(&channel, &job.parameters().unwrap(), &submit).unwrap())
        }
        (None, FactBody::Job(job)) => {
            let submit = stratum_v1::Submit {
                job_id: share.job_id.clone(),
                extranonce2: share.extranonce2.clone(),
                ntime: share.ntime,
                nonce: share.nonce,
                version_bits: share.version_bits,
            };
            let (session, job) = (session.parameters().unwrap(), job.parameters().unwrap());
            ("v1", stratum_v1::rebuild(&session, &job, &submit).unwrap())
        }
        (channel, job) => panic!("{channel:?} and {job:?} are of two protocols"),
    }
}

#[test]
fn every_share_on_the_page_proves_its_block() {
    let events = events();
    let ids: BTreeSet<_> = events.iter().map(identity::event_id).collect();
    assert_eq!(ids.len(), events.len(), "each example has an identity of its own");
    let mut facts = BTreeMap::new();
    let mut forms = Vec::new();
    for event in &events {
        match event.body.as_ref().unwrap() {
            Body::Fact(fact) => {
                let body = FactBody::parse(&fact.kind, &fact.entity, &fact.body).unwrap();
                facts.insert((fact.kind.clone(), fact.entity.clone()), body);
            }
            Body::Share(share) => {
                let (form, header) = header_of(share, &facts);
                assert_eq!(display_hash(&header.hash()), BLOCK, "{form}");
                let context = ShareContext {
                    assigned_q32: 1024 << 32,
                    network_nbits: header.nbits,
                    job_ntime: header.ntime,
                    event_time_s: event.event_time_us / 1_000_000,
                    stale: false,
                };
                let judgement = judge(&header, &context);
                assert_eq!((judgement.verdict, judgement.solves_block), (Verdict::Accepted, true), "{form}");
                forms.push(form);
            }
            // It is read above; of work it says nothing.
            Body::GpuSample(_) => {}
            other => panic!("{other:?} is not spoken of"),
        }
    }
    assert_eq!(forms, ["v1", "standard", "extended", "bare"]);
    let kinds: BTreeSet<&str> = facts.keys().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["job", "machine", "network_difficulty", "session", "tip"]));
}

#[test]
fn the_answers_on_the_page_are_whole() {
    let answers = fenced("json answer");
    assert_eq!(answers.len(), 2);
    for answer in answers {
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let events = answer["events"].as_array().unwrap();
        for (index, event) in events.iter().enumerate() {
            assert_eq!(event["index"], index);
            let refused = event["status"] == "refused";
            assert_eq!(event.get("code").is_some() && event.get("reason").is_some(), refused);
        }
        let count = |status: &str| events.iter().filter(|event| event["status"] == status).count();
        assert_eq!(
            (&answer["accepted"], &answer["refused"]),
            (&count("accepted").into(), &count("refused").into())
        );
    }
}

#[test]
fn the_table_of_verdicts_is_the_codes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../schemas/events/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    for reason in wb_proof::Reason::ALL {
        let row = format!("| `{}` | {} |", reason.as_str(), reason.code());
        assert!(text.contains(&row), "{row} is not in the table");
    }
}
