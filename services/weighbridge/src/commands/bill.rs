//! `weighbridge close`, `adjust`, `overdue` and `invoice`.

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use wb_billing::{CloseRequest, Done, Issued, IssuedAs, Progress, Signature};
use wb_ledger::{Command, Event, Step, Total};
use wb_units::time::rfc3339;

use crate::commands::document::{self, DocumentArguments, Shape};
use crate::commands::evidence;
use crate::commands::{Run, RunningStack, needs_of};
use crate::console::{print, tell};
use crate::wiring::services::LiveBiller;

pub(crate) mod account;

const WHO: &str = "weighbridge-cli";

/// Who does something, and why; both go into the ledger.
#[derive(Debug, Args)]
pub(crate) struct Signed {
    /// Who does it, for the record.
    #[arg(long, env = "USER")]
    who: String,
    /// Why, for the record.
    #[arg(long)]
    why: String,
}

impl Signed {
    pub(crate) fn signature(&self) -> Signature {
        Signature { who: self.who.clone(), why: self.why.clone() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CloseArguments {
    /// The month, such as 2026-10.
    #[arg(long)]
    period: String,
    /// Only this customer.
    #[arg(long)]
    customer: Option<String>,
    /// Say what would be issued, and record nothing.
    #[arg(long)]
    dry_run: bool,
    /// Close periods that lack usage, too: you answer for it, by name and with a reason.
    #[arg(long, requires = "reason")]
    allow_incomplete: bool,
    /// Why incomplete periods may be closed.
    #[arg(long)]
    reason: Option<String>,
    /// Who closes, for the record.
    #[arg(long, env = "USER", default_value = WHO)]
    who: String,
}

#[derive(Debug, Args)]
pub(crate) struct AdjustArguments {
    /// The closed month, such as 2026-10.
    #[arg(long)]
    period: String,
    /// Only this customer.
    #[arg(long)]
    customer: Option<String>,
    #[command(flatten)]
    signed: Signed,
}

#[derive(Debug, Args)]
pub(crate) struct OverdueArguments {
    /// The instant of the run, such as 2026-11-30T00:00:00Z; now unless said.
    #[arg(long)]
    at: Option<jiff::Timestamp>,
    #[command(flatten)]
    signed: Signed,
}

#[derive(Debug, Args)]
pub(crate) struct StepArguments {
    /// The invoice's id.
    id: String,
    #[command(flatten)]
    signed: Signed,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InvoiceCommand {
    #[command(flatten)]
    OfLedger(LedgerInvoiceCommand),
    /// Write all that an invoice follows from into one file, which anybody can verify.
    Bundle(evidence::BundleArguments),
    /// Verify such a file, with nothing else: no stack, no configuration, no network.
    #[command(after_help = needs_of::<evidence::VerifyArguments>())]
    Verify(evidence::VerifyArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerInvoiceCommand {
    /// List all invoices and drafts: number, id, customer, state, open amounts.
    List,
    /// Show an invoice as its canonical JSON, with both digests, and what happened to it.
    Show {
        /// Its id.
        id: String,
        /// Compute it again at its cut and compare both digests.
        #[arg(long)]
        recompute: bool,
    },
    /// Write an invoice as PDF, the same bytes each time.
    Pdf(DocumentArguments),
    /// Write an invoice as one HTML file that loads nothing.
    Html(DocumentArguments),
    /// Give a draft to those who approve.
    Submit(StepArguments),
    /// Approve a draft that somebody else submitted.
    Approve(StepArguments),
    /// Send a draft back; the next close drafts it again.
    Reject(StepArguments),
    /// Give an approved draft its number.
    Issue(StepArguments),
    /// Void an invoice by a credit note of the whole.
    Void(StepArguments),
    /// Give up what is open of an invoice.
    WriteOff(StepArguments),
}

impl Run for CloseArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        close(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Closes a month on the running stack.
async fn close(stack: &RunningStack, arguments: CloseArguments) -> Result<()> {
    let biller = stack.connect().await?.biller(&arguments.who).await?;
    let incomplete = arguments.reason.filter(|_| arguments.allow_incomplete);
    let request = CloseRequest {
        period: arguments.period,
        customer: arguments.customer,
        dry_run: arguments.dry_run,
        incomplete: incomplete.map(|why| Signature { who: arguments.who, why }),
    };
    tell("waiting until everything recorded is named, then rating");
    let issued = biller.close_with(&request, &mut tell_progress).await?;
    for invoice in &issued {
        print(&issued_line(invoice))?;
    }
    let what = if request.dry_run { "invoices would be issued" } else { "invoices" };
    tell(&format!("{} {what} for {}", issued.len(), request.period));
    Ok(())
}

fn tell_progress(progress: &Progress) {
    match progress {
        Progress::Settled { cut, contracts } => {
            tell(&format!("settled at cut {cut}: {contracts} contracts"));
        }
        Progress::Contract { done, of, contract_id, outcome } => {
            tell(&format!("{done}/{of} {contract_id}: {outcome}"));
        }
    }
}

fn issued_line(invoice: &Issued) -> String {
    let state = match (invoice.issued_as, invoice.new) {
        (IssuedAs::WouldBe, _) => "would-issue",
        (_, false) => "existed",
        (IssuedAs::Invoice, true) => "issued",
        (IssuedAs::Draft, true) => "drafted",
    };
    let number = if invoice.number.is_empty() { "-" } else { &invoice.number };
    let mut line = format!(
        "{state} {number} {} {} {} bill {} evidence {}",
        invoice.invoice_id,
        invoice.customer_id,
        invoice.contract_id,
        invoice.bill_digest,
        invoice.evidence_digest
    );
    if invoice.number.is_empty() {
        line.push_str(&format!(" total {}", amounts(&invoice.totals)));
    }
    line
}

/// Amounts in all currencies, such as `12.50 USD, 0.00010000 BTC`; `0` where there are none.
pub(crate) fn amounts(totals: &[Total]) -> String {
    if totals.is_empty() {
        return "0".to_owned();
    }
    let each = totals.iter().map(|total| format!("{} {}", total.amount, total.currency));
    each.collect::<Vec<_>>().join(", ")
}

impl Run for AdjustArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        adjust(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Bills what came late for a closed month.
async fn adjust(stack: &RunningStack, arguments: AdjustArguments) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    tell("waiting until everything recorded is named, then rating the closed month again");
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

impl Run for OverdueArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        overdue(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Records what is overdue, and charges the late fees that the invoices' terms state.
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

impl Run for LedgerInvoiceCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        invoice(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows invoices of the running stack, and takes them through their review.
async fn invoice(stack: &RunningStack, command: LedgerInvoiceCommand) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let step = |arguments: &StepArguments| Step {
        invoice_id: arguments.id.clone(),
        by: arguments.signed.who.clone(),
        at_us: biller.now_us(),
    };
    match command {
        LedgerInvoiceCommand::List => list(&biller).await,
        LedgerInvoiceCommand::Show { id, recompute } => show(&biller, &id, recompute).await,
        LedgerInvoiceCommand::Pdf(arguments) => document::write(&biller, &arguments, Shape::Pdf).await,
        LedgerInvoiceCommand::Html(arguments) => document::write(&biller, &arguments, Shape::Html).await,
        LedgerInvoiceCommand::Submit(arguments) => {
            record(&biller, &Command::Submit(step(&arguments)), &arguments.signed).await
        }
        LedgerInvoiceCommand::Approve(arguments) => {
            record(&biller, &Command::Approve(step(&arguments)), &arguments.signed).await
        }
        LedgerInvoiceCommand::Reject(arguments) => {
            record(&biller, &Command::Reject(step(&arguments)), &arguments.signed).await
        }
        LedgerInvoiceCommand::Issue(arguments) => {
            told(&biller.issue(&arguments.id, &arguments.signed.signature()).await?)
        }
        LedgerInvoiceCommand::Void(StepArguments { id, signed }) => {
            let void = Command::Void { invoice_id: id, text: signed.why.clone(), at_us: biller.now_us() };
            record(&biller, &void, &signed).await
        }
        LedgerInvoiceCommand::WriteOff(StepArguments { id, signed }) => {
            record(&biller, &Command::WriteOff { invoice_id: id, at_us: biller.now_us() }, &signed).await
        }
    }
}

async fn list(biller: &LiveBiller) -> Result<()> {
    let state = biller.state().await?;
    for review in state.reviews() {
        let draft = &review.draft;
        print(&format!(
            "- {} {} {} total {}",
            draft.invoice_id,
            draft.customer_id,
            review.stage.name(),
            amounts(&draft.totals)
        ))?;
    }
    for document in biller.invoices().await? {
        let invoice = &document.invoice;
        let item = state.item(&invoice.invoice_id).context("the ledger has the invoice and not its item")?;
        print(&format!(
            "{} {} {} {} open {}",
            invoice.number,
            invoice.invoice_id,
            invoice.customer_id,
            item.state().name(),
            amounts(&item.open())
        ))?;
    }
    Ok(())
}

async fn show(biller: &LiveBiller, id: &str, recompute: bool) -> Result<()> {
    let state = biller.state().await?;
    if let Some(review) = state.review(id) {
        let json =
            wb_ledger::canonical::write_document(&review.draft).context("the draft cannot be written")?;
        print(&json)?;
        tell(&format!(
            "{}, {} of {} approvals",
            review.stage.name(),
            review.approved_by.len(),
            review.draft.terms.approvals
        ));
        return tell_history(biller, id).await;
    }
    let document = biller.invoice(id).await?;
    let json =
        wb_ledger::canonical::write_document(&document.invoice).context("the invoice cannot be written")?;
    print(&json)?;
    if let Some(item) = state.item(id) {
        let notes = if item.notes.is_empty() { "none".to_owned() } else { item.notes.join(", ") };
        tell(&format!(
            "{}; paid {}; open {}; notes {notes}",
            item.state().name(),
            amounts(&item.paid()),
            amounts(&item.open())
        ));
    }
    tell_history(biller, id).await?;
    if recompute {
        let again = biller.recompute(id).await?;
        tell(&format!(
            "bill digest again {}, evidence digest again {}",
            again.bill_digest, again.evidence_digest
        ));
        ensure!(again.bill_matches && again.evidence_matches, "computed again, the invoice is another one");
        tell("computed again at its cut: both digests are the same");
    }
    Ok(())
}

async fn tell_history(biller: &LiveBiller, id: &str) -> Result<()> {
    for entry in biller.history(id).await? {
        tell(&format!("{} {} by {}: {}", rfc3339(entry.at_us), entry.kind, entry.who, entry.why));
    }
    Ok(())
}

/// Does a command and says what came of it.
pub(crate) async fn record(biller: &LiveBiller, command: &Command, signed: &Signed) -> Result<()> {
    told(&biller.act(command, &signed.signature()).await?)
}

fn told(done: &Done) -> Result<()> {
    match done {
        Done::Existed(id) => print(&format!("existed {id}")),
        Done::Recorded(events) if events.is_empty() => bail!("nothing was left to be done"),
        Done::Recorded(events) => events.iter().try_for_each(|event| print(&recorded_line(event))),
    }
}

/// The kind of an event, what it is of, and its sums.
fn recorded_line(event: &Event) -> String {
    let (id, totals) = match event {
        Event::InvoiceIssued(invoice) => (invoice.number.as_str(), invoice.totals.as_slice()),
        Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => {
            (note.number.as_str(), note.totals.as_slice())
        }
        Event::PaymentReceived(payment) => (payment.payment_id.as_str(), &[][..]),
        Event::PaymentAllocated(payment) => (payment.payment_id.as_str(), &[][..]),
        Event::PaymentReversed(payment) => (payment.payment_id.as_str(), &[][..]),
        Event::RefundPaid(refund) => (refund.refund_id.as_str(), &[][..]),
        Event::DisputeOpened(dispute) => (dispute.dispute_id.as_str(), &[][..]),
        other => (other.invoice_id().unwrap_or("-"), &[][..]),
    };
    let mut line = format!("{} {id} {}", event.kind(), event.customer_id());
    if !totals.is_empty() {
        line.push_str(&format!(" {}", amounts(totals)));
    }
    line
}
