//! The store on the real engine: migrations, the tables' columns, and the figures of the reads against figures
//! computed by hand. A process can hold only one engine, so this file has one test, which uses a separate database
//! for each part.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod heads;
mod migrations;
mod timelines;

use std::net::SocketAddr;

use crate::support::{Engine, connect};
use prost::Message;
use wb_auth::{CustomerId, TenantScope};
use wb_clickhouse::read::{PageRequest, Selection, SeriesRange};
use wb_clickhouse::{Cut, Store};
use wb_events::frame::{self, FrameKey};
use wb_events::{Body, Event, Fact};
use wb_fold::{Assembler, BlockId, FoldedBlock, LogRecord, MemoryArchive, State};

/// 2026-10-01T00:00:00Z in microseconds.
const DAY_US: i64 = 1_790_812_800_000_000;
const MINUTE_US: i64 = 60_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_its_word_on_the_real_engine() {
    let engine = Engine::start().await;
    let address = engine.address;
    let (store, other) = (connect(address, "migrations").await, connect(address, "migrations").await);
    migrations::are_applied_once_and_never_changed(&store, &other).await;
    migrations::go_on_where_they_were_killed(&connect(address, "killed").await).await;
    columns_that_differ_are_named(address).await;
    assignments_hold_from_boundary_to_boundary(address).await;
    timelines::hold_as_the_rule_says(address).await;
    only_what_is_committed_before_the_cut_counts(address).await;
    energy_is_spread_without_loss(address).await;
    pages_hold_everything_once(address).await;
    shares_are_counted_where_their_hashes_lie(address).await;
    recent_work_and_luck_are_read_as_of_the_cut(address).await;
    a_refusal_names_what_was_asked(address).await;
    let heads = ready(address, "heads").await;
    heads::are_found_without_reading_all_commits(&heads).await;
    heads::follow_what_is_removed(&ready(address, "removing").await).await;
    blocks_come_back_as_they_were_written_and_losers_go(address).await;
    engine.end().await;
}

async fn ready(address: SocketAddr, database: &str) -> Store {
    let store = connect(address, database).await;
    store.migrate().await.unwrap();
    store.check_columns().await.unwrap();
    store
}

async fn insert(store: &Store, table: &str, columns: &str, values: &str) {
    let sql = format!("INSERT INTO {table} ({columns}) SELECT {values}");
    store.client().query_raw(&sql).execute().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Commits block `block`, attempt 1, at an offset.
async fn commit(store: &Store, offset: u64, block: u64) {
    let columns = "commit_offset, topic, partition, block, attempt";
    insert(store, "manifest", columns, &format!("{offset}, 'reference', 0, {block}, 1")).await;
}

/// A fact in block 1 at a place in it.
async fn fact(store: &Store, idx: u32, kind: &str, entity: &str, valid: (i64, Option<i64>), body: &str) {
    let to = valid.1.map_or("NULL".to_owned(), |to| to.to_string());
    let columns = "attempt, topic, partition, block, idx, kind, entity, valid_from_us, valid_to_us, body";
    let values = format!("1, 'reference', 0, 1, {idx}, '{kind}', '{entity}', {}, {to}, '{body}'", valid.0);
    insert(store, "facts", columns, &values).await;
}

async fn work(store: &Store, block: u64, attempt: u64, machine: &str, minute: i64, q32: u64) {
    let columns = "attempt, topic, partition, block, idx, site_id, machine_id, interval_start_us, chain, verdict, \
                   shares, credited_q32, credited_q32_squared";
    let at_us = DAY_US + minute * MINUTE_US;
    let values = format!(
        "{attempt}, 'reference', 0, {block}, 0, 's', '{machine}', {at_us}, 'main', 'accepted', 1, {q32}, \
         toUInt256({q32}) * {q32}"
    );
    insert(store, "work_5m", columns, &values).await;
}

fn customer(id: &str) -> TenantScope {
    TenantScope::Customer(CustomerId::new(id).unwrap())
}

fn day() -> SeriesRange {
    SeriesRange::whole(DAY_US, DAY_US + 1_440 * MINUTE_US).unwrap()
}

/// The credited work of a day, summed over its points.
async fn total(store: &Store, scope: TenantScope, cut: u64, selection: &Selection) -> String {
    let points = store.read(scope, Cut(cut)).hashrate(day(), selection).await.unwrap();
    assert!(points.len() <= 1);
    points.first().map_or("0".to_owned(), |point| point.credited_q32.to_string())
}

async fn columns_that_differ_are_named(address: SocketAddr) {
    let store = ready(address, "columns").await;
    let alter = "ALTER TABLE work_5m MODIFY COLUMN shares UInt32";
    store.client().query_raw(alter).execute().await.unwrap();
    let refusal = store.check_columns().await.unwrap_err();
    assert_eq!(refusal.code(), "WB-3205");
    assert!(refusal.to_string().contains("column shares is UInt32, but UInt64 is needed"), "{refusal}");
}

async fn assignments_hold_from_boundary_to_boundary(address: SocketAddr) {
    let store = ready(address, "assignments").await;
    commit(&store, 0, 1).await;
    let second = 1_000_000;
    let to = |customer: &str| format!(r#"{{"machine_id":"m","customer_id":"{customer}","contract_id":"c"}}"#);
    // a from 00:00; b from 00:07, so from 00:10; c never, because d starts in the same five minutes; d from 00:20
    // until 00:32, so until 00:35; e from 01:00, recorded twice: the later record counts.
    fact(&store, 0, "assignment", "m", (DAY_US, None), &to("a")).await;
    fact(&store, 1, "assignment", "m", (DAY_US + 7 * MINUTE_US, None), &to("b")).await;
    fact(&store, 2, "assignment", "m", (DAY_US + 16 * MINUTE_US, None), &to("c")).await;
    fact(
        &store,
        3,
        "assignment",
        "m",
        (DAY_US + 17 * MINUTE_US, Some(DAY_US + 31 * MINUTE_US + second)),
        &to("d"),
    )
    .await;
    fact(&store, 5, "assignment", "m", (DAY_US + 60 * MINUTE_US, None), &to("e")).await;
    fact(&store, 4, "assignment", "m", (DAY_US + 60 * MINUTE_US, None), &to("x")).await;
    for (step, minute) in [0, 5, 10, 15, 20, 25, 30, 35, 55, 60, 65].into_iter().enumerate() {
        // Powers of two, so that a sum shows its intervals.
        work(&store, 1, 1, "m", minute, 1 << step).await;
    }
    for (id, expected) in [
        ("a", 0b00000000011),
        ("b", 0b00000001100),
        ("c", 0),
        ("d", 0b00001110000),
        ("e", 0b11000000000),
        ("x", 0),
        ("nobody", 0),
    ] {
        let whose = Selection::Customer(id.to_owned());
        assert_eq!(total(&store, customer(id), 1, &Selection::All).await, expected.to_string(), "{id}");
        assert_eq!(total(&store, TenantScope::Operator, 1, &whose).await, expected.to_string(), "{id}");
        if id != "b" {
            assert_eq!(total(&store, customer("b"), 1, &whose).await, "0", "b asks for {id}");
        }
    }
    // Between d's end and e's start the machine is unassigned, and only the operator sees its work.
    assert_eq!(total(&store, TenantScope::Operator, 1, &Selection::All).await, 0b11111111111.to_string());
}

async fn only_what_is_committed_before_the_cut_counts(address: SocketAddr) {
    let store = ready(address, "cuts").await;
    commit(&store, 3, 1).await;
    commit(&store, 8, 2).await;
    // Two projectors wrote the same record: a repeat is harmless.
    commit(&store, 8, 2).await;
    for (block, attempt, q32) in [(1, 1, 1), (1, 2, 10), (2, 1, 100), (3, 1, 1_000)] {
        work(&store, block, attempt, "m", 0, q32).await;
    }
    assert_eq!(store.cut().await.unwrap(), Cut(9));
    for (cut, expected) in [(0, "0"), (3, "0"), (4, "1"), (8, "1"), (9, "101"), (1_000, "101")] {
        assert_eq!(total(&store, TenantScope::Operator, cut, &Selection::All).await, expected, "cut {cut}");
    }
    // 65535 in 2^-32 over one bucket of five minutes: 65536 hashes / 300 s.
    work(&store, 2, 1, "k", 5, 65_535).await;
    let one = SeriesRange::new(DAY_US, DAY_US + 10 * MINUTE_US, 5 * MINUTE_US).unwrap();
    let read = store.read(TenantScope::Operator, Cut(9));
    let points = read.hashrate(one, &Selection::Machine("k".into())).await.unwrap();
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].bucket.start_us, DAY_US + 5 * MINUTE_US);
    assert_eq!((points[0].hashrate_hs.to_string(), points[0].shares), ("218".to_owned(), 1));
    assert_eq!(points[0].hashrate_sigma_hs, points[0].hashrate_hs, "one share says little");
}

/// A block of an event of each kind but shares, with one event that is refused.
fn folded(block: u64, refused: u32) -> FoldedBlock {
    let key = FrameKey::new([1; 32]);
    let facts = ["site", "customer"].map(|kind| Event {
        source: "s".into(),
        key: kind.into(),
        sequence: block,
        event_time_us: DAY_US,
        body: Some(Body::Fact(Fact { kind: kind.into(), entity: "e".into(), ..Fact::default() })),
        ..Event::default()
    });
    let mut events: Vec<Vec<u8>> = facts.iter().map(Message::encode_to_vec).collect();
    events.extend((0..refused).map(|length| vec![0xff; 300 + usize::try_from(length % 900).unwrap()]));
    let records = [frame::encode_events("i", events, &key), frame::encode_punctuation("a", 0, &key)];
    let mut assembler = Assembler::new(0, key);
    let records =
        (0..).zip(records).map(|(offset, payload)| LogRecord { offset, append_time_us: DAY_US, payload });
    let closed = records.filter_map(|record| assembler.push(record)).next().unwrap();
    let id = BlockId { topic: "reference".into(), partition: 0, block };
    wb_fold::fold(id, &mut State::default(), &mut MemoryArchive::default(), &closed).unwrap()
}

async fn rows(store: &Store, table: &str) -> Vec<u64> {
    let sql = format!("SELECT DISTINCT attempt FROM {table} ORDER BY attempt");
    store.client().query(&sql).fetch_all().await.unwrap()
}

async fn blocks_come_back_as_they_were_written_and_losers_go(address: SocketAddr) {
    let store = ready(address, "blocks").await;
    let block = folded(1, 1);
    assert_eq!(
        block.tables.iter().map(|table| table.name).collect::<Vec<_>>(),
        ["facts", "quarantine", "block_counts"]
    );
    for attempt in [7, 8] {
        store.write_block(&block, attempt).await.unwrap();
        assert_eq!(store.verify_block(&block, attempt).await.unwrap(), None);
    }
    assert_eq!(
        store.verify_block(&block, 9).await.unwrap().unwrap().table,
        "facts",
        "there is no such attempt"
    );
    store
        .client()
        .query(
            "ALTER TABLE facts UPDATE body = 'x' WHERE attempt = 8 AND idx = 1 SETTINGS mutations_sync = 1",
        )
        .execute()
        .await
        .unwrap();
    assert_eq!(store.verify_block(&block, 8).await.unwrap().unwrap().table, "facts", "one value was changed");
    store.client().query("DELETE FROM quarantine WHERE attempt = 7").execute().await.unwrap();
    assert_eq!(
        store.verify_block(&block, 7).await.unwrap().unwrap().table,
        "quarantine",
        "one row is missing"
    );

    // Several chunks, with rows of any length across their bounds.
    let large = folded(3, 4_000);
    store.write_block(&large, 1).await.unwrap();
    assert_eq!(store.verify_block(&large, 1).await.unwrap(), None);
    assert_eq!(large.counts.rejected(), 4_000);
    store.client().query("DELETE FROM quarantine WHERE block = 3").execute().await.unwrap();

    let committed = folded(2, 1);
    for attempt in [3, 4, 5] {
        store.write_block(&committed, attempt).await.unwrap();
    }
    assert_eq!(store.collect_garbage().await.unwrap(), 0, "no block is committed, so nobody has lost");
    insert(&store, "manifest", "commit_offset, topic, partition, block, attempt", "1, 'reference', 0, 2, 4")
        .await;
    assert!(store.collect_garbage().await.unwrap() >= 2);
    assert_eq!(store.collect_garbage().await.unwrap(), 0);
    assert_eq!(rows(&store, "facts").await, [1, 4, 7, 8], "the attempts of the uncommitted block stay");
    assert_eq!(store.verify_block(&committed, 4).await.unwrap(), None);
}

async fn shares_are_counted_where_their_hashes_lie(address: SocketAddr) {
    let store = ready(address, "positions").await;
    commit(&store, 0, 1).await;
    fact(
        &store,
        0,
        "machine",
        "m",
        (DAY_US + 60 * MINUTE_US, None),
        r#"{"site_id":"s","rated_hashrate_hs":"7"}"#,
    )
    .await;
    let session = |difficulty: u32| {
        format!(r#"{{"machine_id":"m","chain":"main","assigned_difficulty":"{difficulty}"}}"#)
    };
    fact(&store, 1, "session", "old", (DAY_US, None), &session(1_024)).await;
    fact(&store, 2, "session", "new", (DAY_US + 90 * MINUTE_US, None), &session(512)).await;
    fact(&store, 3, "session", "later", (DAY_US + 1_500 * MINUTE_US, None), &session(9)).await;
    work(&store, 1, 1, "m", 65, 3_000).await;
    work(&store, 1, 1, "m", 70, 5_000).await;
    // Hashes all over the range below the target of each difficulty, and at its ends.
    let mut expected = std::collections::BTreeMap::<u16, u64>::new();
    for (index, q32) in [1_u128 << 32, 3_000, 5_000, (1 << 77) + 12_345].into_iter().enumerate() {
        let target = (ruint::aliases::U256::from(0xffff) << 240) / ruint::aliases::U256::from(q32);
        for part in [0_u64, 1, 8, 9, 4_095, 4_096, 5_000, 8_183, 8_184, 8_192] {
            let hash = target / ruint::aliases::U256::from(8_192) * ruint::aliases::U256::from(part);
            let bin = u16::try_from(wb_statistics::uniformity::bin(hash, q32)).unwrap();
            *expected.entry(bin).or_default() += 1;
            let columns = "attempt, topic, partition, block, idx, event_time_us, share_id, machine_id, chain, \
                           credited_q32, verdict, hash";
            let at_us = DAY_US + 61 * MINUTE_US;
            let values = format!(
                "1, 'reference', 0, 1, 0, {at_us}, toFixedString('{index}-{part}', 16), 'm', 'main', toUInt128('{q32}'), \
                 'accepted', reinterpretAsFixedString(toUInt256('{hash}'))"
            );
            insert(&store, "shares", columns, &values).await;
        }
    }
    let read = store.read(TenantScope::Operator, Cut(1));
    let page = PageRequest::new(1_000, None).unwrap();
    let workers = read.workers(&page, day(), &Selection::Machine("m".into())).await.unwrap();
    assert_eq!((workers.rows.len(), workers.has_next), (1, false));
    let worker = &workers.rows[0];
    let hours_us = 23 * 60 * 60_000_000_u64;
    assert_eq!((worker.duration_us, worker.rated_us), (hours_us, hours_us));
    assert_eq!(worker.rated_hs_us.to_string(), (7 * hours_us).to_string());
    assert_eq!(worker.assigned.as_ref().unwrap().difficulty, "512", "the latest one in the range");
    let work = &worker.work[0];
    assert_eq!((worker.work.len(), work.shares, work.chain.as_str()), (1, 2, "main"));
    assert_eq!(work.credited_q32.to_string(), "8000");
    assert_eq!(work.credited_q32_squared.to_string(), "34000000");
    assert_eq!(work.largest_q32.to_string(), "5000");
    assert_eq!(work.positions, expected.into_iter().collect::<Vec<_>>());
    // Another site has no rows, and a range of a month and a day is too long.
    let elsewhere = read.workers(&page, day(), &Selection::Site("elsewhere".into())).await.unwrap();
    assert!(elsewhere.rows.is_empty() && elsewhere.end_cursor.is_none());
    let long = SeriesRange::whole(DAY_US, DAY_US + 32 * 1_440 * MINUTE_US).unwrap();
    assert_eq!(read.workers(&page, long, &Selection::All).await.unwrap_err().code(), "WB-3207");
}

async fn energy_is_spread_without_loss(address: SocketAddr) {
    let store = ready(address, "energy").await;
    commit(&store, 0, 1).await;
    let reading = |machine: &'static str,
                   meter: &'static str,
                   witness: &'static str,
                   second: i64,
                   register_wh: u64| {
        let store = store.clone();
        async move {
            let columns = "attempt, topic, partition, block, idx, event_time_us, site_id, machine_id, meter_id, \
                           witness, register_wh";
            let at_us = DAY_US + second * 1_000_000;
            let values = format!(
                "1, 'reference', 0, 1, 0, {at_us}, 's', '{machine}', '{meter}', '{witness}', {register_wh}"
            );
            insert(&store, "energy_readings", columns, &values).await;
        }
    };
    // From 00:01:40 to 00:11:40 the register goes up by 7 Wh, then it falls (a reset), then it
    // goes up by 3 Wh from 00:15 to 00:20. It is read out of order.
    reading("m", "r", "meter", 1_200, 4).await;
    reading("m", "r", "meter", 100, 100).await;
    reading("m", "r", "meter", 900, 1).await;
    reading("m", "r", "meter", 700, 107).await;
    // A worse witness counts only where the better one has no reading: 00:20 to 00:25.
    reading("m", "p", "pdu", 0, 0).await;
    reading("m", "p", "pdu", 1_500, 1_500).await;
    let read = store.read(TenantScope::Operator, Cut(1));
    let range = SeriesRange::new(DAY_US, DAY_US + 30 * MINUTE_US, 5 * MINUTE_US).unwrap();
    let points = read.energy(range, &Selection::All).await.unwrap();
    let found: Vec<(i64, &str, i128)> = points
        .iter()
        .map(|point| ((point.bucket.start_us - DAY_US) / MINUTE_US, point.witness.as_str(), point.energy_mwh))
        .collect();
    // floor(7000 * 200/600) = 2333; floor(7000 * 500/600) - 2333 = 3500; the rest: 1167.
    let expected = [
        (0, "meter", 2_333),
        (5, "meter", 3_500),
        (10, "meter", 1_167),
        (15, "meter", 3_000),
        (20, "pdu", 300_000),
    ];
    assert_eq!(found, expected);
    energy_follows_the_rule_of_metering(&store).await;
    // Any split of the time adds up to the same.
    let whole = read.energy(day(), &Selection::Machine("m".into())).await.unwrap();
    assert_eq!(whole.iter().map(|point| point.energy_mwh).sum::<i128>(), 7_000 + 3_000 + 300_000);
}

/// A register read at odd times, with resets, repeats and gaps, gives the same figures here and in
/// `wb_metering`.
async fn energy_follows_the_rule_of_metering(store: &Store) {
    use wb_metering::energy::{RegisterReading, energy_in};
    const SEED: u64 = 0x5eed_0001;
    let mut state = SEED;
    let mut random = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let (mut readings, mut register_wh, mut at_us) = (Vec::new(), 0, DAY_US - 700 * 1_000_000);
    for index in 0..60_u8 {
        // Now and then the same instant again, a gap of an hour, or a reset.
        at_us += match random(9) {
            0 => 0,
            1 => 3_600_000_000,
            _ => i64::try_from(random(400_000_000)).unwrap(),
        };
        register_wh = if random(12) == 0 { random(50) } else { register_wh + random(5_000) };
        let id = [index; 16];
        readings.push(RegisterReading { at_us, id, register_wh });
        let columns = "attempt, topic, partition, block, idx, event_time_us, event_id, site_id, machine_id, meter_id, \
                       witness, register_wh";
        let id_hex = format!("{index:02x}").repeat(16);
        let values = format!(
            "1, 'reference', 0, 1, {index}, {at_us}, unhex('{id_hex}'), 's', 'random', 'q', 'firmware', {register_wh}"
        );
        insert(store, "energy_readings", columns, &values).await;
    }
    let range = SeriesRange::new(DAY_US, DAY_US + 600 * MINUTE_US, 5 * MINUTE_US).unwrap();
    let read = store.read(TenantScope::Operator, Cut(1));
    let points = read.energy(range, &Selection::Machine("random".into())).await.unwrap();
    assert!(points.len() > 20, "the register covers {} intervals", points.len());
    for slot in 0..120 {
        let start_us = DAY_US + slot * 5 * MINUTE_US;
        let interval = wb_units::Interval { start_us, end_us: start_us + 5 * MINUTE_US };
        let expected = energy_in(&readings, interval).energy_mwh;
        let found =
            points.iter().find(|point| point.bucket.start_us == start_us).map_or(0, |point| point.energy_mwh);
        assert_eq!(u128::try_from(found).unwrap(), expected, "slot {slot}, seed {SEED:#x}");
    }
}

async fn pages_hold_everything_once(address: SocketAddr) {
    let store = ready(address, "pages").await;
    commit(&store, 0, 1).await;
    for index in 0..7_u32 {
        let body = format!(r#"{{"site_id":"s{}","model":"M","rated_power_mw":"9"}}"#, index % 2);
        fact(&store, index, "machine", &format!("m{index}"), (0, None), &body).await;
    }
    let read = store.read(TenantScope::Operator, Cut(1));
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = read.machines(&PageRequest::new(3, after).unwrap(), None).await.unwrap();
        found.extend(page.rows.iter().map(|machine| machine.machine_id.clone()));
        after = page.end_cursor;
        if !page.has_next {
            break;
        }
    }
    assert_eq!(found, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
    let at_site = read.machines(&PageRequest::new(10, None).unwrap(), Some("s1")).await.unwrap();
    assert_eq!(at_site.rows.len(), 3);
    assert_eq!(at_site.rows[0].rated_power_mw, Some(9));
    assert_eq!(at_site.rows[0].customer_id, None);
}

async fn recent_work_and_luck_are_read_as_of_the_cut(address: SocketAddr) {
    let store = ready(address, "recent").await;
    commit(&store, 0, 1).await;
    commit(&store, 1, 2).await;
    let day = 1_440;
    // Two machines side by side, silence, and what is too old, too young or not committed before the cut.
    for (block, attempt, machine, minute, q32) in [
        (1, 1, "m", 0, 3),
        (1, 1, "n", 0, 4),
        (1, 1, "m", 15, 5),
        (1, 1, "m", 25, 70),
        (1, 1, "m", 25 - 31 * day - 5, 700),
        (1, 2, "m", 10, 7_000),
        (2, 1, "m", 10, 70_000),
    ] {
        work(&store, block, attempt, machine, minute, q32).await;
    }
    let read = store.read(TenantScope::Operator, Cut(1));
    let at_us = DAY_US + 25 * MINUTE_US;
    let found = read.recent_work(at_us, &Selection::All).await.unwrap();
    assert_eq!((found.len(), found[0].chain.as_str()), (1, "main"));
    assert_eq!(found[0].credited_q32.iter().map(|q32| q32.to::<u64>()).collect::<Vec<_>>(), [7, 0, 0, 5, 0]);
    let of_n = read.recent_work(at_us, &Selection::Machine("n".into())).await.unwrap();
    assert_eq!(of_n[0].credited_q32.iter().map(|q32| q32.to::<u64>()).sum::<u64>(), 4);
    for off in [at_us + 1, 0, -5 * MINUTE_US] {
        assert_eq!(read.recent_work(off, &Selection::All).await.unwrap_err().code(), "WB-3207", "{off}");
    }

    let columns = "attempt, topic, partition, block, idx, site_id, machine_id, interval_start_us, chain, nbits, \
                   verdict, shares, blocks, credited_q32";
    for (nbits, verdict, blocks, q32) in
        [(7, "accepted", 2, 11), (7, "rejected", 1, 0), (8, "accepted", 0, 13)]
    {
        let values = format!(
            "1, 'reference', 0, 1, 0, 's', 'm', {}, 'luck', {nbits}, '{verdict}', 1, {blocks}, {q32}",
            DAY_US + 60 * MINUTE_US
        );
        insert(&store, "work_5m", columns, &values).await;
    }
    let groups = read.work_under_targets(self::day(), &Selection::All).await.unwrap();
    let plain: Vec<(&str, u32, u64, String)> = groups
        .iter()
        .map(|group| (group.chain.as_str(), group.nbits, group.blocks, group.credited_q32.to_string()))
        .collect();
    let expected = [("luck", 7, 2, "11".into()), ("luck", 8, 0, "13".into()), ("main", 0, 0, "82".into())];
    assert_eq!(plain, expected);
    let long = SeriesRange::whole(DAY_US, DAY_US + (31 * day + 5) * MINUTE_US).unwrap();
    assert_eq!(read.work_under_targets(long, &Selection::All).await.unwrap_err().code(), "WB-3207");
}

async fn a_refusal_names_what_was_asked(address: SocketAddr) {
    let store = connect(address, "absent").await;
    let refusal = store.cut().await.unwrap_err();
    assert_eq!(refusal.code(), "WB-3202");
    assert!(refusal.to_string().contains("find the newest cut"), "{refusal}");
    let nobody = Store::connect("http://127.0.0.1:1", "absent", None, None).await;
    assert_eq!(nobody.err().unwrap().code(), "WB-3202");
}
