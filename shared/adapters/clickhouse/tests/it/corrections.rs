//! Corrections on the real engine: voided events do not count at a later cut but still do at an earlier one, and a
//! wrong ratio is corrected. A process can hold only one engine, so this file has one test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use crate::support::{Engine, connect};
use serde_json::{Value, json};
use wb_auth::{CustomerId, TenantScope};
use wb_clickhouse::corrections::CorrectionsAt;
use wb_clickhouse::read::{ReportRequest, SeriesRange};
use wb_clickhouse::sealed::work_rows;
use wb_clickhouse::{Cut, Read, Store, read::Selection};
use wb_events::facts::{FactBody, id_text};
use wb_events::identity::id_of;
use wb_metering::report::machine::Rules;
use wb_metering::report::site::SiteReport;
use wb_metering::report::truth::Quantity;
use wb_metering::uptime::Status;
use wb_units::Interval;

/// 2026-10-01T00:00:00Z in microseconds.
const DAY_US: i64 = 1_790_812_800_000_000;
const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
/// An eighth of difficulty 1, in units of 2^-32.
const EIGHTH_Q32: u64 = 1 << 29;
const TAG: &str = "attempt, topic, partition, block, idx";
const COUNT: &str = "source, source_epoch, source_key, sequence";

#[tokio::test(flavor = "multi_thread")]
async fn corrections_change_what_is_computed_later_and_nothing_else() {
    let engine = Engine::start().await;
    let store = connect(engine.address, "corrections").await;
    store.migrate().await.unwrap();
    fill(&store).await;
    without_voids_no_share_is_read(&store).await;
    recorded_events_are_known_by_proof_and_by_count(&store).await;
    what_is_voided_counts_no_more(&store).await;
    a_wrong_ratio_is_put_right(&store).await;
    an_offline_machine_is_offline_and_a_repeat_is_no_evidence(&store).await;
    payments_are_told_by_machine_and_customer(&store).await;
    lateness_is_judged_by_dated_policies(&store).await;
    allocations_are_their_accounts(&store).await;
    engine.end().await;
}

async fn insert(store: &Store, table: &str, columns: &str, values: &str) {
    let sql = format!("INSERT INTO {table} ({columns}) SELECT {values}");
    store.client().query_raw(&sql).execute().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The tag of a block of attempt 1.
fn tag(block: u64) -> String {
    format!("1, 'reference', 0, {block}, 0")
}

/// Block b is committed at offset 10 b, so the cut 10 b + 1 holds the blocks up to it.
fn at(store: &Store, block: u64) -> Read {
    store.read(TenantScope::Operator, Cut(10 * block + 1))
}

async fn fact(store: &Store, block: u64, kind: &str, entity: &str, valid: (i64, Option<i64>), body: Value) {
    let to = valid.1.map_or("NULL".to_owned(), |to| to.to_string());
    let body = FactBody::parse(kind, entity, &body.to_string()).unwrap().to_json();
    let columns = format!("{TAG}, {COUNT}, kind, entity, valid_from_us, valid_to_us, body");
    // Its block and entity are enough for its identity here.
    let values = format!(
        "{}, 'office', 7, '{kind}/{entity}', {block}, '{kind}', '{entity}', {}, {to}, '{body}'",
        tag(block),
        valid.0
    );
    insert(store, "facts", &columns, &values).await;
}

/// The identity of a fact that [`fact`] wrote.
fn fact_id(block: u64, kind: &str, entity: &str) -> String {
    id_text(&id_of("office", 7, &format!("{kind}/{entity}"), block))
}

async fn void(store: &Store, block: u64, event_id: &str) {
    let body = json!({"event_id": event_id, "who": "anna", "why": "a test load"});
    fact(store, block, "void", event_id, (DAY_US, None), body).await;
}

/// A share of m1 and its row of work.
async fn share(store: &Store, eighth: i64) {
    let at_us = DAY_US + 5 * eighth * MINUTE_US;
    let columns = format!(
        "{TAG}, {COUNT}, event_time_us, share_id, site_id, machine_id, chain, nbits, subsidy_sat, credited_q32, verdict"
    );
    let values = format!(
        "{}, 'pool', 3, 'w', {eighth}, {at_us} + 17, toFixedString('share-{eighth}', 16), 's', 'm1', 'main', 486604799, \
         5000000000, {EIGHTH_Q32}, 'accepted'",
        tag(1)
    );
    insert(store, "shares", &columns, &values).await;
    let columns = format!(
        "{TAG}, site_id, machine_id, interval_start_us, chain, nbits, subsidy_sat, verdict, shares, credited_q32, \
         credited_q32_squared"
    );
    let values = format!(
        "{}, 's', 'm1', {at_us}, 'main', 486604799, 5000000000, 'accepted', 1, {EIGHTH_Q32}, \
         toUInt256({EIGHTH_Q32}) * {EIGHTH_Q32}",
        tag(1)
    );
    insert(store, "work_5m", &columns, &values).await;
}

fn reading_id(meter: &str, minute: i64) -> [u8; 16] {
    id_of("agent", 0, meter, u64::try_from(minute).unwrap())
}

async fn reading(store: &Store, meter: &str, minute: i64, register_wh: u64) {
    let columns = format!(
        "{TAG}, {COUNT}, event_time_us, event_id, site_id, machine_id, meter_id, witness, register_wh"
    );
    let at_us = DAY_US + minute * MINUTE_US;
    let values = format!(
        "{}, 'agent', 0, '{meter}', {minute}, {at_us}, unhex('{}'), 's', 'm1', '{meter}', 'meter', {register_wh}",
        tag(1),
        id_text(&reading_id(meter, minute))
    );
    insert(store, "energy_readings", &columns, &values).await;
}

async fn sample(store: &Store, machine: &str, minute: i64, state: &str, hashrate: &str, uptime: &str) {
    let columns = format!(
        "{TAG}, append_time_us, {COUNT}, event_time_us, site_id, machine_id, family, state, algorithm, hashrate_hs, \
         power_mw, uptime_s, answers"
    );
    let at_us = DAY_US + minute * MINUTE_US;
    let values = format!(
        "{}, {at_us}, 'agent', 1, '{machine}', {minute}, {at_us}, 's', '{machine}', 'braiins', '{state}', 'sha256d', \
         {hashrate}, NULL, {uptime}, ''",
        tag(1)
    );
    insert(store, "miner_samples", &columns, &values).await;
}

async fn fill(store: &Store) {
    for block in 1..=9 {
        let values = format!("{}, 'reference', 0, {block}, 1", 10 * block);
        insert(store, "manifest", "commit_offset, topic, partition, block, attempt", &values).await;
    }
    let always = (0, None);
    fact(store, 1, "site", "s", always, json!({"name": "S", "time_zone": "UTC"})).await;
    let miner =
        json!({"site_id": "s", "model": "S21", "rated_power_mw": 3_600_000, "rated_hashrate_hs": "1200000"});
    for machine in ["m1", "m2"] {
        fact(store, 1, "machine", machine, always, miner.clone()).await;
    }
    let node = json!({"site_id": "s", "model": "H100", "rated_power_mw": 10_000_000, "gpus": 8});
    fact(store, 1, "machine", "n1", always, node).await;
    for eighth in 0..8 {
        share(store, eighth).await;
    }
    for (minute, register_wh) in [(0, 1_000), (30, 2_500), (60, 4_600)] {
        reading(store, "e1", minute, register_wh).await;
    }
    for minute in [0_i64, 5, 10] {
        sample(store, "m1", minute, "hashing", "1000000", &(600 + 60 * minute).to_string()).await;
    }
    let columns = format!(
        "{TAG}, event_time_us, event_id, site_id, node_id, allocation_id, account, state, gpus, start_us, end_us"
    );
    let (start_us, end_us) = (DAY_US + 10 * MINUTE_US, DAY_US + 40 * MINUTE_US);
    let span = format!(
        "{}, {end_us}, unhex('{}'), 's', 'n1', '7', 'acme', 'COMPLETED', 4, {start_us}, {end_us}",
        tag(1),
        id_text(&id_of("slurm", 0, "7", 1))
    );
    insert(store, "gpu_spans", &columns, &span).await;
}

fn request() -> ReportRequest {
    ReportRequest {
        period: Interval { start_us: DAY_US, end_us: DAY_US + HOUR_US },
        site_id: Some("s".to_owned()),
        rules: Rules::default(),
        machines_max: 10,
    }
}

async fn report(read: &Read) -> SiteReport {
    let found = read.report(&request()).await.unwrap().report;
    assert_eq!(found, read.report(&request()).await.unwrap().report, "the same cut, the same report");
    found
}

/// Whole blocks' worth of satoshi, energy in Wh, GPU minutes and samples.
async fn figures(read: &Read) -> (u128, u128, u128, u64) {
    let sums = report(read).await.sums;
    assert_eq!(sums.suspense_gpu, sums.gpu_sold, "the node is nobody's");
    let gpu_minutes = sums.gpu_sold / u128::from(wb_metering::gpu::allocation::WHOLE_GPU) / 60_000_000;
    let miners_wh = sums.miners_nj.unwrap() / 3_600_000_000_000;
    (sums.expected_sat, miners_wh, gpu_minutes, sums.samples_received)
}

/// Without voided shares the part of the query that subtracts them is not run.
async fn without_voids_no_share_is_read(store: &Store) {
    let sql = format!(
        "EXPLAIN ESTIMATE SELECT sum(credited_q32) FROM ({})",
        work_rows(&DAY_US.to_string(), &(DAY_US + HOUR_US).to_string(), "1")
    );
    let query = store.client().query_raw(&sql).param("cut", 11).param("sealed_cut", 0);
    let plan: Vec<(String, String, u64, u64, u64)> =
        CorrectionsAt::default().bind(query).fetch_all().await.unwrap();
    let rows = |table: &str| plan.iter().filter(|read| read.1 == table).map(|read| read.3).sum::<u64>();
    assert_eq!((rows("work_5m"), rows("shares")), (8, 0), "{plan:#?}");
}

async fn recorded_events_are_known_by_proof_and_by_count(store: &Store) {
    let proof = |text: &str| -> [u8; 16] {
        let mut id = [0; 16];
        id[..text.len()].copy_from_slice(text.as_bytes());
        id
    };
    let known = [
        proof("share-3"),
        id_of("pool", 3, "w", 4),
        reading_id("e1", 60),
        id_of("slurm", 0, "7", 1),
        id_of("agent", 1, "m1", 5),
        id_of("office", 7, "machine/m1", 1),
    ];
    let unknown = [proof("share-99"), id_of("pool", 4, "w", 4), id_of("agent", 1, "m1", 9_999), [0xff; 16]];
    let asked = [known.as_slice(), &unknown].concat();
    let found = store.usage().known_events(&asked, Cut(11)).await.unwrap();
    assert_eq!(found, known.into_iter().collect());
    // Before the commit of their block nothing is recorded.
    assert!(store.usage().known_events(&asked, Cut(10)).await.unwrap().is_empty());
}

async fn what_is_voided_counts_no_more(store: &Store) {
    let (block_sat, eighth_sat) = (5_000_000_000, 625_000_000);
    assert_eq!(figures(&at(store, 1)).await, (block_sat, 3_600, 120, 5));
    // A share by its proof, another by its sender's count.
    void(store, 2, &hex_of("share-3")).await;
    let counted = json!({"source": "pool", "source_epoch": 3, "key": "w", "sequence": 4});
    let id = id_text(&id_of("pool", 3, "w", 4));
    fact(store, 2, "void", &id, (DAY_US, None), json!({"event": counted, "who": "anna", "why": "twice"}))
        .await;
    // The reading in the middle, a span, a sample.
    void(store, 3, &id_text(&reading_id("e1", 60))).await;
    void(store, 3, &id_text(&id_of("slurm", 0, "7", 1))).await;
    void(store, 3, &id_text(&id_of("agent", 1, "m1", 5))).await;
    assert_eq!(figures(&at(store, 1)).await, (block_sat, 3_600, 120, 5), "the earlier cut stays as it was");
    assert_eq!(figures(&at(store, 2)).await, (block_sat - 2 * eighth_sat, 3_600, 120, 5));
    assert_eq!(figures(&at(store, 3)).await, (block_sat - 2 * eighth_sat, 1_500, 0, 4));
    // The series of the window use the same rows, and sums of 256 bits do not wrap at 2^128.
    let range = SeriesRange::whole(DAY_US, DAY_US + HOUR_US).unwrap();
    let points = at(store, 3).hashrate(range, &Selection::All).await.unwrap();
    let shares: u64 = points.iter().map(|point| point.shares).sum();
    let work = points.iter().fold(ruint::aliases::U256::ZERO, |sum, point| sum + point.credited_q32);
    assert_eq!((shares, work), (6, ruint::aliases::U256::from(6 * EIGHTH_Q32)));
    let verdicts = at(store, 3).verdicts(range, &Selection::All).await.unwrap();
    assert_eq!(verdicts.iter().map(|one| one.shares).sum::<u64>(), 6);
    // Conservation concerns what was counted.
    let day = i32::try_from(DAY_US / wb_units::time::DAY_US).unwrap();
    assert_eq!(store.check_day(day, Cut(31)).await.unwrap(), []);
    // One share's void is voided, and that of the reading.
    void(store, 4, &fact_id(2, "void", &hex_of("share-3"))).await;
    void(store, 4, &fact_id(3, "void", &id_text(&reading_id("e1", 60)))).await;
    assert_eq!(figures(&at(store, 4)).await, (block_sat - eighth_sat, 3_600, 0, 4));
}

fn hex_of(text: &str) -> String {
    let mut id = [0; 16];
    id[..text.len()].copy_from_slice(text.as_bytes());
    id_text(&id)
}

async fn a_wrong_ratio_is_put_right(store: &Store) {
    let ratio = |right: u32| {
        json!({"meter_id": "e1", "used_num": 200, "used_den": 5, "right_num": right, "right_den": 5, "who": "anna",
            "why": "wrong plate"})
    };
    // From the exact minute: 15 minutes of 1,500 Wh in 30.
    let span = (DAY_US + 15 * MINUTE_US, Some(DAY_US + 30 * MINUTE_US));
    fact(store, 5, "meter_ratio", "e1", span, ratio(400)).await;
    assert_eq!(figures(&at(store, 4)).await.1, 3_600);
    assert_eq!(figures(&at(store, 5)).await.1, 3_600 + 750);
    // The later recorded correction holds.
    fact(store, 6, "meter_ratio", "e1", span, ratio(100)).await;
    assert_eq!(figures(&at(store, 6)).await.1, 3_600 - 375);
    void(store, 7, &fact_id(6, "meter_ratio", "e1")).await;
    assert_eq!(figures(&at(store, 7)).await.1, 3_600 + 750);
    let notes = report(&at(store, 7)).await.notes;
    assert!(notes.iter().any(|note| note.contains("e1") && note.contains("anna")), "{notes:?}");
    // The series of energy, where a difference is floored at each settlement boundary.
    let range = SeriesRange::whole(DAY_US, DAY_US + HOUR_US).unwrap();
    let energy = at(store, 7).energy(range, &Selection::All).await.unwrap();
    assert_eq!(energy.iter().map(|point| point.energy_mwh).sum::<i128>(), 4_350_000);
}

async fn an_offline_machine_is_offline_and_a_repeat_is_no_evidence(store: &Store) {
    // m2 hashed, was silent, and then answered from a cache.
    sample(store, "m2", 0, "hashing", "1000000", "100").await;
    sample(store, "m2", 5, "offline", "NULL", "NULL").await;
    sample(store, "m2", 10, "offline", "NULL", "NULL").await;
    sample(store, "m2", 15, "hashing", "5000000", "1000").await;
    sample(store, "m2", 20, "hashing", "5000000", "1000").await;
    sample(store, "m2", 25, "hashing", "5000000", "1000").await;
    sample(store, "m2", 30, "hashing", "3000000", "1900").await;
    let found = report(&at(store, 7)).await;
    let minutes = |status| i64::try_from(found.sums.uptime.in_status_us(status)).unwrap() / MINUTE_US;
    // m1 speaks at 0 and 10, its sample at 5 is voided; m2 is offline from 5 to 15; from 15 on the next
    // evidence is 15 minutes away.
    assert_eq!((minutes(Status::Hashing), minutes(Status::Offline)), (10 + 5, 10));
    assert_eq!(minutes(Status::Reachable), 0);
    let claimed = found.truth.claims().unwrap().hashes;
    // m1 twice, m2 at 0, 15 and 30: not at 20 and 25, where the cache answered.
    assert_eq!(claimed, 300 * (2 * 1_000_000 + 1_000_000 + 5_000_000 + 3_000_000));
}

async fn lateness_is_judged_by_dated_policies(store: &Store) {
    let before = report(&at(store, 8)).await;
    let e1 = |found: &SiteReport| {
        let source = found.sources.each.iter().find(|source| source.name() == "e1").unwrap();
        (source.slots.expected, source.slots.received, source.slots.late, source.left_out)
    };
    assert_eq!(e1(&before), (12, 2, 0, 0), "without a policy nobody asks when it came");
    // The table has no append times of these readings, so they count as appended at 0, long before their time.
    let policy = json!({"site_id": "s", "meter_id": "e1", "every_us": HOUR_US / 2, "late_after_us": 0,
        "future_max_us": 1_000_000});
    fact(store, 9, "data_policy", "meter/e1", (0, None), policy).await;
    let found = report(&at(store, 9)).await;
    // The three readings and the one outside the period lie in the future: none counts.
    assert_eq!(e1(&found), (2, 0, 0, 2));
    assert_eq!(found.sources.left_out, 2);
    assert!(found.sources.watermark().idle.contains(&"e1".to_owned()));
    assert_eq!(before.sources.watermark().at_us, Some(DAY_US + 10 * MINUTE_US), "m1 is the slowest");
}

/// Before the allocation was voided; its node is nobody's.
async fn allocations_are_their_accounts(store: &Store) {
    let customer = |id: &str| store.read(TenantScope::Customer(CustomerId::new(id).unwrap()), Cut(11));
    let gpu_minutes = |found: u128| found / 7_000_000 / 60_000_000;
    let found = report(&at(store, 1)).await.sums;
    assert_eq!((gpu_minutes(found.gpu_sold), gpu_minutes(found.suspense_gpu)), (120, 120));
    // From the middle of it on.
    let from_us = DAY_US + 30 * MINUTE_US + 1;
    let to = json!({"customer_id": "birch", "contract_id": "b"});
    fact(store, 1, "account", "acme", (from_us, None), to).await;
    let found = report(&at(store, 1)).await.sums;
    assert_eq!((gpu_minutes(found.gpu_sold), gpu_minutes(found.suspense_gpu)), (120, 80));
    let held_us = u128::from((DAY_US + 40 * MINUTE_US).abs_diff(from_us));
    assert_eq!(found.gpu_sold - found.suspense_gpu, held_us * 4 * 7_000_000, "to the microsecond");
    let birch = customer("birch").report(&request()).await.unwrap();
    assert_eq!((birch.report.sums.gpu_sold, birch.report.sums.machines), (held_us * 4 * 7_000_000, 0));
    assert_eq!(birch.site_ids, ["s"]);
    assert_eq!((birch.report.sources.each.len(), birch.report.comparisons.len()), (0, 0));
    assert_eq!(customer("acme").report(&request()).await.unwrap().report.sums.gpu_sold, 0);
    let hour = Interval { start_us: DAY_US, end_us: DAY_US + HOUR_US };
    let usage = store.usage();
    let names = ["acme".to_owned()];
    let nodes = |cut: u64| usage.nodes_of_accounts(&names, hour, Cut(cut));
    assert_eq!(nodes(11).await.unwrap().into_iter().collect::<Vec<_>>(), ["n1"]);
    assert_eq!(nodes(10).await.unwrap().len(), 0, "its block was not committed yet");
    // Appended at 0, says the table: those of minutes 0 and 30, and not the one at the window's end.
    let machines = ["m1".to_owned(), "p1".to_owned(), "n1".to_owned()];
    let appended = usage.readings_appended(&machines, hour, Cut(11)).await.unwrap();
    let mut ids: Vec<[u8; 16]> = appended.iter().map(|row| row.id).collect();
    ids.sort_unstable();
    let mut expected = [reading_id("e1", 0), reading_id("e1", 30)];
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert!(appended.iter().all(|row| row.appended_at_us == 0), "{appended:?}");
    // What a close looks for before it reads.
    let with_readings = usage.machines_with_readings(&machines, Cut(11)).await.unwrap();
    assert_eq!(with_readings.into_iter().collect::<Vec<_>>(), ["m1"]);
    let held = usage.nodes_with_allocations(hour, Cut(11)).await.unwrap();
    assert!(held.contains("n1"), "{held:?}");
    let before = Interval { start_us: 0, end_us: DAY_US - HOUR_US };
    assert_eq!(usage.nodes_with_allocations(before, Cut(11)).await.unwrap().len(), 0);
}

async fn payments_are_told_by_machine_and_customer(store: &Store) {
    let to_acme = json!({"machine_id": "m1", "customer_id": "acme", "contract_id": "c"});
    fact(store, 8, "assignment", "m1", (0, None), to_acme).await;
    let hour = (DAY_US, Some(DAY_US + HOUR_US));
    let of_site = json!({"pool": "p", "site_id": "s", "amount_sat": "4000000000"});
    fact(store, 8, "pool_earning", "p/1", hour, of_site).await;
    let of_machine = json!({"pool": "p", "site_id": "s", "amount_sat": "4375000000", "machine_id": "m1",
        "customer_id": "acme"});
    fact(store, 8, "pool_earning", "p/2", hour, of_machine).await;
    let earned = |found: &SiteReport, machine: Option<&str>| -> Vec<(&str, u128, &str, u128)> {
        let of = found
            .comparisons
            .iter()
            .filter(|one| one.quantity == Quantity::Earned && one.machine_id.as_deref() == machine);
        of.map(|one| (one.pair.left_name, one.pair.left, one.pair.right_name, one.pair.right)).collect()
    };
    let found = report(&at(store, 8)).await;
    // A pool's whole payment counts once, regardless of its parts. Seven eighths were proven.
    assert_eq!(found.sums.produced_sat, Some(4_000_000_000));
    assert_eq!(earned(&found, None)[0], ("paid", 4_000_000_000, "proven", 4_375_000_000));
    assert_eq!(earned(&found, None)[1].0, "claimed");
    let of_m1 = earned(&found, Some("m1"));
    assert_eq!(of_m1[0], ("paid", 4_375_000_000, "proven", 4_375_000_000));
    assert_eq!((of_m1[1].0, of_m1[1].2), ("claimed", "paid"));
    // The customer sees its own account, but not the site's.
    let acme = store.read(TenantScope::Customer(CustomerId::new("acme").unwrap()), Cut(81));
    let own = acme.report(&request()).await.unwrap().report;
    assert_eq!(own.sums.produced_sat, Some(4_375_000_000));
    assert_eq!(earned(&own, None)[0], ("paid", 4_375_000_000, "proven", 4_375_000_000));
    let birch = store.read(TenantScope::Customer(CustomerId::new("birch").unwrap()), Cut(81));
    assert_eq!(birch.report(&request()).await.unwrap().report.comparisons, []);
}
