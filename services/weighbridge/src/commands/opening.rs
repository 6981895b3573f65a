//! `weighbridge opening`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_ledger::{Command, OpeningKind, OpeningRecorded};

use crate::commands::books::{AmountArguments, Meant, Signed, WHO, record};
use crate::commands::{Run, RunningStack};

#[derive(Debug, Args)]
pub(crate) struct OpeningArguments {
    /// The number of the earlier invoice, or a reference of the balance. Each can be used once.
    #[arg(long)]
    reference: String,
    /// The issuer in whose books it is recorded.
    #[arg(long)]
    legal_entity: String,
    /// The customer.
    #[arg(long)]
    customer: String,
    #[command(flatten)]
    amount: AmountArguments,
    /// Record a balance without invoices. A negative amount is the customer's credit.
    #[arg(long)]
    balance: bool,
    /// When the invoice was issued, or the instant of the balance.
    #[arg(long)]
    issued: jiff::Timestamp,
    /// When it is due.
    #[arg(long)]
    due: Option<jiff::Timestamp>,
    #[command(flatten)]
    meant: Meant,
    #[command(flatten)]
    signed: Signed,
}

impl Run for OpeningArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        opening(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Records what was owed before.
async fn opening(stack: &RunningStack, arguments: OpeningArguments) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let issued = Some(arguments.issued);
    let issued_us = arguments.meant.date(&biller, issued, Some(&arguments.customer)).await?;
    let opening = OpeningRecorded {
        item_id: String::new(),
        kind: if arguments.balance { OpeningKind::Balance } else { OpeningKind::Invoice },
        reference: arguments.reference,
        legal_entity: arguments.legal_entity,
        customer_id: arguments.customer,
        open: vec![arguments.amount.amount()?],
        issued_us,
        due_us: arguments.due.map(jiff::Timestamp::as_microsecond),
        late_fee_ppm: biller.defaults().late_fee_ppm,
    };
    record(&biller, &Command::RecordOpening(opening), &arguments.signed).await
}
