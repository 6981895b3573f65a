//! Payments, what they settle, and refunds.
//!
//! The rest of a payment after its allocations is kept as the customer's balance: it can be allocated later or
//! refunded. A payment is identified by the issuer's reference (a bank's, a transaction's), used once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amounts::{Amount, Minor, check_positive, money_text};
use crate::event::Event;
use crate::item::Item;
use crate::note::id_of;
use crate::refusal::{Refusal, check_name};
use crate::state::State;

/// A part of a payment that settles an invoice, in the payment's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// The invoice, or what was taken over.
    pub invoice_id: String,
    /// How much, above zero.
    pub amount_minor: Minor,
}

/// Money came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentReceived {
    /// `pay_` and 20 hex digits that follow from issuer and reference.
    pub payment_id: String,
    /// The issuer's reference, used once.
    pub reference: String,
    /// Who received it.
    pub legal_entity: String,
    /// Who paid.
    pub customer_id: String,
    /// How much.
    pub amount: Amount,
    /// When it arrived, UTC microseconds.
    pub received_us: i64,
    /// What it settles at once.
    pub allocations: Vec<Allocation>,
}

/// The rest of a payment settles invoices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentAllocated {
    pub payment_id: String,
    /// Who paid.
    pub customer_id: String,
    /// The payment's currency.
    pub currency: String,
    /// What it settles further.
    pub allocations: Vec<Allocation>,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// A payment bounced: everything it settled is open again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentReversed {
    pub payment_id: String,
    /// Who paid.
    pub customer_id: String,
    /// The whole amount.
    pub amount: Amount,
    /// What it had settled.
    pub allocations: Vec<Allocation>,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// A refund out of the rest of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundPaid {
    /// `ref_` and 20 hex digits that follow from issuer and reference.
    pub refund_id: String,
    /// The issuer's reference, used once.
    pub reference: String,
    pub payment_id: String,
    /// Who receives it.
    pub customer_id: String,
    /// How much.
    pub amount: Amount,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// What the state keeps of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub payment_id: String,
    pub reference: String,
    /// Who received it.
    pub legal_entity: String,
    /// Who paid.
    pub customer_id: String,
    /// How much.
    pub amount: Amount,
    /// When it arrived, UTC microseconds.
    pub received_us: i64,
    /// What it settles, by invoice, in minor units.
    pub allocated: BTreeMap<String, i128>,
    /// What was refunded.
    pub refunded_minor: i128,
    /// Whether it bounced.
    pub reversed: bool,
}

/// What a payment settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settle {
    /// These, in this order.
    Given(Vec<Allocation>),
    /// What is open, the longest due first.
    OldestFirst,
    /// Nothing yet.
    Nothing,
}

/// A payment to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRequest {
    /// The issuer's reference: a second payment with the same reference changes nothing.
    pub reference: String,
    /// Who received it.
    pub legal_entity: String,
    /// Who paid.
    pub customer_id: String,
    /// How much.
    pub amount: Amount,
    /// When it arrived, UTC microseconds.
    pub received_us: i64,
    pub settle: Settle,
}

impl Payment {
    /// Its rest, in minor units.
    #[must_use]
    pub fn left_minor(&self) -> i128 {
        if self.reversed {
            return 0;
        }
        self.amount.amount_minor.0 - self.refunded_minor - self.allocated.values().sum::<i128>()
    }
}

/// The id of a payment: follows from who received it and the reference.
///
/// # Errors
/// Never for text; the error of the canonical form is passed on all the same.
pub fn payment_id(legal_entity: &str, reference: &str) -> Result<String, Refusal> {
    id_of("pay", &[legal_entity, reference])
}

impl State {
    #[must_use]
    pub fn payment(&self, payment_id: &str) -> Option<&Payment> {
        self.payments.get(payment_id)
    }

    /// All payments, by their ids.
    pub fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values()
    }

    fn payment_of(&self, payment_id: &str) -> Result<&Payment, Refusal> {
        self.payment(payment_id)
            .ok_or_else(|| Refusal::no_such("payment", payment_id, self.payments.keys().map(String::as_str)))
    }

    pub(crate) fn standing_payment(&self, payment_id: &str) -> Result<&Payment, Refusal> {
        let payment = self.payment_of(payment_id)?;
        if payment.reversed {
            return Err(Refusal::WrongState {
                what: "payment",
                id: payment_id.to_owned(),
                state: "reversed",
                needed: "received",
            });
        }
        Ok(payment)
    }

    /// Adds to what a payment settles of an invoice; the open item changes by an effect.
    pub(crate) fn move_allocation(&mut self, payment_id: &str, invoice_id: &str, minor: i128) {
        let Some(payment) = self.payments.get_mut(payment_id) else { return };
        let allocated = payment.allocated.entry(invoice_id.to_owned()).or_default();
        *allocated += minor;
        if *allocated == 0 {
            payment.allocated.remove(invoice_id);
        }
    }

    pub(crate) fn decide_payment(&self, asked: &PaymentRequest) -> Result<Vec<Event>, Refusal> {
        let payment_id = payment_id(&asked.legal_entity, &asked.reference)?;
        if let Some(existing) = self.payment(&payment_id) {
            let same = existing.customer_id == asked.customer_id && existing.amount == asked.amount;
            return Err(if same {
                Refusal::AlreadyRecorded { id: payment_id }
            } else {
                Refusal::ReferenceReused {
                    legal_entity: asked.legal_entity.clone(),
                    reference: asked.reference.clone(),
                    id: payment_id,
                }
            });
        }
        let owner = (asked.legal_entity.as_str(), asked.customer_id.as_str());
        let event = PaymentReceived {
            payment_id,
            reference: asked.reference.clone(),
            legal_entity: asked.legal_entity.clone(),
            customer_id: asked.customer_id.clone(),
            received_us: asked.received_us,
            allocations: self.settled(owner, &asked.amount, &asked.settle),
            amount: asked.amount.clone(),
        };
        self.check_payment(&event)?;
        Ok(vec![Event::PaymentReceived(event)])
    }

    fn settled(&self, owner: (&str, &str), amount: &Amount, settle: &Settle) -> Vec<Allocation> {
        match settle {
            Settle::Given(allocations) => allocations.clone(),
            Settle::Nothing => Vec::new(),
            Settle::OldestFirst => {
                let mut left = amount.amount_minor.0;
                let mut open: Vec<&Item> = self
                    .items()
                    .filter(|item| (item.legal_entity.as_str(), item.customer_id.as_str()) == owner)
                    .filter(|item| item.open_minor(&amount.currency) > 0)
                    .collect();
                open.sort_by_key(|item| (item.due_us.unwrap_or(item.issued_us), item.number.clone()));
                let mut allocations = Vec::new();
                for item in open {
                    let part = item.open_minor(&amount.currency).min(left);
                    if part > 0 {
                        left -= part;
                        allocations
                            .push(Allocation { invoice_id: item.id.clone(), amount_minor: Minor(part) });
                    }
                }
                allocations
            }
        }
    }

    pub(crate) fn check_payment(&self, event: &PaymentReceived) -> Result<(), Refusal> {
        check_positive("the payment", &event.amount)?;
        for (what, text) in [
            ("the reference", &event.reference),
            ("the legal entity", &event.legal_entity),
            ("the customer", &event.customer_id),
        ] {
            check_name(what, text)?;
        }
        if self.payments.contains_key(&event.payment_id) {
            return Err(Refusal::AlreadyRecorded { id: event.payment_id.clone() });
        }
        if payment_id(&event.legal_entity, &event.reference)? != event.payment_id {
            return Err(Refusal::mismatch(&event.payment_id, "the id is not that of the reference"));
        }
        let owner = (event.legal_entity.as_str(), event.customer_id.as_str());
        self.check_allocations(owner, (&event.payment_id, &event.amount), &event.allocations)
    }

    /// `from` is the payment and its rest.
    fn check_allocations(
        &self,
        owner: (&str, &str),
        from: (&str, &Amount),
        allocations: &[Allocation],
    ) -> Result<(), Refusal> {
        let (payment_id, left) = from;
        let currency = &left.currency;
        let over = |id: &str, wanted: i128, left: i128| Refusal::OverAllocated {
            id: id.to_owned(),
            wanted: money_text(wanted, currency),
            left: money_text(left, currency),
            currency: currency.clone(),
        };
        let mut by_item: BTreeMap<&str, i128> = BTreeMap::new();
        for allocation in allocations {
            check_positive("the allocation", &Amount::new(allocation.amount_minor.0, currency))?;
            let sum = by_item.entry(&allocation.invoice_id).or_default();
            *sum += allocation.amount_minor.0;
            let item = self.item_of(&allocation.invoice_id)?;
            if (item.legal_entity.as_str(), item.customer_id.as_str()) != owner {
                return Err(Refusal::OtherOwner {
                    id: item.id.clone(),
                    owner: format!("{} of {}", item.customer_id, item.legal_entity),
                    other: format!("{} of {}", owner.1, owner.0),
                });
            }
            if *sum > item.open_minor(currency) {
                return Err(over(&item.id, *sum, item.open_minor(currency)));
            }
        }
        let wanted: i128 = by_item.values().sum();
        if wanted > left.amount_minor.0 {
            return Err(over(payment_id, wanted, left.amount_minor.0));
        }
        Ok(())
    }

    pub(crate) fn apply_payment(&mut self, event: &PaymentReceived) {
        let payment = Payment {
            payment_id: event.payment_id.clone(),
            reference: event.reference.clone(),
            legal_entity: event.legal_entity.clone(),
            customer_id: event.customer_id.clone(),
            amount: event.amount.clone(),
            received_us: event.received_us,
            allocated: BTreeMap::new(),
            refunded_minor: 0,
            reversed: false,
        };
        self.payments.insert(event.payment_id.clone(), payment);
        for allocation in &event.allocations {
            self.move_allocation(&event.payment_id, &allocation.invoice_id, allocation.amount_minor.0);
        }
    }

    pub(crate) fn decide_allocate(
        &self,
        payment_id: &str,
        settle: &Settle,
        at_us: i64,
    ) -> Result<Vec<Event>, Refusal> {
        let payment = self.standing_payment(payment_id)?;
        let left = Amount::new(payment.left_minor(), &payment.amount.currency);
        let allocations = self.settled((&payment.legal_entity, &payment.customer_id), &left, settle);
        if allocations.is_empty() {
            return Ok(Vec::new());
        }
        let event = PaymentAllocated {
            payment_id: payment_id.to_owned(),
            customer_id: payment.customer_id.clone(),
            currency: left.currency,
            allocations,
            at_us,
        };
        self.check_allocated(&event)?;
        Ok(vec![Event::PaymentAllocated(event)])
    }

    pub(crate) fn check_allocated(&self, event: &PaymentAllocated) -> Result<(), Refusal> {
        let payment = self.standing_payment(&event.payment_id)?;
        if payment.customer_id != event.customer_id || payment.amount.currency != event.currency {
            return Err(Refusal::mismatch(&event.payment_id, "another customer or currency"));
        }
        let left = Amount::new(payment.left_minor(), &payment.amount.currency);
        let owner = (payment.legal_entity.as_str(), payment.customer_id.as_str());
        self.check_allocations(owner, (&event.payment_id, &left), &event.allocations)
    }

    pub(crate) fn apply_allocated(&mut self, event: &PaymentAllocated) {
        for allocation in &event.allocations {
            self.move_allocation(&event.payment_id, &allocation.invoice_id, allocation.amount_minor.0);
        }
    }

    pub(crate) fn decide_reverse(&self, payment_id: &str, at_us: i64) -> Result<Vec<Event>, Refusal> {
        let payment = self.payment_of(payment_id)?;
        if payment.reversed {
            return Err(Refusal::AlreadyRecorded { id: payment_id.to_owned() });
        }
        let event = PaymentReversed {
            payment_id: payment_id.to_owned(),
            customer_id: payment.customer_id.clone(),
            amount: payment.amount.clone(),
            allocations: allocations_of(payment),
            // Not before what it takes back.
            at_us: at_us.max(payment.received_us),
        };
        self.check_reversed(&event)?;
        Ok(vec![Event::PaymentReversed(event)])
    }

    pub(crate) fn check_reversed(&self, event: &PaymentReversed) -> Result<(), Refusal> {
        let payment = self.standing_payment(&event.payment_id)?;
        if payment.refunded_minor != 0 {
            return Err(Refusal::WrongState {
                what: "payment",
                id: event.payment_id.clone(),
                state: "refunded in part",
                needed: "received",
            });
        }
        let same = payment.customer_id == event.customer_id
            && payment.amount == event.amount
            && allocations_of(payment) == event.allocations;
        if same { Ok(()) } else { Err(Refusal::mismatch(&event.payment_id, "it settles something else")) }
    }

    pub(crate) fn apply_reversed(&mut self, event: &PaymentReversed) {
        for allocation in &event.allocations {
            self.move_allocation(&event.payment_id, &allocation.invoice_id, -allocation.amount_minor.0);
        }
        if let Some(payment) = self.payments.get_mut(&event.payment_id) {
            payment.reversed = true;
        }
    }

    pub(crate) fn decide_refund(
        &self,
        payment_id: &str,
        reference: &str,
        amount_minor: i128,
        at_us: i64,
    ) -> Result<Vec<Event>, Refusal> {
        let payment = self.standing_payment(payment_id)?;
        let event = RefundPaid {
            refund_id: id_of("ref", &[&payment.legal_entity, reference])?,
            reference: reference.to_owned(),
            payment_id: payment_id.to_owned(),
            customer_id: payment.customer_id.clone(),
            amount: Amount::new(amount_minor, &payment.amount.currency),
            at_us,
        };
        if let Some((of, existing)) = self.refunds.get(&event.refund_id) {
            return Err(if (of.as_str(), existing) == (payment_id, &event.amount) {
                Refusal::AlreadyRecorded { id: event.refund_id }
            } else {
                Refusal::ReferenceReused {
                    legal_entity: payment.legal_entity.clone(),
                    reference: event.reference,
                    id: event.refund_id,
                }
            });
        }
        self.check_refund(&event)?;
        Ok(vec![Event::RefundPaid(event)])
    }

    pub(crate) fn check_refund(&self, event: &RefundPaid) -> Result<(), Refusal> {
        check_name("the reference", &event.reference)?;
        check_positive("the refund", &event.amount)?;
        let payment = self.standing_payment(&event.payment_id)?;
        if self.refunds.contains_key(&event.refund_id) {
            return Err(Refusal::AlreadyRecorded { id: event.refund_id.clone() });
        }
        if payment.customer_id != event.customer_id || payment.amount.currency != event.amount.currency {
            return Err(Refusal::mismatch(&event.refund_id, "another customer or currency than its payment"));
        }
        if event.amount.amount_minor.0 > payment.left_minor() {
            return Err(Refusal::OverAllocated {
                id: event.payment_id.clone(),
                wanted: event.amount.text(),
                left: money_text(payment.left_minor(), &event.amount.currency),
                currency: event.amount.currency.clone(),
            });
        }
        Ok(())
    }

    pub(crate) fn apply_refund(&mut self, event: &RefundPaid) {
        self.refunds.insert(event.refund_id.clone(), (event.payment_id.clone(), event.amount.clone()));
        if let Some(payment) = self.payments.get_mut(&event.payment_id) {
            payment.refunded_minor += event.amount.amount_minor.0;
        }
    }
}

pub(crate) fn allocations_of(payment: &Payment) -> Vec<Allocation> {
    payment
        .allocated
        .iter()
        .map(|(invoice_id, minor)| Allocation { invoice_id: invoice_id.clone(), amount_minor: Minor(*minor) })
        .collect()
}
