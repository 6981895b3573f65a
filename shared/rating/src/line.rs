//! An invoice line, and the function that makes them.

use std::collections::BTreeMap;

use wb_units::Money;

use crate::components::{metered_energy, pool_earnings};
use crate::contract::{Component, Contract};
use crate::error::RatingError;
use crate::usage::Usage;

/// One of the quantities a line was computed from: names to exact text.
pub type Input = BTreeMap<String, String>;

/// A line of a bill, with all that is needed to compute it again by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `contract/component`: stable over periods.
    pub id: String,
    /// The component's id.
    pub component: String,
    /// The kind of the component.
    pub kind: String,
    /// What it is, in words.
    pub description: String,
    /// How much, exact decimal text.
    pub quantity: String,
    /// The unit of the quantity.
    pub unit: String,
    /// The price of a unit, with its own unit.
    pub unit_price: String,
    /// How the amount follows from the inputs, and how it was rounded.
    pub formula: String,
    /// The amount, rounded once.
    pub amount: Money,
    /// The groups that were added, sorted.
    pub inputs: Vec<Input>,
}

/// The parts of a line that are text.
pub(crate) struct LineText {
    pub(crate) kind: &'static str,
    pub(crate) description: String,
    pub(crate) quantity: String,
    pub(crate) unit: &'static str,
    pub(crate) unit_price: String,
    pub(crate) formula: String,
}

impl Line {
    pub(crate) fn new(
        contract_id: &str,
        component: &str,
        text: LineText,
        amount: Money,
        inputs: Vec<Input>,
    ) -> Self {
        Self {
            id: format!("{contract_id}/{component}"),
            component: component.to_owned(),
            kind: text.kind.to_owned(),
            description: text.description,
            quantity: text.quantity,
            unit: text.unit.to_owned(),
            unit_price: text.unit_price,
            formula: text.formula,
            amount,
            inputs,
        }
    }

    /// Whether nothing was used: no quantity and no amount.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.quantity == "0" && self.amount.minor == 0 && self.inputs.is_empty()
    }
}

pub(crate) fn input<const N: usize>(fields: [(&str, String); N]) -> Input {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The lines of a contract over usage, in the contract's order of components.
///
/// `usage` must hold what was counted in the stretch of time that this version of the contract
/// covers; the function neither knows nor needs the time itself. The same usage in any order and in
/// any pieces gives the same lines.
///
/// # Errors
/// [`RatingError`] where usage cannot be: such an invoice is not made.
pub fn rate(contract: &Contract, usage: &Usage) -> Result<Vec<Line>, RatingError> {
    contract
        .components
        .iter()
        .map(|component| match component {
            Component::PoolEarnings(terms) => pool_earnings::line(&contract.contract_id, terms, &usage.work),
            Component::MeteredEnergy(terms) => {
                metered_energy::line(&contract.contract_id, terms, &usage.energy)
            }
        })
        .collect()
}
