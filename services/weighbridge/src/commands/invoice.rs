//! `weighbridge invoice`.

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use wb_ledger::{Command, InvoiceLine, Step, Total};
use wb_units::time::rfc3339;

use crate::commands::books::{self, Signed, WHO, amounts, invoice_id, record, told};
use crate::commands::document::{self, DocumentArguments, Shape};
use crate::commands::{Run, RunningStack, evidence, needs_of};
use crate::console::{print, tell};
use crate::table::Table;
use crate::wiring::services::LiveBiller;

#[derive(Debug, Args)]
pub(crate) struct StepArguments {
    /// The invoice's number, such as WEI-000001, or its id.
    id: String,
    #[command(flatten)]
    signed: Signed,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InvoiceCommand {
    #[command(flatten)]
    OfLedger(LedgerInvoiceCommand),
    /// Write the evidence bundle of an invoice to a file that anybody can verify.
    Bundle(evidence::BundleArguments),
    /// Verify an evidence bundle with nothing but its file.
    ///
    /// Needs no stack, no configuration and no network.
    #[command(after_help = needs_of::<evidence::VerifyArguments>())]
    Verify(evidence::VerifyArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerInvoiceCommand {
    /// List invoices and drafts with number, id, customer, state and open amounts.
    List,
    /// Show an invoice as canonical JSON, with both digests and its history.
    Show {
        /// The invoice's number, such as WEI-000001, or its id.
        id: String,
        /// Compute the invoice again at its cut and compare both digests.
        #[arg(long)]
        recompute: bool,
        /// Print the lines and totals as a table instead of JSON.
        #[arg(long)]
        lines: bool,
    },
    /// Write an invoice as PDF. The same invoice always gives the same bytes.
    Pdf(DocumentArguments),
    /// Write an invoice as one HTML file without external resources.
    Html(DocumentArguments),
    /// Submit a draft for approval.
    Submit(StepArguments),
    /// Approve a draft that somebody else submitted.
    Approve(StepArguments),
    /// Reject a draft.
    ///
    /// It can be submitted again as it is. A close drafts it again once something was recorded since.
    Reject(StepArguments),
    /// Issue an approved draft: give it its number.
    Issue(StepArguments),
    /// Void an invoice with a credit note of its whole amount.
    ///
    /// Parts of payments that become unallocated are shown. `reissue` bills the month again.
    Void(StepArguments),
    /// Bill the month of an invoice again, under a new number that names the old one.
    ///
    /// An invoice that is not void yet is voided first.
    Reissue {
        #[command(flatten)]
        step: StepArguments,
        /// Settle the new invoice with the payments that the void of the old one made unallocated.
        #[arg(long)]
        move_payments: bool,
    },
    /// Write off the open amount of an invoice, or some of it.
    ///
    /// Payments can still settle what is left open; notes, fees and a further write-off need reverse-write-off first.
    WriteOff {
        #[command(flatten)]
        step: StepArguments,
        /// The amount to write off. By default all that is open.
        #[arg(long, requires = "currency")]
        amount: Option<String>,
        /// The currency of the amount.
        #[arg(long, requires = "amount")]
        currency: Option<String>,
    },
    /// Open again what was written off of an invoice.
    ReverseWriteOff(StepArguments),
    /// Withdraw the mark that an invoice is overdue.
    ///
    /// Late fees are debit notes of their own; `note cancel` takes them back.
    WithdrawOverdue(StepArguments),
}

impl Run for LedgerInvoiceCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        invoice(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Executes the command.
async fn invoice(stack: &RunningStack, command: LedgerInvoiceCommand) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let fonts_dir = &stack.config.documents.fonts_dir;
    let step = async |arguments: &StepArguments| -> Result<Step> {
        Ok(Step {
            invoice_id: invoice_id(&biller, &arguments.id).await?,
            by: arguments.signed.who.clone(),
            at_us: biller.now_us(),
        })
    };
    match command {
        LedgerInvoiceCommand::List => list(&biller).await,
        LedgerInvoiceCommand::Show { id, recompute, lines } => {
            show(&biller, &invoice_id(&biller, &id).await?, (recompute, lines)).await
        }
        LedgerInvoiceCommand::Pdf(arguments) => {
            document::write_invoice(&biller, fonts_dir, &arguments, Shape::Pdf).await
        }
        LedgerInvoiceCommand::Html(arguments) => {
            document::write_invoice(&biller, fonts_dir, &arguments, Shape::Html).await
        }
        LedgerInvoiceCommand::Submit(arguments) => {
            record(&biller, &Command::Submit(step(&arguments).await?), &arguments.signed).await
        }
        LedgerInvoiceCommand::Approve(arguments) => {
            record(&biller, &Command::Approve(step(&arguments).await?), &arguments.signed).await
        }
        LedgerInvoiceCommand::Reject(arguments) => {
            record(&biller, &Command::Reject(step(&arguments).await?), &arguments.signed).await
        }
        LedgerInvoiceCommand::Issue(arguments) => told(
            &biller.issue(&invoice_id(&biller, &arguments.id).await?, &arguments.signed.signature()).await?,
        ),
        LedgerInvoiceCommand::Void(StepArguments { id, signed }) => {
            let invoice_id = invoice_id(&biller, &id).await?;
            let void = Command::Void { invoice_id, text: signed.why.clone(), at_us: biller.now_us() };
            record(&biller, &void, &signed).await
        }
        LedgerInvoiceCommand::Reissue { step: StepArguments { id, signed }, move_payments } => {
            tell("waiting until all recorded events are committed, then rating the month again");
            told(&biller.reissue(&id, move_payments, &signed.signature()).await?)
        }
        LedgerInvoiceCommand::ReverseWriteOff(StepArguments { id, signed }) => {
            let reverse = Command::ReverseWriteOff { invoice_id: id, at_us: biller.now_us() };
            record(&biller, &reverse, &signed).await
        }
        LedgerInvoiceCommand::WithdrawOverdue(StepArguments { id, signed }) => {
            let (text, at_us) = (signed.why.clone(), biller.now_us());
            record(&biller, &Command::WithdrawOverdue { invoice_id: id, text, at_us }, &signed).await
        }
        LedgerInvoiceCommand::WriteOff { step: StepArguments { id, signed }, amount, currency } => {
            let invoice_id = invoice_id(&biller, &id).await?;
            let amounts = match (&amount, &currency) {
                (Some(text), Some(currency)) => vec![books::amount(text, currency)?],
                _ => Vec::new(),
            };
            let write_off = Command::WriteOff { invoice_id, amounts, at_us: biller.now_us() };
            record(&biller, &write_off, &signed).await
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
        let item =
            state.item(&invoice.invoice_id).context("the ledger has the invoice but not its open item")?;
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

/// The lines of an invoice, and its totals.
fn lines_of(lines: &[InvoiceLine], totals: &[Total]) -> String {
    let mut table = Table::new(&[
        ("line", false),
        ("quantity", true),
        ("unit price", true),
        ("amount", true),
        ("currency", false),
    ]);
    for line in lines {
        table.row(vec![
            line.component.clone(),
            document::quantity(&line.quantity, &line.unit),
            line.unit_price.clone(),
            line.amount.clone(),
            line.currency.clone(),
        ]);
    }
    for total in totals {
        let [line, amount, currency] = ["total".to_owned(), total.amount.clone(), total.currency.clone()];
        table.row(vec![line, String::new(), String::new(), amount, currency]);
    }
    table.text()
}

async fn show(biller: &LiveBiller, id: &str, (recompute, lines): (bool, bool)) -> Result<()> {
    let state = biller.state().await?;
    if let Some(review) = state.review(id) {
        if lines {
            print(&lines_of(&review.draft.lines, &review.draft.totals))?;
        } else {
            let json =
                wb_ledger::canonical::write_document(&review.draft).context("the draft cannot be written")?;
            print(&json)?;
        }
        tell(&format!(
            "{}, {} of {} approvals",
            review.stage.name(),
            review.approved_by.len(),
            review.draft.terms.approvals
        ));
        return tell_history(biller, id).await;
    }
    let document = biller.invoice(id).await?;
    if let Some(next) = biller
        .invoices()
        .await?
        .iter()
        .find(|next| next.invoice.replaces.as_ref().is_some_and(|replaced| replaced.invoice_id == id))
    {
        tell(&format!("replaced by {} {}", next.invoice.number, next.invoice.invoice_id));
    }
    if lines {
        print(&lines_of(&document.invoice.lines, &document.invoice.totals))?;
    } else {
        let json = wb_ledger::canonical::write_document(&document.invoice)
            .context("the invoice cannot be written")?;
        print(&json)?;
    }
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
        ensure!(again.bill_matches && again.evidence_matches, "computed again, the invoice differs");
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
