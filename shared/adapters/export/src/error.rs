//! Why an export stopped; each with a stable code. A file whose export stopped is not whole.

use wb_ledger::CanonicalError;

/// Why an export stopped.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Something was asked for that does not exist.
    #[code("WB-5821")]
    #[error("the export cannot be made: {problem}")]
    Request {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A number of an invoice is not of its form.
    #[code("WB-5822")]
    #[error("{place} has {field} {given:?}, which is no {wanted}; the invoice cannot be exported")]
    Number {
        /// The invoice, and the line where there is one.
        place: String,
        field: &'static str,
        /// What it holds.
        given: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// A value is too large for its column.
    #[code("WB-5823")]
    #[error(
        "{place} has {field} {given}, which does not fit {kind}; export it as csv or jsonl, which hold it"
    )]
    Width {
        /// The row's place in the table.
        place: String,
        /// The column.
        field: &'static str,
        /// The value.
        given: String,
        /// What the column holds.
        kind: &'static str,
    },
    /// What must be equal is not.
    #[code("WB-5824")]
    #[error(
        "{place} does not add up in {currency}: {left_commit} {left}, {right_commit} {right} minor units"
    )]
    Unbalanced {
        /// The invoice or journal entry.
        place: String,
        currency: String,
        /// What the first sum is of.
        left_commit: &'static str,
        /// The first sum.
        left: i128,
        /// What the second is of.
        right_commit: &'static str,
        /// The second sum.
        right: i128,
    },
    /// An invoice came out of order.
    #[code("WB-5825")]
    #[error(
        "ledger offset {offset} was given after {last}; exports are in the order of the ledger, each record once"
    )]
    Order {
        /// The offset given.
        offset: u64,
        /// The one before it.
        last: u64,
    },
    /// Parquet could not be written.
    #[code("WB-5826")]
    #[error("the Parquet file cannot be written: {detail}")]
    Parquet {
        /// What the writer says.
        detail: String,
    },
    /// A value has no canonical JSON.
    #[code("WB-5827")]
    #[error("a row has no canonical form")]
    Canonical(#[source] CanonicalError),
}

impl ExportError {
    /// Whether the request is at fault, and not what was to be exported.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self, Self::Request { .. })
    }
}
