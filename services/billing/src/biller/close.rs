//! The close of a month.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{info, warn};
use wb_counted::Unresolved;
use wb_ledger::{Command, Draft, Override, PeriodClosed, Refusal};

use super::known::{bearing_on, without_contract};
use super::{Biller, Drafted, Drawn, Issued, IssuedAs, Signature, summary, utc_days};
use crate::error::{BillerError, ContractFailure};
use crate::exclusion::Exclusions;
use crate::journal::Journal;
use crate::policy::ByPolicy;
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};
use crate::reference::Reference;
use crate::unbilled::UnbilledList;

/// The request for a close.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloseRequest {
    /// The month, such as `2026-10`.
    pub period: String,
    /// Only this customer.
    pub customer: Option<String>,
    /// Compute what would be issued, and append nothing.
    pub dry_run: bool,
    /// The signature that allows incomplete periods, if given.
    pub incomplete: Option<Signature>,
    /// The signature that allows facts that refer to nothing, if given.
    pub unresolved: Option<Signature>,
}

/// The progress of a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Everything recorded is committed and projected.
    Settled {
        /// The cut of new closes.
        cut: u64,
        /// How many contracts there are to close.
        contracts: usize,
    },
    /// A bill was computed.
    Drafted {
        /// The contract.
        contract_id: String,
        /// How much of what should be known of its machines is known, in parts per million; `None` if it bills nothing
        /// that is sampled or metered.
        known_ppm: Option<u32>,
    },
    /// Accepted usage that a contract's bill leaves out.
    Excluded {
        /// The contract.
        contract_id: String,
        /// Each with its reason, and what it might have cost.
        exclusions: Exclusions,
    },
    /// Accepted usage of a contract's machines that no component of it bills, and what was measured twice.
    Unbilled {
        /// The contract.
        contract_id: String,
        /// By machine and measure, each with its reason, and what it might have cost.
        unbilled: UnbilledList,
    },
    /// Policies decided about sources behind a contract's bill.
    ByPolicy {
        /// The contract.
        contract_id: String,
        /// The sources, in order.
        sources: Vec<ByPolicy>,
    },
    /// A contract is done.
    Contract {
        /// How many are done.
        done: usize,
        /// How many there are.
        of: usize,
        /// The contract.
        contract_id: String,
        /// Its outcome: `issued`, `drafted`, `existed`, `void`, `rejected`, `empty`, `failed` or `would be issued`.
        outcome: &'static str,
    },
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Closes a month for every contract in effect in it, or for those of one customer, and issues the missing
    /// invoices. A contract without usage and charges is closed without an invoice.
    ///
    /// Returns all invoices of the month, including earlier ones, sorted by contract.
    ///
    /// # Errors
    /// [`BillerError::Some`] if some contracts failed; any other error stopped the close. A repeat continues it.
    pub async fn close(&self, period: &str, customer: Option<&str>) -> Result<Vec<Issued>, BillerError> {
        let request = CloseRequest {
            period: period.to_owned(),
            customer: customer.map(str::to_owned),
            ..CloseRequest::default()
        };
        self.close_with(&request, &mut |_| {}).await
    }

    /// [`Self::close`] with all options; reports its progress.
    ///
    /// # Errors
    /// As [`Self::close`]; [`BillerError::Incomplete`] for each contract whose period lacks usage, and
    /// [`BillerError::Unresolved`] for each that rests on facts that refer to nothing, unless a signature allows it;
    /// [`BillerError::Unknown`] for a customer that nothing is recorded of.
    pub async fn close_with(
        &self,
        request: &CloseRequest,
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Vec<Issued>, BillerError> {
        let settled = self.cuts.settled_cut().await?;
        let cut = self.store.settled(settled).await?;
        self.cuts.check_conserved(utc_days(&request.period)?, cut).await?;
        let reference = Reference::load(&self.store, cut).await?;
        let mut contracts: BTreeSet<(String, Option<String>)> = BTreeSet::new();
        for contract_id in reference.contract_ids() {
            contracts.insert((contract_id.clone(), reference.customer_of(contract_id)));
        }
        let wanted = request.customer.as_deref();
        contracts.retain(|(_, owner)| wanted.is_none() || owner.as_deref() == wanted);
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        if let Some(customer) = wanted
            && contracts.is_empty()
        {
            self.check_parties(&journal, &[("customer", customer)]).await?;
        }
        let unresolved = match &request.unresolved {
            None => self.unresolved_at(cut).await?,
            Some(_) => Vec::new(),
        };
        let owners: BTreeSet<String> = contracts.iter().filter_map(|(_, owner)| owner.clone()).collect();
        let lost = without_contract(&reference, &unresolved, (wanted, &owners), &request.period)?;
        let mut failures: Vec<ContractFailure> =
            lost.into_iter().map(|of| refer_to_nothing(&of.id, request, vec![of.clone()])).collect();
        let mut at_cuts = BTreeMap::from([(cut, reference)]);
        let of = contracts.len();
        progress(&Progress::Settled { cut, contracts: of });
        let mut issued = Vec::new();
        let contract_ids: Vec<String> = contracts.into_iter().map(|(contract_id, _)| contract_id).collect();
        let mut read_ahead = 0;
        let mut computed_ids = Vec::new();
        for (index, contract_id) in contract_ids.iter().enumerate() {
            let is_closed = journal.state().closed(contract_id, &request.period).is_some();
            if !is_closed {
                computed_ids.push(contract_id.as_str());
            }
            if index >= read_ahead && !is_closed {
                let Some(reference) = at_cuts.get(&cut) else { continue };
                let open = |id: &&String| journal.state().closed(id, &request.period).is_none();
                let rest = contract_ids.get(index..).unwrap_or_default();
                let terms = |id: &String| reference.terms_of(id, &request.period).ok().flatten();
                let rest = rest.iter().take_while(open).map(terms);
                read_ahead = index + self.store.read_ahead(reference, rest, cut).await?;
            }
            let bearing = match at_cuts.get(&cut) {
                Some(reference) if !is_closed => {
                    bearing_on(reference, &unresolved, contract_id, &request.period).unwrap_or_default()
                }
                _ => Vec::new(),
            };
            if !bearing.is_empty() {
                failures.push(refer_to_nothing(contract_id, request, bearing));
                let contract_id = contract_id.clone();
                progress(&Progress::Contract { done: index + 1, of, contract_id, outcome: "failed" });
                continue;
            }
            let mut computed = Vec::new();
            let outcome = match self
                .close_contract(&mut journal, &mut at_cuts, cut, (contract_id, &mut computed), request)
                .await
            {
                Ok(invoice) => {
                    let outcome = invoice.as_ref().map_or("empty", outcome_of);
                    issued.extend(invoice);
                    outcome
                }
                // An error of the log, the tables or the ledger: the next contract would fail, too.
                Err(error) if error.stops_everything() => {
                    self.store.forget();
                    return Err(error);
                }
                Err(error) => {
                    let period = &request.period;
                    warn!(%contract_id, period, code = error.code(), %error, "a contract could not be billed");
                    failures.push(ContractFailure { contract_id: contract_id.clone(), error });
                    "failed"
                }
            };
            let contract_id = contract_id.clone();
            computed.iter().for_each(&mut *progress);
            progress(&Progress::Contract { done: index + 1, of, contract_id, outcome });
        }
        if let Some(reference) = at_cuts.get(&cut) {
            self.tell_unread(reference, (&computed_ids, &request.period), cut, progress).await?;
        }
        self.store.forget();
        if failures.is_empty() { Ok(issued) } else { Err(BillerError::Some { failures, issued }) }
    }

    async fn close_contract(
        &self,
        journal: &mut Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        cut: u64,
        (contract_id, computed): (&str, &mut Vec<Progress>),
        request: &CloseRequest,
    ) -> Result<Option<Issued>, BillerError> {
        let period = request.period.as_str();
        if journal.state().closed(contract_id, period).is_none() {
            // Computed before the close, so that an error in the facts can still be corrected.
            let Some(drafted) =
                self.drafted(journal, at_cuts, (contract_id, period), cut, Drawn::UNTIL_NOW).await?
            else {
                return Ok(None);
            };
            computed.extend(drafted.progress());
            let document = drafted.draft.document();
            let now_us = self.clock.now_us();
            if now_us < document.period.end_us {
                return Err(BillerError::NotOver {
                    contract_id: contract_id.to_owned(),
                    period: period.to_owned(),
                    end_us: document.period.end_us,
                    now_us,
                });
            }
            let incomplete = completeness_gate(&drafted, request)?;
            let close = PeriodClosed { incomplete, ..drafted.draft.closing() };
            if request.dry_run {
                return Ok(would_be(&drafted.draft));
            }
            // Checked before the close, so that nothing is left half done.
            journal.state().check_drawing(&drafted.draft).map_err(BillerError::Refused)?;
            match self.execute(journal, &Command::ClosePeriod(close), &why_of(request)).await {
                Ok(_) => match self.issue_or_lay_down(journal, drafted, period).await {
                    // The grants changed meanwhile: it is computed again, as a closed period.
                    Err(BillerError::Refused(Refusal::StaleBalances { .. })) => {}
                    done => return done,
                },
                // Another biller closed it meanwhile; that cut holds.
                Err(BillerError::Refused(Refusal::AlreadyClosed { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        self.finish_close(journal, at_cuts, contract_id, period, request.dry_run).await
    }

    /// Makes the invoice of a closed period if a close ended before it did.
    pub(super) async fn finish_close(
        &self,
        journal: &mut Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        contract_id: &str,
        period: &str,
        dry_run: bool,
    ) -> Result<Option<Issued>, BillerError> {
        let Some(cut) = journal.state().closed(contract_id, period).map(|close| close.cut) else {
            return Ok(None);
        };
        let review = journal.review_of(contract_id, period);
        if let Some(existing) = journal.invoice_of(contract_id, period).filter(|_| review.is_none()) {
            let is_void = journal.state().item(&existing.invoice.invoice_id).is_some_and(|item| item.voided);
            let issued_as = if is_void { IssuedAs::Void } else { IssuedAs::Invoice };
            return Ok(Some(Issued { issued_as, ..summary(existing, false) }));
        }
        // A rejected draft is computed again at the newest cut, so that corrections count.
        let cut = match review {
            Some(review) if review.stage == wb_ledger::Stage::Rejected => {
                let newest = at_cuts.keys().next_back().copied().unwrap_or(cut);
                if newest <= review.draft.evidence.cut {
                    return Ok(Some(of_document(&review.draft, IssuedAs::Rejected, false)));
                }
                newest
            }
            Some(review) => return Ok(Some(of_document(&review.draft, IssuedAs::Draft, false))),
            None => cut,
        };
        let of = (contract_id, period);
        let drafted = self.drafted_in_terms(journal, at_cuts, of, cut, Drawn::UNTIL_NOW).await?;
        if dry_run {
            return Ok(would_be(&drafted.draft));
        }
        self.issue_or_lay_down(journal, drafted, period).await
    }

    async fn issue_or_lay_down(
        &self,
        journal: &mut Journal,
        Drafted { draft, .. }: Drafted,
        period: &str,
    ) -> Result<Option<Issued>, BillerError> {
        if draft.is_empty() {
            return Ok(None);
        }
        let invoice_id = draft.document().invoice_id.clone();
        let reviewed = draft.document().terms.approvals > 0 || journal.state().review(&invoice_id).is_some();
        if reviewed {
            let command = Command::MakeDraft { draft: Box::new(draft.clone()), at_us: self.clock.now_us() };
            let new = match self.execute(journal, &command, &format!("close of {period}")).await {
                Ok(_) => true,
                Err(BillerError::Refused(
                    Refusal::AlreadyRecorded { .. }
                    | Refusal::AlreadyIssued { .. }
                    | Refusal::WrongState { .. },
                )) => false,
                Err(error) => return Err(error),
            };
            return Ok(Some(match journal.invoice(&invoice_id) {
                Some(document) => summary(document, false),
                None => of_draft(&draft, IssuedAs::Draft, new),
            }));
        }
        let command = Command::IssueInvoice(Box::new(draft.issued_at(self.clock.now_us())));
        let new = match self.execute(journal, &command, &format!("close of {period}")).await {
            Ok(_) => true,
            Err(BillerError::Refused(Refusal::AlreadyIssued { .. })) => false,
            Err(error) => return Err(error),
        };
        let document = journal.invoice(&invoice_id).ok_or(BillerError::NoSuchInvoice { invoice_id })?;
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
        why: &str,
    ) -> Result<Vec<wb_ledger::Event>, BillerError> {
        journal.execute(&self.log, command, (&self.who, why, self.clock.now_us())).await
    }
}

/// Why a period is closed, with who allowed facts that refer to nothing.
fn why_of(request: &CloseRequest) -> String {
    let why = format!("close of {}", request.period);
    match &request.unresolved {
        Some(by) => format!("{why}; facts that refer to nothing are allowed by {}: {}", by.who, by.why),
        None => why,
    }
}

/// A contract that is not billed, because facts refer to nothing.
fn refer_to_nothing(
    contract_id: &str,
    request: &CloseRequest,
    unresolved: Vec<Unresolved>,
) -> ContractFailure {
    let (contract_id, period) = (contract_id.to_owned(), request.period.clone());
    warn!(%contract_id, period, facts = unresolved.len(), "facts refer to nothing");
    let error = BillerError::Unresolved { contract_id: contract_id.clone(), period, unresolved };
    ContractFailure { contract_id, error }
}

/// Accepts a period that is complete enough, or that a signature allows.
fn completeness_gate(drafted: &Drafted, request: &CloseRequest) -> Result<Option<Override>, BillerError> {
    let completeness_ppm = drafted.completeness.known_ppm();
    let threshold_ppm = drafted.draft.document().terms.completeness_ppm;
    if completeness_ppm >= threshold_ppm {
        return Ok(None);
    }
    match &request.incomplete {
        Some(Signature { who, why }) => {
            Ok(Some(Override { completeness_ppm, threshold_ppm, by: who.clone(), reason: why.clone() }))
        }
        None => Err(BillerError::Incomplete {
            contract_id: drafted.draft.document().contract_id.clone(),
            period: request.period.clone(),
            completeness_ppm,
            threshold_ppm,
        }),
    }
}

impl Drafted {
    /// What the close tells of a computed bill.
    fn progress(&self) -> Vec<Progress> {
        let contract_id = self.draft.document().contract_id.clone();
        let known_ppm = (self.completeness.expected > 0).then(|| self.completeness.known_ppm());
        let mut told = vec![Progress::Drafted { contract_id: contract_id.clone(), known_ppm }];
        if !self.unbilled.listed.is_empty() {
            let (contract_id, unbilled) = (contract_id.clone(), self.unbilled.clone());
            told.push(Progress::Unbilled { contract_id, unbilled });
        }
        if !self.exclusions.listed.is_empty() {
            let contract_id = contract_id.clone();
            told.push(Progress::Excluded { contract_id, exclusions: self.exclusions.clone() });
        }
        if !self.by_policy.is_empty() {
            told.push(Progress::ByPolicy { contract_id, sources: self.by_policy.clone() });
        }
        told
    }
}

fn would_be(draft: &Draft) -> Option<Issued> {
    (!draft.is_empty()).then(|| of_draft(draft, IssuedAs::WouldBe, true))
}

fn outcome_of(issued: &Issued) -> &'static str {
    match (issued.issued_as, issued.new) {
        (IssuedAs::WouldBe, _) => "would be issued",
        (IssuedAs::Void, _) => "void",
        (IssuedAs::Rejected, _) => "rejected",
        (_, false) => "existed",
        (IssuedAs::Invoice, true) => "issued",
        (IssuedAs::Draft, true) => "drafted",
    }
}

fn of_draft(draft: &Draft, issued_as: IssuedAs, new: bool) -> Issued {
    of_document(draft.document(), issued_as, new)
}

fn of_document(document: &wb_ledger::Invoice, issued_as: IssuedAs, new: bool) -> Issued {
    Issued {
        invoice_id: document.invoice_id.clone(),
        number: document.number.clone(),
        customer_id: document.customer_id.clone(),
        contract_id: document.contract_id.clone(),
        bill_digest: document.bill_digest,
        evidence_digest: document.evidence_digest,
        new,
        issued_as,
        totals: document.totals.clone(),
    }
}
