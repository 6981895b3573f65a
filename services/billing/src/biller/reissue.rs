//! A voided month is billed again: a new invoice, with its own number, that names the void one.

use std::collections::BTreeMap;

use tracing::info;
use wb_ledger::{Command, Event, Refusal, Replaced};

use super::{Biller, Done, Drawn, Signature, utc_days};
use crate::error::BillerError;
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Voids an invoice, if it is not void yet, and bills its month again at the newest cut, so that corrections
    /// count. The new invoice, or the draft that the terms ask for, names the void one. With `moves_payments`, what the
    /// void freed of payments settles the new invoice when it is issued.
    ///
    /// A repeat has no effect. After a kill between void and invoice a repeat makes the invoice.
    ///
    /// # Errors
    /// As [`Self::act`] and [`Self::close`].
    pub async fn reissue(
        &self,
        invoice_id: &str,
        moves_payments: bool,
        by: &Signature,
    ) -> Result<Done, BillerError> {
        let old = self.invoice(invoice_id).await?.invoice.clone();
        let period = old.period.text.as_str();
        let settled = self.cuts.settled_cut().await?;
        let cut = self.store.settled(settled).await?;
        self.cuts.check_conserved(utc_days(period)?, cut).await?;
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let replaces_it = |replaces: &Option<Replaced>| {
            replaces.as_ref().is_some_and(|replaced| replaced.invoice_id == invoice_id)
        };
        if let Some(next) = journal.invoices().find(|next| replaces_it(&next.invoice.replaces)) {
            return Ok(Done::Existed(next.invoice.number.clone()));
        }
        if let Some(review) = journal.state().reviews().find(|review| replaces_it(&review.draft.replaces)) {
            return Ok(Done::Existed(review.draft.invoice_id.clone()));
        }
        let mut at_cuts = BTreeMap::new();
        let of = (old.contract_id.as_str(), period);
        let mut done = Vec::new();
        if journal.state().item(invoice_id).is_none_or(|item| !item.voided) {
            // Computed before the void, so that nothing is voided that cannot be billed again.
            self.drafted_in_terms(&journal, &mut at_cuts, of, cut, Drawn::UNTIL_NOW).await?;
            let at_us = self.clock.now_us();
            let void = Command::Void { invoice_id: invoice_id.to_owned(), text: by.why.clone(), at_us };
            done.extend_from_slice(self.act_in(&mut journal, &void, by).await?.events());
        }
        let drafted = self.drafted_in_terms(&journal, &mut at_cuts, of, cut, Drawn::UNTIL_NOW).await?;
        if drafted.draft.is_empty() {
            return Ok(Done::Recorded(done));
        }
        let draft = drafted.draft.replacing(Replaced {
            invoice_id: invoice_id.to_owned(),
            number: old.number.clone(),
            moves_payments,
        })?;
        let at_us = self.clock.now_us();
        let command = if draft.document().terms.approvals > 0 {
            Command::MakeDraft { draft: Box::new(draft), at_us }
        } else {
            Command::IssueInvoice(Box::new(draft.issued_at(at_us)))
        };
        match self.act_in(&mut journal, &command, by).await {
            Ok(Done::Recorded(events)) => done.extend(events),
            // Another biller was faster.
            Ok(Done::Existed(id)) => return Ok(Done::Existed(id)),
            Err(BillerError::Refused(Refusal::AlreadyIssued { number, .. })) => {
                return Ok(Done::Existed(number));
            }
            Err(error) => return Err(error),
        }
        for event in done.iter().filter(|event| !matches!(event, Event::CreditNoteIssued(_))) {
            info!(kind = event.kind(), replaces = %old.number, contract_id = %of.0, period, cut, "a month was billed again");
        }
        Ok(Done::Recorded(done))
    }
}
