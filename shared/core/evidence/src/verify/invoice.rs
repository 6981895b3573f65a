//! The ledger's record, the invoice in it, its digests, and its contract.

use wb_ledger::{Billed, CanonicalError, Draft, Event, Hash, Invoice, InvoiceError, LedgerRecord, canonical};
use wb_rating::Contract;
use wb_units::with_causes;

use super::Fault;
use super::lines::LineIndex;
use crate::bundle::{Bundle, words};
use crate::report::{Findings, StepName};

const STEP: StepName = StepName::Invoice;

/// The invoice, after all checks of the invoice by itself.
pub(super) fn read(bundle: &Bundle, findings: &mut Findings) -> Option<Invoice> {
    let invoice = match record(bundle) {
        Ok(invoice) => invoice,
        Err(text) => {
            findings.fail(STEP, Fault::Invoice.code(), [], text);
            findings.end(STEP, 1, "no invoice can be read".to_owned());
            return None;
        }
    };
    let mut fail = |text: String| findings.fail(STEP, Fault::Invoice.code(), [], text);
    match invoice.derived_id() {
        Ok(id) if id == invoice.invoice_id => {}
        _ => fail(format!(
            "the invoice's id {} is not that of {}, contract {} and {}",
            invoice.invoice_id, invoice.legal_entity, invoice.contract_id, invoice.period.text
        )),
    }
    match invoice.compute_bill_digest() {
        Ok(found) if found == invoice.bill_digest => {}
        Ok(found) => fail(format!(
            "the invoice says its bill digest is {}, and what it charges hashes to {found}",
            invoice.bill_digest
        )),
        Err(error) => fail(error.to_string()),
    }
    check_evidence(bundle, &invoice, findings);
    let mut text =
        format!("record, id, bill digest, and evidence digest over {} blocks", bundle.blocks.len());
    if !invoice.evidence.days.is_empty() {
        text.push_str(&format!(" and {} sealed days", invoice.evidence.days.len()));
    }
    findings.end(STEP, 4, text);
    Some(invoice)
}

fn record(bundle: &Bundle) -> Result<Invoice, String> {
    let record = LedgerRecord::from_bytes(bundle.record.as_bytes()).map_err(|error| with_causes(&error))?;
    match Event::read(&record.kind, &record.body).map_err(|error| error.to_string())? {
        Event::InvoiceIssued(invoice) => {
            // The record holds nothing but the invoice that was read from it.
            let again = canonical::write_document(&invoice).map_err(|error| error.to_string())?;
            let body = canonical::write(&record.body).map_err(|error| error.to_string())?;
            if again == body { Ok(*invoice) } else { Err("the record holds more than an invoice".to_owned()) }
        }
        other => Err(format!("the ledger's record is of the kind {}, and issues no invoice", other.kind())),
    }
}

/// The invoice against the document that somebody holds.
pub(super) fn is_held(invoice: &Invoice, held: &str, findings: &mut Findings) {
    const STEP: StepName = StepName::Held;
    let spelled = serde_json::from_str(held).ok().and_then(|value| canonical::write(&value).ok());
    let document = canonical::write_document(invoice).ok();
    if spelled.is_none() || spelled != document {
        let other: Option<Invoice> = serde_json::from_str(held).ok();
        let text = match &other {
            None => "the document beside the bundle is no invoice".to_owned(),
            Some(other) => format!(
                "the bundle is of invoice {} with bill digest {}, and the document beside it is {} with {}",
                invoice.number, invoice.bill_digest, other.number, other.bill_digest
            ),
        };
        let lines = other.iter().flat_map(|other| &other.lines).filter(|line| !invoice.lines.contains(line));
        findings.fail(STEP, Fault::Held.code(), lines.map(|line| line.id.clone()), text);
    }
    findings.end(STEP, 1, "the document beside the bundle, member by member".to_owned());
}

/// The digest over all blocks of the bundle, and the days, heads and cut of the invoice.
pub(super) fn evidence_digest(bundle: &Bundle, invoice: &Invoice) -> Result<Hash, InvoiceError> {
    let billed = Billed {
        legal_entity: invoice.legal_entity.clone(),
        customer_id: invoice.customer_id.clone(),
        contract_id: invoice.contract_id.clone(),
        contract_versions: Vec::new(),
        period: invoice.period.clone(),
        terms: invoice.terms,
        lines: Vec::new(),
        cut: invoice.evidence.cut,
        blocks: bundle.blocks.clone(),
        days: invoice.evidence.days.clone(),
        chain_heads: invoice.evidence.chain_heads.clone(),
    };
    Ok(Draft::new(billed)?.document().evidence_digest)
}

fn check_evidence(bundle: &Bundle, invoice: &Invoice, findings: &mut Findings) {
    let mut fail = |text: String| findings.fail(STEP, Fault::Evidence.code(), [], text);
    let evidence = &invoice.evidence;
    match evidence_digest(bundle, invoice) {
        Ok(found) if found == invoice.evidence_digest => {}
        Ok(found) => fail(format!(
            "the invoice says its evidence digest is {}, and the blocks{} and chain heads hash to {found}",
            invoice.evidence_digest,
            if evidence.days.is_empty() { "" } else { ", sealed days" }
        )),
        Err(error) => fail(error.to_string()),
    }
    let listed = u128::try_from(bundle.blocks.len()).unwrap_or(u128::MAX);
    let of_days: u128 = evidence.days.iter().map(|day| u128::from(day.blocks_count)).sum();
    if listed.checked_add(of_days) != Some(u128::from(evidence.blocks_count)) {
        let mut text =
            format!("the invoice rests on {} blocks, and the bundle lists {listed}", evidence.blocks_count);
        if !evidence.days.is_empty() {
            text.push_str(&format!(", and the invoice's sealed days have {of_days}"));
        }
        fail(text);
    }
    if !evidence.days.is_sorted_by(|left, right| left.day < right.day) {
        fail("the invoice's sealed days are not sorted, or one stands there twice".to_owned());
    }
    let differs = evidence.blocks.iter().zip(&bundle.blocks).find(|(left, right)| left != right);
    if let Some((listed, _)) = differs {
        let place = (listed.topic.as_str(), listed.partition, listed.block);
        fail(format!("the invoice lists {} otherwise than the bundle", words(place)));
    }
    if !evidence.chain_heads.is_sorted_by(|left, right| left < right) {
        fail("the invoice's chain heads are not sorted, or one stands there twice".to_owned());
    }
    if evidence.blocks.len() > bundle.blocks.len() {
        fail("the invoice lists blocks that the bundle does not".to_owned());
    }
}

/// The digest of a contract's text, which must be canonical: a digest of other text would not show added white space.
fn contract_digest(text: &str) -> Result<Hash, CanonicalError> {
    canonical::read(text.as_bytes())?;
    Ok(Hash::of(text.as_bytes()))
}

/// The contract's texts against the versions on the invoice.
pub(super) fn contracts(bundle: &Bundle, invoice: &Invoice, index: &LineIndex, findings: &mut Findings) {
    const STEP: StepName = StepName::Contracts;
    let versions = &invoice.contract_versions;
    if versions.len() != bundle.stretches.len() {
        let listed = versions.len();
        let text = format!(
            "the invoice has {listed} versions of the contract, and the bundle holds {}",
            bundle.stretches.len()
        );
        let lines = versions.iter().flat_map(|version| index.of_start(version.start_us).iter().cloned());
        let missing = versions
            .iter()
            .any(|version| !bundle.stretches.iter().any(|stretch| stretch.start_us == version.start_us));
        findings.fail(STEP, Fault::Contract.code(), lines.filter(|_| missing).collect::<Vec<_>>(), text);
    }
    for (position, stretch) in bundle.stretches.iter().enumerate() {
        let lines = index.of_start(stretch.start_us).to_vec();
        let mut fail =
            |text: String| findings.fail(STEP, Fault::Contract.code(), lines.iter().cloned(), text);
        let period = (invoice.period.start_us, invoice.period.end_us);
        if (stretch.period_start_us, stretch.period_end_us) != period {
            fail(format!("version {position} was rated for another period than the invoice's"));
        }
        let digest = match contract_digest(&stretch.contract) {
            Ok(digest) => digest,
            Err(error) => {
                fail(format!("the text of version {position} is not canonical: {error}"));
                continue;
            }
        };
        if stretch.contract_digest != digest.to_string() {
            fail(format!(
                "the text of version {position} hashes to {digest}, and it was rated as {}",
                stretch.contract_digest
            ));
        }
        match versions.get(position) {
            None => fail(format!("version {position} is not on the invoice")),
            Some(version) if version.digest != digest => fail(format!(
                "the text of version {position} of contract {} hashes to {digest}, and the invoice has {}",
                invoice.contract_id, version.digest
            )),
            Some(version) if (version.start_us, version.end_us) != (stretch.start_us, stretch.end_us) => {
                fail(format!("version {position} was rated for another time than the invoice says"));
            }
            Some(_) => {}
        }
    }
    check_terms(bundle, invoice, findings);
    check_subject(bundle, invoice, findings);
    let text = "the texts of the versions are those on the invoice".to_owned();
    findings.end(STEP, bundle.stretches.len(), text);
}

/// The terms that the version in effect last states. Terms that it does not state are the operator's, and are not
/// checked.
fn check_terms(bundle: &Bundle, invoice: &Invoice, findings: &mut Findings) {
    let Some(Ok(contract)) = bundle.stretches.last().map(|last| Contract::parse(&last.contract)) else {
        return;
    };
    let terms = &invoice.terms;
    for (name, stated, found) in [
        ("approvals", contract.approvals, terms.approvals),
        ("payment_terms_days", contract.payment_terms_days, terms.payment_terms_days),
        ("completeness_ppm", contract.completeness_ppm, terms.completeness_ppm),
        ("late_fee_ppm", contract.late_fee_ppm, terms.late_fee_ppm),
    ] {
        if let Some(stated) = stated.filter(|stated| *stated != found) {
            let text = format!("the contract says {name} {stated}, and the invoice {found}");
            findings.fail(StepName::Contracts, Fault::Contract.code(), [], text);
        }
    }
}

/// Which events the bundle says it holds, against the invoice.
fn check_subject(bundle: &Bundle, invoice: &Invoice, findings: &mut Findings) {
    let subject = &bundle.subject;
    let mut fail = |text: String| findings.fail(StepName::Contracts, Fault::Subject.code(), [], text);
    if subject.contract_id != invoice.contract_id {
        fail(format!(
            "the bundle holds events of contract {}, and the invoice is of {}",
            subject.contract_id, invoice.contract_id
        ));
    }
    let mut series = std::collections::BTreeSet::new();
    for stretch in &bundle.stretches {
        if let Ok(contract) = Contract::parse(&stretch.contract) {
            series.extend(contract.needs().series);
        }
        for group in &stretch.usage.energy {
            if !subject.machines.iter().any(|held| held.machine_id == group.machine_id) {
                fail(format!(
                    "energy of machine {} is billed, which was not under the contract",
                    group.machine_id
                ));
            }
        }
        for price in &stretch.prices {
            if !subject.series.contains(&price.series) {
                fail(format!("the price series {} is none of the contract", price.series));
            }
        }
    }
    if !subject.series.iter().eq(series.iter()) {
        fail("the series of prices are not those of the contract".to_owned());
    }
    let in_order = subject.machines.is_sorted_by(|left, right| left < right)
        && subject.sites.is_sorted_by(|left, right| left < right);
    if !in_order {
        fail("machines or sites are not sorted, or stand there twice".to_owned());
    }
    for held in &subject.machines {
        if held.start_us >= held.end_us {
            fail(format!("machine {} is said to be held for no time", held.machine_id));
        }
    }
}
