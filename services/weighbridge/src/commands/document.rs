//! Invoices, notes and statements as PDF and HTML, if this build has the feature `documents`.

#[cfg(feature = "documents")]
mod write;

use std::path::PathBuf;

use clap::Args;

#[cfg(feature = "documents")]
pub(crate) use write::{write_invoice, write_note, write_statement};

/// The invoice or note to write and the file to write to.
#[derive(Debug, Args)]
pub(crate) struct DocumentArguments {
    /// The number of the document, such as WEI-000001, or its id.
    id: String,
    /// The language, en or es. By default the customer's.
    #[arg(long)]
    language: Option<String>,
    /// The customer's purchase order, to be printed. By default the contract's.
    #[arg(long)]
    purchase_order: Option<String>,
    /// The file to write. By default standard output.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A quantity as documents show it to people.
#[cfg(feature = "documents")]
pub(crate) fn quantity(exact: &str, unit: &str) -> String {
    wb_document::quantity_text(exact, unit, wb_document::Language::English)
}

/// A quantity with its unit, as the ledger has it.
#[cfg(not(feature = "documents"))]
pub(crate) fn quantity(exact: &str, unit: &str) -> String {
    format!("{exact} {unit}")
}

/// The formats of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Pdf,
    Html,
}

/// This build lacks the feature `documents`.
#[cfg(not(feature = "documents"))]
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[code("WB-6301")]
#[error(
    "this build of weighbridge cannot write documents: build it with `--features documents`; \
     `weighbridge invoice show`, `note show` and `statement --format json` print the same as JSON"
)]
struct NoDocuments;

/// Fails: this build cannot write documents.
#[cfg(not(feature = "documents"))]
pub(crate) async fn write_invoice(
    _: &crate::wiring::services::LiveBiller,
    _: &std::path::Path,
    arguments: &DocumentArguments,
    shape: Shape,
) -> anyhow::Result<()> {
    tracing::debug!(?arguments, ?shape, "an invoice is requested, but this build cannot write one");
    Err(NoDocuments.into())
}

/// Fails: this build cannot write documents.
#[cfg(not(feature = "documents"))]
pub(crate) async fn write_note(
    _: &crate::wiring::services::LiveBiller,
    _: &std::path::Path,
    arguments: &DocumentArguments,
    shape: Shape,
) -> anyhow::Result<()> {
    tracing::debug!(?arguments, ?shape, "a note is requested, but this build cannot write one");
    Err(NoDocuments.into())
}

/// Fails: this build cannot write documents.
#[cfg(not(feature = "documents"))]
pub(crate) async fn write_statement(
    _: &crate::wiring::services::LiveBiller,
    _: &std::path::Path,
    statement: &wb_ledger::Statement,
    _: Option<&str>,
    _: Option<&std::path::Path>,
    shape: Shape,
) -> anyhow::Result<()> {
    tracing::debug!(
        statement.customer_id,
        ?shape,
        "a statement is requested, but this build cannot write one"
    );
    Err(NoDocuments.into())
}
