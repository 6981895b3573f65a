//! Commands on invoices: review, issue, pay, dispute, void.

use std::collections::BTreeMap;
use std::sync::Arc;

use wb_ledger::{Command, Event, Item, Refusal, State, Statement, StepFailed};
use wb_units::Micros;

use super::{Biller, Signature};
use crate::error::BillerError;
use crate::journal::{HistoryEntry, Journal, NoteDocument};
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// These events were recorded and won.
    Recorded(Vec<Event>),
    /// It was done before, under this id.
    Existed(String),
}

impl Done {
    /// The events that were recorded by this command.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        match self {
            Self::Recorded(events) => events,
            Self::Existed(_) => &[],
        }
    }
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// The present, by the biller's clock.
    pub fn now_us(&self) -> Micros {
        self.clock.now_us()
    }

    /// Executes a command: decides on the newest state, appends and reads back until its events win. A command that
    /// was done before has no effect, so it may be repeated if its answer was lost.
    ///
    /// # Errors
    /// [`BillerError::Refused`], [`BillerError::Unknown`] for a payment or an opening balance of a party that nothing is
    /// recorded of, or an error of reading or writing the ledger.
    pub async fn act(&self, command: &Command, by: &Signature) -> Result<Done, BillerError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        self.check_named(&journal, command).await?;
        self.act_in(&mut journal, command, by).await
    }

    pub(super) async fn act_in(
        &self,
        journal: &mut Journal,
        command: &Command,
        by: &Signature,
    ) -> Result<Done, BillerError> {
        match journal.execute(&self.log, command, (&by.who, &by.why, self.clock.now_us())).await {
            Ok(events) => Ok(Done::Recorded(events)),
            Err(BillerError::Refused(Refusal::AlreadyRecorded { id })) => Ok(Done::Existed(id)),
            Err(error) => Err(error),
        }
    }

    /// Issues an approved draft: gives it a number and a due date by its own terms. On failure the failure is
    /// recorded, and the step can be repeated.
    ///
    /// # Errors
    /// As [`Self::act`].
    pub async fn issue(&self, invoice_id: &str, by: &Signature) -> Result<Done, BillerError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let issued_us = self.clock.now_us();
        let command = Command::IssueApproved { invoice_id: invoice_id.to_owned(), issued_us };
        match self.act_in(&mut journal, &command, by).await {
            Err(BillerError::Refused(Refusal::AlreadyIssued { number, .. })) => Ok(Done::Existed(number)),
            Err(error @ BillerError::Record(_)) => {
                let draft = journal.state().review(invoice_id).map(|review| review.draft.clone());
                match draft {
                    Some(draft) => self.failed_to_issue(&mut journal, &draft, by, error).await,
                    None => Err(error),
                }
            }
            other => other,
        }
    }

    /// Records why issuing failed, and returns the error.
    async fn failed_to_issue(
        &self,
        journal: &mut Journal,
        draft: &wb_ledger::Invoice,
        by: &Signature,
        error: BillerError,
    ) -> Result<Done, BillerError> {
        let failed = StepFailed {
            invoice_id: draft.invoice_id.clone(),
            customer_id: draft.customer_id.clone(),
            code: error.code().to_owned(),
            detail: error.to_string(),
            at_us: self.clock.now_us(),
        };
        // A draft that is not approved cannot have a failed issue; the first error is the useful one.
        match self.act_in(journal, &Command::IssueFailed(failed), by).await {
            Ok(_) | Err(BillerError::Refused(_)) => Err(error),
            Err(worse) => Err(worse),
        }
    }

    /// The statements of a customer at an instant, one per legal entity and currency.
    ///
    /// # Errors
    /// An error of reading the ledger.
    pub async fn statements(&self, customer_id: &str, at_us: Micros) -> Result<Vec<Statement>, BillerError> {
        self.read(|journal| journal.state().statements(customer_id, at_us)).await
    }

    /// All open items and settled ones, by id.
    ///
    /// # Errors
    /// An error of reading the ledger.
    pub async fn items(&self) -> Result<BTreeMap<String, Item>, BillerError> {
        self.read(|journal| journal.state().items().map(|item| (item.id.clone(), item.clone())).collect())
            .await
    }

    /// The state of the ledger at its end.
    ///
    /// # Errors
    /// An error of reading the ledger.
    pub async fn state(&self) -> Result<State, BillerError> {
        self.read(|journal| journal.state().clone()).await
    }

    /// A credit or debit note by its number or id.
    ///
    /// # Errors
    /// [`Refusal::NoSuch`], or an error of reading the ledger.
    pub async fn note(&self, name: &str) -> Result<Arc<NoteDocument>, BillerError> {
        let found = self.read(|journal| match journal.note(name) {
            Some(note) => Ok(Arc::clone(note)),
            None => Err(journal.state().no_such_note(name)),
        });
        Ok(found.await??)
    }

    /// All credit and debit notes, in the order of the ledger.
    ///
    /// # Errors
    /// An error of reading the ledger.
    pub async fn notes(&self) -> Result<Vec<Arc<NoteDocument>>, BillerError> {
        let mut notes: Vec<_> = self.read(|journal| journal.notes().cloned().collect()).await?;
        notes.sort_by_key(|document| document.ledger_offset);
        Ok(notes)
    }

    /// The history of an invoice: what happened, by whom, why and when.
    ///
    /// # Errors
    /// An error of reading the ledger.
    pub async fn history(&self, invoice_id: &str) -> Result<Vec<HistoryEntry>, BillerError> {
        self.read(|journal| journal.history(invoice_id).to_vec()).await
    }

    async fn read<T>(&self, read: impl FnOnce(&Journal) -> T) -> Result<T, BillerError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        Ok(read(&journal))
    }
}
