//! Projects the winning records of the ledger into the table `ledger`.

use serde::Serialize;
use wb_auth::TenantScope;
use wb_ledger::WonRecord;

use crate::client::Store;
use crate::error::{StoreError, query_failed};
use crate::read::Cut;

#[derive(clickhouse::Row, Serialize)]
struct LedgerRow<'a> {
    ledger_offset: u64,
    record_hash: [u8; 32],
    predecessor: [u8; 32],
    kind: &'a str,
    customer_id: &'a str,
    invoice_id: &'a str,
    body: &'a str,
}

impl Store {
    /// Appends those of the given winning records, in offset order, that lie after the last one in the table; returns
    /// how many. Two projectors may do so at once: readers count a repeated record once.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn project_ledger(&self, records: &[WonRecord]) -> Result<u64, StoreError> {
        // Records are read by their own offsets, not at a cut of `commits`.
        let end = self.read(TenantScope::Operator, Cut(0)).ledger_end().await?;
        let missing: Vec<&WonRecord> = records.iter().filter(|record| record.ledger_offset >= end).collect();
        if missing.is_empty() {
            return Ok(0);
        }
        let failed = || query_failed("project the ledger");
        let mut insert = self.client().insert::<LedgerRow<'_>>("ledger").await.map_err(failed())?;
        for record in &missing {
            let row = LedgerRow {
                ledger_offset: record.ledger_offset,
                record_hash: *record.record_hash.as_bytes(),
                predecessor: *record.predecessor.as_bytes(),
                kind: &record.kind,
                customer_id: &record.customer_id,
                invoice_id: &record.invoice_id,
                body: &record.body,
            };
            insert.write(&row).await.map_err(failed())?;
        }
        insert.end().await.map_err(failed())?;
        Ok(u64::try_from(missing.len()).unwrap_or(u64::MAX))
    }
}
