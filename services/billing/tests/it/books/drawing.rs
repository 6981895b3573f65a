//! A prepaid credit is drawn once: by drafts in review, by following months, and by late data.

use serde_json::{Value, json};
use wb_billing::{Biller, BillerError};
use wb_ledger::{BillingTerms, Command, Step};

use super::{DAY_US, JANUARY_US, TestBiller, signed};
use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World};

/// 2009-04-01: January to March are over everywhere.
const AFTER_US: u64 = 1_238_544_001_000_000;
/// 2009-02-01.
const FEBRUARY_US: i64 = JANUARY_US + 31 * DAY_US;

fn contract(fee: &str) -> Value {
    json!({"contract_id": "c", "customer_id": "k", "legal_entity": "l", "time_zone": "UTC", "components": [
        {"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": fee},
        {"id": "prepaid", "kind": "prepaid_credit", "currency": "USD", "of": ["fee"]},
    ]})
}

/// A contract of 31 USD a month, of which the first 40 are prepaid.
fn start(approvals: u32) -> (MemoryStore, TestBiller) {
    let mut world = World::default();
    world.fact("contract", "c", JANUARY_US, contract("31"));
    world.fact("prepaid_grant", "g", 0, json!({"contract_id": "c", "currency": "USD", "amount": "40"}));
    let store = MemoryStore::new(world);
    let biller = Biller::new(
        MemoryLog::new(),
        store.clone(),
        MemoryCuts(store.clone()),
        TestClock::at(AFTER_US),
        "biller",
    );
    (store, biller.with_defaults(BillingTerms { approvals, ..BillingTerms::default() }))
}

async fn drawn(biller: &TestBiller, invoice_id: &str) -> String {
    let document = biller.invoice(invoice_id).await.unwrap();
    let line = document.invoice.lines.iter().find(|line| line.component == "prepaid");
    line.map_or_else(String::new, |line| line.amount.clone())
}

async fn approve_and_issue(biller: &TestBiller, invoice_id: &str) {
    let step = |by: &str| Step { invoice_id: invoice_id.to_owned(), by: by.to_owned(), at_us: JANUARY_US };
    biller.act(&Command::Submit(step("ana")), &signed()).await.unwrap();
    biller.act(&Command::Approve(step("ben")), &signed()).await.unwrap();
    biller.issue(invoice_id, &signed()).await.unwrap();
}

#[tokio::test]
async fn a_month_waits_for_the_draft_that_draws_on_the_same_grant() {
    let (_, biller) = start(1);
    let january = biller.close("2009-01", None).await.unwrap()[0].invoice_id.clone();
    let Err(BillerError::Some { failures, issued }) = biller.close("2009-02", None).await else {
        panic!("two drafts draw on one grant")
    };
    assert_eq!((failures.len(), failures[0].error.code(), issued.len()), (1, "WB-5359", 0));
    assert!(biller.state().await.unwrap().closed("c", "2009-02").is_none(), "nothing is half done");
    approve_and_issue(&biller, &january).await;
    assert_eq!(drawn(&biller, &january).await, "-31.00");
    let february = biller.close("2009-02", None).await.unwrap()[0].invoice_id.clone();
    // What January returns while February is in review is available to March.
    let void =
        Command::Void { invoice_id: january.clone(), text: "wrong".to_owned(), at_us: biller.now_us() };
    biller.act(&void, &signed()).await.unwrap();
    approve_and_issue(&biller, &february).await;
    assert_eq!(drawn(&biller, &february).await, "-9.00");
    let march = biller.close("2009-03", None).await.unwrap()[0].invoice_id.clone();
    approve_and_issue(&biller, &march).await;
    assert_eq!(drawn(&biller, &march).await, "-31.00");
    for invoice_id in [january, february, march] {
        let again = biller.recompute(&invoice_id).await.unwrap();
        assert!(again.bill_matches && again.evidence_matches, "{invoice_id}");
    }
}

#[tokio::test]
async fn late_data_draws_on_what_later_months_left() {
    let (store, biller) = start(0);
    let january = biller.close("2009-01", None).await.unwrap()[0].invoice_id.clone();
    let february = biller.close("2009-02", None).await.unwrap()[0].invoice_id.clone();
    assert_eq!(
        (drawn(&biller, &january).await, drawn(&biller, &february).await),
        ("-31.00".into(), "-9.00".into())
    );
    store.change(|world| world.fact("contract", "c", JANUARY_US, contract("45")));
    // January's total is 45 now, of which the grant would have covered 40; 9 of them are drawn elsewhere.
    let adjusted = biller.adjust("2009-01", None, &signed()).await.unwrap();
    let totals: Vec<_> = adjusted.iter().map(|note| (note.kind, note.totals[0].amount.clone())).collect();
    assert_eq!(totals, [("debit_note_issued", "14.00".to_owned())]);
    assert!(biller.adjust("2009-01", None, &signed()).await.unwrap().is_empty());
    let march = biller.close("2009-03", None).await.unwrap()[0].invoice_id.clone();
    assert!(matches!(drawn(&biller, &march).await.as_str(), "" | "0.00"), "nothing is left");
}

#[tokio::test]
async fn late_data_leaves_what_a_draft_in_review_draws() {
    let (store, biller) = start(1);
    store.change(|world| world.fact("contract", "c", JANUARY_US, contract("10")));
    let january = biller.close("2009-01", None).await.unwrap()[0].invoice_id.clone();
    approve_and_issue(&biller, &january).await;
    store.change(|world| world.fact("contract", "c", FEBRUARY_US, contract("31")));
    let february = biller.close("2009-02", None).await.unwrap()[0].invoice_id.clone();
    // February's draft draws the 30 that January left; January's total is 15 now.
    store.change(|world| world.fact("contract", "c", JANUARY_US, contract("15")));
    let adjusted = biller.adjust("2009-01", None, &signed()).await.unwrap();
    assert_eq!(adjusted.iter().map(|note| note.totals[0].amount.as_str()).collect::<Vec<_>>(), ["5.00"]);
    approve_and_issue(&biller, &february).await;
    assert_eq!(drawn(&biller, &february).await, "-30.00");
}
