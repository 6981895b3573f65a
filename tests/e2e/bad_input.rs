//! Bad input at both doors, HTTP and Kafka: a clear coded error or the quarantine, and the stream goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use crate::support;
use std::collections::BTreeMap;
use std::io::Read as _;

use crate::support::curl::{Answer, bearer, graphql_data, request};
use crate::support::events::{self, MACHINE, Meter, START_US, STEP_WH, Source};
use crate::support::place::Place;
use crate::support::tables::{self, COMMITTED};
use crate::support::{COUNT_LIMIT, END_LIMIT, START_LIMIT, until};
use serde_json::{Value, json};
use wb_events::frame::{FrameKey, encode_events, encode_punctuation};
use wb_events::topics;
use wb_kafka::{Log, LogSettings};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
/// A reading that no test sends in a good form.
const NEVER: u64 = 900;

/// The sources of the site, each with one role.
struct Sources {
    operator: Source,
    pool: Source,
    meters: Source,
}

#[test]
fn bad_input_is_explained_and_the_stream_goes_on() {
    let place = Place::new();
    let sources = Sources {
        operator: Source::draw(&place, "yard-operator", "operator"),
        pool: Source::draw(&place, "yard-pool", "pool"),
        meters: Source::draw(&place, "yard-meters", "meter"),
    };
    let file = events::configure(&place, &[&sources.operator, &sources.pool, &sources.meters]);
    let mut up = place.start("up", &["--config", file.to_str().unwrap(), "up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);

    let facts = events::send_good(&place, &sources.operator.key, &events::facts());
    let mut meter = Meter::new("yard/meter-1");
    meter.send(&place, &sources.meters.key, 2);
    requests_without_sense(&place, &sources, &mut meter);
    events_without_sense(&place, &sources, &mut meter);
    bodies_too_large(&place, &sources, &mut meter);
    let refused_shares = shares_without_a_job(&place, &sources);
    let stray = records_from_nowhere(&place, &sources, &mut meter);

    meter.assert_counted(&place);
    assert_quarantine(&place, &stray);
    assert!(up.runs(), "{}", up.stderr());
    // No acknowledged event is lost and no other one is counted: every committed event has its reason.
    let strangers = u64::try_from(stray.quarantined.len()).unwrap();
    until("everything is committed", COUNT_LIMIT, || {
        let committed = events::conserved(&place);
        let accepted = facts + meter.acknowledged + stray.read_after;
        let expected = BTreeMap::from([
            ("events", accepted + refused_shares + strangers),
            ("accepted", accepted),
            ("duplicate", 0),
            ("rejected", refused_shares + strangers),
        ]);
        if committed == expected { Ok(()) } else { Err(format!("{committed:?} is not {expected:?}")) }
    });
    the_api_shows_it(&place, &meter, refused_shares);

    up.send(rustix::process::Signal::TERM);
    up.end(END_LIMIT).success("weighbridge up, told to end");
    place.assert_nothing_runs(END_LIMIT);
}

/// A good reading is taken and acknowledged, whatever came before it.
fn goes_on(place: &Place, sources: &Sources, meter: &mut Meter) {
    meter.send(place, &sources.meters.key, 1);
}

/// A whole request was refused: its status, a code, a sentence.
fn assert_refusal(what: &str, answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    let json = answer.json();
    assert_eq!(json["code"].as_str(), Some(code), "{what}: {json}");
    assert!(json["error"].as_str().is_some_and(|text| text.len() > 20), "{what}: says why: {json}");
}

fn requests_without_sense(place: &Place, sources: &Sources, meter: &mut Meter) {
    let key = &sources.meters.key;
    let good = serde_json::to_vec(&[meter.reading(NEVER)]).unwrap();
    let unfinished = &good[..good.len() / 2];
    let bodies: [(&str, &str, &[u8], u16, &str); 9] = [
        ("broken JSON", JSON, br#"{"kind":"#, 400, "WB-2107"),
        ("cut-off JSON", JSON, unfinished, 400, "WB-2107"),
        ("not UTF-8", JSON, b"\xff\xfe\x00", 400, "WB-2107"),
        ("empty body", JSON, b"", 400, "WB-2106"),
        ("empty array", JSON, b"[]", 400, "WB-2106"),
        ("empty NDJSON", NDJSON, b"\n\n", 400, "WB-2106"),
        ("JSON as Protobuf", "application/x-protobuf", &good, 400, "WB-2107"),
        ("unknown content type", "text/csv", &good, 415, "WB-2105"),
        ("a form", "application/x-www-form-urlencoded", &good, 415, "WB-2105"),
    ];
    for (what, content_type, body, status, code) in bodies {
        assert_refusal(what, &events::send(place, key, content_type, body), status, code);
        goes_on(place, sources, meter);
    }
    let keys = [
        ("no key", None, "WB-3001"),
        ("no bearer", Some("Authorization: Basic d2JrOng=".to_owned()), "WB-3002"),
        ("wrong key", Some(bearer(&format!("wbk_{}", "A".repeat(43)))), "WB-3003"),
        ("a word for a key", Some(bearer("letmein")), "WB-3003"),
    ];
    for (what, header, code) in keys {
        let headers: Vec<String> = header.into_iter().chain([format!("Content-Type: {JSON}")]).collect();
        assert_refusal(what, &request(&place.events_url(), &headers, Some(&good)), 401, code);
        goes_on(place, sources, meter);
    }
    for (what, encoding, body, status, code) in [
        ("unknown encoding", "br", good.as_slice(), 415, "WB-2103"),
        ("not zstd", "zstd", &good, 400, "WB-2104"),
        ("not gzip", "gzip", &good, 400, "WB-2104"),
    ] {
        let headers = [bearer(key), format!("Content-Type: {JSON}"), format!("Content-Encoding: {encoding}")];
        assert_refusal(what, &request(&place.events_url(), &headers, Some(body)), status, code);
        goes_on(place, sources, meter);
    }
}

/// A reading with one field changed.
fn changed(meter: &Meter, pointer: &str, value: Value) -> Value {
    let mut event = meter.reading(NEVER);
    *event.pointer_mut(pointer).unwrap() = value;
    event
}

fn share(session: &str, event_time_us: i64, sequence: u64) -> Value {
    json!({
        "kind": "share", "key": session, "sequence": sequence, "source_epoch": 1, "event_time_us": event_time_us,
        "body": {
            "session_id": session, "job_id": "none", "extranonce2": "00000000",
            "ntime": "69000000", "nonce": "00000001",
        },
    })
}

fn events_without_sense(place: &Place, sources: &Sources, meter: &mut Meter) {
    let (pool, meters) = (&sources.pool.key, &sources.meters.key);
    let nested = |depth: usize| {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!(
            r#"{{"kind":"miner_sample","key":"k","sequence":0,"event_time_us":{START_US},"body":{{"machine_id":"{MACHINE}","answers":{text}}}}}"#
        )
    };
    let text = |event: Value| event.to_string();
    // The year 2083.
    let future_us = START_US * 2;
    let cases: Vec<(&str, &String, String, &str, &str)> = vec![
        (
            "a text for a number",
            meters,
            text(changed(meter, "/sequence", "one".into())),
            "WB-2001",
            "sequence",
        ),
        ("a number for a text", meters, text(changed(meter, "/key", 5.into())), "WB-2001", "key"),
        (
            "a negative register",
            meters,
            text(changed(meter, "/body/register_wh", (-1).into())),
            "WB-2001",
            "body.register_wh",
        ),
        (
            "a fraction",
            meters,
            text(changed(meter, "/body/register_wh", 1.5.into())),
            "WB-2001",
            "body.register_wh",
        ),
        (
            "an unknown witness",
            meters,
            text(changed(meter, "/body/witness", "guess".into())),
            "WB-2001",
            "body.witness",
        ),
        ("an unknown kind", meters, text(changed(meter, "/kind", "tea".into())), "WB-2001", "kind"),
        (
            "an unknown machine",
            meters,
            text(changed(meter, "/body/machine_id", "nowhere-1".into())),
            "WB-2011",
            "body.machine_id",
        ),
        (
            "a reading from the future",
            meters,
            text(changed(meter, "/event_time_us", future_us.into())),
            "WB-2004",
            "event_time_us",
        ),
        ("a reading of a pool", pool, text(meter.reading(NEVER)), "WB-3004", "kind"),
        ("a share of a meter", meters, text(share("pool/1", START_US, 0)), "WB-3004", "kind"),
        ("a share from 1970", pool, text(share("pool/1", 0, 0)), "WB-2003", "event_time_us"),
        (
            "a share of an unknown session",
            pool,
            text(share("pool/9", START_US, 0)),
            "WB-2010",
            "body.session_id",
        ),
        ("a deep nest", meters, nested(40), "WB-2002", "event"),
        ("a nest without end", meters, nested(100_000), "WB-2002", "event"),
    ];
    for (what, key, event, code, field) in cases {
        let answer = events::send(place, key, JSON, format!("[{event}]").as_bytes());
        assert_eq!(answer.status, 422, "{what}: {}", answer.body);
        let json = answer.json();
        assert_eq!(
            (json["accepted"].as_u64(), json["refused"].as_u64()),
            (Some(0), Some(1)),
            "{what}: {json}"
        );
        let told = &json["events"][0];
        assert_eq!(
            (told["code"].as_str(), told["field"].as_str()),
            (Some(code), Some(field)),
            "{what}: {told}"
        );
        assert!(told["reason"].as_str().is_some_and(|text| text.len() > 10), "{what}: says why: {told}");
        goes_on(place, sources, meter);
    }
    // A bad event refuses only itself, whatever other events are in the request.
    let good = meter.readings(2);
    let lines = format!("{}\n{{\"kind\":\n{}\n[]\n", good[0], good[1]);
    let answer = events::send(place, meters, NDJSON, lines.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json()["events"].clone();
    let states: Vec<&str> =
        told.as_array().unwrap().iter().map(|event| event["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["accepted", "refused", "accepted", "refused"], "{told}");
    meter.acknowledged += 2;
}

fn bodies_too_large(place: &Place, sources: &Sources, meter: &mut Meter) {
    let key = &sources.meters.key;
    let bomb = zstd::encode_all(std::io::repeat(b' ').take(1 << 30), 3).unwrap();
    assert!(bomb.len() < 1 << 20, "a gigabyte in {} bytes", bomb.len());
    let headers = [bearer(key), format!("Content-Type: {JSON}"), "Content-Encoding: zstd".to_owned()];
    let before_kib = memory_kib(place);
    let answer = request(&place.events_url(), &headers, Some(&bomb));
    assert_refusal("a bomb of 1 GiB", &answer, 413, "WB-2102");
    let grown_kib = memory_kib(place).saturating_sub(before_kib);
    assert!(grown_kib < 512 * 1024, "the bomb cost {grown_kib} KiB");
    goes_on(place, sources, meter);

    // Events that would all be good, but one too many: none of them is taken.
    let other = Meter::new("yard/meter-2");
    let many: Vec<Value> = (0..20_001).map(|index| other.reading(index)).collect();
    let answer = events::send(place, key, JSON, &serde_json::to_vec(&many).unwrap());
    assert_refusal("20,001 events", &answer, 413, "WB-2108");
    goes_on(place, sources, meter);
    let sql = format!("SELECT count() FROM energy_readings WHERE meter_id = '{}'", other.id);
    assert_eq!(tables::count(place, &sql), Ok(0));
}

/// The most memory that any process of the place has had, in KiB.
fn memory_kib(place: &Place) -> u64 {
    let peak = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let of_us = status.starts_with("Name:\tweighbridge");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        of_us.then(|| line.split_whitespace().nth(1)?.parse::<u64>().ok()).flatten()
    };
    place.processes().into_iter().filter_map(peak).max().unwrap()
}

/// Shares that ingest takes, because they are well formed, and that the fold refuses. Returns how many.
fn shares_without_a_job(place: &Place, sources: &Sources) -> u64 {
    let blocks = std::fs::read(support::root().join("tests/data/bitcoin/stratum_v1_jobs.json")).unwrap();
    let blocks: Vec<Value> = serde_json::from_slice(&blocks).unwrap();
    let header = blocks[0]["header_hex"].as_str().unwrap();
    let bare = json!({
        "kind": "share", "key": "replay/1", "sequence": 0, "source_epoch": 1, "event_time_us": START_US,
        "body": { "session_id": "replay/1", "header": header, "height": 169_482 },
    });
    events::send_good(place, &sources.pool.key, &[share("pool/1", START_US, 1), bare])
}

/// What somebody else wrote into the topic.
struct Stray {
    /// (partition, offset) with the code and the bytes that the quarantine must hold.
    quarantined: BTreeMap<(u32, u64), (&'static str, Vec<u8>)>,
    /// Punctuations for a block that is not open.
    punctuations: Vec<(u32, u64)>,
    /// Good readings of other meters that were acknowledged after all that.
    read_after: u64,
}

fn records_from_nowhere(place: &Place, sources: &Sources, meter: &mut Meter) -> Stray {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let log = Log::connect(LogSettings { brokers: place.brokers(), properties: Vec::new() }).unwrap();
    let append = |partition: u32, record: &[u8]| {
        runtime.block_on(log.append(topics::ENERGY, partition, &[], record, &[])).unwrap()
    };
    let key = std::fs::read(place.data_dir().join("keys/frame.key")).unwrap();
    let key = FrameKey::new(key.try_into().unwrap());
    let forged = encode_events("ingest-0", vec![b"an event".to_vec()], &FrameKey::new([7; 32]));
    let garbage = b"\x00this was never a frame\xff".to_vec();
    // It is for a block far ahead, which no waiting record belongs to.
    let punctuation = encode_punctuation("aggregator-0", 1_000_000, &key);
    let mut stray = Stray { quarantined: BTreeMap::new(), punctuations: Vec::new(), read_after: 0 };
    for partition in 0..2 {
        stray.quarantined.insert((partition, append(partition, &garbage)), ("WB-4002", garbage.clone()));
        stray.quarantined.insert((partition, append(partition, &forged)), ("WB-4003", forged.clone()));
        stray.punctuations.push((partition, append(partition, &punctuation)));
        // Empty, it has no signature.
        stray.quarantined.insert((partition, append(partition, b"")), ("WB-4003", Vec::new()));
    }
    for _ in 0..3 {
        goes_on(place, sources, meter);
    }
    // Both partitions go on: these meters lie in the one or the other.
    let mut others: Vec<Meter> = (0..8).map(|index| Meter::new(&format!("yard/after-{index}"))).collect();
    for other in &mut others {
        other.send(place, &sources.meters.key, 1);
    }
    for other in &others {
        other.assert_counted(place);
        stray.read_after += other.acknowledged;
    }
    let partitions =
        "SELECT uniqExact(partition) FROM energy_readings WHERE startsWith(meter_id, 'yard/after-')";
    assert_eq!(tables::count(place, partitions), Ok(2));
    stray
}

fn assert_quarantine(place: &Place, stray: &Stray) {
    let sql = format!(
        "SELECT partition, log_offset, code, hex(original) FROM quarantine \
         WHERE topic = 'energy' AND {COMMITTED} ORDER BY partition, log_offset"
    );
    let expected: Vec<String> = stray
        .quarantined
        .iter()
        .map(|((partition, offset), (code, bytes))| {
            format!("{partition}\t{offset}\t{code}\t{}", wb_proof::hex::encode(bytes).to_uppercase())
        })
        .collect();
    until("strangers' records are in the quarantine, whole", COUNT_LIMIT, || {
        let found = tables::ask(place, &sql)?;
        if found == expected.join("\n") {
            Ok(())
        } else {
            Err(format!("{found}\nis not\n{}", expected.join("\n")))
        }
    });
    for (partition, offset) in &stray.punctuations {
        let closed = format!(
            "SELECT count() FROM manifest WHERE topic = 'energy' AND partition = {partition} AND end_offset = {offset} + 1"
        );
        assert_eq!(tables::count(place, &closed), Ok(0), "it closed a block that it is not for");
        let passed = format!(
            "SELECT count() FROM manifest WHERE topic = 'energy' AND partition = {partition} \
             AND first_offset <= {offset} AND end_offset > {offset} + 1"
        );
        assert_ne!(tables::count(place, &passed), Ok(0), "its own block was committed");
    }
}

fn the_api_shows_it(place: &Place, meter: &Meter, refused_shares: u64) {
    let token = place.run("token", &["token", "--role", "operator"], END_LIMIT).success("token").stdout;
    let data = graphql_data(
        place,
        token.trim(),
        "{ energy(from: \"2026-10-01T00:00:00Z\", to: \"2026-10-08T00:00:00Z\", bucketMinutes: 10080) { energyWh witness }
           verdictCounts(from: \"2026-10-01T00:00:00Z\", to: \"2026-10-02T00:00:00Z\") { verdict reason shares } }",
    );
    // One meter counts up by one step from reading to reading; the others were read only once.
    let expected_wh = (meter.acknowledged - 1) * STEP_WH;
    let point = &data["energy"][0];
    assert_eq!(point["witness"], "meter", "{data}");
    let energy_wh = point["energyWh"].as_str().unwrap();
    let whole = energy_wh.split('.').next().unwrap();
    assert_eq!(whole, expected_wh.to_string(), "{data}");
    let counts = data["verdictCounts"].as_array().unwrap();
    let reasons: Vec<&str> = counts.iter().map(|count| count["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["unbound_work", "unknown_job"], "{data}");
    let shares: u64 =
        counts.iter().map(|count| count["shares"].as_str().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(shares, refused_shares, "{data}");
}
