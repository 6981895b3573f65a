//! Machines' own answers, polled, become samples.
//!
//! Every address of a list or range is asked by the interfaces that firmware has, at most so many at once. What a machine
//! says decides what it is, and is sent as it was said. A machine that is known and does not answer is reported as
//! unreachable, unless nobody answers: then it is the collector that is cut off, and nothing is known of them.
//!
//! A sample's identity is the collector's start, the machine and the number of the round: sending it again cannot change
//! it, and a sample that was dropped leaves a gap in the sequence.

mod backlog;
pub mod check;
mod json;
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

/// Addresses that are asked at once, at most.
pub const CONCURRENCY_MAX: usize = 4_096;

/// Whom to poll, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The addresses.
    pub targets: Vec<Target>,
    /// Machines by address.
    pub machines: Machines,
    /// For web interfaces that want one.
    pub login: Option<Login>,
    /// From one round to the next.
    pub poll: Duration,
    /// For the answer to one command.
    pub within: Duration,
    /// Addresses that are asked at once.
    pub concurrency: usize,
    /// One round, then end.
    pub once: bool,
}

/// What was done, in all rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub rounds: u64,
    /// Machines that answered.
    pub answered: u64,
    /// Machines that should have and did not.
    pub unreachable: u64,
    /// Addresses where something answers that cannot be read.
    pub unread: u64,
    /// Machines that nobody has named.
    pub unnamed: u64,
    /// Samples that ingest took.
    pub taken: u64,
    /// Samples that ingest refused.
    pub refused: u64,
    /// Samples for which there was no room.
    pub dropped: u64,
}

/// Polls until it is told to stop, or once.
///
/// # Errors
/// [`ConnectError`] where ingest refuses this collector.
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

/// What a round has found so far.
#[derive(Default)]
struct Round {
    /// Whether anybody answered.
    any: bool,
    /// Machines that answered, or at whose address somebody did who cannot be read.
    heard: BTreeSet<String>,
    /// Addresses where nobody answered: why, and when.
    silent: BTreeMap<usize, (String, i64)>,
}

struct Collector<'a> {
    options: &'a Options,
    epoch: i64,
    /// By index of the target: how it answered the last time.
    ways: HashMap<usize, Way>,
    /// Machines that must answer: named by list or address, or seen before.
    known: BTreeMap<String, usize>,
    /// What was last said of an address, so that it is said once.
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
            // Each answer goes on its way as it comes: a round is not held in memory.
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
                    self.tell(index, format!("machine {machine_id} answers at another address too"));
                }
            }
            Found::Unread(why) => {
                round.any = true;
                self.summary.unread += 1;
                round.heard.extend(expected);
                self.tell(index, format!("something answers that cannot be read: {why}"));
            }
            Found::Silent(why) => {
                if let Some(machine_id) = expected {
                    self.known.entry(machine_id).or_insert(index);
                }
                round.silent.insert(index, (why, at_us));
            }
        }
    }

    /// Reports the machines that should have answered and did not.
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
            // Where it was is somebody else now, or somebody who is not understood: it may be either.
            let Some((why, at_us)) = round.silent.get(&index) else { continue };
            self.summary.unreachable += 1;
            self.tell(index, format!("machine {machine_id} is unreachable: {why}"));
            let why = cut(why, UNREACHABLE_BYTES_MAX);
            let sequence = self.summary.rounds;
            backlog.push(&unreachable(&machine_id, self.epoch, sequence, *at_us, why).to_string());
        }
        let never = self.options.machines.by_interface().filter(|id| !self.known.contains_key(*id)).count();
        if never > 0 {
            tracing::warn!(machines = never, "machines named by MAC address were not found at any address");
        }
    }

    fn named(&mut self, index: usize, machine: &Answered) -> Option<String> {
        let target = &self.options.targets[index];
        if let Some(machine_id) = self.options.machines.of(target, &machine.macs) {
            return Some(machine_id.to_owned());
        }
        let macs: Vec<String> = machine.macs.iter().map(shown).collect();
        let text = format!(
            "a {} answers that no machine is named for (MAC {}): name it by either address",
            machine.reading.family.as_str(),
            if macs.is_empty() { "not said".to_owned() } else { macs.join(", ") }
        );
        self.summary.unnamed += 1;
        self.tell(index, text);
        None
    }

    /// Says something of an address, unless it was the last thing said of it.
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

/// A sample, with the answers as they came: as a value they would lose digits.
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
