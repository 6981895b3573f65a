//! Attempts that lost: rows of a block that was committed under another attempt.
//!
//! Only losers of a *committed* block are removed. An attempt of a block that is not committed yet may be
//! the one that will be.

use serde::Deserialize;

use crate::client::Store;
use crate::error::{StoreError, query_failed};

/// Losers that one collection removes at most; the next one goes on.
const LOSERS_MAX: u64 = 256;

/// An attempt that lost.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct Loser {
    pub topic: String,
    pub partition: u32,
    pub block: u64,
    pub attempt: u64,
}

impl Store {
    /// The attempts in a table that lost.
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

    /// Removes the attempts that lost from all block tables; gives how many it found.
    ///
    /// # Errors
    /// [`StoreError::Query`]; what was not removed is found again.
    pub async fn collect_garbage(&self) -> Result<usize, StoreError> {
        let mut found = 0;
        for table in wb_fold::tables::ALL {
            let losers = self.losers(table).await?;
            if losers.is_empty() {
                continue;
            }
            // One statement a table: each is a mutation, and looks at every part, however few rows it removes. The
            // condition on the manifest is asked again in it: nothing that counts is removed, whatever became of it since.
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
