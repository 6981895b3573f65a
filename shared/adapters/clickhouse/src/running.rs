//! Running bills as the table `running_bills` holds them.

use serde::{Deserialize, Serialize};

use crate::client::Store;
use crate::error::{StoreError, query_failed};

/// What a contract would be billed for a month so far.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Serialize, Deserialize)]
pub struct RunningBillRow {
    /// The contract.
    pub contract_id: String,
    /// Whose it is.
    pub customer_id: String,
    /// The month.
    pub period: String,
    /// Up to where events counted.
    pub cut: u64,
    /// Up to where the month was computed, UTC microseconds.
    pub until_us: i64,
    /// How much of what should have come has come, in parts per million.
    pub completeness_ppm: u32,
    /// The bill in the form of an invoice without a number, canonical JSON.
    pub body: String,
}

impl Store {
    /// Writes running bills, all or none of them. Several may write: the bill of the highest cut holds.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn write_running_bills(&self, bills: &[RunningBillRow]) -> Result<(), StoreError> {
        if bills.is_empty() {
            return Ok(());
        }
        let failed = || query_failed("write running bills");
        let mut insert = self.client().insert::<RunningBillRow>("running_bills").await.map_err(failed())?;
        for bill in bills {
            insert.write(bill).await.map_err(failed())?;
        }
        insert.end().await.map_err(failed())
    }
}
