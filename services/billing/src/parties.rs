//! The parties of an invoice and the customer's purchase order, for its documents.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use wb_ledger::{Invoice, canonical};
use wb_rating::Contract;

use crate::error::BillerError;
use crate::ports::UsageStore;
use crate::timeline::timelines;

/// A customer as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct CustomerName {
    pub name: String,
    /// Its address, line by line.
    #[serde(default)]
    pub address: Vec<String>,
    /// Its tax identifier.
    #[serde(default)]
    pub tax_id: Option<String>,
    /// The language tag of its documents.
    #[serde(default)]
    pub language: Option<String>,
}

/// An issuer as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct IssuerName {
    pub name: String,
    /// Its address, line by line.
    #[serde(default)]
    pub address: Vec<String>,
    /// Its tax identifier.
    #[serde(default)]
    pub tax_id: Option<String>,
    /// Payment instructions, line by line.
    #[serde(default)]
    pub payment: Vec<String>,
}

/// Both parties of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// The issuer.
    pub issuer: IssuerName,
    /// The customer.
    pub customer: CustomerName,
    /// The customer's purchase order, where the contract states one.
    pub purchase_order: Option<String>,
}

/// The parties' names in effect at the end of an invoice's period, as recorded before its cut, so that the result
/// never changes. A party without a recorded name has its id. The purchase order is that of the version of the contract
/// that held last in the period, which the invoice names by its digest.
///
/// # Errors
/// [`BillerError::Port`], and [`BillerError::Fact`] for a fact of the wrong form.
pub(crate) async fn parties<S: UsageStore>(store: &S, invoice: &Invoice) -> Result<Named, BillerError> {
    let mut named = Named {
        issuer: recorded(store, "legal_entity", &invoice.legal_entity, invoice).await?.unwrap_or_default(),
        customer: recorded(store, "customer", &invoice.customer_id, invoice).await?.unwrap_or_default(),
        purchase_order: purchase_order(store, invoice).await?,
    };
    for (name, id) in
        [(&mut named.issuer.name, &invoice.legal_entity), (&mut named.customer.name, &invoice.customer_id)]
    {
        if name.is_empty() {
            name.clone_from(id);
        }
    }
    Ok(named)
}

async fn purchase_order<S: UsageStore>(store: &S, invoice: &Invoice) -> Result<Option<String>, BillerError> {
    let Some(last) = invoice.contract_versions.last() else { return Ok(None) };
    let own = [invoice.contract_id.clone()];
    let documents = store.facts("contract", Some(&own), invoice.evidence.cut).await?;
    let held = documents
        .iter()
        .find(|row| canonical::digest_of_text(&row.body).is_ok_and(|digest| digest == last.digest));
    let contract = held.map(|row| Contract::parse(&row.body)).transpose()?;
    Ok(contract.and_then(|contract| contract.purchase_order))
}

async fn recorded<S: UsageStore, T: DeserializeOwned>(
    store: &S,
    kind: &'static str,
    entity: &str,
    invoice: &Invoice,
) -> Result<Option<T>, BillerError> {
    let last_us = invoice.period.end_us.saturating_sub(1);
    let own = store.facts(kind, Some(&[entity.to_owned()]), invoice.evidence.cut).await?;
    let Some(spans) = timelines(own).remove(entity) else { return Ok(None) };
    let Some(span) = spans.iter().find(|span| span.interval.contains(last_us)) else { return Ok(None) };
    serde_json::from_str(&span.body).map(Some).map_err(|error| BillerError::Fact {
        kind,
        entity: entity.to_owned(),
        detail: error.to_string(),
    })
}
