//! What is left of prepaid grants and deposits before a bill. It follows only from recorded facts and from what
//! earlier invoices in the ledger drew or charged, so it can be computed again.

use std::collections::BTreeMap;

use wb_ledger::{Invoice, InvoiceLine, Note};
use wb_rating::{DepositHeld, Line, PrepaidGrant};
use wb_units::{Currency, Money};

use super::UsageReader;
use crate::error::BillerError;
use crate::ports::UsageStore;

/// What the earlier invoices of a contract drew from grants and charged as deposits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Balances {
    /// By grant, in minor units.
    drawn: BTreeMap<String, u128>,
    /// By component, in minor units.
    deposits: BTreeMap<String, u128>,
}

impl Balances {
    /// Adds what an invoice of the contract and its notes drew and charged.
    ///
    /// A note states by how much a line changed, but not for which grants. Credits go back first to the grants that
    /// the line drew on last; the last grant bears any further draws.
    pub(crate) fn add_invoice<'a>(
        &mut self,
        invoice: &Invoice,
        notes: impl Iterator<Item = &'a Note>,
    ) -> Result<(), BillerError> {
        let mut changes: BTreeMap<&str, i128> = BTreeMap::new();
        for line in notes.flat_map(|note| &note.lines) {
            let sum = changes.entry(line.line_id.as_str()).or_default();
            *sum = sum.saturating_add(line.amount_minor.0);
        }
        for line in &invoice.lines {
            let change = changes.get(line.id.as_str()).copied().unwrap_or(0);
            match line.kind.as_str() {
                "prepaid_credit" => self.add_draws(invoice, line, change)?,
                "deposit" => {
                    let charged: i128 = line.amount_minor.parse().unwrap_or(0);
                    let charged = u128::try_from(charged.saturating_add(change)).unwrap_or(0);
                    let sum = self.deposits.entry(line.component.clone()).or_default();
                    *sum = sum.saturating_add(charged);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds the draws of other documents, but not their deposits: what a later bill charged was not held before.
    pub(crate) fn take_draws_of(&mut self, others: Self) {
        self.drawn = others.drawn;
    }

    /// Adds what an earlier stretch of the same bill drew and charged.
    pub(crate) fn add(&mut self, lines: &[Line]) {
        for line in lines {
            match line.kind.as_str() {
                "prepaid_credit" => {
                    for (grant_id, drawn_minor) in draws(&line.inputs) {
                        let sum = self.drawn.entry(grant_id.to_owned()).or_default();
                        *sum = sum.saturating_add(drawn_minor);
                    }
                }
                "deposit" => {
                    let sum = self.deposits.entry(line.component.clone()).or_default();
                    *sum = sum.saturating_add(u128::try_from(line.amount.minor).unwrap_or(0));
                }
                _ => {}
            }
        }
    }

    fn add_draws(&mut self, invoice: &Invoice, line: &InvoiceLine, change: i128) -> Result<(), BillerError> {
        if u64::try_from(line.inputs.len()) != Ok(line.inputs_count) {
            return Err(BillerError::DrawsUnknown {
                invoice_id: invoice.invoice_id.clone(),
                contract_id: invoice.contract_id.clone(),
            });
        }
        let mut drawn: Vec<(&str, u128)> = draws(&line.inputs).collect();
        if change < 0
            && let Some((_, last)) = drawn.last_mut()
        {
            *last = last.saturating_add(change.unsigned_abs());
        }
        let mut given_back = u128::try_from(change).unwrap_or(0);
        for (_, of_grant) in drawn.iter_mut().rev() {
            let part = given_back.min(*of_grant);
            *of_grant -= part;
            given_back -= part;
        }
        for (grant_id, drawn_minor) in drawn {
            let sum = self.drawn.entry(grant_id.to_owned()).or_default();
            *sum = sum.saturating_add(drawn_minor);
        }
        Ok(())
    }
}

fn draws(inputs: &[BTreeMap<String, String>]) -> impl Iterator<Item = (&str, u128)> {
    inputs
        .iter()
        .filter_map(|input| Some((input.get("grant_id")?.as_str(), input.get("drawn_minor")?.parse().ok()?)))
}

fn minor(kind: &'static str, entity: &str, currency: &str, amount: &str) -> Result<u128, BillerError> {
    let refuse = |detail: String| BillerError::Fact { kind, entity: entity.to_owned(), detail };
    let currency = Currency::from_code(currency).map_err(|error| refuse(error.to_string()))?;
    let money = Money::parse(amount, currency).map_err(|error| refuse(error.to_string()))?;
    u128::try_from(money.minor).map_err(|_| refuse(format!("the amount {amount:?} is negative")))
}

impl<S: UsageStore> UsageReader<'_, S> {
    /// The contract's grants with what earlier invoices left of them.
    pub(super) fn grants(&mut self, balances: &Balances) -> Result<Vec<PrepaidGrant>, BillerError> {
        let mut grants: Vec<PrepaidGrant> = Vec::new();
        if !self.needs.grants {
            return Ok(grants);
        }
        for fact in &self.reference.facts.grants {
            if fact.body.contract_id != self.part.contract.contract_id {
                continue;
            }
            let amount = minor("prepaid_grant", &fact.entity, &fact.body.currency, &fact.body.amount)?;
            self.blocks.insert(fact.block.clone());
            grants.push(PrepaidGrant {
                grant_id: fact.entity.clone(),
                currency: fact.body.currency.clone(),
                balance_minor: amount,
                valid_from_us: fact.at_us,
                expires_us: fact.end_us,
                priority: fact.body.priority,
            });
        }
        for grant in &mut grants {
            let drawn = balances.drawn.get(&grant.grant_id).copied().unwrap_or(0);
            grant.balance_minor = grant.balance_minor.saturating_sub(drawn);
        }
        Ok(grants)
    }

    /// The deposits that were recorded as held or charged by earlier invoices.
    pub(super) fn deposits(&mut self, balances: &Balances) -> Result<Vec<DepositHeld>, BillerError> {
        let mut held: BTreeMap<String, u128> = BTreeMap::new();
        let asked = &self.needs.deposits;
        for fact in &self.reference.facts.deposits {
            let is_own = fact.body.contract_id == self.part.contract.contract_id
                && asked.contains(&fact.body.component)
                && fact.at_us < self.part.interval.end_us;
            if !is_own {
                continue;
            }
            let mut components = self.part.contract.components.iter();
            let component = components.find(|component| component.id() == fact.body.component);
            if let Some(expected) = component.map(|component| component.currency().code())
                && expected != fact.body.currency
            {
                return Err(BillerError::Fact {
                    kind: "deposit_held",
                    entity: fact.entity.clone(),
                    detail: format!(
                        "it is in {:?}, but the component {} is in {expected:?}",
                        fact.body.currency, fact.body.component
                    ),
                });
            }
            let amount = minor("deposit_held", &fact.entity, &fact.body.currency, &fact.body.amount)?;
            let sum = held.entry(fact.body.component.clone()).or_default();
            *sum = sum.saturating_add(amount);
            self.blocks.insert(fact.block.clone());
        }
        for (component, charged) in
            balances.deposits.iter().filter(|(component, _)| asked.contains(*component))
        {
            let sum = held.entry(component.clone()).or_default();
            *sum = sum.saturating_add(*charged);
        }
        Ok(held.into_iter().map(|(component, held_minor)| DepositHeld { component, held_minor }).collect())
    }
}
