//! Rows of committed blocks, read page by page on the real engine, with the owners known when the block was
//! committed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use crate::support::{Engine, connect};
use wb_clickhouse::Store;
use wb_clickhouse::committed::CommittedBlock;
use wb_clickhouse::quarantine::{QuarantineFilter, QuarantineId};

/// 2026-10-01T00:00:00Z in microseconds.
const DAY_US: i64 = 1_790_812_800_000_000;
const MINUTE_US: i64 = 60_000_000;

async fn insert(store: &Store, table: &str, columns: &str, values: &str) {
    let sql = format!("INSERT INTO {table} ({columns}) SELECT {values}");
    store.client().query_raw(&sql).execute().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn commit(store: &Store, offset: u64, topic: &str, block: u64, attempt: u64) {
    let columns = "commit_offset, topic, partition, block, attempt, events, accepted, rejected";
    insert(store, "manifest", columns, &format!("{offset}, '{topic}', 0, {block}, {attempt}, 3, 2, 1")).await;
}

async fn assignment(store: &Store, block: u64, minutes: (i64, Option<i64>), customer: &str) {
    let to = minutes.1.map_or("NULL".to_owned(), |to| (DAY_US + to * MINUTE_US).to_string());
    let columns = "attempt, topic, partition, block, idx, kind, entity, valid_from_us, valid_to_us, body";
    let body = format!(r#"{{"machine_id":"m","customer_id":"{customer}","contract_id":"of-{customer}"}}"#);
    let from = DAY_US + minutes.0 * MINUTE_US;
    let values = format!("1, 'reference', 0, {block}, 0, 'assignment', 'm', {from}, {to}, '{body}'");
    insert(store, "facts", columns, &values).await;
}

async fn work(store: &Store, block: u64, attempt: u64, idx: u32, minute: i64, verdict: &str) {
    let columns = "attempt, topic, partition, block, idx, site_id, machine_id, interval_start_us, chain, verdict, \
                   shares, credited_q32";
    let at_us = DAY_US + minute * MINUTE_US;
    let values = format!(
        "{attempt}, 'shares', 0, {block}, {idx}, 's', 'm', {at_us}, 'main', '{verdict}', 1, toUInt128({minute}) + 1"
    );
    insert(store, "work_5m", columns, &values).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_rows_are_read_with_whose_they_were_when_they_were_committed() {
    let engine = Engine::start().await;
    let store = connect(engine.address, "committed").await;
    store.migrate().await.unwrap();
    whose_it_was(&store).await;
    the_quarantine_is_read_whole(&store).await;
    engine.end().await;
}

async fn whose_it_was(store: &Store) {
    // Committed in this order: a from 00:00; a block of work; b from 00:07, so from 00:10; the same work again
    // in another block; c from 00:02, so for 00:05 alone; nobody from 00:20; and the same work once more.
    assignment(store, 0, (0, None), "a").await;
    assignment(store, 1, (7, Some(19)), "b").await;
    assignment(store, 2, (2, None), "c").await;
    for (offset, topic, block) in [
        (3, "reference", 0),
        (4, "shares", 0),
        (6, "reference", 1),
        (7, "shares", 1),
        (8, "reference", 2),
        (9, "shares", 2),
    ] {
        // An attempt is drawn for one block; the facts were written above, each in a block of its own.
        commit(store, offset, topic, block, if topic == "shares" { 10 + block } else { 1 }).await;
    }
    // A commit that two projectors wrote, and a losing attempt.
    commit(store, 7, "shares", 1, 11).await;
    for block in 0..3 {
        for (idx, minute) in (0..).zip([0, 5, 10, 20]) {
            work(store, block, 10 + block, idx, minute, "accepted").await;
            work(store, block, 2, idx, minute, "accepted").await;
        }
        work(store, block, 10 + block, 4, 0, "rejected").await;
    }
    let blocks = store.committed_blocks(4, 100).await.unwrap();
    assert_eq!(blocks.iter().map(|block| block.commit_offset).collect::<Vec<_>>(), [4, 6, 7, 8, 9]);
    assert_eq!(store.committed_blocks(0, 2).await.unwrap().len(), 2);
    let shares: Vec<CommittedBlock> = blocks.into_iter().filter(|block| block.topic == "shares").collect();
    let rows = store.committed_work(&shares, None).await.unwrap();
    let whose: Vec<(u64, u32, &str)> =
        rows.iter().map(|row| (row.commit_offset, row.idx, row.customer_id.as_str())).collect();
    let expected = [
        (4, 0, "a"),
        (4, 1, "a"),
        (4, 2, "a"),
        (4, 3, "a"),
        (7, 0, "a"),
        (7, 1, "a"),
        (7, 2, "b"),
        (7, 3, ""),
        (9, 0, "a"),
        (9, 1, "c"),
        (9, 2, "b"),
        (9, 3, ""),
    ];
    assert_eq!(whose, expected);
    assert_eq!((rows[6].contract_id.as_str(), rows[6].credited_q32, rows[6].shares), ("of-b", 11, 1));
    let after = store.committed_work(&shares, Some((7, 1))).await.unwrap();
    assert_eq!(after, rows[6..], "a page goes on after the place");
    assert!(store.committed_work(&[], None).await.unwrap().is_empty());
    let mut other = shares[0].clone();
    other.attempt = 99;
    assert!(store.committed_work(&[other], None).await.unwrap().is_empty(), "an attempt that is not there");
}

async fn the_quarantine_is_read_whole(store: &Store) {
    commit(store, 20, "energy", 0, 5).await;
    let columns = "attempt, topic, partition, block, idx, log_offset, frame_index, append_time_us, source, code, \
                   reason, original";
    for (attempt, idx, index) in [(5, 0, 3), (5, 1, 4), (6, 0, 3)] {
        let values = format!(
            "{attempt}, 'energy', 0, 0, {idx}, 77, {index}, {DAY_US}, 's', 'WB-4006', 'why', unhex('00FF0A27')"
        );
        insert(store, "quarantine", columns, &values).await;
    }
    let cut = store.cut().await.unwrap();
    let listed = store.quarantined(cut, &QuarantineFilter::default(), 10).await.unwrap();
    assert_eq!(
        listed.iter().map(|row| row.id.to_string()).collect::<Vec<_>>(),
        ["energy/0/77/4", "energy/0/77/3"],
        "the latest first, and only what is committed"
    );
    assert!(listed.iter().all(|row| row.last_redrive.is_none() && row.bytes == 4));
    let id = QuarantineId::parse("energy/0/77/3").unwrap();
    let (_, bytes) = store.quarantined_one(cut, &id).await.unwrap().unwrap();
    assert_eq!(bytes, [0, 0xff, 0x0a, 0x27]);
    let absent = QuarantineId::parse("energy/0/78/3").unwrap();
    assert!(store.quarantined_one(cut, &absent).await.unwrap().is_none());
    let filter = QuarantineFilter { code: Some("WB-4005".to_owned()), source: None };
    assert!(store.quarantined(cut, &filter, 10).await.unwrap().is_empty());
    let block = store.committed_blocks(20, 1).await.unwrap().remove(0);
    let rows = store.committed_quarantined(&block, None).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.idx).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(store.committed_quarantined(&block, Some(0)).await.unwrap(), rows[1..]);

    // A committed re-drive is shown, an uncommitted one is not.
    let columns = "attempt, topic, partition, block, idx, kind, entity, valid_from_us, body";
    for (block, at) in [(9, 1), (10, 2)] {
        let values = format!("1, 'reference', 0, {block}, 0, 'redrive', '{id}', {}, '{{}}'", DAY_US + at);
        insert(store, "facts", columns, &values).await;
    }
    commit(store, 21, "reference", 9, 1).await;
    let cut = store.cut().await.unwrap();
    let (row, _) = store.quarantined_one(cut, &id).await.unwrap().unwrap();
    assert_eq!((row.redrives, row.last_redrive), (1, Some((DAY_US + 1, "{}".to_owned()))));
}
