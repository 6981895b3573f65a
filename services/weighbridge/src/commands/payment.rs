//! `weighbridge payment`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use wb_ledger::{Allocation, Command, Minor, PaymentRequest, Settle};

use crate::commands::books::{AmountArguments, Signed, WHO, assigned, record};
use crate::commands::{Run, RunningStack};

#[derive(Debug, Subcommand)]
pub(crate) enum PaymentCommand {
    /// Record a payment. The same reference recorded again does nothing.
    Record {
        /// The bank's reference, or a transaction's id: used once.
        #[arg(long)]
        reference: String,
        /// Who received it.
        #[arg(long)]
        legal_entity: String,
        /// Who paid.
        #[arg(long)]
        customer: String,
        #[command(flatten)]
        amount: AmountArguments,
        /// When it arrived; now unless said.
        #[arg(long)]
        received: Option<jiff::Timestamp>,
        /// What it settles, as invoice=amount, in this order; the oldest due first unless said.
        #[arg(long = "settle")]
        settle: Vec<String>,
        /// Settle nothing yet.
        #[arg(long, conflicts_with = "settle")]
        keep: bool,
        #[command(flatten)]
        signed: Signed,
    },
    /// Let what a payment has left settle invoices.
    Allocate {
        /// The payment's id.
        id: String,
        /// What it settles, as invoice=amount; the oldest due first unless said.
        #[arg(long = "settle")]
        settle: Vec<String>,
        #[command(flatten)]
        signed: Signed,
    },
    /// Record that a payment bounced: everything it settled is open again.
    Reverse {
        /// The payment's id.
        id: String,
        #[command(flatten)]
        signed: Signed,
    },
    /// Record that something of a payment went back.
    Refund {
        /// The payment's id.
        id: String,
        /// The reference of the transfer back: used once.
        #[arg(long)]
        reference: String,
        #[command(flatten)]
        amount: AmountArguments,
        #[command(flatten)]
        signed: Signed,
    },
}

/// What `invoice=amount` texts say; the oldest first where there are none.
fn settle(texts: &[String], currency: &str) -> Result<Settle> {
    if texts.is_empty() {
        return Ok(Settle::OldestFirst);
    }
    let allocations = texts.iter().map(|text| {
        let (invoice_id, minor) = assigned(text, currency)?;
        Ok(Allocation { invoice_id, amount_minor: Minor(minor) })
    });
    Ok(Settle::Given(allocations.collect::<Result<_>>()?))
}

impl Run for PaymentCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        payment(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Records payments and what becomes of them.
async fn payment(stack: &RunningStack, command: PaymentCommand) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let now_us = biller.now_us();
    match command {
        PaymentCommand::Record {
            reference,
            legal_entity,
            customer,
            amount,
            received,
            settle: given,
            keep,
            signed,
        } => {
            let settles = if keep { Settle::Nothing } else { settle(&given, &amount.currency)? };
            let request = PaymentRequest {
                reference,
                legal_entity,
                customer_id: customer,
                amount: amount.amount()?,
                received_us: received.map_or(now_us, jiff::Timestamp::as_microsecond),
                settle: settles,
            };
            record(&biller, &Command::ReceivePayment(request), &signed).await
        }
        PaymentCommand::Allocate { id, settle: given, signed } => {
            let state = biller.state().await?;
            let currency = state.payment(&id).map(|payment| payment.amount.currency.clone());
            let settle = settle(&given, &currency.unwrap_or_default())?;
            record(&biller, &Command::Allocate { payment_id: id, settle, at_us: now_us }, &signed).await
        }
        PaymentCommand::Reverse { id, signed } => {
            record(&biller, &Command::Reverse { payment_id: id, at_us: now_us }, &signed).await
        }
        PaymentCommand::Refund { id, reference, amount, signed } => {
            let amount = amount.amount()?;
            let state = biller.state().await?;
            if state.payment(&id).is_some_and(|payment| payment.amount.currency != amount.currency) {
                bail!("a refund has the currency of its payment");
            }
            let amount_minor = amount.amount_minor.0;
            record(
                &biller,
                &Command::Refund { payment_id: id, reference, amount_minor, at_us: now_us },
                &signed,
            )
            .await
        }
    }
}
