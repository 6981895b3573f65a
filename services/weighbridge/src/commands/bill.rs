//! `weighbridge bill`: running bills.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use wb_clickhouse::read::{PAGE_MAX_ROWS, PageRequest};
use wb_clickhouse::{Cut, TenantScope};
use wb_ledger::Invoice;
use wb_units::time::rfc3339;

use crate::commands::books::{WHO, amounts};
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

#[derive(Debug, Subcommand)]
pub(crate) enum BillCommand {
    /// List the running bills of open months as last computed.
    ///
    /// A closed month is not among them: it is in review or invoiced, and `invoice list` shows it.
    ///
    /// A line shows contract, customer, month, end of the billed time, cut, completeness and total.
    Running {
        /// Show only this customer's bills.
        #[arg(long)]
        customer: Option<String>,
        /// Print each bill as canonical JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Run for BillCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        bill(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows running bills.
async fn bill(stack: &RunningStack, command: BillCommand) -> Result<()> {
    let BillCommand::Running { customer, json } = command;
    // Each running bill has its own cut.
    let read = stack.connect().await?.store.read(TenantScope::Operator, Cut(0));
    let ledger_end = read.ledger_end().await?;
    let mut bills = Vec::new();
    let mut after = None;
    loop {
        let request = PageRequest::new(PAGE_MAX_ROWS, after)?;
        let page = read.running_bill_rows(&request, (customer.as_deref(), None), ledger_end).await?;
        bills.extend(page.rows);
        after = page.end_cursor;
        if !page.has_next {
            break;
        }
    }
    if let Some(customer) = customer.filter(|_| bills.is_empty()) {
        // It has no running bill, or there is no such customer.
        stack.connect().await?.biller(WHO).await?.check_customer(&customer).await?;
    }
    for bill in &bills {
        if json {
            print(&bill.body)?;
            continue;
        }
        let document: Invoice = serde_json::from_str(&bill.body).context("a running bill cannot be read")?;
        print(&format!(
            "{} {} {} until {} cut {} complete {} ppm total {} bill {}",
            document.contract_id,
            document.customer_id,
            document.period.text,
            rfc3339(bill.until_us),
            bill.cut,
            bill.completeness_ppm,
            amounts(&document.totals),
            document.bill_digest
        ))?;
    }
    tell(&format!("{} running bills", bills.len()));
    Ok(())
}
