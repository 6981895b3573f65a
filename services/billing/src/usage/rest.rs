//! Usage that no bill reads: what machines measured in times in which no component of a contract bills it.
//!
//! It is read for what a close tells, and is no evidence of a bill. Many contracts are read at once.

use std::collections::{BTreeMap, BTreeSet};

use wb_events::topics;
use wb_metering::billable::{allocations, hear, meters};
use wb_metering::corrections::Corrections;
use wb_metering::gpu::allocation::{Allocation, Share};
use wb_metering::report::machine::{Record, Rules};
use wb_metering::uptime::Windows;
use wb_units::{Interval, Micros};

use super::machines::{MACHINES_AT_ONCE, registers, stand};
use crate::error::BillerError;
use crate::ports::{CorrectionsRead, Holding, UsageStore};
use crate::reference::{Mapped, Reference};
use crate::unbilled::{Measured, Unbilled, counting_witnesses, unheard};

/// How many machines' work one query adds up.
const PARTIES_AT_ONCE: usize = 500;

/// What is to be read.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Why it is not billed.
    pub(crate) reason: String,
    /// The contract: the GPU time of its accounts is its own, whoever has the node. Empty for what no contract has.
    pub(crate) contract_id: String,
    /// The time that holds all others.
    pub(crate) within: Interval,
    /// The machines and their times.
    pub(crate) held: Vec<Holding>,
    pub(crate) work: bool,
    pub(crate) energy: bool,
    pub(crate) gpus: bool,
}

/// The times of machines, each with its place among what is asked.
type Wanted<'a> = BTreeMap<&'a str, Vec<(usize, Interval)>>;

/// Reads what is asked; gives the answer to each.
pub(crate) async fn rest<S: UsageStore>(
    store: &S,
    reference: &Reference,
    asks: &[Ask],
    cut: u64,
) -> Result<Vec<Vec<Unbilled>>, BillerError> {
    let mut answers = vec![Vec::new(); asks.len()];
    if asks.is_empty() {
        return Ok(answers);
    }
    let corrections = store.corrections(cut).await?;
    let heads = store.chain_heads(cut).await?;
    // Where no block of a topic is committed, nothing of it is read.
    let has = |topic: &str| heads.iter().any(|head| head.topic == topic);
    let mut reader = Rest { store, reference, asks, cut, found: Vec::new() };
    if has(topics::SHARES) {
        reader.work(&corrections).await?;
    }
    if has(topics::ENERGY) {
        reader.energy(&corrections.resolved).await?;
    }
    if has(topics::GPU) {
        reader.gpus().await?;
    }
    for (place, one) in reader.found {
        if let Some(answer) = answers.get_mut(place) {
            answer.push(one);
        }
    }
    Ok(answers)
}

struct Rest<'a, S> {
    store: &'a S,
    reference: &'a Reference,
    asks: &'a [Ask],
    cut: u64,
    found: Vec<(usize, Unbilled)>,
}

impl<'a, S: UsageStore> Rest<'a, S> {
    fn wanted(&self, is_asked: impl Fn(&Ask) -> bool) -> Wanted<'a> {
        let mut wanted = Wanted::new();
        for (place, ask) in self.asks.iter().enumerate().filter(|(_, ask)| is_asked(ask)) {
            for holding in &ask.held {
                wanted.entry(&holding.machine_id).or_default().push((place, holding.interval));
            }
        }
        wanted
    }

    fn reason(&self, place: usize) -> &'a str {
        self.asks.get(place).map_or("", |ask| ask.reason.as_str())
    }

    async fn work(&mut self, corrections: &CorrectionsRead) -> Result<(), BillerError> {
        let mut parties: BTreeMap<(usize, &str), Vec<Holding>> = BTreeMap::new();
        for (machine_id, times) in self.wanted(|ask| ask.work) {
            for (place, interval) in times {
                let holding = Holding { interval, machine_id: machine_id.to_owned() };
                parties.entry((place, machine_id)).or_default().push(holding);
            }
        }
        let parties: Vec<((usize, &str), Vec<Holding>)> = parties.into_iter().collect();
        for chunk in parties.chunks(PARTIES_AT_ONCE) {
            let held: Vec<Vec<Holding>> = chunk.iter().map(|(_, held)| held.clone()).collect();
            let works = self.store.work_of_each(&held, corrections, self.cut).await?.works;
            for (((place, machine_id), held), work) in chunk.iter().zip(works) {
                let mut chains: BTreeMap<String, u128> = BTreeMap::new();
                for group in work.groups {
                    let sum = chains.entry(group.chain).or_default();
                    *sum = sum.saturating_add(group.credited_q32);
                }
                let Some(interval) = hull(held.iter().map(|holding| holding.interval)) else { continue };
                for (chain, q32) in chains {
                    let of = (*machine_id, Measured::Work { chain });
                    self.found.push((*place, Unbilled::new(of, q32, interval, self.reason(*place))));
                }
            }
        }
        Ok(())
    }

    async fn energy(&mut self, corrections: &Corrections) -> Result<(), BillerError> {
        let mut wanted = self.wanted(|ask| ask.energy);
        let ids: Vec<String> = wanted.keys().map(|machine_id| (*machine_id).to_owned()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let with_readings = self.store.machines_with_readings(&ids, self.cut).await?;
        wanted.retain(|machine_id, _| with_readings.contains(*machine_id));
        let wanted: Vec<_> = wanted.into_iter().collect();
        let rules = Rules { order: counting_witnesses(), ..Rules::default() };
        for chunk in wanted.chunks(MACHINES_AT_ONCE) {
            let Some(window) = hull(chunk.iter().flat_map(|(_, times)| times).map(|(_, time)| *time)) else {
                continue;
            };
            let ids: Vec<String> = chunk.iter().map(|(machine_id, _)| (*machine_id).to_owned()).collect();
            let rows = self.store.readings(&ids, window, self.cut).await?;
            let mut registers = registers(rows, corrections);
            for (machine_id, times) in chunk {
                let Some(registers) = registers.remove(*machine_id) else { continue };
                let record = Record { machine_id: (*machine_id).to_owned(), registers, ..Record::default() };
                let meters = meters(&record, &Windows::default(), &rules, window);
                for (place, time) in times {
                    let heard = hear(&meters, &rules.order, *time);
                    for of in heard.meters.iter().filter(|of| of.energy_mwh > 0) {
                        let measured =
                            Measured::Energy { witness: of.witness, meter_id: of.meter_id.clone() };
                        let one =
                            Unbilled::new((machine_id, measured), of.energy_mwh, *time, self.reason(*place));
                        self.found.push((*place, one));
                    }
                    let twice = unheard(machine_id, (&meters, &rules.order), &heard, *time);
                    self.found.extend(twice.into_iter().map(|one| (*place, one)));
                }
            }
        }
        Ok(())
    }

    /// The nodes that each of what is asked may have GPU time on: those that are assigned, and those with allocations of
    /// accounts that are mapped to the contract.
    async fn nodes(&self) -> Result<BTreeMap<String, BTreeSet<usize>>, BillerError> {
        let mut nodes: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (place, ask) in self.asks.iter().enumerate().filter(|(_, ask)| ask.gpus) {
            for holding in &ask.held {
                nodes.entry(holding.machine_id.clone()).or_default().insert(place);
            }
            let accounts = self.reference.mapped_to(&ask.contract_id, ask.within);
            if !accounts.is_empty() {
                for node_id in self.store.nodes_of_accounts(&accounts, ask.within, self.cut).await? {
                    nodes.entry(node_id).or_default().insert(place);
                }
            }
        }
        let asked = self.asks.iter().filter(|ask| ask.gpus).map(|ask| ask.within);
        if let Some(window) = hull(asked).filter(|_| !nodes.is_empty()) {
            let with_allocations = self.store.nodes_with_allocations(window, self.cut).await?;
            nodes.retain(|node_id, _| with_allocations.contains(node_id));
        }
        Ok(nodes)
    }

    async fn gpus(&mut self) -> Result<(), BillerError> {
        let nodes: Vec<(String, BTreeSet<usize>)> = self.nodes().await?.into_iter().collect();
        for chunk in nodes.chunks(MACHINES_AT_ONCE) {
            let times = chunk.iter().flat_map(|(_, places)| places);
            let Some(window) = hull(times.filter_map(|place| self.asks.get(*place)).map(|ask| ask.within))
            else {
                continue;
            };
            let ids: Vec<String> = chunk.iter().map(|(node_id, _)| node_id.clone()).collect();
            let mut records: BTreeMap<String, Record> = BTreeMap::new();
            for found in self.store.allocations(&ids, window, self.cut).await? {
                let node_id = found.row.span.node_id.clone();
                records.entry(node_id).or_default().spans.push(found.row);
            }
            for (node_id, places) in chunk {
                let Some(mut record) = records.remove(node_id) else { continue };
                record.machine_id.clone_from(node_id);
                let facts = self.reference.facts.machine(node_id, window);
                record.stands = facts.map(|(interval, fact)| stand(interval, fact)).collect();
                let (accepted, refused) = allocations(&record, window);
                for (place, ask) in places.iter().filter_map(|place| Some((*place, self.asks.get(*place)?))) {
                    let own = |allocation: &Allocation| self.own(allocation, ask);
                    let accepted = accepted.iter().flat_map(own).map(|one| (one, ask.reason.as_str()));
                    let refused = refused.iter();
                    let refused =
                        refused.flat_map(|(one, why)| own(one).into_iter().map(|one| (one, why.as_str())));
                    for ((profile, reason), gpu_us) in gpu_time(accepted.chain(refused), ask.within) {
                        let of = (node_id.as_str(), Measured::GpuTime { profile });
                        self.found.push((place, Unbilled::new(of, gpu_us, ask.within, reason)));
                    }
                }
            }
        }
        Ok(())
    }

    /// The parts of an allocation that are the contract's, or nobody's where there is no contract.
    fn own(&self, allocation: &Allocation, ask: &Ask) -> Vec<Allocation> {
        let of_node = ask.held.iter().filter(|holding| holding.machine_id == allocation.node_id);
        let node_held = Interval::union(of_node.map(|holding| holding.interval).collect());
        let is_own =
            |mapped: &Mapped| !ask.contract_id.is_empty() && mapped.body.contract_id == ask.contract_id;
        let parts = self.reference.accounts.parts_of(allocation, &node_held, is_own);
        parts.into_iter().filter_map(|part| part.within(ask.within)).collect()
    }
}

/// GPU time of allocations in a time, by profile and reason.
fn gpu_time<'a>(
    allocations: impl Iterator<Item = (Allocation, &'a str)>,
    time: Interval,
) -> BTreeMap<(String, &'a str), u128> {
    let mut sums: BTreeMap<(String, &str), u128> = BTreeMap::new();
    for (allocation, reason) in allocations {
        let end_us = allocation.end_us.unwrap_or(Micros::MAX);
        let whole = Interval { start_us: allocation.start_us, end_us };
        let Some(part) = whole.intersect(&time) else { continue };
        let (profile, gpus) = match &allocation.share {
            Share::Whole { gpus } => (String::new(), *gpus),
            Share::Mig { profile, .. } => (format!("{}g.{}gb", profile.compute_slices, profile.memory_gb), 1),
            Share::Fraction { .. } => continue,
        };
        let sum = sums.entry((profile, reason)).or_default();
        let length_us = u128::from(part.end_us.abs_diff(part.start_us));
        *sum = sum.saturating_add(length_us.saturating_mul(u128::from(gpus)));
    }
    sums.retain(|_, gpu_us| *gpu_us > 0);
    sums
}

/// The shortest time that holds all of some times.
fn hull(times: impl Iterator<Item = Interval>) -> Option<Interval> {
    times.reduce(|left, right| Interval {
        start_us: left.start_us.min(right.start_us),
        end_us: left.end_us.max(right.end_us),
    })
}
