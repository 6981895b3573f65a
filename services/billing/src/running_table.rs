//! Running bills into ClickHouse's table `running_bills`.

use clickhouse::{Client, Row};
use serde::Serialize;
use wb_ledger::canonical;

use crate::clerk::RunningBill;
use crate::error::{ClerkError, PortError};

/// Writes running bills. Several may write: the bill of the highest cut holds.
pub struct RunningTable {
    client: Client,
}

#[derive(Row, Serialize)]
struct RunningRow {
    contract_id: String,
    customer_id: String,
    period: String,
    cut: u64,
    until_us: i64,
    completeness_ppm: u32,
    body: String,
}

impl RunningTable {
    /// Writes through a client whose URL and database are configured.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client: client.with_setting("async_insert", "0") }
    }

    /// Writes bills, all or none of them.
    ///
    /// # Errors
    /// [`ClerkError::Port`] where the table fails, [`ClerkError::Record`] for a document that has no form.
    pub async fn write(&self, bills: &[RunningBill]) -> Result<(), ClerkError> {
        if bills.is_empty() {
            return Ok(());
        }
        let failed = |error| PortError::new("inserting into ClickHouse's table running_bills", error);
        let mut insert = self.client.insert::<RunningRow>("running_bills").await.map_err(failed)?;
        for bill in bills {
            let document = &bill.document;
            let body = canonical::write_document(document)
                .map_err(|error| ClerkError::Record(wb_ledger::RecordError::Canonical(error)))?;
            let row = RunningRow {
                contract_id: document.contract_id.clone(),
                customer_id: document.customer_id.clone(),
                period: document.period.text.clone(),
                cut: bill.cut,
                until_us: bill.until_us,
                completeness_ppm: bill.completeness.known_ppm(),
                body,
            };
            insert.write(&row).await.map_err(failed)?;
        }
        insert.end().await.map_err(failed)?;
        Ok(())
    }
}
