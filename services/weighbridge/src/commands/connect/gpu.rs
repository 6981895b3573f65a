//! `weighbridge connect slurm` and `dcgm`: GPU allocations, and the energy of GPUs.

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

/// The most bytes of output that are read; parsing has a lower limit.
const OUTPUT_BYTES_MAX: u64 = 128 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct SlurmArguments {
    /// A file with the output of sacct, or - for standard input.
    file: PathBuf,
    /// The cluster's name.
    #[arg(long, default_value = "slurm")]
    cluster: String,
    /// The time zone of the times in the output: UTC if sacct ran with TZ=UTC.
    #[arg(long, default_value = "UTC")]
    zone: String,
    /// A JSON file with an object that maps node names to machines. Other nodes are machines of the same name.
    #[arg(long)]
    nodes: Option<PathBuf>,
    /// The file that keeps what was acknowledged. By default .weighbridge/connect/slurm-CLUSTER.json.
    #[arg(long)]
    position: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct DcgmArguments {
    /// The addresses of exporters, such as http://gpu-node-7:9400/metrics.
    #[arg(required = true)]
    urls: Vec<String>,
    /// A JSON file with an object that maps host names to machines. Other hosts are machines of the same name.
    #[arg(long)]
    nodes: Option<PathBuf>,
    /// Seconds between the starts of two rounds.
    #[arg(long, default_value_t = 30)]
    poll_s: u64,
}

fn nodes(path: Option<PathBuf>) -> Result<HashMap<String, String>> {
    path.map_or_else(|| Ok(HashMap::new()), read_machines)
}

pub(super) async fn slurm(arguments: SlurmArguments, ingest: &Ingest, stop: &Stop) -> Result<()> {
    let mut bytes = Vec::new();
    let mut input: Box<dyn std::io::Read> = match arguments.file.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => {
            let opened = std::fs::File::open(&arguments.file);
            Box::new(opened.with_context(|| format!("cannot read {}", arguments.file.display()))?)
        }
    };
    input.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes).context("cannot read the rows")?;
    // Slurm keeps names as bytes; a name that is no UTF-8 is not used, so it stops nothing.
    let output = String::from_utf8_lossy(&bytes);
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
    for warning in &done.warnings {
        tell(&format!("warning: {}", warning.as_str()));
    }
    told("quarantined", &done.quarantined);
    told("refused", &done.refused);
    print(&format!(
        "{} spans accepted, {} known before, {} rows without GPU time, {} quarantined, {} refused",
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
        "{} rounds: {} readings accepted, {} refused, {} scrapes failed, {} new faults, {} fields without a value",
        done.rounds, done.taken, done.refused, done.failed, done.faults, done.blanks
    ))
}
