//! The effects of events on open items. The ledger's whole state and a reader of a few invoices both apply them here.

use std::collections::BTreeMap;

use crate::amounts::{Amount, minor_of};
use crate::event::Event;
use crate::hash::Hash;
use crate::invoice::Invoice;
use crate::item::{Balance, Item, LineBalance, is_receivable};
use crate::note::{Note, NoteReason};
use crate::opening::{OPENING_KIND, OPENING_LINE, OpeningRecorded};
use crate::payment::Allocation;

/// What an event does to one item.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Effect<'a> {
    /// Payments settle this much more of it; negative for less.
    Settled {
        currency: &'a str,
        /// How much, in minor units.
        minor: i128,
    },
    /// A note corrects it.
    Noted(&'a Note),
    /// It was found overdue.
    Overdue {
        /// When, UTC microseconds.
        at_us: i64,
    },
    /// This much of it was written off.
    WrittenOff(&'a [Amount]),
    /// This much of it is no longer written off.
    WriteOffReversed(&'a [Amount]),
    /// It is not overdue after all.
    NotOverdue,
    /// It reached its customer, or the customer could not be reached.
    Delivered(bool),
}

/// The kinds of events that have effects on items that exist.
pub(crate) const KINDS: &[&str] = &[
    "invoice_delivered",
    "delivery_failed",
    "credit_note_issued",
    "debit_note_issued",
    "payment_received",
    "payment_allocated",
    "payment_reversed",
    "payment_released",
    "invoice_overdue",
    "invoice_overdue_withdrawn",
    "invoice_written_off",
    "invoice_write_off_reversed",
];

/// What an event does to items, each with the item's id.
pub(crate) fn effects(event: &Event) -> Vec<(&str, Effect<'_>)> {
    match event {
        Event::InvoiceDelivered(event) => vec![(&event.invoice_id, Effect::Delivered(true))],
        Event::DeliveryFailed(event) => vec![(&event.invoice_id, Effect::Delivered(false))],
        Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => {
            let released = note.released.iter().map(|release| {
                let (currency, minor) = (release.currency.as_str(), -release.amount_minor.0);
                (note.invoice_id.as_str(), Effect::Settled { currency, minor })
            });
            let settled = note.settled.iter().map(|part| {
                let (currency, minor) = (part.currency.as_str(), part.amount_minor.0);
                (note.invoice_id.as_str(), Effect::Settled { currency, minor })
            });
            released.chain(settled).chain([(note.invoice_id.as_str(), Effect::Noted(note))]).collect()
        }
        Event::PaymentReceived(event) => settled(&event.amount.currency, &event.allocations, 1),
        Event::PaymentAllocated(event) => settled(&event.currency, &event.allocations, 1),
        Event::PaymentReversed(event) => settled(&event.amount.currency, &event.allocations, -1),
        Event::PaymentReleased(event) => settled(&event.currency, &event.allocations, -1),
        Event::OverdueWithdrawn(event) => vec![(&event.invoice_id, Effect::NotOverdue)],
        Event::WriteOffReversed(event) => {
            vec![(&event.invoice_id, Effect::WriteOffReversed(&event.amounts))]
        }
        Event::InvoiceOverdue(event) => vec![(&event.invoice_id, Effect::Overdue { at_us: event.at_us })],
        Event::InvoiceWrittenOff(event) => vec![(&event.invoice_id, Effect::WrittenOff(&event.amounts))],
        Event::PeriodClosed(_)
        | Event::DraftMade(_)
        | Event::InvoiceSubmitted(_)
        | Event::InvoiceApproved(_)
        | Event::InvoiceRejected(_)
        | Event::IssueFailed(_)
        | Event::InvoiceIssued(_)
        | Event::RefundPaid(_)
        | Event::RefundReversed(_)
        | Event::DisputeOpened(_)
        | Event::DisputeAnswered(_)
        | Event::DisputeRejected(_)
        | Event::OpeningRecorded(_) => Vec::new(),
    }
}

fn settled<'a>(currency: &'a str, allocations: &'a [Allocation], sign: i128) -> Vec<(&'a str, Effect<'a>)> {
    let of = |allocation: &'a Allocation| {
        let minor = sign * allocation.amount_minor.0;
        (allocation.invoice_id.as_str(), Effect::Settled { currency, minor })
    };
    allocations.iter().map(of).collect()
}

impl Item {
    /// The open item of an invoice as it is issued. Its amounts must have been checked.
    pub(crate) fn of_invoice(invoice: &Invoice) -> Self {
        let mut balances: BTreeMap<String, Balance> = BTreeMap::new();
        let mut lines: BTreeMap<(String, String), LineBalance> = BTreeMap::new();
        for line in &invoice.lines {
            let minor = minor_of(&line.amount_minor).unwrap_or(0);
            if is_receivable(&line.kind) {
                balances.entry(line.currency.clone()).or_default().billed_minor += minor;
            }
            let balance = lines.entry((line.id.clone(), line.currency.clone())).or_default();
            balance.kind.clone_from(&line.kind);
            balance.description.clone_from(&line.description);
            balance.quantity.clone_from(&line.quantity);
            balance.unit.clone_from(&line.unit);
            balance.tax.clone_from(&line.tax);
            balance.computed_minor += minor;
            balance.billed_minor += minor;
        }
        for part in &invoice.settled {
            balances.entry(part.currency.clone()).or_default().paid_minor += part.amount_minor.0;
        }
        Self {
            id: invoice.invoice_id.clone(),
            number: invoice.number.clone(),
            legal_entity: invoice.legal_entity.clone(),
            customer_id: invoice.customer_id.clone(),
            contract_id: invoice.contract_id.clone(),
            period: invoice.period.text.clone(),
            issued_us: invoice.issued_us(),
            due_us: invoice.dates.as_ref().map(|dates| dates.due_us),
            late_fee_ppm: invoice.terms.late_fee_ppm,
            bill_digest: invoice.bill_digest,
            cut: invoice.evidence.cut,
            balances,
            lines,
            overdue_us: None,
            voided: false,
            written_off: false,
            notes: Vec::new(),
            delivered: None,
            fees: BTreeMap::new(),
            last_us: invoice.issued_us(),
        }
    }

    /// The open item of what was owed before this ledger began.
    pub(crate) fn of_opening(event: &OpeningRecorded) -> Self {
        let balances = event.open.iter().map(|amount| {
            let balance = Balance { billed_minor: amount.amount_minor.0, ..Balance::default() };
            (amount.currency.clone(), balance)
        });
        // One line per currency, so that notes can correct what was taken over.
        let lines = event.open.iter().map(|amount| {
            let line = LineBalance {
                kind: OPENING_KIND.to_owned(),
                description: "Taken over".to_owned(),
                quantity: "1".to_owned(),
                unit: "balance".to_owned(),
                computed_minor: amount.amount_minor.0,
                billed_minor: amount.amount_minor.0,
                ..LineBalance::default()
            };
            ((OPENING_LINE.to_owned(), amount.currency.clone()), line)
        });
        Self {
            id: event.item_id.clone(),
            number: event.reference.clone(),
            legal_entity: event.legal_entity.clone(),
            customer_id: event.customer_id.clone(),
            contract_id: String::new(),
            period: String::new(),
            issued_us: event.issued_us,
            due_us: event.due_us,
            late_fee_ppm: event.late_fee_ppm,
            bill_digest: Hash::ZERO,
            cut: 0,
            balances: balances.collect(),
            lines: lines.collect(),
            overdue_us: None,
            voided: false,
            written_off: false,
            notes: Vec::new(),
            delivered: None,
            fees: BTreeMap::new(),
            last_us: event.issued_us,
        }
    }

    /// Applies an effect of an event of its ledger, which is booked at an instant where it has postings.
    pub(crate) fn take(&mut self, effect: Effect<'_>, booked_us: Option<i64>) {
        self.last_us = self.last_us.max(booked_us.unwrap_or(i64::MIN));
        match effect {
            Effect::Settled { currency, minor } => self.balance(currency).paid_minor += minor,
            Effect::Noted(note) => self.take_note(note),
            Effect::Overdue { at_us } => self.overdue_us = Some(at_us),
            Effect::WrittenOff(amounts) => {
                for amount in amounts {
                    self.balance(&amount.currency).written_off_minor += amount.amount_minor.0;
                }
                self.written_off = true;
            }
            Effect::WriteOffReversed(amounts) => {
                for amount in amounts {
                    self.balance(&amount.currency).written_off_minor -= amount.amount_minor.0;
                }
                self.written_off = false;
            }
            Effect::NotOverdue => self.overdue_us = None,
            Effect::Delivered(delivered) => self.delivered = Some(delivered),
        }
    }

    fn balance(&mut self, currency: &str) -> &mut Balance {
        self.balances.entry(currency.to_owned()).or_default()
    }

    fn take_note(&mut self, note: &Note) {
        for line in &note.lines {
            let key = (line.line_id.clone(), line.currency.clone());
            let stands = self.lines.entry(key).or_insert_with(|| LineBalance {
                kind: line.kind.clone(),
                description: line.description.clone(),
                quantity: line.quantity.clone(),
                unit: line.unit.clone(),
                ..LineBalance::default()
            });
            stands.billed_minor = line.after_minor.0;
            match line.computed_minor {
                Some(computed) => {
                    stands.computed_minor = computed.0;
                    stands.quantity.clone_from(&line.quantity);
                    stands.tax.clone_from(&line.tax);
                }
                None => stands.by_hand_minor += line.amount_minor.0,
            }
            if is_receivable(&line.kind) {
                self.balance(&line.currency).noted_minor += line.amount_minor.0;
            }
        }
        match &note.reason {
            NoteReason::Adjustment { cut, .. } => self.cut = *cut,
            NoteReason::Void { .. } => self.voided = true,
            NoteReason::LateFee { from_us, to_us, ppm_per_month, base } => {
                self.take_late_fee((*from_us, *to_us, *ppm_per_month), base, note);
            }
            NoteReason::Cancels { of, .. } => {
                if let NoteReason::LateFee { from_us, to_us, ppm_per_month, base } = &**of {
                    self.give_back_late_fee((*from_us, *to_us, *ppm_per_month), base, note);
                }
            }
            NoteReason::Dispute { .. } | NoteReason::ByHand { .. } => {}
        }
        self.notes.push(note.number.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InvoiceDelivered;

    #[test]
    fn kinds_with_effects_are_kinds_of_events() {
        for kind in KINDS {
            assert!(Event::KINDS.contains(kind), "{kind}");
        }
        let delivered = Event::InvoiceDelivered(InvoiceDelivered {
            invoice_id: "inv_1".to_owned(),
            customer_id: "acme".to_owned(),
            channel: "email".to_owned(),
            at_us: 1,
        });
        assert!(matches!(effects(&delivered).as_slice(), [("inv_1", Effect::Delivered(true))]));
    }
}
