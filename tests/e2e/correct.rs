//! Corrections by the command line through the real stack: a report now, and as of an instant before them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use crate::support::events::{self, START_US, Source};
use crate::support::place::Place;
use crate::support::tables;
use crate::support::{COUNT_LIMIT, END_LIMIT, START_LIMIT, until};
use serde_json::{Value, json};

const HOUR_US: i64 = 3_600_000_000;

/// The energy of the site's miners in Wh, by the report.
fn energy_wh(place: &Place, more: &[&str]) -> Value {
    let day =
        ["report", "site", "--site", "yard", "--period", "2026-10-01", "--zone", "UTC", "--format", "json"];
    let told = place.run("report", &[day.as_slice(), more].concat(), END_LIMIT).success("a report").stdout;
    let report: Value = serde_json::from_str(&told).unwrap();
    let terms = report["terms"].as_array().unwrap();
    terms.iter().find(|term| term["name"] == "energy_miners").unwrap()["value"].clone()
}

#[test]
fn a_correction_is_recorded_and_what_was_believed_before_can_be_asked() {
    let mut place = Place::new();
    let operator = Source::draw(&place, "operator", "operator");
    let meters = Source::draw(&place, "meters", "meter");
    let file = events::configure(&place, &[&operator, &meters]);
    let config = file.to_str().unwrap().to_owned();
    place.set("CONFIG", &config);
    let mut up = place.start("up", &["--config", &config, "up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    let machine = json!({"site_id": "yard", "model": "any", "rated_power_mw": 3_500_000});
    let site = json!({"name": "Yard", "time_zone": "UTC"});
    let facts = [events::fact("site", "yard", site), events::fact("machine", "m-1", machine)];
    events::send_good(&place, &operator.key, &facts);
    let reading = |sequence: i64, register_wh: u64| {
        json!({"kind": "energy_reading", "key": "e-1", "sequence": sequence,
            "event_time_us": START_US + sequence * HOUR_US,
            "body": {"machine_id": "m-1", "meter_id": "e-1", "register_wh": register_wh, "witness": "meter"}})
    };
    events::send_good(&place, &meters.key, &[reading(1, 1_000), reading(2, 3_000), reading(3, 9_000)]);
    let counted = |table: &str, rows: &str| {
        until(table, COUNT_LIMIT, || {
            let sql = format!("SELECT count() FROM {table} WHERE {}", tables::COMMITTED);
            let found = tables::ask(&place, &sql)?;
            if found == rows { Ok(()) } else { Err(format!("{found} of {rows}")) }
        });
    };
    counted("energy_readings", "3");
    assert_eq!(energy_wh(&place, &[]), "8000");
    // The broker stamps commits by the clock of this machine, and the counted ones have their stamp already.
    let before = jiff::Timestamp::now().to_string();
    let ingest = place.events_url().replace("/v1/events", "");
    let correct = |arguments: &[&str]| {
        let by =
            ["--who", "anna", "--why", "wrong plate", "--ingest", &ingest, "--source-key", &operator.key];
        place.run("correct", &[&["correct"], arguments, &by].concat(), END_LIMIT)
    };
    let span = ["--from", "2026-10-01T01:00:00Z", "--to", "2026-10-01T02:00:00Z"];
    let ratio = ["ratio", "--meter", "e-1", "--used", "200:5", "--right", "400:5"];
    let printed = correct(&[ratio.as_slice(), &span].concat()).success("a ratio").stdout;
    counted("facts", "3");
    assert_eq!(energy_wh(&place, &[]), "10000");
    assert_eq!(energy_wh(&place, &["--as-of", &before]), "8000", "what was believed before");
    // A reading is voided by its source, epoch, key and sequence, and the ratio by the id that the command printed.
    let nothing = correct(&["void", "--source", "meters", "--key", "e-1", "--sequence", "99"]);
    assert_eq!(nothing.code, Some(1), "{}", nothing.stdout);
    assert!(nothing.stderr.contains("WB-5437"), "{}", nothing.stderr);
    correct(&["void", "--source", "meters", "--key", "e-1", "--sequence", "3"]).success("a void");
    counted("facts", "4");
    assert_eq!(energy_wh(&place, &[]), "4000");
    let words: Vec<&str> = printed.split_whitespace().collect();
    let own = [
        "void",
        "--source",
        "operator",
        "--key",
        words[0],
        "--source-epoch",
        words[2],
        "--sequence",
        words[4],
    ];
    correct(&own).success("a void of a correction");
    counted("facts", "5");
    assert_eq!(energy_wh(&place, &[]), "2000");
    let refused = correct(&["void", "--event-id", "xyz"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("WB-2006"), "{}", refused.stderr);
    up.send(rustix::process::Signal::TERM);
    up.end(END_LIMIT).success("the stack ends");
    place.assert_nothing_runs(END_LIMIT);
}
