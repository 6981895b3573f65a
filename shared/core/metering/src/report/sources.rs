//! What was expected of each source of a site and what came: received, late, estimated, left out; and up to where
//! events of the site have come.
//!
//! A source is a sampled machine, or a meter that is read. Dated policies of the meter, its machine or its site state
//! what is expected of it; without one, the default holds. They are applied here, when figures are made; what is
//! counted never depends on them.

use std::collections::BTreeMap;

use wb_units::{Interval, Micros};

use super::machine::{Record, Register, Rules};
use crate::completeness::{
    Arrival, Completeness, Promise, SlotState, TimePolicy, Timing, Watermark, timing, watermark,
};
use crate::energy::RegisterReading;
use crate::energy::sources::of_register;

/// How long a source may be without events before the site's watermark leaves it out: a day.
pub const IDLE_US: i64 = 86_400_000_000;

/// The most sources that a report lists, the least complete first.
pub const SOURCES_MAX: usize = 1_000;

/// The most stretches without data that a report lists of a source; the others are counted.
pub const MISSING_MAX: usize = 50;

/// What a policy is for; the narrowest one holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyOf {
    /// All sources of the site.
    Site,
    /// A machine and its meters.
    Machine(String),
    /// A meter.
    Meter(String),
}

impl PolicyOf {
    /// The narrowest that a fact gives.
    #[must_use]
    pub fn narrowest(machine_id: Option<String>, meter_id: Option<String>) -> Self {
        match (meter_id, machine_id) {
            (Some(meter_id), _) => Self::Meter(meter_id),
            (None, Some(machine_id)) => Self::Machine(machine_id),
            (None, None) => Self::Site,
        }
    }
}

/// A dated policy. For a field that it leaves out, a wider one holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFact {
    /// What it is for.
    pub of: PolicyOf,
    /// When it holds.
    pub interval: Interval,
    /// How often the source must send, in microseconds.
    pub every_us: Option<i64>,
    /// How long after its time an event is late, in microseconds.
    pub late_after_us: Option<i64>,
    /// How long after its time an event is taken at all.
    pub late_max_us: Option<i64>,
    /// How far ahead of the log an event's time may lie.
    pub future_max_us: Option<i64>,
}

/// What holds for a source at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How often it must send, in microseconds.
    pub every_us: i64,
    /// How long after its slot an event is late.
    pub late_after_us: i64,
    /// Which events are taken at all.
    pub taken: TimePolicy,
}

/// The policies of a site, in any order; of one source and instant at most one of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    /// The facts.
    pub facts: Vec<PolicyFact>,
}

impl Policies {
    /// The policies for a source, the narrowest first.
    fn of<'a>(&'a self, machine_id: &'a str, meter_id: Option<&'a str>) -> Vec<&'a PolicyFact> {
        let rank = |fact: &PolicyFact| match &fact.of {
            PolicyOf::Meter(id) if Some(id.as_str()) == meter_id => Some(0),
            PolicyOf::Machine(id) if id == machine_id => Some(1),
            PolicyOf::Site => Some(2),
            PolicyOf::Meter(_) | PolicyOf::Machine(_) => None,
        };
        let mut mine: Vec<(u8, &PolicyFact)> =
            self.facts.iter().filter_map(|fact| Some((rank(fact)?, fact))).collect();
        mine.sort_by_key(|(rank, fact)| (*rank, fact.interval));
        mine.into_iter().map(|(_, fact)| fact).collect()
    }

    /// What holds for a source at an instant.
    #[must_use]
    pub fn at(&self, machine_id: &str, meter_id: Option<&str>, at_us: Micros, rules: &Rules) -> Policy {
        resolve(&self.of(machine_id, meter_id), at_us, rules)
    }

    /// Whether any policy depends on when events came.
    #[must_use]
    pub fn judge_arrival(&self) -> bool {
        let judges = |fact: &PolicyFact| {
            [fact.late_after_us, fact.late_max_us, fact.future_max_us].iter().any(Option::is_some)
        };
        self.facts.iter().any(judges)
    }
}

fn resolve(narrowest_first: &[&PolicyFact], at_us: Micros, rules: &Rules) -> Policy {
    let said = |of: fn(&PolicyFact) -> Option<i64>| {
        narrowest_first.iter().filter(|fact| fact.interval.contains(at_us)).find_map(|fact| of(fact))
    };
    Policy {
        every_us: said(|fact| fact.every_us).unwrap_or(rules.every_us),
        late_after_us: said(|fact| fact.late_after_us).unwrap_or(rules.every_us),
        taken: TimePolicy {
            late_max_us: said(|fact| fact.late_max_us).unwrap_or(i64::MAX),
            future_max_us: said(|fact| fact.future_max_us).unwrap_or(i64::MAX),
        },
    }
}

/// One source of a site in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The machine.
    pub machine_id: String,
    /// The meter; `None` for the machine's own samples.
    pub meter_id: Option<String>,
    /// The witness of its readings; `samples` for samples.
    pub kind: &'static str,
    /// Its slots: expected, received, late, estimated.
    pub slots: Completeness,
    /// Events that its policy left out.
    pub left_out: u64,
    /// The time of its last event within the period.
    pub last_us: Option<Micros>,
    /// Stretches without data, in order of time: at most [`MISSING_MAX`].
    pub missing: Vec<Interval>,
}

impl Source {
    /// Its name: the meter's, or the machine's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.meter_id.as_deref().unwrap_or(&self.machine_id)
    }
}

/// All sources of a site, and of several sites together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// All slots.
    pub slots: Completeness,
    /// All events that were left out.
    pub left_out: u64,
    /// The sources, the least complete first: at most [`SOURCES_MAX`].
    pub each: Vec<Source>,
    /// How many sources are not listed.
    pub more: u64,
    last_us: BTreeMap<String, Micros>,
}

impl Sources {
    /// Adds sources.
    pub fn add(&mut self, sources: Vec<Source>) {
        for source in sources {
            self.slots.add(&source.slots);
            self.left_out = self.left_out.saturating_add(source.left_out);
            // A source without any event is left out of the watermark.
            let last_us = self.last_us.entry(source.name().to_owned()).or_insert(Micros::MIN);
            *last_us = (*last_us).max(source.last_us.unwrap_or(Micros::MIN));
            self.each.push(source);
        }
        self.cut();
    }

    /// Adds another site's.
    pub fn merge(&mut self, other: Self) {
        self.slots.add(&other.slots);
        self.left_out = self.left_out.saturating_add(other.left_out);
        self.more = self.more.saturating_add(other.more);
        for (name, last_us) in other.last_us {
            let known = self.last_us.entry(name).or_insert(Micros::MIN);
            *known = (*known).max(last_us);
        }
        self.each.extend(other.each);
        self.cut();
    }

    fn cut(&mut self) {
        let gone = |source: &Source| source.slots.received_ppm().unwrap_or(crate::ratio::ONE_PPM);
        self.each.sort_by(|left, right| {
            (gone(left), left.name(), left.kind).cmp(&(gone(right), right.name(), right.kind))
        });
        let over = self.each.len().saturating_sub(SOURCES_MAX);
        self.more = self.more.saturating_add(u64::try_from(over).unwrap_or(u64::MAX));
        self.each.truncate(SOURCES_MAX);
    }

    /// The instant up to which events of all sources that are not idle have come.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        let mut found = watermark(&self.last_us, IDLE_US);
        found.at_us = found.at_us.filter(|at_us| *at_us != Micros::MIN);
        found
    }
}

/// How far around a time readings are read, step by step, while policies leave out the nearest ones outside of it: a
/// register went on, whatever came too late.
pub const REACH_US: [i64; 5] = [0, HOUR_US, 24 * HOUR_US, 7 * 24 * HOUR_US, LONGEST_US];

const HOUR_US: i64 = 3_600_000_000;

/// How far a register's gap is closed: 92 days.
const LONGEST_US: i64 = 92 * 24 * HOUR_US;

/// Whether readings that are taken stand at both ends of a time, or none can: `loaded` are all readings of a register in
/// a window around it, and the nearest ones outside of that.
#[must_use]
pub fn is_bounded(
    loaded: &[RegisterReading],
    taken: &[RegisterReading],
    time: Interval,
    window: Interval,
) -> bool {
    let has_first = taken.iter().any(|reading| reading.at_us <= time.start_us)
        || loaded.iter().all(|reading| reading.at_us >= window.start_us);
    let has_last = taken.iter().any(|reading| reading.at_us >= time.end_us)
        || loaded.iter().all(|reading| reading.at_us < window.end_us);
    has_first && has_last
}

/// The time from the first of a machine's readings through the last one.
#[must_use]
pub fn times_read<'a>(registers: impl IntoIterator<Item = &'a Register>) -> Option<Interval> {
    let times = registers.into_iter().flat_map(|register| &register.readings).map(|reading| reading.at_us);
    let (first, last) =
        times.fold((Micros::MAX, Micros::MIN), |(first, last), at_us| (first.min(at_us), last.max(at_us)));
    (first <= last).then(|| Interval { start_us: first, end_us: last.saturating_add(1) })
}

/// Takes out the events that the policies leave out, and counts those within a time by source: samples first, then the
/// registers in order.
pub fn leave_out(record: &mut Record, rules: &Rules, counted: Interval) -> Vec<u64> {
    let machine_id = record.machine_id.clone();
    let policies = &rules.policies;
    let mut left_out = vec![0_u64; record.registers.len() + 1];
    if policies.facts.is_empty() {
        return left_out;
    }
    let is_taken = |meter_id: Option<&str>, arrival: Arrival| {
        let policy = policies.at(&machine_id, meter_id, arrival.event_time_us, rules);
        matches!(timing(arrival, &policy.taken, None), Timing::Own | Timing::Adjustment)
    };
    let mut counts = left_out.iter_mut();
    let keep = |count: Option<&mut u64>, is_taken: bool, at_us: Micros| {
        if let Some(count) = count.filter(|_| !is_taken && counted.contains(at_us)) {
            *count = count.saturating_add(1);
        }
        is_taken
    };
    let mut of_samples = counts.next();
    record.samples.retain(|sample| {
        let arrival = Arrival { event_time_us: sample.at_us, appended_at_us: sample.appended_at_us };
        keep(of_samples.as_deref_mut(), is_taken(None, arrival), sample.at_us)
    });
    for register in &mut record.registers {
        let mut of_register = counts.next();
        let appended = std::mem::take(&mut register.appended);
        register.readings.retain(|reading| {
            let appended_at_us = appended.get(&reading.id).copied().unwrap_or(reading.at_us);
            let arrival = Arrival { event_time_us: reading.at_us, appended_at_us };
            let is_taken = is_taken(Some(&register.meter_id), arrival);
            keep(of_register.as_deref_mut(), is_taken, reading.at_us)
        });
        register.appended = appended;
    }
    left_out
}

/// The sources of a machine in a period. `left_out` is what [`leave_out`] returned.
#[must_use]
pub fn sources(
    record: &Record,
    left_out: &[u64],
    is_gpu_node: bool,
    rules: &Rules,
    period: Interval,
) -> Vec<Source> {
    let active: Vec<Interval> = record.stands.iter().map(|stand| stand.interval).collect();
    let left_out = |place: usize| left_out.get(place).copied().unwrap_or(0);
    let mut found = Vec::new();
    if !is_gpu_node {
        let arrivals: Vec<Arrival> = record
            .samples
            .iter()
            .map(|sample| Arrival { event_time_us: sample.at_us, appended_at_us: sample.appended_at_us })
            .collect();
        found.push(source(record, None, "samples", (&arrivals, &[]), left_out(0), &active, rules, period));
    }
    for (place, register) in record.registers.iter().enumerate() {
        let arrivals = arrivals_of(register);
        // A register that went on through a gap gives the exact amount; only its timing is estimated.
        let estimated: Vec<Interval> = of_register(&register.readings, &register.facts(rules))
            .into_iter()
            .filter(|piece| piece.is_timing_estimated)
            .map(|piece| piece.interval)
            .collect();
        let meter = Some(register.meter_id.as_str());
        let kind = register.witness.as_str();
        let heard = (arrivals.as_slice(), estimated.as_slice());
        found.push(source(record, meter, kind, heard, left_out(place + 1), &active, rules, period));
    }
    found
}

fn arrivals_of(register: &Register) -> Vec<Arrival> {
    let of = |reading: &RegisterReading| Arrival {
        event_time_us: reading.at_us,
        appended_at_us: register.appended.get(&reading.id).copied().unwrap_or(reading.at_us),
    };
    register.readings.iter().map(of).collect()
}

#[allow(clippy::too_many_arguments, reason = "all of it is what one source is judged by")]
fn source(
    record: &Record,
    meter_id: Option<&str>,
    kind: &'static str,
    (arrivals, estimated): (&[Arrival], &[Interval]),
    left_out: u64,
    active: &[Interval],
    rules: &Rules,
    period: Interval,
) -> Source {
    let mine = rules.policies.of(&record.machine_id, meter_id);
    let mut edges = vec![period.start_us, period.end_us];
    for fact in &mine {
        edges.extend(
            [fact.interval.start_us, fact.interval.end_us].into_iter().filter(|at| period.contains(*at)),
        );
    }
    edges.sort_unstable();
    edges.dedup();
    let mut slots = Completeness::default();
    let mut missing: Vec<Interval> = Vec::new();
    for pair in edges.windows(2) {
        let [start_us, end_us] = *pair else { continue };
        let policy = resolve(&mine, start_us, rules);
        let promise =
            Promise { every_us: policy.every_us, active: active.to_vec(), on_time_us: policy.late_after_us };
        let part = Interval { start_us, end_us };
        slots.add(&Completeness::of_slots(&promise, arrivals, estimated, part, |slot, state| {
            if matches!(state, SlotState::Missing | SlotState::Estimated) {
                match missing.last_mut() {
                    Some(last) if last.end_us == slot.start_us => last.end_us = slot.end_us,
                    _ => missing.push(slot),
                }
            }
        }));
    }
    missing.truncate(MISSING_MAX);
    let last_us =
        arrivals.iter().map(|arrival| arrival.event_time_us).filter(|at_us| period.contains(*at_us)).max();
    Source {
        machine_id: record.machine_id.clone(),
        meter_id: meter_id.map(str::to_owned),
        kind,
        slots,
        left_out,
        last_us,
        missing,
    }
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
