//! Acts that take back other acts. After an act and its inverse the books are as if neither had been.
//!
//! | Act | Its inverse |
//! |---|---|
//! | an invoice, or what was taken over | a void |
//! | a void | an invoice that replaces the void one |
//! | a credit note, a debit note, a late fee | a note that cancels it |
//! | a payment | its reversal |
//! | an allocation of a payment | its release |
//! | a refund | its reversal |
//! | an invoice found overdue | the mark is withdrawn |
//! | a write-off | its reversal |
//! | a dispute | its rejection |

use serde::{Deserialize, Serialize};

use crate::amounts::{Amount, check_positive};
use crate::event::Event;
use crate::item::Item;
use crate::payment::{Allocation, allocations_of};
use crate::refusal::{Refusal, check_text};
use crate::state::State;

/// Parts of a payment no longer settle invoices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentReleased {
    pub payment_id: String,
    /// Who paid.
    pub customer_id: String,
    /// The payment's currency.
    pub currency: String,
    /// What it no longer settles.
    pub allocations: Vec<Allocation>,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// A refund did not reach the customer, or came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundReversed {
    pub refund_id: String,
    pub payment_id: String,
    /// Who should have received it.
    pub customer_id: String,
    /// The whole refund.
    pub amount: Amount,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// An invoice is not overdue after all. Late fees that were charged are notes, which are cancelled by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverdueWithdrawn {
    /// The invoice, or what was taken over.
    pub invoice_id: String,
    pub customer_id: String,
    /// Why.
    pub text: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// What was written off of an invoice is open again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteOffReversed {
    /// The invoice, or what was taken over.
    pub invoice_id: String,
    pub customer_id: String,
    /// What was written off, by currency.
    pub amounts: Vec<Amount>,
    /// When, UTC microseconds.
    pub at_us: i64,
}

impl State {
    /// Releases the given allocations of a payment, or all where none is given.
    pub(crate) fn decide_release(
        &self,
        payment_id: &str,
        given: &[Allocation],
        at_us: i64,
    ) -> Result<Vec<Event>, Refusal> {
        let payment = self.standing_payment(payment_id)?;
        let allocations = if given.is_empty() { allocations_of(payment) } else { given.to_vec() };
        if allocations.is_empty() {
            return Ok(Vec::new());
        }
        let event = PaymentReleased {
            payment_id: payment_id.to_owned(),
            customer_id: payment.customer_id.clone(),
            currency: payment.amount.currency.clone(),
            allocations,
            at_us: at_us.max(payment.received_us),
        };
        self.check_released(&event)?;
        Ok(vec![Event::PaymentReleased(event)])
    }

    pub(crate) fn check_released(&self, event: &PaymentReleased) -> Result<(), Refusal> {
        let payment = self.standing_payment(&event.payment_id)?;
        if payment.customer_id != event.customer_id || payment.amount.currency != event.currency {
            return Err(Refusal::mismatch(&event.payment_id, "another customer or currency"));
        }
        for (index, allocation) in event.allocations.iter().enumerate() {
            let amount = Amount::new(allocation.amount_minor.0, &event.currency);
            check_positive("what is released", &amount)?;
            let invoice_id = &allocation.invoice_id;
            self.item_of(invoice_id)?;
            if event.allocations.iter().take(index).any(|earlier| earlier.invoice_id == *invoice_id) {
                return Err(Refusal::mismatch(&event.payment_id, format!("{invoice_id} stands there twice")));
            }
            let allocated = payment.allocated.get(invoice_id).copied().unwrap_or(0);
            if amount.amount_minor.0 > allocated {
                return Err(Refusal::OverAllocated {
                    id: event.payment_id.clone(),
                    wanted: amount.text(),
                    left: Amount::new(allocated, &event.currency).text(),
                    currency: event.currency.clone(),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn apply_released(&mut self, event: &PaymentReleased) {
        for allocation in &event.allocations {
            self.move_allocation(&event.payment_id, &allocation.invoice_id, -allocation.amount_minor.0);
        }
    }

    pub(crate) fn decide_reverse_refund(&self, refund_id: &str, at_us: i64) -> Result<Vec<Event>, Refusal> {
        let (payment_id, amount) = self.refund_of(refund_id)?;
        if self.reversed_refunds.contains(refund_id) {
            return Err(Refusal::AlreadyRecorded { id: refund_id.to_owned() });
        }
        let event = RefundReversed {
            refund_id: refund_id.to_owned(),
            payment_id: payment_id.clone(),
            customer_id: self.standing_payment(payment_id)?.customer_id.clone(),
            amount: amount.clone(),
            at_us,
        };
        Ok(vec![Event::RefundReversed(event)])
    }

    fn refund_of(&self, refund_id: &str) -> Result<&(String, Amount), Refusal> {
        self.refunds
            .get(refund_id)
            .ok_or_else(|| Refusal::no_such("refund", refund_id, self.refunds.keys().map(String::as_str)))
    }

    pub(crate) fn check_refund_reversed(&self, event: &RefundReversed) -> Result<(), Refusal> {
        let expected = self.decide_reverse_refund(&event.refund_id, event.at_us)?;
        if expected == [Event::RefundReversed(event.clone())] {
            return Ok(());
        }
        Err(Refusal::mismatch(&event.refund_id, "another payment, customer or amount"))
    }

    pub(crate) fn apply_refund_reversed(&mut self, event: &RefundReversed) {
        self.reversed_refunds.insert(event.refund_id.clone());
        if let Some(payment) = self.payments.get_mut(&event.payment_id) {
            payment.refunded_minor -= event.amount.amount_minor.0;
        }
    }

    pub(crate) fn decide_withdraw_overdue(
        &self,
        invoice_id: &str,
        text: &str,
        at_us: i64,
    ) -> Result<Vec<Event>, Refusal> {
        let item = self.standing_item(invoice_id)?;
        let event = OverdueWithdrawn {
            invoice_id: invoice_id.to_owned(),
            customer_id: item.customer_id.clone(),
            text: text.to_owned(),
            at_us,
        };
        self.check_withdrawn(&event)?;
        Ok(vec![Event::OverdueWithdrawn(event)])
    }

    pub(crate) fn check_withdrawn(&self, event: &OverdueWithdrawn) -> Result<(), Refusal> {
        check_text("the reason", &event.text)?;
        let item = self.standing_item(&event.invoice_id)?;
        if item.customer_id != event.customer_id {
            return Err(Refusal::mismatch(&event.invoice_id, "another customer"));
        }
        if item.overdue_us.is_some() {
            return Ok(());
        }
        Err(Refusal::WrongState {
            what: "invoice",
            id: event.invoice_id.clone(),
            state: "not marked as overdue",
            needed: "marked as overdue",
        })
    }

    pub(crate) fn decide_reverse_write_off(
        &self,
        invoice_id: &str,
        at_us: i64,
    ) -> Result<Vec<Event>, Refusal> {
        let item = self.item_of(invoice_id)?;
        if !item.written_off {
            return Err(Refusal::WrongState {
                what: "invoice",
                id: invoice_id.to_owned(),
                state: item.state().name(),
                needed: "written_off",
            });
        }
        let event = WriteOffReversed {
            invoice_id: invoice_id.to_owned(),
            customer_id: item.customer_id.clone(),
            amounts: item.written_off_amounts(),
            at_us,
        };
        Ok(vec![Event::WriteOffReversed(event)])
    }

    pub(crate) fn check_write_off_reversed(&self, event: &WriteOffReversed) -> Result<(), Refusal> {
        let expected = self.decide_reverse_write_off(&event.invoice_id, event.at_us)?;
        if expected == [Event::WriteOffReversed(event.clone())] {
            return Ok(());
        }
        Err(Refusal::mismatch(&event.invoice_id, "another customer, or something else was written off"))
    }
}

impl Item {
    fn written_off_amounts(&self) -> Vec<Amount> {
        let of = self.balances.iter().map(|(currency, balance)| (currency, balance.written_off_minor));
        of.filter(|(_, minor)| *minor != 0).map(|(currency, minor)| Amount::new(minor, currency)).collect()
    }
}
