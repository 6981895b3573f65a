//! Work and blocks by network target, from which luck is computed.

use ruint::aliases::U256;
use serde::Deserialize;

use super::hashrate::wide;
use super::{Read, Selection, SeriesRange, bind_selection, parts};
use crate::error::StoreError;

/// Accepted work on one chain under one network target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkUnderTarget {
    pub chain: String,
    /// The network's target in compact form.
    pub nbits: u32,
    /// Accepted shares that solved a block.
    pub blocks: u64,
    /// Credited difficulty in units of 2^-32.
    pub credited_q32: U256,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Row {
    chain: String,
    nbits: u32,
    blocks: u64,
    credited_q32: String,
}

impl Read {
    /// Accepted work of a range by chain and network target, in that order.
    ///
    /// # Errors
    /// [`StoreError::Range`] for more than 31 days; [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn work_under_targets(
        &self,
        range: SeriesRange,
        selection: &Selection,
    ) -> Result<Vec<WorkUnderTarget>, StoreError> {
        range.at_most_31_days()?;
        let sql = format!(
            "SELECT chain, nbits, sum(blocks) AS blocks,
               toString(sum(toInt256(toInt128(credited_q32)))) AS credited_q32
             FROM ({}) WHERE verdict = 'accepted' GROUP BY chain, nbits ORDER BY chain, nbits",
            parts::work(&self.scope, selection)
        );
        let query = range.bind(bind_selection(self.query(&sql), selection));
        let rows: Vec<Row> = self.fetch_counted("read the work by network target", query).await?;
        let under_target = |row: Row| {
            Ok(WorkUnderTarget {
                credited_q32: wide("work_5m", &row.credited_q32)?,
                chain: row.chain,
                nbits: row.nbits,
                blocks: row.blocks,
            })
        };
        rows.into_iter().map(under_target).collect()
    }
}
