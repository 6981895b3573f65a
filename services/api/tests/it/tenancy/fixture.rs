//! Rows of two customers, of unassigned machines, and of a block that was never committed.
//!
//! Machine `x1` changes hands: until 02:00 it is A's at site-s, then B's at site-b. Only A may see its data from
//! before, and only B from after.

use serde_json::json;
use wb_clickhouse::Store;
use wb_events::facts::FactBody;

pub(crate) const CUSTOMER_A: &str = "acme-aaa";
pub(crate) const CUSTOMER_B: &str = "birch-bbb";
pub(crate) const SITES: &[&str] = &["site-a", "site-b", "site-s", "site-p"];
pub(crate) const MACHINES: &[&str] = &["machine-aaa", "machine-bbb", "x1", "suspense-machine", "ghost"];

/// Texts that only A may see.
pub(crate) const MARKERS_A: &[&str] = &[
    "acme-aaa",
    "machine-aaa",
    "Model-A",
    "site-a",
    "inv-aaa",
    "GEN-000001",
    "Power for A",
    "stale",
    "contract-aaa",
    "gpu-aaa",
];

/// The data of machine `x1` while it was A's; only A may see it.
pub(crate) const PAST_OF_A: &str = "Model-X-A";

/// Texts that only B may see.
pub(crate) const MARKERS_B: &[&str] = &[
    "birch-bbb",
    "machine-bbb",
    "Model-B",
    "site-b",
    "inv-bbb",
    "GEN-000002",
    "Power for B",
    "low_difficulty",
    "Model-X-B",
    "contract-bbb",
    "gpu-bbb",
];

/// Accepted work of A's rows below, in units of 2^-32.
pub(crate) const WORK_A: u128 = 1_000_003 + 1_000_033 + 7_000_003;
/// Accepted work of B's rows below, in units of 2^-32.
pub(crate) const WORK_B: u128 = 20_000_003 + 90_000_049 + 90_000_073;
/// Accepted work of the unassigned machine, in units of 2^-32.
pub(crate) const WORK_SUSPENSE: u128 = 400_000_009;

/// 2026-10-01T00:00:00Z in microseconds.
const DAY_US: i64 = 1_790_812_800_000_000;
const MINUTE_US: i64 = 60_000_000;

/// Which rows a store holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contents {
    Both,
    OnlyA,
    OnlyB,
}

/// The owner of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    A,
    B,
    /// In every store: shared data, such as a site or a meter by which both were billed.
    Shared,
    /// Only in the store of both: data of others.
    Others,
    /// Only in A's own store: the end that B's assignment gives to A's.
    AAlone,
    /// Only in the store of both: A's assignment with the end that follows from B's.
    AWithB,
}

impl Owner {
    fn is_in(self, contents: Contents) -> bool {
        match self {
            Self::A => contents != Contents::OnlyB,
            Self::B => contents != Contents::OnlyA,
            Self::Shared => true,
            Self::Others | Self::AWithB => contents == Contents::Both,
            Self::AAlone => contents == Contents::OnlyA,
        }
    }
}

/// Block 1, attempt 1 is committed; attempt 2 is not.
const NAMED: &str = "1, 'shares', 0, 1";
const UNNAMED: &str = "2, 'shares', 0, 1";

pub(crate) async fn fill(store: &Store, contents: Contents) {
    let rows = [
        facts(),
        site_facts(),
        sessions(),
        work(),
        shares(),
        energy(),
        samples(),
        spans(),
        gpu_samples(),
        invoices(),
        running(),
    ]
    .concat();
    for committed in ["40, 'reference', 0, 1, 1", "41, 'shares', 0, 1, 1"] {
        insert(store, "manifest", "commit_offset, topic, partition, block, attempt", committed).await;
    }
    for (owner, table, columns, values) in rows {
        if owner.is_in(contents) {
            insert(store, table, columns, &values).await;
        }
    }
}

pub(crate) async fn insert(store: &Store, table: &str, columns: &str, values: &str) {
    let sql = format!("INSERT INTO {table} ({columns}) SELECT {values}");
    store.client().query_raw(&sql).execute().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

type Row = (Owner, &'static str, &'static str, String);

fn fact(
    owner: Owner,
    block: &str,
    kind: &str,
    entity: &str,
    from_us: i64,
    to_us: Option<i64>,
    body: &serde_json::Value,
) -> Row {
    let to = to_us.map_or("NULL".to_owned(), |to_us| to_us.to_string());
    let columns = "attempt, topic, partition, block, idx, kind, entity, valid_from_us, valid_to_us, body";
    // Facts have their own topic.
    let block = block.replace("'shares'", "'reference'");
    let values = format!("{block}, 0, '{kind}', '{entity}', {from_us}, {to}, '{body}'");
    (owner, "facts", columns, values)
}

fn facts() -> Vec<Row> {
    use Owner::{A, AAlone, AWithB, B, Others, Shared};
    let site = |owner, id: &str, name: &str| {
        fact(owner, NAMED, "site", id, 0, None, &json!({"name": name, "time_zone": "America/Chicago"}))
    };
    let machine = |owner, id: &str, from_us, site: &str, model: &str, power_mw: u64| {
        let rated_hashrate_hs = (power_mw * 30_000_000).to_string();
        let body = json!({"site_id": site, "model": model, "rated_power_mw": power_mw,
            "rated_hashrate_hs": rated_hashrate_hs});
        // Normalised as by ingest.
        let stored = FactBody::parse("machine", id, &body.to_string()).unwrap().to_json();
        fact(owner, NAMED, "machine", id, from_us, None, &stored.parse().unwrap())
    };
    let assigned = |owner, machine: &str, from_us, to_us, customer: &str, contract: &str| {
        let body = json!({"machine_id": machine, "customer_id": customer, "contract_id": contract});
        fact(owner, NAMED, "assignment", machine, from_us, to_us, &body)
    };
    let node = |id: &str| {
        let body = json!({"site_id": "site-p", "model": "HGX", "rated_power_mw": 9, "gpus": 8});
        fact(Shared, NAMED, "machine", id, 0, None, &body)
    };
    let account = |owner, account: &str, customer: &str, contract: &str| {
        let body = json!({"customer_id": customer, "contract_id": contract});
        fact(owner, NAMED, "account", account, DAY_US, None, &body)
    };
    // Off the grid by a second: it takes effect at the boundary after it, 02:00.
    let handover_us = DAY_US + 120 * MINUTE_US - 1_000_000;
    vec![
        site(A, "site-a", "North of A"),
        site(B, "site-b", "South of B"),
        site(Shared, "site-s", "Shared hall"),
        site(Shared, "site-p", "Pool of GPUs"),
        // A node of nobody and one of A, whose GPUs both hold by their accounts.
        node("pool-node"),
        node("host-node"),
        assigned(A, "host-node", DAY_US, None, CUSTOMER_A, "contract-aaa"),
        account(A, "slurm:c/aaa", CUSTOMER_A, "contract-aaa"),
        account(B, "slurm:c/bbb", CUSTOMER_B, "contract-bbb"),
        site(Others, "suspense-site", "Elsewhere"),
        fact(A, NAMED, "customer", CUSTOMER_A, 0, None, &json!({"name": "Acme of A"})),
        fact(B, NAMED, "customer", CUSTOMER_B, 0, None, &json!({"name": "Birch of B"})),
        machine(A, "machine-aaa", 0, "site-a", "Model-A", 3_250_000),
        machine(B, "machine-bbb", 0, "site-b", "Model-B", 3_510_000),
        // Sources without events, which reports mention.
        machine(A, "machine-aaa-quiet", 0, "site-a", "Model-A", 3_250_000),
        machine(B, "machine-bbb-quiet", 0, "site-b", "Model-B", 3_510_000),
        machine(A, "x1", 0, "site-s", "Model-X-A", 3_000_000),
        machine(B, "x1", handover_us, "site-b", "Model-X-B", 3_100_000),
        machine(Others, "suspense-machine", 0, "suspense-site", "Model-S", 9),
        machine(Others, "suspense-2", 0, "site-s", "Model-S", 9),
        assigned(A, "machine-aaa", DAY_US, Some(DAY_US + 1_440 * MINUTE_US), CUSTOMER_A, "contract-aaa"),
        assigned(B, "machine-bbb", DAY_US, Some(DAY_US + 1_380 * MINUTE_US), CUSTOMER_B, "contract-bbb"),
        assigned(A, "machine-aaa-quiet", DAY_US, None, CUSTOMER_A, "contract-aaa"),
        assigned(B, "machine-bbb-quiet", DAY_US, None, CUSTOMER_B, "contract-bbb"),
        assigned(AAlone, "x1", DAY_US, Some(handover_us), CUSTOMER_A, "contract-aaa"),
        assigned(AWithB, "x1", DAY_US, None, CUSTOMER_A, "contract-aaa"),
        assigned(B, "x1", handover_us, None, CUSTOMER_B, "contract-bbb"),
        // In a block that was never committed: it must not move the machine to A.
        fact(
            Others,
            UNNAMED,
            "assignment",
            "machine-bbb",
            DAY_US,
            None,
            &json!({"machine_id": "machine-bbb", "customer_id": CUSTOMER_A, "contract_id": "ghost"}),
        ),
    ]
}

/// Facts of sites: shared windows, and prices and payments that only an operator may see.
fn site_facts() -> Vec<Row> {
    use Owner::{A, B, Others, Shared};
    let other = |owner, kind: &str, entity: &str, to_us: Option<i64>, body: serde_json::Value| {
        let stored = FactBody::parse(kind, entity, &body.to_string()).unwrap().to_json();
        fact(owner, NAMED, kind, entity, DAY_US, to_us, &stored.parse().unwrap())
    };
    let hour = |hours: i64| Some(DAY_US + hours * 60 * MINUTE_US);
    vec![
        other(Shared, "maintenance", "m-s", hour(1), json!({"site_id": "site-s", "reason": "hall"})),
        other(
            A,
            "curtailment",
            "c-a",
            hour(1),
            json!({"site_id": "site-a", "program": "p", "credit": "1.50"}),
        ),
        other(
            B,
            "curtailment",
            "c-b",
            hour(2),
            json!({"site_id": "site-b", "program": "p", "credit": "2.50"}),
        ),
        other(
            B,
            "maintenance",
            "m-b",
            hour(9),
            json!({"site_id": "site-s", "machine_id": "x2", "reason": "r"}),
        ),
        other(
            Others,
            "pool_earning",
            "e-1",
            hour(24),
            json!({"pool": "p", "site_id": "site-a", "amount_sat": "9"}),
        ),
        other(Others, "price", "pw", None, json!({"series": "pw", "unit": "USD/kWh", "value": "0.05"})),
        // Later than the site's own fact, so it holds in the store of both only.
        other(
            Others,
            "site",
            "site-a",
            None,
            json!({"name": "North of A", "time_zone": "America/Chicago", "power_price_series": "pw"}),
        ),
        // Machines without ratings: each customer gets a note about its own.
        other(
            A,
            "machine",
            "unrated-aaa",
            None,
            json!({"site_id": "site-a", "model": "Model-A", "rated_power_mw": 1}),
        ),
        other(
            B,
            "machine",
            "unrated-bbb",
            None,
            json!({"site_id": "site-b", "model": "Model-B", "rated_power_mw": 1}),
        ),
        other(
            A,
            "assignment",
            "unrated-aaa",
            None,
            json!({"machine_id": "unrated-aaa", "customer_id": CUSTOMER_A, "contract_id": "contract-aaa"}),
        ),
        other(
            B,
            "assignment",
            "unrated-bbb",
            None,
            json!({"machine_id": "unrated-bbb", "customer_id": CUSTOMER_B, "contract_id": "contract-bbb"}),
        ),
    ]
}

/// Samples of both around the handover of x1, where one customer's sample could count for the other's time.
fn samples() -> Vec<Row> {
    use Owner::{A, B, Others};
    let row = |owner, block: &str, machine: &str, minute: i64, hashrate_hs: u64, power_mw: u64| -> Row {
        let at_us = DAY_US + minute * MINUTE_US;
        let columns = "attempt, topic, partition, block, idx, source, source_epoch, source_key, sequence, \
                       event_time_us, site_id, machine_id, family, state, algorithm, hashrate_hs, power_mw, \
                       uptime_s, answers";
        let answers = json!({"s": {"STATUS": [{"Description": "FluxOS-1"}], "SUMMARY": [{"Accepted": 100 + minute,
            "Difficulty Accepted": 655_350_000, "Elapsed": 100_000, "MHS 5s": 1, "MHS av": hashrate_hs}]}});
        let values = format!(
            "{block}, 0, 'agent', 1, '{machine}', {minute}, {at_us}, 'site-s', '{machine}', 'f', 'hashing', 'sha256d', \
             {hashrate_hs}, {power_mw}, {minute} * 60 + 77, '{answers}'"
        );
        (owner, "miner_samples", columns, values)
    };
    vec![
        row(A, NAMED, "machine-aaa", 0, 28_000_000, 3_000_000),
        row(A, NAMED, "machine-aaa", 5, 28_000_000, 3_100_000),
        row(A, NAMED, "x1", 110, 30_000_000, 2_000_000),
        row(A, NAMED, "x1", 115, 30_000_000, 2_000_000),
        row(B, NAMED, "x1", 120, 31_000_000, 4_000_000),
        row(B, NAMED, "x1", 125, 31_000_000, 4_000_000),
        row(B, NAMED, "machine-bbb", 0, 32_000_000, 5_000_000),
        row(B, NAMED, "machine-bbb", 5, 32_000_000, 5_000_000),
        row(Others, NAMED, "suspense-machine", 0, 9_000_000, 1_000),
        row(Others, UNNAMED, "machine-aaa", 3, 99_000_000, 9_000_000),
    ]
}

/// Allocations on a node of each customer, on a node of nobody, and of B on a node of A.
fn spans() -> Vec<Row> {
    use Owner::{A, B, Others};
    let of_account = |owner,
                      account: &str,
                      node: &str,
                      allocation: &str,
                      gpus: u32,
                      minutes: (i64, i64)|
     -> Row {
        let (start_us, end_us) = (DAY_US + minutes.0 * MINUTE_US, DAY_US + minutes.1 * MINUTE_US);
        let columns = "attempt, topic, partition, block, idx, event_time_us, site_id, node_id, allocation_id, account, \
                       state, gpus, start_us, end_us";
        let values = format!(
            "{NAMED}, 0, {end_us}, 'site-s', '{node}', '{allocation}', '{account}', 'COMPLETED', {gpus}, {start_us}, {end_us}"
        );
        (owner, "gpu_spans", columns, values)
    };
    let row = |owner, node: &str, allocation: &str, gpus: u32, minutes: (i64, i64)| {
        of_account(owner, "x", node, allocation, gpus, minutes)
    };
    vec![
        row(A, "unrated-aaa", "job-aaa", 2, (10, 50)),
        row(B, "unrated-bbb", "job-bbb", 3, (10, 55)),
        of_account(A, "slurm:c/aaa", "pool-node", "job-aaa-pool", 2, (10, 40)),
        of_account(B, "slurm:c/bbb", "pool-node", "job-bbb-pool", 4, (20, 80)),
        of_account(Others, "slurm:c/ccc", "pool-node", "job-suspense", 1, (20, 90)),
        // In the time in which the node's own customer holds GPUs of it, too.
        row(A, "host-node", "job-aaa-host", 1, (10, 50)),
        of_account(B, "slurm:c/bbb", "host-node", "job-bbb-host", 5, (15, 45)),
    ]
}

/// Samples of slices: a fault that ends ten minutes later.
fn gpu_samples() -> Vec<Row> {
    use Owner::{A, B, Others};
    let row = |owner, block: &str, node: &str, device: &str, minute: i64, xid: u64| -> Row {
        let at_us = DAY_US + minute * MINUTE_US;
        let columns = "attempt, topic, partition, block, idx, event_time_us, event_id, site_id, node_id, device, \
                       profile, instance, engine_active_ppm, last_xid";
        let values = format!(
            "{block}, 0, {at_us}, toFixedString('gpu-{minute}', 16), 'site-s', '{node}', '{device}', '1g.5gb', '7', \
             500000, {xid}"
        );
        (owner, "gpu_samples", columns, values)
    };
    vec![
        row(A, NAMED, "unrated-aaa", "gpu-aaa", 20, 31),
        row(A, NAMED, "unrated-aaa", "gpu-aaa", 30, 0),
        row(B, NAMED, "unrated-bbb", "gpu-bbb", 20, 43),
        row(B, NAMED, "unrated-bbb", "gpu-bbb", 35, 0),
        row(Others, UNNAMED, "unrated-aaa", "gpu-aaa", 25, 79),
    ]
}

fn sessions() -> Vec<Row> {
    use Owner::{A, B, Others};
    let handover_us = DAY_US + 120 * MINUTE_US;
    let session = |owner, block: &str, id: &str, machine: &str, from_us, to_us, difficulty: &str| {
        let body =
            json!({"machine_id": machine, "worker": "w", "chain": "main", "assigned_difficulty": difficulty});
        fact(owner, block, "session", id, from_us, to_us, &body)
    };
    vec![
        session(A, NAMED, "session-a", "machine-aaa", DAY_US, None, "70001"),
        session(A, NAMED, "session-x-a", "x1", DAY_US, Some(handover_us), "70003"),
        session(B, NAMED, "session-b", "machine-bbb", DAY_US, None, "80021"),
        session(B, NAMED, "session-x-b", "x1", handover_us, None, "80023"),
        session(Others, NAMED, "session-s", "suspense-machine", DAY_US, None, "900001"),
        session(Others, UNNAMED, "session-g", "machine-aaa", DAY_US + MINUTE_US, None, "1e9"),
        session(Others, UNNAMED, "session-h", "machine-bbb", DAY_US + MINUTE_US, None, "1e9"),
    ]
}

fn shares() -> Vec<Row> {
    use Owner::{A, B, Others};
    // A hash at so many 1024ths of its target.
    let row = |owner, block: &str, site: &str, machine: &str, minute: i64, part: u32, verdict: &str| -> Row {
        let at_us = DAY_US + minute * MINUTE_US;
        let columns = "attempt, topic, partition, block, idx, event_time_us, share_id, site_id, machine_id, chain, \
                       credited_q32, verdict, hash";
        let target = "intDiv(bitShiftLeft(toUInt256(65535), 240), toUInt256(1000003))";
        let values = format!(
            "{block}, 0, {at_us}, toFixedString('{machine}', 16), '{site}', '{machine}', 'main', \
             toUInt128(1000003), '{verdict}', reinterpretAsFixedString(intDiv({target}, 1024) * {part})"
        );
        (owner, "shares", columns, values)
    };
    vec![
        row(A, NAMED, "site-a", "machine-aaa", 0, 100, "accepted"),
        row(A, NAMED, "site-a", "machine-aaa", 65, 700, "accepted"),
        row(A, NAMED, "site-a", "machine-aaa", 65, 1_023, "rejected"),
        row(A, NAMED, "site-s", "x1", 115, 900, "accepted"),
        row(B, NAMED, "site-b", "machine-bbb", 0, 1_020, "accepted"),
        row(B, NAMED, "site-b", "x1", 120, 30, "accepted"),
        row(B, NAMED, "site-b", "x1", 600, 40, "accepted"),
        row(Others, NAMED, "suspense-site", "suspense-machine", 5, 500, "accepted"),
        row(Others, UNNAMED, "site-a", "machine-aaa", 5, 1_023, "accepted"),
        row(Others, UNNAMED, "site-b", "machine-bbb", 5, 1_023, "accepted"),
    ]
}

fn work() -> Vec<Row> {
    use Owner::{A, B, Others};
    let row = |owner,
               block: &str,
               site: &str,
               machine: &str,
               minute: i64,
               verdict: &str,
               reason: &str,
               q32: u128|
     -> Row {
        let start_us = DAY_US + minute * MINUTE_US;
        let columns = "attempt, topic, partition, block, idx, site_id, machine_id, interval_start_us, chain, nbits, \
                       subsidy_sat, verdict, reason, shares, credited_q32, credited_q32_squared, blocks";
        let values = format!(
            "{block}, 0, '{site}', '{machine}', {start_us}, 'main', 386089497, 312500000, '{verdict}', '{reason}', 3, \
             toUInt128('{q32}'), toUInt256('{q32}') * toUInt256('{q32}'), 1"
        );
        (owner, "work_5m", columns, values)
    };
    vec![
        row(A, NAMED, "site-a", "machine-aaa", 0, "accepted", "", 1_000_003),
        row(A, NAMED, "site-a", "machine-aaa", 65, "accepted", "", 1_000_033),
        row(A, NAMED, "site-a", "machine-aaa", 65, "rejected", "stale", 1_000_037),
        row(A, NAMED, "site-s", "x1", 115, "accepted", "", 7_000_003),
        row(B, NAMED, "site-b", "machine-bbb", 0, "accepted", "", 20_000_003),
        row(B, NAMED, "site-b", "machine-bbb", 0, "rejected", "low_difficulty", 20_000_023),
        row(B, NAMED, "site-b", "x1", 120, "accepted", "", 90_000_049),
        row(B, NAMED, "site-b", "x1", 600, "accepted", "", 90_000_073),
        row(Others, NAMED, "suspense-site", "suspense-machine", 5, "accepted", "", 400_000_009),
        row(Others, NAMED, "suspense-site", "suspense-machine", 5, "rejected", "suspense-reason", 9),
        row(Others, UNNAMED, "site-a", "machine-aaa", 5, "accepted", "ghost", 500_000_003),
        row(Others, UNNAMED, "site-b", "machine-bbb", 5, "rejected", "ghost", 500_000_009),
    ]
}

fn energy() -> Vec<Row> {
    use Owner::{A, B, Others, Shared};
    let row = |owner,
               block: &str,
               site: &str,
               machine: &str,
               minute: i64,
               witness: &str,
               register_wh: u64|
     -> Row {
        let at_us = DAY_US + minute * MINUTE_US;
        let columns = "attempt, topic, partition, block, idx, event_time_us, event_id, site_id, machine_id, meter_id, \
                       witness, register_wh";
        let values = format!(
            "{block}, 0, {at_us}, toFixedString('id-{minute}', 16), '{site}', '{machine}', 'meter/{machine}', \
             '{witness}', {register_wh}"
        );
        (owner, "energy_readings", columns, values)
    };
    vec![
        row(A, NAMED, "site-a", "machine-aaa", 0, "meter", 5_000),
        row(A, NAMED, "site-a", "machine-aaa", 60, "meter", 8_217),
        row(B, NAMED, "site-b", "machine-bbb", 0, "meter", 70_000),
        row(B, NAMED, "site-b", "machine-bbb", 60, "meter", 73_571),
        // One meter across the handover: both parts follow from both readings.
        row(Shared, NAMED, "site-s", "x1", 110, "pdu", 900),
        row(Shared, NAMED, "site-b", "x1", 140, "pdu", 1_801),
        row(Others, NAMED, "suspense-site", "suspense-machine", 0, "meter", 0),
        row(Others, NAMED, "suspense-site", "suspense-machine", 60, "meter", 977_777),
        row(Others, UNNAMED, "site-a", "machine-aaa", 30, "meter", 5_001),
    ]
}

/// The running bill of each customer, and one that a newer cut replaced.
fn running() -> Vec<Row> {
    let row = |owner, customer: &str, mark: &str, cut: u64, amount_minor: &str, amount: &str| -> Row {
        let digest = |of: &str| wb_ledger::Hash::of(format!("{of} {mark}").as_bytes());
        let document = json!({
            "invoice_id": format!("run-{mark}"), "number": "", "customer_id": customer,
            "contract_id": format!("contract-{mark}"), "legal_entity": "GEN",
            "period": {"text": "2026-11", "start_us": DAY_US, "end_us": DAY_US + 43_200 * MINUTE_US},
            "lines": [{"id": format!("contract-{mark}/power"), "component": "power", "kind": "metered_energy",
                "description": format!("Power so far for {mark}"), "quantity": "1.5", "unit": "kWh",
                "unit_price": "0.0725", "formula": "quantity x unit price, half even", "amount_minor": amount_minor,
                "amount": amount, "currency": "USD", "inputs_count": 1, "inputs_digest": digest("inputs so far"),
                "inputs": [{"machine_id": format!("machine-{mark}"), "energy_kwh": "1.5"}]}],
            "totals": [{"currency": "USD", "amount": amount, "amount_minor": amount_minor}],
            "contract_versions": [], "terms": wb_ledger::BillingTerms::default(), "bill_digest": digest("bill so far"), "evidence_digest": digest("evidence so far"),
            "evidence": {"cut": cut, "blocks_count": 1, "blocks": [], "chain_heads": []},
        });
        let columns = "contract_id, customer_id, period, cut, until_us, completeness_ppm, body";
        let until_us = DAY_US + 60 * MINUTE_US;
        let values =
            format!("'contract-{mark}', '{customer}', '2026-11', {cut}, {until_us}, 998877, '{document}'");
        (owner, "running_bills", columns, values)
    };
    vec![
        row(Owner::A, CUSTOMER_A, "aaa", 41, "11", "0.11"),
        row(Owner::A, CUSTOMER_A, "aaa", 40, "7", "0.07"),
        row(Owner::B, CUSTOMER_B, "bbb", 41, "8888", "88.88"),
    ]
}

fn invoices() -> Vec<Row> {
    let row = |owner,
               offset: u64,
               customer: &str,
               mark: &str,
               number: &str,
               amount_minor: &str,
               amount: &str|
     -> Row {
        let digest = |of: &str| wb_ledger::Hash::of(format!("{of} {mark}").as_bytes());
        let invoice = json!({
            "invoice_id": format!("inv-{mark}"), "number": number, "customer_id": customer,
            "contract_id": format!("contract-{mark}"), "legal_entity": "GEN",
            "period": {"text": "2026-10", "start_us": DAY_US, "end_us": DAY_US + 44_640 * MINUTE_US},
            "lines": [{"id": format!("contract-{mark}/power"), "component": "power", "kind": "metered_energy",
                "description": format!("Power for {}", &mark[..1].to_uppercase()), "quantity": "3.217", "unit": "kWh",
                "unit_price": "0.0725", "formula": "quantity x unit price, half even", "amount_minor": amount_minor,
                "currency": "USD", "inputs_count": 2, "inputs_digest": digest("inputs"),
                "amount": amount, "inputs": [{"machine_id": format!("machine-{mark}"), "energy_kwh": "3.217"}]}],
            "totals": [{"currency": "USD", "amount": amount, "amount_minor": amount_minor}],
            "contract_versions": [], "terms": wb_ledger::BillingTerms::default(), "bill_digest": digest("bill"), "evidence_digest": digest("evidence"),
            "evidence": {"cut": 42, "blocks_count": 1, "blocks": [], "chain_heads": []},
            "dates": {"issued_us": DAY_US, "due_us": DAY_US + 43_200 * MINUTE_US},
        });
        let columns = "ledger_offset, kind, customer_id, invoice_id, body";
        let values = format!("{offset}, 'invoice_issued', '{customer}', 'inv-{mark}', '{}'", invoice);
        (owner, "ledger", columns, values)
    };
    // Each customer's own note and payment, which change what its invoice has open.
    let later =
        |owner, offset: u64, customer: &str, mark: &str, kind: &str, body: serde_json::Value| -> Row {
            let columns = "ledger_offset, kind, customer_id, invoice_id, body";
            // Records about no single invoice have the empty id, as in the projection of the ledger.
            let invoice = if mark.is_empty() { String::new() } else { format!("inv-{mark}") };
            (owner, "ledger", columns, format!("{offset}, '{kind}', '{customer}', '{invoice}', '{body}'"))
        };
    let note = |mark: &str, amount_minor: &str, amount: &str| {
        let digest = |of: &str| wb_ledger::Hash::of(format!("{of} {mark}").as_bytes());
        json!({"number": format!("GEN-CN-{mark}"), "invoice_id": format!("inv-{mark}"), "at_us": DAY_US,
            "note_id": format!("note-{mark}"), "legal_entity": "GEN", "invoice_number": format!("GEN-{mark}"),
            "customer_id": if mark == "aaa" { CUSTOMER_A } else { CUSTOMER_B },
            "reason": {"kind": "adjustment", "cut": 43, "bill_digest": digest("bill again"),
                "evidence_digest": digest("evidence again")},
            "released": [],
            "lines": [{"quantity": "3.217", "unit": "kWh", "before_minor": "8", "line_id": format!("contract-{mark}/power"), "kind": "metered_energy",
                "description": format!("Credit for {mark}"), "amount_minor": amount_minor, "after_minor": "3",
                "currency": "USD"}],
            "totals": [{"currency": "USD", "amount": amount, "amount_minor": amount_minor}]})
    };
    // Both payments list both invoices; another customer's invoice is not settled.
    let paid = |customer: &str, amount_minor: &str| {
        json!({"payment_id": format!("pay_{amount_minor}"), "reference": format!("bank {amount_minor}"),
            "legal_entity": "GEN", "customer_id": customer, "received_us": DAY_US + MINUTE_US,
            "amount": {"amount_minor": "99999", "currency": "USD"}, "allocations": [
            {"invoice_id": "inv-aaa", "amount_minor": amount_minor}, {"invoice_id": "inv-bbb", "amount_minor": amount_minor}]})
    };
    vec![
        later(Owner::A, 2, CUSTOMER_A, "aaa", "credit_note_issued", note("aaa", "-5", "-0.05")),
        later(Owner::B, 3, CUSTOMER_B, "bbb", "credit_note_issued", note("bbb", "-907", "-9.07")),
        later(Owner::A, 4, CUSTOMER_A, "", "payment_received", paid(CUSTOMER_A, "11")),
        later(Owner::B, 5, CUSTOMER_B, "", "payment_received", paid(CUSTOMER_B, "4000")),
        later(Owner::B, 5, CUSTOMER_B, "", "payment_received", paid(CUSTOMER_B, "4000")),
        row(Owner::A, 0, CUSTOMER_A, "aaa", "GEN-000001", "23", "0.23"),
        row(Owner::B, 1, CUSTOMER_B, "bbb", "GEN-000002", "9907", "99.07"),
        // Two projectors wrote the same record.
        row(Owner::B, 1, CUSTOMER_B, "bbb", "GEN-000002", "9907", "99.07"),
    ]
}
