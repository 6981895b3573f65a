//! `weighbridge connect`: reads foreign systems and sends events for them.

mod gpu;
mod miners;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use wb_connect::{Ingest, Stop, bitcoind, ckpool};

use crate::commands::{Run, RunningIngest};
use crate::console::{end_signal, print, tell};

/// The largest file that maps workers to machines.
const MACHINES_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct ConnectArguments {
    /// The address of ingest.
    #[arg(long, global = true, env = "WEIGHBRIDGE_INGEST_URL", default_value = "http://127.0.0.1:8801")]
    ingest: String,
    /// The API key of a source. Facts need its role `operator`, shares its role `pool`.
    #[arg(long, global = true, env = "WEIGHBRIDGE_SOURCE_KEY", hide_env_values = true, default_value = "")]
    source_key: String,
    /// Send what is there, then exit.
    #[arg(long, global = true)]
    once: bool,
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// Send the shares in the log of a ckpool.
    Ckpool {
        /// The log folder of ckpool.
        dir: PathBuf,
        /// The pool's name. It is the scope of the pool's jobs.
        #[arg(long, default_value = "ckpool")]
        pool: String,
        /// The file that keeps the position. By default .weighbridge/connect/POOL.json.
        #[arg(long)]
        position: Option<PathBuf>,
        /// The chain that the pool mines.
        #[arg(long, default_value = "main")]
        chain: String,
        /// The version bits that miners may roll, as eight hex digits.
        #[arg(long, default_value = "1fffe000")]
        version_mask: String,
        /// Bytes of the miner's part of the extranonce; ckpool's `nonce2length`.
        #[arg(long, default_value_t = 8)]
        nonce2_bytes: usize,
        /// A JSON file with an object that maps worker names to machines. Other workers are machines of the same
        /// name.
        #[arg(long)]
        machines: Option<PathBuf>,
        /// Seconds between two reads.
        #[arg(long, default_value_t = 1)]
        poll_s: u64,
        /// How many seconds shares wait for a missing workbase or fact.
        #[arg(long, default_value_t = 600)]
        patience_s: u64,
    },
    /// Send the blocks of a Bitcoin Core node.
    Bitcoind {
        /// The RPC address, such as http://user:password@127.0.0.1:8332.
        #[arg(long, env = "WEIGHBRIDGE_BITCOIND_URL", hide_env_values = true)]
        url: String,
        /// The chain's name in facts. By default the node's own.
        #[arg(long)]
        chain: Option<String>,
        /// Seconds between two polls.
        #[arg(long, default_value_t = 5)]
        poll_s: u64,
    },
    /// Poll miners over their own interfaces, or check recordings of their answers.
    Miners(miners::MinersArguments),
    /// Send the GPU time in Slurm's accounting rows.
    ///
    /// Make the rows with sacct -P and the fields
    /// JobIDRaw,Account,State,Start,End,ElapsedRaw,AllocTRES,NodeList.
    Slurm(gpu::SlurmArguments),
    /// Scrape dcgm-exporters for samples and the energy of GPUs.
    Dcgm(gpu::DcgmArguments),
}

impl Run for ConnectArguments {
    type Needs = RunningIngest;

    async fn run(self, _: RunningIngest) -> Result<ExitCode> {
        connect(self).await
    }
}

/// Runs a connector until SIGTERM or SIGINT.
async fn connect(arguments: ConnectArguments) -> Result<ExitCode> {
    if let From::Miners(miners) = &arguments.from
        && let Some(folder) = &miners.check
    {
        return miners::check(folder);
    }
    anyhow::ensure!(
        !arguments.source_key.is_empty(),
        "no API key: set WEIGHBRIDGE_SOURCE_KEY to the key of a source of ingest"
    );
    let ingest = Ingest::new(&arguments.ingest, arguments.source_key)?;
    let (once, stop) = (arguments.once, Stop::after(end_signal(false)?));
    match arguments.from {
        From::Ckpool {
            dir,
            pool,
            position,
            chain,
            version_mask,
            nonce2_bytes,
            machines,
            poll_s,
            patience_s,
        } => {
            let position =
                position.unwrap_or_else(|| PathBuf::from(format!(".weighbridge/connect/{pool}.json")));
            let options = ckpool::Options {
                dir,
                position,
                pool,
                chain,
                version_mask: wb_proof::hex::decode_u32("version-mask", &version_mask)?,
                extranonce2_bytes: nonce2_bytes,
                machines: machines.map_or_else(|| Ok(HashMap::new()), read_machines)?,
                poll: Duration::from_secs(poll_s.max(1)),
                patience: Duration::from_secs(patience_s),
                once,
            };
            tell(&format!("following the share log in {}", options.dir.display()));
            let done = ckpool::run(&options, &ingest, &stop).await?;
            print(&format!(
                "{} shares and {} facts accepted, {} refused, {} lines not readable",
                done.shares, done.facts, done.refused, done.unreadable
            ))?;
        }
        From::Bitcoind { url, chain, poll_s } => {
            let poll = Duration::from_secs(poll_s.max(1));
            let done = bitcoind::run(&bitcoind::Options { url, chain, poll, once }, &ingest, &stop).await?;
            print(&format!("{} facts accepted, {} refused", done.facts, done.refused))?;
        }
        From::Miners(miners) => miners::run(miners, once, &ingest, &stop).await?,
        From::Slurm(slurm) => gpu::slurm(slurm, &ingest, &stop).await?,
        From::Dcgm(dcgm) => gpu::dcgm(dcgm, once, &ingest, &stop).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a file of bounded size.
fn read_text(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    anyhow::ensure!(size <= MACHINES_BYTES_MAX, "{} has {size} bytes, too many", path.display());
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_machines(path: PathBuf) -> Result<HashMap<String, String>> {
    let text = read_text(&path)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not an object of worker names and machines", path.display()))
}
