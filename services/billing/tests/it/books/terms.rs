//! The terms of an invoice are those of its contract, or the operator's, when it was computed.

use serde_json::{Value, json};
use wb_ledger::{BillingTerms, Command, Event, Step};

use super::{DAY_US, JANUARY_US, MONTH, TestBiller, biller, signed, world};
use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World};

/// 2009-02-01.
const FEBRUARY_US: i64 = JANUARY_US + 31 * DAY_US;

async fn approve_and_issue(biller: &TestBiller, invoice_id: &str) {
    let step = |by: &str| Step { invoice_id: invoice_id.to_owned(), by: by.to_owned(), at_us: JANUARY_US };
    biller.act(&Command::Submit(step("ana")), &signed()).await.unwrap();
    biller.act(&Command::Approve(step("ben")), &signed()).await.unwrap();
    biller.issue(invoice_id, &signed()).await.unwrap();
}

async fn due_days(biller: &TestBiller, invoice_id: &str) -> i64 {
    let dates = biller.invoice(invoice_id).await.unwrap().invoice.dates.clone().unwrap();
    (dates.due_us - dates.issued_us) / DAY_US
}

#[tokio::test]
async fn a_reviewed_draft_falls_due_by_the_terms_it_was_made_with() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let defaults = BillingTerms { approvals: 1, payment_terms_days: 60, ..BillingTerms::default() };
    let closing = biller(&log, &store, "a").with_defaults(defaults);
    let id = closing.close(MONTH, Some("satoshi-lab")).await.unwrap()[0].invoice_id.clone();
    // Another process, another day, other defaults.
    let biller = biller(&log, &store, "b");
    assert_eq!(biller.state().await.unwrap().review(&id).unwrap().draft.terms, defaults);
    approve_and_issue(&biller, &id).await;
    assert_eq!(due_days(&biller, &id).await, 60);
    assert_eq!(biller.invoice(&id).await.unwrap().invoice.terms, defaults);
}

/// A contract of a fixed fee with its own terms.
fn contract(terms: &Value) -> Value {
    let mut contract = json!({
        "contract_id": "c", "customer_id": "k", "legal_entity": "gen", "time_zone": "UTC",
        "components": [{"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "100"}],
    });
    let own = terms.as_object().unwrap().clone();
    contract.as_object_mut().unwrap().extend(own);
    contract
}

fn start(terms: &Value, defaults: BillingTerms) -> (MemoryStore, TestBiller) {
    let mut world = World::default();
    world.fact("contract", "c", JANUARY_US, contract(terms));
    let store = MemoryStore::new(world);
    // 2009-03-02: January and February are over.
    let clock = TestClock::at(1_235_952_001_000_000);
    let cuts = MemoryCuts(store.clone());
    (store.clone(), TestBiller::new(MemoryLog::new(), store, cuts, clock, "biller").with_defaults(defaults))
}

#[tokio::test]
async fn the_contract_wins_over_the_configuration_and_a_later_version_over_an_earlier() {
    let defaults = BillingTerms { approvals: 1, late_fee_ppm: 10_000, ..BillingTerms::default() };
    let own = json!({"payment_terms_days": 15, "approvals": 0, "late_fee_ppm": 0});
    let (store, biller) = start(&own, defaults);
    store.change(|world| {
        world.fact("contract", "c", FEBRUARY_US, contract(&json!({"payment_terms_days": 45})));
    });
    let january = biller.close(MONTH, None).await.unwrap()[0].clone();
    assert!(!january.number.is_empty(), "issued at once, as the contract says");
    assert_eq!(due_days(&biller, &january.invoice_id).await, 15);
    let february = biller.close("2009-02", None).await.unwrap()[0].clone();
    assert!(february.number.is_empty(), "drafted, as the configuration says");
    approve_and_issue(&biller, &february.invoice_id).await;
    assert_eq!(due_days(&biller, &february.invoice_id).await, 45);

    // The contract is changed later: an issued invoice keeps its terms.
    let harder = contract(&json!({"payment_terms_days": 0, "late_fee_ppm": 900_000}));
    store.change(|world| world.fact("contract", "c", JANUARY_US, harder));
    let at_us = biller.now_us() + 75 * DAY_US;
    assert_eq!(biller.overdue(at_us, None, &signed()).await.unwrap().len(), 2);
    let fees = biller.late_fees(at_us, None, &signed()).await.unwrap();
    let shown: Vec<_> = fees
        .iter()
        .map(|event| match event {
            Event::DebitNoteIssued(note) => (note.invoice_id.as_str(), note.totals[0].amount.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    // February's: 100 x 1 % over the 30 days since it was due. January's terms have none.
    assert_eq!(shown, [(february.invoice_id.as_str(), "1.00")]);
    assert!(biller.late_fees(at_us, None, &signed()).await.unwrap().is_empty());
}

#[tokio::test]
async fn late_data_of_an_unused_month_waits_for_the_approval_that_its_terms_ask_for() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let defaults = BillingTerms { approvals: 1, ..BillingTerms::default() };
    let biller = biller(&log, &store, "a").with_defaults(defaults);
    assert!(biller.close(MONTH, Some("hal-desk")).await.unwrap().is_empty());
    store.change(|world| {
        world.read("gen-2", JANUARY_US, 0);
        world.read("gen-2", JANUARY_US + DAY_US, 5_000);
    });
    let adjusted = biller.adjust(MONTH, Some("hal-desk"), &signed()).await.unwrap();
    assert_eq!(adjusted.iter().map(|document| document.kind).collect::<Vec<_>>(), ["draft_made"]);
    assert!(biller.adjust(MONTH, Some("hal-desk"), &signed()).await.unwrap().is_empty());
    let id = adjusted[0].invoice_id.clone();
    approve_and_issue(&biller, &id).await;
    let invoice = biller.invoice(&id).await.unwrap();
    assert_eq!(invoice.invoice.totals.last().map(|total| total.amount.as_str()), Some("0.50"));
    let again = biller.recompute(&id).await.unwrap();
    assert!(again.bill_matches && again.evidence_matches);
}

#[tokio::test]
async fn an_invoice_has_the_purchase_order_of_its_own_version_of_the_contract_for_good() {
    let order = |number: &str| contract(&json!({"purchase_order": number, "payment_terms_days": 15}));
    let (store, biller) =
        start(&json!({"purchase_order": "PO-1", "payment_terms_days": 15}), BillingTerms::default());
    let shown = async |id: &str| {
        let invoice = biller.invoice(id).await.unwrap();
        biller.parties(&invoice.invoice).await.unwrap().purchase_order
    };
    let january = biller.close(MONTH, None).await.unwrap()[0].invoice_id.clone();
    assert_eq!(shown(&january).await.as_deref(), Some("PO-1"));
    // A new order from the middle of February: the month's last version names it.
    store.change(|world| world.fact("contract", "c", FEBRUARY_US + 14 * DAY_US, order("PO-2")));
    let february = biller.close("2009-02", None).await.unwrap()[0].invoice_id.clone();
    assert_eq!(shown(&february).await.as_deref(), Some("PO-2"));
    // What is recorded later, even for that time, changes neither.
    store.change(|world| world.fact("contract", "c", JANUARY_US, order("PO-3")));
    assert_eq!(shown(&january).await.as_deref(), Some("PO-1"));
    assert_eq!(shown(&february).await.as_deref(), Some("PO-2"));
}
