//! Sealed days on the real engine: at every cut, all reads equal the sums of the blocks alone. A process can hold
//! only one engine, so this file has one test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod history;

use crate::support::{Engine, connect};
use history::History;
use wb_auth::{CustomerId, TenantScope};
use wb_clickhouse::read::{PageRequest, Selection, SeriesRange};
use wb_clickhouse::seal::{DayBlock, SealBase, SealOf, TABLES};
use wb_clickhouse::whole_days::SealsAt;
use wb_clickhouse::{Cut, Store};
use wb_units::Interval;

/// 2026-10-30T00:00:00Z in microseconds: the days of the test lie in two months.
const DAY_US: i64 = 1_793_318_400_000_000;
/// The same in days since 1970-01-01.
const DAY: i32 = 20_756;
const DAYS: i64 = 4;
const WHOLE_DAY_US: i64 = 86_400_000_000;
const SEED: u64 = 0x5ea1_5ea1;

#[tokio::test(flavor = "multi_thread")]
async fn at_every_cut_sealed_days_read_as_their_blocks() {
    let engine = Engine::start().await;
    let mut stores = Vec::new();
    for database in ["sealed", "plain"] {
        let store = connect(engine.address, database).await;
        store.migrate().await.unwrap();
        store.check_columns().await.unwrap();
        stores.push(store);
    }
    let plain = stores.pop().unwrap();
    let sealed = stores.pop().unwrap();
    println!("seed {SEED:#x}");
    the_story(History::new(sealed, plain, SEED)).await;
    engine.end().await;
}

/// Days fill, are sealed, get late rows, and are sealed again, by concurrent sealers and by one that dies half-way.
async fn the_story(mut history: History) {
    history.assign().await;
    for day in 0..2 {
        history.blocks(6, day..day + 1).await;
    }
    compare(&history, "nothing is sealed").await;
    let days = history.pass().await;
    assert_eq!(days, 2);
    assert_eq!(history.pass().await, 0, "nothing is left to be sealed");
    compare(&history, "two days are sealed").await;

    // The third day begins; the first one gets late rows, and a block spans all days.
    history.blocks(5, 2..3).await;
    history.blocks(2, 0..1).await;
    history.blocks(1, 0..DAYS).await;
    compare(&history, "late rows above the seals").await;

    // One sealer seals two days and dies; nobody reads these seals until a pass completes.
    history.half_a_pass(2).await;
    compare(&history, "half a pass").await;
    history.blocks(3, 1..3).await;
    compare(&history, "blocks above half a pass").await;
    assert_eq!(history.pass().await, 3, "the first day got no rows since half a pass sealed it");
    history.blocks(2, 2..4).await;
    compare(&history, "sealed again").await;

    // Of two sealers at one cut, the second one's rows never count.
    let loser = history.rivals(DAY + 2).await;
    compare(&history, "rivals").await;
    history.pass().await;
    history.blocks(3, 0..DAYS).await;
    compare(&history, "after the rivals").await;

    seals_say_their_blocks(&history).await;
    a_changed_row_is_found(&history).await;
    collection_takes_only_what_nobody_reads(&history, loser).await;
    compare(&history, "after collection").await;
    history.pass().await;
    history.blocks(2, 3..4).await;
    compare(&history, "a pass on top of what was left").await;
    days_are_conserved(&history).await;
}

/// A day's blocks, readers and roll-ups agree, until one row is deleted in any of them.
async fn days_are_conserved(history: &History) {
    let store = &history.sealed;
    let cut = Cut(history.end());
    let days: Vec<i32> = (DAY..).take(usize::try_from(DAYS).unwrap()).collect();
    let known = store.days().await.unwrap();
    assert!(days.iter().all(|day| known.contains(day)), "{known:?}");
    let breaches = async || {
        let mut all = Vec::new();
        for day in &days {
            all.extend(store.check_day(*day, cut).await.unwrap());
        }
        all
    };
    assert!(breaches().await.is_empty());
    for table in ["sealed_work_1d", "sealed_work_1h", "sealed_work_5m", "sealed_energy_readings", "work_5m"] {
        let rows: u64 =
            store.client().query(&format!("SELECT count() FROM {table}")).fetch_one().await.unwrap();
        let counts = if table == "work_5m" {
            "(topic, partition, block, attempt) IN (SELECT topic, partition, block, attempt FROM manifest)"
        } else {
            "(day, seal) IN (SELECT day, argMax(seal, cut) FROM seals GROUP BY day)"
        };
        let before = breaches().await;
        let one =
            format!("cityHash64(*) IN (SELECT min(cityHash64(*)) FROM {table} WHERE {counts}) AND {counts}");
        let delete = format!("DELETE FROM {table} WHERE {}", one.replace("cityHash64(*)", hash_of(table)));
        store.client().query(&delete).execute().await.unwrap();
        let left: u64 =
            store.client().query(&format!("SELECT count() FROM {table}")).fetch_one().await.unwrap();
        assert!(left < rows, "{table}: a row is gone");
        let found = breaches().await;
        assert_ne!(found, before, "{table}");
        assert!(found.iter().all(|breach| breach.to_string().contains("[WB-3221] day")), "{found:?}");
    }
}

/// The columns that identify a row of a table.
fn hash_of(table: &str) -> &'static str {
    match table {
        "work_5m" => "cityHash64(topic, partition, block, attempt, idx)",
        "sealed_energy_readings" => {
            "cityHash64(day, seal, machine_id, meter_id, event_time_us, event_id, block)"
        }
        _ => {
            "cityHash64(day, seal, machine_id, interval_start_us, site_id, chain, nbits, subsidy_sat, verdict, reason)"
        }
    }
}

/// All reads of work and energy, as text.
async fn everything(store: &Store, cut: u64) -> Vec<String> {
    let mut all = Vec::new();
    let whole = SeriesRange::new(DAY_US, DAY_US + DAYS * WHOLE_DAY_US, 6 * 3_600_000_000).unwrap();
    let part =
        SeriesRange::new(DAY_US + WHOLE_DAY_US / 2, DAY_US + 2 * WHOLE_DAY_US + 3_600_000_000, 1_800_000_000)
            .unwrap();
    let page = PageRequest::new(100, None).unwrap();
    let operator = store.read(TenantScope::Operator, Cut(cut));
    all.push(format!("{:?}", operator.verdicts(part, &Selection::All).await.unwrap()));
    all.push(format!("{:?}", operator.work_under_targets(part, &Selection::All).await.unwrap()));
    all.push(format!("{:?}", operator.recent_work(whole.to_us(), &Selection::All).await.unwrap()));
    all.push(format!("{:?}", operator.workers(&page, part, &Selection::All).await.unwrap()));
    for (scope, selection, range) in [
        (TenantScope::Operator, Selection::All, whole),
        (TenantScope::Operator, Selection::Site("s1".into()), part),
        (TenantScope::Customer(CustomerId::new("acme").unwrap()), Selection::All, whole),
    ] {
        let read = store.read(scope, Cut(cut));
        all.push(format!("{:?}", read.hashrate(range, &selection).await.unwrap()));
        all.push(format!("{:?}", read.energy(range, &selection).await.unwrap()));
    }
    all
}

/// Compares both stores at the newest cut and at some before it.
async fn compare(history: &History, when: &str) {
    let end = history.end();
    let mut cuts: Vec<u64> = history.all_days_offsets();
    cuts.extend(cuts.clone().iter().map(|offset| offset + 1));
    cuts.extend([1, end / 3, end / 2, end.saturating_sub(2), end.saturating_sub(1), end]);
    cuts.sort_unstable();
    cuts.dedup();
    let mut seen = 0;
    for cut in cuts.into_iter().rev().take(4) {
        let (left, right) = (everything(&history.sealed, cut).await, everything(&history.plain, cut).await);
        for (left, right) in left.iter().zip(&right) {
            assert_eq!(left, right, "{when}, cut {cut} of {end}, seed {SEED:#x}");
            seen += right.len();
        }
        let (left, right) =
            (rows_of_both(&history.sealed, cut).await, rows_of_both(&history.plain, cut).await);
        assert_eq!(left, right, "{when}, cut {cut}");
        let (left, right) = (billed_work(&history.sealed, cut).await, billed_work(&history.plain, cut).await);
        assert_eq!(left, right, "{when}, cut {cut}, as bills read it");
    }
    assert!(seen > 5_000, "{when}: there was next to nothing to compare");
}

/// The work of some stretches, as bills add it up: from days, intervals and blocks.
async fn billed_work(store: &Store, cut: u64) -> Vec<String> {
    use wb_clickhouse::corrections::CorrectionsAt;
    use wb_clickhouse::whole_days::{AboveSeals, StretchSeals};
    let mut all = Vec::new();
    let hour = 3_600_000_000;
    for (start_us, end_us) in [
        (DAY_US, DAY_US + DAYS * WHOLE_DAY_US),
        (DAY_US + hour, DAY_US + 3 * WHOLE_DAY_US + 7 * hour),
        (DAY_US + WHOLE_DAY_US + hour, DAY_US + WHOLE_DAY_US + 23 * hour),
        (DAY_US + WHOLE_DAY_US - hour, DAY_US + WHOLE_DAY_US + hour),
    ] {
        let interval = Interval::new(start_us, end_us).unwrap();
        let seals_at = SealsAt::read(store.client(), cut).await.unwrap();
        let above = AboveSeals::read(store.client(), seals_at.blocks_from(), cut).await.unwrap();
        let seals = StretchSeals::new(&seals_at, interval);
        let columns = "machine_id, chain, nbits, subsidy_sat, shares, credited_q32";
        let committed = format!(
            "(topic, partition, block, attempt) IN (SELECT topic, partition, block, attempt FROM manifest \
             WHERE commit_offset >= {} AND commit_offset < {{cut:UInt64}})",
            seals_at.blocks_from()
        );
        let above = seals.above(&above).map(|above| {
            format!("SELECT {columns} FROM work_5m WHERE {above} AND {committed} AND verdict = 'accepted'")
        });
        let sums = seals.work_sums("verdict = 'accepted'", false);
        let rows = above.into_iter().chain(sums).collect::<Vec<_>>().join(" UNION ALL ");
        if rows.is_empty() {
            all.push(rows);
            continue;
        }
        let sql = format!(
            "SELECT arrayStringConcat(arraySort(groupArray(toString(row))), ' ') FROM (SELECT (machine_id, chain, nbits, \
               subsidy_sat, sum(shares), sum(credited_q32)) AS row FROM ({rows}) \
             GROUP BY machine_id, chain, nbits, subsidy_sat)"
        );
        let query = CorrectionsAt::default().bind(store.client().query_raw(&sql)).param("cut", cut);
        all.push(query.fetch_one::<String>().await.unwrap());
    }
    all
}

/// The blocks in a day's seal are those of the tables, also in the store without seals.
async fn seals_say_their_blocks(history: &History) {
    let seals = SealsAt::read(history.sealed.client(), history.end()).await.unwrap();
    assert!(!seals.days.is_empty());
    for seal in &seals.days {
        let blocks = history.plain.blocks_of_day(seal.day, seal.cut).await.unwrap();
        assert_eq!(seal.blocks, u64::try_from(blocks.len()).unwrap());
        let root = wb_fold::merkle::root(blocks.iter().map(DayBlock::leaf).collect());
        assert_eq!(seal.blocks_root, root, "day {}", seal.day);
        assert!(blocks.is_sorted() && blocks.iter().any(|block| block.topic == "energy"));
    }
}

/// Hashes of the summed work and of all readings, by the two sources that other crates read.
async fn rows_of_both(store: &Store, cut: u64) -> (String, String) {
    use wb_clickhouse::corrections::CorrectionsAt;
    use wb_clickhouse::sealed::{reading_rows, sealed_cut_query, work_rows};
    let (from, to) = (DAY_US.to_string(), (DAY_US + DAYS * WHOLE_DAY_US).to_string());
    let work = format!(
        "SELECT hex(groupBitXor(cityHash64(*))) FROM (SELECT machine_id, interval_start_us, site_id, chain, nbits, \
         subsidy_sat, verdict, reason, sum(shares), sum(credited_q32), sum(credited_q32_squared), sum(blocks), \
         max(largest_q32) FROM ({}) GROUP BY ALL)",
        work_rows(&from, &to, "1")
    );
    let readings = format!(
        "SELECT concat(toString(count()), ' ', hex(sum(cityHash64(* EXCEPT (is_sealed))))) FROM ({})",
        reading_rows(&from, &to, "1")
    );
    let query = store.client().query_raw(&sealed_cut_query()).param("cut", cut);
    let sealed_cut: u64 = query.fetch_one().await.unwrap();
    let ask = async |sql: &str| -> String {
        let query = CorrectionsAt::default().bind(store.client().query_raw(sql));
        let query = query.param("cut", cut).param("sealed_cut", sealed_cut);
        query.fetch_one().await.unwrap()
    };
    (ask(&work).await, ask(&readings).await)
}

async fn a_changed_row_is_found(history: &History) {
    let store = &history.sealed;
    let seal = SealOf { day: DAY, seal: 77, base: history.base(DAY), cut: history.end() };
    store.write_seal(&seal).await.unwrap();
    let expected = store.expected_seal(&seal).await.unwrap();
    assert_eq!(store.stored_seal(DAY, 77).await.unwrap(), expected);
    // Read from the blocks alone, it is the same day.
    let from_blocks = SealOf { base: None, ..seal };
    assert_eq!(store.expected_seal(&from_blocks).await.unwrap(), expected);
    // A cut earlier it is not.
    let earlier = SealOf { base: None, cut: history.base(DAY).map_or(0, |base: SealBase| base.cut), ..seal };
    assert_ne!(store.expected_seal(&earlier).await.unwrap(), expected);
    let run = async |sql: String| store.client().query(&sql).execute().await.unwrap();
    let of_one = "WHERE seal = 77 AND machine_id = 'm1'";
    for table in TABLES.iter().filter(|table| table.contains("work")) {
        let update = |sign| {
            format!(
                "ALTER TABLE {table} UPDATE shares = shares {sign} 1 {of_one} SETTINGS mutations_sync = 1"
            )
        };
        run(update('+')).await;
        let changed = store.stored_seal(DAY, 77).await.unwrap();
        assert!(changed.rows == expected.rows && changed.hash != expected.hash, "{table}");
        run(update('-')).await;
        assert_eq!(store.stored_seal(DAY, 77).await.unwrap(), expected, "{table}");
    }
    run("ALTER TABLE sealed_blocks UPDATE merkle_root = SHA256('other') WHERE seal = 77 AND block = 0 AND topic = 'shares' \
         SETTINGS mutations_sync = 1".to_owned())
    .await;
    let changed = store.stored_seal(DAY, 77).await.unwrap();
    assert!(changed.rows == expected.rows && changed.hash != expected.hash);
    assert!(changed.blocks == expected.blocks && changed.blocks_root != expected.blocks_root);
    run(format!("DELETE FROM sealed_energy_readings {of_one}")).await;
    assert!(store.stored_seal(DAY, 77).await.unwrap().rows < expected.rows);
}

async fn tags(store: &Store, table: &str) -> Vec<u64> {
    let sql = format!("SELECT DISTINCT seal FROM {table} ORDER BY seal");
    store.client().query(&sql).fetch_all().await.unwrap()
}

async fn collection_takes_only_what_nobody_reads(history: &History, loser: u64) {
    let store = &history.sealed;
    assert!(tags(store, "sealed_work_5m").await.contains(&loser));
    assert_eq!(store.collect_seals(0).await.unwrap(), 0, "no floor is raised yet");
    let before = everything(store, history.end()).await;
    let floor = store.raise_seal_floor().await.unwrap();
    assert_eq!(floor, *history.all_days_offsets().last().unwrap());
    assert_eq!(store.raise_seal_floor().await.unwrap(), floor);
    assert!(store.collect_seals(floor).await.unwrap() > 3);
    assert_eq!(store.collect_seals(floor).await.unwrap(), 0);
    for table in TABLES {
        let left = tags(store, table).await;
        assert!(!left.contains(&loser), "{table}");
        assert!(left.contains(&77), "{table}: the attempt above the day's seal may still win");
        let read = i32::try_from(DAYS).unwrap();
        let kept = (0..read).filter_map(|day| history.base(DAY + day)).all(|base| left.contains(&base.seal));
        assert!(kept, "{table}");
    }
    assert_eq!(everything(store, history.end()).await, before);
}
