//! `weighbridge adjust`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_billing::Adjusted;

use crate::commands::books::{Confirmed, Signed, Summary, WHO, amounts};
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
    confirmed: Confirmed,
    #[command(flatten)]
    signed: Signed,
}

impl Run for AdjustArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        adjust(&stack, self).await
    }
}

/// Bills late events of a closed month.
async fn adjust(stack: &RunningStack, arguments: AdjustArguments) -> Result<ExitCode> {
    let biller = stack.connect().await?.biller(WHO).await?;
    tell("waiting until all recorded events are committed, then rating the closed month again");
    let signature = arguments.signed.signature();
    let (period, customer) = (arguments.period.as_str(), arguments.customer.as_deref());
    let confirmed = &arguments.confirmed;
    if !confirmed.yes {
        let mut summary = Summary::default();
        for document in &biller.adjust_plan(period, customer).await? {
            summary.add(&document.customer_id, &document.totals);
            let line = format!("would-issue {}", line_of(document));
            if confirmed.dry_run { print(&line)? } else { tell(&line) }
        }
        if !confirmed.proceeds(&summary)? {
            return Ok(if confirmed.dry_run { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    let adjusted = biller.adjust(period, customer, &signature).await?;
    for document in &adjusted {
        print(&line_of(document))?;
    }
    tell(&format!("{} documents for {period}", adjusted.len()));
    Ok(ExitCode::SUCCESS)
}

fn line_of(document: &Adjusted) -> String {
    format!(
        "{} {} {} {} {}",
        document.kind,
        if document.number.is_empty() { "-" } else { &document.number },
        document.invoice_id,
        document.customer_id,
        amounts(&document.totals)
    )
}
