//! Which events are about an invoice.
//!
//! A block holds the events of many customers. A bundle goes to one of them, so it holds only what is about the
//! invoice: accepted shares of its machines; readings, samples and allocations of its machines; and the facts behind
//! ownership and prices.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use serde::{Deserialize, Serialize};
use wb_events::identity::{EventId, event_id};
use wb_events::wire::GpuSpan;
use wb_events::wire::resolution::Outcome;
use wb_events::{Body, Event, Fact, Share, u128_bytes};
use wb_proof::{Header, ShareContext, ShareId, Verdict};
use wb_units::time::interval_start;
use wb_units::{Interval, Micros};

/// A machine or node, and a time for which it was under the contract.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The machine.
    pub machine_id: String,
    /// The first instant.
    pub start_us: Micros,
    /// The first instant after it.
    pub end_us: Micros,
}

/// An account of a scheduler, and a time for which it was mapped to a contract.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedAccount {
    /// The account as allocations give it.
    pub account: String,
    /// The first instant.
    pub start_us: Micros,
    /// The first instant after it.
    pub end_us: Micros,
}

/// Which events a bundle may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The contract.
    pub contract_id: String,
    /// The machines under it in the period, sorted.
    pub machines: Vec<Held>,
    /// The accounts that were mapped to the contract, sorted: allocations of theirs are about the invoice on any node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<MappedAccount>,
    /// The contract's series of prices, sorted.
    pub series: Vec<String>,
    /// The sites where those machines stood, sorted.
    pub sites: Vec<String>,
    /// The ids of the bundle's events that corrections void, hex, sorted: they lie in the log and no longer count.
    /// The issuer states who voided them; the sums show that they are not billed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voided: Vec<String>,
}

/// An accepted share, as its stored bytes prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) id: ShareId,
    /// Its identity by source, epoch, key and sequence.
    pub(crate) counted_id: EventId,
    pub(crate) interval_start_us: Micros,
    pub(crate) chain: String,
    pub(crate) nbits: u32,
    pub(crate) subsidy_sat: u64,
    pub(crate) credited_q32: u128,
}

/// Accounts with the times for which they are mapped, in order.
type Mapped<'a> = BTreeMap<&'a str, Vec<Interval>>;

fn mapped(accounts: &[MappedAccount]) -> Mapped<'_> {
    let mut times: Mapped<'_> = BTreeMap::new();
    for mapped in accounts {
        let interval = Interval { start_us: mapped.start_us, end_us: mapped.end_us };
        times.entry(&mapped.account).or_default().push(interval);
    }
    times.into_iter().map(|(account, times)| (account, Interval::union(times))).collect()
}

fn time_of(span: &GpuSpan) -> Interval {
    Interval { start_us: span.start_us, end_us: span.end_us.unwrap_or(Micros::MAX) }
}

/// Accounts of other contracts: their allocations are on nodes of an invoice's contract, too, and no bundle of it may
/// hold them. A bundle does not name them.
pub(crate) struct Neighbours<'a>(Mapped<'a>);

impl<'a> Neighbours<'a> {
    pub(crate) fn new(accounts: &'a [MappedAccount]) -> Self {
        Self(mapped(accounts))
    }

    /// Whether stored bytes are a row of an allocation that is all a neighbour's.
    pub(crate) fn has(&self, stored: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let Ok(Event { body: Some(Body::GpuSpan(span)), .. }) = Event::decode(stored) else { return false };
        let time = time_of(&span);
        let times = self.0.get(span.account.as_str()).into_iter().flatten();
        times.into_iter().any(|mapped| mapped.start_us <= time.start_us && time.end_us <= mapped.end_us)
    }
}

/// [`Subject`] with indexes for many look-ups.
pub(crate) struct Scope<'a> {
    contract_id: &'a str,
    machines: BTreeMap<&'a str, Vec<Interval>>,
    accounts: Mapped<'a>,
    series: BTreeSet<&'a str>,
    sites: BTreeSet<&'a str>,
}

/// How an event relates to an invoice.
pub(crate) enum Relation {
    /// A share that counts for it.
    Work(Proven),
    /// Anything else that is about it.
    Own,
    /// A share of one of its machines that proves no work for it; the text says why.
    NoWork(String),
    /// Not about it.
    Foreign,
}

impl Relation {
    /// Whether a bundle of the invoice may hold the event.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Work(_) | Self::Own)
    }
}

impl Proven {
    /// The ids by which a correction may void it, as bundles write them: the proof's and the counted one.
    pub(crate) fn event_ids(&self) -> [String; 2] {
        let hex = |bytes: &[u8]| wb_proof::hex::encode(bytes);
        [hex(self.id.as_bytes()), hex(&self.counted_id)]
    }

    /// Whether one of these ids voids it.
    pub(crate) fn is_voided(&self, voided: &[String]) -> bool {
        !voided.is_empty() && self.event_ids().iter().any(|id| voided.binary_search(id).is_ok())
    }
}

impl<'a> Scope<'a> {
    pub(crate) fn new(subject: &'a Subject) -> Self {
        let mut machines: BTreeMap<&str, Vec<Interval>> = BTreeMap::new();
        for held in &subject.machines {
            let interval = Interval { start_us: held.start_us, end_us: held.end_us };
            machines.entry(&held.machine_id).or_default().push(interval);
        }
        Self {
            contract_id: &subject.contract_id,
            machines,
            accounts: mapped(&subject.accounts),
            series: subject.series.iter().map(String::as_str).collect(),
            sites: subject.sites.iter().map(String::as_str).collect(),
        }
    }

    /// How stored bytes relate to the invoice.
    pub(crate) fn relation(&self, stored: &[u8]) -> Relation {
        let Ok(event) = Event::decode(stored) else { return Relation::Foreign };
        match &event.body {
            Some(Body::Share(share)) => self.share(&event, share),
            Some(Body::MinerSample(sample)) => self.machine(&sample.machine_id),
            Some(Body::EnergyReading(reading)) => self.machine(&reading.machine_id),
            Some(Body::GpuSpan(span)) => self.span(span),
            Some(Body::Fact(fact)) if self.is_about(fact) => Relation::Own,
            _ => Relation::Foreign,
        }
    }

    fn machine(&self, machine_id: &str) -> Relation {
        if self.machines.contains_key(machine_id) { Relation::Own } else { Relation::Foreign }
    }

    fn span(&self, span: &GpuSpan) -> Relation {
        let mut mapped = self.accounts.get(span.account.as_str()).into_iter().flatten();
        if mapped.any(|mapped| mapped.intersect(&time_of(span)).is_some()) {
            return Relation::Own;
        }
        self.machine(&span.node_id)
    }

    fn share(&self, event: &Event, share: &Share) -> Relation {
        let Some(resolution) = &share.resolution else { return Relation::Foreign };
        let Some(held) = self.machines.get(resolution.machine_id.as_str()) else { return Relation::Foreign };
        let interval_start_us = interval_start(event.event_time_us);
        if !held.iter().any(|held| held.contains(interval_start_us)) {
            return Relation::Foreign;
        }
        if !matches!(resolution.outcome(), Outcome::Rebuilt | Outcome::Replayed) {
            return Relation::NoWork("no header could be bound to a job".to_owned());
        }
        let Ok(header) = Header::from_slice(&share.header) else {
            return Relation::NoWork(format!("its header has {} bytes instead of 80", share.header.len()));
        };
        let Some(assigned_q32) = u128_bytes::decode(&resolution.assigned_q32) else {
            return Relation::NoWork("it has no assigned difficulty of 16 bytes".to_owned());
        };
        let context = ShareContext {
            assigned_q32,
            network_nbits: resolution.network_nbits,
            job_ntime: resolution.job_ntime,
            event_time_s: event.event_time_us.div_euclid(1_000_000),
            stale: resolution.stale,
        };
        // The header is hashed here; a hash in the event is ignored.
        let judgement = wb_proof::judge(&header, &context);
        match judgement.verdict {
            Verdict::Accepted => Relation::Work(Proven {
                id: judgement.share_id,
                counted_id: event_id(event),
                interval_start_us,
                chain: resolution.chain.clone(),
                nbits: resolution.network_nbits,
                subsidy_sat: resolution.subsidy_sat,
                credited_q32: assigned_q32,
            }),
            refused => Relation::NoWork(match refused.reason() {
                Some(reason) => format!(
                    "its 80 bytes hash to {}, which is refused: {reason}",
                    wb_proof::display_hash(&judgement.hash)
                ),
                None => refused.as_str().to_owned(),
            }),
        }
    }

    /// Whether a bill of the contract may rest on a fact, and no other contract's alone.
    fn is_about(&self, fact: &Fact) -> bool {
        let body: serde_json::Value = serde_json::from_str(&fact.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(serde_json::Value::as_str);
        let of_contract = text("contract_id").map(|contract_id| contract_id == self.contract_id);
        let at_site = text("site_id").is_some_and(|site_id| self.sites.contains(site_id));
        let of_machine = text("machine_id").map(|machine_id| self.machines.contains_key(machine_id));
        match fact.kind.as_str() {
            "contract" => fact.entity == self.contract_id,
            "assignment" | "account" | "count" | "prepaid_grant" | "deposit_held" => {
                of_contract == Some(true)
            }
            "machine" => self.machines.contains_key(fact.entity.as_str()),
            "price" => text("series").is_some_and(|series| self.series.contains(series)),
            "curtailment" | "maintenance" | "data_policy" => at_site && of_machine.unwrap_or(true),
            "outage" => of_machine == Some(true),
            "meter" => at_site,
            "pool_payout" | "pool_earning" => of_contract.unwrap_or(at_site),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(body: Body) -> Vec<u8> {
        Event { body: Some(body), ..Event::default() }.encode_to_vec()
    }

    fn span(node_id: &str, account: &str, start_us: i64, end_us: Option<i64>) -> Vec<u8> {
        let (node_id, account) = (node_id.to_owned(), account.to_owned());
        stored(Body::GpuSpan(GpuSpan { node_id, account, start_us, end_us, ..GpuSpan::default() }))
    }

    fn mapped(account: &str, start_us: i64, end_us: i64) -> MappedAccount {
        MappedAccount { account: account.to_owned(), start_us, end_us }
    }

    #[test]
    fn an_allocation_is_about_the_contract_of_its_account_and_no_neighbours() {
        let subject = Subject {
            contract_id: "c".to_owned(),
            machines: vec![Held { machine_id: "own".to_owned(), start_us: 0, end_us: 100 }],
            accounts: vec![mapped("a", 10, 20)],
            ..Subject::default()
        };
        let scope = Scope::new(&subject);
        let others = [mapped("b", 0, 50), mapped("b", 50, i64::MAX)];
        let neighbours = Neighbours::new(&others);
        for (node, account, start_us, end_us, is_own) in [
            ("own", "a", 0, Some(30), true),
            ("pool", "a", 0, Some(30), true),
            ("pool", "a", 20, Some(30), false),
            ("pool", "x", 0, Some(30), false),
            ("own", "x", 0, Some(30), true),
            ("own", "b", 0, Some(60), false),
            ("own", "b", 0, None, false),
            // A part of it lies before the neighbour's time.
            ("own", "b", -1, Some(60), true),
        ] {
            let bytes = span(node, account, start_us, end_us);
            let found = scope.relation(&bytes).is_own() && !neighbours.has(&bytes);
            assert_eq!(found, is_own, "{node} {account} {start_us}");
        }
        let fact = |kind: &str, entity: &str, body: &str| {
            let (kind, entity, body) = (kind.to_owned(), entity.to_owned(), body.to_owned());
            stored(Body::Fact(Fact { kind, entity, body, ..Fact::default() }))
        };
        let own = fact("account", "a", r#"{"contract_id":"c","customer_id":"k"}"#);
        let other = fact("account", "b", r#"{"contract_id":"d","customer_id":"l"}"#);
        assert!(scope.relation(&own).is_own() && !scope.relation(&other).is_own());
    }
}
