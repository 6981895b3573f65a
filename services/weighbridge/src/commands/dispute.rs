//! `weighbridge dispute`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Subcommand, ValueEnum};
use wb_ledger::{Command, DisputeRequest, DisputeWords};

use crate::commands::books::{AmountArguments, Signed, WHO, amount, invoice_id, record};
use crate::commands::{Run, RunningStack};
use crate::console::print;

#[derive(Debug, Subcommand)]
pub(crate) enum DisputeCommand {
    /// List all disputes.
    List,
    /// Open a dispute of an invoice line.
    Open {
        /// The invoice's number or id.
        invoice: String,
        /// The line's id.
        #[arg(long)]
        line: String,
        #[command(flatten)]
        amount: AmountArguments,
        /// The customer's reason.
        #[arg(long)]
        text: String,
        #[command(flatten)]
        signed: Signed,
    },
    /// Record an answer to the customer.
    Answer {
        /// The dispute's id.
        id: String,
        /// The answer.
        #[arg(long)]
        text: String,
        #[command(flatten)]
        signed: Signed,
    },
    /// Resolve a dispute.
    Resolve {
        /// The dispute's id.
        id: String,
        /// The decision.
        #[arg(long, value_enum)]
        outcome: Outcome,
        /// The amount to credit, without tax. By default the whole disputed amount.
        #[arg(long)]
        credit: Option<String>,
        /// The explanation to the customer.
        #[arg(long)]
        text: String,
        #[command(flatten)]
        signed: Signed,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    Accepted,
    Rejected,
}

impl Run for DisputeCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        dispute(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Executes the command.
async fn dispute(stack: &RunningStack, command: DisputeCommand) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let at_us = biller.now_us();
    let words = |dispute_id: String, text: String, signed: &Signed| DisputeWords {
        dispute_id,
        text,
        by: signed.who.clone(),
        at_us,
    };
    match command {
        DisputeCommand::List => {
            for dispute in biller.state().await?.disputes() {
                let opened = &dispute.opened;
                print(&format!(
                    "{} {} {} {} {} {} {}",
                    opened.dispute_id,
                    dispute.state.name(),
                    opened.customer_id,
                    opened.invoice_id,
                    opened.line_id,
                    opened.amount.text(),
                    opened.amount.currency
                ))?;
            }
            Ok(())
        }
        DisputeCommand::Open { invoice, line, amount, text, signed } => {
            let asked = DisputeRequest {
                invoice_id: invoice_id(&biller, &invoice).await?,
                line_id: line,
                amount: amount.amount()?,
                text,
                by: signed.who.clone(),
                at_us,
            };
            record(&biller, &Command::OpenDispute(asked), &signed).await
        }
        DisputeCommand::Answer { id, text, signed } => {
            record(&biller, &Command::AnswerDispute(words(id, text, &signed)), &signed).await
        }
        DisputeCommand::Resolve { id, outcome: Outcome::Rejected, text, signed, .. } => {
            record(&biller, &Command::RejectDispute(words(id, text, &signed)), &signed).await
        }
        DisputeCommand::Resolve { id, outcome: Outcome::Accepted, credit, text, signed } => {
            let state = biller.state().await?;
            let disputed = state.dispute(&id).map(|dispute| dispute.opened.amount.clone());
            let disputed = disputed.with_context(|| format!("the ledger has no dispute {id}"))?;
            let credit = match credit {
                Some(text) => amount(&text, &disputed.currency)?,
                None => disputed,
            };
            let credit_minor = credit.amount_minor.0;
            record(
                &biller,
                &Command::AcceptDispute { words: words(id, text, &signed), credit_minor },
                &signed,
            )
            .await
        }
    }
}
