//! The clerk.

mod backtest;
mod evidence;

pub use backtest::{Backtest, ComponentAmounts};
pub use evidence::InvoiceEvidence;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Mutex;
use tracing::{info, warn};
use wb_ledger::{Command, Draft, Hash, PeriodClosed, Refusal};
use wb_rating::Period;

use crate::bill::{Bill, bill};
use crate::error::{ClerkError, ContractFailure};
use crate::journal::{IssuedDocument, Journal};
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};
use crate::reference::Reference;
use crate::usage::Balances;

/// Closes periods and issues invoices.
///
/// The documents of all issued invoices are kept in memory, about 10 KB each: a hundred thousand of
/// them are a gigabyte.
pub struct Clerk<L, S, C, K> {
    log: L,
    store: S,
    cuts: C,
    clock: K,
    who: String,
    journal: Mutex<Journal>,
}

/// An invoice that exists after a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its id.
    pub invoice_id: String,
    /// Its number.
    pub number: String,
    /// Whose it is.
    pub customer_id: String,
    /// The contract.
    pub contract_id: String,
    /// The digest of what is charged.
    pub bill_digest: Hash,
    /// The digest of what it was computed from.
    pub evidence_digest: Hash,
    /// Whether this close issued it; otherwise it existed.
    pub new: bool,
}

/// An invoice computed again at its cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recomputed {
    /// The digest of what would be charged.
    pub bill_digest: Hash,
    /// The digest of what it would be computed from.
    pub evidence_digest: Hash,
    /// Whether the first is that of the invoice.
    pub bill_matches: bool,
    /// Whether the second is that of the invoice.
    pub evidence_matches: bool,
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Clerk<L, S, C, K> {
    /// A clerk that signs its records with `who`.
    pub fn new(log: L, store: S, cuts: C, clock: K, who: impl Into<String>) -> Self {
        Self { log, store, cuts, clock, who: who.into(), journal: Mutex::new(Journal::default()) }
    }

    /// Closes a month for every contract in effect in it, or for those of one customer, and issues
    /// what is not issued yet. A contract without any usage or charge is closed without an invoice.
    ///
    /// Returns all invoices of the month, also those that existed; sorted by contract.
    ///
    /// # Errors
    /// [`ClerkError::Some`] where contracts failed while others were billed; anything else stopped
    /// the close. A repeat goes on where this one ended.
    pub async fn close(&self, period: &str, customer: Option<&str>) -> Result<Vec<Issued>, ClerkError> {
        let settled = self.cuts.settled_cut().await?;
        let cut = self.store.named_cut(settled).await?;
        self.cuts.check_conserved(utc_days(period)?, cut).await?;
        let mut at_cuts = BTreeMap::from([(cut, Reference::load(&self.store, cut).await?)]);
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let mut contracts: BTreeSet<(String, Option<String>)> = BTreeSet::new();
        for reference in at_cuts.values() {
            for contract_id in reference.contract_ids() {
                contracts.insert((contract_id.clone(), reference.customer_of(contract_id)));
            }
        }
        contracts.retain(|(_, owner)| customer.is_none() || owner.as_deref() == customer);
        let mut issued = Vec::new();
        let mut failures = Vec::new();
        for (contract_id, _) in contracts {
            match self.close_contract(&mut journal, &mut at_cuts, cut, &contract_id, period).await {
                Ok(invoice) => issued.extend(invoice),
                // The log, the tables or the ledger itself: the next contract would meet the same.
                Err(
                    error @ (ClerkError::Port(_)
                    | ClerkError::Event { .. }
                    | ClerkError::Inconsistent { .. }
                    | ClerkError::LostTail { .. }
                    | ClerkError::Crowded { .. }),
                ) => return Err(error),
                Err(error) => {
                    warn!(%contract_id, period, code = error.code(), %error, "a contract could not be billed");
                    failures.push(ContractFailure { contract_id, error });
                }
            }
        }
        if failures.is_empty() { Ok(issued) } else { Err(ClerkError::Some { failures, issued }) }
    }

    async fn close_contract(
        &self,
        journal: &mut Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        cut: u64,
        contract_id: &str,
        period: &str,
    ) -> Result<Option<Issued>, ClerkError> {
        if journal.state().closed(contract_id, period).is_none() {
            // Computed before the close, so that a mistake in the facts can still be corrected.
            let Some(draft) = self.draft(journal, at_cuts, contract_id, period, cut).await? else {
                return Ok(None);
            };
            let document = draft.document();
            let now_us = self.clock.now_us();
            if now_us < document.period.end_us {
                return Err(ClerkError::NotOver {
                    contract_id: contract_id.to_owned(),
                    period: period.to_owned(),
                    end_us: document.period.end_us,
                    now_us,
                });
            }
            let close = Command::ClosePeriod(PeriodClosed {
                contract_id: contract_id.to_owned(),
                customer_id: document.customer_id.clone(),
                period: document.period.clone(),
                cut,
            });
            match self.execute(journal, &close, period).await {
                Ok(()) => return self.issue(journal, draft, period).await,
                // Another clerk closed it meanwhile: its cut stands.
                Err(ClerkError::Refused(Refusal::AlreadyClosed { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        let closed_cut = journal.state().closed(contract_id, period).map_or(cut, |close| close.cut);
        if let Some(existing) = journal.invoices().find(|document| {
            document.invoice.contract_id == contract_id && document.invoice.period.text == period
        }) {
            return Ok(Some(summary(existing, false)));
        }
        let draft =
            self.draft(journal, at_cuts, contract_id, period, closed_cut).await?.ok_or_else(|| {
                ClerkError::NoTerms {
                    contract_id: contract_id.to_owned(),
                    period: period.to_owned(),
                    cut: closed_cut,
                }
            })?;
        self.issue(journal, draft, period).await
    }

    async fn issue(
        &self,
        journal: &mut Journal,
        draft: Draft,
        period: &str,
    ) -> Result<Option<Issued>, ClerkError> {
        if draft.is_empty() {
            return Ok(None);
        }
        let invoice_id = draft.document().invoice_id.clone();
        let new = match self.execute(journal, &Command::IssueInvoice(Box::new(draft)), period).await {
            Ok(()) => true,
            Err(ClerkError::Refused(Refusal::AlreadyIssued { .. })) => false,
            Err(error) => return Err(error),
        };
        let document = journal.invoice(&invoice_id).ok_or(ClerkError::NoSuchInvoice { invoice_id })?;
        if new {
            let invoice = &document.invoice;
            info!(invoice_id = %invoice.invoice_id, number = %invoice.number, customer_id = %invoice.customer_id,
                contract_id = %invoice.contract_id, period, bill_digest = %invoice.bill_digest, "invoice issued");
        }
        Ok(Some(summary(document, new)))
    }

    async fn execute(
        &self,
        journal: &mut Journal,
        command: &Command,
        period: &str,
    ) -> Result<(), ClerkError> {
        let why = format!("close of {period}");
        journal.execute(&self.log, command, (&self.who, &why, self.clock.now_us())).await
    }

    async fn draft(
        &self,
        journal: &Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        contract_id: &str,
        period: &str,
        cut: u64,
    ) -> Result<Option<Draft>, ClerkError> {
        let bill = self.bill(journal, at_cuts, contract_id, period, cut).await?;
        Ok(bill.map(|bill| Draft::new(bill.billed)).transpose()?)
    }

    /// The bill of a contract for a period at a cut, with what it is made from.
    pub(crate) async fn bill(
        &self,
        journal: &Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        contract_id: &str,
        period: &str,
        cut: u64,
    ) -> Result<Option<Bill>, ClerkError> {
        self.check_reached(cut).await?;
        let reference = match at_cuts.entry(cut) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Reference::load(&self.store, cut).await?),
        };
        let Some(period_terms) = reference.terms_of(contract_id, period)? else { return Ok(None) };
        let balances = balances_before(journal, contract_id, period)?;
        Ok(Some(bill(&self.store, reference, period_terms, balances, cut).await?))
    }

    /// A bill over tables that lag behind the cut would be too small, silently.
    async fn check_reached(&self, cut: u64) -> Result<(), ClerkError> {
        let held = self.store.named_cut(cut).await?;
        if held == cut { Ok(()) } else { Err(ClerkError::Behind { cut, held }) }
    }

    /// An issued invoice by its id.
    ///
    /// # Errors
    /// [`ClerkError::NoSuchInvoice`], or what stopped the reading of the ledger.
    pub async fn invoice(&self, invoice_id: &str) -> Result<Arc<IssuedDocument>, ClerkError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        journal
            .invoice(invoice_id)
            .cloned()
            .ok_or_else(|| ClerkError::NoSuchInvoice { invoice_id: invoice_id.chars().take(64).collect() })
    }

    /// All issued invoices, in the order of the ledger.
    ///
    /// # Errors
    /// What stopped the reading of the ledger.
    pub async fn invoices(&self) -> Result<Vec<Arc<IssuedDocument>>, ClerkError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let mut all: Vec<_> = journal.invoices().cloned().collect();
        all.sort_by_key(|document| document.ledger_offset);
        Ok(all)
    }

    /// Computes an invoice again from facts and usage at its recorded cut, and compares both digests.
    ///
    /// # Errors
    /// [`ClerkError`] where the invoice does not exist or cannot be computed. A difference of digests
    /// is a result, not an error.
    pub async fn recompute(&self, invoice_id: &str) -> Result<Recomputed, ClerkError> {
        let document = self.invoice(invoice_id).await?;
        let invoice = &document.invoice;
        let cut = invoice.evidence.cut;
        let journal = self.journal.lock().await;
        let draft = self
            .draft(&journal, &mut BTreeMap::new(), &invoice.contract_id, &invoice.period.text, cut)
            .await?
            .ok_or_else(|| ClerkError::NoTerms {
                contract_id: invoice.contract_id.clone(),
                period: invoice.period.text.clone(),
                cut,
            })?;
        let computed = draft.document();
        Ok(Recomputed {
            bill_digest: computed.bill_digest,
            evidence_digest: computed.evidence_digest,
            bill_matches: computed.bill_digest == invoice.bill_digest,
            evidence_matches: computed.evidence_digest == invoice.evidence_digest,
        })
    }
}

/// What the invoices of a contract left of grants and deposits before the one of a period: those that were
/// issued before it, or all where it is not issued.
pub(crate) fn balances_before(
    journal: &Journal,
    contract_id: &str,
    period: &str,
) -> Result<Balances, ClerkError> {
    let of_contract = || journal.invoices().filter(|document| document.invoice.contract_id == contract_id);
    let own = of_contract().find(|document| document.invoice.period.text == period);
    let before =
        of_contract().filter(|document| own.is_none_or(|own| document.ledger_offset < own.ledger_offset));
    Balances::of(before.map(|document| &document.invoice))
}

/// The UTC days that a month has part of in any time zone.
fn utc_days(period: &str) -> Result<std::ops::RangeInclusive<i32>, ClerkError> {
    const DAY_US: i64 = 86_400_000_000;
    let month = Period::month(period, "UTC")?;
    let day = |at_us: i64| i32::try_from(at_us.div_euclid(DAY_US)).unwrap_or(i32::MAX);
    Ok(day(month.interval.start_us).saturating_sub(1)..=day(month.interval.end_us))
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
    }
}
