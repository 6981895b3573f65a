//! The lines of a contract.

use std::collections::BTreeMap;

use crate::components::Component;
use crate::context::Context;
use crate::contract::Contract;
use crate::error::RatingError;
use crate::line::Line;
use crate::scope::{Rated, Scope};
use crate::usage::Usage;
use crate::usage::reserved::Reserved;

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
    let mut reservations: BTreeMap<&str, Reserved> = BTreeMap::new();
    let mut order = Vec::with_capacity(contract.components.len());
    for component in &contract.components {
        let scope = Scope {
            contract,
            component: component.id(),
            context,
            usage,
            rated: &rated,
            reservations: &reservations,
        };
        let made = component.rate(&scope)?;
        order.extend(made.iter().map(|rated| rated.line.clone()));
        rated.insert(component.id(), made);
        if let Component::GpuReserved(terms) = component {
            reservations.insert(component.id(), terms.reserved());
        }
    }
    Ok(order)
}
