//! The events: a part of the demonstration's, resolved as ingest resolves them, and events with faults.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message as _;
use serde_json::{Value, json};
use wb_auth::{GeneratedKey, Source, SourceEntry, SourceKeys};
use wb_events::wire::event::Body;
use wb_events::{Event, identity, input, topics};
use wb_ingest::reference::Reference;
use wb_ingest::resolve;
use wb_testkit::{FLEET_START_US, METERS, OPERATOR, SOURCES};
use wb_units::SETTLEMENT_INTERVAL_US;

use crate::floats;

/// How many partitions topics may have: `reference` always has one.
pub(crate) const PARTITIONS: [u32; 3] = [1, 3, 8];

/// Of these parts, every so many events are taken: each event is counted thousands of times.
const EVERY: [(&str, usize); 4] =
    [("genesis blocks", 3), ("fleet shares", 6), ("fleet energy", 2), ("genesis energy", 24)];

/// Something that is sent.
pub(crate) struct Item {
    pub(crate) topic: &'static str,
    pub(crate) payload: Payload,
    /// Its partition for each count of [`PARTITIONS`].
    pub(crate) partitions: [u32; PARTITIONS.len()],
    /// Whether it may be sent again. An event that is refused each time as a new one may not, so that tables can be
    /// compared.
    pub(crate) repeatable: bool,
    /// The item that the log must hold before this one, because the order of these two facts matters.
    pub(crate) after: Option<usize>,
    /// Its value in the sum of floats.
    pub(crate) worth: f64,
}

pub(crate) enum Payload {
    /// An encoded event.
    Event(Vec<u8>),
    /// A record that is no frame.
    Record(Vec<u8>),
}

/// Everything that is sent, in the order of the sources.
pub(crate) struct Input {
    pub(crate) items: Vec<Item>,
    /// Shares whose proof is hashed.
    pub(crate) proofs: usize,
}

/// A source of the demonstration, as ingest knows it.
fn source(id: &str) -> Source {
    let (_, role) = SOURCES.iter().find(|(known, _)| *known == id).unwrap();
    let key = GeneratedKey::random().unwrap();
    let entry = json!({"id": id, "key_sha256_hex": key.key_sha256_hex, "roles": [role]});
    let entry: SourceEntry = serde_json::from_value(entry).unwrap();
    let keys = SourceKeys::from_entries(vec![entry]).unwrap();
    keys.authenticate(Some(&format!("Bearer {}", key.key))).unwrap().clone()
}

fn fact(kind: &str, entity: &str, from_us: i64, sequence: u64, body: &Value) -> Value {
    json!({
        "kind": "fact", "key": entity, "sequence": sequence, "source_epoch": 2, "event_time_us": from_us,
        "body": {"fact": kind, "entity": entity, "valid_from_us": from_us, "body": body},
    })
}

/// Facts that change others: a machine that goes to another customer in the middle of a job, and a contract that is stated
/// again from the same instant on, with another price. The second statement is made when the first one is recorded.
fn changes(contract: &Value) -> Vec<Value> {
    let moved = json!({"machine_id": "tx1-m06", "customer_id": "acme", "contract_id": "hosting-acme"});
    let at_us = FLEET_START_US + 9 * SETTLEMENT_INTERVAL_US + 1;
    let mut again = contract["body"]["body"].clone();
    again["components"][1]["unit_price"] = json!("0.0733");
    again["version"] = json!(2);
    let entity = contract["body"]["entity"].as_str().unwrap();
    vec![fact("assignment", "tx1-m06", at_us, 0, &moved), fact("contract", entity, FLEET_START_US, 0, &again)]
}

fn parse(source: &Source, event: &Value) -> Event {
    input::parse_json(&source.id, &event.to_string()).unwrap_or_else(|error| panic!("{error}: {event}"))
}

impl Item {
    fn of(event: &Event) -> Self {
        let topic = topics::of_body(event.body.as_ref().unwrap());
        let counts = PARTITIONS.map(|count| if topic == topics::REFERENCE { 1 } else { count });
        Self {
            topic,
            payload: Payload::Event(event.encode_to_vec()),
            partitions: counts.map(|count| identity::partition_of(event, count)),
            repeatable: true,
            after: None,
            worth: 0.0,
        }
    }

    /// The same, but sent once.
    fn once(self, after: Option<usize>) -> Self {
        Self { repeatable: false, after, ..self }
    }
}

impl Input {
    /// Makes the events; the same each time.
    pub(crate) fn make() -> Self {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
        let demo = wb_testkit::demo_input(&data, 7).unwrap();
        let mut reference = Reference::default();
        let mut input = Self { items: Vec::new(), proofs: 0 };
        let mut events = Vec::new();
        for part in &demo.parts {
            let every = EVERY.iter().find(|(name, _)| *name == part.name).map_or(1, |(_, every)| *every);
            let source = source(part.source);
            for event in part.events.iter().step_by(every) {
                events.push((source.clone(), event.clone()));
            }
        }
        let restated =
            events.iter().position(|(_, event)| event["body"]["entity"] == "hosting-acme").unwrap();
        let restatement = changes(&events[restated].1);
        let facts = events.iter().take_while(|(_, event)| event["kind"] == "fact").count();
        let operator = source(OPERATOR);
        for (place, change) in (facts..).zip(restatement) {
            events.insert(place, (operator.clone(), change));
        }
        let contract_again = facts + 1;
        let mut meters = BTreeMap::new();
        for (index, (source, event)) in events.iter().enumerate() {
            let mut event = parse(source, event);
            let now_us = event.event_time_us;
            resolve::resolve(&reference, source, &mut event, now_us).unwrap();
            if let Some(Body::Fact(fact)) = event.body.clone() {
                reference.apply(&event, &fact);
            }
            if matches!(&event.body, Some(Body::Share(share)) if share.header.len() == 80) {
                input.proofs += 1;
            }
            let mut item = Item::of(&event);
            item.worth = floats::worth(&event, &mut meters);
            input.items.push(if index == contract_again { item.once(Some(restated)) } else { item });
        }
        input.add_mishaps();
        input
    }

    /// The float arm: the worth of each event, added where it first arrives.
    #[allow(clippy::float_arithmetic, reason = "this is the arm that must fail")]
    pub(crate) fn float_sum(&self, order: &[usize]) -> f64 {
        let mut arrived = vec![false; self.items.len()];
        let mut sum = 0.0;
        for item in order {
            if !std::mem::replace(&mut arrived[*item], true) {
                sum += self.items[*item].worth;
            }
        }
        sum
    }

    /// Events that cannot be read, lie in the wrong topic, are not resolved, or claim the identity of another.
    fn add_mishaps(&mut self) {
        let meters = source(METERS);
        let reading = |sequence: u64, register_wh: u64| {
            let event = json!({
                "kind": "energy_reading", "key": "mishaps", "sequence": sequence, "source_epoch": 1,
                "event_time_us": FLEET_START_US,
                "body": {
                    "machine_id": "tx1-m01", "meter_id": "mishaps", "register_wh": register_wh, "witness": "firmware",
                },
            });
            parse(&meters, &event)
        };
        let first = self.items.len();
        self.items.push(Item::of(&reading(1, 10)));
        self.items.push(Item::of(&reading(1, 11)).once(Some(first)));
        self.items.push(Item { topic: topics::GPU, ..Item::of(&reading(2, 12)).once(None) });
        let share = json!({
            "kind": "share", "key": "mishaps", "sequence": 1, "source_epoch": 1, "event_time_us": FLEET_START_US,
            "body": {"session_id": "s", "job_id": "j", "extranonce2": "00", "ntime": "00000000", "nonce": "00000000"},
        });
        self.items.push(Item::of(&parse(&source("pool-a"), &share)).once(None));
        for payload in [Payload::Event(vec![0xff; 9]), Payload::Record(b"not a frame".to_vec())] {
            let anywhere = Item::of(&reading(3, 13)).once(None);
            self.items.push(Item { payload, ..anywhere });
        }
    }
}
