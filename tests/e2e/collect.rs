//! Data of machines, schedulers and exporters through the real stack: polled, read from files, sent by Prometheus.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use crate::support::curl::{Answer, bearer, request};
use crate::support::events::{self, START_US, Source};
use crate::support::place::Place;
use crate::support::tables::{self, COMMITTED};
use crate::support::{COUNT_LIMIT, END_LIMIT, START_LIMIT, root, until};
use prost::Message as _;
use serde_json::{Value, json};

/// A label of a series.
#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// A value of a series.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Point {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Point>,
}

/// A remote write.
#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<Series>,
}

fn series(name: &str, labels: &[(&str, &str)], at_s: i64, value: f64) -> Series {
    let label = |(name, value): (&str, &str)| Label { name: name.to_owned(), value: value.to_owned() };
    let labels = std::iter::once(("__name__", name)).chain(labels.iter().copied()).map(label).collect();
    Series { labels, samples: vec![Point { value, timestamp: START_US / 1_000 + at_s * 1_000 }] }
}

fn write(place: &Place, key: &str, timeseries: Vec<Series>) -> Answer {
    let body = WriteRequest { timeseries }.encode_to_vec();
    let packed = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    send(place, key, "snappy", "application/x-protobuf", &packed)
}

fn send(place: &Place, key: &str, encoding: &str, content_type: &str, body: &[u8]) -> Answer {
    let headers = [
        bearer(key),
        format!("Content-Encoding: {encoding}"),
        format!("Content-Type: {content_type}"),
        "X-Prometheus-Remote-Write-Version: 0.1.0".to_owned(),
    ];
    let url = place.events_url().replace("/v1/events", "/v1/prometheus/write");
    request(&url, &headers, Some(body))
}

/// A scrape of two pods: one that runs on eight GPUs, and one whose image cannot be pulled.
fn scrape(at_s: i64) -> Vec<Series> {
    let mut all = Vec::new();
    for (pod, uid, phase, reason) in
        [("train-0", "u1", "Running", None), ("stuck-0", "u2", "Pending", Some("ImagePullBackOff"))]
    {
        let own = [("namespace", "acme"), ("pod", pod), ("uid", uid), ("instance", "ksm:8080")];
        let with = |more: &[(&'static str, &'static str)]| [own.as_slice(), more].concat();
        for known in ["Running", "Pending"] {
            let value = if phase == known { 1.0 } else { 0.0 };
            all.push(series("kube_pod_status_phase", &with(&[("phase", known)]), at_s, value));
        }
        let asks = with(&[
            ("container", "c"),
            ("node", "gpu-1"),
            ("resource", "nvidia_com_gpu"),
            ("unit", "integer"),
        ]);
        all.push(series("kube_pod_container_resource_requests", &asks, at_s, 8.0));
        if let Some(reason) = reason {
            let waits = with(&[("container", "c"), ("reason", reason)]);
            all.push(series("kube_pod_container_status_waiting_reason", &waits, at_s, 1.0));
        }
    }
    all.push(series("up", &[("instance", "ksm:8080")], at_s, 1.0));
    all
}

fn energy(host: &str, at_s: i64, mj: f64) -> Vec<Series> {
    let labels = [("UUID", "GPU-1"), ("gpu", "0"), ("hostname", host), ("modelName", "NVIDIA H100")];
    vec![series("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", &labels, at_s, mj)]
}

/// A machine that answers as cgminer does, from its recorded answers.
fn miner(name: &str) -> SocketAddr {
    let path = root().join(format!("tests/data/miner-answers/{name}.json"));
    let answers: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = vec![0; 1_024];
            // A check whether the port is open asks nothing.
            let size = stream.read(&mut request).unwrap_or(0);
            let asked: Value = serde_json::from_slice(&request[..size]).unwrap_or_default();
            let command = asked["command"].as_str().unwrap_or_default();
            let answer =
                answers.get(command).cloned().unwrap_or_else(|| json!({"STATUS": [{"STATUS": "E"}]}));
            let _ = stream.write_all(format!("{answer}\0").as_bytes());
        }
    });
    address
}

/// Waits until a question to the tables has this answer.
fn answers(place: &Place, sql: &str, expected: &str) {
    until(sql, COUNT_LIMIT, || {
        let found = tables::ask(place, sql)?;
        if found == expected { Ok(()) } else { Err(format!("{found:?} is not {expected:?}")) }
    });
}

#[test]
fn what_is_collected_is_counted_once() {
    let place = Place::new();
    let operator = Source::draw(&place, "operator", "operator");
    let telemetry = Source::draw(&place, "collector", "telemetry");
    let scheduler = Source::draw(&place, "cluster", "scheduler");
    let meters = Source::draw(&place, "exporters", "meter");
    let file = events::configure(&place, &[&operator, &telemetry, &scheduler, &meters]);
    let mut up = place.start("up", &["--config", file.to_str().unwrap(), "up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    let machine = |id: &str| {
        events::fact("machine", id, json!({"site_id": "yard", "model": "any", "rated_power_mw": 3_500_000}))
    };
    let ids = ["gpu-1", "tx1-n07", "tx1-n08", "tx1-n09", "rig-1", "rig-2"];
    let facts: Vec<Value> = events::facts().into_iter().chain(ids.map(machine)).collect();
    events::send_good(&place, &operator.key, &facts);

    prometheus_writes(&place, &scheduler.key, &meters.key);
    slurm_is_read(&place, &scheduler.key);
    miners_are_polled(&place, &telemetry.key);

    up.send(rustix::process::Signal::TERM);
    up.end(END_LIMIT).success("weighbridge up, told to end");
    place.assert_nothing_runs(END_LIMIT);
}

fn prometheus_writes(place: &Place, scheduler: &str, meters: &str) {
    for at_s in [0, 30, 60, 90] {
        // Whole, in two halves, and again: as shards and a lost answer would have it.
        let mut whole = scrape(at_s);
        let second = whole.split_off(3);
        for part in [whole.clone(), second.clone(), whole, second] {
            let answer = write(place, scheduler, part);
            assert_eq!((answer.status, answer.body.as_str()), (204, ""), "at {at_s} s");
        }
    }
    for (at_s, mj) in [(0, 3_600_000.0), (30, 10_800_000.0), (30, 10_800_000.0), (60, 1.0e30)] {
        let answer = write(place, meters, energy("gpu-1", at_s, mj));
        assert_eq!(answer.status, 204, "at {at_s} s: {}", answer.body);
    }
    // One allocation of the pod that ran, seen until the last scrape that a later one followed; none of the other.
    let spans = "SELECT account, allocation_id, uniqExact(start_us), max(event_time_us - start_us) * any(gpus) / 1000000, \
                 count(), countIf(isNotNull(end_us)) FROM gpu_spans";
    let grouped = "GROUP BY account, allocation_id ORDER BY allocation_id";
    answers(
        place,
        &format!("{spans} WHERE {COMMITTED} {grouped}"),
        "kubernetes:default/acme\tkube/u1\t1\t480\t2\t0",
    );
    gpus_say_what_they_do(place, meters);
    let registers = "SELECT groupArray(register_wh) FROM (SELECT register_wh FROM energy_readings";
    answers(place, &format!("{registers} WHERE {COMMITTED} ORDER BY event_time_us)"), "[1,3]");

    // A refusal is a 4xx, which a sender does not try again.
    let refused = write(place, scheduler, energy("gpu-1", 0, 3_600_000.0));
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(refused.json()["events"][0]["code"], "WB-3004", "{}", refused.body);
    let unknown = write(place, meters, energy("gpu-9", 0, 3_600_000.0));
    assert_eq!((unknown.status, unknown.json()["events"][0]["code"].clone()), (422, json!("WB-2011")));
    let protobuf = "application/x-protobuf";
    let second_version = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    for (encoding, content_type, body, status, code) in [
        ("gzip", protobuf, b"x".as_slice(), 415, "WB-2113"),
        ("snappy", "application/json", b"{}", 415, "WB-2114"),
        ("snappy", second_version, b"", 415, "WB-2114"),
        ("snappy", protobuf, b"no snappy", 400, "WB-2104"),
        ("snappy", protobuf, b"\xff\xff\xff\xff\x0f", 413, "WB-2102"),
    ] {
        let answer = send(place, meters, encoding, content_type, body);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.body);
    }
    assert_eq!(send(place, "wbk_nobody", "snappy", protobuf, b"").status, 401);
}

/// A scrape of two GPUs, whole, in parts, and again; of the second the value is DCGM's "no value".
fn gpus_say_what_they_do(place: &Place, meters: &str) {
    let gpu = |uuid| [("UUID", uuid), ("Hostname", "gpu-1")];
    let scrape = [
        series("DCGM_FI_DEV_GPU_UTIL", &gpu("GPU-1"), 30, 97.0),
        series("DCGM_FI_DEV_XID_ERRORS", &gpu("GPU-1"), 30, 79.0),
        series("DCGM_FI_DEV_GPU_UTIL", &gpu("GPU-2"), 30, 4_294_967_295.0),
    ];
    for part in [&scrape[..1], &scrape[1..], &scrape[..1], &scrape[..]] {
        let answer = write(place, meters, part.to_vec());
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    }
    // A new log counts them from its beginning. Three samples of one moment came in parts and whole.
    let said = format!(
        "SELECT node_id, device, uniqExact(event_time_us), count(), any(utilisation_ppm), any(last_xid), \
           countIf(isNotNull(power_mw)) \
         FROM gpu_samples WHERE {COMMITTED} GROUP BY node_id, device ORDER BY device"
    );
    answers(place, &said, "gpu-1\tGPU-1\t1\t3\t970000\t79\t0");
    let unknown = format!("SELECT count() FROM quarantine WHERE {COMMITTED} AND code = 'WB-4007'");
    answers(place, &unknown, "0");
}

/// Runs a connector with a source's key; gives what it printed and said.
fn connect(place: &Place, name: &str, key: &str, arguments: &[&str]) -> (String, String) {
    let ingest = place.events_url().replace("/v1/events", "");
    let all = [&["connect", "--ingest", &ingest, "--source-key", key, "--once"], arguments].concat();
    let ended = place.run(name, &all, COUNT_LIMIT).success(name);
    (ended.stdout, ended.stderr)
}

fn slurm_is_read(place: &Place, key: &str) {
    let rows = root().join("tests/data/slurm/sacct.psv");
    let position = place.folder().join("slurm.json");
    let arguments = ["slurm", rows.to_str().unwrap(), "--position", position.to_str().unwrap()];
    let (said, told) = connect(place, "slurm", key, &arguments);
    assert_eq!(said, "5 spans accepted, 0 known before, 5 rows without GPU time, 1 quarantined, 0 refused\n");
    assert!(told.contains("quarantined: line 10 job 48106: ElapsedRaw says 4000 s"), "{told}");
    let (said, _) = connect(place, "slurm-again", key, &arguments);
    assert_eq!(said, "0 spans accepted, 5 known before, 5 rows without GPU time, 1 quarantined, 0 refused\n");
    // Without its position all are sent, and are still counted once.
    std::fs::remove_file(&position).unwrap();
    connect(place, "slurm-afresh", key, &arguments);
    let closed = format!(
        "SELECT account, sum((end_us - start_us) * gpus) / 1000000 FROM gpu_spans \
         WHERE {COMMITTED} AND allocation_id LIKE 'slurm/%' AND isNotNull(end_us) GROUP BY account ORDER BY account"
    );
    // 99,030 x 8 + 1,061 x 4 + 1,800 x 4; and 5 x 1.
    answers(place, &closed, "slurm:slurm/acme\t803684\nslurm:slurm/birch\t5");
    let verdicts = format!(
        "SELECT sum(events) FROM block_counts WHERE {COMMITTED} AND topic = 'gpu' AND verdict = 'duplicate'"
    );
    // And the one sample of a GPU that was sent twice in the same form.
    answers(place, &verdicts, "6");
}

fn miners_are_polled(place: &Place, key: &str) {
    let list = place.folder().join("list");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::fs::write(&list, format!("{} rig-1\n{gone} rig-2\n", miner("antminer-s19j"))).unwrap();
    let (said, told) = connect(place, "miners", key, &["miners", "--list", list.to_str().unwrap()]);
    assert!(said.starts_with("1 rounds: 1 answers, 1 unreachable, 0 not understood, 0 of unknown machines; 2 samples accepted, 0 refused"), "{said}");
    assert!(told.contains("rig-2 is unreachable"), "{told}");
    let states =
        format!("SELECT machine_id, family, state FROM miner_samples WHERE {COMMITTED} ORDER BY machine_id");
    answers(place, &states, "rig-1\tantminer\thashing\nrig-2\t\toffline");

    let good = root().join("tests/data/miner-answers");
    let check = |name: &str, folder: &std::path::Path| {
        place.run(name, &["connect", "miners", "--check", folder.to_str().unwrap()], END_LIMIT)
    };
    let folder = place.folder().join("recordings");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(good.join("luxos-s21.json"), folder.join("luxos-s21.json")).unwrap();
    let checked = check("check", &folder).success("a check of what can be read");
    assert!(checked.stdout.starts_with("luxos-s21.json: luxos hashing <"), "{}", checked.stdout);
    std::fs::write(folder.join("cut.json"), "{\"version\":").unwrap();
    let checked = check("check-cut", &folder);
    assert_eq!(checked.code, Some(1));
    assert!(checked.stdout.contains("cut.json: NOT READ: [WB-3103]"), "{}", checked.stdout);
}
