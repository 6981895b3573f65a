//! Running bills: what open months come to so far.

use async_graphql::SimpleObject;
use wb_clickhouse::read;

use super::time::Time;
use super::types::{InvoiceLine, InvoiceTotal};

/// What a contract would be billed for a month so far, by the function that computes invoices. It is not owed,
/// and late data may change it; once the month is over and closed, the invoice is what it was last.
#[derive(Debug, SimpleObject)]
pub(crate) struct RunningBill {
    /// Under which contract.
    pub(crate) contract_id: String,
    /// Who would be billed.
    pub(crate) customer_id: String,
    /// The month, such as `2026-10`.
    pub(crate) period: String,
    /// The month's first instant.
    pub(crate) period_start: Option<Time>,
    /// The first instant after the month.
    pub(crate) period_end: Option<Time>,
    /// Up to where the month was computed: a full five minutes, or its end.
    pub(crate) computed_until: Time,
    /// The cut it was computed at, which is its own: the offset in `names` before which a block counted.
    pub(crate) computed_at_cut: String,
    /// How much of what should have come by then is known, in parts per million.
    pub(crate) completeness_ppm: i32,
    /// What would be charged.
    pub(crate) lines: Vec<InvoiceLine>,
    /// The sums, one per currency.
    pub(crate) totals: Vec<InvoiceTotal>,
    /// SHA-256 over what would be charged.
    pub(crate) bill_digest: String,
}

impl From<read::RunningBill> for RunningBill {
    fn from(bill: read::RunningBill) -> Self {
        let document = bill.document;
        Self {
            contract_id: document.contract_id,
            customer_id: document.customer_id,
            period: document.period.text,
            period_start: document.period.start_us.map(Time),
            period_end: document.period.end_us.map(Time),
            computed_until: Time(bill.until_us),
            computed_at_cut: bill.cut.to_string(),
            completeness_ppm: i32::try_from(bill.completeness_ppm).unwrap_or(i32::MAX),
            lines: document.lines.into_iter().map(InvoiceLine::from).collect(),
            totals: document.totals.into_iter().map(InvoiceTotal::from).collect(),
            bill_digest: document.bill_digest,
        }
    }
}
