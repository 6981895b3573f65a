//! Notes that cancel others. What a cancelled credit note freed of payments settles the invoice again, as far as it is
//! left; a cancelled late fee is charged again by the next run, from where the cancelled one began.

use crate::event::Event;
use crate::item::Item;
use crate::note::decide::{Change, check_not_over, line_of};
use crate::note::tax::{Again, following, key_of, with_tax};
use crate::note::{IssuedNote, Note, NoteLine, NoteReason, Release};
use crate::refusal::{Refusal, check_text};
use crate::state::{Series, State};

impl State {
    /// A note by its id or number.
    #[must_use]
    pub fn note(&self, name: &str) -> Option<&IssuedNote> {
        self.notes.get(name).or_else(|| self.notes.values().find(|note| note.number == name))
    }

    /// The refusal of an unknown note.
    #[must_use]
    pub fn no_such_note(&self, name: &str) -> Refusal {
        let known = self.notes.iter().flat_map(|(id, note)| [id.as_str(), note.number.as_str()]);
        Refusal::no_such("note", name, known)
    }

    pub(crate) fn decide_cancel(&self, name: &str, text: &str, at_us: i64) -> Result<Vec<Event>, Refusal> {
        check_text("the reason", text)?;
        let note = self.note(name).ok_or_else(|| self.no_such_note(name))?;
        if let Some(by) = &note.cancelled_by {
            return Err(Refusal::AlreadyRecorded { id: by.clone() });
        }
        let item = self.standing_item(&note.invoice_id)?;
        check_cancellable(item, note)?;
        let changes = undone(item, note)?;
        for (line, change) in note.lines.iter().filter(|line| !line.follows()).zip(&changes) {
            if !returns(line, change.line.billed_minor + change.amount_minor) {
                check_not_over(item, change)?;
            }
        }
        let changes = with_tax(item, changes)?;
        let reason = NoteReason::Cancels {
            note_id: note.note_id.clone(),
            number: note.number.clone(),
            text: text.to_owned(),
            of: Box::new(note.reason.clone()),
        };
        let series = if note.series == Series::Credit { Series::Debit } else { Series::Credit };
        // Not before what it takes back, so that no statement shows the one without the other.
        Ok(vec![self.note_of(item, series, reason, changes, at_us.max(note.at_us))?])
    }

    /// Checks that a note cancels another one, which stands.
    pub(crate) fn check_cancels(&self, series: Series, item: &Item, note: &Note) -> Result<(), Refusal> {
        let NoteReason::Cancels { note_id, number, of, .. } = &note.reason else { return Ok(()) };
        let cancelled = self.notes.get(note_id).ok_or_else(|| self.no_such_note(note_id))?;
        if let Some(by) = &cancelled.cancelled_by {
            return Err(Refusal::AlreadyRecorded { id: by.clone() });
        }
        check_cancellable(item, cancelled)?;
        let changes = undone(item, cancelled)?;
        let decided: Vec<&NoteLine> = note.lines.iter().filter(|line| !line.follows()).collect();
        let same_lines = decided.len() == changes.len()
            && decided.iter().zip(&changes).all(|(new, change)| {
                (&new.line_id, &new.currency, new.amount_minor.0)
                    == (&change.line_id, &change.currency, change.amount_minor)
            })
            && cancelled.lines.iter().filter(|line| !line.follows()).zip(decided).all(|(old, new)| {
                new.after_minor.0 >= 0 || new.before_minor.0 < 0 || returns(old, new.after_minor.0)
            });
        let same = cancelled.number == *number
            && cancelled.reason == **of
            && cancelled.invoice_id == note.invoice_id
            && cancelled.series != series
            && note.at_us >= cancelled.at_us
            && same_lines;
        if same { Ok(()) } else { Err(Refusal::mismatch(&note.number, "it cancels something else")) }
    }

    /// What settles the invoice again when a note is cancelled that had freed it.
    pub(crate) fn settled_by_cancel(
        &self,
        item: &Item,
        reason: &NoteReason,
        lines: &[NoteLine],
    ) -> Vec<Release> {
        let NoteReason::Cancels { note_id, .. } = reason else { return Vec::new() };
        let Some(cancelled) = self.notes.get(note_id) else { return Vec::new() };
        self.settled_again(&cancelled.released, |currency| {
            let own = lines.iter().filter(|line| line.currency == currency && line.is_receivable());
            item.open_minor(currency) + own.map(|line| line.amount_minor.0).sum::<i128>()
        })
    }
}

/// The changes that take a note back, without the tax that follows from them: first those of the lines that did not
/// follow, in their order.
fn undone(item: &Item, note: &IssuedNote) -> Result<Vec<Change>, Refusal> {
    let undo = |line: &NoteLine| {
        Ok(Change {
            line_id: line.line_id.clone(),
            currency: line.currency.clone(),
            amount_minor: -line.amount_minor.0,
            line: line_of(item, &line.line_id, &line.currency)?.clone(),
            computed_minor: None,
        })
    };
    let decided = note.lines.iter().filter(|line| !line.follows());
    let mut changes = decided.map(undo).collect::<Result<Vec<Change>, Refusal>>()?;
    // Tax that an adjustment computed anew by other terms alone follows from none of the lines.
    let reached = following(item, &changes, &Again::default())?.reached;
    for line in note.lines.iter().filter(|line| line.follows() && !reached.contains(&key_of(line))) {
        changes.push(undo(line)?);
    }
    Ok(changes)
}

/// A void is answered by a new invoice, and a cancellation by a new note. Late fees build on those before them.
fn check_cancellable(item: &Item, note: &IssuedNote) -> Result<(), Refusal> {
    let wrong =
        |state, needed| Err(Refusal::WrongState { what: "note", id: note.number.clone(), state, needed });
    match &note.reason {
        NoteReason::Void { .. } => wrong("a void", "a note that is no void; reissue the invoice"),
        NoteReason::Cancels { .. } => {
            wrong("a cancellation", "a note that cancels nothing; issue a new note")
        }
        NoteReason::LateFee { to_us, .. } if item.fees.values().any(|fees| fees.until_us > *to_us) => {
            wrong("followed by a later late fee", "the latest late fee; cancel that one first")
        }
        _ => Ok(()),
    }
}

/// Whether a line that a cancel takes across zero is on the side on which the cancelled note found it.
fn returns(cancelled: &NoteLine, after_minor: i128) -> bool {
    cancelled.before_minor.0.signum() == after_minor.signum()
}
