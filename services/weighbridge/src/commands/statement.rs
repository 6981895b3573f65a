//! `weighbridge statement`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use wb_units::time::rfc3339;

use crate::commands::books::WHO;
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

#[derive(Debug, Args)]
pub(crate) struct StatementArguments {
    /// The customer's id.
    #[arg(long)]
    customer: String,
    /// The instant of the statement, such as 2026-11-30T00:00:00Z. By default now.
    #[arg(long)]
    at: Option<jiff::Timestamp>,
}

impl Run for StatementArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        statement(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints the statements of a customer, one JSON object per currency.
async fn statement(stack: &RunningStack, arguments: StatementArguments) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let at_us = arguments.at.map_or_else(|| biller.now_us(), jiff::Timestamp::as_microsecond);
    let statements = biller.statements(&arguments.customer, at_us).await?;
    if statements.is_empty() {
        // Nothing is booked for the customer, or there is no such customer.
        biller.check_customer(&arguments.customer).await?;
    }
    for statement in &statements {
        print(&serde_json::to_string(statement).context("the statement cannot be written")?)?;
    }
    tell(&format!("{} currencies at {}", statements.len(), rfc3339(at_us)));
    Ok(())
}
