//! `weighbridge adjust`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::commands::books::{Signed, WHO, amounts};
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

#[derive(Debug, Args)]
pub(crate) struct AdjustArguments {
    /// The closed month, such as 2026-10.
    #[arg(long)]
    period: String,
    /// Adjust only this customer's invoices.
    #[arg(long)]
    customer: Option<String>,
    #[command(flatten)]
    signed: Signed,
}

impl Run for AdjustArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        adjust(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Bills late events of a closed month.
async fn adjust(stack: &RunningStack, arguments: AdjustArguments) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    tell("waiting until all recorded events are committed, then rating the closed month again");
    let signature = arguments.signed.signature();
    let adjusted = biller.adjust(&arguments.period, arguments.customer.as_deref(), &signature).await?;
    for document in &adjusted {
        print(&format!(
            "{} {} {} {} {}",
            document.kind,
            if document.number.is_empty() { "-" } else { &document.number },
            document.invoice_id,
            document.customer_id,
            amounts(&document.totals)
        ))?;
    }
    tell(&format!("{} documents for {}", adjusted.len(), arguments.period));
    Ok(())
}
