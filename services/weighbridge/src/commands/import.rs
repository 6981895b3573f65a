//! `weighbridge prices import` and `weighbridge balances import`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use wb_connect::import::{self, Facts, FileFormat, PriceDefaults};
use wb_connect::{Ingest, Stop};

use crate::commands::{Run, RunningIngest};
use crate::console::{end_signal, print};

/// The longest file that is read: some 4 million prices.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum PricesCommand {
    /// Record the dated prices of a file. CSV with the columns at, value and, where not given here, series, unit and
    /// source, and until where a price ends by itself; or a JSON array of objects with these names. A file with one
    /// bad row records nothing; sent again, it changes nothing.
    Import {
        /// A .csv or .json file.
        file: PathBuf,
        /// The series, such as ercot-west.
        #[arg(long)]
        series: Option<String>,
        /// The unit of the values, such as USD/MWh.
        #[arg(long)]
        unit: Option<String>,
        /// Who published them.
        #[arg(long)]
        source: Option<String>,
        #[command(flatten)]
        to: SendTo,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BalancesCommand {
    /// Record opening balances of a file: prepaid grants, deposits held, invoices issued elsewhere. CSV or JSON with the
    /// columns kind (prepaid_grant, deposit_held, past_invoice), id, at, until, contract_id, customer_id, component,
    /// currency, amount, open_amount, priority, number, period.
    Import {
        /// A .csv or .json file.
        file: PathBuf,
        #[command(flatten)]
        to: SendTo,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SendTo {
    /// Where ingest listens.
    #[arg(long, default_value = "http://127.0.0.1:8801")]
    ingest: String,
    /// The API key of a source with the role `operator`.
    #[arg(long, env = "WEIGHBRIDGE_SOURCE_KEY", hide_env_values = true, default_value = "")]
    source_key: String,
    /// Only check the file.
    #[arg(long)]
    check: bool,
}

impl Run for PricesCommand {
    type Needs = RunningIngest;

    async fn run(self, _: RunningIngest) -> Result<ExitCode> {
        prices(self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn prices(command: PricesCommand) -> Result<()> {
    let PricesCommand::Import { file, series, unit, source, to } = command;
    let (text, format) = read(&file)?;
    let defaults = PriceDefaults { series, unit, source };
    let facts = import::prices(&text, format, &defaults).with_context(|| file.display().to_string())?;
    send(&facts, to, "prices").await
}

impl Run for BalancesCommand {
    type Needs = RunningIngest;

    async fn run(self, _: RunningIngest) -> Result<ExitCode> {
        balances(self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn balances(command: BalancesCommand) -> Result<()> {
    let BalancesCommand::Import { file, to } = command;
    let (text, format) = read(&file)?;
    let facts = import::balances(&text, format).with_context(|| file.display().to_string())?;
    send(&facts, to, "balances").await
}

fn read(path: &Path) -> Result<(String, FileFormat)> {
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

async fn send(facts: &Facts, to: SendTo, what: &str) -> Result<()> {
    if to.check {
        return print(&format!("{} {what} can be taken; nothing was sent", facts.len()));
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
