//! A simulated fleet: two sites and twelve machines, each with its own meter, that really mine at difficulty 2^-20
//! for two hours of simulated time.

use std::collections::BTreeMap;

use serde_json::json;
use wb_proof::stratum_v1::{Job, Session, Submit};
use wb_proof::{Hash256, display_hash, hex};
use wb_units::time::{SECOND_US, SETTLEMENT_INTERVAL_US};
use wb_units::{Interval, Micros};

use crate::build::{Builder, Customer, Rated};
use crate::mining::{nonces, notify_order};
use crate::plan::{FLEET_END_US, FLEET_START_US, MACHINES, SITES};
use crate::random::Random;
use crate::{Expect, METERS, POOL_FLEET, Part, TestkitError, site};

/// The assigned difficulty of each session: 2^-20, about 4,096 hashes per share.
pub const FLEET_ASSIGNED_DIFFICULTY: &str = "0.00000095367431640625";
/// The same in units of 2^-32.
pub const FLEET_ASSIGNED_Q32: u128 = 1 << 12;

/// One job per site and ten minutes, each for a new block.
const JOB_US: i64 = 600 * SECOND_US;
const JOBS: u32 = 12;
/// Shares of a machine per job: about 1,500 in all.
const SHARES_PER_JOB: (u64, u64) = (8, 13);

/// The first height to mine, at the start of a difficulty period.
const PERIOD_HEIGHT: u32 = 967_680;
const FIRST_HEIGHT: u32 = 969_001;
pub(crate) const NBITS: u32 = 0x1702_1369;
/// 50 BTC after four halvings.
const SUBSIDY_SAT: u64 = 312_500_000;

/// The rated hashrate of the simulated machines: one share of 4,096 hashes every 57 seconds.
const RATED_HS: u128 = 75;

pub(crate) fn parts(seed: u64, builder: &mut Builder) -> Result<[Part; 2], TestkitError> {
    facts(builder);
    let rounds = rounds(seed, builder);
    Ok([shares(seed, &rounds, builder)?, energy(seed, builder)])
}

fn facts(builder: &mut Builder) {
    site::facts(builder);
    for (id, name, time_zone, price_usd_per_kwh) in
        [("acme", "Acme Mining Ltd", "UTC", "0.0725"), ("birch", "Birch Compute AS", "Europe/Oslo", "0.0610")]
    {
        let customer = Customer {
            id,
            name,
            legal_entity: "weighbridge-demo",
            time_zone,
            mean_fees_sat: "2500000",
            price_usd_per_kwh,
        };
        builder.customer(&customer, FLEET_START_US);
    }
    let difficulty = json!({"chain": "main", "height": PERIOD_HEIGHT, "nbits": format!("{NBITS:08x}")});
    builder.fact("network_difficulty", "main", FLEET_START_US, difficulty);
    for (index, (machine, site, model, rated_w, customer)) in (1_u32..).zip(MACHINES) {
        let rated = Rated { power_w: rated_w, hashrate_hs: Some(RATED_HS), ..Rated::default() };
        builder.machine(machine, site, model, rated, FLEET_START_US);
        builder.assignment(machine, customer, FLEET_START_US);
        let extranonce1 = extranonce1_of(index);
        let session = session_body(machine, &scope_of(site), &extranonce1, FLEET_ASSIGNED_DIFFICULTY);
        builder.fact("session", &session_of(machine), FLEET_START_US, session);
    }
    // A machine that mines scrypt: it is sampled, but not paid for SHA-256d.
    let rated = Rated { power_w: 3_425, ..Rated::default() };
    builder.machine("no1-l01", "no-1", "Antminer L7", rated, FLEET_START_US);
    builder.assignment("no1-l01", "birch", FLEET_START_US);
}

pub(crate) fn session_of(machine: &str) -> String {
    format!("{machine}/s1")
}

fn scope_of(site: &str) -> String {
    format!("{site}/pool-a")
}

/// Different for each machine, so that no two work on the same header.
pub(crate) fn extranonce1_of(index: u32) -> [u8; 4] {
    (0x0a00_0000 | index).to_be_bytes()
}

/// The body of a session fact.
pub(crate) fn session_body(
    machine: &str,
    scope: &str,
    extranonce1: &[u8],
    assigned_difficulty: &str,
) -> serde_json::Value {
    json!({
        "machine_id": machine,
        "worker": machine,
        "chain": "main",
        "protocol": "stratum_v1",
        "scope": scope,
        "extranonce1": hex::encode(extranonce1),
        "extranonce2_size": EXTRANONCE2_BYTES,
        "version_mask": null,
        "assigned_difficulty": assigned_difficulty,
    })
}

/// Bytes of the miner's part of the extranonce.
pub(crate) const EXTRANONCE2_BYTES: usize = 4;

/// The session in the form of the proof.
pub(crate) fn session(index: u32, assigned_q32: u128) -> Session {
    Session {
        extranonce1: extranonce1_of(index).to_vec(),
        extranonce2_size: EXTRANONCE2_BYTES,
        version_mask: None,
        assigned_q32,
    }
}

/// Ten minutes of a site, with one job.
struct Round {
    site: &'static str,
    start_us: Micros,
    job: Job,
}

/// The jobs of both sites, with their facts and those of their tips.
fn rounds(seed: u64, builder: &mut Builder) -> Vec<Round> {
    let mut random = Random::of(seed, "chain");
    let mut rounds = Vec::new();
    for number in 0..JOBS {
        let start_us = FLEET_START_US + i64::from(number) * JOB_US;
        let height = FIRST_HEIGHT + number;
        let prev = invented_block_hash(&mut random);
        let tip = json!({"chain": "main", "height": height - 1, "hash": display_hash(&prev)});
        builder.fact("tip", "main", start_us, tip);
        for (site, _, _) in SITES {
            let job = job(&mut random, &format!("j{number:02}"), height, &prev, start_us);
            let body = job_body(&scope_of(site), height, &job);
            builder.fact("job", &format!("{}/{}", scope_of(site), job.job_id), start_us, body);
            rounds.push(Round { site, start_us, job });
        }
    }
    rounds
}

/// A hash like that of a real block: nine zero bytes in front in display order.
pub(crate) fn invented_block_hash(random: &mut Random) -> Hash256 {
    let mut hash: Hash256 = random.bytes();
    hash[23..].fill(0);
    hash
}

/// An invented job: a coinbase that starts with its height, one output, and six branches.
pub(crate) fn job(random: &mut Random, job_id: &str, height: u32, prev: &Hash256, start_us: Micros) -> Job {
    const TAG: &[u8] = b"/weighbridge demo/";
    let extranonce_bytes = 4 + EXTRANONCE2_BYTES;
    let height_push = [&[3], &height.to_le_bytes()[..3]].concat();
    let script_bytes = u8::try_from(height_push.len() + extranonce_bytes + TAG.len()).unwrap_or(u8::MAX);
    let mut coinb1 = vec![1, 0, 0, 0, 1];
    coinb1.extend([0; 32]);
    coinb1.extend([0xff; 4]);
    coinb1.push(script_bytes);
    coinb1.extend(height_push);
    let mut coinb2 = TAG.to_vec();
    coinb2.extend([0xff; 4]);
    coinb2.push(1);
    coinb2.extend(SUBSIDY_SAT.to_le_bytes());
    // A witness key hash: OP_0 and a push of 20 bytes.
    coinb2.extend([22, 0, 20]);
    coinb2.extend(random.bytes::<20>());
    coinb2.extend([0; 4]);
    Job {
        job_id: job_id.to_owned(),
        prevhash_wire: notify_order(prev),
        coinb1,
        coinb2,
        branch: (0..6).map(|_| random.bytes()).collect(),
        version: 0x2000_0000,
        nbits: NBITS,
        ntime: seconds(start_us),
        clean_jobs: true,
    }
}

/// The body of a job fact.
pub(crate) fn job_body(scope: &str, height: u32, job: &Job) -> serde_json::Value {
    let branch: Vec<String> = job.branch.iter().map(|hash| hex::encode(hash)).collect();
    json!({
        "scope": scope,
        "job_id": job.job_id,
        "chain": "main",
        "height": height,
        "prevhash": hex::encode(&job.prevhash_wire),
        "coinb1": hex::encode(&job.coinb1),
        "coinb2": hex::encode(&job.coinb2),
        "branch": branch,
        "version": format!("{:08x}", job.version),
        "nbits": format!("{:08x}", job.nbits),
        "ntime": format!("{:08x}", job.ntime),
        "clean_jobs": job.clean_jobs,
    })
}

/// Whole seconds of an instant, as in headers.
pub(crate) fn seconds(at_us: Micros) -> u32 {
    u32::try_from(at_us.div_euclid(SECOND_US)).unwrap_or(u32::MAX)
}

fn shares(seed: u64, rounds: &[Round], builder: &mut Builder) -> Result<Part, TestkitError> {
    let mut part =
        Part { name: "fleet shares", source: POOL_FLEET, events: Vec::new(), expect: Expect::default() };
    let mut random = Random::of(seed, "shares");
    for round in rounds {
        for (index, (machine, ..)) in (1_u32..).zip(MACHINES).filter(|(_, (_, site, ..))| *site == round.site)
        {
            let session = session(index, FLEET_ASSIGNED_Q32);
            let session_id = session_of(machine);
            let count = random.between(SHARES_PER_JOB.0, SHARES_PER_JOB.1);
            let mut offsets_us: Vec<u64> =
                (0..count).map(|_| random.between(0, JOB_US.unsigned_abs() - 1)).collect();
            offsets_us.sort_unstable();
            for (number, offset_us) in (0_u32..).zip(offsets_us) {
                let at_us = round.start_us + i64::try_from(offset_us).unwrap_or(0);
                let submit = Submit {
                    job_id: round.job.job_id.clone(),
                    extranonce2: number.to_be_bytes().to_vec(),
                    ntime: seconds(at_us),
                    nonce: 0,
                    version_bits: None,
                };
                // With a chance of e^-1000000 no nonce gives a share; then it is left out.
                for nonce in nonces(&session_id, &session, &round.job, &submit, 1)? {
                    let body = json!({
                        "session_id": session_id,
                        "job_id": submit.job_id,
                        "extranonce2": hex::encode(&submit.extranonce2),
                        "ntime": format!("{:08x}", submit.ntime),
                        "nonce": format!("{nonce:08x}"),
                    });
                    part.events.push(builder.event(POOL_FLEET, "share", &session_id, at_us, body));
                    part.expect.credit("main", machine, FLEET_ASSIGNED_Q32, false);
                }
            }
        }
    }
    Ok(part)
}

/// Registers read at each settlement boundary.
fn energy(seed: u64, builder: &mut Builder) -> Part {
    let mut part =
        Part { name: "fleet energy", source: METERS, events: Vec::new(), expect: Expect::default() };
    let whole = Interval { start_us: FLEET_START_US, end_us: FLEET_END_US };
    let steps = whole.duration_us() / SETTLEMENT_INTERVAL_US;
    let mut site_wh: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (machine, site, _, rated_w, _) in MACHINES {
        let mut random = Random::of(seed, machine);
        let first_wh = random.between(1_000_000, 40_000_000);
        // Five minutes at the rated power, plus or minus a fiftieth.
        let nominal_wh = rated_w / 12;
        let mut register_wh = first_wh;
        for step in 0..=steps {
            let meter = format!("{machine}/meter");
            let body = json!({
                "machine_id": machine,
                "meter_id": meter,
                "register_wh": register_wh,
                "witness": "meter",
            });
            let at_us = FLEET_START_US + step * SETTLEMENT_INTERVAL_US;
            part.events.push(builder.event(METERS, "energy_reading", &meter, at_us, body));
            part.expect.accepted += 1;
            if step < steps {
                let drawn_wh = random.between(nominal_wh - nominal_wh / 50, nominal_wh + nominal_wh / 50);
                register_wh += drawn_wh;
                let all = site_wh.entry(site).or_default();
                match usize::try_from(step).ok().and_then(|step| all.get_mut(step)) {
                    Some(sum) => *sum += drawn_wh,
                    None => all.push(drawn_wh),
                }
            }
        }
        part.expect.energy_wh.insert(machine.to_owned(), register_wh - first_wh);
    }
    for (site, drawn_wh) in &site_wh {
        site::meter_readings(seed, site, drawn_wh, &mut part, builder);
    }
    part
}
