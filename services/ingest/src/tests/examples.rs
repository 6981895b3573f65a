//! The examples of the book's page of fields: each is taken as it stands, by the checks, the resolution and the fold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wb_auth::Role;
use wb_events::forms::{EVENT_FORMS, fact_forms};
use wb_events::frame::{self, FrameKey};
use wb_events::wire::event::Body;
use wb_events::{input, topics};
use wb_fold::archive::MemoryArchive;
use wb_fold::{Assembler, BlockId, LogRecord, State};

use super::source;
use crate::reference::Reference;
use crate::resolve;

/// The JSON blocks of the page.
fn examples() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/sending/examples.md");
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

#[test]
fn every_example_of_a_fact_or_an_event_is_taken_and_counted() {
    let (mut reference, sender) = (Reference::default(), source(&Role::ALL));
    // The events of each topic, and the time of the latest.
    let mut by_topic: BTreeMap<&str, (Vec<Vec<u8>>, i64)> = BTreeMap::new();
    let mut kinds = BTreeSet::new();
    for text in examples() {
        let mut event =
            input::parse_json("operator", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let now_us = event.event_time_us;
        resolve::admit(&sender, &event, now_us).unwrap();
        resolve::resolve(&reference, &sender, &mut event, now_us)
            .unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let body = event.body.clone().unwrap();
        let (events, latest_us) = by_topic.entry(topics::of_body(&body)).or_default();
        events.push(prost::Message::encode_to_vec(&event));
        *latest_us = now_us.max(*latest_us);
        if let Body::Fact(fact) = &body {
            reference.apply(&event, fact);
            kinds.insert(fact.kind.clone());
        }
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        kinds.insert(value["kind"].as_str().unwrap().to_owned());
    }
    let declared = fact_forms().map(|form| form.kind).chain(EVENT_FORMS.iter().map(|form| form.kind));
    let declared: BTreeSet<String> = declared.chain(["fact"]).map(str::to_owned).collect();
    assert_eq!(kinds, declared);
    let key = FrameKey::new([7; 32]);
    for (topic, (events, append_time_us)) in by_topic {
        let sent = u64::try_from(events.len()).unwrap();
        let mut assembler = Assembler::new(0, key.clone());
        let mut push = |offset, payload| assembler.push(LogRecord { offset, append_time_us, payload });
        assert!(push(0, frame::encode_events("test", events, &key)).is_none());
        let block = push(1, frame::encode_punctuation("test", 0, &key)).unwrap();
        let id = BlockId { topic: topic.to_owned(), partition: 0, block: 0 };
        let folded = wb_fold::fold(id, &mut State::default(), &mut MemoryArchive::default(), &block).unwrap();
        let counts = &folded.counts;
        // All shares of the page prove one block, so the first alone counts.
        let accepted = if topic == topics::SHARES { 1 } else { sent };
        assert_eq!((counts.accepted(), counts.events()), (accepted, sent), "{topic} {counts:?}");
    }
}
