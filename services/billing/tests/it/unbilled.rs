//! What a close tells of usage that no component of a contract bills.

use serde_json::{Value, json};
use wb_billing::{Biller, CloseRequest, Progress};

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World};

const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = DAY_US / 24;
/// 2009-01-01.
const JANUARY_US: i64 = 14_245 * DAY_US;
/// 2009-02-02: January is over.
const AFTER_US: u64 = 1_233_532_801_000_000;

fn world(components: Value, more: &Value) -> World {
    let mut world = World::default();
    let mut body = json!({"contract_id": "c", "customer_id": "k", "legal_entity": "l", "time_zone": "UTC",
        "components": components});
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    world.fact("contract", "c", JANUARY_US, body);
    world.assign("m", "k", "c", JANUARY_US);
    world
}

/// Machine, quantity, reason and amount of each, as a dry run of January tells it.
async fn told(world: World) -> Vec<(String, String, String, Option<String>)> {
    let store = MemoryStore::new(world);
    let cuts = MemoryCuts(store.clone());
    let biller = Biller::new(MemoryLog::new(), store, cuts, TestClock::at(AFTER_US), "biller");
    let request = CloseRequest { period: "2009-01".to_owned(), dry_run: true, ..CloseRequest::default() };
    let mut found = Vec::new();
    let mut tell = |progress: &Progress| {
        let Progress::Unbilled { unbilled, .. } = progress else { return };
        for one in &unbilled.listed {
            let quantity =
                format!("{} of {}", one.measured.quantity_words(one.quantity), one.measured.words());
            let amount = one.would_be.map(|money| money.decimal_text());
            found.push((one.machine_id.clone(), quantity, one.reason.clone(), amount));
        }
    };
    biller.close_with(&request, &mut tell).await.unwrap();
    found
}

fn owned(
    (machine, quantity, reason, amount): (&str, &str, &str, Option<&str>),
) -> (String, String, String, Option<String>) {
    (machine.to_owned(), quantity.to_owned(), reason.to_owned(), amount.map(str::to_owned))
}

#[tokio::test]
async fn energy_of_another_witness_is_told_with_its_price_where_nothing_else_measured() {
    let power = json!([{"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh",
        "unit_price": "0.10"}]);
    let mut world = world(power, &json!({"witnesses": ["meter"]}));
    // The meter counts 10 kWh in the first ten hours; the outlet 10 kWh in these and 20 kWh in the ten hours after.
    for (hour, meter, pdu) in
        [(0, Some(0), Some(0)), (10, Some(10_000), Some(10_000)), (20, None, Some(30_000))]
    {
        let at_us = JANUARY_US + DAY_US + hour * HOUR_US;
        for (witness, register_wh) in [("meter", meter), ("pdu", pdu)] {
            if let Some(register_wh) = register_wh {
                world.read_as("m", (witness, witness), at_us, register_wh);
            }
        }
    }
    let twice = "measured a second time: another witness speaks for the same time";
    let expected = [
        ("m", "20.000 kWh of energy by pdu", "the contract takes energy by meter alone", Some("2.00")),
        ("m", "10.000 kWh of energy by pdu", twice, None),
    ];
    assert_eq!(told(world).await, expected.map(owned));
}

#[tokio::test]
async fn what_no_component_bills_is_told_by_machine_and_measure() {
    let reserved = json!([{"id": "reserved", "kind": "gpu_reserved", "currency": "USD",
        "unit": "USD/GPU-hour", "unit_price": "2", "gpus": 8}]);
    let mut world = world(reserved, &json!({}));
    world.mined("m", JANUARY_US + DAY_US, 3 << 32);
    world.mined("m", JANUARY_US + 2 * DAY_US, 4 << 32);
    world.read("m", JANUARY_US + DAY_US, 0);
    world.read("m", JANUARY_US + 2 * DAY_US, 5_000);
    world.allocated("m", "a", (4, ""), JANUARY_US + DAY_US, JANUARY_US + DAY_US + 10 * HOUR_US);
    world.allocated("m", "b", (2, ""), JANUARY_US + DAY_US, JANUARY_US + DAY_US + 10 * HOUR_US);
    let why = "no component of the contract bills it";
    let expected = [
        ("m", "7.000 difficulty of work on chain main", why, None),
        ("m", "5.000 kWh of energy by meter", why, None),
        ("m", "60.000 GPU-hours of time of whole GPUs", why, None),
    ];
    assert_eq!(told(world).await, expected.map(owned));
}

#[tokio::test]
async fn a_machine_assigned_before_its_contract_holds_is_told() {
    let power = json!([{"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh",
        "unit_price": "0.10"}]);
    let mut world = world(power, &json!({}));
    let place = world.facts.iter().position(|(_, kind, _)| kind == "contract").unwrap();
    world.facts[place].2.valid_from_us = JANUARY_US + 10 * DAY_US;
    world.read("m", JANUARY_US + 5 * DAY_US, 0);
    world.read("m", JANUARY_US + 15 * DAY_US, 10_000);
    let why = "the machine is assigned to the contract while no version of it is in effect";
    assert_eq!(told(world).await, [owned(("m", "5.000 kWh of energy by meter", why, None))]);
}
