//! `usage` and `quarantine` hold every committed row exactly once, for readers that apply the rule of epochs,
//! although the publisher is killed again and again, and wakes as a stale one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::events::{self, MACHINE, Meter, START_US, Source};
use crate::support::place::Place;
use crate::support::random::Random;
use crate::support::running::Running;
use crate::support::tables::{self, COMMITTED};
use crate::support::{COUNT_LIMIT, END_LIMIT, START_LIMIT, until};
use prost::Message as _;
use rustix::process::Signal;
use serde_json::json;
use wb_events::frame::{FrameKey, encode_events};
use wb_events::published::Epochs;
use wb_events::topics;
use wb_events::wire::usage_record::Counted;
use wb_kafka::{Log, LogSettings};

const READINGS: u64 = 20_000;
const REFUSED: usize = 20_000;
const KILLS: u64 = 6;
/// The machine is a customer's from its hundredth interval on.
const ASSIGNED_US: i64 = START_US + 100 * 300_000_000;

/// The topics, as a reader of another program sees them.
struct Reader {
    log: Log,
    runtime: tokio::runtime::Runtime,
}

/// A row by topic, partition, block, table and index.
type Name = (String, u32, u64, String, u32);
/// How often each row counts, with its customer or source.
type Rows = BTreeMap<Name, (usize, String)>;

struct Read {
    rows: Rows,
    claims: usize,
    /// Records that count for nothing.
    repeats: usize,
}

impl Reader {
    fn new(place: &Place) -> Self {
        let log = Log::connect(LogSettings { brokers: place.brokers(), properties: Vec::new() }).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { log, runtime }
    }

    fn partitions(&self) -> Vec<(&'static str, u32)> {
        let counts = self.runtime.block_on(self.log.partitions()).unwrap();
        let usage = (0..counts[topics::USAGE]).map(|partition| (topics::USAGE, partition));
        assert_eq!(counts[topics::QUARANTINE], 1);
        usage.chain([(topics::QUARANTINE, 0)]).collect()
    }

    /// Records in both topics.
    fn records(&self) -> u64 {
        let end = |(topic, partition)| self.runtime.block_on(self.log.end_offset(topic, partition)).unwrap();
        self.partitions().into_iter().map(end).sum()
    }

    fn read(&self) -> Read {
        let mut read = Read { rows: Rows::new(), claims: 0, repeats: 0 };
        for (topic, partition) in self.partitions() {
            let mut epochs = Epochs::default();
            for record in self.runtime.block_on(self.log.read_all(topic, partition, 0)).unwrap() {
                let (name, whose) = if topic == topics::QUARANTINE {
                    let any = wb_events::wire::QuarantineRecord::decode(record.payload.as_slice()).unwrap();
                    read.claims += usize::from(any.claim.is_some());
                    let Some(it) = epochs.quarantine(&record.payload) else {
                        read.repeats += usize::from(any.claim.is_none());
                        continue;
                    };
                    ((it.topic, it.partition, it.block, "quarantine".to_owned(), it.index), it.source)
                } else {
                    let any = wb_events::wire::UsageRecord::decode(record.payload.as_slice()).unwrap();
                    let claim = matches!(any.counted, Some(Counted::Claim(_)));
                    read.claims += usize::from(claim);
                    let Some(it) = epochs.usage(partition, record.offset, &record.payload) else {
                        read.repeats += usize::from(!claim);
                        continue;
                    };
                    if matches!(it.counted, Some(Counted::Mark(_))) {
                        continue;
                    }
                    if let Some(Counted::Energy(reading)) = &it.counted {
                        let expected = if reading.event_time_us >= ASSIGNED_US { "acme" } else { "" };
                        assert_eq!(it.customer_id, expected, "at {}", reading.event_time_us);
                    }
                    ((it.topic, it.partition, it.block, it.table, it.index), it.customer_id)
                };
                read.rows.entry(name).or_insert((0, whose)).0 += 1;
            }
        }
        read
    }
}

/// Every row that is committed now, as ClickHouse has it.
fn committed_rows(place: &Place) -> Result<Vec<Name>, String> {
    let of = |table: &str, only: &str| {
        format!(
            "SELECT topic, partition, block, '{table}' AS t, idx FROM {table} WHERE {only} AND {COMMITTED}"
        )
    };
    let sql = [
        of("work_5m", "verdict = 'accepted'"),
        of("energy_readings", "1"),
        of("gpu_spans", "1"),
        of("quarantine", "1"),
    ];
    let found = tables::ask(place, &sql.join(" UNION ALL "))?;
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        (
            fields[0].to_owned(),
            fields[1].parse().unwrap(),
            fields[2].parse().unwrap(),
            fields[3].to_owned(),
            fields[4].parse().unwrap(),
        )
    };
    let mut rows: Vec<_> = found.lines().map(row).collect();
    rows.sort();
    Ok(rows)
}

/// Waits until both topics hold every committed row, and no row twice.
fn assert_published(place: &Place, reader: &Reader, when: &str) -> Read {
    let read = until(&format!("every committed row is published, {when}"), COUNT_LIMIT, || {
        let expected = committed_rows(place)?;
        let read = reader.read();
        let twice: Vec<_> = read.rows.iter().filter(|(_, (times, _))| *times > 1).take(5).collect();
        assert!(twice.is_empty(), "{when}: rows that count more than once: {twice:?}");
        if read.rows.keys().eq(expected.iter()) {
            return Ok(read);
        }
        let strange = read.rows.keys().find(|row| !expected.contains(row));
        Err(format!("{} rows of {}; not committed: {strange:?}", read.rows.len(), expected.len()))
    });
    eprintln!(
        "{when}: {} rows once each, {} claims, {} repeats that count for nothing",
        read.rows.len(),
        read.claims,
        read.repeats
    );
    read
}

/// Frames of events that belong to another topic, written straight to Kafka.
fn write_refused(place: &Place, reader: &Reader, from: usize, number: usize) {
    let key = std::fs::read(place.data_dir().join("keys/frame.key")).unwrap();
    let key = FrameKey::new(key.try_into().unwrap());
    for first in (from..from + number).step_by(100) {
        let broken = (first..first + 100).map(|index| format!("\u{7f}no event {index}").into_bytes());
        let frame = encode_events("stranger", broken.collect(), &key);
        let appended = reader.log.append(topics::GPU, 1, &[], &frame, &[]);
        reader.runtime.block_on(appended).unwrap();
    }
}

#[test]
fn what_is_committed_is_published_once_whoever_dies() {
    let mut random = Random::new("publish");
    let stack = Place::new();
    let mut up = stack.start("up", &["up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    let mut ours = Place::beside(&stack);
    let operator = Source::draw(&ours, "operator", "operator");
    let meters = Source::draw(&ours, "meters", "meter");
    let file = events::configure(&ours, &[&operator, &meters]);
    let mut ingest = ours.start("ingest", &["--config", file.to_str().unwrap(), "serve", "ingest"]);
    ingest.wait_for("ready", START_LIMIT);
    let mut facts = events::facts();
    let assignment = json!({ "machine_id": MACHINE, "customer_id": "acme", "contract_id": "acme-1" });
    let mut assigned = events::fact("assignment", MACHINE, assignment);
    assigned["body"]["valid_from_us"] = ASSIGNED_US.into();
    facts.push(assigned);
    events::send_good(&ours, &operator.key, &facts);
    until("the facts are committed", COUNT_LIMIT, || {
        let committed = events::conserved(&stack)["accepted"];
        if committed == u64::try_from(facts.len()).unwrap() {
            Ok(())
        } else {
            Err(format!("{committed} are"))
        }
    });
    // The stack's own aggregator is stopped from here on; the broker and the engine go on.
    up.send(Signal::STOP);

    let reader = Reader::new(&stack);
    ours.set("AGGREGATOR_SESSION_TIMEOUT_MS", "1000");
    let start =
        |number: u64| -> Running { ours.start(&format!("aggregator-{number}"), &["serve", "aggregator"]) };
    let mut meter = Meter::new("yard/meter-1");
    for kill in 0..KILLS {
        meter.send(&ours, &meters.key, READINGS / KILLS);
        write_refused(&stack, &reader, 100_000 * usize::try_from(kill).unwrap(), REFUSED / 6 / 100 * 100);
        let before = reader.records();
        let mut aggregator = start(kill);
        // Once records appear it is in the middle of a batch; it is killed somewhere in the rest.
        let wanted = before + 10 + u64::try_from(random.below(Duration::from_secs(2)).as_millis()).unwrap();
        until("records are published", COUNT_LIMIT, || {
            assert!(aggregator.runs(), "{}", aggregator.stderr());
            let now = reader.records();
            if now >= wanted { Ok(()) } else { Err(format!("{now} of {wanted} records")) }
        });
        aggregator.kill();
        eprintln!("killed at {} records, {} after its start", reader.records(), reader.records() - before);
    }
    let aggregator = start(KILLS);
    meter.assert_counted(&stack);
    let read = assert_published(&stack, &reader, "after the kills");
    assert!(read.claims >= usize::try_from(KILLS).unwrap() * 5, "{} claims", read.claims);
    assert!(read.rows.values().any(|(_, whose)| whose == "acme"));

    // The stopped aggregator wakes as if it were still the leader: two publish at once, and still nothing counts
    // twice.
    up.send(Signal::CONT);
    for _ in 0..5 {
        meter.send(&ours, &meters.key, 100);
        meter.assert_counted(&stack);
        assert_published(&stack, &reader, "beside a stale publisher");
    }
    // The fenced publisher takes over once the other is gone.
    aggregator.kill();
    meter.send(&ours, &meters.key, 100);
    meter.assert_counted(&stack);
    assert_published(&stack, &reader, "after the other is gone");

    ingest.send(Signal::TERM);
    ingest.end(END_LIMIT).success("ingest told to end");
    up.send(Signal::INT);
    up.end(END_LIMIT).success("weighbridge up, told to end");
}
