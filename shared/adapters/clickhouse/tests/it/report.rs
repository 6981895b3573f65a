//! The report of a site on the real engine, against figures computed by hand. A process can hold only one engine, so
//! this file has one test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod readers;

use std::collections::BTreeMap;

use crate::support::{Engine, connect};
use serde_json::{Value, json};
use wb_auth::{CustomerId, TenantScope};
use wb_clickhouse::read::ReportRequest;
use wb_clickhouse::{Cut, Read, Store};
use wb_events::facts::FactBody;
use wb_metering::report::machine::Rules;
use wb_metering::report::sheet::Sheet;
use wb_metering::report::truth::Quantity;
use wb_units::Interval;

/// 2026-10-01T00:00:00Z in microseconds.
const DAY_US: i64 = 1_790_812_800_000_000;
const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const FOREVER: Option<i64> = None;

/// An eighth of difficulty 1, in units of 2^-32.
const EIGHTH_Q32: u64 = 1 << 29;

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_what_was_recorded() {
    let engine = Engine::start().await;
    let store = connect(engine.address, "report").await;
    store.migrate().await.unwrap();
    fill(&store).await;
    a_site_is_the_sum_of_its_machines(&store).await;
    a_fleet_is_the_sum_of_its_sites(&store).await;
    parts_of_a_period_add_up(&store).await;
    a_customer_is_told_of_its_machines_alone(&store).await;
    what_is_not_committed_does_not_count(&store).await;
    too_much_is_refused(&store).await;
    readers::an_allocation_that_ended_holds_nothing_after_it(engine.address).await;
    readers::a_sample_of_an_unknown_state_is_refused(engine.address).await;
    readers::a_reading_of_an_unknown_witness_is_refused(engine.address).await;
    engine.end().await;
}

async fn insert(store: &Store, table: &str, columns: &str, values: &str) {
    let sql = format!("INSERT INTO {table} ({columns}) SELECT {values}");
    store.client().query_raw(&sql).execute().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Rows of block 1, attempt 1 are committed; those of attempt 2 are not.
const NAMED: &str = "1, 'reference', 0, 1, 0";
const UNNAMED: &str = "2, 'reference', 0, 1, 0";
const TAG: &str = "attempt, topic, partition, block, idx";

async fn fact(store: &Store, kind: &str, entity: &str, valid: (i64, Option<i64>), body: Value) {
    let to = valid.1.map_or("NULL".to_owned(), |to| to.to_string());
    // Normalised as by ingest.
    let body = FactBody::parse(kind, entity, &body.to_string()).unwrap().to_json();
    let columns = format!("{TAG}, kind, entity, valid_from_us, valid_to_us, body");
    let values = format!("{NAMED}, '{kind}', '{entity}', {}, {to}, '{body}'", valid.0);
    insert(store, "facts", &columns, &values).await;
}

async fn work(store: &Store, tag: &str, machine: &str, minute: i64) {
    let columns = format!(
        "{TAG}, site_id, machine_id, interval_start_us, chain, nbits, subsidy_sat, verdict, shares, credited_q32, \
         credited_q32_squared"
    );
    let at_us = DAY_US + minute * MINUTE_US;
    let values = format!(
        "{tag}, 's', '{machine}', {at_us}, 'main', 486604799, 5000000000, 'accepted', 1, {EIGHTH_Q32}, \
         toUInt256({EIGHTH_Q32}) * {EIGHTH_Q32}"
    );
    insert(store, "work_5m", &columns, &values).await;
}

async fn reading(store: &Store, machine: &str, witness: &str, minute: i64, register_wh: u64) {
    let columns =
        format!("{TAG}, event_time_us, event_id, site_id, machine_id, meter_id, witness, register_wh");
    let at_us = DAY_US + minute * MINUTE_US;
    let values = format!(
        "{NAMED}, {at_us}, toFixedString('id-{minute}', 16), 's', '{machine}', 'e/{machine}', '{witness}', {register_wh}"
    );
    insert(store, "energy_readings", &columns, &values).await;
}

async fn sample(store: &Store, machine: &str, minute: i64, state: &str, hashrate_hs: u64, answers: &str) {
    let columns = format!(
        "{TAG}, append_time_us, source, source_epoch, source_key, sequence, event_time_us, site_id, machine_id, family, \
         state, algorithm, hashrate_hs, power_mw, uptime_s, answers"
    );
    let at_us = DAY_US + minute * MINUTE_US;
    let values = format!(
        "{NAMED}, {at_us}, 'agent', 1, '{machine}', {minute} + 100, {at_us}, 's', '{machine}', 'braiins', '{state}', \
         'sha256d', {hashrate_hs}, NULL, {minute} * 60 + 9000, '{answers}'"
    );
    insert(store, "miner_samples", &columns, &values).await;
}

/// A sample of the node's GPU: use in parts per million, and the last fault, if given.
async fn gpu_sample(store: &Store, tag: &str, device: &str, second: i64, ppm: Option<u64>, xid: Option<u64>) {
    let columns = format!(
        "{TAG}, event_time_us, event_id, site_id, node_id, device, utilisation_ppm, engine_active_ppm, last_xid"
    );
    let at_us = DAY_US + second * 1_000_000;
    let said = |value: Option<u64>| value.map_or("NULL".to_owned(), |value| value.to_string());
    let values = format!(
        "{tag}, {at_us}, toFixedString('g{second}{}{}', 16), 's', 'n1', '{device}', {}, 1000000, {}",
        said(ppm),
        said(xid),
        said(ppm),
        said(xid)
    );
    insert(store, "gpu_samples", &columns, &values).await;
}

/// Forty minutes of two GPUs of the eight; one of them fails in the last minutes of the job.
async fn fill_gpu_samples(store: &Store) {
    for slot in 0..8 {
        let second = 300 * slot;
        gpu_sample(store, NAMED, "a", second, Some(400_000), None).await;
        gpu_sample(store, NAMED, "a", second + 100, Some(600_000), Some(0)).await;
        gpu_sample(store, UNNAMED, "a", second + 200, Some(0), Some(13)).await;
        gpu_sample(store, NAMED, "b", second + 10, Some(1_000_000), None).await;
    }
    // Values of one moment in two samples, as from two requests of a remote write; and repeated.
    gpu_sample(store, NAMED, "b", 2_100, None, Some(79)).await;
    gpu_sample(store, NAMED, "b", 2_100, Some(1_000_000), None).await;
    gpu_sample(store, NAMED, "b", 2_100, Some(1_000_000), None).await;
    gpu_sample(store, NAMED, "b", 3_500, None, Some(0)).await;
    gpu_sample(store, NAMED, "a", -100, None, Some(48)).await;
    gpu_sample(store, NAMED, "a", 3_550, None, Some(31)).await;
}

async fn fill(store: &Store) {
    insert(store, "manifest", "commit_offset, topic, partition, block, attempt", "4, 'reference', 0, 1, 1")
        .await;
    let always = (0, FOREVER);
    let site = |name: &str| {
        json!({"name": name, "time_zone": "America/Chicago", "power_price_series": "s-power",
            "btc_price_series": "btc", "gpu_price_series": "gpu"})
    };
    fact(store, "site", "s", always, site("S")).await;
    fact(store, "site", "t", always, json!({"name": "T", "time_zone": "UTC"})).await;
    let miner = |site: &str| json!({"site_id": site, "model": "S21", "rated_power_mw": 3_600_000, "rated_hashrate_hs": "1200000"});
    fact(store, "machine", "m1", always, miner("s")).await;
    fact(store, "machine", "m2", always, miner("s")).await;
    // It moves half an hour in.
    fact(store, "machine", "m2", (DAY_US + 30 * MINUTE_US, FOREVER), miner("t")).await;
    let node = json!({"site_id": "s", "model": "H100", "rated_power_mw": 10_000_000, "gpus": 8});
    fact(store, "machine", "n1", always, node).await;
    let place = json!({"site_id": "s", "model": "Main meter", "rated_power_mw": 0});
    fact(store, "machine", "main", always, place).await;
    let meter = json!({"site_id": "s", "machine_id": "main", "measures": "site"});
    fact(store, "meter", "e/main", always, meter).await;
    let to_acme = |machine: &str| json!({"machine_id": machine, "customer_id": "acme", "contract_id": "c"});
    fact(store, "assignment", "m1", (0, Some(DAY_US + 30 * MINUTE_US)), to_acme("m1")).await;
    fact(store, "assignment", "n1", always, to_acme("n1")).await;
    let price =
        |series: &str, unit: &str, value: &str| json!({"series": series, "unit": unit, "value": value});
    fact(store, "price", "s-power", always, price("s-power", "USD/kWh", "0.10")).await;
    fact(store, "price", "btc", always, price("btc", "USD/BTC", "60000")).await;
    fact(store, "price", "gpu", always, price("gpu", "USD/GPU-hour", "2.50")).await;
    let mix = json!({"parts_ppm": {"grid": 500_000, "solar": 500_000}, "grid_renewable_ppm": 500_000});
    fact(store, "energy_mix", "s", always, mix).await;
    let window = (DAY_US + 50 * MINUTE_US, Some(DAY_US + HOUR_US));
    fact(store, "curtailment", "w", window, json!({"site_id": "s", "program": "4CP", "credit": "0.50"}))
        .await;
    // Two hours, one of them within the period.
    let earned = json!({"pool": "p", "site_id": "s", "amount_sat": "9000000000"});
    fact(store, "pool_earning", "p/1", (DAY_US - HOUR_US, Some(DAY_US + HOUR_US)), earned).await;
    // Credited above: the payout of the same pool is not counted as earned again.
    let paid = json!({"pool": "p", "site_id": "s", "amount_sat": "8000000000"});
    fact(store, "pool_payout", "p/tx", (DAY_US + 5 * MINUTE_US, FOREVER), paid).await;

    for eighth in 0..8 {
        work(store, NAMED, "m1", 5 * eighth).await;
        work(store, UNNAMED, "m1", 5 * eighth).await;
    }
    for (minute, register_wh) in [(0, 1_000), (50, 4_500), (60, 4_600)] {
        reading(store, "m1", "meter", minute, register_wh).await;
    }
    reading(store, "m2", "meter", -60, 0).await;
    reading(store, "m2", "meter", 60, 4_000).await;
    reading(store, "main", "meter", 0, 0).await;
    reading(store, "main", "meter", 60, 12_000).await;
    let answers = r#"{"s":{"STATUS":[{"Description":"FluxOS-1"}],"SUMMARY":[{"Accepted":10000,"Difficulty Accepted":655350000,"Elapsed":100000,"MHS 5s":1,"MHS av":35000000}]}}"#;
    for step in 0..=12 {
        let state = if (10..12).contains(&step) { "curtailed" } else { "hashing" };
        // The work of forty minutes, claimed for fifty.
        sample(store, "m1", 5 * step, state, if state == "hashing" { 1_789_600 } else { 0 }, answers).await;
    }
    let columns = format!(
        "{TAG}, event_time_us, site_id, node_id, allocation_id, account, state, gpus, start_us, end_us"
    );
    let (start_us, end_us) = (DAY_US + 10 * MINUTE_US, DAY_US + 40 * MINUTE_US);
    let open =
        format!("{NAMED}, {} , 's', 'n1', '7', 'acme', 'RUNNING', 4, {start_us}, NULL", start_us + MINUTE_US);
    insert(store, "gpu_spans", &columns, &open).await;
    let closed = format!("{NAMED}, {end_us}, 's', 'n1', '7', 'acme', 'COMPLETED', 4, {start_us}, {end_us}");
    insert(store, "gpu_spans", &columns, &closed).await;
    // Six more of the eight: refused.
    let over =
        format!("{NAMED}, {end_us}, 's', 'n1', '8', 'birch', 'COMPLETED', 6, {start_us} + 1, {end_us}");
    insert(store, "gpu_spans", &columns, &over).await;
    fill_gpu_samples(store).await;
}

fn request(minutes: (i64, i64), site: Option<&str>) -> ReportRequest {
    ReportRequest {
        period: Interval { start_us: DAY_US + minutes.0 * MINUTE_US, end_us: DAY_US + minutes.1 * MINUTE_US },
        site_id: site.map(str::to_owned),
        rules: Rules::default(),
        machines_max: 10,
    }
}

async fn sheet(read: &Read, minutes: (i64, i64), site: Option<&str>) -> Sheet {
    let request = request(minutes, site);
    let found = read.report(&request).await.unwrap();
    let again = read.report(&request).await.unwrap();
    assert_eq!(found, again, "the same cut, the same report");
    Sheet::new(&found.report, request.period, None, &request.rules)
}

fn operator(store: &Store) -> Read {
    store.read(TenantScope::Operator, Cut(5))
}

fn values(sheet: &Sheet) -> BTreeMap<&str, Option<i128>> {
    sheet.terms.iter().map(|change| (change.term.name.as_str(), change.term.value)).collect()
}

fn assert_terms(sheet: &Sheet, expected: &[(&str, Option<i128>)]) {
    let values = values(sheet);
    for (name, expected) in expected {
        assert_eq!(values.get(name), Some(expected), "{name} of {values:#?}");
    }
}

async fn a_site_is_the_sum_of_its_machines(store: &Store) {
    let sheet = sheet(&operator(store), (0, 60), Some("s")).await;
    assert_terms(
        &sheet,
        &[
            ("machines", Some(3)),
            // Half of 90 BTC, against the 50 of difficulty 1 that were proven.
            ("btc_produced", Some(4_500_000_000)),
            ("btc_expected", Some(5_000_000_000)),
            ("luck", Some(900_000)),
            // m1 all of the time, m2 half of it.
            ("hashrate_deployed", Some(1_800_000)),
            ("hashrate_energised", Some(1_800_000)),
            // 2^48 / 65535 hashes in an hour.
            ("hashrate_operating_average", Some(1_193_065)),
            // A quarter of them after its assignment ended.
            ("hashrate_unassigned", Some(298_266)),
            ("operational_ratio", Some(662_814)),
            // m1 by its meter, and half of the hour of m2's two.
            ("energy_miners", Some(4_600)),
            ("energy_gpus", Some(5_000)),
            // m1's second half hour, and m2.
            ("energy_unassigned", Some(1_500 + 1_000)),
            ("energy_site", Some(12_000)),
            ("pue", Some(1_250_000)),
            // 600 Wh at the nameplate less 100 that were drawn.
            ("energy_curtailed", Some(500)),
            ("power_cost_gross", Some(120)),
            ("power_credits", Some(50)),
            ("power_cost_net", Some(70)),
            // 50 minutes of 90; 10 were curtailed.
            ("uptime_raw", Some(555_556)),
            ("uptime_adjusted", Some(625_000)),
            ("gpu_hours_available", Some(8_000)),
            ("gpu_hours_sold", Some(2_000)),
            ("gpu_hours_unassigned", Some(0)),
            // Forty minutes of one at a half and of one whole; and five in which both said only that their engines
            // were active.
            ("gpu_hours_utilised", Some(1_167)),
            ("gpu_time_sampled", Some(187_500)),
            ("gpu_faults", Some(2)),
            // 45 BTC at 60,000 USD over 12 kWh x 46/96; 5 USD over 12 kWh x 50/96.
            ("revenue_per_mwh_mining", Some(46_956_521_739)),
            ("revenue_per_mwh_gpu", Some(80_000)),
            // m1: 12 of 12 samples, 2 of 12 readings; m2: 0 of 6 and 0 of 6.
            ("completeness", Some(388_889)),
            ("energy_renewable", Some(750_000)),
        ],
    );
    let shares: Vec<_> =
        sheet.witnesses.iter().map(|share| (share.witness.as_str(), share.share_ppm)).collect();
    assert_eq!(shares, [("meter", 479_167), ("nameplate", 520_833)]);
    let beyond: Vec<_> = sheet
        .comparisons
        .iter()
        .filter(|comparison| comparison.pair.is_beyond)
        .map(|comparison| (comparison.machine_id.as_deref(), comparison.quantity))
        .collect();
    // 4.5 against 5 BTC; and the firmware's average, against its own accepted shares.
    let own = (Some("m1"), Quantity::OwnHashrate);
    assert!(beyond.contains(&(None, Quantity::Earned)) && beyond.contains(&own), "{beyond:?}");
    let hashes = sheet.comparisons.iter().find(|one| one.quantity == Quantity::Hashes).unwrap();
    // 1,789,600 H/s for 50 minutes against 2^48 / 65535 hashes: a quarter more, of eight shares.
    assert_eq!((hashes.pair.left, hashes.pair.right), (5_368_800_000, 4_295_032_833));
    assert_eq!((hashes.pair.difference_ppm, hashes.pair.is_beyond), (Some(250_002), false));
    let gpu: Vec<_> = sheet
        .comparisons
        .iter()
        .filter(|one| one.quantity == Quantity::GpuTime && one.machine_id.is_some())
        .map(|one| {
            let minutes = |parts: u128| parts / 7_000_000 / 60_000_000;
            let pair = &one.pair;
            (pair.left_name, minutes(pair.left), pair.right_name, minutes(pair.right), pair.is_beyond)
        })
        .collect();
    // Four GPUs for half an hour were accepted, and six more scheduled, from a microsecond later; the GPUs spoke in all of it.
    let expected = [
        ("scheduled", 299, "allocated", 120, true),
        ("utilised", 70, "allocated", 120, false),
        ("utilised", 70, "scheduled", 299, false),
    ];
    assert_eq!(gpu, expected);
    let faults: Vec<_> = sheet
        .faults
        .iter()
        .map(|of| {
            let second = |at_us: i64| (at_us - DAY_US) / 1_000_000;
            let fault = &of.fault;
            (fault.device.device.as_str(), fault.xid, second(fault.start_us), fault.end_us.map(second))
        })
        .collect();
    // One that stood before the hour; one until the job ended, though its value stood on; one that goes on.
    let expected = [("a", 48, -100, Some(100)), ("b", 79, 2_100, Some(2_400)), ("a", 31, 3_550, None)];
    assert_eq!(faults, expected);
    assert!(sheet.notes.iter().any(|note| note.starts_with("1 allocations")), "{:?}", sheet.notes);
    assert!(!sheet.notes.iter().any(|note| note.contains("nothing was heard")), "{:?}", sheet.notes);
}

async fn a_fleet_is_the_sum_of_its_sites(store: &Store) {
    let read = operator(store);
    let fleet = sheet(&read, (0, 60), None).await;
    assert_terms(
        &fleet,
        &[
            ("hashrate_deployed", Some(2_400_000)),
            ("energy_miners", Some(5_600)),
            ("btc_expected", Some(5_000_000_000)),
            // The site t has machines, but no facts about earnings or the price of its power.
            ("btc_produced", None),
            ("power_cost_gross", None),
            ("energy_site", None),
        ],
    );
    assert_eq!(read.report(&request((0, 60), None)).await.unwrap().site_ids, ["s", "t"]);
}

async fn parts_of_a_period_add_up(store: &Store) {
    let read = operator(store);
    let whole = read.report(&request((0, 60), Some("s"))).await.unwrap().report.sums;
    for cut in [5, 25, 35, 55] {
        let mut sum = read.report(&request((0, cut), Some("s"))).await.unwrap().report.sums;
        sum.add(&read.report(&request((cut, 60), Some("s"))).await.unwrap().report.sums);
        assert_eq!(
            (sum.expected_sat, sum.miners_nj, sum.gpus_nj, sum.site_nj, sum.gpu_sold, sum.gpu_available),
            (
                whole.expected_sat,
                whole.miners_nj,
                whole.gpus_nj,
                whole.site_nj,
                whole.gpu_sold,
                whole.gpu_available
            ),
            "cut at {cut}"
        );
        assert_eq!(
            (sum.gpu_utilised, sum.gpu_sampled, sum.gpu_faults),
            (whole.gpu_utilised, whole.gpu_sampled, whole.gpu_faults),
            "cut at {cut}"
        );
        assert_eq!((sum.uptime, sum.curtailed_nj), (whole.uptime, whole.curtailed_nj), "cut at {cut}");
        assert_eq!(
            (sum.produced_sat, sum.suspense_nj),
            (whole.produced_sat, whole.suspense_nj),
            "cut at {cut}"
        );
    }
}

async fn a_customer_is_told_of_its_machines_alone(store: &Store) {
    let scope = |id: &str| TenantScope::Customer(CustomerId::new(id).unwrap());
    let read = store.read(scope("acme"), Cut(5));
    let own = sheet(&read, (0, 60), None).await;
    assert_terms(
        &own,
        &[
            ("machines", Some(2)),
            ("btc_expected", Some(3_750_000_000)),
            ("energy_miners", Some(2_100)),
            ("hashrate_unassigned", Some(0)),
            ("uptime_raw", Some(833_333)),
            ("gpu_hours_sold", Some(2_000)),
            ("gpu_hours_utilised", Some(1_167)),
            ("btc_produced", None),
            ("energy_site", None),
            ("power_cost_gross", None),
            ("pue", None),
            ("energy_renewable", None),
        ],
    );
    // Nothing is shown of the time before its own: the state at the first sample may be older.
    let first: Vec<_> = own.faults.iter().map(|of| (of.machine_id.as_str(), of.fault.xid)).collect();
    assert_eq!(first, [("n1", 79), ("n1", 31)]);
    assert!(own.notes.is_empty(), "{:?}", own.notes);
    assert_eq!(own.currency, None);
    for (customer, site) in
        [("birch", None), ("birch", Some("s")), ("acme", Some("t")), ("acme", Some("none"))]
    {
        let none = sheet(&store.read(scope(customer), Cut(5)), (0, 60), site).await;
        assert_terms(&none, &[("machines", Some(0)), ("energy_miners", None), ("uptime_raw", None)]);
        assert!(none.comparisons.is_empty() && none.notes.is_empty() && none.faults.is_empty());
    }
}

async fn what_is_not_committed_does_not_count(store: &Store) {
    let before = store.read(TenantScope::Operator, Cut(4));
    let read = before.report(&request((0, 60), None)).await.unwrap();
    assert_eq!(read.site_ids, Vec::<String>::new());
    assert_eq!(read.report.sums.hashes, 0);
}

async fn too_much_is_refused(store: &Store) {
    let read = operator(store);
    let few = ReportRequest { machines_max: 2, ..request((0, 60), Some("s")) };
    assert_eq!(read.report(&few).await.unwrap_err().code(), "WB-3207");
    let unknown = read.report(&request((0, 60), Some("x"))).await.unwrap_err();
    assert!(unknown.to_string().contains("there are s, t"), "{unknown}");
    let off = ReportRequest { period: Interval { start_us: DAY_US + 1, end_us: DAY_US + HOUR_US }, ..few };
    assert_eq!(read.report(&off).await.unwrap_err().code(), "WB-3207");
}
