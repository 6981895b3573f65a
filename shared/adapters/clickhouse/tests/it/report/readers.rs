//! A report and a bill use the same rows, and an unknown value in a row is an error for both.

use std::net::SocketAddr;

use super::*;

const HOUR: Interval = Interval { start_us: DAY_US + HOUR_US, end_us: DAY_US + 2 * HOUR_US };

/// A site with a miner and a GPU node, in its own database.
async fn site(address: SocketAddr, database: &str) -> Store {
    let store = connect(address, database).await;
    store.migrate().await.unwrap();
    insert(&store, "manifest", "commit_offset, topic, partition, block, attempt", "4, 'reference', 0, 1, 1")
        .await;
    let always = (0, FOREVER);
    fact(&store, "site", "s", always, json!({"name": "S", "time_zone": "UTC"})).await;
    let miner = json!({"site_id": "s", "model": "S21", "rated_power_mw": 3_600_000});
    fact(&store, "machine", "m1", always, miner).await;
    let node = json!({"site_id": "s", "model": "H100", "rated_power_mw": 10_000_000, "gpus": 8});
    fact(&store, "machine", "n1", always, node).await;
    store
}

/// An allocation that ended before an hour but was still seen running in it, because the poll preceded the report of
/// its end. The end overrides the poll, for the report of that hour and for its bill.
pub(super) async fn an_allocation_that_ended_holds_nothing_after_it(address: SocketAddr) {
    let store = site(address, "readers_spans").await;
    let columns = format!(
        "{TAG}, event_time_us, site_id, node_id, allocation_id, account, state, gpus, start_us, end_us"
    );
    let start_us = DAY_US + 30 * MINUTE_US;
    let (end_us, seen_us) = (DAY_US + 50 * MINUTE_US, DAY_US + 70 * MINUTE_US);
    for (seen_us, state, end) in
        [(seen_us, "RUNNING", "NULL".to_owned()), (end_us, "COMPLETED", end_us.to_string())]
    {
        let row = format!("{NAMED}, {seen_us}, 's', 'n1', '7', 'acme', '{state}', 4, {start_us}, {end}");
        insert(&store, "gpu_spans", &columns, &row).await;
    }
    let mut billed = store.usage().allocations(&["n1".to_owned()], HOUR, Cut(5)).await.unwrap();
    billed.sort_by_key(|found| found.row.span.end_us);
    let ends: Vec<_> = billed.iter().map(|found| found.row.span.end_us).collect();
    assert_eq!(ends, [None, Some(end_us)], "also the row that lies before the hour");
    for scope in [TenantScope::Operator, TenantScope::Customer(CustomerId::new("acme").unwrap())] {
        let to_acme = json!({"machine_id": "n1", "customer_id": "acme", "contract_id": "c"});
        if scope.customer().is_some() {
            fact(&store, "assignment", "n1", (0, FOREVER), to_acme).await;
        }
        let read = store.read(scope, Cut(5));
        assert_terms(
            &sheet(&read, (60, 120), None).await,
            &[("gpu_hours_available", Some(8_000)), ("gpu_hours_sold", Some(0))],
        );
        // 20 minutes of four.
        assert_terms(&sheet(&read, (0, 60), None).await, &[("gpu_hours_sold", Some(1_333))]);
    }
}

/// An unknown state is an error, because counting it as silence would invent an outage.
pub(super) async fn a_sample_of_an_unknown_state_is_refused(address: SocketAddr) {
    let store = site(address, "readers_states").await;
    sample(&store, "m1", 70, "dreaming", 0, "").await;
    let ids = ["m1".to_owned()];
    let refused = store.usage().samples(&ids, HOUR, Cut(5)).await.unwrap_err();
    assert!(refused.code() == "WB-3206" && refused.to_string().contains("dreaming"), "{refused}");
    let refused = operator(&store).report(&request((60, 120), None)).await.unwrap_err();
    assert!(refused.code() == "WB-3206" && refused.to_string().contains("dreaming"), "{refused}");
    assert!(store.usage().samples(&ids, HOUR, Cut(4)).await.unwrap().is_empty(), "it is not committed yet");
}

/// A reading with an unknown witness is an error, because leaving it out would hide energy.
pub(super) async fn a_reading_of_an_unknown_witness_is_refused(address: SocketAddr) {
    let store = site(address, "readers_witnesses").await;
    reading(&store, "m1", "meter", 60, 1_000).await;
    reading(&store, "m1", "guess", 90, 1_500).await;
    let ids = ["m1".to_owned()];
    let refused = store.usage().readings(&ids, HOUR, Cut(5)).await.unwrap_err();
    assert!(refused.code() == "WB-3206" && refused.to_string().contains("guess"), "{refused}");
    let refused = operator(&store).report(&request((60, 120), None)).await.unwrap_err();
    assert!(refused.code() == "WB-3206" && refused.to_string().contains("guess"), "{refused}");
}
