//! Adjustments: a closed period is computed again with late data and corrections, and compared with what was billed.

use std::collections::BTreeMap;

use tracing::{info, warn};
use wb_ledger::{Command, Event, Refusal, Total};

use super::overdue::tried;
use super::{Biller, Drawn, Signature, utc_days};
use crate::error::{BillerError, ContractFailure};
use crate::journal::Journal;
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};
use crate::reference::Reference;

/// More than an adjustment issues: an invoice, or one note each way.
const DOCUMENTS_MAX: usize = 4;

/// A document that an adjustment issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjusted {
    /// `invoice_issued`, `draft_made`, `credit_note_issued` or `debit_note_issued`.
    pub kind: &'static str,
    /// The document's number; empty for a draft.
    pub number: String,
    /// The invoice it belongs to, or is.
    pub invoice_id: String,
    pub customer_id: String,
    /// The totals, negative if credited.
    pub totals: Vec<Total>,
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Computes every closed contract of a month again at the newest cut, by the terms of that month, and compares it
    /// line by line with what was billed. Differences become a credit or a debit note to the invoice. If nothing was
    /// used at the close, they become its invoice, or a draft if the terms require one. A second run at the same cut
    /// finds no difference. Void invoices and drafts in review are skipped.
    ///
    /// Returns what was issued, sorted by contract.
    ///
    /// # Errors
    /// [`BillerError::Some`] if some contracts failed; any other error stopped the run.
    pub async fn adjust(
        &self,
        period: &str,
        customer: Option<&str>,
        by: &Signature,
    ) -> Result<Vec<Adjusted>, BillerError> {
        self.adjust_run(period, customer, Some(by)).await
    }

    /// What [`Self::adjust`] would issue now; records nothing.
    ///
    /// # Errors
    /// As [`Self::adjust`].
    pub async fn adjust_plan(
        &self,
        period: &str,
        customer: Option<&str>,
    ) -> Result<Vec<Adjusted>, BillerError> {
        self.adjust_run(period, customer, None).await
    }

    /// Without a signature nothing is recorded.
    async fn adjust_run(
        &self,
        period: &str,
        customer: Option<&str>,
        by: Option<&Signature>,
    ) -> Result<Vec<Adjusted>, BillerError> {
        let settled = self.cuts.settled_cut().await?;
        let cut = self.store.settled(settled).await?;
        self.cuts.check_conserved(utc_days(period)?, cut).await?;
        let mut at_cuts = BTreeMap::new();
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let closed: Vec<String> = journal
            .state()
            .closed_in(period)
            .filter(|close| customer.is_none_or(|customer| close.customer_id == customer))
            .map(|close| close.contract_id.clone())
            .collect();
        if let Some(customer) = customer
            && closed.is_empty()
        {
            self.check_parties(&journal, &[("customer", customer)]).await?;
        }
        let mut adjusted = Vec::new();
        let mut failures = Vec::new();
        for contract_id in closed {
            match self.adjust_contract(&mut journal, &mut at_cuts, (cut, &contract_id, period), by).await {
                Ok(documents) => adjusted.extend(documents),
                Err(error) if error.stops_everything() => return Err(error),
                Err(error) => {
                    warn!(%contract_id, period, code = error.code(), %error, "a contract could not be adjusted");
                    failures.push(ContractFailure { contract_id, error });
                }
            }
        }
        if failures.is_empty() {
            Ok(adjusted)
        } else {
            Err(BillerError::Some { failures, issued: Vec::new() })
        }
    }

    async fn adjust_contract(
        &self,
        journal: &mut Journal,
        at_cuts: &mut BTreeMap<u64, Reference>,
        (cut, contract_id, period): (u64, &str, &str),
        by: Option<&Signature>,
    ) -> Result<Vec<Adjusted>, BillerError> {
        // A killed close may have recorded its cut only: its invoice is issued first, at that cut.
        self.finish_close(journal, at_cuts, contract_id, period, by.is_none()).await?;
        let closed_cut = journal.state().closed(contract_id, period).map_or(cut, |close| close.cut);
        if cut <= closed_cut {
            return Ok(Vec::new());
        }
        let of = (contract_id, period);
        let drafted = self.drafted_in_terms(journal, at_cuts, of, cut, Drawn::ByOthers).await?;
        let command = Command::Adjust { draft: Box::new(drafted.draft), at_us: self.clock.now_us() };
        let mut documents = Vec::new();
        let Some(by) = by else {
            let commands = vec![command; DOCUMENTS_MAX];
            let events = tried(&mut journal.state().clone(), &commands);
            return Ok(events.iter().filter_map(document_of).collect());
        };
        for _ in 0..DOCUMENTS_MAX {
            let signed = (by.who.as_str(), by.why.as_str(), self.clock.now_us());
            let events = match journal.execute(&self.log, &command, signed).await {
                Ok(events) => events,
                // Void or written off: nothing more is billed on it. Older cut: a newer adjustment won.
                Err(BillerError::Refused(Refusal::WrongState { .. } | Refusal::OlderCut { .. })) => break,
                Err(error) => return Err(error),
            };
            if events.is_empty() {
                break;
            }
            documents.extend(events.iter().filter_map(document_of));
        }
        for document in &documents {
            info!(kind = document.kind, number = %document.number, %contract_id, period, cut, "a closed period was adjusted");
        }
        Ok(documents)
    }
}

fn document_of(event: &Event) -> Option<Adjusted> {
    let (number, totals) = match event {
        Event::InvoiceIssued(invoice) => (&invoice.number, &invoice.totals),
        Event::DraftMade(made) => (&made.draft.number, &made.draft.totals),
        Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => (&note.number, &note.totals),
        _ => return None,
    };
    Some(Adjusted {
        kind: event.kind(),
        number: number.clone(),
        invoice_id: event.invoice_id().unwrap_or_default().to_owned(),
        customer_id: event.customer_id().to_owned(),
        totals: totals.clone(),
    })
}
