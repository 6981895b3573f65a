//! `weighbridge balances`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use wb_connect::import;

use crate::commands::send_file::{SendTo, read, send};
use crate::commands::{Run, RunningIngest};

#[derive(Debug, Subcommand)]
pub(crate) enum BalancesCommand {
    /// Record the opening balances in a file.
    ///
    /// The file is CSV or JSON. Its columns are kind (prepaid_grant, deposit_held, past_invoice), id, at, until,
    /// contract_id, customer_id, component, currency, amount, open_amount, priority, number and period.
    Import {
        /// A file that ends in .csv or .json.
        file: PathBuf,
        #[command(flatten)]
        to: SendTo,
    },
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
