//! The biller over ports in memory: each invoice is issued once, despite kills, races and late data.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::collections::BTreeSet;

use crate::memory::{Fault, MemoryCuts, MemoryLog, MemoryStore, TestClock, World, contract_body};
use serde_json::json;
use wb_billing::{Biller, BillerError, Issued};
use wb_ledger::{Invoice, InvoiceLine};
use wb_units::SETTLEMENT_INTERVAL_US;

/// 2009-01-01T00:00:00Z.
const JANUARY_US: i64 = 1_230_768_000_000_000;
const DAY_US: i64 = 86_400_000_000;
/// 2009-02-01T00:00:01Z: January is over everywhere that is tested.
const AFTER_US: u64 = 1_233_446_401_000_000;
const MONTH: &str = "2009-01";

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

fn biller(log: &MemoryLog, store: &MemoryStore, who: &str) -> TestBiller {
    Biller::new(log.clone(), store.clone(), MemoryCuts(store.clone()), TestClock::at(AFTER_US), who)
}

/// The first 400 blocks, mined by three machines of two customers, each block at difficulty 1, and
/// hourly meters of 100 W, 200 W and 300 W.
fn genesis() -> World {
    let mut world = World::default();
    world.contract("lab-1", "satoshi-lab", JANUARY_US, "0.0725");
    world.contract("desk-1", "hal-desk", JANUARY_US, "0.10");
    for (machine, customer, contract) in [
        ("gen-1", "satoshi-lab", "lab-1"),
        ("gen-2", "satoshi-lab", "lab-1"),
        ("gen-3", "hal-desk", "desk-1"),
    ] {
        world.assign(machine, customer, contract, JANUARY_US);
    }
    for height in 0..400 {
        world.mined(
            &format!("gen-{}", height % 3 + 1),
            JANUARY_US + 3 * DAY_US + height * 600_000_000,
            1 << 32,
        );
    }
    for machine in 1..=3_u64 {
        for hour in 0..=31 * 24_u64 {
            let at_us = JANUARY_US + i64::try_from(hour).unwrap() * DAY_US / 24;
            world.read(&format!("gen-{machine}"), at_us, hour * machine * 100);
        }
    }
    world
}

fn line<'a>(invoice: &'a Invoice, component: &str) -> &'a InvoiceLine {
    invoice.lines.iter().find(|line| line.component == component).unwrap()
}

fn ids(issued: &[Issued]) -> Vec<(&str, &str)> {
    issued.iter().map(|invoice| (invoice.invoice_id.as_str(), invoice.number.as_str())).collect()
}

/// The billed data, without data that differs between runs.
fn bills(issued: &[Issued]) -> BTreeSet<(String, String)> {
    issued.iter().map(|invoice| (invoice.contract_id.clone(), invoice.bill_digest.to_string())).collect()
}

#[tokio::test]
async fn four_hundred_blocks_are_twenty_thousand_bitcoin_in_two_invoices() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(genesis()));
    let biller = biller(&log, &store, "biller-a");
    let issued = biller.close(MONTH, None).await.unwrap();
    assert_eq!(
        issued.iter().map(|i| (i.contract_id.as_str(), i.number.as_str(), i.new)).collect::<Vec<_>>(),
        [("desk-1", "GEN-000001", true), ("lab-1", "GEN-000002", true)]
    );
    let invoices = biller.invoices().await.unwrap();
    let shown: Vec<_> = invoices
        .iter()
        .map(|document| {
            let earnings = line(&document.invoice, "earnings");
            let power = line(&document.invoice, "power");
            (
                earnings.quantity.as_str(),
                earnings.amount.as_str(),
                power.quantity.as_str(),
                power.amount.as_str(),
            )
        })
        .collect();
    // 744 h x 300 W at 0.10, and 744 h x 300 W at 0.0725.
    assert_eq!(
        shown,
        [("133", "6650.00000000", "223.2", "22.32"), ("267", "13350.00000000", "223.2", "16.18")]
    );
    let total: i128 =
        invoices.iter().map(|d| line(&d.invoice, "earnings").amount_minor.parse::<i128>().unwrap()).sum();
    assert_eq!(total, 20_000 * 100_000_000);
}

#[tokio::test]
async fn a_second_close_returns_what_exists() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(genesis()));
    let first = biller(&log, &store, "biller-a").close(MONTH, None).await.unwrap();
    let length = log.records().len();
    assert_eq!(length, 4);
    // Late work: it is committed after the close and changes nothing.
    store.change(|world| world.mined("gen-1", JANUARY_US + 4 * DAY_US, 99 << 32));
    let same = biller(&log, &store, "biller-b");
    for _ in 0..2 {
        let second = same.close(MONTH, None).await.unwrap();
        assert_eq!(ids(&first), ids(&second));
        assert!(second.iter().all(|invoice| !invoice.new));
    }
    assert_eq!(log.records().len(), length);
    for invoice in &first {
        let again = same.recompute(&invoice.invoice_id).await.unwrap();
        assert!(again.bill_matches && again.evidence_matches);
        assert_eq!(again.bill_digest, invoice.bill_digest);
    }
}

#[tokio::test]
async fn killed_at_any_append_the_next_run_ends_with_the_same_bills() {
    let undisturbed =
        biller(&MemoryLog::new(), &MemoryStore::new(genesis()), "a").close(MONTH, None).await.unwrap();
    for fault in [Fault::BeforeWrite, Fault::AfterWrite] {
        for death in 1..=4 {
            let (log, store) = (MemoryLog::new(), MemoryStore::new(genesis()));
            let dying = biller(&log.dying_at(death, fault), &store, "a");
            assert_eq!(dying.close(MONTH, None).await.unwrap_err().code(), "WB-5401");
            let closed_before = !log.records().is_empty();
            // More is committed before the second run; a closed month keeps its cut.
            store.change(|world| world.mined("gen-3", JANUARY_US + 4 * DAY_US, 1 << 32));
            let after = biller(&log, &store, "b").close(MONTH, None).await.unwrap();
            assert_eq!(after.len(), 2);
            assert_eq!(log.records().len(), 4, "death {death}");
            let (desk, lab) = (&after[0], &after[1]);
            assert_eq!((desk.number.as_str(), lab.number.as_str()), ("GEN-000001", "GEN-000002"));
            assert_eq!(desk.bill_digest == undisturbed[0].bill_digest, closed_before, "death {death}");
            assert_eq!(lab.bill_digest, undisturbed[1].bill_digest, "death {death}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn billers_that_race_issue_each_invoice_once() {
    let mut world = genesis();
    for index in 0..12 {
        let (contract, customer, machine) =
            (format!("c-{index:02}"), format!("k-{index}"), format!("m-{index}"));
        world.contract(&contract, &customer, JANUARY_US, "0.05");
        world.assign(&machine, &customer, &contract, JANUARY_US);
        world.mined(&machine, JANUARY_US, u128::from(index + 1_u64) << 32);
    }
    for round in 0..8 {
        let (log, store) = (MemoryLog::new(), MemoryStore::new(world.clone()));
        log.push_raw(b"not a record");
        let runs = ["a", "b", "c"].map(|who| {
            let biller = biller(&log, &store, who);
            tokio::spawn(async move { biller.close(MONTH, None).await })
        });
        let mut results = Vec::new();
        for run in runs {
            results.push(run.await.unwrap().unwrap());
        }
        assert_eq!(ids(&results[0]), ids(&results[1]), "round {round}");
        assert_eq!(ids(&results[0]), ids(&results[2]), "round {round}");
        assert_eq!(results.iter().flatten().filter(|invoice| invoice.new).count(), 14, "round {round}");
        let mut numbers: Vec<_> = results[0].iter().map(|invoice| invoice.number.clone()).collect();
        numbers.sort();
        let gapless: Vec<_> = (1..=14).map(|number| format!("GEN-{number:06}")).collect();
        assert_eq!(numbers, gapless);
        assert_eq!(biller(&log, &store, "d").invoices().await.unwrap().len(), 14);
    }
}

#[tokio::test]
async fn the_same_events_in_other_blocks_make_the_same_bill() {
    let world = genesis();
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world.clone()));
    let first = biller(&log, &store, "a").close(MONTH, None).await.unwrap();
    let mut shuffled = World::default();
    for (_, machine, at_us, group) in world.work.iter().rev() {
        shuffled.mined(machine, *at_us, group.credited_q32);
    }
    for (_, row) in world.readings.iter().rev() {
        shuffled.read(&row.machine_id, row.reading.at_us, row.reading.register_wh);
    }
    for (_, kind, row) in world.facts.iter().rev() {
        shuffled.fact(kind, &row.entity, row.valid_from_us, serde_json::from_str(&row.body).unwrap());
    }
    let other = MemoryStore::new(shuffled);
    let second = biller(&MemoryLog::new(), &other, "b").close(MONTH, None).await.unwrap();
    assert_eq!(bills(&first), bills(&second));
    for (left, right) in first.iter().zip(&second) {
        assert_ne!(left.evidence_digest, right.evidence_digest);
    }
}

#[tokio::test]
async fn recomputing_over_other_events_shows_the_difference() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(genesis()));
    let biller = biller(&log, &store, "a");
    let issued = biller.close(MONTH, Some("hal-desk")).await.unwrap();
    assert_eq!(issued.len(), 1);
    store.change(|world| {
        let row = world.work.iter_mut().find(|(_, machine, ..)| machine == "gen-3").unwrap();
        row.3.credited_q32 += 1 << 32;
    });
    let again = biller.recompute(&issued[0].invoice_id).await.unwrap();
    assert!(!again.bill_matches && again.evidence_matches);
    store.change(|world| world.work.retain(|(_, machine, ..)| machine != "gen-3"));
    let again = biller.recompute(&issued[0].invoice_id).await.unwrap();
    assert!(!again.bill_matches && !again.evidence_matches);
    // Tables that are not projected up to the cut are not read.
    store.change(|world| world.held -= 1);
    assert_eq!(biller.recompute(&issued[0].invoice_id).await.unwrap_err().code(), "WB-5406");
    assert_eq!(biller.recompute("inv_none").await.unwrap_err().code(), "WB-5410");
}

#[tokio::test]
async fn machines_and_terms_that_change_in_the_month_split_at_the_boundary() {
    let mut world = genesis();
    let change_us = JANUARY_US + 10 * DAY_US + 1;
    let boundary_us = JANUARY_US + 10 * DAY_US + SETTLEMENT_INTERVAL_US;
    // gen-2 moves to the other customer, and that customer's price changes, an instant after a boundary.
    world.assign("gen-2", "hal-desk", "desk-1", change_us);
    world.contract("desk-1", "hal-desk", change_us, "0.20");
    // Sending the same terms again makes no new version.
    world.contract("lab-1", "satoshi-lab", change_us, "0.0725");
    world.mined("gen-2", boundary_us - 1, 1000 << 32);
    world.mined("gen-2", boundary_us, 5000 << 32);
    // An unassigned machine stays in suspense.
    world.mined("gen-9", boundary_us, 70_000 << 32);
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world));
    let biller = biller(&log, &store, "a");
    biller.close(MONTH, None).await.unwrap();
    let invoices = biller.invoices().await.unwrap();
    let shown: Vec<Vec<_>> = invoices
        .iter()
        .map(|d| {
            d.invoice.lines.iter().map(|l| (l.id.clone(), l.quantity.clone(), l.amount.clone())).collect()
        })
        .collect();
    let expected = |rows: &[(&str, &str, &str)]| -> Vec<_> {
        rows.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
    };
    let at = |component: &str| format!("desk-1/{component}@{boundary_us}");
    // gen-3 draws 300 W, gen-2 200 W: before 240 h 5 min of 300 W, after 503 h 55 min of 500 W.
    assert_eq!(
        shown[0],
        expected(&[
            ("desk-1/earnings", "133", "6650.00000000"),
            ("desk-1/power", "72.025", "7.20"),
            (&at("earnings"), "5000", "250000.00000000"),
            (&at("power"), "251.958334", "50.39"),
        ])
    );
    assert_eq!(
        shown[1],
        expected(&[
            ("lab-1/earnings", "1267", "63350.00000000"),
            // gen-1's 74.4 kWh and 240 h 5 min of 200 W.
            ("lab-1/power", "122.416666", "8.88"),
        ])
    );
    // Thirds of a unit go to the later part: 72.025 + 251.958334 + 122.416666 kWh are all there is.
    assert_eq!(invoices[0].invoice.contract_versions.len(), 2);
    assert_eq!(invoices[1].invoice.contract_versions.len(), 1);
    assert_eq!(
        invoices[0].invoice.totals.iter().map(|t| t.amount.as_str()).collect::<Vec<_>>(),
        ["256650.00000000", "57.59"]
    );
}

#[tokio::test]
async fn a_contract_that_cannot_be_billed_does_not_hold_up_the_others() {
    let mut world = genesis();
    world.contract("idle", "k", JANUARY_US, "1");
    let mut wrong_unit = contract_body("wrong-unit", "k", "1");
    wrong_unit["components"][1]["unit"] = "EUR/kWh".into();
    world.fact("contract", "wrong-unit", JANUARY_US, wrong_unit);
    world.contract("other-customer", "k", JANUARY_US, "1");
    world.assign("x", "not-k", "other-customer", JANUARY_US);
    world.contract("moved", "k", JANUARY_US, "1");
    world.contract("moved", "l", JANUARY_US + DAY_US, "1");
    world.contract("later", "k", JANUARY_US + 31 * DAY_US, "1");
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world));
    let biller = biller(&log, &store, "a");
    let error = biller.close(MONTH, None).await.unwrap_err();
    let text = error.to_string();
    let BillerError::Some { failures, issued } = error else { panic!("{text}") };
    let codes: Vec<_> = failures.iter().map(|f| (f.contract_id.as_str(), f.error.code())).collect();
    assert_eq!(codes, [("moved", "WB-5403"), ("other-customer", "WB-5405"), ("wrong-unit", "WB-5108")]);
    assert!(text.contains("EUR/kWh") && text.contains("\"USD/kWh\""), "{text}");
    assert_eq!(bills(&issued).len(), 2);
    // The idle contract is closed without an invoice, the failed one stays open for correction, and the later one has
    // no such month.
    assert_eq!(log.records().len(), 5);
    store.change(|world| {
        world.fact("contract", "wrong-unit", JANUARY_US, contract_body("wrong-unit", "k", "1"))
    });
    let BillerError::Some { failures, .. } = biller.close(MONTH, None).await.unwrap_err() else { panic!() };
    assert_eq!(failures.len(), 2);
}

#[tokio::test]
async fn a_month_that_is_not_over_is_not_closed() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(genesis()));
    let early = u64::try_from(JANUARY_US + 30 * DAY_US).unwrap();
    let biller = Biller::new(log.clone(), store.clone(), MemoryCuts(store), TestClock::at(early), "a");
    let BillerError::Some { failures, .. } = biller.close(MONTH, None).await.unwrap_err() else { panic!() };
    assert_eq!(failures[0].error.code(), "WB-5402");
    assert!(log.records().is_empty());
    // A month that does not exist is refused before any contract is read.
    assert_eq!(biller.close("2009-13", None).await.unwrap_err().code(), "WB-5120");
}

#[tokio::test]
async fn a_ledger_that_contradicts_itself_stops_billing_every_time() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(genesis()));
    biller(&log, &store, "a").close(MONTH, None).await.unwrap();
    let last = log.records().pop().unwrap();
    let record = wb_ledger::LedgerRecord::from_bytes(&last).unwrap();
    let forged = wb_ledger::LedgerRecord { predecessor: wb_ledger::Hash::of(&last), ..record };
    log.push_raw(&forged.to_bytes().unwrap());
    let biller = biller(&log, &store, "b");
    for _ in 0..2 {
        assert_eq!(biller.invoices().await.unwrap_err().code(), "WB-5350");
        assert_eq!(biller.close(MONTH, None).await.unwrap_err().code(), "WB-5350");
    }
}

#[tokio::test]
async fn an_invoices_parties_are_named_as_they_were_known_at_its_cut() {
    let mut world = genesis();
    world.fact(
        "legal_entity",
        "genesis-hosting",
        JANUARY_US,
        json!({"name": "Genesis Hosting LLC", "payment": ["IBAN"]}),
    );
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world));
    let biller = biller(&log, &store, "a");
    let issued = biller.close(MONTH, None).await.unwrap();
    let invoice = biller.invoice(&issued[0].invoice_id).await.unwrap();
    assert_eq!(invoice.invoice.legal_entity, "genesis-hosting");
    let before = biller.parties(&invoice.invoice).await.unwrap();
    assert_eq!((before.issuer.name.as_str(), before.issuer.payment.len()), ("Genesis Hosting LLC", 1));
    // A party without a recorded name has its id as name.
    assert_eq!(before.customer.name, invoice.invoice.customer_id);
    // A name that was recorded after the cut does not change the invoice.
    store.change(|world| {
        world.fact("legal_entity", "genesis-hosting", JANUARY_US, json!({"name": "Renamed"}));
        world.fact("customer", &invoice.invoice.customer_id, JANUARY_US, json!({"name": "Late"}));
    });
    assert_eq!(biller.parties(&invoice.invoice).await.unwrap(), before);
    assert_eq!(before.purchase_order, None);
}
