//! Adjustments: a closed period computed again, against what was billed.
//!
//! ```text
//! target of a line = max(computed + by hand, min(0, computed))
//! amount           = target - what stands
//! ```
//!
//! What a person credited stays credited; late data is billed on top of it. No line falls below zero because
//! something was credited twice. Tax is computed on the targets of what it taxes, and not on what was computed.

use std::collections::BTreeMap;

use wb_rating::LineTax;

use crate::amounts::minor_of;
use crate::event::Event;
use crate::invoice::{Draft, Invoice};
use crate::item::{Item, LineBalance};
use crate::note::NoteReason;
use crate::note::decide::Change;
use crate::note::tax::{Again, following};
use crate::refusal::Refusal;
use crate::review::DraftMade;
use crate::state::{Series, State};

impl State {
    /// No event, or at most one note in each direction; where no invoice was issued, the invoice, or the draft that
    /// its terms require.
    pub(crate) fn decide_adjust(&self, draft: &Draft, at_us: i64) -> Result<Vec<Event>, Refusal> {
        let document = draft.document();
        self.check_follows_close(document, true)?;
        let Some(item) = self.item(&document.invoice_id) else {
            if self.review(&document.invoice_id).is_some() || draft.is_empty() {
                // A bill in review is drafted again in its review; a period without usage needs no invoice.
                return Ok(Vec::new());
            }
            if document.terms.approvals > 0 {
                let made = DraftMade { draft: document.clone(), at_us };
                self.check_draft(&made)?;
                return Ok(vec![Event::DraftMade(Box::new(made))]);
            }
            self.check_replaces(document)?;
            return Ok(vec![self.issued_of(draft.clone().issued_at(at_us).document())]);
        };
        let item = self.standing_item(&item.id)?;
        if document.evidence.cut < item.cut {
            return Err(Refusal::OlderCut {
                invoice_id: item.id.clone(),
                cut: document.evidence.cut,
                adjusted_cut: item.cut,
            });
        }
        let (down, up) = by_direction(differences(item, document)?);
        let reason = || NoteReason::Adjustment {
            cut: document.evidence.cut,
            bill_digest: document.bill_digest,
            evidence_digest: document.evidence_digest,
        };
        // One note at a time: the second is decided on the state after the first.
        for (series, changes) in [(Series::Credit, down), (Series::Debit, up)] {
            if !changes.is_empty() {
                return Ok(vec![self.note_of(item, series, reason(), changes, at_us)?]);
            }
        }
        Ok(Vec::new())
    }
}

/// Lines whose amount must change.
fn differences(item: &Item, document: &Invoice) -> Result<Vec<Change>, Refusal> {
    let mut computed: BTreeMap<(String, String), (i128, LineBalance)> = BTreeMap::new();
    for line in &document.lines {
        let minor = minor_of(&line.amount_minor)
            .ok_or_else(|| Refusal::mismatch(&document.invoice_id, "a line's amount is out of bounds"))?;
        let known = LineBalance {
            kind: line.kind.clone(),
            description: line.description.clone(),
            quantity: line.quantity.clone(),
            unit: line.unit.clone(),
            tax: line.tax.clone(),
            ..LineBalance::default()
        };
        computed.insert((line.id.clone(), line.currency.clone()), (minor, known));
    }
    // A line that is no longer computed comes to zero; fees are not lines of the contract.
    for (key, line) in item.lines.iter().filter(|(_, line)| line.kind != crate::dunning::FEE_KIND) {
        computed.entry(key.clone()).or_insert_with(|| {
            (0, LineBalance { quantity: "0".to_owned(), tax: nothing(line), ..line.clone() })
        });
    }
    let mut changes = Vec::new();
    let mut taxes = Again::default();
    for ((line_id, currency), (minor, new)) in computed {
        let key = (line_id.clone(), currency.clone());
        let stands = item.lines.get(&key);
        let by_hand = stands.map_or(0, |line| line.by_hand_minor);
        let billed = stands.map_or(0, |line| line.billed_minor);
        if new.tax.is_some() {
            taxes.add(key, LineBalance { by_hand_minor: by_hand, ..new });
            continue;
        }
        let target = (minor + by_hand).max(minor.min(0));
        if target == billed {
            continue;
        }
        changes.push(Change {
            amount_minor: target - billed,
            line: LineBalance { billed_minor: billed, ..new },
            computed_minor: Some(minor),
            line_id,
            currency,
        });
    }
    let follows = following(item, &changes, &taxes)?;
    changes.extend(follows.changes);
    Ok(if changes.iter().all(|change| change.amount_minor == 0) { Vec::new() } else { changes })
}

/// The terms of a line of tax that is no longer computed: it taxes nothing.
fn nothing(line: &LineBalance) -> Option<LineTax> {
    line.tax.clone().map(|tax| LineTax { of: Vec::new(), ..tax })
}

/// Each currency goes with the direction of its sum, so that there is at most one note in each direction.
fn by_direction(changes: Vec<Change>) -> (Vec<Change>, Vec<Change>) {
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for change in &changes {
        *sums.entry(change.currency.clone()).or_default() += change.effect_minor();
    }
    let (up, down) =
        changes.into_iter().partition(|change| sums.get(&change.currency).is_some_and(|sum| *sum > 0));
    (down, up)
}
