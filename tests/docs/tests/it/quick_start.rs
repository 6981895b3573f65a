//! The events of the quick start are read as ingest would read them, and its contract comes to the amount it shows.

use wb_rating::{Context, Contract, Period, Usage, rate_in};

use crate::markdown::Page;

#[test]
fn its_events_are_taken_and_its_bill_is_right() {
    let page = Page::read("docs/src/quick-start.md");
    let events = page.code_blocks().into_iter().find(|block| block.info == "json events").unwrap().text;
    let events: Vec<serde_json::Value> = serde_json::from_str(&events).unwrap();
    for event in &events {
        let read = wb_events::input::parse_json("first-hour", &event.to_string());
        assert!(read.is_ok(), "{:?}\n{event}", read.err());
    }
    assert!(page.text.contains(&format!("\"accepted\":{},", events.len())));
    let contract = events.iter().find(|event| event["body"]["fact"] == "contract").unwrap();
    let contract = Contract::parse(&contract["body"]["body"].to_string()).unwrap();
    let readings: Vec<u64> =
        events.iter().filter_map(|event| event["body"]["register_wh"].as_u64()).collect();
    let energy_mwh = (readings[1] - readings[0]) * 1_000;
    let usage = Usage::parse(&format!(
        r#"{{"energy": [{{"machine_id": "miner-1", "meter_id": "meter-1", "witness": "meter",
            "energy_mwh": "{energy_mwh}", "resets": 0, "unknown_us": 0}}]}}"#
    ));
    let context = Context::whole(Period::month("2025-06", "UTC").unwrap().interval).unwrap();
    let lines = rate_in(&contract, &context, &usage.unwrap()).unwrap();
    let amount = format!("{} {}", lines[0].amount.decimal_text(), lines[0].amount.currency.code());
    assert!(page.text.contains(&format!("issued open {amount}\n")), "{amount}");
}
