//! What a journal in progress keeps between records: legal entities, accounts without a name, and parts.

use std::collections::{BTreeMap, BTreeSet};

use wb_ledger::{Books, Event};

use crate::entry::Entry;
use crate::error::ExportError;

/// What a journal keeps: of each invoice, payment and balance its legal entity.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    owners: BTreeMap<String, String>,
    /// Accounts that no mapping names.
    unmapped: BTreeSet<String>,
    part: Part,
}

/// The place in a file that is cut in parts.
#[derive(Debug)]
struct Part {
    number: u64,
    rows: usize,
}

impl Default for Part {
    fn default() -> Self {
        Self { number: 1, rows: 0 }
    }
}

impl Journal {
    /// Keeps the legal entity of an invoice, a payment or a balance.
    pub(crate) fn own(&mut self, id: &str, legal_entity: &str) {
        self.owners.insert(id.to_owned(), legal_entity.to_owned());
    }

    /// Keeps the legal entity that a record states.
    pub(crate) fn learn(&mut self, event: &Event) {
        match event {
            Event::InvoiceIssued(invoice) => self.own(&invoice.invoice_id, &invoice.legal_entity),
            Event::PaymentReceived(payment) => self.own(&payment.payment_id, &payment.legal_entity),
            Event::OpeningRecorded(opening) => self.own(&opening.item_id, &opening.legal_entity),
            _ => {}
        }
    }

    /// The legal entity in whose books a record is; of a record that states none, that of its invoice or payment.
    pub(crate) fn owner_of<'a>(&'a self, entry: &'a Entry<'_>) -> Result<&'a str, ExportError> {
        let id = match entry.event.books() {
            Some(Books::OfEntity(legal_entity)) => return Ok(legal_entity),
            Some(Books::OfPayment(id) | Books::OfInvoice(id)) => id,
            None => "",
        };
        self.owners.get(id).map(String::as_str).ok_or_else(|| ExportError::Owner {
            place: format!("the {} at ledger offset {}", entry.event.kind(), entry.ledger_offset),
            id: id.to_owned(),
        })
    }

    pub(crate) fn unmapped(&mut self, account: &str) {
        self.unmapped.insert(account.to_owned());
    }

    /// The number of the part that an entry is in; an entry is never cut.
    pub(crate) fn part_of(&mut self, rows: usize, rows_max: usize) -> u64 {
        let filled = self.part.rows.saturating_add(rows);
        if self.part.rows > 0 && filled > rows_max {
            self.part = Part { number: self.part.number.saturating_add(1), rows };
        } else {
            self.part.rows = filled;
        }
        self.part.number
    }

    /// Ends the journal.
    ///
    /// # Errors
    /// [`ExportError::Unmapped`] if accounts have no name. All are told at once.
    pub(crate) fn finish(&self) -> Result<(), ExportError> {
        match self.unmapped.first() {
            None => Ok(()),
            Some(example) => Err(ExportError::Unmapped {
                accounts: self.unmapped.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
                example: example.clone(),
            }),
        }
    }

    /// How many parts there are.
    pub(crate) fn parts(&self) -> u64 {
        self.part.number
    }
}
