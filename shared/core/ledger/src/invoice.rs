//! The invoice document and its two digests.
//!
//! The *bill digest* covers what is charged, and not where it was read: every log that holds the same events gives
//! the same one. The *evidence digest* covers the cut, the committed blocks behind the lines and the heads of all
//! chains at the cut: reading the same log again gives the same one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wb_rating::{Line, LineTax, Period};
use wb_units::{Money, MoneyError};

use crate::canonical::{self, CanonicalError};
use crate::event::PeriodClosed;
use crate::hash::Hash;
use crate::note::Release;
use crate::replace::Replaced;
use crate::terms::BillingTerms;

/// The most inputs that a line lists, so that a person can read them. The digest covers all inputs.
pub const INPUTS_LISTED_MAX: usize = 2_000;

/// The most blocks that an invoice lists, so that a record stays under its bound. The evidence digest covers all
/// blocks; the others are read from the tables at the cut.
pub const BLOCKS_LISTED_MAX: usize = 1_000;

/// An invoice as it is issued, stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    /// `inv_` and 20 hex digits that follow from legal entity, contract, period and the invoice that it replaces.
    pub invoice_id: String,
    /// The number: gapless within the legal entity.
    pub number: String,
    /// Who issues it.
    pub legal_entity: String,
    /// The customer.
    pub customer_id: String,
    pub contract_id: String,
    /// The versions of the contract that were in effect, in order of time.
    pub contract_versions: Vec<ContractVersion>,
    /// The month.
    pub period: PeriodDocument,
    /// The terms by which it is approved, due and dunned. No digest covers them.
    pub terms: BillingTerms,
    /// What is charged and credited.
    pub lines: Vec<InvoiceLine>,
    /// The sum of the lines, one per currency, sorted by currency.
    pub totals: Vec<Total>,
    /// What it was computed from.
    pub evidence: Evidence,
    /// SHA-256 of the canonical charged part.
    pub bill_digest: Hash,
    /// SHA-256 of the canonical evidence.
    pub evidence_digest: Hash,
    /// When it was issued and is due. No digest covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<InvoiceDates>,
    /// The void invoice of the same month that it replaces. No digest covers it; its own id does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
    /// Parts of payments that the void of that invoice freed and that settle this one from its issue on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<Release>,
}

/// When an invoice was issued and is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceDates {
    /// When it was issued, UTC microseconds.
    pub issued_us: i64,
    /// When it is due, UTC microseconds.
    pub due_us: i64,
}

/// A version of a contract and the part of the period it governs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractVersion {
    /// The first instant, UTC microseconds.
    pub start_us: i64,
    /// The first instant after it.
    pub end_us: i64,
    /// SHA-256 of the version's canonical text.
    pub digest: Hash,
}

/// A period in stored form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodDocument {
    /// The month, such as `2026-10`.
    pub text: String,
    /// Its first instant, UTC microseconds.
    pub start_us: i64,
    /// The first instant after it.
    pub end_us: i64,
}

impl From<&Period> for PeriodDocument {
    fn from(period: &Period) -> Self {
        Self { text: period.text.clone(), start_us: period.interval.start_us, end_us: period.interval.end_us }
    }
}

/// A line in stored form: all numbers are decimal text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceLine {
    /// `contract/component`, with `@` and the version's start where a version begins inside the period.
    pub id: String,
    /// The component's id.
    pub component: String,
    /// The component's kind.
    pub kind: String,
    /// The text for people.
    pub description: String,
    /// The quantity.
    pub quantity: String,
    /// Its unit.
    pub unit: String,
    pub unit_price: String,
    /// The formula of the amount.
    pub formula: String,
    /// The amount with its decimal places.
    pub amount: String,
    /// The amount in minor units.
    pub amount_minor: String,
    pub currency: String,
    /// What it follows from, where it is a line of tax: notes credit the tax with what it taxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<LineTax>,
    /// How many inputs there are.
    pub inputs_count: u64,
    /// SHA-256 of the canonical list of all inputs.
    pub inputs_digest: Hash,
    /// The first [`INPUTS_LISTED_MAX`] of them.
    pub inputs: Vec<BTreeMap<String, String>>,
}

/// The sum of the lines of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    pub currency: String,
    /// The sum with its decimal places.
    pub amount: String,
    /// The sum in minor units.
    pub amount_minor: String,
}

/// What an invoice was computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The offset in `commits` before which a block counts.
    pub cut: u64,
    /// How many blocks stand behind the lines.
    pub blocks_count: u64,
    /// The first [`BLOCKS_LISTED_MAX`] of those that are listed one by one, sorted.
    pub blocks: Vec<EvidenceBlock>,
    /// The sealed days whose blocks are covered by one root each, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<EvidenceDay>,
    /// The latest commit of every partition at the cut, sorted.
    pub chain_heads: Vec<ChainHead>,
}

/// A committed block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceBlock {
    pub topic: String,
    pub partition: u32,
    pub block: u64,
    /// Its content hash: the hash of the rows that the fold made of it.
    pub content_hash: Hash,
    /// The root over its events.
    pub merkle_root: Hash,
}

/// A sealed UTC day: all blocks with work or readings of it that were committed before its seal's cut, of all
/// customers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceDay {
    /// The day, counted since 1970-01-01.
    pub day: i32,
    /// The offset of its seal in `commits`.
    pub commit_offset: u64,
    /// The hash of its seal's record.
    pub seal_hash: Hash,
    /// How many blocks it has.
    pub blocks_count: u64,
    /// The root over them, sorted by topic, partition and number; each is a leaf as `wb_fold::merkle::block_leaf` makes it.
    pub blocks_root: Hash,
}

/// The head of a partition's chain of commits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainHead {
    pub topic: String,
    pub partition: u32,
    /// The latest block.
    pub block: u64,
    /// The hash of its commit.
    pub commit_hash: Hash,
}

/// The contents of a bill, before it is a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// Who issues it.
    pub legal_entity: String,
    /// The customer.
    pub customer_id: String,
    pub contract_id: String,
    /// The versions in effect, in order of time.
    pub contract_versions: Vec<ContractVersion>,
    /// The month.
    pub period: PeriodDocument,
    /// The terms by which it is approved, due and dunned.
    pub terms: BillingTerms,
    /// The lines as rated.
    pub lines: Vec<Line>,
    /// The cut.
    pub cut: u64,
    /// All blocks behind the lines that are listed one by one, in any order.
    pub blocks: Vec<EvidenceBlock>,
    /// The sealed days behind the lines, in any order.
    pub days: Vec<EvidenceDay>,
    /// The heads of the chains at the cut, in any order.
    pub chain_heads: Vec<ChainHead>,
}

/// An invoice that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    invoice: Invoice,
    balance_changes: Option<u64>,
}

/// Why a bill cannot become an invoice.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    /// The lines of a currency have no sum.
    #[code("WB-5330")]
    #[error("the lines of contract {contract_id} cannot be added")]
    Sum {
        contract_id: String,
        /// Why.
        #[source]
        source: MoneyError,
    },
    /// A part has no canonical form.
    #[code("WB-5331")]
    #[error("the bill of contract {contract_id} has no canonical form")]
    Canonical {
        contract_id: String,
        /// Why.
        #[source]
        source: CanonicalError,
    },
}

/// The id of the invoice of a contract's period. Every computation gives the same id, so that the invoice exists
/// once. An invoice that is made after a void has the void one in its identity, so that each is replaced once.
///
/// # Errors
/// [`InvoiceError::Canonical`] never happens for text; it is passed on all the same.
pub fn invoice_id(
    legal_entity: &str,
    contract_id: &str,
    period_text: &str,
    replaces: Option<&Replaced>,
) -> Result<String, InvoiceError> {
    let mut identity = BTreeMap::from([
        ("contract_id", contract_id),
        ("legal_entity", legal_entity),
        ("period", period_text),
    ]);
    identity.extend(replaces.map(|replaced| ("replaces", replaced.invoice_id.as_str())));
    let hash = canonical::digest(&identity)
        .map_err(|source| InvoiceError::Canonical { contract_id: contract_id.to_owned(), source })?;
    Ok(format!("inv_{}", &hash.to_string()[..20]))
}

/// The charged part: no offset, block, attempt, clock or invoice number.
#[derive(Serialize)]
struct ChargedPart<'a> {
    legal_entity: &'a str,
    customer_id: &'a str,
    contract_id: &'a str,
    contract_versions: &'a [ContractVersion],
    period: &'a PeriodDocument,
    lines: Vec<ChargedLine<'a>>,
    totals: &'a [Total],
}

/// A line as charged: its inputs by their digest, which does not depend on how many are listed.
#[derive(Serialize)]
struct ChargedLine<'a> {
    id: &'a str,
    kind: &'a str,
    description: &'a str,
    quantity: &'a str,
    unit: &'a str,
    unit_price: &'a str,
    formula: &'a str,
    amount_minor: &'a str,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<&'a LineTax>,
    inputs_digest: Hash,
}

#[derive(Serialize)]
struct EvidencePart<'a> {
    cut: u64,
    blocks: &'a [EvidenceBlock],
    #[serde(skip_serializing_if = "<[EvidenceDay]>::is_empty")]
    days: &'a [EvidenceDay],
    chain_heads: &'a [ChainHead],
}

impl Draft {
    /// Makes the document of a bill, with its digests.
    ///
    /// # Errors
    /// [`InvoiceError`] where a sum overflows or a part has no canonical form.
    pub fn new(billed: Billed) -> Result<Self, InvoiceError> {
        let contract_id = billed.contract_id.clone();
        let canonical = |source| InvoiceError::Canonical { contract_id: contract_id.clone(), source };
        let totals = add_by_currency(&billed.lines)
            .map_err(|source| InvoiceError::Sum { contract_id: contract_id.clone(), source })?;
        let lines =
            billed.lines.into_iter().map(store_line).collect::<Result<Vec<_>, _>>().map_err(canonical)?;
        let mut blocks = billed.blocks;
        blocks.sort();
        blocks.dedup();
        let mut chain_heads = billed.chain_heads;
        chain_heads.sort();
        chain_heads.dedup();
        let mut days = billed.days;
        days.sort();
        days.dedup();
        let evidence_part =
            EvidencePart { cut: billed.cut, blocks: &blocks, days: &days, chain_heads: &chain_heads };
        let evidence_digest = canonical::digest(&evidence_part).map_err(canonical)?;
        let of_days = days.iter().fold(0_u64, |sum, day| sum.saturating_add(day.blocks_count));
        let blocks_count = length(blocks.len()).saturating_add(of_days);
        blocks.truncate(BLOCKS_LISTED_MAX);
        let mut invoice = Invoice {
            invoice_id: invoice_id(&billed.legal_entity, &contract_id, &billed.period.text, None)?,
            number: String::new(),
            legal_entity: billed.legal_entity,
            customer_id: billed.customer_id,
            contract_id: billed.contract_id,
            contract_versions: billed.contract_versions,
            period: billed.period,
            terms: billed.terms,
            lines,
            totals,
            evidence: Evidence { cut: billed.cut, blocks_count, blocks, days, chain_heads },
            bill_digest: Hash::ZERO,
            evidence_digest,
            dates: None,
            replaces: None,
            settled: Vec::new(),
        };
        invoice.bill_digest = invoice.compute_bill_digest()?;
        Ok(Self { invoice, balance_changes: None })
    }

    /// The same draft, computed after this many changes of grants and deposits ([`crate::State::balance_changes`]):
    /// it is refused if there were more changes since.
    #[must_use]
    pub fn on_balances(mut self, changes: u64) -> Self {
        self.balance_changes = Some(changes);
        self
    }

    /// The same draft as the replacement of a void invoice, with an id of its own.
    ///
    /// # Errors
    /// [`InvoiceError::Canonical`], as [`invoice_id`].
    pub fn replacing(mut self, replaced: Replaced) -> Result<Self, InvoiceError> {
        self.invoice.replaces = Some(replaced);
        self.invoice.invoice_id = self.invoice.derived_id()?;
        Ok(self)
    }

    /// The close of its period, at its cut, complete.
    #[must_use]
    pub fn closing(&self) -> PeriodClosed {
        PeriodClosed {
            contract_id: self.invoice.contract_id.clone(),
            customer_id: self.invoice.customer_id.clone(),
            period: self.invoice.period.clone(),
            cut: self.invoice.evidence.cut,
            incomplete: None,
        }
    }

    pub(crate) fn balance_changes(&self) -> Option<u64> {
        self.balance_changes
    }

    /// The document, its number still empty.
    #[must_use]
    pub fn document(&self) -> &Invoice {
        &self.invoice
    }

    /// The same draft as issued at an instant, with its due date by its terms.
    #[must_use]
    pub fn issued_at(mut self, issued_us: i64) -> Self {
        self.invoice.dates = Some(self.invoice.terms.dates(issued_us));
        self
    }

    /// Whether nothing was used and nothing is charged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.invoice
            .lines
            .iter()
            .all(|line| line.quantity == "0" && line.amount_minor == "0" && line.inputs_count == 0)
    }
}

impl Invoice {
    /// When it was issued, UTC microseconds: by its dates, or the end of its period.
    #[must_use]
    pub fn issued_us(&self) -> i64 {
        self.dates.as_ref().map_or(self.period.end_us, |dates| dates.issued_us)
    }

    /// The id that follows from what it bills.
    ///
    /// # Errors
    /// [`InvoiceError::Canonical`], as [`invoice_id`].
    pub fn derived_id(&self) -> Result<String, InvoiceError> {
        invoice_id(&self.legal_entity, &self.contract_id, &self.period.text, self.replaces.as_ref())
    }

    /// The same document without the inputs that its lines list, which are most of its bytes, for those who show many
    /// invoices. The lines keep the number of inputs and their digest.
    #[must_use]
    pub fn without_inputs(mut self) -> Self {
        for line in &mut self.lines {
            line.inputs = Vec::new();
        }
        self
    }

    /// The digest of the charged part as the document holds it: every holder of an invoice can check it.
    ///
    /// # Errors
    /// [`InvoiceError::Canonical`] where a number in it has no canonical form.
    pub fn compute_bill_digest(&self) -> Result<Hash, InvoiceError> {
        let charged = ChargedPart {
            legal_entity: &self.legal_entity,
            customer_id: &self.customer_id,
            contract_id: &self.contract_id,
            contract_versions: &self.contract_versions,
            period: &self.period,
            lines: self.lines.iter().map(InvoiceLine::charged).collect(),
            totals: &self.totals,
        };
        canonical::digest(&charged)
            .map_err(|source| InvoiceError::Canonical { contract_id: self.contract_id.clone(), source })
    }
}

impl InvoiceLine {
    fn charged(&self) -> ChargedLine<'_> {
        ChargedLine {
            id: &self.id,
            kind: &self.kind,
            description: &self.description,
            quantity: &self.quantity,
            unit: &self.unit,
            unit_price: &self.unit_price,
            formula: &self.formula,
            amount_minor: &self.amount_minor,
            currency: &self.currency,
            tax: self.tax.as_ref(),
            inputs_digest: self.inputs_digest,
        }
    }
}

fn store_line(line: Line) -> Result<InvoiceLine, CanonicalError> {
    let inputs_digest = canonical::digest(&line.inputs)?;
    let inputs_count = length(line.inputs.len());
    let mut inputs = line.inputs;
    inputs.truncate(INPUTS_LISTED_MAX);
    Ok(InvoiceLine {
        id: line.id,
        component: line.component,
        kind: line.kind,
        description: line.description,
        quantity: line.quantity,
        unit: line.unit,
        unit_price: line.unit_price,
        formula: line.formula,
        amount: line.amount.decimal_text(),
        amount_minor: line.amount.minor.to_string(),
        currency: line.amount.currency.code().to_owned(),
        tax: line.tax,
        inputs_count,
        inputs_digest,
        inputs,
    })
}

fn add_by_currency(lines: &[Line]) -> Result<Vec<Total>, MoneyError> {
    let mut sums: BTreeMap<&'static str, Money> = BTreeMap::new();
    for line in lines {
        let sum = sums
            .entry(line.amount.currency.code())
            .or_insert(Money { minor: 0, currency: line.amount.currency });
        *sum = sum.checked_add(line.amount)?;
    }
    Ok(sums
        .into_values()
        .map(|sum| Total {
            currency: sum.currency.code().to_owned(),
            amount: sum.decimal_text(),
            amount_minor: sum.minor.to_string(),
        })
        .collect())
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
