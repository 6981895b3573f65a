//! What an issued invoice follows from, for a bundle that proves it.

use std::collections::BTreeSet;

use wb_ledger::canonical;

use super::Biller;
use crate::bill::Bill;
use crate::error::{BillerError, PortError};
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};

/// An invoice's record and what it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceEvidence {
    /// The bytes of the ledger's record that issued it: canonical JSON.
    pub record: String,
    /// What it is made from, computed again at its cut. The texts of the contract are canonical.
    pub bill: Bill,
    /// The ids of all events that corrections void at its cut.
    pub voided: BTreeSet<[u8; 16]>,
}

/// The ledger gave another record than the one that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's record at offset {0} is not there, or is no text")]
struct NoRecord(u64);

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// The record of an invoice, and what it was made from.
    ///
    /// # Errors
    /// As [`Biller::bill_of`], and what stopped the reading of the record.
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
        Ok(InvoiceEvidence { record, bill, voided })
    }
}

/// The canonical spelling of a document, of which its digest is.
fn spelled(json: &str) -> Result<String, String> {
    let value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    canonical::write(&value).map_err(|error| error.to_string())
}
