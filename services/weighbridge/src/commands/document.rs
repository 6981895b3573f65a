//! `weighbridge invoice pdf` and `weighbridge invoice html`, if this build has the feature `documents`.

#[cfg(feature = "documents")]
mod write;

use std::path::PathBuf;

use clap::Args;

#[cfg(feature = "documents")]
pub(crate) use write::write;

/// The invoice to write and the file to write to.
#[derive(Debug, Args)]
pub(crate) struct DocumentArguments {
    /// The invoice's id.
    id: String,
    /// The language, en or es. By default the customer's.
    #[arg(long)]
    language: Option<String>,
    /// The file to write. By default standard output.
    #[arg(long)]
    out: Option<PathBuf>,
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
     `weighbridge invoice show` prints the same invoice as JSON"
)]
struct NoDocuments;

/// Fails: this build cannot write documents.
#[cfg(not(feature = "documents"))]
pub(crate) async fn write(
    _: &crate::wiring::services::LiveBiller,
    arguments: &DocumentArguments,
    shape: Shape,
) -> anyhow::Result<()> {
    tracing::debug!(?arguments, ?shape, "a document is requested, but this build cannot write one");
    Err(NoDocuments.into())
}
