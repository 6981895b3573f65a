//! Converts ledger records to the bytes of a file and its control totals.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use wb_ledger::{Event, Hash};

use crate::cell::{Cell, Column};
use crate::control::{Control, ControlFile, Totals};
use crate::document::{Corrected, Document};
use crate::entry::Entry;
use crate::error::ExportError;
use crate::journal::Journal;
use crate::request::Request;
use crate::rows::{self, Context};
use crate::sink::Sink;
use crate::words::Table;

/// A file in progress. Its bytes are taken piece by piece, so that memory holds at most the rows of one record, one
/// row group, and of each invoice its id and period for its notes.
pub struct Exporter {
    request: Request,
    columns: Vec<Column>,
    sink: Sink,
    totals: Totals,
    hasher: Sha256,
    bytes: u64,
    last_offset: Option<u64>,
    /// The invoices that notes may correct, by id.
    invoices: BTreeMap<String, Corrected>,
    journal: Journal,
}

/// The end of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The remaining bytes.
    pub bytes: Vec<u8>,
    /// The control totals of the whole file.
    pub control: Control,
}

impl Exporter {
    /// Starts a file.
    ///
    /// # Errors
    /// [`ExportError::Request`] if the options of the request do not go together, and [`ExportError::Parquet`] if the
    /// file cannot be started.
    pub fn new(request: Request) -> Result<Self, ExportError> {
        request.check()?;
        let columns = rows::columns(&request);
        let sink = Sink::new(&columns, &request)?;
        Ok(Self {
            request,
            columns,
            sink,
            totals: Totals::default(),
            hasher: Sha256::new(),
            bytes: 0,
            last_offset: None,
            invoices: BTreeMap::new(),
            journal: Journal::default(),
        })
    }

    /// States the legal entity of an invoice, a payment or a balance whose own record is not given to [`Self::push`].
    pub fn own(&mut self, id: &str, legal_entity: &str) {
        self.journal.own(id, legal_entity);
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Adds a record's rows. Records of other tables, periods or customers give none, so every caller gets the same
    /// file from the same ledger.
    ///
    /// # Errors
    /// [`ExportError`] if the record is out of order, does not add up or cannot be written. The file is then useless.
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), ExportError> {
        if let Some(last) = self.last_offset.filter(|last| *last >= entry.ledger_offset) {
            return Err(ExportError::Order { offset: entry.ledger_offset, last });
        }
        self.last_offset = Some(entry.ledger_offset);
        let Self { request, columns, sink, totals, invoices, journal, .. } = self;
        if request.customer().is_some_and(|id| id != entry.event.customer_id()) {
            return Ok(());
        }
        let mut emit = |totals: &mut Totals, cells: Vec<Cell>| {
            totals.row();
            sink.push(columns, cells)
        };
        let context = &mut Context { totals, emit: &mut emit };
        if request.table() == Table::Journal {
            if !request.table().kinds().contains(&entry.event.kind()) {
                return Ok(());
            }
            return rows::write_journal(entry, request, journal, context);
        }
        let is_of_entity = |of: &str| request.legal_entity().is_none_or(|wanted| wanted == of);
        match entry.event {
            // A note has the legal entity of its invoice.
            Event::InvoiceIssued(invoice)
                if invoice.period.text == request.period() && is_of_entity(&invoice.legal_entity) =>
            {
                let head =
                    Corrected { contract_id: invoice.contract_id.clone(), period: invoice.period.clone() };
                invoices.insert(invoice.invoice_id.clone(), head);
                rows::write(request, &Document::of_invoice(entry, invoice)?, context)
            }
            Event::CreditNoteIssued(note) => match invoices.get(&note.invoice_id) {
                Some(head) => {
                    rows::write(request, &Document::of_note(entry, "credit_note", note, head)?, context)
                }
                None => Ok(()),
            },
            Event::DebitNoteIssued(note) => match invoices.get(&note.invoice_id) {
                Some(head) => {
                    rows::write(request, &Document::of_note(entry, "debit_note", note, head)?, context)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The bytes written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        let bytes = self.sink.take();
        self.count(&bytes);
        bytes
    }

    /// Ends the file, which holds the ledger below `ledger_end`.
    ///
    /// # Errors
    /// [`ExportError::Unmapped`] if accounts of a journal have no name, and [`ExportError::Parquet`] if the end cannot
    /// be written.
    pub fn finish(mut self, ledger_end: u64) -> Result<Finished, ExportError> {
        self.journal.finish()?;
        // Bytes written before the end and at the end are returned together.
        let mut bytes = self.take();
        let rest = self.sink.finish()?;
        self.hasher.update(&rest);
        self.bytes = self.bytes.saturating_add(u64::try_from(rest.len()).unwrap_or(u64::MAX));
        bytes.extend_from_slice(&rest);
        let file = ControlFile {
            name: self.request.file_name(),
            bytes: self.bytes,
            sha256: Hash::from_bytes(self.hasher.finalize().into()),
        };
        let mut control = self.totals.into_control(&self.request, &self.columns, ledger_end, file);
        control.parts = self.journal.parts();
        Ok(Finished { bytes, control })
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }
}
