//! Running bills: what open months come to so far.

use serde::{Deserialize, Serialize};
use wb_ledger::Invoice;

use super::{Page, PageRequest, Read};
use crate::error::StoreError;
use crate::tenant::only_own;

/// What a contract would be billed for a month so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningBill {
    /// The cut it was computed at.
    pub cut: u64,
    /// Up to where the month was computed, UTC microseconds.
    pub until_us: i64,
    /// How much of what should have come is known, in parts per million.
    pub completeness_ppm: u32,
    /// The bill in the form of an invoice without a number, without the inputs that its lines list.
    pub document: Invoice,
}

/// A running bill as the table holds it.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Serialize, Deserialize)]
pub struct RunningBillRow {
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

impl Read {
    /// The scope's running bills in order of contract and month, the latest of each; of one customer or
    /// contract where they are given. They have cuts of their own: each is as of the cut it names.
    ///
    /// # Errors
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn running_bills(
        &self,
        page: &PageRequest,
        customer_id: Option<&str>,
        contract_id: Option<&str>,
    ) -> Result<Page<RunningBill>, StoreError> {
        let found = self.running_bill_rows(page, customer_id, contract_id).await?;
        let mut rows = Vec::with_capacity(found.rows.len());
        for row in found.rows {
            let document: Invoice = serde_json::from_str(&row.body).map_err(|error| StoreError::Row {
                table: "running_bills",
                problem: format!("{} of {} cannot be read: {error}", row.period, row.contract_id),
            })?;
            let (cut, until_us, completeness_ppm) = (row.cut, row.until_us, row.completeness_ppm);
            if self.is_own(&document.customer_id) {
                let document = document.without_inputs();
                rows.push(RunningBill { cut, until_us, completeness_ppm, document });
            }
        }
        Ok(Page { rows, end_cursor: found.end_cursor, has_next: found.has_next })
    }

    /// The same as they were written.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn running_bill_rows(
        &self,
        page: &PageRequest,
        customer_id: Option<&str>,
        contract_id: Option<&str>,
    ) -> Result<Page<RunningBillRow>, StoreError> {
        // The contract and month of the last row; a contract alone stands before all of its months.
        let (after_contract, after_period) = page.after().rsplit_once('/').unwrap_or((page.after(), ""));
        // Rows of one contract and month may not be merged yet.
        let sql = format!(
            "SELECT contract_id, customer_id, period, cut, until_us, completeness_ppm, body FROM running_bills
             WHERE {} AND (contract_id, period) > ({{after_contract:String}}, {{after_period:String}})
               AND ({{customer:String}} = '' OR customer_id = {{customer:String}})
               AND ({{contract:String}} = '' OR contract_id = {{contract:String}})
             ORDER BY contract_id, period, cut DESC, until_us DESC
             LIMIT 1 BY contract_id, period LIMIT {{limit:UInt32}}",
            only_own(&self.scope, "customer_id")
        );
        let query = self
            .query(&sql)
            .param("after_contract", after_contract)
            .param("after_period", after_period)
            .param("customer", customer_id.unwrap_or_default())
            .param("contract", contract_id.unwrap_or_default())
            .param("limit", page.limit());
        let rows: Vec<RunningBillRow> = self.fetch("list the running bills", query).await?;
        Ok(page.page(rows, |row| format!("{}/{}", row.contract_id, row.period)))
    }
}
