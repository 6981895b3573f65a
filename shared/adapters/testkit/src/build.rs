//! Builds events in ingest's JSON form, numbered per source and key.

use std::collections::HashMap;
use std::mem;

use serde_json::{Value, json};
use wb_units::Micros;
use wb_units::time::EARLIEST_EVENT_US;

use crate::{Expect, OPERATOR, Part};

/// Collects facts and numbers events.
#[derive(Default)]
pub(crate) struct Builder {
    next: HashMap<(&'static str, String), u64>,
    facts: Vec<PendingFact>,
}

/// A fact without a sequence number.
struct PendingFact {
    rank: usize,
    entity: String,
    event_time_us: Micros,
    body: Value,
}

/// A machine's rated values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rated {
    pub(crate) power_w: u64,
    pub(crate) hashrate_hs: Option<u128>,
    pub(crate) gpus: Option<u32>,
}

/// Kinds of facts in the order of sending: a fact comes after those that it refers to.
const ORDER: [&str; 15] = [
    "site",
    "customer",
    "legal_entity",
    "contract",
    "machine",
    "assignment",
    "network_difficulty",
    "tip",
    "price",
    "energy_mix",
    "meter",
    "curtailment",
    "pool_earning",
    "session",
    "job",
];

/// The first kind in [`ORDER`] that is sent only after all kinds before it are recorded.
const SESSION_RANK: usize = 13;

impl Builder {
    /// An event of a source, with the next sequence number of its key.
    pub(crate) fn event(
        &mut self,
        source: &'static str,
        kind: &str,
        key: &str,
        event_time_us: Micros,
        body: Value,
    ) -> Value {
        let next = self.next.entry((source, key.to_owned())).or_insert(0);
        let sequence = *next;
        *next += 1;
        json!({
            "kind": kind,
            "key": key,
            "sequence": sequence,
            "source_epoch": 1,
            "event_time_us": event_time_us,
            "body": body,
        })
    }

    /// Records a fact that holds from an instant on.
    pub(crate) fn fact(&mut self, fact: &str, entity: &str, valid_from_us: Micros, body: Value) {
        self.fact_until(fact, entity, valid_from_us, None, body);
    }

    /// Records a fact that holds from an instant until another.
    pub(crate) fn fact_until(
        &mut self,
        fact: &str,
        entity: &str,
        valid_from_us: Micros,
        valid_to_us: Option<Micros>,
        body: Value,
    ) {
        // Kinds that are not in the order are sent last.
        let rank = ORDER.iter().position(|kind| *kind == fact).unwrap_or(ORDER.len());
        let mut body = json!({
            "fact": fact,
            "entity": entity,
            "valid_from_us": valid_from_us,
            "body": body,
        });
        if let Some(valid_to_us) = valid_to_us {
            body["valid_to_us"] = valid_to_us.into();
        }
        // An event must not precede the chain, but a fact may hold from an earlier round time.
        let event_time_us = valid_from_us.max(EARLIEST_EVENT_US);
        self.facts.push(PendingFact { rank, entity: entity.to_owned(), event_time_us, body });
    }

    /// A site without prices.
    pub(crate) fn site(&mut self, site_id: &str, name: &str, time_zone: &str, from_us: Micros) {
        self.fact("site", site_id, from_us, json!({"name": name, "time_zone": time_zone}));
    }

    /// A machine at a site.
    pub(crate) fn machine(
        &mut self,
        machine_id: &str,
        site_id: &str,
        model: &str,
        rated: Rated,
        from_us: Micros,
    ) {
        let mut body = json!({"site_id": site_id, "model": model, "rated_power_mw": rated.power_w * 1000});
        if let Some(hashrate_hs) = rated.hashrate_hs {
            body["rated_hashrate_hs"] = hashrate_hs.to_string().into();
        }
        if let Some(gpus) = rated.gpus {
            body["gpus"] = gpus.into();
        }
        self.fact("machine", machine_id, from_us, body);
    }

    /// A customer with one contract, for its machines' earnings and energy.
    pub(crate) fn customer(&mut self, customer: &Customer<'_>, from_us: Micros) {
        self.fact("customer", customer.id, from_us, json!({"name": customer.name}));
        self.legal_entity(customer.legal_entity, from_us);
        let contract_id = contract_of(customer.id);
        let body = json!({
            "contract_id": contract_id,
            "customer_id": customer.id,
            "legal_entity": customer.legal_entity,
            "time_zone": customer.time_zone,
            "components": [
                {
                    "id": "earnings",
                    "kind": "pool_earnings",
                    "chain": "main",
                    "currency": "BTC",
                    "mean_fees_sat": customer.mean_fees_sat,
                },
                {
                    "id": "power",
                    "kind": "metered_energy",
                    "currency": "USD",
                    "unit": "USD/kWh",
                    "unit_price": customer.price_usd_per_kwh,
                },
            ],
        });
        self.fact("contract", &contract_id, from_us, body);
    }

    /// An issuer of invoices, once.
    fn legal_entity(&mut self, id: &str, from_us: Micros) {
        let is_own = |fact: &PendingFact| fact.entity == id && fact.body["fact"] == "legal_entity";
        if !self.facts.iter().any(is_own) {
            self.fact("legal_entity", id, from_us, json!({"name": id}));
        }
    }

    /// Assigns a machine to a customer under its contract.
    pub(crate) fn assignment(&mut self, machine_id: &str, customer_id: &str, from_us: Micros) {
        let body = json!({
            "machine_id": machine_id,
            "customer_id": customer_id,
            "contract_id": contract_of(customer_id),
        });
        self.fact("assignment", machine_id, from_us, body);
    }

    /// All facts: first those that refer to no session, then sessions and jobs.
    pub(crate) fn into_fact_parts(mut self) -> [Part; 2] {
        let mut facts = mem::take(&mut self.facts);
        facts.sort_by_key(|fact| fact.rank);
        let mut parts = ["facts", "sessions and jobs"].map(|name| Part {
            name,
            source: OPERATOR,
            events: Vec::new(),
            expect: Expect::default(),
        });
        for fact in facts {
            let event = self.event(OPERATOR, "fact", &fact.entity, fact.event_time_us, fact.body);
            let part = &mut parts[usize::from(fact.rank >= SESSION_RANK)];
            part.events.push(event);
            part.expect.accepted += 1;
        }
        parts
    }
}

/// A customer and the terms of its contract.
pub(crate) struct Customer<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) legal_entity: &'a str,
    pub(crate) time_zone: &'a str,
    pub(crate) mean_fees_sat: &'a str,
    pub(crate) price_usd_per_kwh: &'a str,
}

fn contract_of(customer_id: &str) -> String {
    format!("hosting-{customer_id}")
}
