//! From event to bill nothing is lost and nothing counts twice: whatever was accepted is billed, covered by a
//! reservation, excluded with a reason or in suspense, and in one of them alone.
//!
//! The sums on one side are made from the events alone, by rules of a few lines. Those on the other side are what the
//! biller says of its bills, what the lines of the invoices say, and what the close told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wb_billing::{Biller, CloseRequest, Measured, Place, Placed, Progress, Signature};

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World};
use crate::random::Random;

const DAY_US: i64 = 86_400_000_000;
const SECOND_US: i64 = 1_000_000;
/// 2009-01-01.
const JANUARY_US: i64 = 14_245 * DAY_US;
/// 2009-02-02: January is over.
const AFTER_US: u64 = 1_233_532_801_000_000;
const MONTH: &str = "2009-01";
const HISTORIES: u64 = 150;

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

/// An instant of the month, a day away from its ends, to the second.
fn instant(random: &mut Random) -> i64 {
    JANUARY_US + DAY_US + i64::try_from(random.below(29 * 86_400)).unwrap() * SECOND_US
}

/// What is sent.
#[derive(Debug, Clone)]
enum Event {
    Work {
        machine: String,
        at_us: i64,
        chain: &'static str,
        q32: u128,
    },
    Reading {
        machine: String,
        witness: &'static str,
        at_us: i64,
        register_wh: u64,
    },
    Allocation {
        node: String,
        id: String,
        gpus: u32,
        profile: &'static str,
        account: &'static str,
        start_us: i64,
        end_us: i64,
    },
    /// Maps an account of a scheduler to a contract.
    Account {
        account: &'static str,
        contract: &'static str,
        from_us: i64,
        to_us: Option<i64>,
    },
    Assignment {
        machine: String,
        contract: &'static str,
        from_us: i64,
        to_us: Option<i64>,
    },
    /// Of the reading of this instant.
    Void {
        at_us: i64,
    },
}

/// Work in units of 2^-32, energy in thousandths of a watt-hour, GPU time in microseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sums {
    work_q32: u128,
    energy_mwh: u128,
    gpu_us: u128,
}

impl Sums {
    fn add(&mut self, measured: &Measured, quantity: u128) {
        match measured {
            Measured::Work { .. } => self.work_q32 += quantity,
            Measured::Energy { .. } => self.energy_mwh += quantity,
            Measured::GpuTime { .. } => self.gpu_us += quantity,
        }
    }

    fn of<'a>(placed: impl Iterator<Item = &'a Placed>) -> Self {
        let mut sums = Self::default();
        placed.for_each(|one| sums.add(&one.measured, one.quantity));
        sums
    }
}

/// The sums of what was sent, from the events alone.
fn sent(events: &[Event]) -> Sums {
    let mut sums = Sums::default();
    let voided: BTreeSet<i64> = events
        .iter()
        .filter_map(|event| if let Event::Void { at_us } = event { Some(*at_us) } else { None })
        .collect();
    let mut registers: BTreeMap<(&str, &str), BTreeMap<i64, u64>> = BTreeMap::new();
    let mut runs: BTreeMap<(&str, &str, i64, &str), u128> = BTreeMap::new();
    for event in events {
        match event {
            Event::Work { q32, .. } => sums.work_q32 += q32,
            Event::Reading { machine, witness, at_us, register_wh } if !voided.contains(at_us) => {
                registers.entry((machine, witness)).or_default().insert(*at_us, *register_wh);
            }
            Event::Allocation { node, id, gpus, profile, start_us, end_us, .. } => {
                let gpu_us = u128::from(*gpus) * u128::from((end_us - start_us).unsigned_abs());
                // Of two rows of one run the longer one holds.
                let run = runs.entry((node, id, *start_us, profile)).or_default();
                *run = gpu_us.max(*run);
            }
            _ => {}
        }
    }
    sums.gpu_us = runs.into_values().sum();
    for register in registers.into_values() {
        let values: Vec<u64> = register.into_values().collect();
        // A register that falls says nothing of what flowed.
        let rises = values.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        sums.energy_mwh += rises.map(|rise_wh| u128::from(rise_wh) * 1_000).sum::<u128>();
    }
    sums
}

fn contract(id: &str, counting: Value, components: Value) -> Value {
    let mut body = json!({"contract_id": id, "customer_id": "k", "legal_entity": "l", "time_zone": "UTC",
        "components": components});
    for (field, value) in counting.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

const CONTRACTS: [&str; 9] = ["pool", "power", "fee", "hash", "gpus", "reserved", "tiers", "late", "no-such"];

fn contracts(world: &mut World, random: &mut Random) {
    let reserved = json!({"id": "reserved", "kind": "gpu_reserved", "currency": "USD", "unit": "USD/GPU-hour",
        "unit_price": "2", "gpus": 3});
    let of = |id: &str| match id {
        "pool" => json!([
            {"id": "earnings", "kind": "pool_earnings", "chain": "main", "currency": "BTC", "mean_fees_sat": "0"},
            {"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "0.07"}]),
        "power" => json!([{"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh",
            "unit_price": "0.09"}]),
        "hash" => json!([{"id": "hashrate", "kind": "hashrate_fee", "currency": "BTC",
            "unit": "BTC/PH/s/day", "unit_price": "0.00000042"}]),
        "gpus" => json!([reserved, {"id": "on-demand", "kind": "gpu_on_demand", "currency": "USD",
            "unit": "USD/GPU-hour", "unit_price": "3", "rounding": "second", "covered_by": ["reserved"]}]),
        "reserved" => json!([reserved]),
        "tiers" => {
            json!([reserved, {"id": "tiers", "kind": "graduated", "measure": "gpu_hours", "currency": "USD",
            "unit": "USD/GPU-hour", "covered_by": ["reserved"], "tiers": [{"unit_price": "3"}]},
            {"id": "slices", "kind": "mig_slice", "profile": "1g.10gb", "currency": "USD",
                "fraction": "1/7", "unit": "USD/GPU-hour", "unit_price": "1", "rounding": "second"}])
        }
        _ => json!([{"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "1"}]),
    };
    for id in CONTRACTS.into_iter().filter(|id| *id != "no-such") {
        let counting = if id == "power" { json!({"witnesses": ["meter"]}) } else { json!({}) };
        let from_us = match (id, random.below(3)) {
            ("late", _) => JANUARY_US + 31 * DAY_US,
            // Assignments may be older than the contract.
            (_, 0) => instant(random),
            _ => JANUARY_US - 40 * DAY_US,
        };
        world.fact("contract", id, from_us, contract(id, counting.clone(), of(id)));
        if random.below(3) == 0 && id != "late" {
            let mut next = of(id);
            next[0]["description"] = json!("in another version");
            world.fact("contract", id, instant(random).max(from_us), contract(id, counting, next));
        }
    }
}

const ACCOUNTS: [&str; 3] = ["slurm:east/ann", "slurm:east/bob", "kubernetes:default/eve"];

/// Assignments, accounts, work, registers with falls, allocations that exclude each other, repeats and voids, in random order.
fn history(random: &mut Random) -> Vec<Event> {
    let mut events = Vec::new();
    for number in 0..4 {
        let machine = format!("m{number}");
        for _ in 0..random.below(4) {
            let from_us = instant(random);
            let to_us = (random.below(3) == 0).then(|| from_us + 1 + instant(random) - JANUARY_US);
            let contract = random.one(&CONTRACTS);
            events.push(Event::Assignment { machine: machine.clone(), contract, from_us, to_us });
        }
        for _ in 0..random.below(12) {
            let chain = if random.below(4) == 0 { "testnet3" } else { "main" };
            let q32 = u128::from(1 + random.below(1 << 40));
            events.push(Event::Work { machine: machine.clone(), at_us: instant(random), chain, q32 });
        }
        for witness in ["meter", "pdu"].into_iter().take(usize::try_from(random.below(3)).unwrap()) {
            let mut at_us = JANUARY_US + DAY_US;
            let mut register_wh = 0;
            for _ in 0..random.below(12) {
                // No two readings of the world are of one instant, so that a void names one of them.
                let step_us = i64::try_from(random.below(2 * 86_400)).unwrap() * SECOND_US;
                at_us += step_us + 1 + i64::try_from(random.below(999_983)).unwrap();
                register_wh = match random.below(8) {
                    0 => random.below(100),
                    _ => register_wh + random.below(90_000),
                };
                events.push(Event::Reading { machine: machine.clone(), witness, at_us, register_wh });
                if random.below(9) == 0 {
                    events.push(Event::Void { at_us });
                }
            }
        }
        for run in 0..random.below(8) {
            let start_us = instant(random);
            let end_us = (start_us + i64::try_from(1 + random.below(200_000)).unwrap() * SECOND_US)
                .min(JANUARY_US + 30 * DAY_US);
            let profile = *random.one(&["", "", "1g.10gb", "2g.20gb"]);
            let gpus = if profile.is_empty() { u32::try_from(1 + random.below(9)).unwrap() } else { 1 };
            let (node, id) = (machine.clone(), format!("run-{run}"));
            let account = *random.one(&ACCOUNTS);
            let allocation = Event::Allocation { node, id, gpus, profile, account, start_us, end_us };
            if random.below(4) == 0 {
                events.push(allocation.clone());
            }
            events.push(allocation);
        }
    }
    for account in ACCOUNTS {
        for _ in 0..random.below(3) {
            let from_us = instant(random);
            let to_us = (random.below(2) == 0).then(|| from_us + instant(random) - JANUARY_US);
            let contract = random.one(&CONTRACTS);
            events.push(Event::Account { account, contract, from_us, to_us });
        }
    }
    random.shuffle(&mut events);
    events
}

fn record(world: &mut World, event: &Event) {
    match event {
        Event::Work { machine, at_us, chain, q32 } => {
            world.mined(machine, *at_us, *q32);
            world.work.last_mut().unwrap().3.chain = (*chain).to_owned();
        }
        Event::Reading { machine, witness, at_us, register_wh } => {
            world.read_as(machine, (witness, &format!("{machine}-{witness}")), *at_us, *register_wh);
        }
        Event::Allocation { node, id, gpus, profile, account, start_us, end_us } => {
            world.allocated(node, id, (*gpus, profile), *start_us, *end_us);
            world.allocations.last_mut().unwrap().1.row.span.account = (*account).to_owned();
        }
        Event::Account { account, contract, from_us, to_us } => {
            let body = json!({"customer_id": "k", "contract_id": contract});
            world.fact_until("account", account, *from_us, *to_us, body);
        }
        Event::Assignment { machine, contract, from_us, to_us } => {
            let body = json!({"machine_id": machine, "customer_id": "k", "contract_id": contract});
            world.fact_until("assignment", machine, *from_us, *to_us, body);
        }
        Event::Void { at_us } => {
            let mut id = [0_u8; 16];
            id[..8].copy_from_slice(&at_us.to_be_bytes());
            let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            let body = json!({"event_id": id, "who": "ana", "why": "wrong"});
            world.fact("void", &id, *at_us, body);
        }
    }
}

fn signed() -> Signature {
    Signature { who: "ana".to_owned(), why: "a history at random".to_owned() }
}

fn biller(store: &MemoryStore) -> TestBiller {
    let cuts = MemoryCuts(store.clone());
    Biller::new(MemoryLog::new(), store.clone(), cuts, TestClock::at(AFTER_US), "biller")
}

/// Closes the month; returns what the close tells of usage that is not billed.
async fn close(biller: &TestBiller) -> Sums {
    let request = CloseRequest {
        period: MONTH.to_owned(),
        unresolved: Some(signed()),
        incomplete: Some(signed()),
        ..CloseRequest::default()
    };
    let mut told = Sums::default();
    let mut tell = |progress: &Progress| match progress {
        Progress::Unbilled { unbilled, .. } => {
            assert_eq!(unbilled.more, 0);
            unbilled.listed.iter().for_each(|one| told.add(&one.measured, one.quantity));
        }
        Progress::Excluded { exclusions, .. } => {
            for one in &exclusions.listed {
                let length_us = one.interval.end_us.abs_diff(one.interval.start_us);
                told.gpu_us += u128::from(length_us) * u128::from(one.gpus);
            }
        }
        _ => {}
    };
    biller.close_with(&request, &mut tell).await.unwrap();
    told
}

/// What the lines of all invoices bill; of work only what earns, because a fee by hashrate has no such quantity.
async fn invoiced(biller: &TestBiller) -> Sums {
    let mut sums = Sums::default();
    for document in biller.invoices().await.unwrap() {
        for line in &document.invoice.lines {
            match line.component.as_str() {
                "power" => sums.energy_mwh += millionths(&line.quantity),
                "on-demand" | "slices" => sums.gpu_us += millionths(&line.quantity),
                "earnings" => {
                    let earning = line.inputs.iter().filter(|i| i.get("earns").is_some_and(|of| of == "yes"));
                    sums.work_q32 +=
                        earning.map(|i| i["credited_q32"].parse::<u128>().unwrap()).sum::<u128>();
                }
                _ => {}
            }
        }
    }
    sums
}

/// A decimal in millionths.
fn millionths(decimal: &str) -> u128 {
    let (whole, places) = decimal.split_once('.').unwrap_or((decimal, ""));
    format!("{whole}{places:0<6}").parse().unwrap()
}

#[tokio::test]
async fn every_accepted_quantity_is_in_one_place() {
    let mut seen = BTreeSet::new();
    let base: u64 = std::env::var("WEIGHBRIDGE_SEED").map_or(0x5eed_0000, |seed| seed.parse().unwrap());
    for seed in base + 1..=base + HISTORIES {
        println!("WEIGHBRIDGE_SEED={} for this history first", seed - 1);
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut world = World::default();
        contracts(&mut world, &mut random);
        for number in 0..3 {
            let body = json!({"site_id": "s", "model": "HGX", "rated_power_mw": 9, "gpus": 8});
            world.fact("machine", &format!("m{number}"), JANUARY_US, body);
        }
        let events = history(&mut random);
        let in_time = usize::try_from(random.below(u64::try_from(events.len() + 1).unwrap())).unwrap();
        events[..in_time].iter().for_each(|event| record(&mut world, event));
        let store = MemoryStore::new(world);
        let biller = biller(&store);

        let told = close(&biller).await;
        let account = biller.placed_usage(MONTH).await.unwrap().placed;
        assert_eq!(Sums::of(account.iter()), sent(&events[..in_time]), "{account:#?}");
        // The close told all that its contracts exclude.
        let excluded =
            account.iter().filter(|one| one.place == Place::Excluded && !one.contract_id.is_empty());
        assert_eq!(Sums::of(excluded), told);
        // The invoices say the same as the account.
        let of_lines = ["pool", "power", "gpus", "tiers"];
        let billed = account.iter().filter(|one| {
            let is_tier =
                one.contract_id == "tiers" && one.measured == Measured::GpuTime { profile: String::new() };
            one.place == Place::Billed && of_lines.contains(&one.contract_id.as_str()) && !is_tier
        });
        assert_eq!(Sums::of(billed), invoiced(&biller).await);

        // What comes late, with late assignments and voids, is conserved, too.
        store.change(|world| events[in_time..].iter().for_each(|event| record(world, event)));
        biller.adjust(MONTH, None, &signed()).await.unwrap();
        let account = biller.placed_usage(MONTH).await.unwrap().placed;
        assert_eq!(Sums::of(account.iter()), sent(&events), "{account:#?}");
        seen.extend(account.into_iter().map(|one| (one.place, one.reason)));
    }
    println!("{seen:#?}");
    for place in [Place::Billed, Place::Covered, Place::Excluded, Place::Suspense] {
        assert!(seen.iter().any(|(of, _)| *of == place), "{place:?} in no history");
    }
}
