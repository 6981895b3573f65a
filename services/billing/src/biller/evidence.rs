//! The evidence of an issued invoice, for a bundle.

use std::collections::BTreeSet;

use wb_events::facts::ACCOUNT;
use wb_ledger::canonical;
use wb_units::Interval;

use super::Biller;
use crate::bill::Bill;
use crate::error::{BillerError, PortError};
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};
use crate::reference::accounts;

/// The record and the inputs of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceEvidence {
    /// The bytes of the ledger's record that issued it: canonical JSON.
    pub record: String,
    /// The bill computed again at its cut. The texts of the contract are canonical.
    pub bill: Bill,
    /// The ids of all events that corrections void at its cut.
    pub voided: BTreeSet<[u8; 16]>,
    /// The accounts that are mapped to its contract at its cut, with the times.
    pub accounts: Vec<(String, Interval)>,
    /// The accounts that are mapped to other contracts.
    pub other_accounts: Vec<(String, Interval)>,
}

/// The ledger returned another record than the requested one.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's record at offset {0} is missing or not text")]
struct NoRecord(u64);

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// The record of an invoice and its inputs.
    ///
    /// # Errors
    /// As [`Biller::bill_of`], and an error of reading the record.
    pub async fn evidence(&self, invoice_id: &str) -> Result<InvoiceEvidence, BillerError> {
        let mut bill = self.bill_of(invoice_id).await?;
        for stretch in &mut bill.stretches {
            stretch.contract = spelled(&stretch.contract).map_err(|detail| BillerError::Fact {
                kind: "contract",
                entity: bill.billed.contract_id.clone(),
                detail,
            })?;
        }
        let offset = self.invoice(invoice_id).await?.ledger_offset;
        let records = self.log.read_all_from(offset).await?;
        let found = records.into_iter().find(|(at, _)| *at == offset);
        let record = found.and_then(|(_, bytes)| String::from_utf8(bytes).ok());
        let record = record.ok_or_else(|| PortError::new("reading the ledger", NoRecord(offset)))?;
        let corrections = self.store.corrections(bill.billed.cut).await?.resolved;
        let voided = corrections.voided().copied().collect();
        let rows = self.store.facts(ACCOUNT, None, bill.billed.cut).await?;
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for (account, held) in accounts(rows)?.all() {
            let is_own = held.body.body.contract_id == bill.billed.contract_id;
            let of = if is_own { &mut own } else { &mut others };
            of.push((account.to_owned(), held.interval));
        }
        Ok(InvoiceEvidence { record, bill, voided, accounts: own, other_accounts: others })
    }
}

/// The canonical form of a document, which its digest covers.
fn spelled(json: &str) -> Result<String, String> {
    let value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    canonical::write(&value).map_err(|error| error.to_string())
}
