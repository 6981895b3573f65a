//! The checks of a note in the log, and its effect on its invoice.

use crate::amounts::totals;
use crate::event::Event;
use crate::note::decide::{check_after_all, note_id};
use crate::note::tax::check_taxes;
use crate::note::{IssuedNote, Note, NoteReason};
use crate::refusal::Refusal;
use crate::state::{Series, State};

impl State {
    pub(crate) fn check_note(&self, event: &Event, note: &Note) -> Result<(), Refusal> {
        let series = series_of(event);
        let wrong = |detail: String| Err(Refusal::mismatch(&note.number, detail));
        let item = self.standing_item(&note.invoice_id)?;
        let number = self.next_in(series, &item.legal_entity);
        if note.number != number || note.note_id != note_id(&item.legal_entity, &number)? {
            return wrong(format!("the next number is {number}"));
        }
        let same = note.legal_entity == item.legal_entity
            && note.customer_id == item.customer_id
            && note.invoice_number == item.number;
        if !same {
            return wrong("it has another issuer, customer or number than its invoice".to_owned());
        }
        let sums = note.lines.iter().map(|line| (line.currency.clone(), line.amount_minor.0));
        if totals(sums) != note.totals {
            return wrong("its totals are not the sums of its lines".to_owned());
        }
        for (index, line) in note.lines.iter().enumerate() {
            let key = (line.line_id.clone(), line.currency.clone());
            let stands = item.lines.get(&key).map_or(0, |stands| stands.billed_minor);
            if line.before_minor.0 != stands || line.after_minor.0 != stands + line.amount_minor.0 {
                return wrong(format!("line {} stands at {stands}", line.line_id));
            }
            if note.lines[..index].iter().any(|l| l.line_id == line.line_id && l.currency == line.currency) {
                return wrong(format!("line {} stands there twice", line.line_id));
            }
            // What a cancel may do is checked with what it cancels.
            let is_decided =
                line.computed_minor.is_none() && !matches!(note.reason, NoteReason::Cancels { .. });
            let credits_beyond = is_decided && stands >= 0 && line.after_minor.0 < 0;
            if credits_beyond {
                return wrong(format!("line {} is credited with more than stands", line.line_id));
            }
        }
        check_taxes(item, note)?;
        if self.releases(item, &note.lines) != note.released {
            return wrong("it does not free what payments settled too much".to_owned());
        }
        if self.settled_by_cancel(item, &note.reason, &note.lines) != note.settled {
            return wrong("it is settled by other payments than the cancelled note freed".to_owned());
        }
        match &note.reason {
            NoteReason::Adjustment { cut, .. } if *cut < item.cut => {
                Err(Refusal::OlderCut { invoice_id: item.id.clone(), cut: *cut, adjusted_cut: item.cut })
            }
            NoteReason::Dispute { dispute_id, .. } => self.check_dispute_note(dispute_id, note),
            NoteReason::LateFee { .. } => self.check_late_fee(item, note),
            NoteReason::Cancels { .. } => self.check_cancels(series, item, note),
            NoteReason::Void { .. } => check_after_all(item, note.at_us),
            NoteReason::ByHand { reference, .. } => {
                let key = (note.legal_entity.clone(), reference.clone());
                match self.notes_by_reference.get(&key) {
                    Some(id) => Err(Refusal::AlreadyRecorded { id: id.clone() }),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn apply_note(&mut self, event: &Event, note: &Note) {
        self.count_number(series_of(event), &note.legal_entity);
        for release in &note.released {
            self.move_allocation(&release.payment_id, &note.invoice_id, -release.amount_minor.0);
        }
        for part in &note.settled {
            self.move_allocation(&part.payment_id, &note.invoice_id, part.amount_minor.0);
        }
        if let NoteReason::Cancels { note_id, of, .. } = &note.reason {
            if let Some(cancelled) = self.notes.get_mut(note_id) {
                cancelled.cancelled_by = Some(note.number.clone());
            }
            if let NoteReason::Dispute { dispute_id, .. } = &**of {
                self.reopen_dispute(dispute_id);
            }
        }
        if let NoteReason::Void { .. } = &note.reason {
            self.freed_by_void.insert(note.invoice_id.clone(), note.released.clone());
        }
        if let NoteReason::Dispute { dispute_id, .. } = &note.reason {
            self.resolve_dispute(dispute_id, &note.number);
        }
        if let NoteReason::ByHand { reference, .. } = &note.reason {
            let key = (note.legal_entity.clone(), reference.clone());
            self.notes_by_reference.insert(key, note.note_id.clone());
        }
        self.notes.insert(
            note.note_id.clone(),
            IssuedNote {
                note_id: note.note_id.clone(),
                number: note.number.clone(),
                invoice_id: note.invoice_id.clone(),
                customer_id: note.customer_id.clone(),
                totals: note.totals.clone(),
                at_us: note.at_us,
                reason: note.reason.clone(),
                cancelled_by: None,
                series: series_of(event),
                lines: note.lines.clone(),
                released: note.released.clone(),
            },
        );
    }
}

fn series_of(event: &Event) -> Series {
    if matches!(event, Event::CreditNoteIssued(_)) { Series::Credit } else { Series::Debit }
}
