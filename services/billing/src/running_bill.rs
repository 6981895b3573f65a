//! What the table of running bills holds.

use wb_ledger::Invoice;
use wb_metering::billable::Coverage;
use wb_units::Micros;

/// What a contract would be billed for a month so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningBill {
    /// Up to where events counted.
    pub cut: u64,
    /// Up to where the month was computed: a settlement boundary, or its end.
    pub until_us: Micros,
    /// The bill in the form of an invoice without a number.
    pub document: Invoice,
    /// How much of what should have come has come.
    pub completeness: Coverage,
}
