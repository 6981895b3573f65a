//! Running bills into ClickHouse's table `running_bills`.

use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};
use wb_ledger::{Invoice, canonical};

use crate::biller::RunningBill;
use crate::error::{BillerError, PortError};

/// A running bill as the table holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBill {
    /// Up to where events counted.
    pub cut: u64,
    /// Up to where the month was computed.
    pub until_us: i64,
    /// How much of what should have come has come, in parts per million.
    pub completeness_ppm: u32,
    /// The bill in the form of an invoice without a number.
    pub document: Invoice,
}

/// Writes and reads running bills. Several may write: the bill of the highest cut holds.
pub struct RunningTable {
    client: Client,
}

#[derive(Row, Deserialize)]
struct KeptRow {
    cut: u64,
    until_us: i64,
    completeness_ppm: u32,
    body: String,
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

    /// The latest bill of every contract and month, sorted; of one customer where it is given.
    ///
    /// # Errors
    /// [`BillerError::Port`] where the table fails or holds what is no bill.
    pub async fn read(&self, customer: Option<&str>) -> Result<Vec<KeptBill>, BillerError> {
        let rows = self
            .client
            .query(
                "SELECT cut, until_us, completeness_ppm, body FROM running_bills \
                 WHERE {customer:String} = '' OR customer_id = {customer:String} \
                 ORDER BY contract_id, period, cut DESC, until_us DESC LIMIT 1 BY contract_id, period",
            )
            .param("customer", customer.unwrap_or_default())
            .fetch_all::<KeptRow>()
            .await
            .map_err(|error| PortError::new("reading ClickHouse's table running_bills", error))?;
        let kept = rows.into_iter().map(|KeptRow { cut, until_us, completeness_ppm, body }| {
            let document = serde_json::from_str(&body)
                .map_err(|error| PortError::new("reading a bill of the table running_bills", error))?;
            Ok(KeptBill { cut, until_us, completeness_ppm, document })
        });
        kept.collect()
    }

    /// Writes bills, all or none of them.
    ///
    /// # Errors
    /// [`BillerError::Port`] where the table fails, [`BillerError::Record`] for a document that has no form.
    pub async fn write(&self, bills: &[RunningBill]) -> Result<(), BillerError> {
        if bills.is_empty() {
            return Ok(());
        }
        let failed = |error| PortError::new("inserting into ClickHouse's table running_bills", error);
        let mut insert = self.client.insert::<RunningRow>("running_bills").await.map_err(failed)?;
        for bill in bills {
            let document = &bill.document;
            let body = canonical::write_document(document)
                .map_err(|error| BillerError::Record(wb_ledger::RecordError::Canonical(error)))?;
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
