//! Runs over all invoices that are not paid in time.

use wb_ledger::{Command, Event, Item, Refusal, State, decide};
use wb_units::Micros;

use super::{Biller, Signature};
use crate::error::BillerError;
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Records overdue invoices at an instant, of one customer or of all. The same instant and ledger give the same
    /// records, so a repeat records nothing. Returns the invoices that became overdue.
    ///
    /// # Errors
    /// As [`Self::act`].
    pub async fn overdue(
        &self,
        at_us: Micros,
        customer: Option<&str>,
        by: &Signature,
    ) -> Result<Vec<Item>, BillerError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let mut overdue = Vec::new();
        for invoice_id in to_mark(journal.state(), at_us, customer) {
            let command = Command::MarkOverdue { invoice_id: invoice_id.clone(), at_us };
            match self.act_in(&mut journal, &command, by).await {
                Ok(done) if !done.events().is_empty() => {
                    overdue.extend(journal.state().item(&invoice_id).cloned());
                }
                // Another run recorded it first, or a payment arrived meanwhile.
                Ok(_) | Err(BillerError::Refused(Refusal::NotDue { .. } | Refusal::WrongState { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(overdue)
    }

    /// Charges interest up to an instant on everything overdue, of one customer or of all, at the rate of each
    /// invoice's terms. Returns the debit notes.
    ///
    /// # Errors
    /// As [`Self::act`].
    pub async fn late_fees(
        &self,
        at_us: Micros,
        customer: Option<&str>,
        by: &Signature,
    ) -> Result<Vec<Event>, BillerError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let mut notes = Vec::new();
        for invoice_id in to_charge(journal.state(), customer) {
            let command = Command::ChargeLateFee { invoice_id, at_us };
            match self.act_in(&mut journal, &command, by).await {
                Ok(done) => notes.extend_from_slice(done.events()),
                // Already charged up to then, or void.
                Err(BillerError::Refused(Refusal::NotDue { .. } | Refusal::WrongState { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(notes)
    }

    /// What [`Self::overdue`] and [`Self::late_fees`] would record now: the marks, then the notes.
    ///
    /// # Errors
    /// An error of reading the ledger.
    pub async fn overdue_plan(
        &self,
        at_us: Micros,
        customer: Option<&str>,
    ) -> Result<Vec<Event>, BillerError> {
        let mut state = self.state().await?;
        let marks = to_mark(&state, at_us, customer).into_iter();
        let marks: Vec<_> = marks.map(|invoice_id| Command::MarkOverdue { invoice_id, at_us }).collect();
        let mut plan = tried(&mut state, &marks);
        let fees = to_charge(&state, customer).into_iter();
        let fees: Vec<_> = fees.map(|invoice_id| Command::ChargeLateFee { invoice_id, at_us }).collect();
        plan.extend(tried(&mut state, &fees));
        Ok(plan)
    }
}

fn is_of(item: &Item, customer: Option<&str>) -> bool {
    customer.is_none_or(|customer| item.customer_id == customer)
}

fn to_mark(state: &State, at_us: Micros, customer: Option<&str>) -> Vec<String> {
    let due = state.newly_overdue(at_us).into_iter().filter(|item| is_of(item, customer));
    due.map(|item| item.id.clone()).collect()
}

fn to_charge(state: &State, customer: Option<&str>) -> Vec<String> {
    let due = |item: &&Item| item.late_fee_ppm > 0 && item.is_open() && item.overdue_us.is_some();
    let items = state.items().filter(due).filter(|item| is_of(item, customer));
    items.map(|item| item.id.clone()).collect()
}

/// The events of commands, one after the other, on a copy of the state. What is refused is left out.
pub(super) fn tried(state: &mut State, commands: &[Command]) -> Vec<Event> {
    let mut events = Vec::new();
    for command in commands {
        for event in decide(state, command).unwrap_or_default() {
            if state.apply(&event).is_ok() {
                events.push(event);
            }
        }
    }
    events
}
