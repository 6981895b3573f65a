//! Corrections and suspense in bills: records after a close change the computation at a later cut, but nothing that
//! was closed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]
#![allow(dead_code, reason = "the support is shared with tests that need more of it")]

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World, correction_id};
use serde_json::json;
use wb_billing::{Biller, Issued};
use wb_events::facts::id_text;

/// 2009-01-01T00:00:00Z.
const JANUARY_US: i64 = 1_230_768_000_000_000;
const DAY_US: i64 = 86_400_000_000;
/// 2009-02-01T00:00:01Z.
const AFTER_US: u64 = 1_233_446_401_000_000;
const MONTH: &str = "2009-01";

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

fn biller(log: &MemoryLog, store: &MemoryStore) -> TestBiller {
    Biller::new(log.clone(), store.clone(), MemoryCuts(store.clone()), TestClock::at(AFTER_US), "biller")
}

/// A miner of the lab with a meter read each day, 2,400 Wh a day, and a block mined on the fifth.
fn world() -> World {
    let mut world = World::default();
    world.contract("lab-1", "lab", JANUARY_US, "1.00");
    world.assign("m1", "lab", "lab-1", JANUARY_US);
    for day in 0..=31_u64 {
        world.read("m1", JANUARY_US + i64::try_from(day).unwrap() * DAY_US, day * 2_400);
    }
    world.mined("m1", JANUARY_US + 5 * DAY_US, 1 << 32);
    world
}

/// The amounts that a bill at present would charge, by component. The ledger is a new one, so that the cut is the
/// newest.
async fn billed_now(store: &MemoryStore) -> Vec<(String, String, String)> {
    let biller = biller(&MemoryLog::new(), store);
    biller.close(MONTH, None).await.unwrap();
    let documents = biller.invoices().await.unwrap();
    let lines = documents.iter().flat_map(|document| &document.invoice.lines);
    lines.map(|line| (line.component.clone(), line.quantity.clone(), line.amount.clone())).collect()
}

fn power(lines: &[(String, String, String)]) -> (&str, &str) {
    lines
        .iter()
        .find(|(component, ..)| component == "power")
        .map_or(("none", "none"), |(_, quantity, amount)| (quantity, amount))
}

async fn assert_closed_stays(biller: &TestBiller, issued: &[Issued]) {
    for invoice in issued {
        let again = biller.recompute(&invoice.invoice_id).await.unwrap();
        assert!(again.bill_matches && again.evidence_matches, "what was closed is as it was at its cut");
    }
}

#[tokio::test]
async fn a_wrong_ratio_changes_a_later_bill_and_no_closed_one() {
    let store = MemoryStore::new(world());
    let closed = biller(&MemoryLog::new(), &store);
    let issued = closed.close(MONTH, None).await.unwrap();
    assert_eq!(power(&billed_now(&store).await), ("74.4", "74.40"));
    // Ten days and six hours with half of the right ratio: 24.6 kWh more.
    let (from_us, to_us) = (JANUARY_US + 2 * DAY_US, JANUARY_US + 12 * DAY_US + DAY_US / 4);
    let ratio = |right: u32| {
        json!({"meter_id": "m1-meter", "used_num": 200, "used_den": 5, "right_num": right, "right_den": 5, "who": "anna",
            "why": "wrong plate"})
    };
    store.change(|world| world.fact_until("meter_ratio", "m1-meter", from_us, Some(to_us), ratio(400)));
    assert_eq!(power(&billed_now(&store).await), ("99", "99.00"));
    assert_closed_stays(&closed, &issued).await;
    // The later recorded correction holds; after it is voided, it has no effect.
    let mut block = 0;
    store.change(|world| {
        world.fact_until("meter_ratio", "m1-meter", from_us, Some(to_us), ratio(300));
        block = world.held - 1;
    });
    assert_eq!(power(&billed_now(&store).await), ("86.7", "86.70"));
    let void = id_text(&correction_id(block));
    store.change(|world| {
        world.fact(
            "void",
            &void,
            JANUARY_US,
            json!({"event_id": void, "who": "anna", "why": "it was right"}),
        );
    });
    assert_eq!(power(&billed_now(&store).await), ("99", "99.00"));
    assert_closed_stays(&closed, &issued).await;
}

#[tokio::test]
async fn a_voided_reading_is_not_billed_and_a_voided_void_is() {
    let store = MemoryStore::new(world());
    let mut last = [0; 16];
    last[..8].copy_from_slice(&(JANUARY_US + 31 * DAY_US).to_be_bytes());
    let void = |store: &MemoryStore, id: [u8; 16]| {
        let id = id_text(&id);
        let mut block = 0;
        store.change(|world| {
            world.fact(
                "void",
                &id,
                JANUARY_US,
                json!({"event_id": id, "who": "anna", "why": "another meter"}),
            );
            block = world.held - 1;
        });
        correction_id(block)
    };
    let own = void(&store, last);
    assert_eq!(power(&billed_now(&store).await), ("72", "72.00"));
    void(&store, own);
    assert_eq!(power(&billed_now(&store).await), ("74.4", "74.40"));
}

#[tokio::test]
async fn what_was_nobodys_is_billed_once_it_is_somebodys() {
    let mut before = world();
    // Another machine of the site worked without an assignment.
    before.mined("m2", JANUARY_US + 7 * DAY_US, 3 << 32);
    for day in 0..=31_u64 {
        before.read("m2", JANUARY_US + i64::try_from(day).unwrap() * DAY_US, day * 1_000);
    }
    let store = MemoryStore::new(before);
    let closed = biller(&MemoryLog::new(), &store);
    let issued = closed.close(MONTH, None).await.unwrap();
    let first = billed_now(&store).await;
    assert_eq!(first[0], ("earnings".to_owned(), "1".to_owned(), "50.00000000".to_owned()));
    assert_eq!(power(&first), ("74.4", "74.40"));
    // Recorded after the close, valid since before the work.
    store.change(|world| world.assign("m2", "lab", "lab-1", JANUARY_US + 6 * DAY_US));
    let later = billed_now(&store).await;
    assert_eq!(later[0], ("earnings".to_owned(), "4".to_owned(), "200.00000000".to_owned()));
    // 25 days of it: work before the assignment stays in suspense.
    assert_eq!(power(&later), ("99.4", "99.40"));
    assert_closed_stays(&closed, &issued).await;
}
