//! GPU allocations are billed to the account that held them, and else to whoever has the node.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wb_billing::{Biller, BillerError, CloseRequest, Progress, RunningBills, RunningPace};
use wb_ledger::Invoice;

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World};

const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = DAY_US / 24;
/// 2009-01-01.
const JANUARY_US: i64 = 14_245 * DAY_US;
/// 2009-01-31: the last day of the month.
const DAY_31_US: i64 = JANUARY_US + 30 * DAY_US;
/// 2009-02-02: January is over.
const AFTER_US: u64 = 1_233_532_801_000_000;
const MONTH: &str = "2009-01";

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

fn biller_at(world: World, now_us: u64) -> (TestBiller, MemoryStore) {
    let store = MemoryStore::new(world);
    let (cuts, clock) = (MemoryCuts(store.clone()), TestClock::at(now_us));
    (Biller::new(MemoryLog::new(), store.clone(), cuts, clock, "biller"), store)
}

fn on_demand() -> Value {
    json!([{"id": "gpus", "kind": "gpu_on_demand", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "1",
        "rounding": "second"}])
}

fn contract(world: &mut World, contract_id: &str, customer_id: &str, components: Value) {
    let body = json!({"contract_id": contract_id, "customer_id": customer_id, "legal_entity": "l",
        "time_zone": "UTC", "components": components});
    world.fact("contract", contract_id, JANUARY_US, body);
}

fn mapped(world: &mut World, account: &str, to: (&str, &str), from_us: i64, until_us: Option<i64>) {
    let body = json!({"customer_id": to.0, "contract_id": to.1});
    world.fact_until("account", account, from_us, until_us, body);
}

/// Nodes `own` (of `host`) and `pool` (of nobody) with 8 GPUs each; contracts of `host`, `ann` and `bob`.
fn world() -> World {
    let mut world = World::default();
    for (contract_id, customer_id) in [("host-1", "host"), ("ann-1", "ann"), ("bob-1", "bob")] {
        contract(&mut world, contract_id, customer_id, on_demand());
    }
    for node in ["own", "pool"] {
        let body = json!({"site_id": "s", "model": "HGX", "rated_power_mw": 9, "gpus": 8});
        world.fact("machine", node, JANUARY_US, body);
    }
    world.assign("own", "host", "host-1", JANUARY_US);
    world
}

/// The total of each contract's invoice of the month, each of which computes again to the same digests.
async fn totals(biller: &TestBiller) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for issued in biller.close(MONTH, None).await.unwrap() {
        let again = biller.recompute(&issued.invoice_id).await.unwrap();
        assert!(again.bill_matches && again.evidence_matches, "{}", issued.invoice_id);
        let issued = biller.invoice(&issued.invoice_id).await.unwrap();
        let invoice: &Invoice = &issued.invoice;
        // A contract without use has nothing to pay.
        if let Some(total) = invoice.totals.first() {
            found.insert(invoice.contract_id.clone(), total.amount.clone());
        }
    }
    found
}

fn amounts(expected: [(&str, &str); 2]) -> BTreeMap<String, String> {
    expected.map(|(contract, amount)| (contract.to_owned(), amount.to_owned())).into()
}

#[tokio::test]
async fn the_account_pays_whoever_has_the_node_and_otherwise_the_node_s_holder_does() {
    let mut world = world();
    mapped(&mut world, "slurm:c/ann", ("ann", "ann-1"), JANUARY_US, None);
    let hours = |hours: i64| (DAY_31_US, DAY_31_US + hours * HOUR_US);
    // On the holder's node: of an account of its own, and of ann.
    world.allocated_by("slurm:c/ops", "own", "c/1", (2, ""), hours(3).0, hours(3).1);
    world.allocated_by("slurm:c/ann", "own", "c/2", (1, ""), hours(5).0, hours(5).1);
    // On a node that nobody has: ann's, and one in suspense.
    world.allocated_by("slurm:c/ann", "pool", "c/3", (4, ""), hours(2).0, hours(2).1);
    world.allocated_by("slurm:c/who", "pool", "c/4", (4, ""), hours(7).0, hours(7).1);
    let (biller, _) = biller_at(world, AFTER_US);
    assert_eq!(totals(&biller).await, amounts([("host-1", "6.00"), ("ann-1", "13.00")]));
}

#[tokio::test]
async fn a_change_in_the_middle_of_an_allocation_splits_it_to_the_microsecond() {
    let mut world = world();
    let at = |hours: i64, us: i64| DAY_31_US + hours * HOUR_US + us;
    // ann until 01:00:00.000001, nobody until 03:00:00.000002, then bob: an hour each would be 3,600 s.
    mapped(&mut world, "slurm:c/x", ("ann", "ann-1"), JANUARY_US, Some(at(1, 1)));
    mapped(&mut world, "slurm:c/x", ("bob", "bob-1"), at(3, 2), None);
    world.allocated_by("slurm:c/x", "own", "c/1", (1, ""), at(0, 0), at(4, 0));
    let (biller, _) = biller_at(world, AFTER_US);
    totals(&biller).await;
    let mut spans: Vec<(String, i64, i64)> = Vec::new();
    for issued in biller.invoices().await.unwrap() {
        let bill = biller.bill_of(&issued.invoice.invoice_id).await.unwrap();
        let of = &bill.billed.contract_id;
        for span in bill.stretches.iter().flat_map(|stretch| &stretch.usage.gpu_spans) {
            spans.push((of.clone(), span.start_us - DAY_31_US, span.end_us.unwrap() - DAY_31_US));
        }
    }
    spans.sort_by_key(|span| span.1);
    assert_eq!(
        spans,
        [
            ("ann-1".to_owned(), 0, HOUR_US + 1),
            ("host-1".to_owned(), HOUR_US + 1, 3 * HOUR_US + 2),
            ("bob-1".to_owned(), 3 * HOUR_US + 2, 4 * HOUR_US),
        ]
    );
}

#[tokio::test]
async fn a_reservation_covers_what_is_billed_to_its_contract_and_no_neighbour() {
    let mut world = world();
    let components = json!([
        {"id": "reserved", "kind": "gpu_reserved", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "0",
            "gpus": 4},
        {"id": "gpus", "kind": "gpu_on_demand", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "1",
            "rounding": "second", "covered_by": ["reserved"]},
    ]);
    for (contract_id, customer_id) in [("ann-1", "ann"), ("host-1", "host")] {
        contract(&mut world, contract_id, customer_id, components.clone());
    }
    mapped(&mut world, "slurm:c/ann", ("ann", "ann-1"), JANUARY_US, None);
    let (start_us, end_us) = (DAY_31_US, DAY_31_US + HOUR_US);
    // ann has 6 on two nodes, of which 4 are reserved; the holder of one of them has 4, all reserved.
    world.allocated_by("slurm:c/ann", "own", "c/1", (4, ""), start_us, end_us);
    world.allocated_by("slurm:c/ops", "own", "c/2", (4, ""), start_us, end_us);
    world.allocated_by("slurm:c/ann", "pool", "c/3", (2, ""), start_us, end_us);
    let (biller, _) = biller_at(world, AFTER_US);
    assert_eq!(totals(&biller).await, amounts([("host-1", "0.00"), ("ann-1", "2.00")]));
}

#[tokio::test]
async fn what_cannot_be_billed_is_told_to_whom_it_would_be_billed() {
    let mut world = world();
    mapped(&mut world, "slurm:c/ann", ("ann", "ann-1"), JANUARY_US, None);
    world.allocated_by("slurm:c/ann", "own", "c/1", (64, ""), DAY_31_US, DAY_31_US + HOUR_US);
    let (biller, _) = biller_at(world, AFTER_US);
    let mut told = Vec::new();
    let request = CloseRequest { period: MONTH.to_owned(), dry_run: true, ..CloseRequest::default() };
    biller
        .close_with(&request, &mut |progress| {
            if let Progress::Excluded { contract_id, exclusions } = progress {
                let would_be = exclusions.listed[0].would_be.map(|money| money.minor);
                told.push((contract_id.clone(), exclusions.listed.len(), would_be));
            }
        })
        .await
        .unwrap();
    assert_eq!(told, [("ann-1".to_owned(), 1, Some(6_400))]);
}

#[tokio::test]
async fn an_account_of_another_customer_s_contract_bills_nobody() {
    let mut world = world();
    mapped(&mut world, "slurm:c/ann", ("ann", "bob-1"), JANUARY_US, None);
    let (biller, _) = biller_at(world, AFTER_US);
    let error = biller.close(MONTH, Some("bob")).await.unwrap_err();
    let BillerError::Some { failures, .. } = error else { panic!("{error}") };
    assert_eq!(failures[0].error.code(), "WB-5416");
}

#[tokio::test]
async fn an_account_of_a_contract_that_does_not_exist_stops_the_close() {
    let mut world = world();
    mapped(&mut world, "slurm:c/ann", ("ann", "ann-2"), JANUARY_US, None);
    let (biller, _) = biller_at(world, AFTER_US);
    let error = biller.close(MONTH, Some("ann")).await.unwrap_err();
    let BillerError::Some { failures, .. } = error else { panic!("{error}") };
    assert_eq!(failures[0].error.code(), "WB-5436");
}

#[tokio::test]
async fn a_running_bill_follows_an_account_to_a_node_it_never_used() {
    let mut world = world();
    mapped(&mut world, "slurm:c/ann", ("ann", "ann-1"), JANUARY_US, None);
    let now_us = u64::try_from(DAY_31_US + 12 * HOUR_US).unwrap();
    let (biller, store) = biller_at(world, now_us);
    let mut bills = RunningBills::default();
    let pace = RunningPace { idle_us: 400 * DAY_US, ..RunningPace::default() };
    biller.run_bills(&mut bills, pace).await.unwrap();
    store.change(|world| {
        world.allocated_by("slurm:c/ann", "pool", "c/9", (3, ""), DAY_31_US, DAY_31_US + HOUR_US);
    });
    let pass = biller.run_bills(&mut bills, pace).await.unwrap();
    let ann: Vec<_> = pass.bills.iter().filter(|bill| bill.document.contract_id == "ann-1").collect();
    assert_eq!(ann.len(), 1);
    assert_eq!(ann[0].document.totals[0].amount, "3.00");
}
