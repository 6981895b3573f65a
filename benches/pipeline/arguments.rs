//! The command line, and the binary that is measured.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What the bench was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Shares to send.
    pub(crate) events: usize,
    /// Shares that pile up while the aggregator is dead, 0 for a bench without crashes.
    pub(crate) pile: usize,
    /// Machines that they come from.
    pub(crate) machines: u32,
    /// Requests under way at once.
    pub(crate) senders: usize,
    /// Events in one request.
    pub(crate) batch: usize,
    /// Whether the folder of the run is kept.
    pub(crate) keep: bool,
    bin: Option<PathBuf>,
}

impl Arguments {
    /// Reads the command line; `--bench`, which cargo adds, is taken and means nothing.
    pub(crate) fn read() -> Result<Self> {
        let mut read = Self {
            events: 200_000,
            pile: 0,
            machines: 500,
            senders: 8,
            batch: 1_000,
            keep: false,
            bin: std::env::var_os("PIPELINE_BIN").map(PathBuf::from),
        };
        let mut given = std::env::args().skip(1);
        while let Some(name) = given.next() {
            let mut value = || given.next().with_context(|| format!("{name} needs a value"));
            match name.as_str() {
                "--bench" => {}
                "--keep" => read.keep = true,
                "--events" => read.events = value()?.parse().context("--events")?,
                "--pile" => read.pile = value()?.parse().context("--pile")?,
                "--machines" => read.machines = value()?.parse().context("--machines")?,
                "--senders" => read.senders = value()?.parse().context("--senders")?,
                "--batch" => read.batch = value()?.parse().context("--batch")?,
                "--bin" => read.bin = Some(value()?.into()),
                other => bail!("{other:?} is not known; see the head of this bench's source"),
            }
        }
        anyhow::ensure!(
            read.events > 0 && read.machines > 0 && read.senders > 0 && read.batch > 0,
            "--events, --machines, --senders and --batch are at least 1"
        );
        Ok(read)
    }

    /// The binary to measure: the one that was committed, else a fresh release build.
    pub(crate) fn binary(&self) -> Result<PathBuf> {
        if let Some(bin) = &self.bin {
            return bin.canonicalize().with_context(|| format!("there is no {}", bin.display()));
        }
        crate::tell("building the release binary");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--release", "-p", "weighbridge", "--message-format=json-render-diagnostics"])
            .current_dir(crate::stack::root())
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("cargo cannot be run")?;
        anyhow::ensure!(built.status.success(), "the release build failed");
        // Cargo itself says where the executable lies, whatever target folder is configured.
        let executable = String::from_utf8_lossy(&built.stdout).lines().rev().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line.get("executable")?.as_str().map(PathBuf::from)
        });
        executable.context("cargo committed no executable")
    }
}
