//! `weighbridge connect miners`: polls machines over their own interfaces.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use wb_connect::miners::{self, Login, Machines, Options};
use wb_connect::{Ingest, Stop};

use super::read_text;
use crate::console::{print, tell};

#[derive(Debug, Args)]
pub(super) struct MinersArguments {
    /// Check the recorded answers in this folder instead of polling. Prints a line per file; the exit code is 1 if
    /// one cannot be read.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["list", "range", "machines"])]
    pub(super) check: Option<PathBuf>,
    /// A file with one machine per line: ADDRESS or ADDRESS:PORT, then its id.
    #[arg(long)]
    list: Vec<PathBuf>,
    /// A range of addresses, such as 10.4.0.0/22.
    #[arg(long)]
    range: Vec<String>,
    /// A JSON file with an object that maps IP or MAC addresses to machines.
    #[arg(long)]
    machines: Option<PathBuf>,
    /// User and password for web interfaces, as user:password.
    #[arg(long, env = "WEIGHBRIDGE_MINER_LOGIN", hide_env_values = true)]
    login: Option<String>,
    /// Seconds between the starts of two rounds.
    #[arg(long, default_value_t = 60)]
    poll_s: u64,
    /// Milliseconds to wait for the answer to a command.
    #[arg(long, default_value_t = 5_000)]
    timeout_ms: u64,
    /// How many addresses are polled at once.
    #[arg(long, default_value_t = 256)]
    concurrency: usize,
}

/// Prints the result of each recording.
pub(super) fn check(folder: &Path) -> Result<ExitCode> {
    let checked = miners::check::folder(folder)?;
    print(checked.table().trim_end())?;
    tell(&format!("{} files, {} of them not read", checked.files, checked.refused));
    Ok(if checked.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Polls until it is stopped.
pub(super) async fn run(arguments: MinersArguments, once: bool, ingest: &Ingest, stop: &Stop) -> Result<()> {
    let mut targets = Vec::new();
    for list in &arguments.list {
        let read = miners::read_list(&read_text(list)?).with_context(|| list.display().to_string())?;
        targets.extend(read);
    }
    for range in &arguments.range {
        targets.extend(miners::read_range(range)?);
    }
    let machines = match &arguments.machines {
        Some(path) => Machines::parse(&read_text(path)?).with_context(|| path.display().to_string())?,
        None => Machines::default(),
    };
    let login = match arguments.login.as_deref().filter(|login| !login.is_empty()) {
        Some(text) => Some(Login::parse(text).context("the login is not of the form user:password")?),
        None => None,
    };
    let options = Options {
        targets: miners::together(targets)?,
        machines,
        login,
        poll: Duration::from_secs(arguments.poll_s.max(1)),
        within: Duration::from_millis(arguments.timeout_ms.max(100)),
        concurrency: arguments.concurrency,
        once,
    };
    tell(&format!("polling {} addresses", options.targets.len()));
    let done = miners::run(&options, ingest, stop).await?;
    print(&format!(
        "{} rounds: {} answers, {} unreachable, {} not understood, {} of unknown machines; \
         {} samples accepted, {} refused, {} dropped",
        done.rounds,
        done.answered,
        done.unreachable,
        done.unread,
        done.unnamed,
        done.taken,
        done.refused,
        done.dropped
    ))
}
