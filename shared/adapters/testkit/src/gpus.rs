//! Samples of the fleet's GPUs: busy while a job holds them, and one that fails for an hour.

use std::collections::BTreeMap;

use serde_json::json;
use wb_units::Micros;
use wb_units::time::{SECOND_US, SETTLEMENT_INTERVAL_US};

use crate::build::Builder;
use crate::random::Random;
use crate::{Expect, MINER_AGENT, Part};

/// The use of a GPU that a job holds, in parts per million.
const BUSY_PPM: (u64, u64) = (850_000, 990_000);
/// The power of such a GPU, in milliwatts.
const BUSY_MW: (u64, u64) = (610_000, 700_000);
/// The power of an idle GPU.
const IDLE_MW: (u64, u64) = (68_000, 74_000);
/// Shorter jobs end before an exporter is scraped.
const SHORTEST_US: i64 = 60 * SECOND_US;
/// The GPU that fails, of the first job: index, time after the start, duration, and fault.
const FAILS: (u32, i64, i64, u64) = (5, 6 * 3_600 * SECOND_US, 3_600 * SECOND_US, 94);
/// The fault of a job that lost its node, in its last sample.
const NODE_FAILS_XID: u64 = 79;

/// A time during which a job held GPUs of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) node: String,
    pub(crate) gpus: u32,
    pub(crate) start_us: Micros,
    pub(crate) end_us: Micros,
    pub(crate) is_node_lost: bool,
}

/// Samples of each held GPU in each settlement interval.
pub(crate) fn samples(seed: u64, jobs: &[Job], builder: &mut Builder) -> Part {
    let mut part =
        Part { name: "gpu samples", source: MINER_AGENT, events: Vec::new(), expect: Expect::default() };
    let mut of_gpu: BTreeMap<(&str, u32), Vec<(Micros, serde_json::Value)>> = BTreeMap::new();
    for (place, job) in jobs.iter().enumerate().filter(|(_, job)| job.end_us - job.start_us >= SHORTEST_US) {
        for gpu in 0..job.gpus {
            let mut random = Random::of(seed, &format!("{}/gpu-{gpu}/{}", job.node, job.start_us));
            let mut at_us = job.start_us;
            while at_us < job.end_us {
                let since_us = at_us - job.start_us;
                let fails = place == 0 && gpu == FAILS.0 && (FAILS.1..FAILS.1 + FAILS.2).contains(&since_us);
                let is_last = at_us + SETTLEMENT_INTERVAL_US >= job.end_us;
                let xid = match (fails, job.is_node_lost && is_last) {
                    (true, _) => FAILS.3,
                    (_, true) => NODE_FAILS_XID,
                    _ => 0,
                };
                let (used_ppm, power) =
                    if xid == 0 { (random.between(BUSY_PPM.0, BUSY_PPM.1), BUSY_MW) } else { (0, IDLE_MW) };
                let body = json!({
                    "node_id": job.node, "device": format!("GPU-{}-{gpu}", job.node), "utilisation_ppm": used_ppm,
                    "memory_used_mib": random.between(60_000, 72_000), "power_mw": random.between(power.0, power.1),
                    "last_xid": xid,
                });
                of_gpu.entry((&job.node, gpu)).or_default().push((at_us, body));
                at_us += SETTLEMENT_INTERVAL_US;
            }
        }
    }
    for ((node, gpu), samples) in of_gpu {
        for (at_us, body) in samples {
            let key = format!("gpu/{node}/{gpu}/sample");
            part.events.push(builder.event(MINER_AGENT, "gpu_sample", &key, at_us, body));
            part.expect.accepted += 1;
        }
    }
    part
}
