//! The same events on the real stack, in other orders and batches, some of them twice or late, with one aggregator and with
//! two: the same rows in every table and the same bills. A stack that reads its log again comes to the same evidence.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::support::events::{self, Source};
use crate::support::place::Place;
use crate::support::random::Random;
use crate::support::running::Running;
use crate::support::tables::{self, COMMITTED};
use crate::support::{COUNT_LIMIT, END_LIMIT, START_LIMIT, root, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use wb_testkit::{FLEET_START_US, OPERATOR, SOURCES};

/// The months that are closed.
const MONTHS: [&str; 2] = ["2009-01", "2026-10"];
/// Of these parts of the demonstration's input, every so many events are sent.
const EVERY: [(&str, usize); 4] =
    [("genesis blocks", 8), ("fleet shares", 12), ("fleet energy", 4), ("genesis energy", 48)];
/// One event in so many is sent twice.
const REPEATED_ONE_IN: u64 = 10;
/// One event in so many is sent after all others are acknowledged.
const LATE_ONE_IN: u64 = 20;

/// Tables of rows, and of sums with their keys and summed columns.
const ROWS: [&str; 7] =
    ["shares", "miner_samples", "energy_readings", "gpu_spans", "gpu_samples", "facts", "quarantine"];
const SUMS: [(&str, &str, &str); 2] = [
    (
        "work_5m",
        "site_id, machine_id, interval_start_us, chain, nbits, subsidy_sat, verdict, reason",
        "sum(shares), sum(credited_q32), sum(credited_q32_squared), sum(blocks)",
    ),
    ("block_counts", "topic, verdict, reason", "sum(events)"),
];
/// The columns that the order of the log determines.
const OF_THE_LOG: &str = "attempt, topic, partition, block, idx, log_offset, frame_index, append_time_us";

/// One way to send the events.
struct Run {
    name: &'static str,
    /// Events of a request at most.
    batch: usize,
    /// Requests that are under way at once.
    senders: usize,
    order: Order,
    /// Whether a second aggregator shares the work.
    two_aggregators: bool,
    /// Whether the log is read again in the end.
    read_again: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// In the order of the sources, each once, none late.
    AsSent,
    Reversed,
    Shuffled,
}

const RUNS: [Run; 3] = [
    Run {
        name: "as sent",
        batch: 65_536,
        senders: 1,
        order: Order::AsSent,
        two_aggregators: false,
        read_again: false,
    },
    Run {
        name: "reversed, one by one",
        batch: 1,
        senders: 8,
        order: Order::Reversed,
        two_aggregators: false,
        read_again: false,
    },
    Run {
        name: "shuffled by hundreds, two aggregators, read again",
        batch: 100,
        senders: 2,
        order: Order::Shuffled,
        two_aggregators: true,
        read_again: true,
    },
];

/// An event and the place of its source in [`SOURCES`].
type Sent = (usize, Value);

/// The events of all senders: facts, each portion to be acknowledged before the next, and all other events.
struct Input {
    facts: Vec<Vec<Sent>>,
    events: Vec<Sent>,
}

fn fact(kind: &str, entity: &str, from_us: i64, body: &Value) -> Value {
    json!({
        "kind": "fact", "key": format!("{kind}/{entity}"), "sequence": 0, "source_epoch": 2, "event_time_us": from_us,
        "body": { "fact": kind, "entity": entity, "valid_from_us": from_us, "body": body },
    })
}

impl Input {
    fn make() -> Self {
        let demo = wb_testkit::demo_input(&root().join("tests/data"), 7).unwrap();
        let mut input = Self { facts: Vec::new(), events: Vec::new() };
        for part in demo.parts {
            let source = SOURCES.iter().position(|(id, _)| *id == part.source).unwrap();
            let every = EVERY.iter().find(|(name, _)| *name == part.name).map_or(1, |(_, every)| *every);
            let events = part.events.into_iter().step_by(every).map(|event| (source, event));
            if part.source == OPERATOR {
                input.facts.push(events.collect())
            } else {
                input.events.extend(events)
            }
        }
        // A machine goes to another customer and another site, and a contract is stated again with another price.
        let operator = SOURCES.iter().position(|(id, _)| *id == OPERATOR).unwrap();
        let (_, contract) =
            input.facts[0].iter().find(|(_, event)| event["body"]["entity"] == "hosting-acme").unwrap();
        let mut again = contract["body"]["body"].clone();
        again["components"][1]["unit_price"] = json!("0.0733");
        again["version"] = json!(2);
        let moved_us = FLEET_START_US + 3_000_000_001;
        let customer = json!({"machine_id": "tx1-m06", "customer_id": "acme", "contract_id": "hosting-acme"});
        let site = json!({"site_id": "no-1", "model": "Antminer S19 XP", "rated_power_mw": 3_010_000});
        let changes = [
            fact("assignment", "tx1-m06", moved_us, &customer),
            fact("machine", "tx1-m06", moved_us, &site),
            fact("contract", "hosting-acme", FLEET_START_US, &again),
        ];
        input.facts.push(changes.into_iter().map(|event| (operator, event)).collect());
        input
    }
}

/// Requests of one source each.
fn requests(events: Vec<Sent>, batch: usize) -> Vec<(usize, Vec<Value>)> {
    let mut open: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
    let mut full = Vec::new();
    for (source, event) in events {
        let request = open.entry(source).or_default();
        request.push(event);
        if request.len() == batch {
            full.push((source, std::mem::take(request)));
        }
    }
    full.extend(open.into_iter().filter(|(_, request)| !request.is_empty()));
    full
}

/// Sends events that must all be taken; gives how many.
fn send(place: &Place, sources: &[Source], events: Vec<Sent>, run: &Run) -> u64 {
    let requests = requests(events, run.batch);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut taken = 0;
        while let Some((source, events)) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            taken += events::send_good(place, &sources[*source].key, events);
        }
        taken
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..run.senders).map(|_| scope.spawn(work)).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).sum()
    })
}

/// All that counts, by table: committed rows without their place in the log.
fn day_tables(place: &Place) -> BTreeMap<String, String> {
    let ask = |table: &str, sql: &str| {
        let found = tables::ask(place, sql).unwrap_or_else(|error| panic!("{error}"));
        assert!(!found.is_empty() || table == "quarantine", "{table} is empty");
        (table.to_owned(), found)
    };
    let rows = ROWS.map(|table| {
        let first = if table == "shares" { "verdict != 'duplicate' AND " } else { "" };
        ask(
            table,
            &format!("SELECT * EXCEPT ({OF_THE_LOG}) FROM {table} WHERE {first}{COMMITTED} ORDER BY ALL"),
        )
    });
    let sums = SUMS.map(|(table, by, sums)| {
        let condition = format!("verdict != 'duplicate' AND {COMMITTED}");
        ask(table, &format!("SELECT {by}, {sums} FROM {table} WHERE {condition} GROUP BY {by} ORDER BY ALL"))
    });
    rows.into_iter().chain(sums).collect()
}

/// Bill digests by month and contract, and the invoices' ids.
struct Bills {
    digests: BTreeMap<(String, String), String>,
    ids: Vec<String>,
}

fn close(place: &Place) -> Bills {
    let mut bills = Bills { digests: BTreeMap::new(), ids: Vec::new() };
    for month in MONTHS {
        let closed = place.run("close", &["close", "--period", month, "--yes"], COUNT_LIMIT).success("close");
        for line in closed.stdout.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let ["issued", _, id, _, contract, "bill", bill, "evidence", _] = words[..] else {
                panic!("{line}")
            };
            bills.ids.push(id.to_owned());
            bills.digests.insert((month.to_owned(), contract.to_owned()), bill.to_owned());
        }
    }
    bills
}

/// A stack of its own, and the configuration with its sources.
fn start(place: &Place, name: &str, file: &str) -> Running {
    let mut up = place.start(name, &["--config", file, "up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    up
}

fn end(place: &Place, up: Running) {
    up.send(Signal::INT);
    up.end(END_LIMIT).success("weighbridge up, told to end");
    place.assert_nothing_runs(END_LIMIT);
}

/// Waits until everything sent is counted, and all that was sent before as repeats.
fn wait_until_counted(place: &Place, run: &str, sent: u64, repeats: u64) {
    until("everything is counted", COUNT_LIMIT, || match events::conserved(place) {
        counts if counts["events"] == sent => {
            assert_eq!(counts["duplicate"], repeats, "{run}: {counts:?}");
            Ok(())
        }
        counts => Err(format!("{counts:?} of {sent}")),
    });
}

/// What a run has sent and found.
struct Found {
    sent: u64,
    repeats: u64,
    tables: BTreeMap<String, String>,
    bills: Bills,
}

/// The log is read again from its beginning: checkpoints and proofs are caches, and both are deleted. Blocks that are
/// folded again must be what was committed, or their partition commits nothing more. Then everything is sent once
/// more. It is all counted, hence every partition has come to its end; and all of it as repeats, hence the fold has
/// its state again. Rows and digests are the same.
fn read_again(place: &Place, up: Running, file: &str, input: &Input, sources: &[Source], found: &Found) {
    end(place, up);
    std::fs::remove_dir_all(place.data_dir().join("proofs")).unwrap();
    let up = start(place, "again", file);
    let facts = input.facts.iter().flatten();
    let all: Vec<Sent> = facts.chain(&input.events).cloned().collect();
    let again = send(place, sources, all, &RUNS[0]);
    wait_until_counted(place, "read again", found.sent + again, found.repeats + again);
    assert_same_tables("read again", &day_tables(place), &found.tables);
    for id in &found.bills.ids {
        let shown = place.run("show", &["invoice", "show", id, "--recompute"], COUNT_LIMIT);
        let shown = shown.success("an invoice is computed again");
        assert!(shown.stderr.contains("both digests are the same"), "{}", shown.stderr);
    }
    end(place, up);
}

fn assert_same_tables(run: &str, found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>) {
    for (table, rows) in found {
        let other = &expected[table];
        assert!(rows == other, "{run}: {table} holds other rows\n{}", difference(rows, other));
    }
}

#[test]
fn the_same_events_give_the_same_rows_and_bills() {
    let mut random = Random::new("determinism");
    let input = Input::make();
    let drawn = Place::new();
    let sources: Vec<Source> = SOURCES.map(|(id, role)| Source::draw(&drawn, id, role)).into();
    let mut expected: Option<Found> = None;
    for run in &RUNS {
        let began = Instant::now();
        let place = Place::new();
        let file: PathBuf = events::configure(&place, &sources.iter().collect::<Vec<_>>());
        let file = file.to_str().unwrap();
        let up = start(&place, "up", file);
        let beside = run.two_aggregators.then(|| Place::beside(&place));
        let second = beside.as_ref().map(|beside| {
            let mut second = beside.start("second", &["serve", "aggregator"]);
            second.wait_for("ready", START_LIMIT);
            second
        });
        let found = send_and_close(&place, &sources, &input, run, &mut random);
        if let Some(first) = &expected {
            assert_same_tables(run.name, &found.tables, &first.tables);
            assert_eq!(found.bills.digests, first.bills.digests, "{}: bill digests", run.name);
        }
        if let Some(second) = second {
            second.send(Signal::TERM);
            second.end(END_LIMIT).success("the second aggregator, told to end");
        }
        if run.read_again {
            read_again(&place, up, file, &input, &sources, &found);
        } else {
            end(&place, up);
        }
        eprintln!("determinism: {}: {} events, {} s", run.name, found.sent, began.elapsed().as_secs());
        expected.get_or_insert(found);
    }
}

fn send_and_close(place: &Place, sources: &[Source], input: &Input, run: &Run, random: &mut Random) -> Found {
    let mut sent = 0;
    for facts in &input.facts {
        // Of two facts of one instant the later record holds, so their order matters.
        sent += send(place, sources, facts.clone(), &RUNS[0]);
    }
    let (events, late, repeats) = arrivals(input, run.order, random);
    sent += send(place, sources, events, run);
    sent += send(place, sources, late, run);
    wait_until_counted(place, run.name, sent, repeats);
    let (tables, bills) = (day_tables(place), close(place));
    let sites = "SELECT uniqExact(site_id) FROM energy_readings WHERE machine_id = 'tx1-m06'";
    assert_eq!(tables::count(place, sites), Ok(2), "{}: the machine that moved stood at two sites", run.name);
    assert_eq!(tables["quarantine"], "", "{}: nothing is refused after the door", run.name);
    assert_eq!(bills.digests.len(), 4, "{}: {:?}", run.name, bills.digests);
    Found { sent, repeats, tables, bills }
}

/// The events in an order, those that come late, and how many of both are repeats.
fn arrivals(input: &Input, order: Order, random: &mut Random) -> (Vec<Sent>, Vec<Sent>, u64) {
    let mut events = input.events.clone();
    if order == Order::AsSent {
        return (events, Vec::new(), 0);
    }
    let repeats: Vec<Sent> =
        input.events.iter().filter(|_| random.number(REPEATED_ONE_IN) == 0).cloned().collect();
    let repeated = u64::try_from(repeats.len()).unwrap();
    events.extend(repeats);
    if order == Order::Reversed {
        events.reverse();
    } else {
        for end in (1..events.len()).rev() {
            let other = random.number(u64::try_from(end + 1).unwrap());
            events.swap(end, usize::try_from(other).unwrap());
        }
    }
    let (late, events) = events.into_iter().partition(|_| random.number(LATE_ONE_IN) == 0);
    (events, late, repeated)
}

/// The first lines that only one of two tables has.
fn difference(found: &str, expected: &str) -> String {
    let only = |these: &str, those: &str| {
        let those: std::collections::BTreeSet<&str> = those.lines().collect();
        these.lines().filter(|line| !those.contains(line)).take(5).collect::<Vec<_>>().join("\n")
    };
    format!("only here:\n{}\nmissing:\n{}", only(found, expected), only(expected, found))
}
