//! A version of a contract is never overwritten: the first text stands, in every bill and in every replay.

use serde_json::{Value, json};
use wb_billing::{Biller, Standing};
use wb_ledger::{Invoice, canonical};

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World};

const DAY_US: i64 = 86_400_000_000;
/// 2009-01-01.
const JANUARY_US: i64 = 14_245 * DAY_US;
/// 2009-02-02: January is over.
const AFTER_US: u64 = 1_233_532_801_000_000;

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

fn terms(version: u64, fee: &str) -> Value {
    json!({
        "contract_id": "c", "version": version, "customer_id": "k", "legal_entity": "gen", "time_zone": "UTC",
        "components": [{"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": fee}],
    })
}

fn withdrawal(version: u64) -> Value {
    json!({"contract_id": "c", "version": version, "who": "ana", "why": "not signed"})
}

fn biller(world: World) -> TestBiller {
    let store = MemoryStore::new(world);
    let cuts = MemoryCuts(store.clone());
    Biller::new(MemoryLog::new(), store, cuts, TestClock::at(AFTER_US), "biller")
}

async fn january(biller: &TestBiller) -> Invoice {
    let issued = biller.close("2009-01", None).await.unwrap();
    biller.invoice(&issued[0].invoice_id).await.unwrap().invoice.clone()
}

/// The documents that an invoice was made by.
fn digests(invoice: &Invoice) -> Vec<String> {
    invoice.contract_versions.iter().map(|version| version.digest.to_string()).collect()
}

fn digest(terms: &Value) -> String {
    canonical::digest_of_text(&terms.to_string()).unwrap().to_string()
}

#[tokio::test]
async fn another_text_of_a_recorded_version_never_bills() {
    for overwritten_from_us in [JANUARY_US, JANUARY_US + 10 * DAY_US, JANUARY_US - DAY_US] {
        let mut world = World::default();
        world.fact("contract", "c", JANUARY_US, terms(1, "310"));
        world.fact("contract", "c", overwritten_from_us, terms(1, "99"));
        world.fact("contract", "c", overwritten_from_us, terms(1, "98"));
        let invoice = january(&biller(world)).await;
        assert_eq!(invoice.totals[0].amount, "310.00");
        assert_eq!(digests(&invoice), [digest(&terms(1, "310"))]);
    }
}

#[tokio::test]
async fn new_terms_are_a_new_version_from_its_instant_on() {
    let mut world = World::default();
    world.fact("contract", "c", JANUARY_US, terms(1, "310"));
    world.fact("contract", "c", JANUARY_US + 21 * DAY_US, terms(2, "620"));
    // The same terms may be sent again.
    world.fact("contract", "c", JANUARY_US, terms(1, "310"));
    let invoice = january(&biller(world)).await;
    assert_eq!(digests(&invoice), [digest(&terms(1, "310")), digest(&terms(2, "620"))]);
}

#[tokio::test]
async fn a_version_is_withdrawn_before_it_holds_and_its_number_is_free_again() {
    let from_us = JANUARY_US + 10 * DAY_US;
    let mut world = World::default();
    world.fact("contract", "c", JANUARY_US, terms(1, "310"));
    world.fact("contract", "c", from_us, terms(2, "620"));
    world.fact("contract_withdrawal", "c", from_us - 1, withdrawal(2));
    let invoice = january(&biller(world.clone())).await;
    assert_eq!(digests(&invoice), [digest(&terms(1, "310"))]);
    world.fact("contract", "c", from_us, terms(2, "930"));
    world.fact("contract", "c", from_us, terms(2, "9"));
    // Too late, and of nothing: without effect.
    world.fact("contract_withdrawal", "c", from_us, withdrawal(2));
    world.fact("contract_withdrawal", "c", JANUARY_US - 1, withdrawal(7));
    let biller = biller(world);
    let invoice = january(&biller).await;
    assert_eq!(digests(&invoice), [digest(&terms(1, "310")), digest(&terms(2, "930"))]);
    let recorded = biller.recorded_contracts().await.unwrap();
    let history: Vec<_> = recorded["c"]
        .iter()
        .map(|document| match &document.standing {
            Standing::Stands => (document.version, "stands"),
            Standing::Withdrawn { who, .. } => {
                (document.version, if who == "ana" { "withdrawn" } else { "?" })
            }
            Standing::Refused(refused) => (document.version, refused.code()),
        })
        .collect();
    let expected = [(Some(1), "stands"), (Some(2), "withdrawn"), (Some(2), "stands"), (Some(2), "WB-5124")];
    assert_eq!(history, expected);
}
