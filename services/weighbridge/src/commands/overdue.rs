//! `weighbridge overdue`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::commands::books::{Signed, WHO, amounts, recorded_line};
use crate::commands::{Run, RunningStack};
use crate::console::print;

#[derive(Debug, Args)]
pub(crate) struct OverdueArguments {
    /// The instant, such as 2026-11-30T00:00:00Z. By default now.
    #[arg(long)]
    at: Option<jiff::Timestamp>,
    #[command(flatten)]
    signed: Signed,
}

impl Run for OverdueArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        overdue(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Records overdue invoices and charges late fees by the terms of the invoices.
async fn overdue(stack: &RunningStack, arguments: OverdueArguments) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let signature = arguments.signed.signature();
    let at_us = arguments.at.map_or_else(|| biller.now_us(), jiff::Timestamp::as_microsecond);
    for item in biller.overdue(at_us, &signature).await? {
        print(&format!(
            "overdue {} {} {} open {}",
            item.number,
            item.id,
            item.customer_id,
            amounts(&item.open())
        ))?;
    }
    for event in biller.late_fees(at_us, &signature).await? {
        print(&recorded_line(&event))?;
    }
    Ok(())
}
