//! A bill that draws on prepaid grants or charges deposits changes what the next bill may draw. Such bills of a
//! contract are made one after the other, each on what the ones before it left.

use crate::event::Event;
use crate::invoice::{Draft, Invoice};
use crate::refusal::Refusal;
use crate::state::State;

/// The kinds of lines that take from what later bills may draw, or add to it.
const DRAWING: [&str; 2] = ["prepaid_credit", "deposit"];

fn is_drawing(kind: &str) -> bool {
    DRAWING.contains(&kind)
}

impl Invoice {
    /// Whether it takes from prepaid grants, or charges deposits.
    #[must_use]
    pub fn draws(&self) -> bool {
        self.lines.iter().any(|line| is_drawing(&line.kind))
    }
}

impl State {
    /// How often what is left of a customer's grants and deposits has changed: the argument of
    /// [`Draft::on_balances`].
    #[must_use]
    pub fn balance_changes(&self, customer_id: &str) -> u64 {
        self.balance_changes.get(customer_id).copied().unwrap_or(0)
    }

    /// Checks that a draft was computed on what earlier documents left, and that none of them is still in review.
    ///
    /// # Errors
    /// [`Refusal::OtherDraft`] and [`Refusal::StaleBalances`].
    pub fn check_drawing(&self, draft: &Draft) -> Result<(), Refusal> {
        let document = draft.document();
        if !document.draws() {
            return Ok(());
        }
        let is_rival = |other: &Invoice| {
            other.contract_id == document.contract_id
                && other.invoice_id != document.invoice_id
                && other.draws()
        };
        if let Some(review) = self.reviews().find(|review| is_rival(&review.draft)) {
            return Err(Refusal::OtherDraft {
                contract_id: document.contract_id.clone(),
                period: document.period.text.clone(),
                other_period: review.draft.period.text.clone(),
                state: review.stage.name(),
            });
        }
        let changes = self.balance_changes(&document.customer_id);
        match draft.balance_changes() {
            Some(computed_on) if computed_on != changes => Err(Refusal::StaleBalances {
                contract_id: document.contract_id.clone(),
                period: document.period.text.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Counts an event that changes what is left.
    pub(crate) fn count_drawing(&mut self, event: &Event) {
        let changes = match event {
            Event::InvoiceIssued(invoice) => invoice.draws(),
            Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => {
                note.lines.iter().any(|line| is_drawing(&line.kind))
            }
            _ => false,
        };
        if changes {
            let count = self.balance_changes.entry(event.customer_id().to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }
}
