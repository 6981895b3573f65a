//! `weighbridge connect slurm` and `dcgm`: who held GPUs, and what the GPUs took.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use wb_connect::slurm::Trouble;
use wb_connect::{Ingest, Stop, dcgm, slurm};

use super::read_machines;
use crate::console::{print, tell};

/// The most of an output that is taken into memory; the reading of it refuses less.
const OUTPUT_BYTES_MAX: u64 = 128 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct SlurmArguments {
    /// A file with the output, or - for standard input.
    file: PathBuf,
    /// The cluster's name.
    #[arg(long, default_value = "slurm")]
    cluster: String,
    /// The time zone of its times: UTC where sacct was run with TZ=UTC.
    #[arg(long, default_value = "UTC")]
    zone: String,
    /// A JSON object that gives the machine of each node name. Others are machines of their own name.
    #[arg(long)]
    nodes: Option<PathBuf>,
    /// Where it is kept what was acknowledged; `.weighbridge/connect/slurm-CLUSTER.json` if not given.
    #[arg(long)]
    position: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct DcgmArguments {
    /// The exporters, such as http://gpu-node-7:9400/metrics.
    #[arg(required = true)]
    urls: Vec<String>,
    /// A JSON object that gives the machine of each host name. Others are machines of their own name.
    #[arg(long)]
    nodes: Option<PathBuf>,
    /// Seconds from one round to the next.
    #[arg(long, default_value_t = 30)]
    poll_s: u64,
}

fn nodes(path: Option<PathBuf>) -> Result<HashMap<String, String>> {
    path.map_or_else(|| Ok(HashMap::new()), read_machines)
}

pub(super) async fn slurm(arguments: SlurmArguments, ingest: &Ingest, stop: &Stop) -> Result<()> {
    let mut output = String::new();
    let mut input: Box<dyn std::io::Read> = match arguments.file.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => {
            let opened = std::fs::File::open(&arguments.file);
            Box::new(opened.with_context(|| format!("cannot read {}", arguments.file.display()))?)
        }
    };
    input.by_ref().take(OUTPUT_BYTES_MAX).read_to_string(&mut output).context("the rows are no text")?;
    let default = || PathBuf::from(format!(".weighbridge/connect/slurm-{}.json", arguments.cluster));
    let options = slurm::Options {
        position: arguments.position.clone().unwrap_or_else(default),
        cluster: arguments.cluster,
        zone: arguments.zone,
        nodes: nodes(arguments.nodes)?,
    };
    let done = slurm::run(&options, &output, ingest, stop).await?;
    let told = |what: &str, troubles: &[Trouble]| {
        for trouble in troubles {
            let line = if trouble.line == 0 { String::new() } else { format!(" line {}", trouble.line) };
            tell(&format!("{what}:{line} job {}: {}", trouble.job_id, trouble.reason));
        }
    };
    told("quarantined", &done.quarantined);
    told("refused", &done.refused);
    print(&format!(
        "{} spans taken, {} known before, {} rows without GPU time, {} quarantined, {} refused",
        done.taken,
        done.known,
        done.nothing,
        done.quarantined.len(),
        done.refused.len()
    ))
}

pub(super) async fn dcgm(arguments: DcgmArguments, once: bool, ingest: &Ingest, stop: &Stop) -> Result<()> {
    let poll = Duration::from_secs(arguments.poll_s.max(1));
    let options = dcgm::Options { urls: arguments.urls, nodes: nodes(arguments.nodes)?, poll, once };
    tell(&format!("scraping {} exporters", options.urls.len()));
    let done = dcgm::run(&options, ingest, stop).await?;
    print(&format!(
        "{} rounds: {} readings taken, {} refused, {} scrapes failed, {} new faults, {} fields without a value",
        done.rounds, done.taken, done.refused, done.failed, done.faults, done.blanks
    ))
}
