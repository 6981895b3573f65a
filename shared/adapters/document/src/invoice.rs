//! The sheets of invoices, credit notes and debit notes.

use wb_ledger::{Invoice, InvoiceLine, Note, NoteLine, NoteReason, PeriodDocument, money_text};
use wb_units::Micros;
use wb_units::time::rfc3339;

use crate::formula::symbols;
use crate::language::Language;
use crate::number::decimal;
use crate::party::Parties;
use crate::sheet::{Annex, Cell, Column, Detail, Fact, Section, Sheet, Table};
use crate::shown::{price, quantity};

impl Sheet {
    /// The sheet of an invoice.
    #[must_use]
    pub fn of_invoice(invoice: &Invoice, parties: &Parties, language: Language) -> Self {
        let words = language.words();
        let mut facts = vec![
            Fact::new(words.number, &invoice.number),
            Fact::new(words.issued, language.day(invoice.issued_us())),
        ];
        facts.extend(invoice.dates.as_ref().map(|dates| Fact::new(words.due, language.day(dates.due_us))));
        facts.push(Fact::new(words.period, service_period(&invoice.period.text, language)));
        facts.extend(parties.purchase_order.as_ref().map(|order| Fact::new(words.purchase_order, order)));
        facts.push(Fact::new(words.contract, &invoice.contract_id));
        facts.extend(invoice.replaces.iter().map(|old| Fact::new(words.replaces, &old.number)));
        let totals = invoice.totals.iter().map(|total| {
            Fact::new(words.total, format!("{} {}", decimal(&total.amount, language), total.currency))
        });
        let table = Table {
            heading: String::new(),
            columns: columns(&[
                (words.description, false),
                (words.quantity, true),
                (words.unit_price, true),
                (words.amount, true),
            ]),
            rows: invoice.lines.iter().map(|line| row(line, language)).collect(),
            totals: totals.collect(),
        };
        let is_credited = invoice.lines.iter().any(|line| line.amount_minor.starts_with('-'));
        Self {
            language: language.tag(),
            title: format!("{} {}", words.invoice, invoice.number),
            id: invoice.invoice_id.clone(),
            dated_us: invoice.issued_us(),
            parties: party_sections(parties, language),
            facts,
            tables: vec![table],
            remark: remark(is_credited, language),
            sections: payment(parties, language),
            annexes: vec![formulas(invoice, language), evidence(invoice, language)],
            page_of: words.page_of.to_owned(),
        }
    }

    /// The sheet of a credit or a debit note. `period` is that of the corrected invoice, if it has one.
    #[must_use]
    pub fn of_note(
        note: &Note,
        is_credit: bool,
        period: Option<&PeriodDocument>,
        parties: &Parties,
        language: Language,
    ) -> Self {
        let words = language.words();
        let kind = if is_credit { words.credit_note } else { words.debit_note };
        let mut facts = vec![
            Fact::new(words.number, &note.number),
            Fact::new(words.issued, language.day(note.at_us)),
            Fact::new(words.corrects, &note.invoice_number),
        ];
        facts.extend(period.map(|period| Fact::new(words.period, service_period(&period.text, language))));
        facts.extend(parties.purchase_order.as_ref().map(|order| Fact::new(words.purchase_order, order)));
        facts.push(Fact::new(words.reason, reason(&note.reason, language)));
        let totals = note.totals.iter().map(|total| {
            Fact::new(words.total, format!("{} {}", decimal(&total.amount, language), total.currency))
        });
        let table = Table {
            heading: String::new(),
            columns: columns(&[
                (words.description, false),
                (words.before, true),
                (words.change, true),
                (words.after, true),
            ]),
            rows: note.lines.iter().map(|line| note_row(line, language)).collect(),
            totals: totals.collect(),
        };
        Self {
            language: language.tag(),
            title: format!("{kind} {}", note.number),
            id: note.note_id.clone(),
            dated_us: note.at_us,
            parties: party_sections(parties, language),
            facts,
            tables: vec![table],
            remark: words.to_pay.to_owned(),
            sections: if is_credit { Vec::new() } else { payment(parties, language) },
            annexes: Vec::new(),
            page_of: words.page_of.to_owned(),
        }
    }
}

pub(crate) fn columns(columns: &[(&str, bool)]) -> Vec<Column> {
    let column = |(heading, is_number): &(&str, bool)| Column {
        heading: (*heading).to_owned(),
        is_number: *is_number,
    };
    columns.iter().map(column).collect()
}

/// Issuer and customer, with addresses and tax ids.
pub(crate) fn party_sections(parties: &Parties, language: Language) -> Vec<Section> {
    let words = language.words();
    [(words.from, &parties.issuer), (words.bill_to, &parties.customer)]
        .map(|(heading, party)| Section { heading: heading.to_owned(), lines: party.lines(words.tax_id) })
        .to_vec()
}

pub(crate) fn payment(parties: &Parties, language: Language) -> Vec<Section> {
    if parties.payment.is_empty() {
        return Vec::new();
    }
    vec![Section { heading: language.words().payment.to_owned(), lines: parties.payment.clone() }]
}

fn remark(is_credited: bool, language: Language) -> String {
    let words = language.words();
    if is_credited { format!("{} {}", words.to_pay, words.rounded) } else { words.rounded.to_owned() }
}

/// The month in words, with its first and last day. The exact instants are in the annex, as the month is one of the
/// contract's time zone.
fn service_period(month: &str, language: Language) -> String {
    let named = language.month(month);
    let first = format!("{month}-01").parse::<jiff::civil::Date>();
    match first {
        Ok(first) => {
            format!("{named} ({} – {})", language.date(first), language.date(first.last_of_month()))
        }
        Err(_) => named,
    }
}

/// The day and the time of an instant in UTC, to the second.
fn instant(at_us: Micros) -> String {
    rfc3339(at_us).replace('T', " ").replace('Z', " UTC")
}

/// The text of the contract for a line; empty if it only repeats the kind.
fn description(kind: &str, text: &str, language: Language) -> String {
    // A component without its own description has that of its kind, in English.
    let repeats = [Language::English.kind(kind), language.kind(kind)]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(text));
    // What is a formula is in the annex.
    if repeats || text.contains('^') { String::new() } else { text.to_owned() }
}

fn row(line: &InvoiceLine, language: Language) -> Vec<Cell> {
    let shown = quantity(&line.quantity, &line.unit, language);
    let unit_price = price(&line.unit_price, &line.unit, &shown, language);
    vec![
        Cell {
            strong: language.kind(&line.kind),
            text: description(&line.kind, &line.description, language),
        },
        Cell::text(shown.text()),
        Cell::text(unit_price),
        Cell::text(format!("{} {}", decimal(&line.amount, language), line.currency)),
    ]
}

fn note_row(line: &NoteLine, language: Language) -> Vec<Cell> {
    let money =
        |minor: i128| format!("{} {}", decimal(&money_text(minor, &line.currency), language), line.currency);
    let text = description(&line.kind, &line.description, language);
    vec![
        Cell {
            strong: language.kind(&line.kind),
            text: match &line.tax {
                Some(tax) => format!("{text}, {} %", decimal(&tax.percent, language)),
                None => text,
            },
        },
        Cell::text(money(line.before_minor.0)),
        Cell::text(money(line.amount_minor.0)),
        Cell::text(money(line.after_minor.0)),
    ]
}

fn reason(reason: &NoteReason, language: Language) -> String {
    let words = language.words();
    match reason {
        NoteReason::Dispute { text, .. }
        | NoteReason::Void { text }
        | NoteReason::ByHand { text, .. }
        | NoteReason::Cancels { text, .. } => text.clone(),
        NoteReason::LateFee { from_us, to_us, .. } => {
            format!("{} ({} – {})", words.late_fee, language.day(*from_us), language.day(*to_us))
        }
        NoteReason::Adjustment { .. } => words.adjustment.to_owned(),
    }
}

fn formulas(invoice: &Invoice, language: Language) -> Annex {
    let words = language.words();
    let details = invoice.lines.iter().map(|line| {
        let kind = language.kind(&line.kind);
        let text = if line.description.contains('^') { symbols(&line.description) } else { kind };
        Detail {
            id: line.id.clone(),
            words: format!("{text}: {} {}, {}", line.quantity, line.unit, words.exact),
            formula: symbols(&line.formula),
        }
    });
    Annex {
        heading: words.formulas.to_owned(),
        remark: words.formulas_remark.to_owned(),
        details: details.collect(),
        facts: Vec::new(),
    }
}

fn evidence(invoice: &Invoice, language: Language) -> Annex {
    let words = language.words();
    let evidence = &invoice.evidence;
    Annex {
        heading: words.evidence.to_owned(),
        remark: words.verify.to_owned(),
        details: Vec::new(),
        facts: vec![
            Fact::new(words.invoice_id, &invoice.invoice_id),
            Fact::new(words.period_start, instant(invoice.period.start_us)),
            Fact::new(words.period_end, instant(invoice.period.end_us)),
            Fact::new(words.cut, evidence.cut.to_string()),
            Fact::new(words.blocks, evidence.blocks_count.to_string()),
            Fact::new(words.chains, evidence.chain_heads.len().to_string()),
            Fact::new(words.bill_digest, invoice.bill_digest.to_string()),
            Fact::new(words.evidence_digest, invoice.evidence_digest.to_string()),
        ],
    }
}
