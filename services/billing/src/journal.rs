//! The state of the ledger, as far as this process has read it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tracing::{info, warn};
use wb_ledger::{Applied, Chain, Command, Event, Invoice, LedgerRecord, Note, Review, State, decide};

use crate::error::BillerError;
use crate::ports::LedgerLog;

/// After how many lost appends the biller gives up. Each loss means that another writer won, so only a runaway writer
/// reaches this.
const ATTEMPTS_MAX: u32 = 1_000;

/// An issued invoice and its place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedDocument {
    /// The offset of its record in the ledger.
    pub ledger_offset: u64,
    /// The offset up to which the ledger was read to compute it: that of its draft, if it had one.
    pub computed_offset: u64,
    /// The document.
    pub invoice: Invoice,
}

/// A credit or debit note and its place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteDocument {
    /// The offset of its record in the ledger.
    pub ledger_offset: u64,
    /// Whether it is a credit note; otherwise it is a debit note.
    pub is_credit: bool,
    /// The document.
    pub note: Note,
}

/// A record of the ledger for readers: what happened, by whom, why and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The offset of the record.
    pub ledger_offset: u64,
    /// The kind of event.
    pub kind: &'static str,
    /// Who decided.
    pub who: String,
    pub why: String,
    /// When it was written, UTC microseconds.
    pub at_us: i64,
}

/// Chain, state and documents, folded from the log in offset order.
#[derive(Default)]
pub(crate) struct Journal {
    chain: Chain,
    state: State,
    invoices: BTreeMap<String, Arc<IssuedDocument>>,
    notes: BTreeMap<String, Arc<NoteDocument>>,
    histories: BTreeMap<String, Vec<HistoryEntry>>,
    /// The offset of each invoice's last draft.
    drafted: BTreeMap<String, u64>,
}

impl Journal {
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn invoice(&self, invoice_id: &str) -> Option<&Arc<IssuedDocument>> {
        self.invoices.get(invoice_id)
    }

    /// The latest invoice of a contract's month: the one that is not replaced.
    pub(crate) fn invoice_of(&self, contract_id: &str, period: &str) -> Option<&Arc<IssuedDocument>> {
        let of_month = |document: &&Arc<IssuedDocument>| {
            document.invoice.contract_id == contract_id && document.invoice.period.text == period
        };
        self.invoices.values().filter(of_month).max_by_key(|document| document.ledger_offset)
    }

    /// The draft of a contract's month that has no number yet.
    pub(crate) fn review_of(&self, contract_id: &str, period: &str) -> Option<&Review> {
        self.state
            .reviews()
            .find(|review| review.draft.contract_id == contract_id && review.draft.period.text == period)
    }

    pub(crate) fn invoices(&self) -> impl Iterator<Item = &Arc<IssuedDocument>> {
        self.invoices.values()
    }

    /// A note by its number or id.
    pub(crate) fn note(&self, name: &str) -> Option<&Arc<NoteDocument>> {
        self.notes.get(name).or_else(|| self.notes.values().find(|document| document.note.note_id == name))
    }

    pub(crate) fn notes(&self) -> impl Iterator<Item = &Arc<NoteDocument>> {
        self.notes.values()
    }

    pub(crate) fn notes_of(&self, invoice_id: &str) -> impl Iterator<Item = &Arc<NoteDocument>> {
        self.notes.values().filter(move |document| document.note.invoice_id == invoice_id)
    }

    pub(crate) fn history(&self, invoice_id: &str) -> &[HistoryEntry] {
        self.histories.get(invoice_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Reads the log to its end. Returns the offsets of the records that won.
    ///
    /// A record that stops the fold is read again by the next call; no record is applied in part.
    pub(crate) async fn refresh<L: LedgerLog>(&mut self, log: &L) -> Result<BTreeSet<u64>, BillerError> {
        let mut won = BTreeSet::new();
        for (offset, bytes) in log.read_all_from(self.chain.next_offset()).await? {
            let mut chain = self.chain.clone();
            match chain.apply(offset, &bytes) {
                Applied::Won { record, .. } => {
                    self.take(offset, &record)?;
                    won.insert(offset);
                }
                Applied::Lost { hash, predecessor } => {
                    info!(offset, %hash, %predecessor, "a ledger record lost: it follows a record that is not the head");
                }
                Applied::Invalid(error) => {
                    warn!(offset, code = error.code(), %error, "a ledger record is invalid and does not count");
                }
            }
            self.chain = chain;
        }
        Ok(won)
    }

    fn take(&mut self, offset: u64, record: &LedgerRecord) -> Result<(), BillerError> {
        let event = Event::read(&record.kind, &record.body)
            .map_err(|source| BillerError::Event { offset, source })?;
        self.state.apply(&event).map_err(|source| BillerError::Inconsistent { offset, source })?;
        if let Some(invoice_id) = event.invoice_id() {
            self.histories.entry(invoice_id.to_owned()).or_default().push(HistoryEntry {
                ledger_offset: offset,
                kind: event.kind(),
                who: record.who.clone(),
                why: record.why.clone(),
                at_us: record.at_us,
            });
        }
        match event {
            Event::DraftMade(made) => {
                self.drafted.insert(made.draft.invoice_id.clone(), offset);
            }
            Event::InvoiceIssued(invoice) => {
                let computed_offset = self.drafted.remove(&invoice.invoice_id).unwrap_or(offset);
                let document = IssuedDocument { ledger_offset: offset, computed_offset, invoice: *invoice };
                self.invoices.insert(document.invoice.invoice_id.clone(), Arc::new(document));
            }
            Event::CreditNoteIssued(note) => self.keep_note(offset, true, *note),
            Event::DebitNoteIssued(note) => self.keep_note(offset, false, *note),
            _ => {}
        }
        Ok(())
    }

    fn keep_note(&mut self, ledger_offset: u64, is_credit: bool, note: Note) {
        self.notes.insert(note.number.clone(), Arc::new(NoteDocument { ledger_offset, is_credit, note }));
    }

    /// Decides a command on the newest state and appends the result until it wins or is refused. Returns the events
    /// that won; empty if there was nothing to do.
    pub(crate) async fn execute<L: LedgerLog>(
        &mut self,
        log: &L,
        command: &Command,
        (who, why, at_us): (&str, &str, i64),
    ) -> Result<Vec<Event>, BillerError> {
        let mut lost = 0;
        let mut done = Vec::new();
        self.refresh(log).await?;
        'again: while lost < ATTEMPTS_MAX {
            for event in decide(&self.state, command)? {
                let body = event
                    .body()
                    .map_err(|source| BillerError::Event { offset: self.chain.next_offset(), source })?;
                let record = LedgerRecord::new(self.chain.head(), event.kind(), body, who, why, at_us);
                let bytes = record.to_bytes()?;
                let offset = log.append(bytes).await?;
                let won = self.refresh(log).await?;
                if self.chain.next_offset() <= offset {
                    return Err(BillerError::LostTail { offset });
                }
                // Compared by offset: another writer may have appended the same bytes, and one of the two won.
                if !won.contains(&offset) {
                    lost += 1;
                    continue 'again;
                }
                done.push(event);
            }
            return Ok(done);
        }
        Err(BillerError::Crowded { attempts: lost })
    }
}
