//! Removes losing attempts: rows of a block that was committed under another attempt.
//!
//! Only attempts of *committed* blocks are removed. An attempt of another block may still be committed.

use serde::Deserialize;

use crate::client::Store;
use crate::error::{StoreError, query_failed};

/// The most losing attempts that one collection removes.
const LOSERS_MAX: u64 = 256;

/// A losing attempt.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct Loser {
    pub topic: String,
    pub partition: u32,
    pub block: u64,
    pub attempt: u64,
}

impl Store {
    /// The losing attempts in a table.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn losers(&self, table: &'static str) -> Result<Vec<Loser>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT topic, partition, block, attempt FROM {table} \
             WHERE (topic, partition, block) IN (SELECT topic, partition, block FROM manifest) \
             AND (topic, partition, block, attempt) NOT IN (SELECT topic, partition, block, attempt FROM manifest) \
             ORDER BY topic, partition, block, attempt LIMIT {LOSERS_MAX}"
        );
        self.client().query(&sql).fetch_all().await.map_err(query_failed("look for attempts that lost"))
    }

    /// Removes losing attempts from all block tables; returns how many it found.
    ///
    /// # Errors
    /// [`StoreError::Query`]; the next collection finds what is left.
    pub async fn collect_garbage(&self) -> Result<usize, StoreError> {
        let mut found = 0;
        for table in wb_fold::tables::ALL {
            let losers = self.losers(table).await?;
            if losers.is_empty() {
                continue;
            }
            // One statement per table, because each is a mutation that looks at every part. It checks the manifest
            // again, so that rows that count are never removed.
            let sql = format!(
                "DELETE FROM {table} WHERE (topic, partition, block, attempt) IN ? \
                 AND (topic, partition, block, attempt) NOT IN (SELECT topic, partition, block, attempt FROM manifest)"
            );
            found += losers.len();
            let losers: Vec<(String, u32, u64, u64)> = losers
                .into_iter()
                .map(|loser| (loser.topic, loser.partition, loser.block, loser.attempt))
                .collect();
            let delete = self.client().query(&sql).bind(losers);
            delete.execute().await.map_err(query_failed("remove attempts that lost"))?;
        }
        Ok(found)
    }
}
