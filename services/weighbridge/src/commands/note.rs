//! `weighbridge note`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use wb_ledger::{Amount, Command, LineAmount, NoteByHand};

use crate::commands::books::{Signed, WHO, amounts, assigned, invoice_id, record};
use crate::commands::document::{self, DocumentArguments, Shape};
use crate::commands::{Run, RunningStack};
use crate::console::print;

#[derive(Debug, Subcommand)]
pub(crate) enum NoteCommand {
    /// List all credit and debit notes.
    List,
    /// Show a note as canonical JSON.
    Show {
        /// The note's number or id.
        id: String,
    },
    /// Write a note as PDF. The same note always gives the same bytes.
    Pdf(DocumentArguments),
    /// Write a note as one HTML file without external resources.
    Html(DocumentArguments),
    /// Credit or charge lines of an invoice, without tax: the tax on them follows by itself.
    Issue {
        /// The invoice's number or id.
        invoice: String,
        /// Your reference. Repeating a command with the same reference has no effect.
        #[arg(long)]
        reference: String,
        /// A line with its amount, as line=amount; a negative amount is credited. Can be repeated.
        #[arg(long = "line", required = true, allow_hyphen_values = true)]
        lines: Vec<String>,
        /// The currency of the amounts.
        #[arg(long)]
        currency: String,
        #[command(flatten)]
        signed: Signed,
    },
    /// Cancel a note, such as a late fee, by a note of the other direction.
    ///
    /// What a credit note made unallocated settles the invoice again, as far as it is left.
    Cancel {
        /// The note's number or id.
        id: String,
        #[command(flatten)]
        signed: Signed,
    },
}

impl Run for NoteCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        note(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Executes the command.
async fn note(stack: &RunningStack, command: NoteCommand) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let fonts_dir = &stack.config.documents.fonts_dir;
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
                    amounts(&note.totals)
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
        NoteCommand::Pdf(arguments) => document::write_note(&biller, fonts_dir, &arguments, Shape::Pdf).await,
        NoteCommand::Html(arguments) => {
            document::write_note(&biller, fonts_dir, &arguments, Shape::Html).await
        }
        NoteCommand::Cancel { id, signed } => {
            let at_us = biller.now_us();
            let cancel = Command::CancelNote { note: id, text: signed.why.clone(), at_us };
            record(&biller, &cancel, &signed).await
        }
        NoteCommand::Issue { invoice, reference, lines, currency, signed } => {
            let lines = lines.iter().map(|text| {
                let (line_id, minor) = assigned(text, &currency)?;
                Ok(LineAmount { line_id, amount: Amount::new(minor, &currency) })
            });
            let asked = NoteByHand {
                invoice_id: invoice_id(&biller, &invoice).await?,
                reference,
                text: signed.why.clone(),
                lines: lines.collect::<Result<_>>()?,
                at_us: biller.now_us(),
            };
            record(&biller, &Command::IssueNote(asked), &signed).await
        }
    }
}
