//! Issued invoices with their current state, from the projection of the ledger.

use std::collections::BTreeSet;

use wb_ledger::{Event, Invoice, InvoiceHistory};

use super::ledger::{COLUMNS, LedgerEntry, PERIOD, Row, broken};
use super::{Page, PageRequest, Read};
use crate::error::StoreError;
use crate::tenant::only_own;

impl Read {
    /// The scope's invoices below an offset of the ledger, in order of issue; with `period`, only those of that
    /// period. They lack the inputs that their lines list.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`], or [`StoreError::Range`] for an invalid cursor.
    pub async fn invoices(
        &self,
        page: &PageRequest,
        period: Option<&str>,
        ledger_end: u64,
    ) -> Result<Page<InvoiceHistory>, StoreError> {
        // Offsets start at 0, so the cursor is the first offset of the page.
        let from: u64 = match page.after() {
            "" => 0,
            cursor => cursor
                .parse()
                .map_err(|_| StoreError::Range { problem: "after must be the endCursor of a page".into() })?,
        };
        let of_period =
            if period.is_some() { format!("{PERIOD} = {{period:String}}") } else { "1".to_owned() };
        let sql = self.issued(&format!("ledger_offset >= {{from:UInt64}} AND {of_period}"));
        let mut query = self.query(&sql).param("from", from).param("ledger_end", ledger_end);
        if let Some(period) = period {
            query = query.param("period", period);
        }
        let rows = self.fetch("list the invoices", query.param("limit", page.limit())).await?;
        let page = page.page(rows, |row: &Row| row.ledger_offset.saturating_add(1).to_string());
        let rows = self.with_standing(page.rows, ledger_end).await?;
        Ok(Page { rows, end_cursor: page.end_cursor, has_next: page.has_next })
    }

    /// One invoice; `None` if the scope has no such invoice below an offset of the ledger.
    ///
    /// # Errors
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn invoice(
        &self,
        invoice_id: &str,
        ledger_end: u64,
    ) -> Result<Option<InvoiceHistory>, StoreError> {
        let sql = self.issued("invoice_id = {invoice_id:String}");
        let query = self.query(&sql).param("invoice_id", invoice_id).param("ledger_end", ledger_end);
        let rows = self.fetch("find the invoice", query.param("limit", 1_u32)).await?;
        Ok(self.with_standing(rows, ledger_end).await?.pop())
    }

    /// Two projectors may have written the same record, so rows are grouped by offset.
    fn issued(&self, condition: &str) -> String {
        format!(
            "SELECT {COLUMNS} FROM (
               SELECT {COLUMNS} FROM ledger
               WHERE kind = 'invoice_issued' AND {} AND ledger_offset < {{ledger_end:UInt64}} AND {condition}
               ORDER BY ledger_offset LIMIT 1 BY ledger_offset
             ) ORDER BY ledger_offset LIMIT {{limit:UInt32}}",
            only_own(&self.scope, "customer_id")
        )
    }

    /// Applies later records to issued invoices.
    async fn with_standing(
        &self,
        issued: Vec<Row>,
        ledger_end: u64,
    ) -> Result<Vec<InvoiceHistory>, StoreError> {
        let mut invoices: Vec<Invoice> = Vec::with_capacity(issued.len());
        for row in issued {
            if let Some(LedgerEntry { event: Event::InvoiceIssued(invoice), .. }) = self.entry(row)? {
                invoices.push(invoice.without_inputs());
            }
        }
        let later = self.later(&invoices, ledger_end).await?;
        InvoiceHistory::fold(invoices, later).map_err(|error| broken(error.to_string()))
    }

    /// The records that change the state of some invoices: those about them, and their customers' payments.
    async fn later(&self, invoices: &[Invoice], ledger_end: u64) -> Result<Vec<Event>, StoreError> {
        if invoices.is_empty() {
            return Ok(Vec::new());
        }
        let customers: BTreeSet<&str> = invoices.iter().map(|invoice| invoice.customer_id.as_str()).collect();
        let ids: Vec<&str> = invoices.iter().map(|invoice| invoice.invoice_id.as_str()).collect();
        // In the order of the table's key: records about no single invoice have the empty id.
        let sql = format!(
            "SELECT {COLUMNS} FROM ledger
             WHERE kind IN {{kinds:Array(String)}} AND {} AND customer_id IN {{customers:Array(String)}}
               AND (invoice_id = '' OR invoice_id IN {{invoices:Array(String)}})
               AND ledger_offset < {{ledger_end:UInt64}}
             ORDER BY ledger_offset LIMIT 1 BY ledger_offset",
            only_own(&self.scope, "customer_id")
        );
        let query = self.query(&sql).param("kinds", InvoiceHistory::KINDS).param("ledger_end", ledger_end);
        let query =
            query.param("customers", customers.into_iter().collect::<Vec<_>>()).param("invoices", ids);
        let rows = self.fetch("see where invoices stand", query).await?;
        let entries = rows.into_iter().filter_map(|row| self.entry(row).transpose());
        entries.map(|entry| Ok(entry?.event)).collect()
    }
}
