//! `weighbridge connect`: what others record becomes events.

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

/// The longest file that says which worker is which machine.
const MACHINES_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct ConnectArguments {
    /// Where ingest listens.
    #[arg(long, global = true, default_value = "http://127.0.0.1:8801")]
    ingest: String,
    /// The API key of a source: facts need its role `operator`, shares its role `pool`.
    #[arg(long, global = true, env = "WEIGHBRIDGE_SOURCE_KEY", hide_env_values = true, default_value = "")]
    source_key: String,
    /// Send what there is, then end.
    #[arg(long, global = true)]
    once: bool,
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// Follow the share log of a ckpool.
    Ckpool {
        /// Its log folder.
        dir: PathBuf,
        /// Its name: the scope of its jobs.
        #[arg(long, default_value = "ckpool")]
        pool: String,
        /// Where the position is kept; `.weighbridge/connect/POOL.json` if not given.
        #[arg(long)]
        position: Option<PathBuf>,
        /// The chain it mines.
        #[arg(long, default_value = "main")]
        chain: String,
        /// Version bits it lets miners roll, eight hex digits.
        #[arg(long, default_value = "1fffe000")]
        version_mask: String,
        /// Bytes of the miner's part of the extranonce: its `nonce2length`.
        #[arg(long, default_value_t = 8)]
        nonce2_bytes: usize,
        /// A JSON object that gives the machine of each worker name. Others are machines of their own name.
        #[arg(long)]
        machines: Option<PathBuf>,
        /// Seconds between two looks.
        #[arg(long, default_value_t = 1)]
        poll_s: u64,
        /// Seconds for which shares wait for their workbase and for facts that are missing.
        #[arg(long, default_value_t = 600)]
        patience_s: u64,
    },
    /// Follow the chain of a Bitcoin Core node.
    Bitcoind {
        /// Its RPC, such as http://user:password@127.0.0.1:8332.
        #[arg(long, env = "WEIGHBRIDGE_BITCOIND_URL", hide_env_values = true)]
        url: String,
        /// The chain's name in facts, if not the node's.
        #[arg(long)]
        chain: Option<String>,
        /// Seconds between two looks.
        #[arg(long, default_value_t = 5)]
        poll_s: u64,
    },
    /// Poll miners by their own interfaces, or check which recordings of their answers can be read.
    Miners(miners::MinersArguments),
    /// Send the GPU time of Slurm's accounting rows: sacct -P with JobIDRaw,Account,State,Start,End,ElapsedRaw,AllocTRES,NodeList,JobName.
    Slurm(gpu::SlurmArguments),
    /// Scrape dcgm-exporters for the energy of GPUs.
    Dcgm(gpu::DcgmArguments),
}

impl Run for ConnectArguments {
    type Needs = RunningIngest;

    async fn run(self, _: RunningIngest) -> Result<ExitCode> {
        connect(self).await
    }
}

/// Runs it until SIGTERM or SIGINT.
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
                "{} shares and {} facts taken, {} refused, {} lines not readable",
                done.shares, done.facts, done.refused, done.unreadable
            ))?;
        }
        From::Bitcoind { url, chain, poll_s } => {
            let poll = Duration::from_secs(poll_s.max(1));
            let done = bitcoind::run(&bitcoind::Options { url, chain, poll, once }, &ingest, &stop).await?;
            print(&format!("{} facts taken, {} refused", done.facts, done.refused))?;
        }
        From::Miners(miners) => miners::run(miners, once, &ingest, &stop).await?,
        From::Slurm(slurm) => gpu::slurm(slurm, &ingest, &stop).await?,
        From::Dcgm(dcgm) => gpu::dcgm(dcgm, once, &ingest, &stop).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A file that a person writes, whole.
fn read_text(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    anyhow::ensure!(size <= MACHINES_BYTES_MAX, "{} has {size} bytes, too many to read", path.display());
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_machines(path: PathBuf) -> Result<HashMap<String, String>> {
    let text = read_text(&path)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is no object of worker names and machines", path.display()))
}
