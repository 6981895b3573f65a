//! The errors of the store.

/// Why a read, a write or a migration failed.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A database name that cannot be used.
    #[code("WB-3201")]
    #[error("the database name {name:?} cannot be used: 1 to 63 characters of [a-z0-9_], a letter first")]
    DatabaseName {
        /// The given name.
        name: String,
    },
    /// ClickHouse refused or did not answer.
    #[code("WB-3202")]
    #[error("ClickHouse could not {what}")]
    Query {
        /// What ClickHouse could not do.
        what: &'static str,
        /// The cause.
        #[source]
        source: clickhouse::error::Error,
    },
    /// A migration could not be applied.
    #[code("WB-3203")]
    #[error("the migration {file} could not be applied")]
    Migration {
        file: &'static str,
        /// The cause.
        #[source]
        source: clickhouse::error::Error,
    },
    /// An applied migration differs from the one in this program.
    #[code("WB-3204")]
    #[error(
        "the migration {file} was applied with other content (SHA-256 {applied}, here {here}): \
         do not edit an applied migration; add a new one"
    )]
    MigrationChanged {
        file: String,
        /// The hash recorded in the database.
        applied: String,
        /// The hash of the file in this program.
        here: String,
    },
    /// A newer program has migrated the database.
    #[code("WB-3208")]
    #[error(
        "the database has the migration {file}, which this program does not know: start a program that is at least \
         as new as the one that applied it"
    )]
    NewerSchema {
        /// The first unknown file.
        file: String,
    },
    /// A table does not have the expected form.
    #[code("WB-3205")]
    #[error("the table {table} does not fit this program: {problem}")]
    Schema {
        table: &'static str,
        /// How it differs.
        problem: String,
    },
    /// A row that this product never writes.
    #[code("WB-3206")]
    #[error("a row of {table} cannot be read: {problem}")]
    Row {
        table: &'static str,
        /// What is wrong with the row.
        problem: String,
    },
    /// A request outside its bounds.
    #[code("WB-3207")]
    #[error("{problem}")]
    Range {
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// Nothing can be read as of an instant.
    #[code("WB-5417")]
    #[error("nothing can be read as of {at}: {problem}")]
    AsOf {
        /// The instant.
        at: String,
        /// Why not.
        problem: &'static str,
    },
}

impl StoreError {
    /// Whether the request was wrong, not the store.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self, Self::Range { .. } | Self::AsOf { .. })
    }
}

/// Adds to an error what ClickHouse could not do.
pub(crate) fn query_failed(what: &'static str) -> impl FnOnce(clickhouse::error::Error) -> StoreError {
    move |source| StoreError::Query { what, source }
}
