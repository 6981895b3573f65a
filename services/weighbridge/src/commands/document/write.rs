//! Writes invoices, notes and statements as documents.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use wb_billing::Named;
use wb_document::{Fonts, Language, Parties, Party, Sheet, html, missing_glyphs, pdf};
use wb_ledger::{Invoice, Statement};

use super::{DocumentArguments, Shape};
use crate::commands::books::invoice_id;
use crate::console::tell;
use crate::wiring::services::LiveBiller;

/// Writes an issued invoice.
pub(crate) async fn write_invoice(
    biller: &LiveBiller,
    fonts_dir: &Path,
    arguments: &DocumentArguments,
    shape: Shape,
) -> Result<()> {
    let document = biller.invoice(&invoice_id(biller, &arguments.id).await?).await?;
    let invoice = &document.invoice;
    let named = biller.parties(invoice).await?;
    let language = language_of(arguments.language.as_deref(), &named)?;
    let parties = ordered(named, arguments);
    put(&Sheet::of_invoice(invoice, &parties, language), fonts_dir, arguments.out.as_deref(), shape)
}

/// Writes a credit or debit note.
pub(crate) async fn write_note(
    biller: &LiveBiller,
    fonts_dir: &Path,
    arguments: &DocumentArguments,
    shape: Shape,
) -> Result<()> {
    let document = biller.note(&arguments.id).await?;
    let note = &document.note;
    // A note on an opening balance corrects an invoice of an earlier system.
    let invoices = biller.invoices().await?;
    let corrected = invoices.iter().find(|issued| issued.invoice.invoice_id == note.invoice_id);
    let corrected = corrected.map(|issued| &issued.invoice);
    let named = named(biller, corrected, (&note.legal_entity, &note.customer_id)).await?;
    let language = language_of(arguments.language.as_deref(), &named)?;
    let period = corrected.map(|invoice| &invoice.period);
    let parties = ordered(named, arguments);
    let sheet = Sheet::of_note(note, document.is_credit, period, &parties, language);
    put(&sheet, fonts_dir, arguments.out.as_deref(), shape)
}

/// Writes a statement of account.
pub(crate) async fn write_statement(
    biller: &LiveBiller,
    fonts_dir: &Path,
    statement: &Statement,
    language: Option<&str>,
    out: Option<&Path>,
    shape: Shape,
) -> Result<()> {
    let invoices = biller.invoices().await?;
    let of = (statement.legal_entity.as_str(), statement.customer_id.as_str());
    let last = invoices.iter().map(|document| &document.invoice).rfind(|invoice| {
        (invoice.legal_entity.as_str(), invoice.customer_id.as_str()) == of
            && invoice.issued_us() <= statement.at_us
    });
    let named = named(biller, last, of).await?;
    let language = language_of(language, &named)?;
    put(&Sheet::of_statement(statement, &parties(named), language), fonts_dir, out, shape)
}

/// The parties as an invoice names them; their ids if there is no invoice.
async fn named(
    biller: &LiveBiller,
    invoice: Option<&Invoice>,
    (legal_entity, customer_id): (&str, &str),
) -> Result<Named> {
    if let Some(invoice) = invoice {
        return Ok(biller.parties(invoice).await?);
    }
    let mut named = Named::default();
    legal_entity.clone_into(&mut named.issuer.name);
    customer_id.clone_into(&mut named.customer.name);
    Ok(named)
}

fn language_of(given: Option<&str>, named: &Named) -> Result<Language> {
    let tag = given.or(named.customer.language.as_deref());
    Ok(tag.map(Language::of_tag).transpose()?.unwrap_or_default())
}

/// Writes a document, and warns if its PDF cannot show all characters.
fn put(sheet: &Sheet, fonts_dir: &Path, out: Option<&Path>, shape: Shape) -> Result<()> {
    let bytes = match shape {
        Shape::Pdf => {
            let fonts = Fonts::of(sheet, fonts_dir)?;
            if let Some(missing) = missing_glyphs(sheet, &fonts) {
                tell(&format!("warning {}: {missing}", missing.code()));
            }
            pdf(sheet, &fonts)?
        }
        Shape::Html => html(sheet).into_bytes(),
    };
    match out {
        Some(path) => {
            std::fs::write(path, &bytes).with_context(|| format!("{} cannot be written", path.display()))?;
            tell(&format!("{}: {} bytes of {}", path.display(), bytes.len(), sheet.title));
        }
        None => std::io::stdout().write_all(&bytes).context("standard output is closed")?,
    }
    Ok(())
}

fn parties(named: Named) -> Parties {
    Parties {
        issuer: Party { name: named.issuer.name, address: named.issuer.address, tax_id: named.issuer.tax_id },
        customer: Party {
            name: named.customer.name,
            address: named.customer.address,
            tax_id: named.customer.tax_id,
        },
        payment: named.issuer.payment,
        purchase_order: named.purchase_order,
    }
}

/// The parties with the purchase order that the command gives, otherwise the contract's.
fn ordered(named: Named, arguments: &DocumentArguments) -> Parties {
    let parties = parties(named);
    let given = arguments.purchase_order.clone();
    Parties { purchase_order: given.or_else(|| parties.purchase_order.clone()), ..parties }
}
