//! Sources, and the events of a small site: one machine with one meter.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::curl::{Answer, bearer, request};
use super::place::Place;
use super::tables::{self, COMMITTED};
use super::{COUNT_LIMIT, END_LIMIT, until};

/// The site's machine.
pub(crate) const MACHINE: &str = "yard-1";
/// 2026-10-01T00:00:00Z.
pub(crate) const START_US: i64 = 1_790_812_800_000_000;
/// The settlement interval.
const FIVE_MINUTES_US: i64 = 300_000_000;
/// What the meter's register grows by from reading to reading.
pub(crate) const STEP_WH: u64 = 1_000;

/// Someone who may send events.
pub(crate) struct Source {
    pub(crate) key: String,
    configuration: String,
}

impl Source {
    /// Draws a key with `weighbridge source-key`.
    pub(crate) fn draw(place: &Place, id: &str, role: &str) -> Self {
        let drawn = place.run("source-key", &["source-key", id, "--role", role], END_LIMIT);
        let stdout = drawn.success("source-key").stdout;
        let (comment, configuration) = stdout.split_once('\n').unwrap();
        let (_, key) = comment.rsplit_once(' ').unwrap();
        assert!(key.starts_with("wbk_") && !configuration.contains(key), "the configuration holds no key");
        Self { key: key.to_owned(), configuration: configuration.to_owned() }
    }
}

/// Writes a configuration with these sources, as a person would: the lines as they were printed.
pub(crate) fn configure(place: &Place, sources: &[&Source]) -> PathBuf {
    let path = place.folder().join("weighbridge.toml");
    let lines: Vec<&str> = sources.iter().map(|source| source.configuration.as_str()).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    path
}

/// Sends a body as a source.
pub(crate) fn send(place: &Place, key: &str, content_type: &str, body: &[u8]) -> Answer {
    let headers = [bearer(key), format!("Content-Type: {content_type}")];
    request(&place.events_url(), &headers, Some(body))
}

/// Sends events that must all be taken; gives how many.
pub(crate) fn send_good(place: &Place, key: &str, events: &[Value]) -> u64 {
    let body = serde_json::to_vec(events).unwrap();
    let answer = send(place, key, "application/json", &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let json = answer.json();
    assert_eq!(
        (json["accepted"].as_u64(), json["refused"].as_u64()),
        (Some(count(events)), Some(0)),
        "{json}"
    );
    count(events)
}

fn count(events: &[Value]) -> u64 {
    u64::try_from(events.len()).unwrap()
}

/// A fact that holds from the start on.
pub(crate) fn fact(kind: &str, entity: &str, body: Value) -> Value {
    json!({
        "kind": "fact", "key": format!("{kind}/{entity}"), "sequence": 0, "source_epoch": 1,
        "event_time_us": START_US,
        "body": { "fact": kind, "entity": entity, "valid_from_us": START_US, "body": body },
    })
}

/// The facts of the site: what readings and shares refer to.
pub(crate) fn facts() -> Vec<Value> {
    let session = |protocol: &str| {
        json!({
            "machine_id": MACHINE, "worker": "worker.1", "chain": "main", "protocol": protocol, "scope": "pool",
            "extranonce1": "00", "extranonce2_size": 4, "version_mask": null, "assigned_difficulty": "1",
        })
    };
    vec![
        fact("site", "yard", json!({ "name": "The yard", "time_zone": "UTC" })),
        fact("machine", MACHINE, json!({ "site_id": "yard", "model": "S21", "rated_power_mw": 3_500_000 })),
        fact("session", "pool/1", session("stratum_v1")),
        fact("session", "replay/1", session("replay")),
    ]
}

/// A sample of a GPU of the site's machine, with its number.
pub(crate) fn gpu_sample(sequence: u64) -> Value {
    json!({
        "kind": "gpu_sample", "key": "gpu/0/sample", "sequence": sequence, "source_epoch": 1,
        "event_time_us": START_US + i64::try_from(sequence).unwrap() * FIVE_MINUTES_US,
        "body": { "node_id": MACHINE, "device": "0", "utilisation_ppm": 970_000, "last_xid": 0 },
    })
}

/// A customer whose contract bills the energy of the site's machine.
pub(crate) fn hosting_facts() -> Vec<Value> {
    let contract = json!({
        "contract_id": "hosting-yard", "customer_id": "acme", "legal_entity": "yard-hosting", "time_zone": "UTC",
        "components": [{
            "id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "0.0725",
        }],
    });
    let assignment = json!({ "machine_id": MACHINE, "customer_id": "acme", "contract_id": "hosting-yard" });
    vec![
        fact("customer", "acme", json!({ "name": "Acme" })),
        fact("legal_entity", "yard-hosting", json!({ "name": "yard-hosting" })),
        fact("contract", "hosting-yard", contract),
        fact("assignment", MACHINE, assignment),
    ]
}

/// A meter that is read every five minutes, or as often as a test likes.
pub(crate) struct Meter {
    pub(crate) id: String,
    /// The readings that were acknowledged.
    pub(crate) acknowledged: u64,
    next: u64,
}

impl Meter {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), acknowledged: 0, next: 0 }
    }

    /// The next readings.
    pub(crate) fn readings(&mut self, number: u64) -> Vec<Value> {
        let from = self.next;
        self.next += number;
        (from..self.next).map(|index| self.reading(index)).collect()
    }

    /// The reading of an index. The first thousand lie five minutes apart, further ones repeat their times, so that none
    /// lies in the future.
    pub(crate) fn reading(&self, index: u64) -> Value {
        let interval = i64::try_from(index % 1_000).unwrap();
        json!({
            "kind": "energy_reading", "key": self.id, "sequence": index, "source_epoch": 1,
            "event_time_us": START_US + interval * FIVE_MINUTES_US,
            "body": {
                "machine_id": MACHINE, "meter_id": self.id,
                "register_wh": STEP_WH * index, "witness": "meter",
            },
        })
    }

    /// Sends the next readings, which must be taken.
    pub(crate) fn send(&mut self, place: &Place, key: &str, number: u64) {
        let readings = self.readings(number);
        self.acknowledged += send_good(place, key, &readings);
    }

    /// Waits until the readings that were acknowledged are counted, and no more than those.
    pub(crate) fn assert_counted(&self, place: &Place) {
        let sql = format!(
            "SELECT count(), uniqExact(sequence) FROM energy_readings WHERE meter_id = '{}' AND {COMMITTED}",
            self.id
        );
        let all = format!("{0}\t{0}", self.acknowledged);
        let what = format!("{} readings of {} are counted", self.acknowledged, self.id);
        until(&what, COUNT_LIMIT, || {
            let found = tables::ask(place, &sql)?;
            if found == all {
                Ok(())
            } else {
                Err(format!("found {found:?}; the committed blocks are\n{}", committed(place)?))
            }
        });
    }
}

/// All committed blocks of the meters' topic, for the message of a failure.
fn committed(place: &Place) -> Result<String, String> {
    let sql = "SELECT commit_offset, partition, block, attempt, first_offset, end_offset, events, accepted, duplicate \
               FROM manifest WHERE topic = 'energy' ORDER BY commit_offset";
    tables::ask(place, sql)
}

/// Sums of all committed blocks: events, accepted, duplicate, rejected.
pub(crate) fn conserved(place: &Place) -> BTreeMap<&'static str, u64> {
    // Two projectors may have written one commit twice.
    let sql = "SELECT sum(events), sum(accepted), sum(duplicate), sum(rejected) FROM \
               (SELECT DISTINCT commit_offset, events, accepted, duplicate, rejected FROM manifest)";
    let found = tables::ask(place, sql).unwrap_or_else(|error| panic!("{error}"));
    let sums: Vec<u64> = found.split('\t').map(|sum| sum.parse().unwrap()).collect();
    let commits = ["events", "accepted", "duplicate", "rejected"];
    let conserved: BTreeMap<_, _> = commits.into_iter().zip(sums).collect();
    let parts = conserved["accepted"] + conserved["duplicate"] + conserved["rejected"];
    assert_eq!(parts, conserved["events"], "{conserved:?}");
    conserved
}
