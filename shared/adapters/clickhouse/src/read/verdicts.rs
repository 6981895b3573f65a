//! How many shares were accepted, and why others were not.

use serde::Deserialize;

use super::{Read, Selection, SeriesRange, bind_selection, parts};
use crate::error::StoreError;

/// Shares of one verdict, reason and chain.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct VerdictCount {
    /// `accepted`, `duplicate` or `rejected`.
    pub verdict: String,
    /// The reason; empty for accepted shares.
    pub reason: String,
    /// The chain; empty if the share matched no job.
    pub chain: String,
    pub shares: u64,
    /// Credited difficulty in units of 2^-32, as decimal text.
    pub credited_q32: String,
}

impl Read {
    /// Shares of a range by verdict, reason and chain, in that order.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn verdicts(
        &self,
        range: SeriesRange,
        selection: &Selection,
    ) -> Result<Vec<VerdictCount>, StoreError> {
        let sql = format!(
            "SELECT verdict, reason, chain, sum(shares) AS shares,
               toString(sum(toInt256(toInt128(credited_q32)))) AS credited_q32
             FROM ({}) GROUP BY verdict, reason, chain ORDER BY verdict, reason, chain",
            parts::work(&self.scope, selection)
        );
        let query = range.bind(bind_selection(self.query(&sql), selection));
        self.fetch_counted("count the verdicts", query).await
    }
}
