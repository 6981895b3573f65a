//! What a verification found: for people and for programs.

use std::fmt;

use serde::Serialize;

/// What was verified, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// The file is a bundle, and unchanged since it was made.
    Form,
    /// The ledger's record, its invoice and both digests.
    Invoice,
    /// The invoice is the one in the document that somebody holds.
    Held,
    /// The contract's texts are those of the versions on the invoice.
    Contracts,
    /// Every line and total follows from contract, prices and usage.
    Lines,
    /// Commits agree with the invoice.
    Commits,
    /// Sealed days agree with the invoice, and the blocks given for a day lie in it.
    Days,
    /// Events lie in the blocks that are given for them.
    Events,
    /// The events are those that had to be taken.
    Sample,
    /// Shares prove their work.
    Work,
    /// The sums of the events are what was billed.
    Sums,
}

impl StepName {
    fn in_words(self) -> &'static str {
        match self {
            Self::Form => "file",
            Self::Invoice => "invoice",
            Self::Held => "document",
            Self::Contracts => "contract",
            Self::Lines => "lines",
            Self::Commits => "blocks",
            Self::Days => "sealed days",
            Self::Events => "events",
            Self::Sample => "sample",
            Self::Work => "proof of work",
            Self::Sums => "sums",
        }
    }
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which step.
    pub step: StepName,
    /// How many things were checked.
    pub checked: u64,
    /// How many failures it has.
    pub failed: u64,
    /// What was found, in words.
    pub text: String,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its stable code.
    pub code: &'static str,
    /// The step that found it.
    pub step: StepName,
    /// The lines of the invoice that it touches, sorted; empty where it touches none by itself.
    pub lines: Vec<String>,
    /// What is wrong.
    pub text: String,
}

/// Which invoice it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvoiceHead {
    /// Its id.
    pub invoice_id: String,
    /// Its number.
    pub number: String,
    /// Who issued it.
    pub legal_entity: String,
    /// Whose it is.
    pub customer_id: String,
    /// The contract.
    pub contract_id: String,
    /// The month.
    pub period: String,
    /// Its totals, one a currency.
    pub totals: Vec<String>,
    /// How many lines it has.
    pub lines: usize,
    /// The digest of what is charged, as it is computed from the invoice.
    pub bill_digest: String,
    /// The digest of its evidence, as it is computed from all blocks.
    pub evidence_digest: String,
    /// SHA-256 of the ledger's record.
    pub record_hash: String,
}

/// The whole result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing is wrong.
    pub valid: bool,
    /// The invoice, where one could be read.
    pub invoice: Option<InvoiceHead>,
    /// The steps that were made.
    pub steps: Vec<Step>,
    /// Everything that is wrong.
    pub failures: Vec<Failure>,
}

impl Report {
    /// The ids of all lines that a failure touches, sorted.
    #[must_use]
    pub fn lines(&self) -> Vec<&str> {
        let mut lines: Vec<&str> =
            self.failures.iter().flat_map(|failure| failure.lines.iter().map(String::as_str)).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(invoice) = &self.invoice {
            writeln!(
                f,
                "invoice {} ({}) of {} to {}, contract {}, {}",
                invoice.number,
                invoice.invoice_id,
                invoice.legal_entity,
                invoice.customer_id,
                invoice.contract_id,
                invoice.period
            )?;
            writeln!(f, "total {}", invoice.totals.join(", "))?;
            writeln!(f, "bill digest      {}", invoice.bill_digest)?;
            writeln!(f, "evidence digest  {}", invoice.evidence_digest)?;
        }
        for step in &self.steps {
            let mark = if step.failed == 0 { "ok  " } else { "FAIL" };
            writeln!(f, "{mark} {:<14} {:>8}  {}", step.step.in_words(), step.checked, step.text)?;
        }
        for failure in &self.failures {
            // Messages of errors begin with their code in brackets already.
            let text = failure.text.trim_start_matches(&format!("[{}] ", failure.code));
            writeln!(f, "{} {text}", failure.code)?;
            if !failure.lines.is_empty() && !failure.text.starts_with("line ") {
                writeln!(f, "        touches {}", failure.lines.join(", "))?;
            }
        }
        match (self.valid, self.failures.len()) {
            (true, _) => write!(f, "the invoice follows from its evidence"),
            (false, 1) => write!(f, "the invoice does NOT follow from its evidence: 1 failure"),
            (false, failures) => {
                write!(f, "the invoice does NOT follow from its evidence: {failures} failures")
            }
        }
    }
}

/// Collects steps and failures.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    steps: Vec<Step>,
    failures: Vec<Failure>,
}

/// The most failures of a step that are listed; the rest are counted.
const TOLD_MAX: usize = 1_000;

impl Findings {
    /// Notes a failure.
    pub(crate) fn fail(
        &mut self,
        step: StepName,
        code: &'static str,
        lines: impl IntoIterator<Item = String>,
        text: String,
    ) {
        let mut lines: Vec<String> = lines.into_iter().collect();
        lines.sort();
        lines.dedup();
        self.failures.push(Failure { code, step, lines, text });
    }

    fn failed(&self, step: StepName) -> usize {
        self.failures.iter().filter(|failure| failure.step == step).count()
    }

    /// Ends a step.
    pub(crate) fn end(&mut self, step: StepName, checked: usize, text: String) {
        let failed = self.failed(step);
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.steps.push(Step { step, checked: count(checked), failed: count(failed), text });
    }

    /// The report.
    pub(crate) fn report(self, invoice: Option<InvoiceHead>) -> Report {
        let mut told = std::collections::BTreeMap::<StepName, usize>::new();
        let valid = self.failures.is_empty();
        let mut failures = self.failures;
        failures.retain(|failure| {
            let count = told.entry(failure.step).or_default();
            *count += 1;
            *count <= TOLD_MAX
        });
        Report { valid, invoice, steps: self.steps, failures }
    }
}
