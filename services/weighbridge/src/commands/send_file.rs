//! Shared code of commands that send a file of facts.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use wb_connect::import::{self, Facts, FileFormat};
use wb_connect::{Ingest, Stop};

use crate::console::{end_signal, print};

/// The largest file: about 4 million prices.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct SendTo {
    /// The address of ingest.
    #[arg(long, env = "WEIGHBRIDGE_INGEST_URL", default_value = "http://127.0.0.1:8801")]
    ingest: String,
    /// The API key of a source with the role `operator`.
    #[arg(long, env = "WEIGHBRIDGE_SOURCE_KEY", hide_env_values = true, default_value = "")]
    source_key: String,
    /// Check the file and send nothing.
    #[arg(long)]
    check: bool,
}

pub(crate) fn read(path: &Path) -> Result<(String, FileFormat)> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    anyhow::ensure!(size <= FILE_BYTES_MAX, "{} has {size} bytes: split it", path.display());
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => FileFormat::Csv,
        Some("json") => FileFormat::Json,
        _ => bail!("{}: the file ends with .csv or .json", path.display()),
    };
    Ok((text, format))
}

pub(crate) async fn send(facts: &Facts, to: SendTo, what: &str) -> Result<()> {
    if to.check {
        return print(&format!("{} {what} are valid; nothing was sent", facts.len()));
    }
    anyhow::ensure!(
        !to.source_key.is_empty(),
        "no API key: set WEIGHBRIDGE_SOURCE_KEY to the key of a source of ingest with the role operator"
    );
    let ingest = Ingest::new(&to.ingest, to.source_key)?;
    let sent = import::send(facts, &ingest, &Stop::after(end_signal(false)?)).await?;
    print(&format!("{sent} of {} {what} are durable", facts.len()))?;
    anyhow::ensure!(sent == facts.len(), "stopped before the end: import the file again");
    Ok(())
}
