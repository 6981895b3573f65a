//! The verification of a bundle. It collects all failures; a step is left out where an earlier failure makes it
//! impossible.

mod days;
mod events;
mod invoice;
mod lines;
mod sample;
mod sums;

use wb_ledger::{Hash, Invoice};

use crate::bundle::{Bundle, Sampling};
use crate::report::{Findings, InvoiceHead, Report, StepName};
use crate::subject::Scope;

use days::DayBlocks;
use lines::LineIndex;

/// What a verification finds wrong.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    #[code("WB-5925")]
    Invoice,
    #[code("WB-5926")]
    Contract,
    #[code("WB-5927")]
    Line,
    #[code("WB-5928")]
    Total,
    #[code("WB-5929")]
    Evidence,
    #[code("WB-5930")]
    Commit,
    #[code("WB-5931")]
    Event,
    #[code("WB-5932")]
    Sample,
    #[code("WB-5933")]
    Work,
    #[code("WB-5934")]
    Sums,
    #[code("WB-5935")]
    Subject,
    #[code("WB-5936")]
    Held,
}

/// Verifies the bytes of a file. `held` is the invoice's document, JSON, as somebody received it: then the bundle
/// must be of that invoice.
#[must_use]
pub fn verify(packed: &[u8], held: Option<&str>) -> Report {
    match Bundle::read(packed) {
        Ok(bundle) => verify_bundle(&bundle, held),
        Err(error) => {
            let mut findings = Findings::default();
            findings.fail(StepName::Form, error.code(), [], error.to_string());
            findings.end(StepName::Form, 1, "not a bundle, or changed since it was made".to_owned());
            findings.report(None)
        }
    }
}

/// Verifies a bundle that was read or built; as [`verify`].
#[must_use]
pub fn verify_bundle(bundle: &Bundle, held: Option<&str>) -> Report {
    let mut findings = Findings::default();
    let sampling = match bundle.sampling {
        Sampling::All => "every event that is about the invoice".to_owned(),
        Sampling::Drawn(draws) => format!("{draws} events drawn by the invoice's own evidence digest"),
    };
    findings.end(StepName::Form, 1, format!("a bundle of form {}, with {sampling}", crate::FORM));
    let Some(invoice) = invoice::read(bundle, &mut findings) else { return findings.report(None) };
    if let Some(held) = held {
        invoice::is_held(&invoice, held, &mut findings);
    }
    let index = LineIndex::new(&invoice, &bundle.stretches);
    invoice::contracts(bundle, &invoice, &index, &mut findings);
    lines::check(bundle, &invoice, &index, &mut findings);
    let scope = Scope::new(&bundle.subject);
    let day_blocks = days::by_place(bundle);
    let context =
        Context { bundle, invoice: &invoice, index: &index, scope: &scope, day_blocks: &day_blocks };
    let commits = events::commits(&context, &mut findings);
    days::check(&context, &commits, &mut findings);
    events::inclusion(&context, &commits, &mut findings);
    sample::check(&context, &commits, &mut findings);
    let proven = sums::work(&context, &mut findings);
    sums::sums(&context, &proven, &mut findings);
    findings.report(Some(head(bundle, &invoice)))
}

/// What the steps about events need.
pub(crate) struct Context<'a> {
    pub(crate) bundle: &'a Bundle,
    pub(crate) invoice: &'a Invoice,
    pub(crate) index: &'a LineIndex,
    pub(crate) scope: &'a Scope<'a>,
    /// The blocks of sealed days by where they lie.
    pub(crate) day_blocks: &'a DayBlocks<'a>,
}

fn head(bundle: &Bundle, invoice: &Invoice) -> InvoiceHead {
    let totals = invoice.totals.iter().map(|total| format!("{} {}", total.amount, total.currency)).collect();
    InvoiceHead {
        invoice_id: invoice.invoice_id.clone(),
        number: invoice.number.clone(),
        legal_entity: invoice.legal_entity.clone(),
        customer_id: invoice.customer_id.clone(),
        contract_id: invoice.contract_id.clone(),
        period: invoice.period.text.clone(),
        totals,
        lines: invoice.lines.len(),
        bill_digest: invoice.compute_bill_digest().map(|digest| digest.to_string()).unwrap_or_default(),
        evidence_digest: invoice::evidence_digest(bundle, invoice)
            .map(|digest| digest.to_string())
            .unwrap_or_default(),
        record_hash: Hash::of(bundle.record.as_bytes()).to_string(),
    }
}
