//! Where each accepted quantity of a month is: billed, covered, excluded with the reason, or in suspense.

use std::collections::{BTreeMap, BTreeSet};

use wb_metering::energy::witness::Witness;
use wb_rating::{Contract, EARNING_CHAIN, Period};
use wb_units::Interval;

use super::unread::{asks_of, without};
use super::{Biller, Drawn};
use crate::bill::Bill;
use crate::error::BillerError;
use crate::journal::Journal;
use crate::ports::{Clock, CutSource, Holding, LedgerLog, UsageStore};
use crate::reference::Reference;
use crate::unbilled::{Measured, Unbilled};
use crate::usage::rest::{Ask, rest};

/// Where a quantity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A component of its contract bills it.
    Billed,
    /// A reservation pays for it.
    Covered,
    /// Its contract does not bill it.
    Excluded,
    /// It waits for an assignment, or for a contract.
    Suspense,
}

impl Place {
    /// Its stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Billed => "billed",
            Self::Covered => "covered",
            Self::Excluded => "excluded",
            Self::Suspense => "suspense",
        }
    }
}

/// Accepted usage in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where it is.
    pub place: Place,
    /// The contract; empty where there is none.
    pub contract_id: String,
    /// The machine; empty where the machines of a contract are added up.
    pub machine_id: String,
    /// What was measured. Energy that is billed stands with its meter.
    pub measured: Measured,
    /// How much, in the unit of what was measured.
    pub quantity: u128,
    /// Why it is there; empty for what is billed or covered.
    pub reason: String,
}

/// The accepted usage of a month, each quantity in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedUsage {
    /// The cut it was read at.
    pub cut: u64,
    /// The quantities.
    pub placed: Vec<Placed>,
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Where everything is that was accepted of a month, at the newest cut. A contract's month is that of its time
    /// zone; what no contract holds is looked for in the month of UTC.
    ///
    /// # Errors
    /// An error of reading usage, facts or the ledger. A contract that cannot be billed is no error: its usage is
    /// excluded, and the reason says so.
    pub async fn placed_usage(&self, period: &str) -> Result<PlacedUsage, BillerError> {
        let cut = self.store.settled(self.cuts.settled_cut().await?).await?;
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let reference = Reference::load(&self.store, cut).await?;
        let contract_ids: Vec<String> = reference.contract_ids().cloned().collect();
        let mut at_cuts = BTreeMap::from([(cut, reference)]);
        let mut placed = Vec::new();
        let mut asks: Vec<(Place, String, Ask)> = Vec::new();
        for contract_id in &contract_ids {
            let of = (contract_id.as_str(), period);
            let found = self.placed_of(&journal, &mut at_cuts, of, cut).await;
            let Some(reference) = at_cuts.get(&cut) else { continue };
            match found {
                Ok((rows, own)) => {
                    placed.extend(rows);
                    asks.extend(own.into_iter().map(|ask| (Place::Excluded, contract_id.clone(), ask)));
                }
                Err(error) if error.stops_everything() => return Err(error),
                Err(error) => {
                    let reason = format!("the contract cannot be billed: {}: {error}", error.code());
                    let month = Period::month(period, "UTC")?;
                    let month = reference.month_of(contract_id, period)?.unwrap_or(month);
                    let held = reference.assigned(contract_id, month.interval);
                    let ask = everything((contract_id, month.interval), reason, held);
                    asks.push((Place::Excluded, contract_id.clone(), ask));
                }
            }
        }
        if let Some(reference) = at_cuts.get(&cut) {
            let month = Period::month(period, "UTC")?.interval;
            asks.extend(self.unheld(reference, month, cut).await?);
            let read: Vec<Ask> = asks.iter().map(|(_, _, ask)| ask.clone()).collect();
            let answers = rest(&self.store, reference, &read, cut).await?;
            for ((place, contract_id, _), answer) in asks.iter().zip(answers) {
                placed.extend(answer.into_iter().map(|one| of_unbilled(*place, contract_id, one)));
            }
        }
        self.store.forget();
        Ok(PlacedUsage { cut, placed })
    }

    /// What a contract's bill says of a month, and what it did not read.
    async fn placed_of(
        &self,
        journal: &Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        (contract_id, period): (&str, &str),
        cut: u64,
    ) -> Result<(Vec<Placed>, Vec<Ask>), BillerError> {
        let bill = self.bill(journal, at_cuts, (contract_id, period), cut, Drawn::ByOthers).await?;
        let asks = match at_cuts.get(&cut) {
            Some(reference) => asks_of(reference, contract_id, period)?,
            None => Vec::new(),
        };
        let placed = bill.map(|bill| of_bill(contract_id, bill)).unwrap_or_default();
        Ok((placed, asks))
    }

    /// What no recorded contract holds: machines without an assignment, or assigned to a contract that nothing is
    /// recorded of, and the meters of sites.
    async fn unheld(
        &self,
        reference: &Reference,
        month: Interval,
        cut: u64,
    ) -> Result<Vec<(Place, String, Ask)>, BillerError> {
        let known: BTreeSet<&String> = reference.contract_ids().collect();
        let mut held: BTreeMap<&str, Vec<Interval>> = BTreeMap::new();
        let mut unknown: BTreeMap<&str, Vec<Holding>> = BTreeMap::new();
        for (contract_id, machine_id, interval) in reference.all_holdings(month) {
            held.entry(machine_id).or_default().push(interval);
            if !known.contains(&contract_id.to_owned()) {
                let holding = Holding { interval, machine_id: machine_id.to_owned() };
                unknown.entry(contract_id).or_default().push(holding);
            }
        }
        for contract_id in reference.mapped_contracts(month) {
            if !known.contains(&contract_id.to_owned()) {
                unknown.entry(contract_id).or_default();
            }
        }
        let mut asks = Vec::new();
        for (contract_id, held) in unknown {
            let reason = "the machine is assigned, or the account is mapped, to a contract that nothing is recorded of";
            let ask = everything((contract_id, month), reason.to_owned(), held);
            asks.push((Place::Suspense, contract_id.to_owned(), ask));
        }
        let of_sites: BTreeSet<&str> =
            reference.facts.meters.iter().map(|meter| meter.body.machine_id.as_str()).collect();
        let (mut free, mut sites) = (Vec::new(), Vec::new());
        let touched = self.store.touched(0, cut).await?;
        for machine_id in touched.map(|touched| touched.machine_ids).unwrap_or_default() {
            let times = held.remove(machine_id.as_str()).unwrap_or_default();
            for interval in without(month, times) {
                let of = if of_sites.contains(machine_id.as_str()) { &mut sites } else { &mut free };
                of.push(Holding { interval, machine_id: machine_id.clone() });
            }
        }
        let reason = "the machine is not assigned to a contract".to_owned();
        asks.push((Place::Suspense, String::new(), everything(("", month), reason, free)));
        let reason = "a site's meter: its machines are billed, not the site".to_owned();
        asks.push((Place::Excluded, String::new(), everything(("", month), reason, sites)));
        Ok(asks)
    }
}

fn everything((contract_id, within): (&str, Interval), reason: String, held: Vec<Holding>) -> Ask {
    Ask { reason, contract_id: contract_id.to_owned(), within, held, work: true, energy: true, gpus: true }
}

fn of_unbilled(place: Place, contract_id: &str, one: Unbilled) -> Placed {
    Placed {
        place,
        contract_id: contract_id.to_owned(),
        machine_id: one.machine_id,
        measured: one.measured,
        quantity: one.quantity,
        reason: one.reason,
    }
}

/// What a bill read, each quantity in its place.
fn of_bill(contract_id: &str, bill: Bill) -> Vec<Placed> {
    let row = |place, machine_id: &str, measured, quantity, reason: &str| Placed {
        place,
        contract_id: contract_id.to_owned(),
        machine_id: machine_id.to_owned(),
        measured,
        quantity,
        reason: reason.to_owned(),
    };
    let mut placed = Vec::new();
    let (mut work_q32, mut gpu_us) = (0_u128, BTreeMap::<String, u128>::new());
    let mut covered_us = 0_u128;
    for stretch in &bill.stretches {
        // What cannot be read or contradicts itself was not rated either.
        let covered = Contract::parse(&stretch.contract).map(|contract| stretch.covered_gpu_us(&contract));
        covered_us = covered_us.saturating_add(covered.ok().and_then(Result::ok).unwrap_or(0));
        for group in stretch.usage.work.iter().filter(|group| group.chain == EARNING_CHAIN) {
            work_q32 = work_q32.saturating_add(group.credited_q32);
        }
        for group in &stretch.usage.energy {
            let Some(witness) = Witness::of_name(&group.witness) else { continue };
            let measured = Measured::Energy { witness, meter_id: group.meter_id.clone() };
            placed.push(row(Place::Billed, &group.machine_id, measured, group.energy_mwh, ""));
        }
        let within = Interval { start_us: stretch.start_us, end_us: stretch.end_us };
        for span in &stretch.usage.gpu_spans {
            let whole = Interval { start_us: span.start_us, end_us: span.end_us.unwrap_or(i64::MAX) };
            let Some(part) = whole.intersect(&within) else { continue };
            let length_us = u128::from(part.end_us.abs_diff(part.start_us));
            let sum = gpu_us.entry(span.profile.clone()).or_default();
            *sum = sum.saturating_add(length_us.saturating_mul(u128::from(span.gpus)));
        }
    }
    for ((node_id, profile, reason, is_read), quantity) in bill.exclusions.gpu_us {
        if is_read && let Some(sum) = gpu_us.get_mut(&profile) {
            *sum = sum.saturating_sub(quantity);
        }
        placed.push(row(Place::Excluded, &node_id, Measured::GpuTime { profile }, quantity, &reason));
    }
    if let Some(sum) = gpu_us.get_mut("") {
        *sum = sum.saturating_sub(covered_us);
    }
    placed.push(row(Place::Covered, "", Measured::GpuTime { profile: String::new() }, covered_us, ""));
    for (profile, gpu_us) in gpu_us {
        placed.push(row(Place::Billed, "", Measured::GpuTime { profile }, gpu_us, ""));
    }
    let work = Measured::Work { chain: EARNING_CHAIN.to_owned() };
    placed.push(row(Place::Billed, "", work, work_q32, ""));
    placed.extend(bill.unbilled.into_iter().map(|one| of_unbilled(Place::Excluded, contract_id, one)));
    placed.retain(|one| one.quantity > 0);
    placed
}
