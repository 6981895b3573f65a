//! Which notes follow from a command.

use std::collections::BTreeMap;

use crate::amounts::{Minor, check_signed, money_text, totals};
use crate::canonical;
use crate::event::Event;
use crate::item::{Item, LineBalance, is_receivable};
use crate::note::tax::{taxed_twice, with_tax};
use crate::note::{Note, NoteByHand, NoteLine, NoteReason, Release};
use crate::refusal::{Refusal, check_name, check_text};
use crate::state::{Series, State};

/// By how much the clocks of two machines that record acts may differ.
const CLOCKS_DIFFER_US: i64 = 3_600_000_000;

/// The change of one line.
pub(crate) struct Change {
    pub(crate) line_id: String,
    pub(crate) currency: String,
    pub(crate) amount_minor: i128,
    /// The line as it stands; for a new line, as it will be.
    pub(crate) line: LineBalance,
    pub(crate) computed_minor: Option<i128>,
}

impl Change {
    pub(crate) fn stored(self) -> NoteLine {
        NoteLine {
            line_id: self.line_id,
            kind: self.line.kind,
            description: self.line.description,
            quantity: self.line.quantity,
            unit: self.line.unit,
            before_minor: Minor(self.line.billed_minor),
            amount_minor: Minor(self.amount_minor),
            after_minor: Minor(self.line.billed_minor + self.amount_minor),
            computed_minor: self.computed_minor.map(Minor),
            currency: self.currency,
            tax: self.line.tax,
        }
    }

    /// What the customer owes more because of it.
    pub(crate) fn effect_minor(&self) -> i128 {
        if is_receivable(&self.line.kind) { self.amount_minor } else { -self.amount_minor }
    }
}

impl State {
    /// The note of some changes, with its number and the parts of payments that it frees.
    pub(crate) fn note_of(
        &self,
        item: &Item,
        series: Series,
        reason: NoteReason,
        changes: Vec<Change>,
        at_us: i64,
    ) -> Result<Event, Refusal> {
        let number = self.next_in(series, &item.legal_entity);
        let lines: Vec<NoteLine> = changes.into_iter().map(Change::stored).collect();
        let sums = lines.iter().map(|line| (line.currency.clone(), line.amount_minor.0));
        let note = Note {
            note_id: note_id(&item.legal_entity, &number)?,
            number,
            legal_entity: item.legal_entity.clone(),
            customer_id: item.customer_id.clone(),
            invoice_id: item.id.clone(),
            invoice_number: item.number.clone(),
            totals: totals(sums),
            released: self.releases(item, &lines),
            settled: self.settled_by_cancel(item, &reason, &lines),
            reason,
            lines,
            at_us,
        };
        Ok(match series {
            Series::Credit => Event::CreditNoteIssued(Box::new(note)),
            _ => Event::DebitNoteIssued(Box::new(note)),
        })
    }

    /// What payments settled beyond what is owed after some lines, the latest payments first.
    pub(crate) fn releases(&self, item: &Item, lines: &[NoteLine]) -> Vec<Release> {
        let mut effects: BTreeMap<&str, i128> = BTreeMap::new();
        for line in lines.iter().filter(|line| is_receivable(&line.kind)) {
            *effects.entry(&line.currency).or_default() += line.amount_minor.0;
        }
        let mut released = Vec::new();
        for (currency, effect) in effects {
            let mut beyond = -(item.open_minor(currency) + effect);
            let mut payments: Vec<_> = self
                .payments()
                .filter(|payment| payment.amount.currency == currency)
                .filter_map(|payment| payment.allocated.get(&item.id).map(|minor| (payment, *minor)))
                .collect();
            payments.sort_by_key(|(payment, _)| (payment.received_us, payment.payment_id.clone()));
            for (payment, allocated) in payments.into_iter().rev() {
                let amount = allocated.min(beyond);
                if amount > 0 {
                    beyond -= amount;
                    released.push(Release {
                        payment_id: payment.payment_id.clone(),
                        amount_minor: Minor(amount),
                        currency: currency.to_owned(),
                    });
                }
            }
        }
        released
    }

    pub(crate) fn decide_note_by_hand(&self, asked: &NoteByHand) -> Result<Vec<Event>, Refusal> {
        let item = self.standing_item(&asked.invoice_id)?;
        check_name("the reference", &asked.reference)?;
        check_text("the reason", &asked.text)?;
        let key = (item.legal_entity.clone(), asked.reference.clone());
        if let Some(existing) = self.notes_by_reference.get(&key).and_then(|id| self.notes.get(id)) {
            let sums = asked.lines.iter().map(|l| (l.amount.currency.clone(), l.amount.amount_minor.0));
            let decided = existing.lines.iter().filter(|line| !line.follows());
            let existing_sums = decided.map(|line| (line.currency.clone(), line.amount_minor.0));
            return Err(if existing.invoice_id == item.id && totals(existing_sums) == totals(sums) {
                Refusal::AlreadyRecorded { id: existing.note_id.clone() }
            } else {
                Refusal::ReferenceReused {
                    legal_entity: key.0,
                    reference: key.1,
                    id: existing.note_id.clone(),
                }
            });
        }
        let changes = self.changes_by_hand(item, asked)?;
        let series = direction(&changes)?;
        let reason = NoteReason::ByHand { reference: asked.reference.clone(), text: asked.text.clone() };
        Ok(vec![self.note_of(item, series, reason, with_tax(item, changes)?, asked.at_us)?])
    }

    fn changes_by_hand(&self, item: &Item, asked: &NoteByHand) -> Result<Vec<Change>, Refusal> {
        let mut changes: Vec<Change> = Vec::new();
        for wanted in &asked.lines {
            check_signed("the amount of a note's line", &wanted.amount)?;
            let line = line_of(item, &wanted.line_id, &wanted.amount.currency)?;
            if changes.iter().any(|c| c.line_id == wanted.line_id && c.currency == wanted.amount.currency) {
                return Err(Refusal::mismatch(
                    &asked.invoice_id,
                    format!("line {} stands there twice", wanted.line_id),
                ));
            }
            changes.push(Change {
                line_id: wanted.line_id.clone(),
                currency: wanted.amount.currency.clone(),
                amount_minor: wanted.amount.amount_minor.0,
                line: line.clone(),
                computed_minor: None,
            });
        }
        for change in &changes {
            check_not_over(item, change)?;
        }
        if let Some((tax, taxed)) = taxed_twice(&changes) {
            return Err(Refusal::TaxFollows {
                invoice_id: asked.invoice_id.clone(),
                line_id: tax.to_owned(),
                taxed: taxed.to_owned(),
            });
        }
        Ok(changes)
    }

    pub(crate) fn decide_void(
        &self,
        invoice_id: &str,
        text: &str,
        at_us: i64,
    ) -> Result<Vec<Event>, Refusal> {
        check_text("the reason", text)?;
        let item = self.standing_item(invoice_id)?;
        // The clocks of two machines may differ a little.
        let at_us = if item.last_us.saturating_sub(at_us) <= CLOCKS_DIFFER_US {
            at_us.max(item.last_us)
        } else {
            at_us
        };
        check_after_all(item, at_us)?;
        let changes: Vec<Change> = item
            .lines
            .iter()
            .filter(|(_, line)| line.billed_minor != 0)
            .map(|((line_id, currency), line)| Change {
                line_id: line_id.clone(),
                currency: currency.clone(),
                amount_minor: -line.billed_minor,
                line: line.clone(),
                computed_minor: None,
            })
            .collect();
        let reason = NoteReason::Void { text: text.to_owned() };
        Ok(vec![self.note_of(item, Series::Credit, reason, changes, at_us)?])
    }

    /// An issued invoice that is neither void nor written off.
    pub(crate) fn standing_item(&self, invoice_id: &str) -> Result<&Item, Refusal> {
        let item = self.item_of(invoice_id)?;
        if !item.voided && !item.written_off {
            return Ok(item);
        }
        Err(Refusal::WrongState {
            what: "invoice",
            id: invoice_id.to_owned(),
            state: if item.voided { "void" } else { "written_off" },
            needed: "issued",
        })
    }
}

pub(crate) fn line_of<'a>(item: &'a Item, line_id: &str, currency: &str) -> Result<&'a LineBalance, Refusal> {
    item.lines.get(&(line_id.to_owned(), currency.to_owned())).ok_or_else(|| Refusal::NoSuchLine {
        invoice_id: item.id.clone(),
        line_id: line_id.to_owned(),
        currency: currency.to_owned(),
    })
}

/// Checks that a decision takes no line beyond zero.
pub(crate) fn check_not_over(item: &Item, change: &Change) -> Result<(), Refusal> {
    let (before, after) = (change.line.billed_minor, change.line.billed_minor + change.amount_minor);
    // To zero and not beyond it; away from zero it is a further charge or a larger credit line.
    let beyond = (before > 0 && after < 0) || (before < 0 && after > 0) || before == 0 && after < 0;
    if !beyond {
        return Ok(());
    }
    Err(Refusal::OverCredited {
        invoice_id: item.id.clone(),
        line_id: change.line_id.clone(),
        billed: money_text(before, &change.currency),
        credit: money_text(change.amount_minor, &change.currency),
        currency: change.currency.clone(),
    })
}

/// Checks that a void is not dated before something that it takes back: between the two a statement would show less
/// than nothing.
pub(crate) fn check_after_all(item: &Item, at_us: i64) -> Result<(), Refusal> {
    if at_us >= item.last_us {
        return Ok(());
    }
    Err(Refusal::BeforeLast { invoice_id: item.id.clone(), at_us, last_us: item.last_us })
}

/// The note type of changes by decision, which all go in one direction.
fn direction(changes: &[Change]) -> Result<Series, Refusal> {
    let up = changes.iter().filter(|change| change.effect_minor() > 0).count();
    match (up, changes.len()) {
        (_, 0) => Err(Refusal::mismatch("the note", "it has no lines")),
        (0, _) => Ok(Series::Credit),
        (up, all) if up == all => Ok(Series::Debit),
        _ => Err(Refusal::mismatch("the note", "it credits and charges; make one of each")),
    }
}

/// The id of a note: follows from its issuer and number.
pub(crate) fn note_id(legal_entity: &str, number: &str) -> Result<String, Refusal> {
    id_of("note", &[legal_entity, number])
}

/// An id that follows from some texts.
pub(crate) fn id_of(prefix: &str, parts: &[&str]) -> Result<String, Refusal> {
    let hash = canonical::digest(&parts).map_err(|error| Refusal::mismatch(prefix, error.to_string()))?;
    Ok(format!("{prefix}_{}", &hash.to_string()[..20]))
}
