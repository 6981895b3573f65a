//! Writes an issued invoice as a document.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use wb_billing::Named;
use wb_document::{Language, Parties, Party, Sheet, html, pdf};
use wb_ledger::Invoice;

use super::{DocumentArguments, Shape};
use crate::console::tell;
use crate::wiring::services::LiveBiller;

/// Writes an issued invoice as a document.
pub(crate) async fn write(biller: &LiveBiller, arguments: &DocumentArguments, shape: Shape) -> Result<()> {
    let document = biller.invoice(&arguments.id).await?;
    let invoice = &document.invoice;
    let named = biller.parties(invoice).await?;
    let tag = arguments.language.as_deref().or(named.customer.language.as_deref());
    let language = tag.map(Language::of_tag).transpose()?.unwrap_or_default();
    let sheet = sheet(invoice, named, language);
    let bytes = match shape {
        Shape::Pdf => pdf(&sheet)?,
        Shape::Html => html(&sheet).into_bytes(),
    };
    match &arguments.out {
        Some(path) => {
            std::fs::write(path, &bytes).with_context(|| format!("{} cannot be written", path.display()))?;
            tell(&format!("{}: {} bytes of invoice {}", path.display(), bytes.len(), invoice.number));
        }
        None => std::io::stdout().write_all(&bytes).context("standard output is closed")?,
    }
    Ok(())
}

fn sheet(invoice: &Invoice, named: Named, language: Language) -> Sheet {
    let parties = Parties {
        issuer: Party { name: named.issuer.name, address: named.issuer.address, tax_id: named.issuer.tax_id },
        customer: Party {
            name: named.customer.name,
            address: named.customer.address,
            tax_id: named.customer.tax_id,
        },
        payment: named.issuer.payment,
    };
    let due_us = invoice.dates.as_ref().map(|dates| dates.due_us);
    Sheet::of_invoice(invoice, &parties, due_us, language)
}
