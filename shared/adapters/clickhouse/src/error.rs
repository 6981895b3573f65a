//! Every way in which the store can fail.

/// Why a read, a write or a migration failed.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A database name that cannot be used.
    #[code("WB-3201")]
    #[error("the database name {name:?} cannot be used: 1 to 63 characters of [a-z0-9_], a letter first")]
    DatabaseName {
        /// What was given.
        name: String,
    },
    /// ClickHouse refused or did not answer.
    #[code("WB-3202")]
    #[error("ClickHouse could not {what}")]
    Query {
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        #[source]
        source: clickhouse::error::Error,
    },
    /// A migration could not be applied.
    #[code("WB-3203")]
    #[error("the migration {file} could not be applied")]
    Migration {
        file: &'static str,
        /// ClickHouse's answer.
        #[source]
        source: clickhouse::error::Error,
    },
    /// An applied migration is not the one in this program.
    #[code("WB-3204")]
    #[error(
        "the migration {file} was applied with another content (SHA-256 {applied}, here {here}): \
         an applied file never changes; add a new one instead"
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
        /// The first such file.
        file: String,
    },
    /// A table is not as the queries expect.
    #[code("WB-3205")]
    #[error("the table {table} does not fit this program: {problem}")]
    Schema {
        table: &'static str,
        /// What differs.
        problem: String,
    },
    /// A row that no writer of this product makes.
    #[code("WB-3206")]
    #[error("a row of {table} cannot be read: {problem}")]
    Row {
        table: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A request that cannot be answered within its bounds.
    #[code("WB-3207")]
    #[error("{problem}")]
    Range {
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl StoreError {
    /// Whether the request was wrong, rather than the store.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self, Self::Range { .. })
    }
}

/// Names what was asked when ClickHouse refuses.
pub(crate) fn query_failed(what: &'static str) -> impl FnOnce(clickhouse::error::Error) -> StoreError {
    move |source| StoreError::Query { what, source }
}
