//! Every line and total, computed again from contract, prices and usage.

use std::collections::{BTreeMap, BTreeSet};

use wb_events::topics;
use wb_ledger::{Billed, Draft, Invoice, InvoiceLine};
use wb_rating::{Contract, LineTax, Needs, RatedStretch};
use wb_units::{Currency, Money, with_causes};

use super::Fault;
use crate::bundle::Bundle;
use crate::report::{Findings, StepName};

const STEP: StepName = StepName::Lines;

/// Which lines depend on which topics.
pub(crate) struct LineIndex {
    by_start: BTreeMap<i64, Vec<String>>,
    by_topic: BTreeMap<&'static str, BTreeSet<String>>,
    all: Vec<String>,
}

/// The topics whose events a component's quantities come from, beside `reference`.
fn topics_of(needs: &Needs) -> Vec<&'static str> {
    let mut found = Vec::new();
    if needs.work || needs.work_slices {
        found.push(topics::SHARES);
    }
    if needs.energy || needs.energy_slices || needs.sites || needs.curtailed {
        found.extend([topics::ENERGY, topics::TELEMETRY]);
    }
    if needs.operation || needs.uptime {
        found.extend([topics::TELEMETRY, topics::GPU]);
    }
    if needs.gpu_spans {
        found.push(topics::GPU);
    }
    found
}

impl LineIndex {
    pub(super) fn new(invoice: &Invoice, stretches: &[RatedStretch]) -> Self {
        let mut by_start: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        let mut by_topic: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        let starts: BTreeSet<i64> =
            invoice.contract_versions.iter().map(|version| version.start_us).collect();
        let start_of = |line: &InvoiceLine| {
            let said = line.id.rsplit_once('@').and_then(|(_, start)| start.parse().ok());
            said.filter(|start| starts.contains(start)).unwrap_or(invoice.period.start_us)
        };
        for line in &invoice.lines {
            by_start.entry(start_of(line)).or_default().push(line.id.clone());
        }
        for stretch in stretches {
            let of_stretch = || invoice.lines.iter().filter(|line| start_of(line) == stretch.start_us);
            // A text that is no contract fails a step of its own; which topics its lines depend on is then unknown.
            let Ok(contract) = Contract::parse(&stretch.contract) else {
                for topic in topics::EVENT_TOPICS {
                    by_topic.entry(topic).or_default().extend(of_stretch().map(|line| line.id.clone()));
                }
                continue;
            };
            for component in &contract.components {
                let alone = Contract { components: vec![component.clone()], ..contract.clone() };
                let ids = of_stretch().filter(|line| line.component == component.id());
                let ids: Vec<String> = ids.map(|line| line.id.clone()).collect();
                for topic in topics_of(&alone.needs()) {
                    by_topic.entry(topic).or_default().extend(ids.iter().cloned());
                }
            }
        }
        let all: Vec<String> = invoice.lines.iter().map(|line| line.id.clone()).collect();
        Self { by_start, by_topic, all }
    }

    /// The lines of the version that holds from an instant on.
    pub(super) fn of_start(&self, start_us: i64) -> &[String] {
        self.by_start.get(&start_us).map(Vec::as_slice).unwrap_or_default()
    }

    /// All lines: for a failure that belongs to no topic.
    pub(super) fn all(&self) -> &[String] {
        &self.all
    }

    /// The lines whose quantities come from a topic. Facts are behind all of them.
    pub(super) fn of_topic(&self, topic: &str) -> Vec<String> {
        if topic == topics::REFERENCE {
            return self.all.clone();
        }
        self.by_topic.get(topic).map(|lines| lines.iter().cloned().collect()).unwrap_or_default()
    }
}

/// Compares lines and totals with what follows from contract, prices and usage.
pub(super) fn check(bundle: &Bundle, invoice: &Invoice, index: &LineIndex, findings: &mut Findings) {
    let mut expected: Vec<InvoiceLine> = Vec::new();
    let mut without: BTreeSet<&str> = BTreeSet::new();
    for stretch in &bundle.stretches {
        match rated(invoice, stretch) {
            Ok(lines) => expected.extend(lines),
            Err((code, text)) => {
                let lines = index.of_start(stretch.start_us);
                without.extend(lines.iter().map(String::as_str));
                let text = format!("the lines cannot be computed again: {text}");
                findings.fail(STEP, code, lines.iter().cloned(), text);
            }
        }
    }
    let mut by_id: BTreeMap<&str, Vec<&InvoiceLine>> = BTreeMap::new();
    for line in &expected {
        by_id.entry(&line.id).or_default().push(line);
    }
    let mut fail =
        |line: &str, text: String| findings.fail(STEP, Fault::Line.code(), [line.to_owned()], text);
    for line in &invoice.lines {
        if without.contains(line.id.as_str()) {
            continue;
        }
        let found =
            by_id.get_mut(line.id.as_str()).filter(|lines| !lines.is_empty()).map(|lines| lines.remove(0));
        match found {
            None => fail(&line.id, format!("line {}: nothing in contract and usage makes it", line.id)),
            Some(expected) => {
                for text in differences(line, expected) {
                    fail(&line.id, text);
                }
            }
        }
    }
    for line in by_id.into_values().flatten() {
        let text = format!(
            "line {}: it is not on the invoice; price, contract and usage make it {} {}",
            line.id, line.amount, line.currency
        );
        fail(&line.id, text);
    }
    let order = |lines: &[InvoiceLine]| lines.iter().map(|line| line.id.clone()).collect::<Vec<_>>();
    let (shown, computed) = (order(&invoice.lines), order(&expected));
    let is_same_set = || shown.iter().collect::<BTreeSet<_>>() == computed.iter().collect::<BTreeSet<_>>();
    if shown != computed && without.is_empty() && is_same_set() {
        findings.fail(STEP, Fault::Line.code(), [], "the lines are not in the contract's order".to_owned());
    }
    totals(invoice, index, findings);
    let text = format!("computed again from {} rated stretches, with their totals", bundle.stretches.len());
    findings.end(STEP, invoice.lines.len(), text);
}

/// A stretch's lines as an invoice holds them; or a code and the reason why not.
fn rated(invoice: &Invoice, stretch: &RatedStretch) -> Result<Vec<InvoiceLine>, (&'static str, String)> {
    let lines = stretch.rate().map_err(|error| (error.code(), with_causes(&error)))?;
    let billed = Billed {
        legal_entity: invoice.legal_entity.clone(),
        customer_id: invoice.customer_id.clone(),
        contract_id: invoice.contract_id.clone(),
        contract_versions: Vec::new(),
        period: invoice.period.clone(),
        terms: invoice.terms,
        lines,
        cut: invoice.evidence.cut,
        blocks: Vec::new(),
        days: Vec::new(),
        chain_heads: Vec::new(),
    };
    let draft = Draft::new(billed).map_err(|error| (error.code(), with_causes(&error)))?;
    Ok(draft.document().lines.clone())
}

/// How a line differs from what follows.
fn differences(line: &InvoiceLine, expected: &InvoiceLine) -> Vec<String> {
    if line == expected {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut compare = |what: &str, shown: &str, computed: &str| {
        if shown != computed {
            found.push(format!(
                "line {}: {what} {} on the invoice, {} by its price, contract and usage",
                line.id,
                shorten(shown),
                shorten(computed)
            ));
        }
    };
    // Every field is named, so that one that is added is not forgotten.
    let InvoiceLine {
        id: _,
        component,
        kind,
        description,
        quantity,
        unit,
        unit_price,
        formula,
        amount,
        amount_minor,
        currency,
        tax,
        inputs_count,
        inputs_digest,
        inputs,
    } = line;
    if *currency == expected.currency {
        compare("amount", amount, &expected.amount);
        compare("amount in minor units", amount_minor, &expected.amount_minor);
    } else {
        let text = |line: &InvoiceLine| format!("{} {}", line.amount, line.currency);
        compare("amount", &text(line), &text(expected));
    }
    compare("quantity", quantity, &expected.quantity);
    compare("unit", unit, &expected.unit);
    compare("unit price", unit_price, &expected.unit_price);
    compare("formula", formula, &expected.formula);
    compare("description", description, &expected.description);
    compare("component", component, &expected.component);
    compare("kind", kind, &expected.kind);
    compare("what it taxes", &taxed(tax.as_ref()), &taxed(expected.tax.as_ref()));
    compare("number of inputs", &inputs_count.to_string(), &expected.inputs_count.to_string());
    compare("digest of inputs", &inputs_digest.to_string(), &expected.inputs_digest.to_string());
    if *inputs != expected.inputs {
        found.push(format!(
            "line {}: the inputs it lists are not those that its price, contract and usage give",
            line.id
        ));
    }
    found
}

/// Jurisdiction, rate and taxed lines of a line of tax, in words.
fn taxed(tax: Option<&LineTax>) -> String {
    tax.map_or_else(
        || "nothing".to_owned(),
        |tax| format!("{} percent of {} in {}", tax.percent, tax.of.join(" + "), tax.jurisdiction),
    )
}

/// The longest text of a field that a message shows.
const SHOWN_CHARS: usize = 200;

fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{start}...")
}

/// The lines of each currency add up to its total, and both are written in the form of that currency.
fn totals(invoice: &Invoice, index: &LineIndex, findings: &mut Findings) {
    let mut sums: BTreeMap<&str, Option<i128>> = BTreeMap::new();
    for line in &invoice.lines {
        let sum = sums.entry(&line.currency).or_insert(Some(0));
        let minor: Option<i128> = line.amount_minor.parse().ok();
        *sum = sum.zip(minor).and_then(|(sum, minor)| sum.checked_add(minor));
    }
    let lines_in = |currency: &str| {
        let lines = invoice.lines.iter().filter(|line| line.currency == currency);
        lines.map(|line| line.id.clone()).collect::<Vec<_>>()
    };
    let mut fail = |currency: &str, text| findings.fail(STEP, Fault::Total.code(), lines_in(currency), text);
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for total in &invoice.totals {
        let currency = total.currency.as_str();
        if !told.insert(currency) {
            fail(currency, format!("the invoice has two totals in {currency}"));
        }
        let sum = sums.get(currency).copied().flatten();
        let written = Currency::from_code(currency).ok().zip(sum);
        let written = written.map(|(currency, minor)| Money { minor, currency }.decimal_text());
        if sum.map(|sum| sum.to_string()).as_deref() != Some(total.amount_minor.as_str())
            || written.as_deref() != Some(total.amount.as_str())
        {
            fail(
                currency,
                format!(
                    "the total is {} {currency} ({} minor units) on the invoice, and its lines add up to {}",
                    total.amount,
                    total.amount_minor,
                    written.unwrap_or_else(|| "nothing that can be added".to_owned())
                ),
            );
        }
    }
    for currency in sums.keys().filter(|currency| !told.contains(*currency)) {
        fail(currency, format!("the invoice has lines in {currency} and no total of them"));
    }
    if !invoice.totals.is_sorted_by(|left, right| left.currency < right.currency) {
        findings.fail(
            STEP,
            Fault::Total.code(),
            index.all.iter().cloned(),
            "the totals are not sorted by currency".to_owned(),
        );
    }
}
