//! An invoice line, and the functions that make them.

use std::collections::BTreeMap;

use wb_units::Money;

use crate::context::Context;
use crate::contract::Contract;
use crate::error::RatingError;
use crate::scope::{Rated, Scope};
use crate::usage::Usage;

/// One of the quantities a line was computed from: names to exact text.
pub type Input = BTreeMap<String, String>;

/// A line of a bill, with all that is needed to compute it again by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `contract/component`, with a further part where a component has several lines: stable over periods.
    pub id: String,
    /// The component's id.
    pub component: String,
    /// The kind of the component.
    pub kind: String,
    /// What it is, in words.
    pub description: String,
    /// How much, exact decimal text, or a fraction where the digits do not end.
    pub quantity: String,
    /// The unit of the quantity.
    pub unit: String,
    /// The price of a unit, with its own unit.
    pub unit_price: String,
    /// How the amount follows from the inputs, and how it was rounded.
    pub formula: String,
    /// The amount, rounded once. What is credited to the customer is negative.
    pub amount: Money,
    /// The groups that were added, sorted.
    pub inputs: Vec<Input>,
}

impl Line {
    /// Whether nothing was used: no quantity and no amount.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.quantity == "0" && self.amount.minor == 0 && self.inputs.is_empty()
    }
}

pub(crate) fn input<const N: usize>(fields: [(&str, String); N]) -> Input {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The lines of a contract over usage alone, in the contract's order of components.
///
/// For contracts whose components need neither the period nor prices. `usage` must hold what was counted
/// in the stretch of time that this version of the contract covers. The same usage in any order and in any
/// pieces gives the same lines.
///
/// # Errors
/// [`RatingError`] where usage cannot be, and [`RatingError::NoPeriod`] where a component needs more: such
/// an invoice is not made.
pub fn rate(contract: &Contract, usage: &Usage) -> Result<Vec<Line>, RatingError> {
    lines(contract, None, usage)
}

/// The lines of a contract over usage in a stretch of a period, in the contract's order of components.
///
/// A component may refer to those before it. The same usage and prices in any order and in any pieces give
/// the same lines.
///
/// # Errors
/// [`RatingError`] where usage cannot be or a price is missing: such an invoice is not made.
pub fn rate_in(contract: &Contract, context: &Context, usage: &Usage) -> Result<Vec<Line>, RatingError> {
    lines(contract, Some(context), usage)
}

fn lines(contract: &Contract, context: Option<&Context>, usage: &Usage) -> Result<Vec<Line>, RatingError> {
    let mut rated: BTreeMap<&str, Vec<Rated>> = BTreeMap::new();
    let mut order = Vec::with_capacity(contract.components.len());
    for component in &contract.components {
        let scope = Scope { contract, component: component.id(), context, usage, rated: &rated };
        let made = component.rate(&scope)?;
        order.extend(made.iter().map(|rated| rated.line.clone()));
        rated.insert(component.id(), made);
    }
    Ok(order)
}
