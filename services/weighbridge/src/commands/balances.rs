//! `weighbridge balances`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use wb_connect::import;

use crate::commands::import::{SendTo, read, send};
use crate::commands::{Run, RunningIngest};

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
