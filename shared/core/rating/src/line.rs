//! An invoice line.

use std::collections::BTreeMap;

use wb_units::Money;

use crate::line_tax::LineTax;

/// One of the quantities a line was computed from: names to exact text.
pub type Input = BTreeMap<String, String>;

/// A line of a bill, with all that is needed to compute it again by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `contract/component`, with a further part where a component has several lines: the same in every period.
    pub id: String,
    /// The component's id.
    pub component: String,
    /// The kind of the component.
    pub kind: String,
    /// The text for people.
    pub description: String,
    /// The quantity: exact decimal text, or a fraction where the digits do not end.
    pub quantity: String,
    /// The unit of the quantity.
    pub unit: String,
    /// The price of a unit, with its own unit.
    pub unit_price: String,
    /// How the amount follows from the inputs, and how it was rounded.
    pub formula: String,
    /// The amount, rounded once. A credit to the customer is negative.
    pub amount: Money,
    /// What it follows from, where it is a line of tax.
    pub tax: Option<LineTax>,
    /// The groups that were added, sorted.
    pub inputs: Vec<Input>,
}

impl Line {
    /// Whether there is no quantity and no amount.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.quantity == "0" && self.amount.minor == 0 && self.inputs.is_empty()
    }
}

pub(crate) fn input<const N: usize>(fields: [(&str, String); N]) -> Input {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
