//! The usage store and the projector on the real engine. A process can hold only one engine, so there is one test; it
//! needs only `make setup` (the engine's library).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::memory::{MemoryLog, TestClock, contract_body};
use clickhouse::Client;
use wb_billing::ports::{BlockId, CutSource, Holding, RunningTable, SealedDays, UsageStore, WorkRead};
use wb_billing::{Biller, PortError, Projector};
use wb_clickhouse::read::PageRequest;
use wb_clickhouse::seal::{SealContent, SealOf};
use wb_clickhouse::{Cut, Store, StoreConfig, TenantScope};
use wb_clickhouse_embedded::EngineConfig;
use wb_events::commits::{ALL_DAYS, COMMITS_VERSION, WonSeal};
use wb_events::wire::Seal;
use wb_ledger::Hash;
use wb_metering::uptime::Found;
use wb_rating::WorkGroup;
use wb_units::Interval;
use wiring::{BillTables, CountedUsage};

/// The store as the product connects it to the biller.
#[path = "../../../weighbridge/src/wiring/usage.rs"]
mod wiring;

/// 2009-01-01T00:00:00Z.
const JANUARY_US: i64 = 1_230_768_000_000_000;
const STEP_US: i64 = 300_000_000;
const AFTER_US: u64 = 1_233_446_401_000_000;
/// More than 64 bits hold.
const WIDE_Q32: u128 = (1 << 70) + 1;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

async fn run(client: &Client, sql: &str) {
    client.query(sql).execute().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn migrate(client: &Client) {
    let mut files: Vec<_> = std::fs::read_dir(repository().join("schemas/clickhouse"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    for file in files {
        run(client, &std::fs::read_to_string(file).unwrap()).await;
    }
}

/// Commits an attempt of a block at an offset.
async fn commit(client: &Client, commit_offset: u64, topic: &str, block: u64, attempt: u64) {
    let hash = |what: &str| format!("unhex('{}')", Hash::of(format!("{what}{topic}{block}").as_bytes()));
    let (content, root, zero, commit) = (hash("content"), hash("root"), hash("zero"), hash("commit"));
    run(client, &format!(
        "INSERT INTO manifest (commit_offset, topic, partition, block, attempt, content_hash, merkle_root, \
         last_frame_hash, predecessor, commit_hash) VALUES \
         ({commit_offset}, '{topic}', 0, {block}, {attempt}, {content}, {root}, {zero}, {zero}, {commit})"
    )).await;
}

async fn work(client: &Client, block: u64, attempt: u64, rows: &[(&str, i64, &str, u128)]) {
    for (idx, (machine, start_us, verdict, credited)) in rows.iter().enumerate() {
        run(client, &format!(
            "INSERT INTO work_5m (topic, partition, block, attempt, idx, machine_id, interval_start_us, chain, nbits, \
             subsidy_sat, verdict, shares, credited_q32) VALUES \
             ('shares', 0, {block}, {attempt}, {idx}, '{machine}', {start_us}, 'main', {}, 5000000000, '{verdict}', 1, \
             toUInt128('{credited}'))", 0x1d00_ffff_u32
        )).await;
    }
}

async fn reading(client: &Client, block: u64, machine: &str, at_us: i64, id: u8, register_wh: u64) {
    let id = format!("{id:02x}").repeat(16);
    run(client, &format!(
        "INSERT INTO energy_readings (topic, partition, block, attempt, machine_id, meter_id, witness, event_time_us, \
         event_id, register_wh) VALUES \
         ('energy', 0, {block}, 1, '{machine}', '{machine}-meter', 'meter', {at_us}, unhex('{id}'), {register_wh})"
    )).await;
}

async fn fact(client: &Client, idx: u32, kind: &str, entity: &str, valid_to_us: &str, body: &str) {
    run(client, &format!(
        "INSERT INTO facts (topic, partition, block, attempt, idx, kind, entity, valid_from_us, valid_to_us, body) VALUES \
         ('reference', 0, 0, 1, {idx}, '{kind}', '{entity}', {JANUARY_US}, {valid_to_us}, '{body}')"
    )).await;
}

async fn fill(client: &Client) {
    let contract = contract_body("lab-1", "satoshi-lab", "0.0725").to_string();
    let assignment = r#"{"contract_id":"lab-1","customer_id":"satoshi-lab","machine_id":"gen-1"}"#;
    fact(client, 0, "contract", "lab-1", "NULL", &contract).await;
    fact(client, 1, "assignment", "gen-1", &(JANUARY_US + 20 * STEP_US).to_string(), assignment).await;
    fact(client, 2, "customer", "satoshi-lab", "NULL", r#"{"name":"Lab"}"#).await;
    fact(client, 3, "legal_entity", "genesis-hosting", "NULL", r#"{"name":"Genesis"}"#).await;
    fact(client, 4, "site", "garage", "NULL", r#"{"name":"Garage","time_zone":"UTC"}"#).await;
    let machine = r#"{"site_id":"garage","model":"PC","rated_power_mw":120000}"#;
    fact(client, 5, "machine", "gen-1", "NULL", machine).await;
    // Another attempt at the block failed, and the next block is never committed.
    for (block, attempt) in [(0, 2), (1, 1)] {
        run(client, &format!(
            "INSERT INTO facts (topic, partition, block, attempt, idx, kind, entity, valid_from_us, valid_to_us, body) \
             SELECT topic, partition, {block}, {attempt}, idx, kind, entity, valid_from_us + {STEP_US}, valid_to_us, body \
             FROM facts WHERE block = 0 AND attempt = 1"
        ))
        .await;
    }
    commit(client, 0, "reference", 0, 1).await;
    // Attempt 1 of block 0 failed; attempt 2 is committed, and two projectors wrote it.
    let rows = [
        ("gen-1", JANUARY_US, "accepted", 7 << 32),
        ("gen-1", JANUARY_US + 19 * STEP_US, "accepted", WIDE_Q32),
        ("gen-1", JANUARY_US + 20 * STEP_US, "accepted", 1000 << 32),
        ("gen-1", JANUARY_US - STEP_US, "accepted", 1000 << 32),
        ("gen-1", JANUARY_US, "rejected", 1000 << 32),
        ("gen-1", JANUARY_US, "duplicate", 1000 << 32),
        ("gen-2", JANUARY_US, "accepted", 1000 << 32),
    ];
    work(client, 0, 1, &rows).await;
    work(client, 0, 2, &rows).await;
    commit(client, 3, "shares", 0, 2).await;
    commit(client, 3, "shares", 0, 2).await;
    // Block 1 is committed late, block 2 never.
    work(client, 1, 1, &[("gen-1", JANUARY_US, "accepted", 1 << 32)]).await;
    commit(client, 9, "shares", 1, 1).await;
    work(client, 2, 1, &[("gen-1", JANUARY_US, "accepted", 1000 << 32)]).await;
    // Readings long before and after the month, two at one instant before it.
    for (at_us, id, register_wh) in [
        (JANUARY_US - 900 * STEP_US, 1, 50),
        (JANUARY_US - STEP_US, 2, 100),
        (JANUARY_US - STEP_US, 3, 999),
        (JANUARY_US + STEP_US, 4, 1_100),
        (JANUARY_US + 10_000 * STEP_US, 5, 5_000),
        (JANUARY_US + 20_000 * STEP_US, 6, 9_000),
    ] {
        reading(client, 0, "gen-1", at_us, id, register_wh).await;
    }
    reading(client, 1, "gen-1", JANUARY_US + 2 * STEP_US, 7, 77_777).await;
    commit(client, 5, "energy", 0, 1).await;
    // Offsets 1, 2 and 4 are free: neither samples nor allocations nor prices change the heads that are asked for below.
    for (block, at_us, state) in
        [(0, JANUARY_US, "hashing"), (0, JANUARY_US + STEP_US, "curtailed"), (1, JANUARY_US, "idle")]
    {
        run(client, &format!(
            "INSERT INTO miner_samples (topic, partition, block, attempt, source, source_epoch, source_key, sequence, \
             append_time_us, event_time_us, machine_id, state, power_mw) VALUES \
             ('telemetry', 0, {block}, 1, 'a', 1, 'gen-1', 7, {at_us}, {at_us}, 'gen-1', '{state}', 3000000)"
        )).await;
    }
    commit(client, 4, "telemetry", 0, 1).await;
    let (open, closed) = ("NULL".to_owned(), (JANUARY_US + 5 * STEP_US).to_string());
    for (allocation, start_us, end_us) in [
        ("job-1", JANUARY_US - 50 * STEP_US, &open),
        ("job-1", JANUARY_US - 50 * STEP_US, &closed),
        ("job-2", JANUARY_US - 90 * STEP_US, &(JANUARY_US - 80 * STEP_US).to_string()),
    ] {
        run(client, &format!(
            "INSERT INTO gpu_spans (topic, partition, block, attempt, event_time_us, node_id, allocation_id, state, gpus, \
             start_us, end_us) VALUES ('gpu', 0, 0, 1, {JANUARY_US}, 'gen-1', '{allocation}', 'COMPLETED', 8, {start_us}, {end_us})"
        )).await;
    }
    commit(client, 2, "gpu", 0, 1).await;
}

struct FixedCut(u64);

impl CutSource for FixedCut {
    async fn settled_cut(&self) -> Result<u64, PortError> {
        Ok(self.0)
    }

    async fn check_conserved(&self, _: std::ops::RangeInclusive<i32>, _: u64) -> Result<(), PortError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_committed_before_the_cut_is_billed_and_the_ledger_is_projected_once() {
    let library = std::env::var_os("WEIGHBRIDGE_CHDB_LIB")
        .map_or_else(|| repository().join(".stack/chdb/libchdb.so"), PathBuf::from);
    let data = tempfile::tempdir().unwrap();
    let mut config = EngineConfig::new(library, data.path());
    config.listen = "127.0.0.1:0".parse().unwrap();
    let database = config.database.clone();
    let bound =
        wb_clickhouse_embedded::bind(config).await.expect("the engine starts; `make setup` installs it");
    let url = format!("http://{}", bound.local_addr());
    let sealing = Store::new(StoreConfig::new(&url, &database)).unwrap();
    let client = Client::default().with_url(url).with_database(database);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let engine = tokio::spawn(bound.run(async {
        let _ = stopped.await;
    }));
    migrate(&client).await;
    fill(&client).await;
    let store = CountedUsage(sealing.usage());
    check_reads(&store, false).await;
    // Sealed days give the same bill as their blocks.
    seal(&sealing).await;
    check_reads(&store, true).await;
    check_close_and_projection(&client, &sealing).await;
    stop.send(()).unwrap();
    engine.await.unwrap().unwrap();
}

/// Seals everything committed below offset 6; the seals are at offsets 6 and 8.
async fn seal(store: &Store) {
    let won = |commit_offset, day, tag, content: SealContent| WonSeal {
        commit_offset,
        seal_hash: [0; 32],
        seal: Seal {
            version: COMMITS_VERSION,
            day,
            seal: tag,
            cut: 6,
            rows: content.rows,
            content_hash: content.hash.to_vec(),
            predecessor: vec![0; 32],
            blocks: content.blocks,
            blocks_root: content.blocks_root.to_vec(),
            ..Seal::default()
        },
    };
    let mut seals = Vec::new();
    for (tag, touched) in (50..).zip(store.touched_days(0, 6).await.unwrap()) {
        let seal = SealOf { day: touched.day, seal: tag, base: None, cut: 6 };
        store.write_seal(&seal).await.unwrap();
        let content = store.stored_seal(touched.day, tag).await.unwrap();
        assert_eq!(content, store.expected_seal(&seal).await.unwrap());
        seals.push(won(6, touched.day, tag, content));
    }
    assert_eq!(seals.len(), 5, "days with work or readings");
    seals.push(won(8, ALL_DAYS, 0, SealContent::default()));
    store.project_seals(&seals).await.unwrap();
}

/// The work of one party.
async fn work_of(store: &CountedUsage, holdings: &[Holding], cut: u64) -> WorkRead {
    let corrections = store.corrections(cut).await.unwrap();
    let each = store.work_of_each(&[holdings.to_vec()], &corrections, cut).await.unwrap();
    let [work] = <[WorkRead; 1]>::try_from(each.works).unwrap();
    work
}

async fn check_reads(store: &CountedUsage, is_sealed: bool) {
    for (below, held) in [(0, 0), (1, 1), (2, 1), (3, 3), (4, 4), (100, 10)] {
        assert_eq!(store.committed_cut(below).await.unwrap(), held, "below {below}");
    }
    let interval = Interval::new(JANUARY_US, JANUARY_US + 20 * STEP_US).unwrap();
    let holdings = [Holding { interval, machine_id: "gen-1".to_owned() }];
    let group = |credited_q32, shares| WorkGroup {
        chain: "main".to_owned(),
        nbits: 0x1d00_ffff,
        subsidy_sat: 5_000_000_000,
        credited_q32,
        shares,
    };
    let block = |topic: &str, block| BlockId { topic: topic.to_owned(), partition: 0, block };
    assert!(work_of(store, &holdings, 3).await.groups.is_empty());
    let read = work_of(store, &holdings, 9).await;
    assert_eq!(read.groups, [group((7 << 32) + WIDE_Q32, 2)]);
    // Block 0 is in its day's seal, or committed above all seals.
    let set = |blocks: &[u64]| blocks.iter().map(|number| block("shares", *number)).collect::<BTreeSet<_>>();
    let above = if is_sealed { set(&[]) } else { set(&[0]) };
    assert_eq!(read.above, above);
    let read = work_of(store, &holdings, 10).await;
    assert_eq!(read.groups, [group((8 << 32) + WIDE_Q32, 3)]);
    assert_eq!(read.above, &above | &set(&[1]));
    let found = store.sealed_days(9).await.unwrap();
    assert_eq!(found.cut, if is_sealed { 6 } else { 0 });
    assert_eq!(found.days.len(), if is_sealed { 5 } else { 0 });
    assert!(found.days.values().all(|day| day.blocks_count > 0 && day.commit_offset == 6));
    assert_eq!(store.sealed_days(8).await.unwrap(), SealedDays::default(), "the seal of all days lies at 8");
    let committed = store.blocks(&set(&[0, 1]), 6, 10).await.unwrap();
    assert_eq!(committed.iter().map(|committed| committed.block).collect::<Vec<_>>(), [1]);
    assert!(work_of(store, &[], 10).await.groups.is_empty());
    // The same for several parties at once, including two that claim one machine.
    let held = |machine: &str| vec![Holding { interval, machine_id: machine.to_owned() }];
    let parties = [held("gen-1"), held("gen-2"), held("gen-1"), Vec::new(), held("gen-8")];
    for cut in [3, 9, 10] {
        let corrections = store.corrections(cut).await.unwrap();
        let each = store.work_of_each(&parties, &corrections, cut).await.unwrap();
        for (party, work) in parties.iter().zip(each.works) {
            assert_eq!(work, work_of(store, party, cut).await, "{party:?} at {cut}");
        }
    }
    let touched = async |from, to| {
        let touched = store.touched(from, to).await.unwrap().unwrap();
        (touched.machine_ids.into_iter().collect::<Vec<_>>().join(" "), touched.facts)
    };
    assert_eq!(touched(0, 1).await, (String::new(), true));
    assert_eq!(touched(1, 5).await, ("gen-1 gen-2".to_owned(), false));
    assert_eq!(touched(5, 10).await, ("gen-1".to_owned(), false));
    assert_eq!(touched(6, 9).await, (String::new(), false));

    let month = Interval::new(JANUARY_US, JANUARY_US + 8_928 * STEP_US).unwrap();
    let rows = store.readings(&["gen-1".to_owned(), "gen-8".to_owned()], month, 9).await.unwrap();
    let mut registers: Vec<_> = rows.iter().map(|row| row.reading.register_wh).collect();
    registers.sort_unstable();
    assert_eq!(registers, [100, 1_100, 5_000], "the neighbours and what is inside, committed before the cut");

    let facts = store.facts("assignment", None, 1).await.unwrap();
    assert_eq!(facts.len(), 1);
    assert_eq!(facts[0].valid_to_us, Some(JANUARY_US + 20 * STEP_US));
    assert_eq!(store.facts("contract", None, 1).await.unwrap()[0].valid_to_us, None);
    assert!(store.facts("contract", None, 0).await.unwrap().is_empty());

    for cut in [0, 1, 10] {
        let recorded = store.recorded(&["contract", "assignment"], cut).await.unwrap();
        for kind in ["contract", "assignment"] {
            let rows = recorded.facts.get(kind).cloned().unwrap_or_default();
            assert_eq!(rows, store.facts(kind, None, cut).await.unwrap(), "{kind} at {cut}");
            assert_eq!(rows.len(), usize::from(cut > 0));
        }
        let ids: BTreeSet<BlockId> = recorded.commits.keys().cloned().collect();
        assert_eq!(ids, if cut > 0 { BTreeSet::from([block("reference", 0)]) } else { BTreeSet::new() });
        let commits: Vec<_> = recorded.commits.into_values().collect();
        assert_eq!(commits, store.blocks(&ids, 0, cut).await.unwrap());
    }
    assert_eq!(store.facts("contract", Some(&["lab-1".to_owned()]), 1).await.unwrap().len(), 1);
    assert!(store.facts("contract", Some(&["lab-2".to_owned()]), 1).await.unwrap().is_empty());

    // By interval the same work as by group.
    let slices = store.work_slices(&holdings, 9).await.unwrap();
    let shown: Vec<_> =
        slices.iter().map(|s| ((s.start_us - JANUARY_US) / STEP_US, s.credited_q32)).collect();
    assert_eq!(shown, [(0, 7 << 32), (19, WIDE_Q32)]);

    // Only committed rows inside the window.
    let ids = ["gen-1".to_owned(), "gen-8".to_owned()];
    assert!(store.samples(&ids, month, 4).await.unwrap().is_empty());
    let mut found: Vec<_> =
        store.samples(&ids, month, 5).await.unwrap().into_iter().map(|row| row.sample.found).collect();
    found.sort_unstable();
    assert_eq!(found, [Found::Hashing, Found::Asleep], "and nothing of the uncommitted block");
    let first = Interval::new(JANUARY_US, JANUARY_US + 1).unwrap();
    assert_eq!(store.samples(&ids, first, 5).await.unwrap().len(), 1);

    // All rows of allocations that touch the window, including rows that do not.
    let rows = store.allocations(&ids, month, 3).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.row.span.allocation_id == "job-1" && row.row.span.gpus == 8));
    assert!(store.allocations(&ids, month, 2).await.unwrap().is_empty());

    let committed =
        store.blocks(&BTreeSet::from([block("shares", 0), block("shares", 1)]), 0, 9).await.unwrap();
    assert_eq!(committed.len(), 1);
    assert_eq!(committed[0].merkle_root, Hash::of(b"rootshares0"));
    // More blocks than are listed one by one: the same commits, and none of those between.
    let many: BTreeSet<BlockId> =
        (0..5_000).map(|number| block(if number % 2 == 0 { "shares" } else { "energy" }, number)).collect();
    let found = store.blocks(&many, 0, 10).await.unwrap();
    assert_eq!(found, committed, "block 0 of shares, and neither 1 nor 0 of energy");
    let mut heads = store.chain_heads(10).await.unwrap();
    heads.sort();
    let (cut, same) = store.committed_heads(100).await.unwrap();
    assert_eq!((cut, same.map(|heads| heads.len())), (10, Some(5)));
    let shown: Vec<_> =
        heads.iter().map(|head| (head.topic.as_str(), head.block, head.commit_hash)).collect();
    assert_eq!(
        shown,
        [
            ("energy", 0, Hash::of(b"commitenergy0")),
            ("gpu", 0, Hash::of(b"commitgpu0")),
            ("reference", 0, Hash::of(b"commitreference0")),
            ("shares", 1, Hash::of(b"commitshares1")),
            ("telemetry", 0, Hash::of(b"committelemetry0")),
        ]
    );
}

async fn check_close_and_projection(client: &Client, tables: &Store) {
    let store = CountedUsage(tables.usage());
    let log = MemoryLog::new();
    let biller = Biller::new(log.clone(), store, FixedCut(9), TestClock::at(AFTER_US), "biller");
    let issued = biller.close("2009-01", None).await.unwrap();
    let document = biller.invoice(&issued[0].invoice_id).await.unwrap();
    let invoice = &document.invoice;
    // The cut is one past the last commit or seal below the settled offset.
    let evidence = &invoice.evidence;
    assert_eq!(
        (evidence.cut, evidence.blocks_count),
        (9, 1 + 5),
        "that of the facts, and one of each sealed day"
    );
    assert_eq!((evidence.blocks.len(), evidence.days.len()), (1, 3));
    // (2^70 + 1 + 7 x 2^32) x 50 BTC / 2^32: 2^38 + 7 difficulties, and 2^-32 of one earns 1.16 satoshi.
    assert_eq!(invoice.lines[0].amount, "13743895347550.00000001");
    // Until the assignment ends after 20 steps: 500 of the first 1,000 Wh, then 19 of 9,999 steps of 3,900 Wh.
    assert_eq!(invoice.lines[1].quantity, "0.50741");
    let again = biller.recompute(&invoice.invoice_id).await.unwrap();
    assert!(again.bill_matches && again.evidence_matches);

    let table = BillTables(tables.clone());
    let month_end_us = JANUARY_US + 8_928 * STEP_US;
    let bill_at = async |cut, until_us| {
        biller.running_bill("lab-1", "2009-01", (cut, until_us)).await.unwrap().unwrap()
    };
    let last = bill_at(9, month_end_us).await;
    assert_eq!(last.document.bill_digest, invoice.bill_digest);
    let earlier = bill_at(6, JANUARY_US + 10 * STEP_US).await;
    assert_ne!(earlier.document.bill_digest, invoice.bill_digest);
    table.write(&[earlier]).await.unwrap();
    table.write(std::slice::from_ref(&last)).await.unwrap();
    let kept_of = async |customer: &str| {
        let read = tables.read(TenantScope::Operator, Cut(9));
        let page = PageRequest::new(10, None).unwrap();
        let ledger_end = read.ledger_end().await.unwrap();
        read.running_bill_rows(&page, (Some(customer), None), ledger_end).await.unwrap().rows
    };
    let kept = kept_of("satoshi-lab").await;
    let document: wb_ledger::Invoice = serde_json::from_str(&kept[0].body).unwrap();
    assert_eq!((kept.len(), kept[0].cut, &document), (1, 9, &last.document));
    assert!(kept_of("hal-desk").await.is_empty());

    let mut projector = Projector::new(BillTables(tables.clone()));
    assert_eq!(projector.project(&log).await.unwrap(), 2);
    // A closed month is billed and no longer running, whatever is written of it late.
    assert!(kept_of("satoshi-lab").await.is_empty());
    table.write(std::slice::from_ref(&last)).await.unwrap();
    assert!(kept_of("satoshi-lab").await.is_empty());
    assert_eq!(projector.project(&log).await.unwrap(), 0);
    assert_eq!(
        Projector::new(BillTables(tables.clone())).project(&log).await.unwrap(),
        0,
        "another projector starts where the table ends"
    );
    log.push_raw(b"nothing that counts");
    assert_eq!(projector.project(&log).await.unwrap(), 0);
    let rows = client
        .query("SELECT kind, customer_id, invoice_id, body FROM ledger ORDER BY ledger_offset")
        .fetch_all::<(String, String, String, String)>()
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0].0.as_str(), rows[0].1.as_str(), rows[0].2.as_str()),
        ("period_closed", "satoshi-lab", "")
    );
    assert_eq!((rows[1].0.as_str(), &rows[1].2), ("invoice_issued", &invoice.invoice_id));
    let body: wb_ledger::Invoice = serde_json::from_str(&rows[1].3).unwrap();
    assert_eq!(&body, invoice);
    let links = client
        .query("SELECT lower(hex(record_hash)), lower(hex(predecessor)) FROM ledger ORDER BY ledger_offset")
        .fetch_all::<(String, String)>()
        .await
        .unwrap();
    assert_eq!(links[0].1, Hash::ZERO.to_string());
    assert_eq!(links[1].1, links[0].0);
    assert_eq!(links[0].0, Hash::of(&log.records()[0]).to_string());

    // All other kinds go the same way, each with its customer and invoice.
    let by = wb_billing::Signature { who: "ana".to_owned(), why: "a test".to_owned() };
    let text = "wrong".to_owned();
    let void =
        wb_ledger::Command::Void { invoice_id: invoice.invoice_id.clone(), text, at_us: biller.now_us() };
    biller.act(&void, &by).await.unwrap();
    assert_eq!(projector.project(&log).await.unwrap(), 1);
    let rows = client
        .query("SELECT kind, customer_id, invoice_id FROM ledger ORDER BY ledger_offset DESC LIMIT 1")
        .fetch_all::<(String, String, String)>()
        .await
        .unwrap();
    let expected = ("credit_note_issued".to_owned(), "satoshi-lab".to_owned(), invoice.invoice_id.clone());
    assert_eq!(rows, [expected]);
}
