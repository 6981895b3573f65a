//! Running bills: their results at any time, what is computed again for them, and that the last one equals the
//! invoice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World};
use crate::random::Random;
use serde_json::json;
use wb_billing::{Biller, RunningBill, RunningBills, RunningPace};

/// 2009-01-01T00:00:00Z.
const JANUARY_US: i64 = 1_230_768_000_000_000;
const FEBRUARY_US: i64 = JANUARY_US + 31 * DAY_US;
const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = DAY_US / 24;
const STEP_US: i64 = 300_000_000;
const MONTH: &str = "2009-01";

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

fn biller(log: &MemoryLog, store: &MemoryStore, clock: &TestClock) -> TestBiller {
    Biller::new(log.clone(), store.clone(), MemoryCuts(store.clone()), clock.clone(), "biller")
}

fn clock_at(at_us: i64) -> TestClock {
    TestClock::at(u64::try_from(at_us).unwrap())
}

fn set(clock: &TestClock, at_us: i64) {
    clock.0.store(u64::try_from(at_us).unwrap(), Ordering::SeqCst);
}

/// Contracts `c0`, `c1` and `c2` with a machine each: energy and a fee, mined bitcoin, and a fee alone. `c0`
/// draws on a grant, and its price changes in the middle of the month.
fn facts(world: &mut World) {
    let body = |contract: &str, price: &str| {
        let components = match contract {
            "c0" => json!([
                {"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": price},
                {"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "31"},
                {"id": "prepaid", "kind": "prepaid_credit", "currency": "USD", "of": ["power"]},
            ]),
            "c1" => json!([
                {"id": "earnings", "kind": "pool_earnings", "chain": "main", "currency": "BTC", "mean_fees_sat": "0"},
            ]),
            _ => json!([{"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "62"}]),
        };
        json!({"contract_id": contract, "customer_id": "k", "legal_entity": "l", "time_zone": "UTC",
            "components": components})
    };
    for (contract, machine) in [("c0", "m0"), ("c1", "m1"), ("c2", "m2")] {
        world.fact("contract", contract, JANUARY_US, body(contract, "0.10"));
        world.assign(machine, "k", contract, JANUARY_US);
    }
    world.fact("contract", "c0", JANUARY_US + 15 * DAY_US, body("c0", "0.30"));
    world.fact("prepaid_grant", "g", 0, json!({"contract_id": "c0", "currency": "USD", "amount": "20"}));
}

/// The events of the month, in random order.
#[derive(Clone, Copy)]
enum Event {
    Read { at_us: i64, register_wh: u64 },
    Mined { at_us: i64, q32: u128 },
}

fn record(world: &mut World, event: Event) {
    match event {
        Event::Read { at_us, register_wh } => world.read("m0", at_us, register_wh),
        Event::Mined { at_us, q32 } => world.mined("m1", at_us, q32),
    }
}

fn events(random: &mut Random) -> Vec<Event> {
    let mut events: Vec<Event> = (0..=31 * 4_u64)
        .map(|quarter| Event::Read {
            at_us: JANUARY_US + i64::try_from(quarter).unwrap() * 6 * HOUR_US,
            register_wh: quarter * 6_000,
        })
        .collect();
    for _ in 0..60 {
        let at_us = JANUARY_US + i64::try_from(random.below(8_928)).unwrap() * STEP_US;
        events.push(Event::Mined { at_us, q32: u128::from(1 + random.below(9)) << 32 });
    }
    random.shuffle(&mut events);
    events
}

#[tokio::test]
async fn whatever_the_order_each_running_bill_is_that_of_its_cut_and_the_last_is_the_invoice() {
    for seed in [3, 0x5eed, 0xfeed_beef] {
        println!("seed {seed}");
        let mut random = Random(seed);
        let mut world = World::default();
        facts(&mut world);
        let (log, store, clock) = (MemoryLog::new(), MemoryStore::new(world), clock_at(JANUARY_US));
        let biller_a = biller(&log, &store, &clock);
        let fresh = biller(&log, &store, &clock);
        let mut bills = RunningBills::default();
        let pace = RunningPace { bills_max: 2, idle_us: 2 * DAY_US };
        let mut latest: BTreeMap<String, RunningBill> = BTreeMap::new();
        let mut left: Vec<Event> = events(&mut random);
        let mut now_us = JANUARY_US;
        while now_us < FEBRUARY_US + HOUR_US {
            // Some of the events, not in order of their times, and sometimes none.
            let count = usize::try_from(random.below(12)).unwrap().min(left.len());
            let some: Vec<Event> = left.drain(..count).collect();
            store.change(|world| some.iter().for_each(|event| record(world, *event)));
            now_us += i64::try_from(1 + random.below(40)).unwrap() * HOUR_US + 17;
            if now_us >= FEBRUARY_US {
                let rest: Vec<Event> = std::mem::take(&mut left);
                store.change(|world| rest.iter().for_each(|event| record(world, *event)));
            }
            set(&clock, now_us);
            loop {
                let pass = biller_a.run_bills(&mut bills, pace).await.unwrap();
                assert!(pass.bills.len() <= 2 && pass.failed.is_empty(), "{:?}", pass.failed);
                for bill in pass.bills {
                    assert_eq!(bill.cut, pass.cut);
                    assert_eq!(bill.until_us % STEP_US, 0);
                    if bill.document.period.text == MONTH {
                        latest.insert(bill.document.contract_id.clone(), bill);
                    }
                }
                if pass.left == 0 {
                    break;
                }
            }
            let cut = store.0.lock().unwrap().held;
            for (contract, bill) in &latest {
                let same = fresh.running_bill(contract, MONTH, (bill.cut, bill.until_us)).await.unwrap();
                assert_eq!(same.as_ref(), Some(bill), "computed from nothing, {contract} at {}", bill.cut);
                // A bill that was not computed again must be unchanged.
                let now = fresh.running_bill(contract, MONTH, (cut, bill.until_us)).await.unwrap().unwrap();
                assert_eq!(now.document.bill_digest, bill.document.bill_digest, "{contract} at {cut}");
                let until_us = now_us.min(FEBRUARY_US);
                assert!(until_us - bill.until_us < 2 * DAY_US, "{contract} is too old");
            }
        }
        assert_eq!(latest.len(), 3);
        let issued = biller_a.close(MONTH, None).await.unwrap();
        assert_eq!(issued.len(), 3);
        for invoice in issued {
            let last = &latest[&invoice.contract_id];
            assert_eq!(last.until_us, FEBRUARY_US);
            assert_eq!(last.document.bill_digest, invoice.bill_digest, "{}", invoice.contract_id);
            let document = biller_a.invoice(&invoice.invoice_id).await.unwrap();
            assert_eq!(last.document.lines, document.invoice.lines);
            assert_eq!(last.document.totals, document.invoice.totals);
        }
        // The month is closed: only February runs on.
        set(&clock, now_us + 3 * DAY_US);
        let pass = biller_a.run_bills(&mut bills, RunningPace::default()).await.unwrap();
        assert_eq!(pass.bills.len(), 3);
        assert!(pass.bills.iter().all(|bill| bill.document.period.text == "2009-02"));
    }
}

#[tokio::test]
async fn only_what_new_rows_touch_is_read_again() {
    let mut world = World::default();
    facts(&mut world);
    world.read("m0", JANUARY_US, 0);
    world.mined("m1", JANUARY_US, 1 << 32);
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world));
    let clock = clock_at(JANUARY_US + DAY_US);
    let biller = biller(&log, &store, &clock);
    let mut bills = RunningBills::default();
    let pace = RunningPace::default();
    let computed = async |bills: &mut RunningBills| -> Vec<String> {
        let pass = biller.run_bills(bills, pace).await.unwrap();
        let mut ids: Vec<_> = pass.bills.into_iter().map(|bill| bill.document.contract_id).collect();
        ids.sort();
        ids
    };
    let reads = || {
        let world = store.0.lock().unwrap();
        let of = |machine: &str| world.machine_reads.get(machine).copied().unwrap_or(0);
        (of("m0"), of("m1"), world.fact_reads)
    };
    assert_eq!(computed(&mut bills).await, ["c0", "c1", "c2"]);
    let (m0, m1, facts_read) = reads();
    assert!(m0 > 0 && m1 > 0 && facts_read > 0);
    // Nothing is new, and nothing is read.
    assert!(computed(&mut bills).await.is_empty());
    assert_eq!(reads(), (m0, m1, facts_read));
    // One machine's row: only its contract, and no facts.
    store.change(|world| world.mined("m1", JANUARY_US + HOUR_US, 1 << 32));
    assert_eq!(computed(&mut bills).await, ["c1"]);
    assert_eq!(reads(), (m0, m1 + 1, facts_read));
    // An unassigned machine concerns no contract.
    store.change(|world| world.mined("m9", JANUARY_US + HOUR_US, 1 << 32));
    assert!(computed(&mut bills).await.is_empty());
    assert_eq!(reads(), (m0, m1 + 1, facts_read));
    // A fact may change anything.
    store.change(|world| world.assign("m9", "k", "c1", JANUARY_US));
    assert_eq!(computed(&mut bills).await, ["c0", "c1", "c2"]);
    let (_, _, facts_again) = reads();
    assert!(facts_again > facts_read);
    // An hour goes by: fees grow, and no facts are read.
    set(&clock, JANUARY_US + DAY_US + HOUR_US + STEP_US);
    assert_eq!(computed(&mut bills).await, ["c0", "c1", "c2"]);
    assert_eq!(reads().2, facts_again);
    // Bills that are lost with the process are computed again with the same result.
    let mut lost = RunningBills::default();
    assert_eq!(computed(&mut lost).await, ["c0", "c1", "c2"]);
}
