//! Policies of sources leave out of bills what they leave out of reports.

use serde_json::json;
use wb_billing::{Biller, ByPolicy, CloseRequest, Progress};

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World};

const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = DAY_US / 24;
/// 2009-01-01.
const JANUARY_US: i64 = 14_245 * DAY_US;
const FEBRUARY_US: i64 = JANUARY_US + 31 * DAY_US;
/// 2009-03-02: January and February are over.
const AFTER_US: u64 = 1_235_952_001_000_000;

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

fn biller(world: World) -> TestBiller {
    let store = MemoryStore::new(world);
    let (cuts, clock) = (MemoryCuts(store.clone()), TestClock::at(AFTER_US));
    Biller::new(MemoryLog::new(), store, cuts, clock, "biller")
}

/// A machine at site `s` under contract `c`, billed by the kilowatt-hour.
fn world() -> World {
    let mut world = World::default();
    world.windowed = true;
    let body = json!({"contract_id": "c", "customer_id": "k", "legal_entity": "l", "time_zone": "UTC", "components": [
        {"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "1"}]});
    world.fact("contract", "c", JANUARY_US, body);
    world.assign("m", "k", "c", JANUARY_US);
    let machine = json!({"site_id": "s", "model": "S21", "rated_power_mw": 1_200_000});
    world.fact("machine", "m", JANUARY_US, machine);
    world
}

fn policy(world: &mut World, entity: &str, mut body: serde_json::Value) {
    body["site_id"] = "s".into();
    world.fact("data_policy", entity, JANUARY_US, body);
}

/// What both months come to, and what the closes tell of policies. Each invoice computes again to the same digests.
async fn closed(world: World) -> (Vec<String>, Vec<ByPolicy>) {
    let biller = biller(world);
    let (mut amounts, mut told) = (Vec::new(), Vec::new());
    for month in ["2009-01", "2009-02"] {
        let request = CloseRequest { period: month.to_owned(), ..CloseRequest::default() };
        let issued = biller
            .close_with(&request, &mut |progress| {
                if let Progress::ByPolicy { sources, .. } = progress {
                    told.extend(sources.iter().cloned());
                }
            })
            .await
            .unwrap();
        let again = biller.recompute(&issued[0].invoice_id).await.unwrap();
        assert!(again.bill_matches && again.evidence_matches, "{month}");
        amounts.push(issued[0].totals[0].amount.clone());
    }
    (amounts, told)
}

/// Hourly readings around the end of January: 1,000 Wh in the last hour, none in the next one. The one at midnight came
/// three days late.
fn midnight_is_late(world: &mut World) {
    world.read("m", FEBRUARY_US - HOUR_US, 0);
    world.read_late("m", FEBRUARY_US, 1_000, 3 * DAY_US);
    world.read("m", FEBRUARY_US + HOUR_US, 1_000);
}

#[tokio::test]
async fn a_reading_that_comes_too_late_is_left_out_and_its_time_estimated() {
    let mut plain = world();
    midnight_is_late(&mut plain);
    assert_eq!(closed(plain).await, (vec!["1.00".to_owned(), "0.00".to_owned()], vec![]));
    let mut judged = world();
    midnight_is_late(&mut judged);
    policy(&mut judged, "site/s", json!({"late_max_us": 2 * DAY_US}));
    let (amounts, told) = closed(judged).await;
    // The register went on over both hours; together they are what it counted.
    assert_eq!(amounts, ["0.50", "0.50"]);
    // The reading at midnight is February's.
    let [february] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((february.machine_id.as_str(), february.left_out), ("m", 1));
    assert_eq!(february.meter_id.as_deref(), Some("m-meter"));
}

#[tokio::test]
async fn the_narrowest_policy_holds() {
    let mut world = world();
    midnight_is_late(&mut world);
    policy(&mut world, "site/s", json!({"late_max_us": 2 * DAY_US}));
    policy(
        &mut world,
        "meter/m-meter",
        json!({"machine_id": "m", "meter_id": "m-meter", "late_max_us": 4 * DAY_US}),
    );
    let (amounts, told) = closed(world).await;
    assert_eq!(amounts, ["1.00", "0.00"]);
    // It came late, and counts.
    assert_eq!(told.iter().map(|one| (one.left_out, one.late)).collect::<Vec<_>>(), [(0, 1)]);
}

#[tokio::test]
async fn several_late_readings_in_a_row_are_passed_over() {
    let mut world = world();
    world.read("m", FEBRUARY_US - HOUR_US, 0);
    for hour in 0..30 {
        world.read_late("m", FEBRUARY_US + hour * HOUR_US, 3_100, 3 * DAY_US);
    }
    world.read("m", FEBRUARY_US + 30 * HOUR_US, 3_100);
    policy(&mut world, "machine/m", json!({"machine_id": "m", "late_max_us": DAY_US}));
    // 3,100 Wh over 31 hours, one of them January's.
    assert_eq!(closed(world).await.0, ["0.10", "3.00"]);
}

#[tokio::test]
async fn a_reading_from_the_future_is_left_out() {
    let mut world = world();
    world.read("m", FEBRUARY_US - HOUR_US, 0);
    world.read_late("m", FEBRUARY_US, 1_000, -DAY_US);
    world.read("m", FEBRUARY_US + HOUR_US, 1_000);
    policy(&mut world, "site/s", json!({"future_max_us": HOUR_US}));
    assert_eq!(closed(world).await.0, ["0.50", "0.50"]);
}
