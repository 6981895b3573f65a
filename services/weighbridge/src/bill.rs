//! `weighbridge close` and `weighbridge invoice`.

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use wb_config::Config;

use crate::cli::{print, tell};
use crate::evidence;
use crate::services::connect;

#[derive(Debug, Subcommand)]
pub(crate) enum InvoiceCommand {
    /// List all issued invoices.
    List,
    /// Show an invoice as its canonical JSON, with both digests.
    Show {
        /// Its id.
        id: String,
        /// Compute it again at its cut and compare both digests.
        #[arg(long)]
        recompute: bool,
    },
    /// Write all that an invoice follows from into one file, which anybody can verify.
    Bundle(evidence::BundleArguments),
    /// Verify such a file, with nothing else: no stack, no configuration, no network.
    Verify(evidence::VerifyArguments),
}

const WHO: &str = "weighbridge-cli";

/// Closes a month on the running stack.
pub(crate) async fn close(config: &Config, period: &str, customer: Option<&str>) -> Result<()> {
    let clerk = connect(config).await?.clerk(WHO).await?;
    tell("waiting until everything recorded is named, then rating");
    let issued = clerk.close(period, customer).await?;
    for invoice in &issued {
        let state = if invoice.new { "issued" } else { "existed" };
        print(&format!(
            "{state} {} {} {} {} bill {} evidence {}",
            invoice.number,
            invoice.invoice_id,
            invoice.customer_id,
            invoice.contract_id,
            invoice.bill_digest,
            invoice.evidence_digest
        ))?;
    }
    tell(&format!("{} invoices for {period}", issued.len()));
    Ok(())
}

/// Shows invoices of the running stack.
pub(crate) async fn run(config: &Config, command: InvoiceCommand) -> Result<()> {
    if let InvoiceCommand::Bundle(arguments) = &command {
        return evidence::bundle(config, arguments).await;
    }
    let clerk = connect(config).await?.clerk(WHO).await?;
    match command {
        InvoiceCommand::Bundle(_) | InvoiceCommand::Verify(_) => {}
        InvoiceCommand::List => {
            for document in clerk.invoices().await? {
                let invoice = &document.invoice;
                print(&format!("{} {}", invoice.number, invoice.invoice_id))?;
            }
        }
        InvoiceCommand::Show { id, recompute } => {
            let document = clerk.invoice(&id).await?;
            let json = wb_ledger::canonical::write_document(&document.invoice)
                .context("the invoice cannot be written")?;
            print(&json)?;
            if recompute {
                let again = clerk.recompute(&id).await?;
                tell(&format!(
                    "bill digest again {}, evidence digest again {}",
                    again.bill_digest, again.evidence_digest
                ));
                ensure!(
                    again.bill_matches && again.evidence_matches,
                    "computed again, the invoice is another one"
                );
                tell("computed again at its cut: both digests are the same");
            }
        }
    }
    Ok(())
}
