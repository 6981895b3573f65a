//! `weighbridge overdue`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_ledger::Event;

use crate::commands::books::{Confirmed, Meant, Signed, Summary, WHO, amounts, recorded_line};
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

#[derive(Debug, Args)]
pub(crate) struct OverdueArguments {
    /// The instant, such as 2026-11-30T00:00:00Z. By default now.
    #[arg(long)]
    at: Option<jiff::Timestamp>,
    /// Only this customer's invoices.
    #[arg(long)]
    customer: Option<String>,
    #[command(flatten)]
    meant: Meant,
    #[command(flatten)]
    confirmed: Confirmed,
    #[command(flatten)]
    signed: Signed,
}

impl Run for OverdueArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        overdue(&stack, self).await
    }
}

/// Records overdue invoices and charges late fees by the terms of the invoices.
async fn overdue(stack: &RunningStack, arguments: OverdueArguments) -> Result<ExitCode> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let signature = arguments.signed.signature();
    let customer = arguments.customer.as_deref();
    let at_us = arguments.meant.date(&biller, arguments.at, customer).await?;
    let plan = biller.overdue_plan(at_us, customer).await?;
    let mut summary = Summary::default();
    for event in &plan {
        let line = match event {
            Event::DebitNoteIssued(note) => {
                summary.add(&note.customer_id, &note.totals);
                format!("would-charge {} {} {}", note.invoice_number, note.customer_id, amounts(&note.totals))
            }
            other => {
                summary.add(other.customer_id(), &[]);
                format!("would-mark {} {}", other.invoice_id().unwrap_or("-"), other.customer_id())
            }
        };
        // With --yes the records themselves are shown.
        if !arguments.confirmed.yes {
            if arguments.confirmed.dry_run { print(&line)? } else { tell(&line) }
        }
    }
    if !arguments.confirmed.proceeds(&summary)? {
        return Ok(if arguments.confirmed.dry_run { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    for item in biller.overdue(at_us, customer, &signature).await? {
        print(&format!(
            "overdue {} {} {} open {}",
            item.number,
            item.id,
            item.customer_id,
            amounts(&item.open())
        ))?;
    }
    for event in biller.late_fees(at_us, customer, &signature).await? {
        print(&recorded_line(&event))?;
    }
    Ok(ExitCode::SUCCESS)
}
