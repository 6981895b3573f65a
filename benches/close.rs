//! What the reads of a month's close cost, beside the same month's sums over raw events.
//!
//! `cargo bench -p wb-benches --bench close [-- EVENTS_PER_INTERVAL]` fills a month of 400 customers with
//! 300,000 settlement intervals of work, each of 100 raw events unless said, 30 million in all, of which one
//! in a hundred was sent twice. The same month lies there three times:
//!
//! - as the product holds it: rows of work in committed blocks, and the days sealed as the product seals them;
//! - *replacing*: the raw events in a table that drops repeats when it merges, read with `FINAL`;
//! - *plain*: the raw events in an ordinary table, read with `LIMIT 1 BY event_id`.
//!
//! Raw events come day by day, each day's repeats a day later, and merges are let to their end before anything is
//! measured. Each raw arm answers with the sums that a bill needs, in groups of equal worth.
//!
//! The close is the real biller over the real store: facts, work, the blocks that hold it, their commits and the
//! heads of the chains, and 400 invoices into a ledger in memory. The check of the conservation law before a
//! close is not part of it. All three arms must come to the same sums, or the bench stops.
//!
//! The close is measured twice: where all that is committed lies in sealed days, and with an hour of the next month committed
//! above them, a block a second and partition, as a running installation has it.
//!
//! Time in ClickHouse is what the engine itself counts for queries that select (`SelectQueryTimeMicroseconds` of
//! `system.events`), and the CPU time of all its threads meanwhile; beside it the time of the store's calls as the
//! biller waits for them, with sending and decoding.
//!
//! The engine runs in this process; the variable `WEIGHBRIDGE_CHDB_LIB` names its library where it does not
//! lie in `.stack`. With `WEIGHBRIDGE_BENCH_FOLDER` the month is kept in that folder for the next run.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its figures and may stop at any fault"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use timed::{Answer, Spent, Timed};
use wb_billing::Biller;
use wb_billing::ports::{Clock, CutSource, LedgerLog};
use wb_clickhouse::seal::{SealContent, SealOf};
use wb_clickhouse::{Store, StoreConfig};
use wb_clickhouse_embedded::EngineConfig;
use wb_events::commits::{ALL_DAYS, COMMITS_VERSION, WonSeal};
use wb_events::wire::Seal;
use wiring::CountedUsage;

#[path = "close/timed.rs"]
mod timed;

/// The store as the product joins it with the biller.
#[path = "../services/weighbridge/src/wiring/usage.rs"]
#[allow(dead_code, reason = "a close writes no tables here")]
mod wiring;

/// 2026-10-01T00:00:00Z in microseconds; the month has 31 days, work lies in the first 30.
const MONTH_US: i64 = 1_790_812_800_000_000;
const MONTH_END_US: i64 = MONTH_US + 31 * 86_400_000_000;
const CUSTOMERS: u64 = 400;
/// Settlement intervals with work of each customer.
const INTERVALS_EACH: u64 = 750;
const INTERVALS: u64 = 30 * 288;
const PARTITIONS: u64 = 4;
/// What each event counts for.
const CREDITED_Q32: u64 = 1 << 47;
/// Names of the hour after the month begin here: after the month's, and the records of its seals.
const HOUR_NAMES_FROM: u64 = 1 + INTERVALS * PARTITIONS + 100;
const HOUR_S: u64 = 3_600;
/// How often each arm is asked; the medians are compared.
const ROUNDS: usize = 5;

#[derive(Clone, Default)]
struct MemoryLedger(Arc<Mutex<Vec<Vec<u8>>>>);

impl LedgerLog for MemoryLedger {
    async fn append(&self, bytes: Vec<u8>) -> Answer<u64> {
        let mut records = self.0.lock().unwrap();
        records.push(bytes);
        Ok(u64::try_from(records.len() - 1).unwrap())
    }
    async fn read_all_from(&self, offset: u64) -> Answer<Vec<(u64, Vec<u8>)>> {
        let from = usize::try_from(offset).unwrap();
        let records = self.0.lock().unwrap();
        Ok((offset..).zip(records.iter().skip(from).cloned()).collect())
    }
}

struct AfterTheMonth;

impl Clock for AfterTheMonth {
    fn now_us(&self) -> i64 {
        MONTH_END_US + 1
    }
}

/// Settles where it is told to.
struct CommittedBelow(u64);

impl CutSource for CommittedBelow {
    async fn settled_cut(&self) -> Answer<u64> {
        Ok(self.0)
    }
    async fn check_conserved(&self, _: std::ops::RangeInclusive<i32>, _: u64) -> Answer<()> {
        Ok(())
    }
}

async fn run(store: &Store, sql: &str) {
    store.client().query(sql).with_setting("max_execution_time", "900").execute().await.unwrap();
}

/// Customers of a number, one machine each, and the interval of its n-th row: spread over the month.
fn of_rows() -> String {
    format!(
        "SELECT intDiv(number, {INTERVALS_EACH}) AS customer, \
           (number % {INTERVALS_EACH} * 11 + customer * 7) % {INTERVALS} AS interval, \
           concat('machine-', leftPad(toString(customer), 4, '0')) AS machine, \
           toInt64({MONTH_US}) + interval * 300000000 AS start_us FROM numbers({CUSTOMERS} * {INTERVALS_EACH})"
    )
}

/// Contracts, assignments and work in committed blocks, sealed; returns the offset after the last name.
async fn fill_committed(store: &Store, events: u64) {
    let contract = r#"{"contract_id":"contract-#","customer_id":"customer-#","legal_entity":"operator","time_zone":"UTC","components":[{"id":"earnings","kind":"pool_earnings","chain":"main","currency":"BTC","mean_fees_sat":"0"}]}"#;
    let assignment = r#"{"contract_id":"contract-#","customer_id":"customer-#","machine_id":"machine-#"}"#;
    let machine = r#"{"site_id":"site","model":"S21","rated_power_mw":3500000}"#;
    for (kind, entity, body, offset) in [
        ("contract", "contract-", contract, 0),
        ("assignment", "machine-", assignment, 400),
        ("customer", "customer-", r##"{"name":"#"}"##, 800),
        ("machine", "machine-", machine, 1_200),
    ] {
        run(
            store,
            &format!(
                "INSERT INTO facts (topic, partition, block, attempt, idx, kind, entity, valid_from_us, body) \
                 SELECT 'reference', 0, 0, 0, {offset} + number, '{kind}', concat('{entity}', key), {MONTH_US}, \
                   replaceAll('{body}', '#', key) \
                 FROM (SELECT number, leftPad(toString(number), 4, '0') AS key FROM numbers({CUSTOMERS}))"
            ),
        )
        .await;
    }
    for (kind, entity, body, idx) in [
        ("legal_entity", "operator", r#"{"name":"Operator"}"#, 1_600),
        ("site", "site", r#"{"name":"Site","time_zone":"UTC"}"#, 1_601),
    ] {
        run(
            store,
            &format!(
                "INSERT INTO facts (topic, partition, block, attempt, idx, kind, entity, valid_from_us, body) \
                 VALUES ('reference', 0, 0, 0, {idx}, '{kind}', '{entity}', {MONTH_US}, '{body}')"
            ),
        )
        .await;
    }
    run(
        store,
        &format!(
            "INSERT INTO work_5m (topic, partition, block, attempt, idx, machine_id, interval_start_us, chain, \
               nbits, subsidy_sat, verdict, shares, credited_q32) \
             SELECT 'shares', customer % {PARTITIONS}, interval, interval, customer, machine, start_us, 'main', \
               386000000, 312500000, 'accepted', {events}, toUInt128({CREDITED_Q32}) * {events} FROM ({})",
            of_rows()
        ),
    )
    .await;
    run(
        store,
        &format!(
            "INSERT INTO manifest (commit_offset, topic, partition, block, attempt, content_hash, merkle_root, commit_hash) \
             SELECT 1 + number, 'shares', number % {PARTITIONS}, intDiv(number, {PARTITIONS}) AS block, block, \
               SHA256(concat('content', toString(number))), SHA256(concat('events', toString(number))), \
               SHA256(concat('name', toString(number))) \
             FROM numbers({INTERVALS} * {PARTITIONS}) \
             UNION ALL SELECT 0, 'reference', 0, 0, 0, SHA256('content'), SHA256('events'), SHA256('name')"
        ),
    )
    .await;
    seal(store, 1 + INTERVALS * PARTITIONS).await;
}

/// Seals all days below a cut and says so from that offset on.
async fn seal(store: &Store, cut: u64) {
    let mut seals = Vec::new();
    let mut add = |day, tag, content: SealContent| {
        let commit_offset = cut + u64::try_from(seals.len()).unwrap();
        let (rows, content_hash) = (content.rows, content.hash.to_vec());
        let (blocks, blocks_root) = (content.blocks, content.blocks_root.to_vec());
        let seal = Seal {
            version: COMMITS_VERSION,
            day,
            seal: tag,
            cut,
            rows,
            content_hash,
            predecessor: vec![0; 32],
            blocks,
            blocks_root,
            ..Seal::default()
        };
        seals.push(WonSeal { commit_offset, seal_hash: [0; 32], seal });
    };
    for (tag, touched) in (1..).zip(store.touched_days(0, cut).await.unwrap()) {
        let seal = SealOf { day: touched.day, seal: tag, base: None, cut };
        store.write_seal(&seal).await.unwrap();
        add(touched.day, tag, store.stored_seal(touched.day, tag).await.unwrap());
    }
    add(ALL_DAYS, 0, SealContent::default());
    store.project_seals(&seals).await.unwrap();
}

/// An hour of the next month, committed above the seals: a block a second and partition.
async fn fill_hour_above(store: &Store) {
    let filled: u64 = store
        .client()
        .query("SELECT countIf(commit_offset >= ?) FROM manifest")
        .bind(HOUR_NAMES_FROM)
        .fetch_one()
        .await
        .unwrap();
    if filled > 0 {
        return;
    }
    let numbers = format!(
        "SELECT number % {PARTITIONS} AS chain_of, {INTERVALS} + intDiv(number, {PARTITIONS}) AS block_of, number \
         FROM numbers({HOUR_S} * {PARTITIONS})"
    );
    run(
        store,
        &format!(
            "INSERT INTO work_5m (topic, partition, block, attempt, idx, machine_id, interval_start_us, chain, \
               nbits, subsidy_sat, verdict, shares, credited_q32) \
             SELECT 'shares', chain_of, block_of, block_of, 0, \
               concat('machine-', leftPad(toString(number % {CUSTOMERS}), 4, '0')), \
               {MONTH_END_US} + intDiv(block_of - {INTERVALS}, 300) * 300000000, 'main', 386000000, 312500000, \
               'accepted', 1, {CREDITED_Q32} FROM ({numbers})"
        ),
    )
    .await;
    run(
        store,
        &format!(
            "INSERT INTO manifest (commit_offset, topic, partition, block, attempt, content_hash, merkle_root, commit_hash) \
             SELECT {HOUR_NAMES_FROM} + number, 'shares', chain_of, block_of, block_of, \
               SHA256(concat('content', toString(block_of))), SHA256(concat('events', toString(block_of))), \
               SHA256(concat('name', toString(block_of))) FROM ({numbers})"
        ),
    )
    .await;
}

/// The raw events, as a biller without names would hold them: day by day, and of each day some once more the day
/// after.
async fn fill_raw(store: &Store, events: u64) {
    let columns = "event_id FixedString(16), customer_id String, machine_id String, event_time_us Int64, \
         chain LowCardinality(String), nbits UInt32, subsidy_sat UInt64, verdict LowCardinality(String), \
         credited_q32 UInt64";
    run(store, &format!("CREATE TABLE replacing ({columns}) ENGINE = ReplacingMergeTree ORDER BY (machine_id, event_time_us, event_id)")).await;
    run(
        store,
        &format!("CREATE TABLE plain ({columns}) ENGINE = MergeTree ORDER BY (machine_id, event_time_us)"),
    )
    .await;
    let rows = |day: u64, which: &str| {
        format!(
            "SELECT sipHash128(customer, interval, event), concat('customer-', toString(customer)), machine, \
               start_us + event * 2900000, 'main', 386000000, 312500000, 'accepted', {CREDITED_Q32} \
             FROM (SELECT * FROM ({}) WHERE intDiv(interval, 288) = {day}) ARRAY JOIN range({events}) AS event \
             WHERE {which}",
            of_rows()
        )
    };
    for day in 0..=INTERVALS / 288 {
        let again = rows(day.wrapping_sub(1), "event % 100 = 0");
        let sql = format!("{} UNION ALL {again}", rows(day, "1"));
        run(store, &format!("INSERT INTO plain {sql}")).await;
        run(store, &format!("INSERT INTO replacing {sql}")).await;
    }
}

/// Waits until nothing is merged any more, two minutes at most; gives how many parts the raw tables have.
async fn settle(store: &Store) -> Vec<(String, u64, u64)> {
    for _ in 0..120 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let merges =
            store.client().query("SELECT count() FROM system.merges").fetch_one::<u64>().await.unwrap();
        if merges == 0 {
            break;
        }
    }
    let sql = "SELECT toString(table), count(), sum(rows) FROM system.parts \
         WHERE active AND database = currentDatabase() AND table IN ('plain', 'replacing') GROUP BY table ORDER BY table";
    store.client().query(sql).fetch_all().await.unwrap()
}

/// What the engine has spent on queries that select: its own time, and CPU time of all threads.
#[derive(Clone, Copy)]
struct Engine {
    select_us: u64,
    cpu_us: u64,
}

impl Engine {
    async fn now(store: &Store) -> Self {
        let of = |event: &str| format!("sumIf(value, event = '{event}')");
        let sql = format!(
            "SELECT {}, {} FROM system.events",
            of("SelectQueryTimeMicroseconds"),
            of("OSCPUVirtualTimeMicroseconds")
        );
        let (select_us, cpu_us) = store.client().query(&sql).fetch_one::<(u64, u64)>().await.unwrap();
        Self { select_us, cpu_us }
    }

    /// What was spent since, less what asking for it costs.
    async fn since(self, store: &Store, asking: Self) -> Self {
        let now = Self::now(store).await;
        let less = |now: u64, before: u64, asking: u64| (now - before).saturating_sub(asking);
        Self {
            select_us: less(now.select_us, self.select_us, asking.select_us),
            cpu_us: less(now.cpu_us, self.cpu_us, asking.cpu_us),
        }
    }

    /// What asking costs: the least of some times.
    async fn asking(store: &Store) -> Self {
        let (mut select_us, mut cpu_us) = (u64::MAX, u64::MAX);
        for _ in 0..20 {
            let spent = Self::now(store).await.since(store, Self { select_us: 0, cpu_us: 0 }).await;
            (select_us, cpu_us) = (select_us.min(spent.select_us), cpu_us.min(spent.cpu_us));
        }
        Self { select_us, cpu_us }
    }
}

type RawSums = BTreeMap<(String, String, u32, u64), (u128, u64)>;

/// The sums of all machines in groups of equal worth, and what they took.
async fn raw_sums(store: &Store, asking: Engine, from: &str) -> (Engine, RawSums) {
    let sql = format!(
        "SELECT machine_id, toString(chain), nbits, subsidy_sat, sum(toUInt128(credited_q32)) AS credited, \
           count() AS shares FROM {from} GROUP BY machine_id, chain, nbits, subsidy_sat"
    );
    let began = Engine::now(store).await;
    let rows = store
        .client()
        .query(&sql)
        .with_setting("max_execution_time", "900")
        .with_setting("max_memory_usage", "0")
        .with_setting("max_result_rows", "0")
        .fetch_all::<(String, String, u32, u64, u128, u64)>()
        .await
        .unwrap();
    let spent = began.since(store, asking).await;
    let key = |row: (String, String, u32, u64, u128, u64)| ((row.0, row.1, row.2, row.3), (row.4, row.5));
    (spent, rows.into_iter().map(key).collect())
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

fn medians(spent: &[Engine]) -> Engine {
    let of = |figure: fn(&Engine) -> u64| median(spent.iter().map(figure).collect());
    Engine { select_us: of(|engine| engine.select_us), cpu_us: of(|engine| engine.cpu_us) }
}

/// Closes of the month, and what each took.
#[derive(Default)]
struct Closes {
    walls_us: Vec<u64>,
    spent: Vec<Engine>,
    calls_us: Vec<u64>,
    /// Of the last one.
    calls: u64,
    by_call: BTreeMap<&'static str, u64>,
}

impl Closes {
    /// Closes the month for all customers into an empty ledger, at what is committed below an offset.
    async fn measure(&mut self, store: &Store, asking: Engine, shares: u64, below: u64) {
        let spent = Arc::new(Spent::default());
        let timed = Timed { store: CountedUsage(store.usage()), spent: Arc::clone(&spent) };
        let biller =
            Biller::new(MemoryLedger::default(), timed, CommittedBelow(below), AfterTheMonth, "bench");
        let engine = Engine::now(store).await;
        let began = Instant::now();
        let issued = biller.close("2026-10", None).await.unwrap();
        self.walls_us.push(u64::try_from(began.elapsed().as_micros()).unwrap());
        self.spent.push(engine.since(store, asking).await);
        self.calls_us.push(spent.us.load(Ordering::Relaxed));
        self.calls = spent.calls.load(Ordering::Relaxed);
        self.by_call = std::mem::take(&mut *spent.by_call.lock().unwrap());
        assert_eq!(u64::try_from(issued.len()).unwrap(), CUSTOMERS);
        for invoice in biller.invoices().await.unwrap() {
            let invoice = &invoice.invoice;
            let evidence = &invoice.evidence;
            assert_eq!(
                (evidence.blocks.len(), evidence.days.len()),
                (1, 30),
                "its facts' block, and sealed days"
            );
            assert!(evidence.blocks_count > INTERVALS_EACH);
            let mut inputs = invoice.lines[0].inputs.iter();
            let billed = inputs.find_map(|input| input.get("shares")).unwrap();
            assert_eq!(*billed, shares.to_string());
        }
    }
}

fn times(left_us: u64, right_us: u64) -> String {
    let tenths = left_us * 10 / right_us.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let events = numbers.next().unwrap_or(100);
    let scratch = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("WEIGHBRIDGE_BENCH_FOLDER").map(PathBuf::from);
    let folder = kept.as_deref().unwrap_or_else(|| scratch.path());
    let library = std::env::var_os("WEIGHBRIDGE_CHDB_LIB").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.stack/chdb/libchdb.so")),
        PathBuf::from,
    );
    let engine = EngineConfig::new(library, folder.join("engine"));
    let bound = wb_clickhouse_embedded::bind(engine).await.unwrap();
    let url = format!("http://{}", bound.local_addr());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(bound.run(async {
        let _ = stopped.await;
    }));
    let mut config = StoreConfig::new(&url, "close");
    config.max_execution_time_s = 900;
    let store = Store::new(config).unwrap();
    store.migrate().await.unwrap();

    let filled: u64 = store
        .client()
        .query("SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'plain'")
        .fetch_one()
        .await
        .unwrap();
    if filled == 0 {
        let began = Instant::now();
        fill_committed(&store, events).await;
        println!(
            "{} intervals written and sealed in {} s",
            CUSTOMERS * INTERVALS_EACH,
            began.elapsed().as_secs()
        );
        let began = Instant::now();
        fill_raw(&store, events).await;
        println!("raw events and their repeats written in {} s", began.elapsed().as_secs());
    }
    let raw = CUSTOMERS * INTERVALS_EACH * events;

    for (table, parts, rows) in settle(&store).await {
        println!("{table}: {rows} rows in {parts} parts");
    }

    let where_month = format!(
        "WHERE event_time_us >= {MONTH_US} AND event_time_us < {MONTH_END_US} AND verdict = 'accepted'"
    );
    let asking = Engine::asking(&store).await;
    let shares = INTERVALS_EACH * events;
    let (mut sealed, mut with_hour) = (Closes::default(), Closes::default());
    let (mut finals, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        sealed.measure(&store, asking, shares, HOUR_NAMES_FROM).await;
        let final_arm = raw_sums(&store, asking, &format!("replacing FINAL {where_month}")).await;
        let inner = format!(
            "(SELECT machine_id, chain, nbits, subsidy_sat, credited_q32 FROM plain {where_month} LIMIT 1 BY event_id)"
        );
        let limit_arm = raw_sums(&store, asking, &inner).await;
        let each = (u128::from(shares) * u128::from(CREDITED_Q32), shares);
        assert_eq!(final_arm.1, limit_arm.1, "the arms differ");
        assert!(final_arm.1.values().all(|sums| *sums == each), "the arms differ");
        finals.push(final_arm.0);
        limits.push(limit_arm.0);
    }
    fill_hour_above(&store).await;
    settle(&store).await;
    for _ in 0..ROUNDS {
        // What an arm before a close does to the caches of processor and engine is done to this one too.
        raw_sums(&store, asking, &format!("replacing FINAL {where_month}")).await;
        with_hour.measure(&store, asking, shares, HOUR_NAMES_FROM + HOUR_S * PARTITIONS).await;
    }
    println!("\nmedians of {ROUNDS} rounds, {CUSTOMERS} customers, {raw} events:");
    for (name, closes) in [("all sealed", &sealed), ("an hour above", &with_hour)] {
        println!("\nclose, {name}");
        println!("  wall                  {:>10} us", median(closes.walls_us.clone()));
        let calls_us = median(closes.calls_us.clone());
        println!("  the store's calls     {calls_us:>10} us, {} of them", closes.calls);
        for (name, took_us) in &closes.by_call {
            println!("    of it {name:<15} {took_us:>10} us in the last round");
        }
        let close = medians(&closes.spent);
        println!("  ClickHouse            {:>10} us, {:>10} us of CPU", close.select_us, close.cpu_us);
        for (name, spent) in [("FINAL", medians(&finals)), ("LIMIT 1 BY", medians(&limits))] {
            println!(
                "  ClickHouse, {name:<10}{:>10} us, {:>10} us of CPU: {} and {} times the close",
                spent.select_us,
                spent.cpu_us,
                times(spent.select_us, close.select_us),
                times(spent.cpu_us, close.cpu_us)
            );
        }
    }
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}
