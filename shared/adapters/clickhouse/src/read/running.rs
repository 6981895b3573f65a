//! Running bills: the bills of open months so far. A month that the ledger closed is in review or invoiced, and no longer
//! running, whatever rows are left of it.

use serde::{Deserialize, Serialize};
use wb_ledger::Invoice;

use super::ledger::PERIOD;
use super::{Page, PageRequest, Read};
use crate::error::StoreError;
use crate::tenant::only_own;

/// The bill of a contract for a month so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningBill {
    /// The cut of the bill.
    pub cut: u64,
    /// The end of the billed time, UTC microseconds.
    pub until_us: i64,
    /// The completeness in parts per million.
    pub completeness_ppm: u32,
    /// The bill as an invoice without a number and without the inputs of its lines.
    pub document: Invoice,
}

/// A running bill as a row of the table.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Serialize, Deserialize)]
pub struct RunningBillRow {
    pub contract_id: String,
    /// The customer.
    pub customer_id: String,
    /// The month.
    pub period: String,
    /// The cut of the bill.
    pub cut: u64,
    /// The end of the billed time, UTC microseconds.
    pub until_us: i64,
    /// The completeness in parts per million.
    pub completeness_ppm: u32,
    /// The bill as an invoice without a number, canonical JSON.
    pub body: String,
}

impl Read {
    /// The scope's latest running bills of months that are not closed below an offset of the ledger, in order of contract
    /// and month; with a customer or contract, only theirs. Each has its own cut.
    ///
    /// # Errors
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn running_bills(
        &self,
        page: &PageRequest,
        of: (Option<&str>, Option<&str>),
        ledger_end: u64,
    ) -> Result<Page<RunningBill>, StoreError> {
        let found = self.running_bill_rows(page, of, ledger_end).await?;
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

    /// The bills of [`Self::running_bills`], as they were written.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn running_bill_rows(
        &self,
        page: &PageRequest,
        (customer_id, contract_id): (Option<&str>, Option<&str>),
        ledger_end: u64,
    ) -> Result<Page<RunningBillRow>, StoreError> {
        // The contract and month of the last row; a contract without a month sorts before all of its months.
        let (after_contract, after_period) = page.after().rsplit_once('/').unwrap_or((page.after(), ""));
        let own = only_own(&self.scope, "customer_id");
        // Rows of one contract and month may not be merged yet.
        let sql = format!(
            "SELECT contract_id, customer_id, period, cut, until_us, completeness_ppm, body FROM running_bills
             WHERE {own} AND (contract_id, period) > ({{after_contract:String}}, {{after_period:String}})
               AND ({{customer:String}} = '' OR customer_id = {{customer:String}})
               AND ({{contract:String}} = '' OR contract_id = {{contract:String}})
               AND (contract_id, period) NOT IN (
                 SELECT JSONExtractString(body, 'contract_id'), {PERIOD} FROM ledger
                 WHERE kind = 'period_closed' AND {own} AND ledger_offset < {{ledger_end:UInt64}})
             ORDER BY contract_id, period, cut DESC, until_us DESC
             LIMIT 1 BY contract_id, period LIMIT {{limit:UInt32}}"
        );
        let query = self
            .query(&sql)
            .param("after_contract", after_contract)
            .param("after_period", after_period)
            .param("customer", customer_id.unwrap_or_default())
            .param("contract", contract_id.unwrap_or_default())
            .param("ledger_end", ledger_end)
            .param("limit", page.limit());
        let rows: Vec<RunningBillRow> = self.fetch("list the running bills", query).await?;
        Ok(page.page(rows, |row| format!("{}/{}", row.contract_id, row.period)))
    }
}
