//! `weighbridge prices`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use wb_connect::import::{self, PriceDefaults};

use crate::commands::send_file::{SendTo, read, send};
use crate::commands::{Run, RunningIngest};

#[derive(Debug, Subcommand)]
pub(crate) enum PricesCommand {
    /// Record the dated prices in a file.
    ///
    /// A CSV file has the columns at and value, and optionally until, where a price ends by itself. Series, unit and
    /// source are columns, too, unless they are options of the command. A JSON file is an array of objects with these
    /// fields. A file with a bad row records nothing; sending a file again changes nothing.
    Import {
        /// A file that ends in .csv or .json.
        file: PathBuf,
        /// The series, such as ercot-west.
        #[arg(long)]
        series: Option<String>,
        /// The unit of the values, such as USD/MWh.
        #[arg(long)]
        unit: Option<String>,
        /// The publisher of the prices.
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
