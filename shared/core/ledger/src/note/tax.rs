//! Tax follows what it taxes, at the rate and in the jurisdiction of the invoice.
//!
//! ```text
//! tax    = half_even(sum of what stands of the taxed lines x percent / 100)
//! target = max(tax + by hand, min(0, tax))
//! amount = target - what stands
//! ```
//!
//! The tax is computed from what stands and not from what a note credits, so that it does not depend on how many notes
//! there are: after all is credited the tax is zero. What a person credited of the tax itself stays credited.

use std::collections::{BTreeMap, BTreeSet};

use wb_rating::{Exact, LineTax};
use wb_units::Currency;

use crate::item::{Item, LineBalance};
use crate::note::decide::Change;
use crate::note::{Note, NoteLine, NoteReason};
use crate::refusal::Refusal;

/// The id of a line and its currency.
pub(crate) type LineKey = (String, String);

/// The lines of tax that are computed again, whether what they tax changes or not.
#[derive(Default)]
pub(crate) struct Again {
    lines: BTreeMap<LineKey, LineBalance>,
}

/// What follows from the changes of other lines.
pub(crate) struct Following {
    /// The changes of lines of tax, by their keys.
    pub(crate) changes: Vec<Change>,
    /// The lines of tax that were computed again, changed or not.
    pub(crate) reached: BTreeSet<LineKey>,
}

/// A line of tax in its computation.
struct TaxLine<'a> {
    line: &'a LineBalance,
    tax: LineTax,
    /// What the item's own terms would come to, where others are given.
    before: Option<&'a LineTax>,
    /// The last computed base and tax.
    computed: Option<(i128, i128)>,
}

impl Again {
    /// Computes a line again by the terms that it has.
    pub(crate) fn add(&mut self, key: LineKey, line: LineBalance) {
        self.lines.insert(key, line);
    }
}

/// The changes of lines of tax that follow from changes of other lines.
pub(crate) fn following(item: &Item, changes: &[Change], again: &Again) -> Result<Following, Refusal> {
    let mut stands: BTreeMap<LineKey, i128> =
        item.lines.iter().map(|(key, line)| (key.clone(), line.billed_minor)).collect();
    let mut touched: BTreeSet<LineKey> = BTreeSet::new();
    for change in changes {
        let key = (change.line_id.clone(), change.currency.clone());
        stands.insert(key.clone(), change.line.billed_minor + change.amount_minor);
        touched.insert(key);
    }
    // A line of tax that the changes name stands as they say.
    let mut taxes = tax_lines(item, again);
    taxes.retain(|key, _| !touched.contains(key));
    // Taxes on taxes settle after as many passes as there are lines.
    for _ in 0..=taxes.len() {
        let mut is_moved = false;
        for (key, line) in &mut taxes {
            let of = |id: &String| (id.clone(), key.1.clone());
            let is_reached = line.tax.of.iter().map(of).any(|taxed| touched.contains(&taxed));
            if !is_reached && !again.lines.contains_key(key) {
                continue;
            }
            let base = base_of(&line.tax, &key.1, &stands).ok_or_else(|| overflow(item, &key.0))?;
            let tax = line.tax.on_minor(base).ok_or_else(|| overflow(item, &key.0))?;
            line.computed = Some((base, tax));
            let target = tax
                .checked_add(line.line.by_hand_minor)
                .map(|sum| sum.max(tax.min(0)))
                .ok_or_else(|| overflow(item, &key.0))?;
            if stands.insert(key.clone(), target).unwrap_or(0) != target {
                touched.insert(key.clone());
                is_moved = true;
            }
        }
        if !is_moved {
            break;
        }
    }
    let mut found = Following { changes: Vec::new(), reached: BTreeSet::new() };
    for (key, line) in taxes {
        let Some((base, tax)) = line.computed else { continue };
        let billed = item.lines.get(&key).map_or(0, |stands| stands.billed_minor);
        let amount_minor = stands.get(&key).copied().unwrap_or(0) - billed;
        let by_old_terms = line
            .before
            .and_then(|before| base_of(before, &key.1, &stands).and_then(|base| before.on_minor(base)));
        if amount_minor != 0 || by_old_terms.is_some_and(|old| old != tax) {
            found.changes.push(Change {
                amount_minor,
                line: LineBalance {
                    billed_minor: billed,
                    quantity: base_text(base, &key.1),
                    tax: Some(line.tax),
                    ..line.line.clone()
                },
                computed_minor: Some(tax),
                line_id: key.0.clone(),
                currency: key.1.clone(),
            });
        }
        found.reached.insert(key);
    }
    Ok(found)
}

/// Some changes with the tax that follows from them.
pub(crate) fn with_tax(item: &Item, mut changes: Vec<Change>) -> Result<Vec<Change>, Refusal> {
    let follows = following(item, &changes, &Again::default())?;
    changes.extend(follows.changes);
    Ok(changes)
}

/// The first changed line of tax whose taxed line is changed too, with that line.
pub(crate) fn taxed_twice(changes: &[Change]) -> Option<(&str, &str)> {
    changes.iter().find_map(|change| {
        let tax = change.line.tax.as_ref()?;
        let of = |other: &&Change| other.currency == change.currency && tax.of.contains(&other.line_id);
        changes.iter().find(of).map(|taxed| (change.line_id.as_str(), taxed.line_id.as_str()))
    })
}

/// Checks that the lines of tax of a note follow from its other lines.
pub(crate) fn check_taxes(item: &Item, note: &Note) -> Result<(), Refusal> {
    // A void takes everything back as it stands.
    if matches!(note.reason, NoteReason::Void { .. }) {
        return Ok(());
    }
    let (follow, decided): (Vec<&NoteLine>, Vec<&NoteLine>) =
        note.lines.iter().partition(|line| line.follows());
    let changes: Vec<Change> = decided.into_iter().map(|line| change_of(item, line)).collect();
    let mut again = Again::default();
    if let NoteReason::Adjustment { .. } = &note.reason {
        for line in &follow {
            again.add(key_of(line), change_of(item, line).line);
        }
    }
    let expected = following(item, &changes, &again)?.changes;
    let expected: Vec<NoteLine> = expected.into_iter().map(Change::stored).collect();
    if expected.iter().eq(follow) {
        return Ok(());
    }
    Err(Refusal::mismatch(&note.number, "its tax does not follow from what it corrects"))
}

pub(crate) fn key_of(line: &NoteLine) -> LineKey {
    (line.line_id.clone(), line.currency.clone())
}

/// A line of a note as the change of what stands.
fn change_of(item: &Item, line: &NoteLine) -> Change {
    let stands = item.lines.get(&key_of(line));
    Change {
        line_id: line.line_id.clone(),
        currency: line.currency.clone(),
        amount_minor: line.amount_minor.0,
        line: LineBalance {
            kind: line.kind.clone(),
            description: line.description.clone(),
            quantity: line.quantity.clone(),
            unit: line.unit.clone(),
            tax: line.tax.clone(),
            billed_minor: stands.map_or(0, |line| line.billed_minor),
            by_hand_minor: stands.map_or(0, |line| line.by_hand_minor),
            computed_minor: stands.map_or(0, |line| line.computed_minor),
        },
        computed_minor: line.computed_minor.map(|minor| minor.0),
    }
}

fn tax_lines<'a>(item: &'a Item, again: &'a Again) -> BTreeMap<LineKey, TaxLine<'a>> {
    let own = item.lines.iter().filter(|(key, _)| !again.lines.contains_key(key));
    own.chain(&again.lines)
        .filter_map(|(key, line)| {
            let tax = line.tax.clone()?;
            let before = item.lines.get(key).and_then(|stands| stands.tax.as_ref());
            let before = before.filter(|before| **before != tax);
            Some((key.clone(), TaxLine { line, tax, before, computed: None }))
        })
        .collect()
}

fn base_of(tax: &LineTax, currency: &str, stands: &BTreeMap<LineKey, i128>) -> Option<i128> {
    tax.of.iter().try_fold(0_i128, |sum, id| {
        sum.checked_add(stands.get(&(id.clone(), currency.to_owned())).copied().unwrap_or(0))
    })
}

/// The taxed sum as the quantity of a line of tax, in whole currency.
fn base_text(base_minor: i128, currency: &str) -> String {
    let scale = Currency::from_code(currency).map_or(0, Currency::scale);
    Exact::scaled(base_minor, scale).map_or_else(|| base_minor.to_string(), |exact| exact.to_string())
}

fn overflow(item: &Item, line_id: &str) -> Refusal {
    Refusal::mismatch(&item.id, format!("the tax of line {line_id} does not fit 128 bits"))
}
