//! Polls machines and sends their answers as samples.
//!
//! Every address of a list or range is polled over the interfaces that firmware offers, in parallel up to a limit.
//! The answers show what the machine is, and are sent unchanged. A known machine that does not answer is reported as
//! unreachable, unless no machine answers: then the connector is cut off, and nothing is known.
//!
//! A sample's identity is the connector's start, the machine and the number of the round. Sending it again has no
//! effect, and a dropped sample leaves a gap in the sequence.

mod backlog;
pub mod check;
mod ending;
mod poll;
mod rpc;
mod targets;
mod web;

pub use targets::{Machines, TARGETS_MAX, Target, read_list, read_range, together};
pub use web::Login;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use wb_events::input::UNREACHABLE_BYTES_MAX;

use crate::{ConnectError, Ingest, Stop, now_us};
use backlog::Backlog;
use poll::{Answered, Found, Poller, Way};

/// The most addresses that are polled at once.
pub const CONCURRENCY_MAX: usize = 4_096;

/// What to poll, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The addresses.
    pub targets: Vec<Target>,
    /// Machines by address.
    pub machines: Machines,
    /// The login for web interfaces.
    pub login: Option<Login>,
    /// The time between the starts of two rounds.
    pub poll: Duration,
    /// The timeout of a command.
    pub within: Duration,
    /// How many addresses are polled at once.
    pub concurrency: usize,
    /// Run one round, then end.
    pub once: bool,
}

/// The result of all rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub rounds: u64,
    /// Answers of machines.
    pub answered: u64,
    /// Known machines that did not answer.
    pub unreachable: u64,
    /// Addresses whose answers cannot be parsed.
    pub unread: u64,
    /// Answers of machines without an id.
    pub unnamed: u64,
    /// Accepted samples.
    pub taken: u64,
    /// Refused samples.
    pub refused: u64,
    /// Samples that were dropped because the backlog was full.
    pub dropped: u64,
}

/// Polls until it is stopped, or once.
///
/// # Errors
/// [`ConnectError`] if ingest refuses this connector.
pub async fn run(options: &Options, ingest: &Ingest, stop: &Stop) -> Result<Summary, ConnectError> {
    let poller =
        Poller { web: web::Web::new(options.login.clone(), options.within)?, within: options.within };
    let mut collector = Collector {
        options,
        epoch: now_us(),
        ways: HashMap::new(),
        known: BTreeMap::new(),
        told: BTreeMap::new(),
        summary: Summary::default(),
    };
    let mut backlog = Backlog::start(ingest, stop);
    while !stop.is_told() && !backlog.has_ended() {
        let started = tokio::time::Instant::now();
        collector.round(&poller, &mut backlog, stop).await;
        backlog.flush();
        if options.once {
            break;
        }
        stop.sleep(options.poll.saturating_sub(started.elapsed())).await;
    }
    let mut summary = collector.summary;
    summary.dropped = backlog.dropped();
    let sent = backlog.end().await?;
    (summary.taken, summary.refused) = (sent.taken, sent.refused);
    Ok(summary)
}

/// The state of a round.
#[derive(Default)]
struct Round {
    /// Whether any machine answered.
    any: bool,
    /// Machines that answered, or whose address gave an answer that cannot be parsed.
    heard: BTreeSet<String>,
    /// Addresses without an answer: why, and when.
    silent: BTreeMap<usize, (String, i64)>,
}

struct Collector<'a> {
    options: &'a Options,
    epoch: i64,
    /// By index of the target, the interface that answered last.
    ways: HashMap<usize, Way>,
    /// Machines that must answer, because a list or address states them or they answered before.
    known: BTreeMap<String, usize>,
    /// The last message about each address, so that it is logged once.
    told: BTreeMap<usize, String>,
    summary: Summary,
}

impl Collector<'_> {
    async fn round(&mut self, poller: &Poller, backlog: &mut Backlog, stop: &Stop) {
        let (targets, ways) = (&self.options.targets, std::mem::take(&mut self.ways));
        let polls = (0..targets.len()).map(|index| {
            let (target, known) = (&targets[index], ways.get(&index).copied());
            async move { (index, poller.poll(target, known).await, now_us()) }
        });
        let at_once = self.options.concurrency.clamp(1, CONCURRENCY_MAX);
        let mut found = futures_util::stream::iter(polls).buffer_unordered(at_once);
        let mut round = Round::default();
        loop {
            // Each answer is sent on as it arrives, so that a round is not held in memory.
            tokio::select! {
                () = stop.told() => return,
                next = found.next() => match next {
                    Some((index, found, at_us)) => self.take(index, found, at_us, &mut round, backlog),
                    None => break,
                },
            }
        }
        self.report_missing(&round, backlog);
        self.summary.rounds += 1;
    }

    fn take(&mut self, index: usize, found: Found, at_us: i64, round: &mut Round, backlog: &mut Backlog) {
        let target = &self.options.targets[index];
        let expected = self.options.machines.expected_at(target).map(str::to_owned);
        match found {
            Found::Answered(machine) => {
                round.any = true;
                self.ways.insert(index, machine.way);
                let Some(machine_id) = self.named(index, &machine) else { return };
                if round.heard.insert(machine_id.clone()) {
                    self.told.remove(&index);
                    self.summary.answered += 1;
                    self.known.insert(machine_id.clone(), index);
                    let sequence = self.summary.rounds;
                    backlog.push(&sample(&machine_id, self.epoch, sequence, at_us, &machine.answers));
                } else {
                    self.tell(index, format!("machine {machine_id} also answers at another address"));
                }
            }
            Found::Unread(why) => {
                round.any = true;
                self.summary.unread += 1;
                round.heard.extend(expected);
                self.tell(index, format!("the answer cannot be parsed: {why}"));
            }
            Found::Silent(why) => {
                if let Some(machine_id) = expected {
                    self.known.entry(machine_id).or_insert(index);
                }
                round.silent.insert(index, (why, at_us));
            }
        }
    }

    /// Reports the known machines that did not answer.
    fn report_missing(&mut self, round: &Round, backlog: &mut Backlog) {
        if !round.any && !self.known.is_empty() {
            tracing::warn!(
                machines = self.known.len(),
                "no machine answers at all: is this network cut off?"
            );
            return;
        }
        let missing: Vec<(String, usize)> = self
            .known
            .iter()
            .filter(|(machine_id, _)| !round.heard.contains(*machine_id))
            .map(|(machine_id, index)| (machine_id.clone(), *index))
            .collect();
        for (machine_id, index) in missing {
            // Another machine, or one that cannot be parsed, answers at the last address, so the state is unknown.
            let Some((why, at_us)) = round.silent.get(&index) else { continue };
            self.summary.unreachable += 1;
            self.tell(index, format!("machine {machine_id} is unreachable: {why}"));
            let why = cut(why, UNREACHABLE_BYTES_MAX);
            let sequence = self.summary.rounds;
            backlog.push(&unreachable(&machine_id, self.epoch, sequence, *at_us, why).to_string());
        }
        let never = self.options.machines.by_interface().filter(|id| !self.known.contains_key(*id)).count();
        if never > 0 {
            tracing::warn!(machines = never, "machines listed by MAC address were not found at any address");
        }
    }

    fn named(&mut self, index: usize, machine: &Answered) -> Option<String> {
        let target = &self.options.targets[index];
        if let Some(machine_id) = self.options.machines.of(target, &machine.macs) {
            return Some(machine_id.to_owned());
        }
        let macs: Vec<String> = machine.macs.iter().map(shown).collect();
        let text = format!(
            "an unknown {} answers (MAC {}): list its machine by IP or MAC address",
            machine.reading.family.as_str(),
            if macs.is_empty() { "unknown".to_owned() } else { macs.join(", ") }
        );
        self.summary.unnamed += 1;
        self.tell(index, text);
        None
    }

    /// Logs a message about an address, unless it was the last one.
    fn tell(&mut self, index: usize, text: String) {
        if self.told.get(&index) != Some(&text) {
            tracing::warn!(address = %self.options.targets[index].ip, "{text}");
            self.told.insert(index, text);
        }
    }
}

fn shown(mac: &[u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).filter(|text| !text.is_empty()).unwrap_or("no answer")
}

/// A sample with the answers unchanged, because a parsed value would lose digits.
fn sample(machine_id: &str, epoch: i64, sequence: u64, at_us: i64, answers: &str) -> String {
    let id = Value::from(machine_id);
    format!(
        "{{\"kind\":\"miner_sample\",\"key\":{id},\"source_epoch\":{epoch},\"sequence\":{sequence},\
         \"event_time_us\":{at_us},\"body\":{{\"machine_id\":{id},\"answers\":{answers}}}}}"
    )
}

fn unreachable(machine_id: &str, epoch: i64, sequence: u64, at_us: i64, why: &str) -> Value {
    json!({
        "kind": "miner_sample", "key": machine_id, "source_epoch": epoch, "sequence": sequence,
        "event_time_us": at_us, "body": {"machine_id": machine_id, "unreachable": why},
    })
}
