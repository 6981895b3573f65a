//! The errors of exports, each with a stable code. After an error the file is incomplete.

use wb_ledger::CanonicalError;

/// Why an export failed.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The request is not valid.
    #[code("WB-5821")]
    #[error("the export cannot be made: {problem}")]
    Request {
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A number of an invoice has the wrong form.
    #[code("WB-5822")]
    #[error("{place} has {field} {given:?}, which is not a {wanted}; the invoice cannot be exported")]
    Number {
        /// The invoice, and its line if one is concerned.
        place: String,
        field: &'static str,
        /// The value.
        given: String,
        /// The expected form.
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
        /// The type of the column.
        kind: &'static str,
    },
    /// Two sums that must be equal are not.
    #[code("WB-5824")]
    #[error("{place} does not add up in {currency}: {left_name} {left}, {right_name} {right} minor units")]
    Unbalanced {
        /// The invoice or journal entry.
        place: String,
        currency: String,
        /// The description of the first sum.
        left_name: &'static str,
        /// The first sum.
        left: i128,
        /// The description of the second sum.
        right_name: &'static str,
        /// The second sum.
        right: i128,
    },
    /// A record came out of order.
    #[code("WB-5825")]
    #[error(
        "ledger offset {offset} was given after {last}; exports are in the order of the ledger, each record once"
    )]
    Order {
        /// The given offset.
        offset: u64,
        /// The offset before it.
        last: u64,
    },
    /// The Parquet file could not be written.
    #[code("WB-5826")]
    #[error("the Parquet file cannot be written: {detail}")]
    Parquet {
        /// The writer's error.
        detail: String,
    },
    /// The legal entity of a record is not known.
    #[code("WB-5828")]
    #[error(
        "{place} concerns {id}, which no record before it issued or received, so its legal entity is not known"
    )]
    Owner {
        /// The record.
        place: String,
        /// The payment, invoice or balance.
        id: String,
    },
    /// Accounts of the journal have no name in the accounting system.
    #[code("WB-5829")]
    #[error(
        "the journal posts to {accounts}, which no mapping names: add OURS=THEIRS for each, such as \
         {example}=2200; revenue=4000 names all revenue"
    )]
    Unmapped {
        /// The accounts.
        accounts: String,
        /// One of them.
        example: String,
    },
    /// A value is not one that the accounting system imports.
    #[code("WB-5830")]
    #[error("entry {entry} has {column} {given:?}, and {rule}; the file cannot be imported")]
    Rule {
        /// The entry's id.
        entry: String,
        column: &'static str,
        /// The value.
        given: String,
        /// What the accounting system takes.
        rule: &'static str,
    },
    /// A value has no canonical JSON.
    #[code("WB-5827")]
    #[error("a row has no canonical form")]
    Canonical(#[source] CanonicalError),
}

impl ExportError {
    /// Whether the request was wrong, not the data.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self, Self::Request { .. } | Self::Unmapped { .. } | Self::Rule { .. })
    }
}
