//! Backtests: what a document would have billed for a past month, beside what was billed; and a bill with all of its
//! inputs. Nothing is written to the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use wb_rating::Contract;

use super::{Biller, Drawn, balances_of};
use crate::bill::{Bill, bill};
use crate::error::BillerError;
use crate::journal::IssuedDocument;
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};
use crate::reference::{RecordedDocument, Reference};

/// A document tried out on a contract's usage of a past month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backtest {
    /// The contract whose usage was taken.
    pub contract_id: String,
    /// The month.
    pub period: String,
    /// The cut: that of the month's close, or the newest one if it is not closed.
    pub cut: u64,
    /// What the document would have billed.
    pub bill: Bill,
    /// The invoice, if there is one.
    pub billed: Option<Arc<IssuedDocument>>,
}

/// Amounts of one component in one currency, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentAmounts {
    /// The component's id.
    pub component: String,
    /// The currency's code.
    pub currency: String,
    /// Decimal places of the currency.
    pub places: u32,
    /// The billed amount; `None` if the invoice has no such component.
    pub billed_minor: Option<i128>,
    /// The amount of the document; `None` if it has no such component.
    pub would_be_minor: Option<i128>,
}

impl Backtest {
    /// Compares both by component and currency.
    #[must_use]
    pub fn by_component(&self) -> Vec<ComponentAmounts> {
        let mut amounts: BTreeMap<(String, String), ComponentAmounts> = BTreeMap::new();
        let mut of = |component: &str, currency: &str, places: u32, minor: i128, would_be: bool| {
            let key = (component.to_owned(), currency.to_owned());
            let entry = amounts.entry(key).or_insert_with(|| ComponentAmounts {
                component: component.to_owned(),
                currency: currency.to_owned(),
                places,
                billed_minor: None,
                would_be_minor: None,
            });
            let sum = if would_be { &mut entry.would_be_minor } else { &mut entry.billed_minor };
            *sum = Some(sum.unwrap_or(0).saturating_add(minor));
        };
        for line in &self.bill.billed.lines {
            let currency = line.amount.currency;
            of(&line.component, currency.code(), currency.scale(), line.amount.minor, true);
        }
        for line in self.billed.iter().flat_map(|document| &document.invoice.lines) {
            let places = line.amount.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let places = u32::try_from(places).unwrap_or(0);
            of(&line.component, &line.currency, places, line.amount_minor.parse().unwrap_or(0), false);
        }
        amounts.into_values().collect()
    }
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Computes what a document would have billed for a month. `document` is JSON. The usage is that of
    /// `contract_id`, or of the document's own contract. The document is taken to hold for the whole month.
    ///
    /// # Errors
    /// [`BillerError::NotThisContract`] for an unknown contract, and any error of billing.
    pub async fn backtest(
        &self,
        document: &str,
        contract_id: Option<&str>,
        period: &str,
    ) -> Result<Backtest, BillerError> {
        let contract = Contract::parse(document)?;
        let contract_id = contract_id.unwrap_or(&contract.contract_id).to_owned();
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let cut = match journal.state().closed(&contract_id, period) {
            Some(closed) => closed.cut,
            None => self.store.settled(self.cuts.settled_cut().await?).await?,
        };
        self.check_reached(cut).await?;
        let reference = Reference::load(&self.store, cut).await?;
        let owner = reference.customer_of(&contract_id).ok_or_else(|| BillerError::NotThisContract {
            found: contract.contract_id.clone(),
            detail: format!(
                "nothing is recorded of contract {contract_id} at cut {cut}; give one with usage"
            ),
        })?;
        let document = as_document_of(document, &contract_id, &owner)?;
        let terms = reference.terms_of_document(&document, period)?.ok_or_else(|| BillerError::NoTerms {
            contract_id: contract_id.clone(),
            period: period.to_owned(),
            cut,
        })?;
        let billed = journal.invoice_of(&contract_id, period).cloned();
        let drawn = billed.as_ref().map_or(Drawn::UNTIL_NOW, |own| Drawn::Before(own.computed_offset));
        let balances = balances_of(&journal, &contract_id, period, drawn)?;
        let bill = bill(&self.store, &reference, terms, balances, &self.defaults, cut).await?;
        Ok(Backtest { contract_id, period: period.to_owned(), cut, bill, billed })
    }

    /// The contracts of a customer.
    ///
    /// # Errors
    /// An error of reading facts.
    pub async fn contracts_of(&self, customer_id: &str) -> Result<Vec<String>, BillerError> {
        let cut = self.store.settled(self.cuts.settled_cut().await?).await?;
        let reference = Reference::load(&self.store, cut).await?;
        let own =
            reference.contract_ids().filter(|id| reference.customer_of(id).as_deref() == Some(customer_id));
        Ok(own.cloned().collect())
    }

    /// The recorded documents of a contract, in order of time: the start of each, and its text, JSON.
    ///
    /// # Errors
    /// An error of reading facts.
    pub async fn documents_of(&self, contract_id: &str) -> Result<Vec<(i64, String)>, BillerError> {
        let cut = self.store.settled(self.cuts.settled_cut().await?).await?;
        let reference = Reference::load(&self.store, cut).await?;
        Ok(reference.documents_of(contract_id))
    }

    /// Every document recorded of each contract, in the order of recording, and whether it stands.
    ///
    /// # Errors
    /// An error of reading facts.
    pub async fn recorded_contracts(&self) -> Result<BTreeMap<String, Vec<RecordedDocument>>, BillerError> {
        let cut = self.store.settled(self.cuts.settled_cut().await?).await?;
        Reference::recorded(&self.store, cut).await
    }

    /// Computes the bill of an issued invoice again at its cut, with all of its inputs, as evidence.
    ///
    /// # Errors
    /// As [`Biller::recompute`].
    pub async fn bill_of(&self, invoice_id: &str) -> Result<Bill, BillerError> {
        let document = self.invoice(invoice_id).await?;
        let invoice = &document.invoice;
        let (contract_id, period, cut) = (&invoice.contract_id, &invoice.period.text, invoice.evidence.cut);
        let journal = self.journal.lock().await;
        let drawn = Drawn::Before(document.computed_offset);
        let bill = self.bill(&journal, &mut BTreeMap::new(), (contract_id, period), cut, drawn).await?;
        bill.ok_or_else(|| BillerError::NoTerms {
            contract_id: contract_id.clone(),
            period: period.clone(),
            cut,
        })
    }
}

/// Replaces the ids in a document by those of the contract whose usage is taken.
fn as_document_of(document: &str, contract_id: &str, customer_id: &str) -> Result<String, BillerError> {
    let refuse = |detail: String| BillerError::NotThisContract { found: contract_id.to_owned(), detail };
    let mut value: serde_json::Value =
        serde_json::from_str(document).map_err(|error| refuse(error.to_string()))?;
    let Some(table) = value.as_object_mut() else { return Err(refuse("it is not a JSON object".to_owned())) };
    table.insert("contract_id".to_owned(), contract_id.into());
    table.insert("customer_id".to_owned(), customer_id.into());
    Ok(value.to_string())
}
