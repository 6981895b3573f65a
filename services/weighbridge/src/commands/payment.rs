//! `weighbridge payment`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use wb_ledger::{Allocation, Command, Minor, PaymentRequest, Settle};

use crate::commands::books::{AmountArguments, Signed, WHO, assigned, record};
use crate::commands::{Run, RunningStack};

#[derive(Debug, Subcommand)]
pub(crate) enum PaymentCommand {
    /// Record a payment.
    ///
    /// Repeating a command with the same reference has no effect.
    Record {
        /// The bank's reference or the transaction id. Each can be used once.
        #[arg(long)]
        reference: String,
        /// The issuer that received the payment.
        #[arg(long)]
        legal_entity: String,
        /// The customer that paid.
        #[arg(long)]
        customer: String,
        #[command(flatten)]
        amount: AmountArguments,
        /// When the payment arrived. By default now.
        #[arg(long)]
        received: Option<jiff::Timestamp>,
        /// An invoice that the payment settles, as invoice=amount. Can be repeated; settled in this order. By default
        /// the invoice due first.
        #[arg(long = "settle")]
        settle: Vec<String>,
        /// Settle no invoice yet.
        #[arg(long, conflicts_with = "settle")]
        keep: bool,
        #[command(flatten)]
        signed: Signed,
    },
    /// Settle invoices with the rest of a payment.
    Allocate {
        /// The payment's id.
        id: String,
        /// An invoice to settle, as invoice=amount. Can be repeated. By default the invoice due first.
        #[arg(long = "settle")]
        settle: Vec<String>,
        #[command(flatten)]
        signed: Signed,
    },
    /// Reverse a bounced payment. All invoices that it settled are open again.
    Reverse {
        /// The payment's id.
        id: String,
        #[command(flatten)]
        signed: Signed,
    },
    /// Record a refund of a payment or of a part of it.
    Refund {
        /// The payment's id.
        id: String,
        /// The reference of the refund. Each can be used once.
        #[arg(long)]
        reference: String,
        #[command(flatten)]
        amount: AmountArguments,
        #[command(flatten)]
        signed: Signed,
    },
}

/// Parses `invoice=amount` texts; without any, invoices due first are settled first.
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

/// Executes the command.
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
                bail!("a refund must have the currency of its payment");
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
