//! A small fixture with one invoice: forty real proofs of work of January 2009, meters, prices and two versions of a
//! contract, in blocks that also hold another customer's events; and the same with sealed days.

mod days;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use serde_json::{Value, json};
use wb_events::commits::{CHAIN_START, COMMITS_VERSION, commit_hash, encode_commit};
use wb_events::identity::event_id;
use wb_events::wire::resolution::Outcome;
use wb_events::wire::{Commit, EnergyReading, Resolution, Seal};
use wb_events::{Body, Event, Fact, Share, u128_bytes};
use wb_evidence::{Builder, Bundle, CommittedBlock, Held, Material, Sampling, Subject};
use wb_fold::merkle;
use wb_ledger::{
    Billed, BillingTerms, ChainHead, Command, ContractVersion, Draft, Event as LedgerEvent, EvidenceBlock,
    Hash, LedgerRecord, PeriodClosed, PeriodDocument, State, canonical, decide, evolve,
};
use wb_rating::{
    EnergyGroup, EnergySlice, Period, PriceFact, RatedStretch, Usage, WorkGroup, rate_stretches,
};
use wb_units::time::interval_start;

const SHARES: usize = 40;
const SUBSIDY_SAT: u64 = 5_000_000_000;
const NBITS: u32 = 0x1d00_ffff;
const ONE_Q32: u128 = 1 << 32;
/// 2009-01-21, when the second version takes effect.
pub(crate) const SECOND_US: i64 = 1_232_496_000_000_000;
/// Energy of the catalogue's base case: 2,410,387.200 kWh.
const ENERGY_MWH: u128 = 2_410_387_200_000;
/// What is drawn in [`drawn`].
pub(crate) const DRAWS: u32 = 24;
/// What is drawn in [`drawn_of_days`].
pub(crate) const DRAWS_OF_DAYS: u32 = 60;

/// A block under construction.
struct Block {
    topic: &'static str,
    block: u64,
    stored: Vec<Vec<u8>>,
}

/// Everything that a bundle is made of.
pub(crate) struct World {
    pub(crate) material: Material,
    pub(crate) blocks: Vec<CommittedBlock>,
}

fn event(source: &str, key: &str, sequence: u64, event_time_us: i64, body: Body) -> Vec<u8> {
    Event {
        source: source.into(),
        source_epoch: 1,
        key: key.into(),
        sequence,
        event_time_us,
        body: Some(body),
    }
    .encode_to_vec()
}

fn contract(version: u64, price: &str) -> String {
    let document = json!({
        "contract_id": "lab-1", "customer_id": "satoshi-lab", "legal_entity": "weighbridge-hosting", "time_zone": "UTC",
        "version": version, "payment_terms_days": 14 + version,
        "components": [
            {"id": "earnings", "kind": "pool_earnings", "chain": "main", "currency": "BTC", "mean_fees_sat": "0"},
            {"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": price},
            {"id": "spot", "kind": "indexed_energy", "currency": "USD", "unit": "USD/MWh", "series": "north-spot", "adder": "1.5"},
        ],
    });
    canonical::write(&document).unwrap()
}

/// Headers of real blocks, in order of height, from 1 on.
fn headers() -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/data/bitcoin/first_blocks_2009.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().skip(2).take(SHARES);
    rows.map(|row| wb_proof::hex::decode_vec("header", row.split(',').nth(2).unwrap(), 80).unwrap()).collect()
}

fn share(machine_id: &str, header: Vec<u8>, sequence: u64) -> (i64, Vec<u8>) {
    let ntime = u32::from_le_bytes(header[68..72].try_into().unwrap());
    let event_time_us = i64::from(ntime) * 1_000_000;
    let resolution = Resolution {
        outcome: Outcome::Replayed.into(),
        site_id: "north".into(),
        machine_id: machine_id.into(),
        chain: "main".into(),
        height: u32::try_from(sequence).unwrap(),
        network_nbits: NBITS,
        subsidy_sat: SUBSIDY_SAT,
        assigned_q32: u128_bytes::encode(ONE_Q32),
        job_ntime: ntime,
        ..Resolution::default()
    };
    let body =
        Share { session_id: machine_id.into(), header, resolution: Some(resolution), ..Share::default() };
    (event_time_us, event("replay", machine_id, sequence, event_time_us, Body::Share(body)))
}

fn reading(machine_id: &str, sequence: u64, at_us: i64, register_wh: u64) -> Vec<u8> {
    let reading = EnergyReading {
        meter_id: format!("{machine_id}-meter"),
        machine_id: machine_id.into(),
        register_wh,
        witness: "meter".into(),
        site_id: "north".into(),
    };
    event("meters", machine_id, sequence, at_us, Body::EnergyReading(reading))
}

fn fact(kind: &str, entity: &str, sequence: u64, valid_from_us: i64, body: &Value) -> Vec<u8> {
    let fact = Fact {
        kind: kind.into(),
        entity: entity.into(),
        valid_from_us,
        valid_to_us: None,
        body: canonical::write(body).unwrap(),
    };
    event("office", entity, sequence, valid_from_us, Body::Fact(fact))
}

fn assignment(machine_id: &str, customer_id: &str, contract_id: &str, from_us: i64) -> Vec<u8> {
    let body = json!({"machine_id": machine_id, "customer_id": customer_id, "contract_id": contract_id});
    fact("assignment", machine_id, 2, from_us, &body)
}

fn reference(from_us: i64) -> Vec<Vec<u8>> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let machine = json!({"site_id": "north", "model": "S1", "rated_power_mw": 3_480_000});
    let price =
        |value: &str| json!({"series": "north-spot", "unit": "USD/MWh", "value": value, "source": "grid"});
    vec![
        fact("contract", "lab-1", 1, from_us, &parsed(&contract(1, "0.0725"))),
        fact("contract", "lab-1", 2, SECOND_US, &parsed(&contract(2, "0.0800"))),
        fact("contract", "other-1", 1, from_us, &json!({"contract_id": "other-1"})),
        fact("machine", "gen-1", 1, from_us, &machine),
        assignment("gen-1", "satoshi-lab", "lab-1", from_us),
        assignment("gen-9", "hal-desk", "other-1", from_us),
        fact("price", "north-spot", 1, from_us, &price("31.5")),
        fact("price", "north-spot", 2, SECOND_US, &price("29.25")),
    ]
}

fn blocks(period: &Period, shares: &[Vec<u8>]) -> Vec<Block> {
    let (from_us, end_us) = (period.interval.start_us, period.interval.end_us);
    let readings = |machine_id: &str, whole_wh: u64| {
        let at = |sequence: u64, at_us: i64, wh: u64| reading(machine_id, sequence, at_us, wh);
        vec![at(1, from_us, 0), at(2, SECOND_US, whole_wh / 2), at(3, end_us, whole_wh)]
    };
    let split = shares.len() / 2;
    let block = |topic, block, stored| Block { topic, block, stored };
    vec![
        block("energy", 0, [readings("gen-9", 700), readings("gen-1", 2_410_387_200)].concat()),
        block("reference", 0, reference(from_us)),
        block("shares", 0, shares[..split].to_vec()),
        block("shares", 1, shares[split..].to_vec()),
    ]
}

/// Commits the blocks, chain by chain; the offsets of the seals lie between.
fn commit(
    blocks: Vec<Block>,
    seals: std::ops::Range<u64>,
) -> (Vec<CommittedBlock>, Vec<EvidenceBlock>, Vec<ChainHead>) {
    let mut predecessors: BTreeMap<&str, [u8; 32]> = BTreeMap::new();
    let mut heads: BTreeMap<&str, ChainHead> = BTreeMap::new();
    let (mut committed, mut evidence) = (Vec::new(), Vec::new());
    let offsets = (1..).filter(|offset| !seals.contains(offset));
    for (commit_offset, block) in offsets.zip(blocks) {
        let predecessor = predecessors.get(block.topic).copied().unwrap_or(CHAIN_START);
        let events = u64::try_from(block.stored.len()).unwrap();
        let merkle_root = merkle::root(block.stored.iter().map(|stored| merkle::leaf(stored)).collect());
        let content_hash = Hash::of(format!("{}{}", block.topic, block.block).as_bytes());
        let record = encode_commit(&Commit {
            version: COMMITS_VERSION,
            topic: block.topic.into(),
            partition: 0,
            block: block.block,
            attempt: 77,
            first_offset: block.block * 10,
            end_offset: block.block * 10 + 10,
            events,
            accepted: events,
            content_hash: content_hash.as_bytes().to_vec(),
            merkle_root: merkle_root.to_vec(),
            last_frame_hash: vec![1; 32],
            predecessor: predecessor.to_vec(),
            fold_version: 1,
            log_id: vec![2; 16],
            ..Commit::default()
        });
        let hash = commit_hash(&record);
        predecessors.insert(block.topic, hash);
        let head = ChainHead {
            topic: block.topic.into(),
            partition: 0,
            block: block.block,
            commit_hash: Hash::from_bytes(hash),
        };
        heads.insert(block.topic, head);
        evidence.push(EvidenceBlock {
            topic: block.topic.into(),
            partition: 0,
            block: block.block,
            content_hash,
            merkle_root: Hash::from_bytes(merkle_root),
        });
        committed.push(CommittedBlock { commit_offset, commit: record, stored: block.stored });
    }
    (committed, evidence, heads.into_values().collect())
}

fn stretch(
    period: &Period,
    bounds_us: (i64, i64),
    version: u64,
    price: &str,
    work: Vec<WorkGroup>,
) -> RatedStretch {
    let text = contract(version, price);
    let energy_mwh = if version == 1 { ENERGY_MWH } else { 1_000_000_001 };
    let price = |valid_from_us, value: &str, order| PriceFact {
        series: "north-spot".to_owned(),
        valid_from_us,
        valid_to_us: None,
        unit: "USD/MWh".to_owned(),
        value: value.to_owned(),
        source: "grid".to_owned(),
        order,
    };
    RatedStretch {
        contract_digest: canonical::digest_of_text(&text).unwrap().to_string(),
        contract: text,
        period_start_us: period.interval.start_us,
        period_end_us: period.interval.end_us,
        start_us: bounds_us.0,
        end_us: bounds_us.1,
        prices: vec![if version == 1 {
            price(period.interval.start_us, "31.5", 0)
        } else {
            price(SECOND_US, "29.25", 0)
        }],
        grants: Vec::new(),
        deposits: Vec::new(),
        usage: Usage {
            work,
            energy: vec![EnergyGroup {
                machine_id: "gen-1".to_owned(),
                meter_id: "gen-1-meter".to_owned(),
                witness: "meter".to_owned(),
                energy_mwh,
                resets: 0,
                unknown_us: 0,
            }],
            energy_slices: vec![EnergySlice { start_us: bounds_us.0, energy_mwh }],
            ..Usage::default()
        },
    }
}

/// The record that issues an invoice of what was billed.
pub(crate) fn record_of(billed: Billed) -> (String, Hash) {
    let close = PeriodClosed {
        contract_id: billed.contract_id.clone(),
        customer_id: billed.customer_id.clone(),
        period: billed.period.clone(),
        cut: billed.cut,
        incomplete: None,
    };
    let mut state = State::default();
    let mut act = |command: Command| {
        let mut events = decide(&state, &command).unwrap();
        for event in &events {
            state = evolve(state.clone(), event).unwrap();
        }
        events.pop().unwrap()
    };
    act(Command::ClosePeriod(close));
    let event = act(Command::IssueInvoice(Box::new(Draft::new(billed).unwrap())));
    let LedgerEvent::InvoiceIssued(invoice) = &event else { panic!("no invoice") };
    let digest = invoice.evidence_digest;
    let body = event.body().unwrap();
    let record =
        LedgerRecord::new(Hash::of(b"before"), event.kind(), body, "biller", "close", 1_233_500_000_000_000);
    (String::from_utf8(record.to_bytes().unwrap()).unwrap(), digest)
}

/// The fixture.
pub(crate) fn world(sampling: Sampling) -> World {
    world_without(sampling, &[])
}

/// The fixture in which corrections void the shares of these sequences.
pub(crate) fn world_without(sampling: Sampling, sequences: &[u64]) -> World {
    make(sampling, sequences, None)
}

/// The fixture in which most of the blocks lie in sealed days.
pub(crate) fn world_of_days(sampling: Sampling) -> World {
    world_sealed(sampling, &|_| {})
}

/// The same with changed seals on which the invoice was issued.
pub(crate) fn world_sealed(sampling: Sampling, change: Sealing<'_>) -> World {
    make(sampling, &[], Some(change))
}

/// A change of a seal.
type Sealing<'a> = &'a dyn Fn(&mut Seal);

fn make(sampling: Sampling, sequences: &[u64], sealing: Option<Sealing<'_>>) -> World {
    let period = Period::month("2009-01", "UTC").unwrap();
    let mut shares = Vec::new();
    let mut work = [(0_u64, 0_u128), (0, 0)];
    let mut voided = BTreeSet::new();
    for (sequence, header) in (1_u64..).zip(headers()) {
        // Every third share is another customer's.
        let machine_id = if sequence % 3 == 0 { "gen-9" } else { "gen-1" };
        let (at_us, stored) = share(machine_id, header, sequence);
        if sequences.contains(&sequence) {
            voided.insert(event_id(&Event::decode(stored.as_slice()).unwrap()));
        } else if machine_id == "gen-1" {
            let sum = &mut work[usize::from(interval_start(at_us) >= SECOND_US)];
            *sum = (sum.0 + 1, sum.1 + ONE_Q32);
        }
        shares.push(stored);
    }
    let group = |(shares, credited_q32): (u64, u128)| WorkGroup {
        chain: "main".to_owned(),
        nbits: NBITS,
        subsidy_sat: SUBSIDY_SAT,
        credited_q32,
        shares,
    };
    let of = |sum: (u64, u128)| if sum.0 == 0 { Vec::new() } else { vec![group(sum)] };
    let (start_us, end_us) = (period.interval.start_us, period.interval.end_us);
    let stretches = vec![
        stretch(&period, (start_us, SECOND_US), 1, "0.0725", of(work[0])),
        stretch(&period, (SECOND_US, end_us), 2, "0.0800", of(work[1])),
    ];
    let (committed, mut evidence, chain_heads) = if sealing.is_some() {
        commit(days::blocks(&period, &shares), days::SEALS)
    } else {
        commit(blocks(&period, &shares), 0..0)
    };
    let days = sealing.map(|change| days::seal(&committed, &mut evidence, change)).unwrap_or_default();
    let version = |stretch: &RatedStretch| ContractVersion {
        start_us: stretch.start_us,
        end_us: stretch.end_us,
        digest: stretch.contract_digest.parse().unwrap(),
    };
    let (record, evidence_digest) = record_of(Billed {
        legal_entity: "weighbridge-hosting".to_owned(),
        customer_id: "satoshi-lab".to_owned(),
        contract_id: "lab-1".to_owned(),
        contract_versions: stretches.iter().map(version).collect(),
        period: PeriodDocument::from(&period),
        terms: BillingTerms { payment_terms_days: 16, ..BillingTerms::default() },
        lines: rate_stretches(&stretches).unwrap(),
        cut: 50,
        blocks: evidence.clone(),
        days: days.iter().map(|day| day.day.clone()).collect(),
        chain_heads,
    });
    let subject = Subject {
        contract_id: "lab-1".to_owned(),
        machines: vec![Held { machine_id: "gen-1".to_owned(), start_us, end_us }],
        accounts: Vec::new(),
        series: vec!["north-spot".to_owned()],
        sites: vec!["north".to_owned()],
        voided: Vec::new(),
    };
    let blocks = evidence;
    let material = Material {
        record,
        stretches,
        subject,
        blocks,
        days,
        evidence_digest,
        sampling,
        voided,
        neighbours: Vec::new(),
    };
    World { material, blocks: committed }
}

impl World {
    /// Its bundle.
    pub(crate) fn bundle(&self) -> Bundle {
        let mut builder = Builder::new(self.material.clone()).unwrap();
        for block in &self.blocks {
            builder.take(block).unwrap();
        }
        builder.finish().unwrap()
    }
}

/// A bundle with drawn events.
pub(crate) fn drawn() -> Bundle {
    world(Sampling::Drawn(DRAWS)).bundle()
}

/// A bundle of sealed days with drawn events.
pub(crate) fn drawn_of_days() -> Bundle {
    world_of_days(Sampling::Drawn(DRAWS_OF_DAYS)).bundle()
}

/// A bundle of sealed days with all events.
pub(crate) fn whole_of_days() -> Bundle {
    world_of_days(Sampling::All).bundle()
}

/// A bundle with all events.
pub(crate) fn whole() -> Bundle {
    world(Sampling::All).bundle()
}
