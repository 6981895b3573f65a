//! Billing a month again after its invoice was voided: a new invoice, with a number of its own, that names the void
//! one.
//!
//! ```text
//! issued -> void -> replaced by an invoice of the same contract, month, customer and issuer
//!                        |
//!                        +-> may be voided and replaced in its turn
//! ```
//!
//! The id of the new invoice follows from the id of the void one, so a void invoice is replaced once. What payments had
//! settled of the void one is free since its void; the record of the new invoice may settle with it, in one step.

use serde::{Deserialize, Serialize};

use crate::amounts::{Minor, minor_of};
use crate::event::Event;
use crate::invoice::Invoice;
use crate::item::is_receivable;
use crate::note::Release;
use crate::refusal::Refusal;
use crate::state::State;

/// The void invoice that an invoice replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// The id of the void invoice.
    pub invoice_id: String,
    /// Its number.
    pub number: String,
    /// Whether the payments that its void freed settle the new invoice.
    pub moves_payments: bool,
}

impl State {
    /// The parts of payments that the void of an invoice freed; empty where it is not void or nothing was paid.
    #[must_use]
    pub fn freed_by_void(&self, invoice_id: &str) -> &[Release] {
        self.freed_by_void.get(invoice_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Checks the identity of a bill, and that what it replaces is a void invoice of the same month.
    pub(crate) fn check_replaces(&self, document: &Invoice) -> Result<(), Refusal> {
        let id = &document.invoice_id;
        if document.derived_id().ok().as_ref() != Some(id) {
            return Err(Refusal::mismatch(id, "the id is not that of what it bills"));
        }
        let Some(replaced) = &document.replaces else { return Ok(()) };
        let item = self.item_of(&replaced.invoice_id)?;
        if !item.voided {
            return Err(Refusal::WrongState {
                what: "invoice",
                id: item.id.clone(),
                state: item.state().name(),
                needed: "void",
            });
        }
        let same = item.number == replaced.number
            && item.contract_id == document.contract_id
            && item.period == document.period.text
            && item.customer_id == document.customer_id
            && item.legal_entity == document.legal_entity;
        if same {
            return Ok(());
        }
        Err(Refusal::mismatch(
            id,
            format!(
                "{} is of contract {} in {}, of {} and issued by {}; a new invoice is of the same",
                item.number, item.contract_id, item.period, item.customer_id, item.legal_entity
            ),
        ))
    }

    /// The invoice of a draft: with its number, and settled by the payments that it takes over.
    pub(crate) fn issued_of(&self, draft: &Invoice) -> Event {
        Event::InvoiceIssued(Box::new(Invoice {
            number: self.next_number(&draft.legal_entity),
            settled: self.settled_of(draft),
            ..draft.clone()
        }))
    }

    /// What payments settle of a bill that takes over those of the void invoice: of each what the void freed and is
    /// still left, in the order of the void, up to what the bill comes to.
    pub(crate) fn settled_of(&self, document: &Invoice) -> Vec<Release> {
        let Some(replaced) = document.replaces.as_ref().filter(|replaced| replaced.moves_payments) else {
            return Vec::new();
        };
        let owed = |currency: &str| -> i128 {
            let lines = document.lines.iter();
            let owed = lines.filter(|line| line.currency == currency && is_receivable(&line.kind));
            owed.map(|line| minor_of(&line.amount_minor).unwrap_or(0)).sum()
        };
        self.settled_again(self.freed_by_void(&replaced.invoice_id), owed)
    }

    /// Of parts of payments that were freed: what is still left of them, up to what is owed in each currency.
    pub(crate) fn settled_again(&self, freed: &[Release], owed: impl Fn(&str) -> i128) -> Vec<Release> {
        let mut settled: Vec<Release> = Vec::new();
        for release in freed {
            let Some(payment) = self.payment(&release.payment_id) else { continue };
            let taken = |of: &dyn Fn(&Release) -> bool| -> i128 {
                settled.iter().filter(|part| of(part)).map(|part| part.amount_minor.0).sum()
            };
            let of_payment = taken(&|part| part.payment_id == release.payment_id);
            let of_currency = taken(&|part| part.currency == release.currency);
            let minor = release
                .amount_minor
                .0
                .min(payment.left_minor() - of_payment)
                .min(owed(&release.currency) - of_currency);
            if minor > 0 {
                settled.push(Release { amount_minor: Minor(minor), ..release.clone() });
            }
        }
        settled
    }
}
