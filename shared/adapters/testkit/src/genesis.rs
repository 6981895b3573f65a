//! The first 400 blocks of the chain as replayed headers, and invented meters for the machines they are assigned to.
//!
//! At difficulty 1 each of these blocks is a share that solves its block.

use std::path::Path;

use serde_json::json;
use wb_units::Micros;
use wb_units::time::{EARLIEST_EVENT_US, SECOND_US};

use crate::build::{Builder, Customer, Rated};
use crate::random::Random;
use crate::{Expect, GENESIS_REPLAY, METERS, Part, TestkitError, read};

/// When the machines are assigned: the settlement boundary before the first block.
const START_US: Micros = 1_231_006_500 * SECOND_US;

/// 2009-02-01T00:00:00Z: the last reading closes January.
const FEBRUARY_US: Micros = 1_233_446_400 * SECOND_US;

const HOUR_US: i64 = 3_600 * SECOND_US;

const FILE: &str = "bitcoin/first_blocks_2009.csv";

const MACHINES: [(&str, &str); 3] =
    [("gen-1", "satoshi-lab"), ("gen-2", "satoshi-lab"), ("gen-3", "hal-desk")];

/// Difficulty 1 in units of 2^-32.
const DIFFICULTY_1_Q32: u128 = 1 << 32;

pub(crate) fn blocks(data_dir: &Path, builder: &mut Builder) -> Result<Part, TestkitError> {
    facts(builder);
    let (path, text) = read(data_dir, FILE)?;
    let form = |what: String| TestkitError::Form { path: path.clone(), what };
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or("").split(',').collect();
    let column = |name: &str| {
        columns.iter().position(|column| *column == name).ok_or_else(|| form(format!("no column {name}")))
    };
    let (height_at, header_at, time_at) = (column("height")?, column("header_hex")?, column("time")?);
    let mut part = Part {
        name: "genesis blocks",
        source: GENESIS_REPLAY,
        events: Vec::new(),
        expect: Expect::default(),
    };
    for (index, line) in lines.enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or("");
        let height: usize =
            field(height_at).parse().map_err(|_| form(format!("line {}: no height", index + 2)))?;
        let time_s: i64 = field(time_at).parse().map_err(|_| form(format!("line {}: no time", index + 2)))?;
        if height != index {
            return Err(form(format!("line {}: height {height}, expected {index}", index + 2)));
        }
        let (machine, _) = MACHINES[height % MACHINES.len()];
        let body = json!({"session_id": session_of(machine), "header": field(header_at), "height": height});
        // One key for all of them: the sequence number is the height.
        part.events.push(builder.event(GENESIS_REPLAY, "share", "chain", time_s * SECOND_US, body));
        part.expect.credit("main", machine, DIFFICULTY_1_Q32, true);
    }
    Ok(part)
}

fn session_of(machine: &str) -> String {
    format!("{machine}/replay")
}

fn facts(builder: &mut Builder) {
    builder.site("genesis", "The first miners", "UTC", START_US);
    for (id, name) in [("satoshi-lab", "Satoshi's Laboratory"), ("hal-desk", "Hal's Desk")] {
        let customer = Customer {
            id,
            name,
            legal_entity: "historic-hosting",
            time_zone: "UTC",
            mean_fees_sat: "0",
            price_usd_per_kwh: "0.0725",
        };
        builder.customer(&customer, START_US);
    }
    let difficulty = json!({"chain": "main", "height": 0, "nbits": "1d00ffff"});
    builder.fact("network_difficulty", "main", START_US, difficulty);
    // The hashrate of a processor of the time, 2 MH/s.
    let rated = Rated { power_w: 120, hashrate_hs: Some(2_000_000), ..Rated::default() };
    // Each block was paid directly to its miner.
    let earned = json!({"pool": "solo", "site_id": "genesis", "amount_sat": "2000000000000"});
    builder.fact_until("pool_earning", "solo/2009-01", START_US, Some(FEBRUARY_US), earned);
    for (machine, customer) in MACHINES {
        builder.machine(machine, "genesis", "Desktop PC", rated, START_US);
        builder.assignment(machine, customer, START_US);
        let session = json!({
            "machine_id": machine,
            "worker": machine,
            "chain": "main",
            "protocol": "replay",
            "scope": "genesis",
            "extranonce1": "",
            "extranonce2_size": 0,
            "version_mask": null,
            "assigned_difficulty": "1",
        });
        builder.fact("session", &session_of(machine), START_US, session);
    }
}

/// Invented registers, read at the first block and then at each hour of January 2009.
pub(crate) fn energy(seed: u64, builder: &mut Builder) -> Part {
    let mut part =
        Part { name: "genesis energy", source: METERS, events: Vec::new(), expect: Expect::default() };
    for (machine, _) in MACHINES {
        let mut random = Random::of(seed, machine);
        let first_wh = random.between(1_000, 90_000);
        let mut register_wh = first_wh;
        let mut at_us = EARLIEST_EVENT_US;
        while at_us <= FEBRUARY_US {
            let meter = format!("{machine}/meter");
            let body = json!({
                "machine_id": machine,
                "meter_id": meter,
                "register_wh": register_wh,
                "witness": "meter",
            });
            part.events.push(builder.event(METERS, "energy_reading", &meter, at_us, body));
            part.expect.accepted += 1;
            at_us += HOUR_US - at_us.rem_euclid(HOUR_US);
            if at_us <= FEBRUARY_US {
                register_wh += random.between(82, 97);
            }
        }
        part.expect.energy_wh.insert(machine.to_owned(), register_wh - first_wh);
    }
    part
}
