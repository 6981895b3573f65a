//! `weighbridge prices`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use wb_connect::import::{self, PriceDefaults};

use crate::commands::import::{SendTo, read, send};
use crate::commands::{Run, RunningIngest};

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
