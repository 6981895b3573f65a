//! What was owed before this ledger began: balances and past invoices, taken over.

use serde::{Deserialize, Serialize};

use crate::amounts::{Amount, check_signed};
use crate::event::Event;
use crate::item::Item;
use crate::note::id_of;
use crate::refusal::{Refusal, check_name};
use crate::state::State;

/// The kind of the lines of what was taken over.
pub(crate) const OPENING_KIND: &str = "opening_balance";

/// The id of those lines.
pub(crate) const OPENING_LINE: &str = "opening";

/// What is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpeningKind {
    /// A balance without its invoices; negative for a credit of the customer.
    Balance,
    /// An invoice of an earlier system, under its own number.
    Invoice,
}

/// Something was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpeningRecorded {
    /// `open_` and 20 hex digits that follow from issuer and reference.
    pub item_id: String,
    /// What it is.
    pub kind: OpeningKind,
    /// The earlier number or another reference, used once.
    pub reference: String,
    /// The legal entity that it is owed to.
    pub legal_entity: String,
    pub customer_id: String,
    /// What is open, one per currency, sorted.
    pub open: Vec<Amount>,
    /// When it was issued, or the instant of the balance, UTC microseconds.
    pub issued_us: i64,
    /// When it is due, UTC microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_us: Option<i64>,
    /// Its late fee: parts per million of what is open, per month of 30 days; 0 charges none.
    pub late_fee_ppm: u32,
}

impl State {
    pub(crate) fn decide_opening(&self, asked: &OpeningRecorded) -> Result<Vec<Event>, Refusal> {
        let event = OpeningRecorded {
            item_id: id_of("open", &[&asked.legal_entity, &asked.reference])?,
            ..asked.clone()
        };
        if let Some(existing) = self.item(&event.item_id) {
            let billed: Vec<Amount> = existing
                .balances
                .iter()
                .map(|(currency, balance)| Amount::new(balance.billed_minor, currency))
                .collect();
            let same = billed == event.open && existing.customer_id == event.customer_id;
            return Err(if same {
                Refusal::AlreadyRecorded { id: event.item_id }
            } else {
                Refusal::ReferenceReused {
                    legal_entity: event.legal_entity,
                    reference: event.reference,
                    id: event.item_id,
                }
            });
        }
        self.check_opening(&event)?;
        Ok(vec![Event::OpeningRecorded(event)])
    }

    pub(crate) fn check_opening(&self, event: &OpeningRecorded) -> Result<(), Refusal> {
        for (what, text) in [
            ("the reference", &event.reference),
            ("the legal entity", &event.legal_entity),
            ("the customer", &event.customer_id),
        ] {
            check_name(what, text)?;
        }
        if self.item(&event.item_id).is_some() {
            return Err(Refusal::AlreadyRecorded { id: event.item_id.clone() });
        }
        if id_of("open", &[&event.legal_entity, &event.reference])? != event.item_id {
            return Err(Refusal::mismatch(&event.item_id, "the id is not that of the reference"));
        }
        if event.open.is_empty() || !event.open.is_sorted_by(|left, right| left.currency < right.currency) {
            return Err(Refusal::mismatch(
                &event.item_id,
                "give one amount per currency, sorted by currency",
            ));
        }
        for amount in &event.open {
            check_signed("what is open", amount)?;
            if event.kind == OpeningKind::Invoice {
                crate::amounts::check_positive("what is open of an invoice", amount)?;
            }
        }
        Ok(())
    }

    pub(crate) fn apply_opening(&mut self, event: &OpeningRecorded) {
        self.items.insert(event.item_id.clone(), Item::of_opening(event));
    }
}
