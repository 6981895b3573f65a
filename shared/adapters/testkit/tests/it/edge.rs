//! The input against the rules of the product: ingest accepts each event, each contract can be rated, and each share
//! gets the expected verdict.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use wb_events::facts::{FactBody, Job, Session};
use wb_events::wire::event::Body;
use wb_events::{Event, input};
use wb_proof::stratum_v1::{Submit, rebuild};
use wb_proof::{Header, ShareContext, Verdict, judge};
use wb_testkit::{DemoInput, Expect, demo_input};
use wb_units::time::SECOND_US;

fn demo() -> DemoInput {
    demo_input(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data"), 7).unwrap()
}

fn parsed(source: &str, events: &[serde_json::Value]) -> Vec<Event> {
    let parse = |event: &serde_json::Value| {
        input::parse_json(source, &event.to_string()).unwrap_or_else(|error| panic!("{error}: {event}"))
    };
    events.iter().map(parse).collect()
}

#[derive(Default)]
struct Facts {
    sessions: HashMap<String, Session>,
    jobs: HashMap<String, Job>,
    contracts: usize,
    /// Chain, from when, and the block's hash, in order of time.
    tips: Vec<(String, i64, [u8; 32])>,
}

impl Facts {
    /// Whether a chain's tip at an instant differs from the block on which a header builds.
    fn is_stale(&self, chain: &str, header: &Header, at_us: i64) -> bool {
        let seen = self.tips.iter().rev().find(|(of, from_us, _)| of == chain && *from_us <= at_us);
        seen.is_some_and(|(_, _, hash)| *hash != header.prev)
    }
}

fn facts(demo: &DemoInput) -> Facts {
    let mut facts = Facts::default();
    for event in demo.parts[..2].iter().flat_map(|part| parsed(part.source, &part.events)) {
        let Some(Body::Fact(fact)) = event.body else { panic!("no fact: {event:?}") };
        match FactBody::parse(&fact.kind, &fact.entity, &fact.body).unwrap() {
            FactBody::Session(session) => drop(facts.sessions.insert(fact.entity, session)),
            FactBody::Job(job) => drop(facts.jobs.insert(fact.entity, job)),
            FactBody::Tip(tip) => {
                facts.tips.push((fact.entity, fact.valid_from_us, tip.hash_internal().unwrap()));
            }
            FactBody::Contract(_) => {
                wb_rating::Contract::parse(&fact.body).unwrap();
                facts.contracts += 1;
            }
            _ => {}
        }
    }
    facts
}

#[test]
fn each_event_is_taken_at_the_edge_and_each_contract_can_be_rated() {
    let demo = demo();
    let facts = facts(&demo);
    assert_eq!((facts.contracts, facts.tips.len()), (4, 12));
    for part in &demo.parts {
        assert_eq!(parsed(part.source, &part.events).len(), part.events.len());
    }
}

#[test]
fn each_share_gets_the_verdict_expected_of_it() {
    let demo = demo();
    let facts = facts(&demo);
    for part in &demo.parts[2..] {
        let mut found = Expect::default();
        for event in parsed(part.source, &part.events) {
            let Some(Body::Share(share)) = event.body else { continue };
            let session = &facts.sessions[&share.session_id];
            let parameters = session.parameters().unwrap();
            let (header, job_ntime) = if share.header.is_empty() {
                let job = facts.jobs[&format!("{}/{}", session.scope, share.job_id)].parameters().unwrap();
                let submit = Submit {
                    job_id: share.job_id,
                    extranonce2: share.extranonce2,
                    ntime: share.ntime,
                    nonce: share.nonce,
                    version_bits: share.version_bits,
                };
                match rebuild(&parameters, &job, &submit) {
                    Ok(header) => (header, job.ntime),
                    Err(reject) => {
                        *found.rejected.entry(reject.reason().as_str().to_owned()).or_default() += 1;
                        continue;
                    }
                }
            } else {
                let header = Header::from_slice(&share.header).unwrap();
                (header, header.ntime)
            };
            let context = ShareContext {
                assigned_q32: parameters.assigned_q32,
                network_nbits: header.nbits,
                job_ntime,
                event_time_s: event.event_time_us.div_euclid(SECOND_US),
                stale: facts.is_stale(&session.chain, &header, event.event_time_us),
            };
            let judgement = judge(&header, &context);
            if let Verdict::Rejected(reason) = judgement.verdict {
                *found.rejected.entry(reason.as_str().to_owned()).or_default() += 1;
                continue;
            }
            found.accepted += 1;
            found.blocks += u64::from(judgement.solves_block);
            let key = (session.chain.clone(), session.machine_id.clone());
            *found.credited_q32.entry(key).or_default() += parameters.assigned_q32;
        }
        if found == Expect::default() {
            continue;
        }
        assert_eq!(found.rejected, part.expect.rejected, "{}", part.name);
        assert_eq!(found.blocks, part.expect.blocks, "{}", part.name);
        assert_eq!(found.accepted, part.expect.accepted, "{}", part.name);
        assert_eq!(found.credited_q32, part.expect.credited_q32, "{}", part.name);
    }
}

#[test]
fn the_fleet_states_its_difficulty_exactly() {
    let facts = facts(&demo());
    let assigned: BTreeMap<String, u128> = facts
        .sessions
        .iter()
        .map(|(id, session)| (id.clone(), session.parameters().unwrap().assigned_q32))
        .collect();
    assert_eq!(assigned["tx1-m01/s1"], wb_testkit::FLEET_ASSIGNED_Q32);
    assert_eq!(assigned["gen-1/replay"], 1 << 32);
    let stream = wb_proof::parse_difficulty_q32(wb_testkit::STREAM_ASSIGNED_DIFFICULTY);
    assert_eq!(stream, Ok(wb_testkit::STREAM_ASSIGNED_Q32));
}
