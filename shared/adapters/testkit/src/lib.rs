//! Input for the demonstration, the tests and the benches: events with known totals.
//!
//! It consists of real chain data, invented machines with recorded answers, a scheduler's rows and a simulated fleet
//! that really mines at a tiny difficulty. The same seed gives the same bytes. Each part has its expected totals
//! ([`Expect`]), which come from the input's files and constants, not from the code under test.
//!
//! The crate reads only the given data folder.

mod build;
mod fleet;
mod genesis;
mod gpus;
mod historic;
mod miners;
mod mining;
mod plan;
mod random;
mod site;
mod slurm;
mod stream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use fleet::{FLEET_ASSIGNED_DIFFICULTY, FLEET_ASSIGNED_Q32};
pub use plan::{FLEET_END_US, FLEET_START_US};
pub use random::Random;
pub use stream::{STREAM_ASSIGNED_DIFFICULTY, STREAM_ASSIGNED_Q32, ShareStream, StreamShare, share_stream};

/// The sources of the demonstration, with the role that each needs.
pub const SOURCES: [(&str, &str); 7] = [
    (OPERATOR, "operator"),
    (GENESIS_REPLAY, "replay"),
    (POOL_HISTORIC, "pool"),
    (POOL_FLEET, "pool"),
    (MINER_AGENT, "telemetry"),
    (SLURM, "scheduler"),
    (METERS, "meter"),
];

/// Sends facts.
pub const OPERATOR: &str = "operator";
/// Replays block headers.
pub const GENESIS_REPLAY: &str = "genesis-replay";
/// Submits the real blocks and their mutations as Stratum V1 shares.
pub const POOL_HISTORIC: &str = "pool-historic";
/// Submits the simulated fleet's shares.
pub const POOL_FLEET: &str = "pool-a";
/// Polls machines.
pub const MINER_AGENT: &str = "miner-agent";
/// Reports GPU allocations.
pub const SLURM: &str = "slurm";
/// Reads energy registers.
pub const METERS: &str = "meters";

/// The input of the demonstration in order: facts, then sessions and jobs that refer to them, then all other events.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoInput {
    /// The parts. Send each after the one before is recorded.
    pub parts: Vec<Part>,
}

/// Events of one subject from one source.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// Its source, one of [`SOURCES`].
    pub source: &'static str,
    /// The events in ingest's JSON form.
    pub events: Vec<Value>,
    /// The expected totals.
    pub expect: Expect,
}

/// The expected totals of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expect {
    /// Accepted events.
    pub accepted: u64,
    /// Accepted shares.
    pub accepted_shares: u64,
    /// Refused events by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Accepted shares that solve a block.
    pub blocks: u64,
    /// Work credited by (chain, machine), in units of 2^-32 of difficulty.
    pub credited_q32: BTreeMap<(String, String), u128>,
    /// Energy by machine in watt-hours: last register minus first.
    pub energy_wh: BTreeMap<String, u64>,
    /// GPU-seconds by account, of ended spans.
    pub gpu_seconds: BTreeMap<String, u128>,
    /// Input that its reader refused, so that it has no event, with the reason.
    pub not_sent: Vec<String>,
}

impl Expect {
    /// Refused events in total.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Adds the totals of another part.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.accepted_shares += other.accepted_shares;
        self.blocks += other.blocks;
        for (reason, count) in &other.rejected {
            *self.rejected.entry(reason.clone()).or_default() += count;
        }
        for (key, credited_q32) in &other.credited_q32 {
            *self.credited_q32.entry(key.clone()).or_default() += credited_q32;
        }
        for (machine, energy_wh) in &other.energy_wh {
            *self.energy_wh.entry(machine.clone()).or_default() += energy_wh;
        }
        for (account, gpu_seconds) in &other.gpu_seconds {
            *self.gpu_seconds.entry(account.clone()).or_default() += gpu_seconds;
        }
        self.not_sent.extend(other.not_sent.iter().cloned());
    }

    /// Counts an accepted share.
    fn credit(&mut self, chain: &str, machine: &str, credited_q32: u128, solves_block: bool) {
        self.accepted += 1;
        self.accepted_shares += 1;
        self.blocks += u64::from(solves_block);
        *self.credited_q32.entry((chain.to_owned(), machine.to_owned())).or_default() += credited_q32;
    }
}

impl DemoInput {
    /// The totals of all parts.
    #[must_use]
    pub fn expect(&self) -> Expect {
        let mut total = Expect::default();
        for part in &self.parts {
            total.add(&part.expect);
        }
        total
    }

    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }
}

/// Why the input could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TestkitError {
    /// A data file could not be read.
    #[error("cannot read {}: it belongs to the repository's tests/data", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A data file has the wrong form.
    #[error("{} does not have its form: {what}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A simulated share could not be built or mined.
    #[error("cannot mine for session {session}: {what}")]
    Mining {
        session: String,
        /// What is wrong.
        what: String,
    },
}

/// The demonstration's input from the repository's `tests/data`.
///
/// # Errors
/// [`TestkitError`] if a data file is missing or has the wrong form.
pub fn demo_input(data_dir: &Path, seed: u64) -> Result<DemoInput, TestkitError> {
    let mut builder = build::Builder::default();
    let mut parts = vec![genesis::blocks(data_dir, &mut builder)?];
    parts.extend(historic::parts(data_dir, &mut builder)?);
    parts.push(miners::samples(data_dir, &mut builder)?);
    parts.push(site::samples(seed, &mut builder));
    let (spans, jobs) = slurm::spans(data_dir, &mut builder)?;
    parts.push(spans);
    parts.push(gpus::samples(seed, &jobs, &mut builder));
    parts.extend(fleet::parts(seed, &mut builder)?);
    parts.push(genesis::energy(seed, &mut builder));
    let mut all = Vec::from(builder.into_fact_parts());
    all.append(&mut parts);
    Ok(DemoInput { parts: all })
}

/// Reads a data file.
fn read(data_dir: &Path, relative: &str) -> Result<(PathBuf, String), TestkitError> {
    let path = data_dir.join(relative);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(source) => Err(TestkitError::Read { path, source }),
    }
}
