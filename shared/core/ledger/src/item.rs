//! Open items: an issued invoice, or something from before this ledger, with all that happened to it.

use std::collections::BTreeMap;

use wb_rating::LineTax;

use crate::dunning::FEE_LINE;
use crate::hash::Hash;
use crate::invoice::Total;

/// The kind of component whose lines are owed to the customer: the bitcoin that its work earned.
pub(crate) const PAYABLE_KIND: &str = "pool_earnings";

/// An open item of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The invoice's id, or that of what was taken over.
    pub id: String,
    pub number: String,
    /// Who issued it.
    pub legal_entity: String,
    /// The customer.
    pub customer_id: String,
    /// The contract; empty for what was taken over.
    pub contract_id: String,
    /// The month; empty for what was taken over.
    pub period: String,
    /// When it was issued, UTC microseconds; the end of the period where the record does not state it.
    pub issued_us: i64,
    /// When it is due, where that is known.
    pub due_us: Option<i64>,
    /// Its late fee by its terms: parts per million of what is open, per month of 30 days.
    pub late_fee_ppm: u32,
    /// The digest of what was charged.
    pub bill_digest: Hash,
    /// The cut up to which its events are billed, with its adjustments.
    pub cut: u64,
    /// By currency, what the customer owes.
    pub balances: BTreeMap<String, Balance>,
    /// By line and currency, what stands.
    pub lines: BTreeMap<(String, String), LineBalance>,
    /// When it was first found overdue.
    pub overdue_us: Option<i64>,
    /// Voided by a credit note of the whole.
    pub voided: bool,
    /// Whether what was open was written off.
    pub written_off: bool,
    /// The numbers of its notes, in order.
    pub notes: Vec<String>,
    /// Whether it reached its customer; `None` where no delivery was tried.
    pub delivered: Option<bool>,
    /// Up to when late fees were charged, and what they came to exactly.
    pub fees: BTreeMap<String, FeeBalance>,
    /// The latest instant that something was booked on it for, UTC microseconds.
    pub last_us: i64,
}

/// What is owed of an item in one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// What the invoice says.
    pub billed_minor: i128,
    /// What notes added; negative where they credited.
    pub noted_minor: i128,
    /// What payments settled.
    pub paid_minor: i128,
    /// What was written off.
    pub written_off_minor: i128,
}

/// A line of an item, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineBalance {
    /// The component's kind.
    pub kind: String,
    /// The text for people.
    pub description: String,
    /// The quantity as it was last computed.
    pub quantity: String,
    /// The unit.
    pub unit: String,
    /// What the line was last computed as, by the invoice or an adjustment.
    pub computed_minor: i128,
    /// What was credited or charged by decision; an adjustment leaves it as it is.
    pub by_hand_minor: i128,
    /// What stands: the line with all its notes.
    pub billed_minor: i128,
    /// What it follows from, where it is a line of tax.
    pub tax: Option<LineTax>,
}

/// The late fees of an item in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeeBalance {
    /// The end of what was charged, UTC microseconds.
    pub until_us: i64,
    /// The exact sum of base x ppm x microseconds.
    pub exact: i128,
    /// What was charged, in minor units.
    pub charged_minor: i128,
}

/// The state of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceState {
    /// Issued, and nothing paid yet.
    Issued,
    /// Something is paid.
    PartiallyPaid,
    /// Nothing is open.
    Paid,
    /// Something is open after its due date.
    Overdue,
    Void,
    /// What was open was written off.
    WrittenOff,
}

impl InvoiceState {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::PartiallyPaid => "partially_paid",
            Self::Paid => "paid",
            Self::Overdue => "overdue",
            Self::Void => "void",
            Self::WrittenOff => "written_off",
        }
    }
}

impl Balance {
    /// What is open; negative where the customer paid or was credited too much.
    #[must_use]
    pub fn open_minor(&self) -> i128 {
        self.billed_minor + self.noted_minor - self.paid_minor - self.written_off_minor
    }
}

impl Item {
    /// What is open in a currency, in minor units.
    #[must_use]
    pub fn open_minor(&self, currency: &str) -> i128 {
        self.balances.get(currency).map_or(0, Balance::open_minor)
    }

    /// What is open, by currency, without those where nothing is.
    #[must_use]
    pub fn open(&self) -> Vec<Total> {
        let open = self.balances.iter().map(|(currency, balance)| (currency.clone(), balance.open_minor()));
        crate::amounts::totals(open.filter(|(_, minor)| *minor != 0))
    }

    /// What payments settled, by currency.
    #[must_use]
    pub fn paid(&self) -> Vec<Total> {
        let paid = self.balances.iter().map(|(currency, balance)| (currency.clone(), balance.paid_minor));
        crate::amounts::totals(paid.filter(|(_, minor)| *minor != 0))
    }

    /// Whether a currency has something left to be paid.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.balances.values().any(|balance| balance.open_minor() > 0)
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> InvoiceState {
        if self.voided {
            return InvoiceState::Void;
        }
        if !self.is_open() {
            return if self.written_off { InvoiceState::WrittenOff } else { InvoiceState::Paid };
        }
        if self.overdue_us.is_some() {
            return InvoiceState::Overdue;
        }
        if self.balances.values().any(|balance| balance.paid_minor > 0) {
            return InvoiceState::PartiallyPaid;
        }
        InvoiceState::Issued
    }

    /// The late fees that stand in a currency, in minor units.
    pub(crate) fn fees_minor(&self, currency: &str) -> i128 {
        let key = (FEE_LINE.to_owned(), currency.to_owned());
        self.lines.get(&key).map_or(0, |line| line.billed_minor)
    }
}

/// Whether a line of a kind is owed by the customer, and not to it.
pub(crate) fn is_receivable(kind: &str) -> bool {
    kind != PAYABLE_KIND
}
