//! `weighbridge payment`, `note`, `dispute`, `opening` and `statement`.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use wb_clickhouse::read::{PAGE_MAX_ROWS, PageRequest};
use wb_clickhouse::{Cut, TenantScope};
use wb_ledger::{
    Allocation, Amount, Command, DisputeRequest, DisputeWords, Invoice, LineAmount, Minor, NoteByHand,
    OpeningKind, OpeningRecorded, PaymentRequest, Settle,
};
use wb_units::time::rfc3339;
use wb_units::{Currency, Money};

use super::{Signed, record};
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

/// An amount of a currency.
#[derive(Debug, Args)]
pub(crate) struct AmountArguments {
    /// How much, such as 1250.00.
    #[arg(long, allow_hyphen_values = true)]
    amount: String,
    /// Of which currency, such as USD.
    #[arg(long)]
    currency: String,
}

impl AmountArguments {
    fn amount(&self) -> Result<Amount> {
        amount(&self.amount, &self.currency)
    }
}

fn amount(text: &str, currency: &str) -> Result<Amount> {
    let currency = Currency::from_code(currency).context("--currency")?;
    let money = Money::parse(text, currency)
        .with_context(|| format!("{text:?} is no amount of {}", currency.code()))?;
    Ok(Amount::new(money.minor, currency.code()))
}

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

#[derive(Debug, Subcommand)]
pub(crate) enum NoteCommand {
    /// List all credit and debit notes.
    List,
    /// Show a note as its canonical JSON.
    Show {
        /// Its number or id.
        id: String,
    },
    /// Credit or charge lines of an invoice by decision.
    Issue {
        /// The invoice's id.
        invoice: String,
        /// Your own reference: the same reference given again does nothing.
        #[arg(long)]
        reference: String,
        /// Lines with their amounts, as line=amount, negative to credit.
        #[arg(long = "line", required = true, allow_hyphen_values = true)]
        lines: Vec<String>,
        /// The currency of the amounts.
        #[arg(long)]
        currency: String,
        #[command(flatten)]
        signed: Signed,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DisputeCommand {
    /// List all disputes.
    List,
    /// Record that the customer disputes a line.
    Open {
        /// The invoice's id.
        invoice: String,
        /// The line's id.
        #[arg(long)]
        line: String,
        #[command(flatten)]
        amount: AmountArguments,
        /// The customer's words.
        #[arg(long)]
        text: String,
        #[command(flatten)]
        signed: Signed,
    },
    /// Record an answer.
    Answer {
        /// The dispute's id.
        id: String,
        /// The answer.
        #[arg(long)]
        text: String,
        #[command(flatten)]
        signed: Signed,
    },
    /// End a dispute.
    Resolve {
        /// The dispute's id.
        id: String,
        /// Whether the customer is right.
        #[arg(long, value_enum)]
        outcome: Outcome,
        /// What is credited of the line; all that is disputed unless said.
        #[arg(long)]
        credit: Option<String>,
        /// What the customer is told.
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

#[derive(Debug, Args)]
pub(crate) struct OpeningArguments {
    /// The number of the earlier invoice, or a reference of the balance: used once.
    #[arg(long)]
    reference: String,
    /// Whose books.
    #[arg(long)]
    legal_entity: String,
    /// The customer.
    #[arg(long)]
    customer: String,
    #[command(flatten)]
    amount: AmountArguments,
    /// A balance without its invoices; negative where the customer has something to its credit.
    #[arg(long)]
    balance: bool,
    /// When it was issued, or the instant of the balance.
    #[arg(long)]
    issued: jiff::Timestamp,
    /// When it is due.
    #[arg(long)]
    due: Option<jiff::Timestamp>,
    #[command(flatten)]
    signed: Signed,
}

#[derive(Debug, Args)]
pub(crate) struct StatementArguments {
    /// The customer.
    #[arg(long)]
    customer: String,
    /// As of when, such as 2026-11-30T00:00:00Z; now unless said.
    #[arg(long)]
    at: Option<jiff::Timestamp>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BillCommand {
    /// List what open months come to so far, as the running services computed them last: contract, customer,
    /// month, up to when, cut, completeness, total.
    Running {
        /// Only this customer.
        #[arg(long)]
        customer: Option<String>,
        /// Every bill as its canonical JSON instead.
        #[arg(long)]
        json: bool,
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

fn assigned(text: &str, currency: &str) -> Result<(String, i128)> {
    let (name, text) = text.rsplit_once('=').with_context(|| format!("{text:?} is not name=amount"))?;
    Ok((name.to_owned(), amount(text, currency)?.amount_minor.0))
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
    let biller = stack.connect().await?.biller(super::WHO).await?;
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

impl Run for NoteCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        note(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows and issues notes.
async fn note(stack: &RunningStack, command: NoteCommand) -> Result<()> {
    let biller = stack.connect().await?.biller(super::WHO).await?;
    match command {
        NoteCommand::List => {
            for document in biller.notes().await? {
                let note = &document.note;
                print(&format!(
                    "{} {} {} {} {}",
                    note.number,
                    note.invoice_id,
                    note.customer_id,
                    note.reason.name(),
                    super::amounts(&note.totals)
                ))?;
            }
            Ok(())
        }
        NoteCommand::Show { id } => {
            let document = biller.note(&id).await?;
            print(
                &wb_ledger::canonical::write_document(&document.note)
                    .context("the note cannot be written")?,
            )
        }
        NoteCommand::Issue { invoice, reference, lines, currency, signed } => {
            let lines = lines.iter().map(|text| {
                let (line_id, minor) = assigned(text, &currency)?;
                Ok(LineAmount { line_id, amount: Amount::new(minor, &currency) })
            });
            let asked = NoteByHand {
                invoice_id: invoice,
                reference,
                text: signed.why.clone(),
                lines: lines.collect::<Result<_>>()?,
                at_us: biller.now_us(),
            };
            record(&biller, &Command::IssueNote(asked), &signed).await
        }
    }
}

impl Run for DisputeCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        dispute(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Records disputes and how they end.
async fn dispute(stack: &RunningStack, command: DisputeCommand) -> Result<()> {
    let biller = stack.connect().await?.biller(super::WHO).await?;
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
                invoice_id: invoice,
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

impl Run for OpeningArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        opening(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Takes over what was owed before.
async fn opening(stack: &RunningStack, arguments: OpeningArguments) -> Result<()> {
    let biller = stack.connect().await?.biller(super::WHO).await?;
    let opening = OpeningRecorded {
        item_id: String::new(),
        kind: if arguments.balance { OpeningKind::Balance } else { OpeningKind::Invoice },
        reference: arguments.reference,
        legal_entity: arguments.legal_entity,
        customer_id: arguments.customer,
        open: vec![arguments.amount.amount()?],
        issued_us: arguments.issued.as_microsecond(),
        due_us: arguments.due.map(jiff::Timestamp::as_microsecond),
        late_fee_ppm: biller.defaults().late_fee_ppm,
    };
    record(&biller, &Command::RecordOpening(opening), &arguments.signed).await
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
    let biller = stack.connect().await?.biller(super::WHO).await?;
    let at_us = arguments.at.map_or_else(|| biller.now_us(), jiff::Timestamp::as_microsecond);
    let statements = biller.statements(&arguments.customer, at_us).await?;
    for statement in &statements {
        print(&serde_json::to_string(statement).context("the statement cannot be written")?)?;
    }
    tell(&format!("{} currencies at {}", statements.len(), rfc3339(at_us)));
    Ok(())
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
    // Each bill names its own cut.
    let read = stack.connect().await?.store.read(TenantScope::Operator, Cut(0));
    let mut bills = Vec::new();
    let mut after = None;
    loop {
        let request = PageRequest::new(PAGE_MAX_ROWS, after)?;
        let page = read.running_bill_rows(&request, customer.as_deref(), None).await?;
        bills.extend(page.rows);
        after = page.end_cursor;
        if !page.has_next {
            break;
        }
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
            super::amounts(&document.totals),
            document.bill_digest
        ))?;
    }
    tell(&format!("{} running bills", bills.len()));
    Ok(())
}
