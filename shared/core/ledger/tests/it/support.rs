//! Contracts, drafts and commands for tests of the books.

use std::collections::BTreeMap;

use wb_ledger::{
    Amount, Billed, BillingTerms, Command, ContractVersion, Draft, Event, Hash, Invoice, InvoiceHistory,
    LineAmount, NoteByHand, PaymentRequest, PeriodClosed, PeriodDocument, Posting, Settle, State, Step,
    decide, postings,
};
use wb_rating::{Line, LineTax, Period};
use wb_units::{Currency, Money};

pub(crate) const ENTITY: &str = "genesis-hosting";
/// 2009-02-01T00:00:00Z, the end of the period that is billed.
pub(crate) const END_US: i64 = 1_233_446_400_000_000;
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// A line: component, kind, minor units and currency.
pub(crate) type Part = (&'static str, &'static str, i128, Currency);

pub(crate) fn draft(contract_id: &str, customer_id: &str, cut: u64, parts: &[Part]) -> Draft {
    reviewed(contract_id, customer_id, cut, parts, 0)
}

/// A draft that so many persons must approve; due after 30 days, with late fees of 1.5 % a month.
pub(crate) fn reviewed(
    contract_id: &str,
    customer_id: &str,
    cut: u64,
    parts: &[Part],
    approvals: u32,
) -> Draft {
    let period = Period::month("2009-01", "UTC").unwrap();
    let lines = parts.iter().map(|(component, kind, minor, currency)| Line {
        id: format!("{contract_id}/{component}"),
        component: (*component).to_owned(),
        kind: (*kind).to_owned(),
        description: format!("{component} of {contract_id}"),
        quantity: minor.unsigned_abs().to_string(),
        unit: "kWh".to_owned(),
        unit_price: "0.01 USD/kWh".to_owned(),
        formula: "quantity x unit price".to_owned(),
        amount: Money { minor: *minor, currency: *currency },
        tax: (*kind == "tax").then(|| tax_on(contract_id)),
        inputs: vec![BTreeMap::from([("minor".to_owned(), minor.to_string())])],
    });
    Draft::new(Billed {
        legal_entity: ENTITY.to_owned(),
        customer_id: customer_id.to_owned(),
        contract_id: contract_id.to_owned(),
        contract_versions: vec![ContractVersion {
            start_us: period.interval.start_us,
            end_us: period.interval.end_us,
            digest: Hash::of(contract_id.as_bytes()),
        }],
        period: PeriodDocument::from(&period),
        terms: BillingTerms { approvals, late_fee_ppm: 15_000, ..BillingTerms::default() },
        lines: lines.collect(),
        cut,
        blocks: Vec::new(),
        days: Vec::new(),
        chain_heads: Vec::new(),
    })
    .unwrap()
}

pub(crate) fn close(draft: &Draft) -> Command {
    let document = draft.document();
    Command::ClosePeriod(PeriodClosed {
        contract_id: document.contract_id.clone(),
        customer_id: document.customer_id.clone(),
        period: document.period.clone(),
        cut: document.evidence.cut,
        incomplete: None,
    })
}

pub(crate) fn issue(draft: Draft) -> Command {
    Command::IssueInvoice(Box::new(draft.issued_at(END_US)))
}

pub(crate) fn step(invoice_id: &str, by: &str) -> Step {
    Step { invoice_id: invoice_id.to_owned(), by: by.to_owned(), at_us: END_US }
}

pub(crate) fn payment(reference: &str, customer_id: &str, minor: i128, settle: Settle) -> Command {
    Command::ReceivePayment(PaymentRequest {
        reference: reference.to_owned(),
        legal_entity: ENTITY.to_owned(),
        customer_id: customer_id.to_owned(),
        amount: Amount::new(minor, "USD"),
        received_us: END_US + 5 * DAY_US,
        settle,
    })
}

pub(crate) fn note(invoice_id: &str, reference: &str, line_id: &str, minor: i128) -> Command {
    Command::IssueNote(NoteByHand {
        invoice_id: invoice_id.to_owned(),
        reference: reference.to_owned(),
        text: "agreed".to_owned(),
        lines: vec![LineAmount { line_id: line_id.to_owned(), amount: Amount::new(minor, "USD") }],
        at_us: END_US + 6 * DAY_US,
    })
}

/// A ledger with everything that was decided, and its books.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) state: State,
    pub(crate) events: Vec<Event>,
    pub(crate) postings: Vec<Posting>,
}

impl Books {
    /// Decides a command and takes what was decided; the code of the refusal where there is one.
    pub(crate) fn act(&mut self, command: &Command) -> Result<Vec<Event>, &'static str> {
        let events = decide(&self.state, command).map_err(|refusal| refusal.code())?;
        for event in &events {
            self.state.apply(event).unwrap();
            self.postings.extend(postings(event));
            self.events.push(event.clone());
        }
        Ok(events)
    }

    /// The sum of an account of a customer in a currency.
    pub(crate) fn sum(&self, account: &str, customer_id: &str, currency: &str) -> i128 {
        self.postings
            .iter()
            .filter(|p| p.account.name() == account && p.customer_id == customer_id && p.currency == currency)
            .map(|posting| posting.amount_minor)
            .sum()
    }
}

/// A reader of the invoices alone finds each in the state of the whole ledger, whichever events are left out.
pub(crate) fn check_histories(books: &Books) {
    let issued = books.events.iter().filter_map(|event| match event {
        Event::InvoiceIssued(invoice) => Some((**invoice).clone()),
        _ => None,
    });
    let issued: Vec<Invoice> = issued.collect();
    let later = || books.events.iter().filter(|event| InvoiceHistory::KINDS.contains(&event.kind()));
    let all = InvoiceHistory::fold(issued.clone(), later()).unwrap();
    assert_eq!(all.len(), issued.len());
    for (history, invoice) in all.iter().zip(issued) {
        assert_eq!(Some(history.item()), books.state.item(&invoice.invoice_id));
        assert_eq!(*history.invoice(), invoice);
        let numbers: Vec<&String> = history.notes().map(|(_, note)| &note.number).collect();
        assert_eq!(numbers, history.item().notes.iter().collect::<Vec<_>>());
        assert_eq!(InvoiceHistory::fold(vec![invoice], later()).unwrap(), std::slice::from_ref(history));
    }
}

/// The tax of five percent on a component.
fn tax_on(contract_id: &str) -> LineTax {
    LineTax {
        jurisdiction: "GB".to_owned(),
        percent: "5".to_owned(),
        of: vec![format!("{contract_id}/power")],
    }
}

/// Five percent of what the power costs.
pub(crate) fn tax_minor(power_minor: i128) -> i128 {
    tax_on("").on_minor(power_minor).unwrap()
}
