//! The examples of the book's page on facts: each is taken as it stands, by the checks, the resolution and the fold.

use std::collections::BTreeMap;
use std::path::Path;

use wb_auth::Role;
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
fn every_example_of_a_fact_is_taken_and_counted() {
    let (mut reference, sender) = (Reference::default(), source(&[Role::Operator, Role::Scheduler]));
    let mut by_topic: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    let mut kinds = Vec::new();
    for text in examples() {
        let mut event =
            input::parse_json("operator", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let now_us = event.event_time_us;
        resolve::admit(&sender, &event, now_us).unwrap();
        resolve::resolve(&reference, &sender, &mut event, now_us)
            .unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let body = event.body.clone().unwrap();
        by_topic.entry(topics::of_body(&body)).or_default().push(prost::Message::encode_to_vec(&event));
        match body {
            Body::Fact(fact) => {
                reference.apply(&event, &fact);
                kinds.push(fact.kind);
            }
            Body::GpuSpan(span) => kinds.push(format!("gpu_span at {}", span.site_id)),
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        "legal_entity",
        "customer",
        "site",
        "machine",
        "machine",
        "contract",
        "assignment",
        "gpu_span at odessa",
    ];
    assert_eq!(kinds, expected);
    let key = FrameKey::new([7; 32]);
    for (topic, events) in by_topic {
        let sent = u64::try_from(events.len()).unwrap();
        let mut assembler = Assembler::new(0, key.clone());
        let mut push = |offset, payload| assembler.push(LogRecord { offset, append_time_us: 5, payload });
        assert!(push(0, frame::encode_events("test", events, &key)).is_none());
        let block = push(1, frame::encode_punctuation("test", 0, &key)).unwrap();
        let id = BlockId { topic: topic.to_owned(), partition: 0, block: 0 };
        let folded = wb_fold::fold(id, &mut State::default(), &mut MemoryArchive::default(), &block).unwrap();
        assert_eq!((folded.counts.accepted(), folded.counts.events()), (sent, sent), "{topic}");
    }
}
