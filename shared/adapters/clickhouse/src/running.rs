//! Writes running bills into the table `running_bills`.

use crate::client::Store;
use crate::error::{StoreError, query_failed};
use crate::read::RunningBillRow;

impl Store {
    /// Writes running bills in one INSERT. Several processes may write; the bill with the highest cut holds.
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
