//! What a month's query costs over sealed days, with the last day open, and without any seals.
//!
//! `cargo bench -p wb-benches --bench seals [-- MACHINES [ROWS]]` fills 30 days of 288 settlement
//! intervals for a number of machines, with a number of rows for each interval, each from another
//! block. The days are sealed one after the other as the product seals them, and the last one in two
//! steps. The figures are of one and the same query, asked in turns:
//!
//! - *sealed*: at the newest cut, where all 30 days are sealed;
//! - *open*: at the cut just before the last pass, with 80 blocks above the open day's seal, which is
//!   more than the product lets wait;
//! - *unsealed*: in a database with the same blocks and no seals.
//!
//! The engine runs in this process; the variable `WEIGHBRIDGE_CHDB_LIB` names its library where it does
//! not lie in `.stack`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its figures and may stop at any fault"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use wb_auth::TenantScope;
use wb_clickhouse::read::{HashratePoint, Selection, SeriesRange};
use wb_clickhouse::seal::{SealBase, SealContent, SealOf};
use wb_clickhouse::{Cut, Store, StoreConfig};
use wb_clickhouse_embedded::EngineConfig;
use wb_events::commits::{ALL_DAYS, COMMITS_VERSION, WonSeal};
use wb_events::wire::Seal;

/// 2026-10-01T00:00:00Z in microseconds.
const MONTH_US: i64 = 1_790_812_800_000_000;
const DAY_US: i64 = 86_400_000_000;
const DAYS: u64 = 30;
/// Settlement intervals of a day.
const INTERVALS: u64 = 288;
/// Partitions of `shares`.
const PARTITIONS: u64 = 4;
/// Intervals of the last day that its first seal holds, and those above it.
const OPEN_SEALED: u64 = 240;
const OPEN_ABOVE: u64 = 5;
/// Offsets of a day that are left for seals.
const SPARE: u64 = 64;
/// How often each query is asked, and how often the one that takes longest is.
const ROUNDS: usize = 15;
const UNSEALED_ROUNDS: usize = 3;

struct Month {
    store: Store,
    machines: u64,
    rows: u64,
    seals: BTreeMap<i32, SealBase>,
}

impl Month {
    /// Offsets in `commits` of a day.
    fn offsets_of_day(&self) -> u64 {
        INTERVALS * self.rows * PARTITIONS + SPARE
    }

    async fn run(&self, sql: &str) {
        self.store.client().query(sql).with_setting("max_execution_time", "600").execute().await.unwrap();
    }

    /// Writes some intervals of a day and names their blocks; gives the offset after them.
    async fn fill(&self, day: u64, from: u64, to: u64) -> u64 {
        let Self { machines, rows, .. } = self;
        let first = day * INTERVALS;
        let base = day * self.offsets_of_day();
        self.run(&format!(
            "INSERT INTO work_5m SELECT block, 'shares', intHash32(machine * 7 + row) % {PARTITIONS}, block, machine, \
               concat('site-', toString(machine % 40)), concat('machine-', leftPad(toString(machine), 6, '0')), \
               toInt64({MONTH_US} + ({first} + interval) * 300000000), 'main', 386000000, 312500000, 'accepted', '', \
               5, toUInt128(281474976710656) * 5 * (1 + machine % 7), \
               toUInt256(281474976710656) * toUInt256(281474976710656) * 5 * (1 + machine % 7) * (1 + machine % 7), 0 \
             FROM (SELECT intDiv(number, {machines} * {rows}) + {from} AS interval, intDiv(number, {rows}) % {machines} AS machine, \
               number % {rows} AS row, ({first} + interval) * {rows} + row AS block \
               FROM numbers({}))",
            (to - from) * machines * rows
        ))
        .await;
        self.run(&format!(
            "INSERT INTO manifest (commit_offset, topic, partition, block, attempt) \
             SELECT {base} + ({from} * {rows} + intDiv(number, {PARTITIONS})) * {PARTITIONS} + number % {PARTITIONS}, \
               'shares', number % {PARTITIONS}, ({first} + {from}) * {rows} + intDiv(number, {PARTITIONS}) AS block, block \
             FROM numbers({})",
            (to - from) * rows * PARTITIONS
        ))
        .await;
        base + to * rows * PARTITIONS
    }

    /// Seals everything below a cut, committing from that offset on; gives the offset after the last seal.
    async fn pass(&mut self, cut: u64) -> u64 {
        let from = self.seals.get(&ALL_DAYS).map_or(0, |base| base.cut);
        let touched = self.store.touched_days(from, cut).await.unwrap();
        let mut offset = cut;
        for day in touched.iter().map(|day| day.day) {
            let seal = SealOf { day, seal: cut, base: self.seals.get(&day).copied(), cut };
            self.store.write_seal(&seal).await.unwrap();
            let stored = self.store.stored_seal(day, cut).await.unwrap();
            assert_eq!(stored, self.store.expected_seal(&seal).await.unwrap());
            offset = self.name(day, cut, offset, stored).await;
        }
        self.name(ALL_DAYS, cut, offset, SealContent::default()).await
    }

    async fn name(&mut self, day: i32, cut: u64, commit_offset: u64, content: SealContent) -> u64 {
        let seal = Seal {
            version: COMMITS_VERSION,
            day,
            seal: cut,
            cut,
            rows: content.rows,
            content_hash: content.hash.to_vec(),
            predecessor: vec![0; 32],
            blocks: content.blocks,
            blocks_root: content.blocks_root.to_vec(),
            ..Seal::default()
        };
        self.store.project_seals(&[WonSeal { commit_offset, seal_hash: [0; 32], seal }]).await.unwrap();
        self.seals.insert(day, SealBase { seal: cut, cut });
        commit_offset + 1
    }
}

async fn ask(store: &Store, cut: u64) -> (u64, Vec<HashratePoint>) {
    let range = SeriesRange::new(MONTH_US, MONTH_US + 30 * DAY_US, DAY_US).unwrap();
    let began = Instant::now();
    let points = store.read(TenantScope::Operator, Cut(cut)).hashrate(range, &Selection::All).await.unwrap();
    (u64::try_from(began.elapsed().as_micros()).unwrap(), points)
}

/// Asks in turns and prints medians.
async fn measure(what: &str, arms: [(&str, &Store, u64); 3]) {
    let mut times = [const { Vec::new() }; 3];
    let mut answers = Vec::new();
    for round in 0..=ROUNDS {
        for (times, (name, store, cut)) in times.iter_mut().zip(&arms) {
            if *name == "unsealed" && round > UNSEALED_ROUNDS {
                continue;
            }
            let (took_us, points) = ask(store, *cut).await;
            // The first round warms the caches.
            if round > 0 {
                times.push(took_us);
            }
            answers.push(points);
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "the arms differ");
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    println!("\n{what}, medians of {ROUNDS} rounds in turns, {UNSEALED_ROUNDS} without seals:");
    for ((name, ..), median_us) in arms.iter().zip(medians) {
        let hundredths = median_us * 100 / medians[0];
        println!(
            "{name:<10}{:>10} us{:>6}.{:02} times sealed",
            median_us,
            hundredths / 100,
            hundredths % 100
        );
    }
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (machines, rows) = (numbers.next().unwrap_or(1_000), numbers.next().unwrap_or(4));
    let folder = tempfile::tempdir().unwrap();
    let library = std::env::var_os("WEIGHBRIDGE_CHDB_LIB").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.stack/chdb/libchdb.so")),
        PathBuf::from,
    );
    let engine = EngineConfig::new(library, folder.path().join("engine"));
    let bound = wb_clickhouse_embedded::bind(engine).await.unwrap();
    let url = format!("http://{}", bound.local_addr());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(bound.run(async {
        let _ = stopped.await;
    }));
    let connect = async |database| {
        let mut config = StoreConfig::new(&url, database);
        config.max_execution_time_s = 600;
        let store = Store::new(config).unwrap();
        store.migrate().await.unwrap();
        store
    };
    let unsealed = connect("unsealed").await;
    let mut month = Month { store: connect("sealed").await, machines, rows, seals: BTreeMap::new() };

    let began = Instant::now();
    for day in 0..DAYS - 1 {
        let cut = month.fill(day, 0, INTERVALS).await;
        month.pass(cut).await;
    }
    println!(
        "{machines} machines, {} million rows of blocks; 29 days written and sealed in {} s",
        machines * rows * (DAYS * INTERVALS - INTERVALS + OPEN_SEALED + OPEN_ABOVE) / 1_000_000,
        began.elapsed().as_secs()
    );
    let cut = month.fill(DAYS - 1, 0, OPEN_SEALED).await;
    let began = Instant::now();
    month.pass(cut).await;
    println!("20 hours of the open day sealed in {} ms", began.elapsed().as_millis());
    let mut open = 0;
    for interval in OPEN_SEALED..OPEN_SEALED + OPEN_ABOVE {
        open = month.fill(DAYS - 1, interval, interval + 1).await;
    }
    let began = Instant::now();
    let sealed = month.pass(open).await;
    println!("25 minutes more sealed in {} ms", began.elapsed().as_millis());
    for table in ["work_5m", "manifest"] {
        let partition = if table == "work_5m" { "202610" } else { "tuple()" };
        let sql = format!("ALTER TABLE {table} REPLACE PARTITION {partition} FROM sealed.{table}");
        unsealed.client().query(&sql).execute().await.unwrap();
    }
    let arms =
        [("sealed", &month.store, sealed), ("open", &month.store, open), ("unsealed", &unsealed, sealed)];
    measure("parts as they were merged by themselves", arms).await;
    month.run("OPTIMIZE TABLE work_5m FINAL").await;
    measure("all blocks in one part", arms).await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}
