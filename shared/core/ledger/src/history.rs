//! An issued invoice with what was decided about it, for readers who need a few invoices and not the whole ledger.

use std::collections::BTreeMap;

use crate::effect::{self, Effect, effects};
use crate::event::Event;
use crate::invoice::Invoice;
use crate::item::Item;
use crate::note::Note;
use crate::state::{Inconsistent, check_amounts};
use crate::statement::dated;

/// An issued invoice, its notes, and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceHistory {
    invoice: Invoice,
    item: Item,
    notes: Vec<(&'static str, Note)>,
}

impl InvoiceHistory {
    /// The kinds of events that change the state of an issued invoice.
    pub const KINDS: &'static [&'static str] = effect::KINDS;

    /// Applies later events to some invoices: winning events of the same ledger, in its order. Events about other
    /// invoices, or of another customer than the invoice's, change nothing.
    ///
    /// # Errors
    /// [`Inconsistent`] for an invoice with a text that is not an amount.
    pub fn fold<E: std::borrow::Borrow<Event>>(
        issued: Vec<Invoice>,
        later: impl IntoIterator<Item = E>,
    ) -> Result<Vec<Self>, Inconsistent> {
        let mut histories = issued.into_iter().map(Self::begin).collect::<Result<Vec<_>, _>>()?;
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (place, history) in histories.iter().enumerate() {
            places.insert(history.item.id.clone(), place);
        }
        for event in later {
            let event = event.borrow();
            for (id, effect) in effects(event) {
                let history = places.get(id).and_then(|place| histories.get_mut(*place));
                if let Some(history) = history.filter(|own| own.item.customer_id == event.customer_id()) {
                    history.take(event, effect);
                }
            }
        }
        Ok(histories)
    }

    fn begin(invoice: Invoice) -> Result<Self, Inconsistent> {
        check_amounts(&invoice).map_err(|refusal| Inconsistent {
            detail: format!("invoice {}: {refusal}", invoice.invoice_id),
        })?;
        Ok(Self { item: Item::of_invoice(&invoice), invoice, notes: Vec::new() })
    }

    fn take(&mut self, event: &Event, effect: Effect<'_>) {
        if let Effect::Noted(note) = effect {
            self.notes.push((event.kind(), note.clone()));
        }
        self.item.take(effect, dated(event).map(|(at_us, _)| at_us));
    }

    /// The document as it was issued.
    #[must_use]
    pub fn invoice(&self) -> &Invoice {
        &self.invoice
    }

    /// What is owed on it.
    #[must_use]
    pub fn item(&self) -> &Item {
        &self.item
    }

    /// Its credit and debit notes in the order of their issue, each with the kind of its event.
    pub fn notes(&self) -> impl Iterator<Item = (&'static str, &Note)> {
        self.notes.iter().map(|(kind, note)| (*kind, note))
    }
}
