//! Rows of the table of running bills.

use wb_ledger::Invoice;
use wb_metering::billable::InputCompleteness;
use wb_units::Micros;

/// The bill of a contract for a month so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningBill {
    /// The cut of the bill.
    pub cut: u64,
    /// The end of the billed time: a settlement boundary or the end of the month.
    pub until_us: Micros,
    /// The bill as an invoice without a number.
    pub document: Invoice,
    /// The completeness of the inputs.
    pub completeness: InputCompleteness,
}
