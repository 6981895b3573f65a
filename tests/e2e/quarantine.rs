//! The quarantine at the command line: refused events are listed whole, and re-driven ones count once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use crate::support::events::{self, MACHINE, Meter, START_US, Source};
use crate::support::place::Place;
use crate::support::running::Ended;
use crate::support::tables::{self, COMMITTED};
use crate::support::{COUNT_LIMIT, END_LIMIT, START_LIMIT, until};
use prost::Message as _;
use rustix::process::Signal;
use serde_json::Value;
use wb_events::frame::{FrameKey, encode_events};
use wb_events::wire::EnergyReading;
use wb_events::{Body, Event, topics};
use wb_kafka::{Log, LogSettings};

const METER: &str = "yard/stray";

/// A reading as ingest would have written it.
fn reading(sequence: u64) -> Vec<u8> {
    let body = EnergyReading {
        meter_id: METER.to_owned(),
        machine_id: MACHINE.to_owned(),
        register_wh: 1_000 * sequence,
        witness: "meter".to_owned(),
        site_id: "yard".to_owned(),
    };
    let event = Event {
        source: "meters".to_owned(),
        source_epoch: 1,
        key: METER.to_owned(),
        sequence,
        event_time_us: START_US + i64::try_from(sequence).unwrap() * 300_000_000,
        body: Some(Body::EnergyReading(body)),
    };
    event.encode_to_vec()
}

struct Stack {
    place: Place,
    arguments: Vec<String>,
}

impl Stack {
    fn quarantine(&self, arguments: &[&str]) -> Ended {
        let mut all: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        all.push("quarantine");
        all.extend(arguments);
        self.place.run("quarantine", &all, COUNT_LIMIT)
    }

    fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let listed = self.quarantine(&[&["list", "--json"], arguments].concat()).success("list");
        listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn show(&self, id: &str) -> Value {
        serde_json::from_str(&self.quarantine(&["show", id]).success("show").stdout).unwrap()
    }

    fn redrive(&self, arguments: &[&str]) -> Ended {
        self.quarantine(
            &[&["redrive", "--who", "ada", "--why", "sent to the wrong topic"], arguments].concat(),
        )
    }

    /// Waits for sums over all committed blocks.
    fn wait_for(&self, what: &str, accepted: u64, duplicate: u64, rejected: u64) {
        until(what, COUNT_LIMIT, || {
            let committed = events::conserved(&self.place);
            let found = (committed["accepted"], committed["duplicate"], committed["rejected"]);
            if found == (accepted, duplicate, rejected) { Ok(()) } else { Err(format!("{committed:?}")) }
        });
    }

    fn readings(&self) -> u64 {
        let sql = format!("SELECT count() FROM energy_readings WHERE meter_id = '{METER}' AND {COMMITTED}");
        tables::count(&self.place, &sql).unwrap()
    }
}

#[test]
fn what_is_refused_is_shown_whole_and_counts_once_when_it_is_redriven() {
    let place = Place::new();
    let operator = Source::draw(&place, "operator", "operator");
    let meters = Source::draw(&place, "meters", "meter");
    let file = events::configure(&place, &[&operator, &meters]);
    let arguments = vec!["--config".to_owned(), file.to_str().unwrap().to_owned()];
    let mut up = place.start("up", &["--config", file.to_str().unwrap(), "up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    let stack = Stack { place, arguments };
    let place = &stack.place;
    let facts = events::send_good(place, &operator.key, &events::facts());

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let log = Log::connect(LogSettings { brokers: place.brokers(), properties: Vec::new() }).unwrap();
    let append =
        |topic: &str, record: &[u8]| runtime.block_on(log.append(topic, 0, &[], record, &[])).unwrap();
    let key = std::fs::read(place.data_dir().join("keys/frame.key")).unwrap();
    let key = FrameKey::new(key.try_into().unwrap());
    let stranger = FrameKey::new([7; 32]);
    let strays = vec![reading(0), b"\x7fno event".to_vec(), reading(1)];
    let stray = append(topics::TELEMETRY, &encode_events("ingest-0", strays, &key));
    let garbage = append(topics::ENERGY, b"\x00this was never a frame\xff");
    let forged = encode_events("ingest-0", vec![reading(2), reading(3)], &stranger);
    let forged_at = append(topics::SHARES, &forged);
    stack.wait_for("strangers' records are refused", facts, 0, 5);

    let [first, broken, second] = [0, 1, 2].map(|index| format!("telemetry/0/{stray}/{index}"));
    let garbage = format!("energy/0/{garbage}/0");
    let forged_id = format!("shares/0/{forged_at}/0");
    let ids = |rows: &[Value]| -> Vec<String> {
        let mut ids: Vec<String> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(
        ids(&stack.list(&[])),
        [garbage.as_str(), &forged_id, &first, &broken, &second].map(str::to_owned)
    );
    assert_eq!(ids(&stack.list(&["--code", "WB-4006"])), [first.as_str(), &second].map(str::to_owned));
    assert_eq!(ids(&stack.list(&["--source", "meters"])), [first.as_str(), &second].map(str::to_owned));
    assert_eq!(stack.list(&["--limit", "2"]).len(), 2);
    assert!(stack.list(&["--code", "WB-4011"]).is_empty());
    let text = stack.quarantine(&["list"]).success("list").stdout;
    assert!(text.contains(&first) && text.contains("WB-4006") && !text.contains("re-driven"), "{text}");

    let shown = stack.show(&garbage);
    assert_eq!(shown["original_hex"], wb_proof::hex::encode(b"\x00this was never a frame\xff"));
    assert_eq!((shown["code"].as_str(), &shown["event"]), (Some("WB-4002"), &Value::Null));
    let shown = stack.show(&second);
    assert_eq!(shown["original_hex"], wb_proof::hex::encode(&reading(1)));
    assert_eq!(shown["event"]["body"]["register_wh"], 1_000, "{shown}");
    assert_eq!(shown["event"]["key"], METER);

    // It counts once, re-driven once or twice.
    stack.redrive(&[&first]).success("redrive");
    stack.wait_for("the re-driven reading counts, and its fact", facts + 2, 0, 5);
    assert_eq!(stack.readings(), 1);
    stack.redrive(&[&first]).success("redrive again");
    stack.wait_for("the second time it is a duplicate", facts + 3, 1, 5);
    assert_eq!(stack.readings(), 1);
    let redriven = stack.show(&first)["redriven"].clone();
    assert_eq!(
        (redriven["times"].as_u64(), redriven["who"].as_str(), redriven["why"].as_str()),
        (Some(2), Some("ada"), Some("sent to the wrong topic")),
        "{redriven}"
    );
    let text = stack.quarantine(&["list"]).success("list").stdout;
    assert!(text.contains("[re-driven 2 times, last by ada: sent to the wrong topic]"), "{text}");
    // A sender that sends it through ingest after all sends a repeat.
    let same = serde_json::json!({
        "kind": "energy_reading", "key": METER, "sequence": 0, "source_epoch": 1, "event_time_us": START_US,
        "body": { "machine_id": MACHINE, "meter_id": METER, "register_wh": 0, "witness": "meter" },
    });
    events::send_good(place, &meters.key, &[same]);
    stack.wait_for("the front door's is a duplicate, too", facts + 3, 2, 5);

    // By code: only what was never re-driven.
    let done = stack.redrive(&["--code", "WB-4006"]).success("redrive by code").stdout;
    assert!(done.starts_with(&format!("{second} -> energy/")) && done.lines().count() == 1, "{done}");
    stack.wait_for("the other one counts", facts + 5, 2, 5);
    assert_eq!(stack.readings(), 2);

    // What cannot be re-driven says why, and changes nothing.
    for (id, code, why) in [
        (garbage.as_str(), "WB-5912", "have no event"),
        (&broken, "WB-5912", "have no event"),
        (&forged_id, "WB-5912", "--resign"),
        ("energy/0/999999/0", "WB-5911", "the quarantine has no event"),
        ("nonsense", "WB-5911", "the quarantine has no event"),
    ] {
        let refused = stack.redrive(&[id]);
        assert_ne!(refused.code, Some(0), "{id}");
        assert!(refused.stderr.contains(code) && refused.stderr.contains(why), "{id}: {}", refused.stderr);
    }
    let wordless = stack.quarantine(&["redrive", &first, "--who", "ada", "--why", " "]);
    assert!(wordless.code != Some(0) && wordless.stderr.contains("WB-5913"), "{}", wordless.stderr);
    stack.redrive(&["--resign", &forged_id]).success("redrive on somebody's word");
    stack.wait_for("the frame's two readings count", facts + 8, 2, 5);
    assert_eq!(stack.readings(), 4);
    assert_eq!(stack.show(&forged_id)["redriven"]["resigned"], true);

    // A re-drive cannot be recorded through ingest.
    let fact = events::fact(
        "redrive",
        &first,
        serde_json::json!({
            "id": first, "who": "eve", "why": "x", "events": 1, "resigned": false,
        }),
    );
    let answer = events::send(place, &operator.key, "application/json", fact.to_string().as_bytes());
    assert_eq!(answer.status, 422, "{}", answer.body);

    let mut meter = Meter::new("yard/meter-1");
    meter.send(place, &meters.key, 2);
    meter.assert_counted(place);
    up.send(Signal::TERM);
    up.end(END_LIMIT).success("weighbridge up, told to end");
    place.assert_nothing_runs(END_LIMIT);
}
