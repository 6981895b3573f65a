//! The content of a document, without layout.

use serde::Serialize;
use wb_ledger::{Invoice, InvoiceLine};
use wb_units::Micros;
use wb_units::time::rfc3339;

use crate::language::Language;
use crate::number::{decimal, price};
use crate::party::Parties;

/// A document, as text in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sheet {
    /// The language tag.
    pub language: &'static str,
    /// The kind of document and its number.
    pub title: String,
    /// Its permanent id.
    pub id: String,
    /// The heading over the issuer, and the issuer's lines.
    pub from: (String, Vec<String>),
    /// The heading over the customer, and the customer's lines.
    pub to: (String, Vec<String>),
    /// Number, period, contract and other facts at its head.
    pub facts: Vec<Fact>,
    /// The headings of description, quantity, unit price and amount.
    pub headings: [String; 4],
    /// The lines.
    pub rows: Vec<Row>,
    /// The word for a total.
    pub total: String,
    /// The sums, one per currency.
    pub totals: Vec<Amount>,
    /// The explanation of signs.
    pub remark: String,
    /// The heading and the lines of payment instructions; empty if there are none.
    pub payment: (String, Vec<String>),
    /// The heading over the formulas.
    pub formulas: String,
    /// The formula of each line.
    pub details: Vec<Detail>,
    /// The heading over the evidence.
    pub evidence: String,
    /// The evidence of the document.
    pub proof: Vec<Fact>,
    /// How to verify it.
    pub verify: String,
    /// The word between a page's number and the number of pages.
    pub page_of: String,
}

/// A label and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub name: String,
    /// The value.
    pub value: String,
}

/// An amount of a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// The currency's code.
    pub currency: String,
    pub amount: String,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The kind of its component, in words.
    pub kind: String,
    /// The contract's description; empty if it only repeats the kind.
    pub description: String,
    /// The quantity.
    pub quantity: String,
    /// The unit.
    pub unit: String,
    pub unit_price: String,
    /// The amount.
    pub amount: String,
    pub currency: String,
}

/// The formula of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// The line's id.
    pub id: String,
    /// The formula, in terms of the contract and the ledger, which are not translated.
    pub formula: String,
}

impl Sheet {
    /// The sheet of an invoice. `due_us` is its due date, if the contract gives one.
    #[must_use]
    pub fn of_invoice(
        invoice: &Invoice,
        parties: &Parties,
        due_us: Option<Micros>,
        language: Language,
    ) -> Self {
        let words = language.words();
        let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
        let mut facts = vec![
            fact(words.number, invoice.number.clone()),
            fact(words.period, period(invoice, language)),
            fact(words.contract, invoice.contract_id.clone()),
            fact(words.invoice_id, invoice.invoice_id.clone()),
        ];
        facts.extend(due_us.map(|at_us| fact(words.due, language.day(at_us))));
        let evidence = &invoice.evidence;
        Self {
            language: language.tag(),
            title: format!("{} {}", words.invoice, invoice.number),
            id: invoice.invoice_id.clone(),
            from: (words.from.to_owned(), parties.issuer.lines()),
            to: (words.bill_to.to_owned(), parties.customer.lines()),
            facts,
            headings: [words.description, words.quantity, words.unit_price, words.amount].map(str::to_owned),
            rows: invoice.lines.iter().map(|line| row(line, language)).collect(),
            total: words.total.to_owned(),
            totals: invoice
                .totals
                .iter()
                .map(|total| Amount {
                    currency: total.currency.clone(),
                    amount: decimal(&total.amount, language),
                })
                .collect(),
            remark: words.to_pay.to_owned(),
            payment: (words.payment.to_owned(), parties.payment.clone()),
            formulas: words.formulas.to_owned(),
            details: invoice
                .lines
                .iter()
                .map(|line| Detail { id: line.id.clone(), formula: line.formula.clone() })
                .collect(),
            evidence: words.evidence.to_owned(),
            proof: vec![
                fact(words.cut, evidence.cut.to_string()),
                fact(words.blocks, evidence.blocks_count.to_string()),
                fact(words.chains, evidence.chain_heads.len().to_string()),
                fact(words.bill_digest, invoice.bill_digest.to_string()),
                fact(words.evidence_digest, invoice.evidence_digest.to_string()),
            ],
            verify: words.verify.to_owned(),
            page_of: words.page_of.to_owned(),
        }
    }
}

/// The month in words, with its bounds in UTC, because a month in another zone differs from one in UTC.
fn period(invoice: &Invoice, language: Language) -> String {
    let period = &invoice.period;
    format!("{} ({} / {})", language.month(&period.text), rfc3339(period.start_us), rfc3339(period.end_us))
}

fn row(line: &InvoiceLine, language: Language) -> Row {
    let kind = language.kind(&line.kind);
    // A component without its own description has that of its kind, in English.
    let says_more = ![Language::English.kind(&line.kind), kind.clone()]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(&line.description));
    Row {
        kind,
        description: if says_more { line.description.clone() } else { String::new() },
        quantity: decimal(&line.quantity, language),
        unit: line.unit.clone(),
        unit_price: price(&line.unit_price, language),
        amount: decimal(&line.amount, language),
        currency: line.currency.clone(),
    }
}
