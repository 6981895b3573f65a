//! The events of each source: new ones, repeats, conflicts, and wrong clocks.

use std::collections::VecDeque;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use wb_testkit::Random;
use wb_testkit::{STREAM_ASSIGNED_Q32, StreamShare};

use super::Told;
use crate::oracle::{Identity, Table};

/// 2026-10-01T00:00:00Z, when the stream's facts begin to hold.
const START_US: i64 = 1_790_812_800_000_000;
/// 2106-01-01T00:00:00Z.
const YEAR_2106_US: i64 = 4_291_747_200_000_000;
/// Shares are spread over so long after the job's time.
const SHARES_SPREAD_US: i64 = 6_000_000_000;
/// Events of one key and epoch: fewer than the sequences that are remembered, so that a repeat is one whenever it comes.
const EPOCH_EVENTS: u64 = 500;
/// Events that are kept to be sent again.
const KEPT: usize = 4_000;
/// Machines, meters and nodes.
const MACHINES: u32 = 12;
const METERS: u64 = 6;
const NODES: u64 = 3;

/// The expected answer to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Taken,
    /// It is refused with this code.
    Refused(&'static str),
}

/// Events of one request.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Who sends it.
    pub source: &'static str,
    pub events: Vec<Value>,
    /// What each must be answered.
    pub wanted: Vec<Wanted>,
}

/// Makes the batches of one source.
pub struct Generator {
    source: &'static str,
    random: Random,
    shares: VecDeque<StreamShare>,
    all_shares: i64,
    answers: Value,
    next: u64,
    kept: Vec<Value>,
}

/// The identity by an event's fields.
fn identity(source: &str, event: &Value) -> Identity {
    Identity {
        source: source.to_owned(),
        key: event["key"].as_str().unwrap_or_default().to_owned(),
        epoch: event["source_epoch"].as_u64().unwrap_or(0),
        sequence: event["sequence"].as_u64().unwrap_or(0),
    }
}

fn fact(kind: &str, entity: &str, body: &Value) -> Value {
    json!({
        "kind": "fact", "key": format!("{kind}/{entity}"), "sequence": 0, "source_epoch": 7,
        "event_time_us": START_US,
        "body": { "fact": kind, "entity": entity, "valid_from_us": START_US, "body": body },
    })
}

fn expect_fact(told: &Told, event: &Value) {
    let body = &event["body"];
    let content = format!(
        "{} {}",
        body["fact"].as_str().unwrap_or_default(),
        body["entity"].as_str().unwrap_or_default()
    );
    told.truth().expect(Table::Facts, identity("operator", event), content);
}

/// A generator a source, and the facts that must be known first.
///
/// # Errors
/// Where the shares cannot be mined or the recorded answers not be read.
pub(super) fn all(seed: u64, shares: usize, told: &Told) -> Result<(Vec<Generator>, Vec<Batch>)> {
    let stream = wb_testkit::share_stream(seed, MACHINES, shares)?;
    let nodes = (0..NODES).map(|node| {
        let body = json!({"site_id": "bench-1", "model": "H100 node", "rated_power_mw": 10_200_000});
        fact("machine", &format!("node-{node}"), &body)
    });
    let first: Vec<Value> = stream.facts.iter().cloned().chain(nodes).collect();
    let mut facts = Vec::new();
    for events in [first, stream.sessions_and_jobs.clone()] {
        events.iter().for_each(|event| expect_fact(told, event));
        let wanted = vec![Wanted::Taken; events.len()];
        facts.push(Batch { source: "operator", events, wanted });
    }
    let path = crate::site::root().join("tests/data/miner-answers/bitaxe-gamma.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let answers: Value = serde_json::from_str(&text)?;
    let all_shares = i64::try_from(stream.shares.len().max(1))?;
    let generators = crate::site::SOURCES.map(|(source, _)| Generator {
        source,
        random: Random::of(seed, source),
        shares: if source == "pool" { stream.shares.clone().into() } else { VecDeque::new() },
        all_shares,
        answers: answers.clone(),
        next: 0,
        kept: Vec::new(),
    });
    Ok((Vec::from(generators), facts))
}

impl Generator {
    /// The source of its events.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// The next batch, in any order; its new events are reported to the oracle.
    pub fn next(&mut self, told: &Told) -> Batch {
        let most = if self.source == "pool" { 40 } else { 8 };
        let mut events: Vec<(Value, Wanted)> = Vec::new();
        for _ in 0..self.random.between(1, most) {
            if let Some(event) = self.event(told) {
                events.push((event, Wanted::Taken));
            }
        }
        // Repeats, some of them several times, of anything sent since the round began: late ones too.
        if self.random.percent(35) {
            for _ in 0..self.random.between(1, 10) {
                if let Some(event) = self.random.pick(&self.kept).cloned() {
                    for _ in 0..self.random.between(1, 3) {
                        events.push((event.clone(), Wanted::Taken));
                    }
                }
            }
        }
        if self.random.percent(10) {
            events.extend(self.wrong_clocks());
        }
        if self.source == "meters" && self.random.percent(10) {
            events.extend(self.conflict(told).map(|event| (event, Wanted::Taken)));
        }
        self.random.shuffle(&mut events);
        let (events, wanted) = events.into_iter().unzip();
        Batch { source: self.source, events, wanted }
    }

    /// Keeps acknowledged events, to send them again.
    pub fn delivered(&mut self, batch: Batch) {
        let taken = batch.events.into_iter().zip(batch.wanted);
        let taken = taken.filter(|(_, wanted)| *wanted == Wanted::Taken);
        for (event, _) in taken {
            if self.kept.len() < KEPT {
                self.kept.push(event);
            } else {
                let at = self.random.index(KEPT);
                self.kept[at] = event;
            }
        }
    }

    /// Key, epoch and sequence of the next event of some keys in turn.
    fn number(&mut self, keys: u64) -> (u64, u64, u64) {
        let (key, count) = (self.next % keys, self.next / keys);
        self.next += 1;
        (key, 1 + count / EPOCH_EVENTS, count % EPOCH_EVENTS)
    }

    fn event(&mut self, told: &Told) -> Option<Value> {
        match self.source {
            "pool" => self.share(told),
            "meters" => Some(self.reading(told)),
            "agent" => Some(self.sample(told)),
            "scheduler" => Some(self.span(told)),
            _ => Some(self.fact(told)),
        }
    }

    fn share(&mut self, told: &Told) -> Option<Value> {
        if self.random.percent(4) {
            return Some(self.share_without_a_job(told));
        }
        let mut share = self.shares.pop_front()?;
        let sent = self.all_shares - i64::try_from(self.shares.len()).unwrap_or(0);
        share.event_time_us = START_US + SHARES_SPREAD_US / self.all_shares * sent;
        let event = share.to_json();
        let machine = share.session_id.split('/').next().unwrap_or_default().to_owned();
        let identity = identity(self.source, &event);
        told.truth().expect_share(identity, &machine, share.event_time_us, STREAM_ASSIGNED_Q32);
        Some(event)
    }

    fn share_without_a_job(&mut self, told: &Told) -> Value {
        let (_, epoch, sequence) = self.number(1);
        let event = json!({
            "kind": "share", "key": "refused", "sequence": sequence, "source_epoch": epoch,
            "event_time_us": START_US,
            "body": {
                "session_id": "bench-m0001/s1", "job_id": "none", "extranonce2": "00000000",
                "ntime": format!("{:08x}", START_US / 1_000_000), "nonce": format!("{sequence:08x}"),
            },
        });
        told.truth().expect(Table::Refused, identity(self.source, &event), "unknown_job".to_owned());
        event
    }

    fn reading(&mut self, told: &Told) -> Value {
        let (meter, epoch, sequence) = self.number(METERS);
        let register_wh = 1_000 * (epoch * EPOCH_EVENTS + sequence);
        let at = i64::try_from((epoch * EPOCH_EVENTS + sequence) % 1_000).unwrap_or(0);
        let event = json!({
            "kind": "energy_reading", "key": format!("meter-{meter}"), "sequence": sequence,
            "source_epoch": epoch, "event_time_us": START_US + at * 300_000_000,
            "body": {
                "machine_id": format!("bench-m{:04}", meter + 1), "meter_id": format!("meter-{meter}"),
                "register_wh": register_wh, "witness": "meter",
            },
        });
        told.truth().expect(Table::Energy, identity(self.source, &event), register_wh.to_string());
        event
    }

    fn sample(&mut self, told: &Told) -> Value {
        let (machine, epoch, sequence) = self.number(u64::from(MACHINES));
        let machine = format!("bench-m{:04}", machine + 1);
        let event = json!({
            "kind": "miner_sample", "key": machine, "sequence": sequence, "source_epoch": epoch,
            "event_time_us": START_US + i64::try_from(sequence).unwrap_or(0) * 1_000_000,
            "body": { "machine_id": machine, "answers": self.answers },
        });
        told.truth().expect(Table::Samples, identity(self.source, &event), machine);
        event
    }

    fn span(&mut self, told: &Told) -> Value {
        let (node, epoch, sequence) = self.number(NODES);
        let allocation = format!("job-{node}-{epoch}-{sequence}");
        let start_us = START_US + i64::try_from(sequence).unwrap_or(0) * 1_000_000;
        let event = json!({
            "kind": "gpu_span", "key": format!("node-{node}"), "sequence": sequence, "source_epoch": epoch,
            "event_time_us": start_us,
            "body": {
                "node_id": format!("node-{node}"), "allocation_id": allocation, "account": "lab",
                "state": "COMPLETED", "gpus": 1 + sequence % 8, "start_us": start_us,
                "end_us": start_us + 777_777,
            },
        });
        let content = format!("{allocation} {} {start_us}", 1 + sequence % 8);
        told.truth().expect(Table::Spans, identity(self.source, &event), content);
        event
    }

    fn fact(&mut self, told: &Told) -> Value {
        let number = self.next;
        self.next += 1;
        let event =
            fact("customer", &format!("customer-{number}"), &json!({"name": format!("No. {number}")}));
        expect_fact(told, &event);
        event
    }

    /// Clocks at 1970 and 2106: ingest refuses them, whatever they send.
    fn wrong_clocks(&mut self) -> Vec<(Value, Wanted)> {
        let Some(event) = self.random.pick(&self.kept).cloned() else { return Vec::new() };
        let clocks = [(0, "WB-2003"), (YEAR_2106_US, "WB-2004")];
        let wrong = clocks.into_iter().map(|(event_time_us, code)| {
            let mut event = event.clone();
            event["event_time_us"] = event_time_us.into();
            // An identity of its own, which no row may have.
            event["source_epoch"] = 99_999.into();
            (event, Wanted::Refused(code))
        });
        wrong.collect()
    }

    /// An acknowledged reading with another register under the same identity: the first counts.
    fn conflict(&mut self, told: &Told) -> Option<Value> {
        let mut event = self.random.pick(&self.kept).cloned()?;
        event["body"]["register_wh"] = 7_777_777_777_u64.into();
        told.truth().expect_conflict(identity(self.source, &event));
        Some(event)
    }
}
