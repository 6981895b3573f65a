//! Invoices that are not paid in time: overdue, late fees, write-offs.
//!
//! A late fee is simple interest over exact time, of months of 30 days, at the rate that the invoice's terms state:
//!
//! ```text
//! exact  = sum over runs of  open without fees x ppm per month x microseconds since the run before
//! charge = half_even(exact / (10^6 x 30 days in microseconds)) - what was charged before
//! ```
//!
//! So the fee of an invoice is rounded once, however often it was charged. Each run takes what is open at its place
//! in the ledger for the whole time since the run before.

use serde::{Deserialize, Serialize};
use wb_units::rounding::div_half_even_i128;

use crate::amounts::{Amount, check_positive, money_text};
use crate::event::Event;
use crate::invoice::Total;
use crate::item::{Item, LineBalance};
use crate::note::decide::Change;
use crate::note::{Note, NoteReason};
use crate::refusal::Refusal;
use crate::state::{Series, State};

/// The kind of the lines that late fees are charged on.
pub(crate) const FEE_KIND: &str = "late_fee";

/// The id of those lines.
pub(crate) const FEE_LINE: &str = "late-fee";

/// Parts per million x microseconds in a month of 30 days.
const PPM_MONTH_US: i128 = 1_000_000 * 30 * 86_400 * 1_000_000;

/// An invoice was not paid in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceOverdue {
    /// The invoice, or what was taken over.
    pub invoice_id: String,
    pub customer_id: String,
    /// When it was due, UTC microseconds.
    pub due_us: i64,
    /// What was open, by currency.
    pub open: Vec<Total>,
    /// The instant of the run, UTC microseconds.
    pub at_us: i64,
}

/// What was open of an invoice was written off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceWrittenOff {
    /// The invoice, or what was taken over.
    pub invoice_id: String,
    pub customer_id: String,
    /// What is written off of what was open, by currency.
    pub amounts: Vec<Amount>,
    /// When, UTC microseconds.
    pub at_us: i64,
}

impl State {
    /// The items that a run at an instant finds newly overdue, sorted by when they were due.
    #[must_use]
    pub fn newly_overdue(&self, at_us: i64) -> Vec<&Item> {
        let mut due: Vec<&Item> = self
            .items()
            .filter(|item| !item.voided && item.overdue_us.is_none() && item.is_open())
            .filter(|item| item.due_us.is_some_and(|due_us| due_us < at_us))
            .collect();
        due.sort_by_key(|item| (item.due_us, item.id.clone()));
        due
    }

    pub(crate) fn decide_overdue(&self, invoice_id: &str, at_us: i64) -> Result<Vec<Event>, Refusal> {
        let item = self.standing_item(invoice_id)?;
        if item.overdue_us.is_some() {
            return Err(Refusal::AlreadyRecorded { id: invoice_id.to_owned() });
        }
        let event = InvoiceOverdue {
            invoice_id: invoice_id.to_owned(),
            customer_id: item.customer_id.clone(),
            due_us: item.due_us.unwrap_or(i64::MAX),
            open: item.open(),
            at_us,
        };
        self.check_overdue(&event)?;
        Ok(vec![Event::InvoiceOverdue(event)])
    }

    pub(crate) fn check_overdue(&self, event: &InvoiceOverdue) -> Result<(), Refusal> {
        let item = self.standing_item(&event.invoice_id)?;
        if item.overdue_us.is_some() {
            return Err(Refusal::AlreadyRecorded { id: event.invoice_id.clone() });
        }
        let due_us = due_before(item, event.at_us)?;
        if !item.is_open() || due_us != event.due_us {
            return Err(not_due(item, event.at_us));
        }
        if item.customer_id != event.customer_id || item.open() != event.open {
            return Err(Refusal::mismatch(&event.invoice_id, "something else is open"));
        }
        Ok(())
    }

    pub(crate) fn decide_late_fee(&self, invoice_id: &str, at_us: i64) -> Result<Vec<Event>, Refusal> {
        let item = self.standing_item(invoice_id)?;
        let ppm_per_month = item.late_fee_ppm;
        let due_us = due_before(item, at_us)?;
        let from_us = item.fees.values().map(|fees| fees.until_us).max().unwrap_or(due_us);
        if from_us >= at_us {
            return Err(not_due(item, at_us));
        }
        let base = base_of(item);
        let changes = fee_changes(item, (from_us, at_us, ppm_per_month), &base)?;
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let reason = NoteReason::LateFee { from_us, to_us: at_us, ppm_per_month, base };
        Ok(vec![self.note_of(item, Series::Debit, reason, changes, at_us)?])
    }

    /// Checks that a late fee follows from what is open.
    pub(crate) fn check_late_fee(&self, item: &Item, note: &Note) -> Result<(), Refusal> {
        let NoteReason::LateFee { from_us, to_us, ppm_per_month, base } = &note.reason else { return Ok(()) };
        let due_us = due_before(item, *to_us)?;
        let expected_from_us = item.fees.values().map(|fees| fees.until_us).max().unwrap_or(due_us);
        let amounts: Vec<_> = fee_changes(item, (*from_us, *to_us, *ppm_per_month), base)?
            .into_iter()
            .map(|change| (change.line_id, change.currency, change.amount_minor))
            .collect();
        let stated: Vec<_> = note
            .lines
            .iter()
            .map(|line| (line.line_id.clone(), line.currency.clone(), line.amount_minor.0))
            .collect();
        let is_by_terms = *ppm_per_month == item.late_fee_ppm;
        if !is_by_terms || *from_us != expected_from_us || *base != base_of(item) || amounts != stated {
            return Err(Refusal::mismatch(&note.number, "the late fee is another one"));
        }
        Ok(())
    }

    pub(crate) fn decide_write_off(
        &self,
        invoice_id: &str,
        amounts: &[Amount],
        at_us: i64,
    ) -> Result<Vec<Event>, Refusal> {
        let item = self.standing_item(invoice_id)?;
        let all = || positive_open(item);
        let event = InvoiceWrittenOff {
            invoice_id: invoice_id.to_owned(),
            customer_id: item.customer_id.clone(),
            amounts: if amounts.is_empty() { all() } else { amounts.to_vec() },
            at_us,
        };
        self.check_write_off(&event)?;
        Ok(vec![Event::InvoiceWrittenOff(event)])
    }

    pub(crate) fn check_write_off(&self, event: &InvoiceWrittenOff) -> Result<(), Refusal> {
        let item = self.standing_item(&event.invoice_id)?;
        if !item.is_open() {
            return Err(Refusal::WrongState {
                what: "invoice",
                id: event.invoice_id.clone(),
                state: item.state().name(),
                needed: "open",
            });
        }
        for (index, amount) in event.amounts.iter().enumerate() {
            check_positive("the amount to write off", amount)?;
            let is_twice = event.amounts[..index].iter().any(|other| other.currency == amount.currency);
            if is_twice || amount.amount_minor.0 > item.open_minor(&amount.currency) {
                let open = money_text(item.open_minor(&amount.currency), &amount.currency);
                let asked = amount.text();
                let detail =
                    format!("{asked} {} cannot be written off of {open} that are open", amount.currency);
                return Err(Refusal::mismatch(&event.invoice_id, detail));
            }
        }
        if item.customer_id != event.customer_id || event.amounts.is_empty() {
            return Err(Refusal::mismatch(&event.invoice_id, "something else is open"));
        }
        Ok(())
    }
}

impl Item {
    /// Counts a late fee that its note charges.
    pub(crate) fn take_late_fee(
        &mut self,
        (from_us, to_us, ppm): (i64, i64, u32),
        base: &[Amount],
        note: &Note,
    ) {
        for amount in base {
            let fees = self.fees.entry(amount.currency.clone()).or_default();
            fees.until_us = to_us;
            fees.exact += exact(amount, from_us, to_us, ppm).unwrap_or(0);
            let charged = note.lines.iter().filter(|line| line.currency == amount.currency);
            fees.charged_minor += charged.map(|line| line.amount_minor.0).sum::<i128>();
        }
    }
}

impl Item {
    /// Forgets a late fee whose note is cancelled: the time since `from_us` is not charged yet.
    pub(crate) fn give_back_late_fee(
        &mut self,
        (from_us, to_us, ppm): (i64, i64, u32),
        base: &[Amount],
        note: &Note,
    ) {
        for amount in base {
            let fees = self.fees.entry(amount.currency.clone()).or_default();
            fees.until_us = from_us;
            fees.exact -= exact(amount, from_us, to_us, ppm).unwrap_or(0);
            let charged = note.lines.iter().filter(|line| line.currency == amount.currency);
            fees.charged_minor += charged.map(|line| line.amount_minor.0).sum::<i128>();
        }
    }
}

/// When an item was due, if that is before an instant.
fn due_before(item: &Item, at_us: i64) -> Result<i64, Refusal> {
    item.due_us.filter(|due_us| *due_us < at_us).ok_or_else(|| not_due(item, at_us))
}

fn not_due(item: &Item, at_us: i64) -> Refusal {
    let due = item.due_us.map_or_else(|| "no known instant".to_owned(), |due_us| format!("{due_us} us"));
    Refusal::NotDue { invoice_id: item.id.clone(), at_us, due }
}

fn positive_open(item: &Item) -> Vec<Amount> {
    let open = item.balances.iter().map(|(currency, balance)| (currency, balance.open_minor()));
    open.filter(|(_, minor)| *minor > 0).map(|(currency, minor)| Amount::new(minor, currency)).collect()
}

/// What fees are charged on: what is open, without the fees. Payments settle the invoice before its fees.
fn base_of(item: &Item) -> Vec<Amount> {
    positive_open(item)
        .into_iter()
        .map(|open| Amount::new(open.amount_minor.0 - item.fees_minor(&open.currency), &open.currency))
        .filter(|base| base.amount_minor.0 > 0)
        .collect()
}

/// Base x ppm x microseconds; `None` beyond 128 bits.
fn exact(base: &Amount, from_us: i64, to_us: i64, ppm: u32) -> Option<i128> {
    let time_us = i128::from(to_us) - i128::from(from_us);
    base.amount_minor.0.checked_mul(i128::from(ppm))?.checked_mul(time_us)
}

fn fee_changes(
    item: &Item,
    (from_us, to_us, ppm): (i64, i64, u32),
    base: &[Amount],
) -> Result<Vec<Change>, Refusal> {
    let mut changes = Vec::new();
    for amount in base {
        let fees = item.fees.get(&amount.currency).copied().unwrap_or_default();
        let to_date = exact(amount, from_us, to_us, ppm)
            .and_then(|part| fees.exact.checked_add(part))
            .and_then(|sum| div_half_even_i128(sum, PPM_MONTH_US))
            .ok_or_else(|| Refusal::mismatch(&item.id, "the late fee does not fit 128 bits"))?;
        if to_date == fees.charged_minor {
            continue;
        }
        let key = (FEE_LINE.to_owned(), amount.currency.clone());
        let line = item.lines.get(&key).cloned().unwrap_or_else(|| LineBalance {
            kind: FEE_KIND.to_owned(),
            description: "Late fee".to_owned(),
            quantity: "1".to_owned(),
            unit: "fee".to_owned(),
            ..LineBalance::default()
        });
        changes.push(Change {
            line_id: key.0,
            currency: key.1,
            amount_minor: to_date - fees.charged_minor,
            line,
            computed_minor: None,
        });
    }
    Ok(changes)
}
