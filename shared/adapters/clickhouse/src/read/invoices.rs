//! Issued invoices, from the projection of the ledger.

use serde::Deserialize;

use super::invoice_body::{self, Invoice};
use super::{Page, PageRequest, Read};
use crate::error::StoreError;
use crate::tenant::only_own;

/// SQL for the period of a record: the text of a period that also has its bounds, or plain text.
pub(super) const PERIOD_OF_BODY: &str =
    "[JSONExtractString(body, 'period', 'text'), JSONExtractString(body, 'period'),
      JSONExtractString(body, 'invoice', 'period', 'text'), JSONExtractString(body, 'invoice', 'period')]";

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Row {
    ledger_offset: u64,
    body: String,
}

impl Read {
    /// The scope's invoices in the order of their issue; of one period where it is given.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`], or [`StoreError::Range`] for a cursor that no
    /// page ended with.
    pub async fn invoices(
        &self,
        page: &PageRequest,
        period: Option<&str>,
    ) -> Result<Page<Invoice>, StoreError> {
        // Offsets start at 0, so the cursor names the first offset that is wanted.
        let from: u64 = match page.after() {
            "" => 0,
            cursor => cursor
                .parse()
                .map_err(|_| StoreError::Range { problem: "after must be the endCursor of a page".into() })?,
        };
        let condition =
            if period.is_some() { format!("has({PERIOD_OF_BODY}, {{period:String}})") } else { "1".into() };
        let sql = self.issued(&format!("ledger_offset >= {{from:UInt64}} AND {condition}"));
        let mut query = self.query(&sql).param("from", from).param("limit", page.limit());
        if let Some(period) = period {
            query = query.param("period", period);
        }
        let rows: Vec<Row> = self.fetch("list the invoices", query).await?;
        let parsed: Result<Vec<(u64, Option<Invoice>)>, StoreError> = rows
            .into_iter()
            .map(|row| Ok((row.ledger_offset, self.if_own(invoice_body::parse(&row.body)?))))
            .collect();
        let page = page.page(parsed?, |(offset, _)| offset.saturating_add(1).to_string());
        let mut rows: Vec<Invoice> = page.rows.into_iter().filter_map(|(_, invoice)| invoice).collect();
        self.stand(&mut rows).await?;
        Ok(Page { rows, end_cursor: page.end_cursor, has_next: page.has_next })
    }

    /// One invoice; `None` where the scope has none of that id.
    ///
    /// # Errors
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn invoice(&self, invoice_id: &str) -> Result<Option<Invoice>, StoreError> {
        let sql = self.issued("invoice_id = {invoice_id:String}");
        let query = self.query(&sql).param("invoice_id", invoice_id).param("limit", 1_u32);
        let rows: Vec<Row> = self.fetch("find the invoice", query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mut own: Vec<Invoice> = self.if_own(invoice_body::parse(&row.body)?).into_iter().collect();
        self.stand(&mut own).await?;
        Ok(own.pop())
    }

    /// Two projectors may have written one record: it is one row per offset.
    fn issued(&self, condition: &str) -> String {
        format!(
            "SELECT ledger_offset, body FROM (
               SELECT ledger_offset, body FROM ledger
               WHERE kind = 'invoice_issued' AND {} AND {condition}
               ORDER BY ledger_offset LIMIT 1 BY ledger_offset
             ) ORDER BY ledger_offset LIMIT {{limit:UInt32}}",
            only_own(&self.scope, "customer_id")
        )
    }

    /// The second wall: the column decides which rows are read, the document decides again.
    pub(super) fn if_own(&self, invoice: Invoice) -> Option<Invoice> {
        match self.scope.customer() {
            Some(customer) if customer.as_str() != invoice.customer_id => None,
            _ => Some(invoice),
        }
    }
}
