//! Contracts and contexts for the tests of components.

use serde_json::{Value, json};
use wb_units::Interval;

use crate::{Context, Contract, Line, Period, Usage, rate_in};

/// A contract of these components.
pub(crate) fn contract(components: &[Value]) -> Contract {
    let body = json!({"contract_id": "c", "customer_id": "k", "legal_entity": "e", "time_zone": "America/Chicago",
        "components": components});
    Contract::parse(&body.to_string()).unwrap()
}

/// November 2026 in UTC: 30 days.
pub(crate) fn november() -> Interval {
    Period::month("2026-11", "UTC").unwrap().interval
}

/// The lines of components over usage in November 2026.
pub(crate) fn lines(components: &[Value], usage: &Usage) -> Vec<Line> {
    let context = Context::whole(november()).unwrap();
    rate_in(&contract(components), &context, usage).unwrap()
}

/// The amounts of lines as decimal text.
pub(crate) fn amounts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| line.amount.decimal_text()).collect()
}
