//! The biller.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use tokio::sync::Mutex;
use wb_ledger::{BillingTerms, Draft, Hash, Invoice};
use wb_rating::Period;
use wb_units::time::day_of;

use crate::ahead::Ahead;
use crate::bill::{Bill, Completeness, bill};
use crate::error::BillerError;
use crate::exclusion::Exclusions;
use crate::issued::{Issued, IssuedAs};
use crate::journal::{IssuedDocument, Journal};
use crate::parties::{Named, parties};
use crate::policy::ByPolicy;
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};
use crate::reference::Reference;
use crate::unbilled::UnbilledList;
use crate::usage::Balances;

mod act;
mod adjust;
mod backtest;
mod close;
mod dates;
mod evidence;
mod known;
mod overdue;
mod placed;
mod reissue;
mod running;
mod unread;

pub use act::Done;
pub use adjust::Adjusted;
pub use backtest::{Backtest, ComponentAmounts};
pub use close::{CloseRequest, Progress};
pub use dates::GivenDate;
pub use evidence::InvoiceEvidence;
pub use placed::{Place, Placed, PlacedUsage};
pub use running::{RunningBills, RunningPace, RunningPass};

/// Closes periods and issues invoices.
///
/// It keeps the documents of all issued invoices in memory, about 10 KB each: a hundred thousand take a gigabyte.
pub struct Biller<L, S, C, K> {
    log: L,
    store: Ahead<S>,
    cuts: C,
    clock: K,
    who: String,
    defaults: BillingTerms,
    journal: Mutex<Journal>,
}

/// Who acts and why; both are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub who: String,
    pub why: String,
}

/// An invoice computed again at its cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recomputed {
    /// The bill digest now.
    pub bill_digest: Hash,
    /// The evidence digest now.
    pub evidence_digest: Hash,
    /// Whether the bill digest equals that of the invoice.
    pub bill_matches: bool,
    /// Whether the evidence digest equals that of the invoice.
    pub evidence_matches: bool,
}

/// A draft and its terms, which decide how it is issued.
struct Drafted {
    draft: Draft,
    /// The completeness of the inputs.
    completeness: Completeness,
    /// Accepted usage that it leaves out.
    exclusions: Exclusions,
    /// Of it, what was read beside what is billed.
    unbilled: UnbilledList,
    by_policy: Vec<ByPolicy>,
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Creates a biller that signs its records as `who`.
    pub fn new(log: L, store: S, cuts: C, clock: K, who: impl Into<String>) -> Self {
        Self {
            log,
            store: Ahead::new(store),
            cuts,
            clock,
            who: who.into(),
            defaults: BillingTerms::default(),
            journal: Mutex::new(Journal::default()),
        }
    }

    /// The same biller with other default terms.
    #[must_use]
    pub fn with_defaults(mut self, defaults: BillingTerms) -> Self {
        self.defaults = defaults;
        self
    }

    /// The terms that apply if a contract does not state them.
    pub fn defaults(&self) -> &BillingTerms {
        &self.defaults
    }

    /// [`Self::drafted`] of a period that has terms.
    async fn drafted_in_terms(
        &self,
        journal: &Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        (contract_id, period): (&str, &str),
        cut: u64,
        drawn: Drawn,
    ) -> Result<Drafted, BillerError> {
        self.drafted(journal, at_cuts, (contract_id, period), cut, drawn).await?.ok_or_else(|| {
            BillerError::NoTerms { contract_id: contract_id.to_owned(), period: period.to_owned(), cut }
        })
    }

    /// Computes a draft and its terms.
    async fn drafted(
        &self,
        journal: &Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        (contract_id, period): (&str, &str),
        cut: u64,
        drawn: Drawn,
    ) -> Result<Option<Drafted>, BillerError> {
        let Some(bill) = self.bill(journal, at_cuts, (contract_id, period), cut, drawn).await? else {
            return Ok(None);
        };
        let changes = journal.state().balance_changes(&bill.billed.customer_id);
        let mut draft = Draft::new(bill.billed)?.on_balances(changes);
        // The document that stands for the month: where one was voided and billed again, the latest.
        let standing = match journal.review_of(contract_id, period) {
            Some(review) => Some(&review.draft),
            None => journal.invoice_of(contract_id, period).map(|document| &document.invoice),
        };
        if let Some(replaced) = standing.and_then(|document| document.replaces.clone()) {
            draft = draft.replacing(replaced)?;
        }
        // Only here, and not for running bills: each amount is another rating.
        let exclusions = bill.exclusions.estimated(&bill.stretches);
        let unbilled = UnbilledList::of(bill.unbilled).estimated(&bill.stretches);
        let (completeness, by_policy) = (bill.completeness, bill.by_policy);
        Ok(Some(Drafted { completeness, exclusions, unbilled, by_policy, draft }))
    }

    /// The bill of a contract for a period at a cut, with its inputs.
    pub(crate) async fn bill(
        &self,
        journal: &Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        (contract_id, period): (&str, &str),
        cut: u64,
        drawn: Drawn,
    ) -> Result<Option<Bill>, BillerError> {
        self.check_reached(cut).await?;
        let reference = match at_cuts.entry(cut) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Reference::load(&self.store, cut).await?),
        };
        let Some(period_terms) = reference.terms_of(contract_id, period)? else { return Ok(None) };
        let balances = balances_of(journal, contract_id, period, drawn)?;
        Ok(Some(bill(&self.store, reference, period_terms, balances, &self.defaults, cut).await?))
    }

    /// Tables that are not projected up to the cut would give too small a bill without an error.
    async fn check_reached(&self, cut: u64) -> Result<(), BillerError> {
        let held = self.store.committed_cut(cut).await?;
        if held == cut { Ok(()) } else { Err(BillerError::Behind { cut, held }) }
    }

    /// An issued invoice by its id.
    ///
    /// # Errors
    /// [`BillerError::NoSuchInvoice`], or an error of reading the ledger.
    pub async fn invoice(&self, invoice_id: &str) -> Result<Arc<IssuedDocument>, BillerError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        journal
            .invoice(invoice_id)
            .cloned()
            .ok_or_else(|| BillerError::NoSuchInvoice { invoice_id: invoice_id.chars().take(64).collect() })
    }

    /// The parties of an invoice, with their names as recorded before its cut.
    ///
    /// # Errors
    /// As `parties`.
    pub async fn parties(&self, invoice: &Invoice) -> Result<Named, BillerError> {
        parties(&self.store, invoice).await
    }

    /// All issued invoices, in the order of the ledger.
    ///
    /// # Errors
    /// An error of reading the ledger.
    pub async fn invoices(&self) -> Result<Vec<Arc<IssuedDocument>>, BillerError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let mut all: Vec<_> = journal.invoices().cloned().collect();
        all.sort_by_key(|document| document.ledger_offset);
        Ok(all)
    }

    /// Computes an invoice again from facts and usage at its cut, and compares both digests.
    ///
    /// # Errors
    /// [`BillerError`] if the invoice does not exist or cannot be computed. Different digests are a result, not an
    /// error.
    pub async fn recompute(&self, invoice_id: &str) -> Result<Recomputed, BillerError> {
        let document = self.invoice(invoice_id).await?;
        let invoice = &document.invoice;
        let cut = invoice.evidence.cut;
        let journal = self.journal.lock().await;
        let of = (invoice.contract_id.as_str(), invoice.period.text.as_str());
        let drawn = Drawn::Before(document.computed_offset);
        let drafted = self.drafted_in_terms(&journal, &mut BTreeMap::new(), of, cut, drawn).await?;
        let computed = drafted.draft.document();
        Ok(Recomputed {
            bill_digest: computed.bill_digest,
            evidence_digest: computed.evidence_digest,
            bill_matches: computed.bill_digest == invoice.bill_digest,
            evidence_matches: computed.evidence_digest == invoice.evidence_digest,
        })
    }
}

/// Which other documents' draws on grants a bill takes into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drawn {
    /// Those of the documents below an offset in the ledger, at which it was computed.
    Before(u64),
    /// Also those of later documents and of drafts in review: what they drew is no longer available.
    ByOthers,
}

impl Drawn {
    /// Those of all documents until now, for a bill that is not issued yet.
    pub(crate) const UNTIL_NOW: Self = Self::Before(u64::MAX);
}

/// What the invoices and notes of a contract's other months left of grants and deposits.
pub(crate) fn balances_of(
    journal: &Journal,
    contract_id: &str,
    period: &str,
    drawn: Drawn,
) -> Result<Balances, BillerError> {
    let below = match drawn {
        Drawn::Before(offset) => offset,
        Drawn::ByOthers => {
            journal.invoice_of(contract_id, period).map_or(u64::MAX, |own| own.computed_offset)
        }
    };
    let is_before = |ledger_offset: u64| ledger_offset < below;
    let (mut balances, mut all) = (Balances::default(), Balances::default());
    let others = journal.invoices().filter(|document| {
        document.invoice.contract_id == contract_id && document.invoice.period.text != period
    });
    for document in others {
        let invoice = &document.invoice;
        let notes = || journal.notes_of(&invoice.invoice_id);
        if is_before(document.ledger_offset) {
            let notes = notes().filter(|note| is_before(note.ledger_offset));
            balances.add_invoice(invoice, notes.map(|document| &document.note))?;
        }
        all.add_invoice(invoice, notes().map(|document| &document.note))?;
    }
    if drawn == Drawn::ByOthers {
        let is_other = |draft: &&Invoice| draft.contract_id == contract_id && draft.period.text != period;
        for draft in journal.state().reviews().map(|review| &review.draft).filter(is_other) {
            all.add_invoice(draft, std::iter::empty())?;
        }
        balances.take_draws_of(all);
    }
    Ok(balances)
}

/// The UTC days that overlap a month in any time zone.
fn utc_days(period: &str) -> Result<std::ops::RangeInclusive<i32>, BillerError> {
    let month = Period::month(period, "UTC")?;
    Ok(day_of(month.interval.start_us).saturating_sub(1)..=day_of(month.interval.end_us))
}

fn summary(document: &IssuedDocument, new: bool) -> Issued {
    let invoice = &document.invoice;
    Issued {
        invoice_id: invoice.invoice_id.clone(),
        number: invoice.number.clone(),
        customer_id: invoice.customer_id.clone(),
        contract_id: invoice.contract_id.clone(),
        bill_digest: invoice.bill_digest,
        evidence_digest: invoice.evidence_digest,
        new,
        issued_as: IssuedAs::Invoice,
        totals: invoice.totals.clone(),
    }
}
