//! What a command or a fact names must be known: parties of payments, customers of a close, contracts of machines.

mod commands;

use serde_json::json;
use wb_billing::{Biller, BillerError, CloseRequest, Signature};
use wb_ledger::{Amount, Command, PaymentRequest, Settle};

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World, correction_id};

const DAY_US: i64 = 86_400_000_000;
/// 2009-01-01.
const JANUARY_US: i64 = 14_245 * DAY_US;
/// 2009-02-02: January is over.
const AFTER_US: u64 = 1_233_532_801_000_000;
const MONTH: &str = "2009-01";

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

fn biller(world: World) -> (TestBiller, MemoryStore, MemoryLog) {
    let (store, log) = (MemoryStore::new(world), MemoryLog::new());
    let (cuts, clock) = (MemoryCuts(store.clone()), TestClock::at(AFTER_US));
    (Biller::new(log.clone(), store.clone(), cuts, clock, "biller"), store, log)
}

fn fee(world: &mut World, contract_id: &str, customer_id: &str) {
    let body = json!({
        "contract_id": contract_id, "customer_id": customer_id, "legal_entity": "gen-hosting", "time_zone": "UTC",
        "components": [{"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "31"}],
    });
    world.fact("contract", contract_id, JANUARY_US, body);
}

fn world() -> World {
    let mut world = World::default();
    fee(&mut world, "acme-1", "acme");
    fee(&mut world, "other-1", "other");
    world
}

fn signed() -> Signature {
    Signature { who: "ana".to_owned(), why: "agreed with acme".to_owned() }
}

fn payment(customer: &str, legal_entity: &str) -> Command {
    Command::ReceivePayment(PaymentRequest {
        reference: format!("{customer}/{legal_entity}"),
        legal_entity: legal_entity.to_owned(),
        customer_id: customer.to_owned(),
        amount: Amount::new(100, "USD"),
        received_us: JANUARY_US,
        settle: Settle::Nothing,
    })
}

#[tokio::test]
async fn money_is_taken_only_from_and_for_those_who_are_known() {
    let (biller, store, log) = biller(world());
    for (customer, legal_entity, words) in [
        ("nobody", "gen-hosting", "there is no customer nobody"),
        ("acne", "gen-hosting", "did you mean acme?"),
        ("acme", "no-such", "there is no legal entity no-such"),
        ("acme", "gen-hostng", "did you mean gen-hosting?"),
    ] {
        let error = biller.act(&payment(customer, legal_entity), &signed()).await.unwrap_err();
        assert_eq!(error.code(), "WB-5435");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(log.records().is_empty());
    biller.act(&payment("acme", "gen-hosting"), &signed()).await.unwrap();
    // A customer is known by its own fact, too.
    store.change(|world| world.fact("customer", "nobody", JANUARY_US, json!({"name": "Nobody"})));
    biller.act(&payment("nobody", "gen-hosting"), &signed()).await.unwrap();
}

#[tokio::test]
async fn a_customer_that_does_not_exist_is_not_closed() {
    let (biller, store, log) = biller(world());
    for customer in ["nobody", "acne"] {
        assert_eq!(biller.close(MONTH, Some(customer)).await.unwrap_err().code(), "WB-5435");
        assert_eq!(biller.adjust(MONTH, Some(customer), &signed()).await.unwrap_err().code(), "WB-5435");
        assert_eq!(biller.check_customer(customer).await.unwrap_err().code(), "WB-5435");
    }
    assert!(log.records().is_empty());
    store.change(|world| world.fact("customer", "new", JANUARY_US, json!({"name": "New"})));
    assert!(biller.close(MONTH, Some("new")).await.unwrap().is_empty());
}

/// The failed contracts of a close of everybody.
async fn failed(biller: &TestBiller) -> Vec<(String, &'static str)> {
    match biller.close(MONTH, None).await {
        Err(BillerError::Some { failures, .. }) => {
            failures.into_iter().map(|failure| (failure.contract_id, failure.error.code())).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_machine_assigned_to_no_contract_stops_the_close_of_its_customer_alone() {
    let mut world = world();
    world.assign("m-1", "acme", "acme-l", JANUARY_US + DAY_US);
    let (biller, store, log) = biller(world);
    let listed: Vec<_> = biller.unresolved().await.unwrap();
    let of_contract = listed.iter().find(|of| of.refers_to == "contract").unwrap();
    assert_eq!((of_contract.entity.as_str(), of_contract.like.as_deref()), ("m-1", Some("acme-1")));
    assert_eq!(failed(&biller).await, [("acme-1".to_owned(), "WB-5436")]);
    assert_eq!(biller.invoices().await.unwrap().len(), 1, "the other customer is billed");
    // A signature allows it, and stands in the ledger.
    let allowed = CloseRequest {
        period: MONTH.to_owned(),
        customer: Some("acme".to_owned()),
        unresolved: Some(signed()),
        ..CloseRequest::default()
    };
    assert_eq!(biller.close_with(&allowed, &mut |_| {}).await.unwrap().len(), 1);
    let words = "facts that refer to nothing are allowed by ana: agreed with acme";
    assert!(log.records().iter().any(|record| String::from_utf8_lossy(record).contains(words)));
    // Next month it is still wrong, until it is corrected.
    store.change(|world| world.assign("m-1", "acme", "acme-1", JANUARY_US + DAY_US));
    assert!(biller.unresolved().await.unwrap().iter().all(|of| of.refers_to != "contract"));
}

#[tokio::test]
async fn usage_that_no_contract_of_its_customer_would_bill_is_told() {
    let mut world = world();
    world.assign("m-1", "ghost", "no-such", JANUARY_US);
    let (biller, ..) = biller(world);
    assert_eq!(failed(&biller).await, [("no-such".to_owned(), "WB-5436")]);
    assert_eq!(biller.invoices().await.unwrap().len(), 2);
    assert_eq!(biller.close(MONTH, Some("acme")).await.unwrap().len(), 1, "it is not theirs");
}

#[tokio::test]
async fn an_unknown_party_or_machine_stops_the_close_of_its_contract_alone() {
    for (kind, id) in [("customer", "acme"), ("legal_entity", "gen-hosting"), ("machine", "m-1")] {
        let mut world = world();
        world.assign("m-1", "acme", "acme-1", JANUARY_US);
        world.facts.retain(|(_, of, row)| !(of == kind && row.entity == id));
        let (biller, store, log) = biller(world);
        let mut stopped = vec![("acme-1".to_owned(), "WB-5436")];
        if kind == "legal_entity" {
            stopped.push(("other-1".to_owned(), "WB-5436"));
        }
        assert_eq!(failed(&biller).await, stopped, "{kind}");
        let allowed = CloseRequest {
            period: MONTH.to_owned(),
            customer: Some("acme".to_owned()),
            dry_run: true,
            unresolved: Some(signed()),
            ..CloseRequest::default()
        };
        assert_eq!(biller.close_with(&allowed, &mut |_| {}).await.unwrap().len(), 1, "{kind}");
        let body = match kind {
            "machine" => json!({"site_id": "s", "model": "S21", "rated_power_mw": 1}),
            _ => json!({"name": id}),
        };
        store.change(|world| {
            world.fact("site", "s", JANUARY_US, json!({"name": "S", "time_zone": "UTC"}));
            world.fact(kind, id, JANUARY_US, body);
        });
        assert_eq!(biller.close(MONTH, None).await.unwrap().len(), 2, "{kind}");
        assert!(!log.records().is_empty());
    }
}

#[tokio::test]
async fn a_party_that_only_an_earlier_version_named_stops_nothing() {
    let mut world = World::default();
    let body = |customer: &str| {
        json!({
            "contract_id": "acme-1", "customer_id": customer, "legal_entity": "l", "time_zone": "UTC",
            "components": [{"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "31"}],
        })
    };
    world.fact("contract", "acme-1", JANUARY_US - 90 * DAY_US, body("acne"));
    world.fact("contract", "acme-1", JANUARY_US - DAY_US, body("acme"));
    world.facts.retain(|(_, kind, row)| !(kind == "customer" && row.entity == "acne"));
    let (biller, ..) = biller(world);
    assert_eq!(biller.close(MONTH, None).await.unwrap().len(), 1);
    assert!(biller.unresolved().await.unwrap().iter().any(|of| of.id == "acne"), "it is listed");
}

#[tokio::test]
async fn a_void_of_an_unknown_event_is_listed_and_stops_the_months_that_had_begun() {
    let mut world = world();
    let id = "000000000000000000000000000000ff";
    let body = json!({"event_id": id, "who": "ana", "why": "typed wrong"});
    world.fact("void", id, JANUARY_US + DAY_US, body);
    let (biller, store, _) = biller(world);
    let listed = biller.unresolved().await.unwrap();
    assert_eq!((listed.len(), listed[0].kind.as_str(), listed[0].id.as_str()), (1, "void", id), "{listed:?}");
    assert_eq!(failed(&biller).await.len(), 2);
    let unknown = biller.check_event(&[0xff; 16]).await.unwrap_err();
    assert_eq!(unknown.code(), "WB-5437");
    // The event comes.
    store.change(|world| {
        world.read("m-9", JANUARY_US, 0);
        let (_, row) = world.readings.last_mut().unwrap();
        row.reading.id = [0; 16];
        row.reading.id[15] = 0xff;
    });
    assert!(biller.unresolved().await.unwrap().is_empty());
    assert_eq!(biller.close(MONTH, None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_void_that_is_taken_back_stops_nothing() {
    let mut world = world();
    let id = "000000000000000000000000000000ff";
    world.fact("void", id, JANUARY_US, json!({"event_id": id, "who": "ana", "why": "typed wrong"}));
    let own = correction_id(world.facts.last().unwrap().2.block.block);
    let own: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
    world.fact("void", &own, JANUARY_US, json!({"event_id": own, "who": "ana", "why": "taken back"}));
    let (biller, ..) = biller(world);
    assert!(biller.unresolved().await.unwrap().is_empty());
    assert_eq!(biller.close(MONTH, None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_machine_at_no_site_stops_the_close_until_the_site_comes() {
    let mut world = world();
    world.assign("m-1", "acme", "acme-1", JANUARY_US);
    let machine = json!({"site_id": "texas", "model": "S21", "rated_power_mw": 1});
    world.fact("machine", "m-1", JANUARY_US, machine);
    world.facts.retain(|(_, kind, _)| kind != "site");
    let (biller, store, _) = biller(world);
    assert_eq!(failed(&biller).await, [("acme-1".to_owned(), "WB-5436")]);
    store.change(|world| world.fact("site", "texas", JANUARY_US, json!({"name": "T", "time_zone": "UTC"})));
    assert_eq!(biller.close(MONTH, None).await.unwrap().len(), 2);
}
