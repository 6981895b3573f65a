//! The documents that rows are made of: invoices, and credit and debit notes.

use std::collections::BTreeMap;

use wb_ledger::{Hash, Invoice, InvoiceLine, Note, NoteLine, PeriodDocument, Total};
use wb_units::Currency;

use crate::entry::Entry;
use crate::error::ExportError;
use crate::money::{currency_of, minor_of};

/// What a note takes from the invoice that it corrects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Corrected {
    pub(crate) contract_id: String,
    pub(crate) period: PeriodDocument,
}

/// An invoice or a note.
pub(crate) struct Document<'a> {
    pub(crate) ledger_offset: u64,
    pub(crate) record_hash: Hash,
    /// `invoice`, `credit_note` or `debit_note`.
    pub(crate) kind: &'static str,
    pub(crate) number: &'a str,
    pub(crate) id: &'a str,
    /// The number of the invoice that a note corrects.
    pub(crate) corrects: Option<&'a str>,
    pub(crate) issued_us: i64,
    pub(crate) due_us: Option<i64>,
    /// The period of the invoice, also for its notes.
    pub(crate) period: &'a PeriodDocument,
    pub(crate) customer_id: &'a str,
    pub(crate) legal_entity: &'a str,
    pub(crate) contract_id: &'a str,
    pub(crate) lines: Vec<Line<'a>>,
    totals: &'a [Total],
    /// The invoice; none for a note.
    pub(crate) invoice: Option<&'a Invoice>,
}

/// A line of an invoice or a note.
pub(crate) struct Line<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) description: &'a str,
    pub(crate) quantity: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) currency: Currency,
    pub(crate) minor: i128,
    /// The invoice's line; a note's line has no price, formula or inputs.
    pub(crate) invoiced: Option<&'a InvoiceLine>,
}

impl<'a> Document<'a> {
    pub(crate) fn of_invoice(entry: &Entry<'_>, invoice: &'a Invoice) -> Result<Self, ExportError> {
        let place = |line: &InvoiceLine| {
            format!("line {} of invoice {} ({})", line.id, invoice.number, invoice.invoice_id)
        };
        let line = |line: &'a InvoiceLine| {
            Ok(Line {
                id: &line.id,
                kind: &line.kind,
                description: &line.description,
                quantity: &line.quantity,
                unit: &line.unit,
                currency: currency_of(&line.currency, || place(line))?,
                minor: minor_of(&line.amount_minor, || place(line))?,
                invoiced: Some(line),
            })
        };
        Ok(Self {
            ledger_offset: entry.ledger_offset,
            record_hash: entry.record_hash,
            kind: "invoice",
            number: &invoice.number,
            id: &invoice.invoice_id,
            corrects: None,
            issued_us: invoice.issued_us(),
            due_us: invoice.dates.as_ref().map(|dates| dates.due_us),
            period: &invoice.period,
            customer_id: &invoice.customer_id,
            legal_entity: &invoice.legal_entity,
            contract_id: &invoice.contract_id,
            lines: invoice.lines.iter().map(line).collect::<Result<_, ExportError>>()?,
            totals: &invoice.totals,
            invoice: Some(invoice),
        })
    }

    pub(crate) fn of_note(
        entry: &Entry<'_>,
        kind: &'static str,
        note: &'a Note,
        corrected: &'a Corrected,
    ) -> Result<Self, ExportError> {
        let line = |line: &'a NoteLine| {
            let place = || format!("line {} of note {} ({})", line.line_id, note.number, note.note_id);
            Ok(Line {
                id: &line.line_id,
                kind: &line.kind,
                description: &line.description,
                quantity: &line.quantity,
                unit: &line.unit,
                currency: currency_of(&line.currency, place)?,
                minor: line.amount_minor.0,
                invoiced: None,
            })
        };
        Ok(Self {
            ledger_offset: entry.ledger_offset,
            record_hash: entry.record_hash,
            kind,
            number: &note.number,
            id: &note.note_id,
            corrects: Some(&note.invoice_number),
            issued_us: note.at_us,
            due_us: None,
            period: &corrected.period,
            customer_id: &note.customer_id,
            legal_entity: &note.legal_entity,
            contract_id: &corrected.contract_id,
            lines: note.lines.iter().map(line).collect::<Result<_, ExportError>>()?,
            totals: &note.totals,
            invoice: None,
        })
    }

    /// Its description in errors.
    pub(crate) fn place(&self) -> String {
        format!("{} {} ({})", self.kind.replace('_', " "), self.number, self.id)
    }

    /// Its sums by currency, sorted by code.
    pub(crate) fn sums(&self) -> Result<BTreeMap<&'static str, (Currency, i128)>, ExportError> {
        let mut sums = BTreeMap::new();
        for total in self.totals {
            let currency = currency_of(&total.currency, || self.place())?;
            sums.insert(currency.code(), (currency, minor_of(&total.amount_minor, || self.place())?));
        }
        Ok(sums)
    }

    /// Checks that the lines of every currency add up to its total, so that an export never shows a difference.
    pub(crate) fn check_sums(&self) -> Result<(), ExportError> {
        let mut sums: BTreeMap<&str, (i128, i128)> = BTreeMap::new();
        for line in &self.lines {
            let sum = sums.entry(line.currency.code()).or_default();
            sum.0 = sum.0.checked_add(line.minor).ok_or_else(|| ExportError::Width {
                place: self.place(),
                field: "the sum of the lines",
                given: format!("{} + {}", sum.0, line.minor),
                kind: "128 bits",
            })?;
        }
        for (code, (_, total)) in self.sums()? {
            sums.entry(code).or_default().1 = total;
        }
        match sums.into_iter().find(|(_, (lines, total))| lines != total) {
            None => Ok(()),
            Some((code, (lines, total))) => Err(ExportError::Unbalanced {
                place: self.place(),
                currency: code.to_owned(),
                left_name: "its lines are",
                left: lines,
                right_name: "its total is",
                right: total,
            }),
        }
    }
}
