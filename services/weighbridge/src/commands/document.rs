//! `weighbridge invoice pdf` and `weighbridge invoice html`, where this build has documents.

#[cfg(feature = "documents")]
mod write;

use std::path::PathBuf;

use clap::Args;

#[cfg(feature = "documents")]
pub(crate) use write::write;

/// What is written, and where.
#[derive(Debug, Args)]
pub(crate) struct DocumentArguments {
    /// The invoice's id.
    id: String,
    /// The language: en or es; the customer's own unless given.
    #[arg(long)]
    language: Option<String>,
    /// The file to write; standard output unless given.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The shapes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Pdf,
    Html,
}

/// This build was made without the feature `documents`.
#[cfg(not(feature = "documents"))]
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[code("WB-6301")]
#[error(
    "this build of weighbridge has no documents: build it with `--features documents`; `weighbridge invoice show` \
     prints the same invoice as JSON"
)]
struct NoDocuments;

/// Refuses: this build writes no documents.
#[cfg(not(feature = "documents"))]
pub(crate) async fn write(
    _: &crate::wiring::services::LiveBiller,
    arguments: &DocumentArguments,
    shape: Shape,
) -> anyhow::Result<()> {
    tracing::debug!(?arguments, ?shape, "a document is asked of a build without documents");
    Err(NoDocuments.into())
}
