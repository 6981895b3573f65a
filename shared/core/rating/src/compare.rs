//! Differences between two documents, by component and field.

use crate::contract::Format;
use crate::document::{Malformed, Node, ROOT, Value};
use crate::error::ContractError;

/// A difference between two documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The component's id; `None` for a field outside of the components.
    pub component: Option<String>,
    /// The field's path within the component; empty where the whole component is in one document only.
    pub field: String,
    /// The first document's value, as JSON.
    pub left: Option<String>,
    /// The second document's value, as JSON.
    pub right: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = match (&self.component, self.field.as_str()) {
            (Some(component), "") => component.clone(),
            (Some(component), field) => format!("{component}.{field}"),
            (None, field) => field.to_owned(),
        };
        match (&self.left, &self.right) {
            (Some(left), Some(right)) => write!(f, "~ {place}: {left} -> {right}"),
            (Some(left), None) => write!(f, "- {place}: {left}"),
            (None, Some(right)) => write!(f, "+ {place}: {right}"),
            (None, None) => f.write_str(&place),
        }
    }
}

/// A document as JSON, as a `contract` fact holds it: numbers are whole, everything else is text.
///
/// # Errors
/// [`ContractError::Form`] for a text that is no document.
pub fn document_json(text: &str, format: Format) -> Result<serde_json::Value, ContractError> {
    read(text, format).map(|node| node.value.json())
}

/// The differences between two documents, in the order of the first, then what only the second has. Components are
/// matched by their ids. Another place of a component in the list is a difference of its `position`, because
/// components may refer to earlier ones.
///
/// # Errors
/// [`ContractError::Form`] for a text that is no document.
pub fn differences(left: (&str, Format), right: (&str, Format)) -> Result<Vec<Difference>, ContractError> {
    let (left, right) = (read(left.0, left.1)?, read(right.0, right.1)?);
    let mut found = Vec::new();
    let others = |node: &Node| -> Vec<(String, String)> {
        let mut leaves = Vec::new();
        for (key, node) in entries(node).iter().filter(|(key, _)| key != "components") {
            flatten(key, node, &mut leaves);
        }
        leaves
    };
    compare(None, &others(&left), &others(&right), &mut found);
    let (left, right) = (components(&left), components(&right));
    for (id, fields) in &left {
        match right.iter().find(|(other, _)| other == id) {
            Some((_, others)) => compare(Some(id), fields, others, &mut found),
            None => found.push(Difference {
                component: Some(id.clone()),
                field: String::new(),
                left: Some(kind(fields)),
                right: None,
            }),
        }
    }
    for (id, fields) in right.iter().filter(|(id, _)| left.iter().all(|(other, _)| other != id)) {
        found.push(Difference {
            component: Some(id.clone()),
            field: String::new(),
            left: None,
            right: Some(kind(fields)),
        });
    }
    let order = |all: &[(String, Vec<(String, String)>)], other: &[(String, Vec<(String, String)>)]| {
        let common = all.iter().filter(|(id, _)| other.iter().any(|(known, _)| known == id));
        common.map(|(id, _)| id.clone()).collect::<Vec<_>>()
    };
    let (before, after) = (order(&left, &right), order(&right, &left));
    for (place, id) in before.iter().enumerate() {
        let now = after.iter().position(|other| other == id).unwrap_or(place);
        if now != place {
            found.push(Difference {
                component: Some(id.clone()),
                field: "position".to_owned(),
                left: Some((place + 1).to_string()),
                right: Some((now + 1).to_string()),
            });
        }
    }
    Ok(found)
}

fn read(text: &str, format: Format) -> Result<Node, ContractError> {
    let node = match format {
        Format::Json => Node::from_json(text),
        Format::Toml => Node::from_toml(text),
    };
    node.map_err(|Malformed { detail }| ContractError::Form { place: ROOT.to_owned(), detail })
}

fn entries(node: &Node) -> &[(String, Node)] {
    match &node.value {
        Value::Table(entries) => entries,
        _ => &[],
    }
}

/// Each component's id with its fields; a component without an id goes by its place.
fn components(root: &Node) -> Vec<(String, Vec<(String, String)>)> {
    let list = entries(root).iter().find(|(key, _)| key == "components").map(|(_, node)| &node.value);
    let Some(Value::List(nodes)) = list else { return Vec::new() };
    let named = nodes.iter().enumerate().map(|(place, node)| {
        let id = entries(node).iter().find_map(|(key, node)| match &node.value {
            Value::Text(text) if key == "id" => Some(text.clone()),
            _ => None,
        });
        let mut leaves = Vec::new();
        for (key, node) in entries(node) {
            flatten(key, node, &mut leaves);
        }
        (id.unwrap_or_else(|| format!("components[{place}]")), leaves)
    });
    named.collect()
}

fn kind(fields: &[(String, String)]) -> String {
    fields.iter().find(|(field, _)| field == "kind").map_or_else(String::new, |(_, kind)| kind.clone())
}

/// A node's leaves by their paths.
fn flatten(path: &str, node: &Node, leaves: &mut Vec<(String, String)>) {
    match &node.value {
        Value::List(nodes) if !nodes.is_empty() => {
            for (place, node) in nodes.iter().enumerate() {
                flatten(&format!("{path}[{place}]"), node, leaves);
            }
        }
        Value::Table(entries) if !entries.is_empty() => {
            for (key, node) in entries {
                flatten(&format!("{path}.{key}"), node, leaves);
            }
        }
        leaf => leaves.push((path.to_owned(), leaf.json().to_string())),
    }
}

fn compare(
    component: Option<&str>,
    left: &[(String, String)],
    right: &[(String, String)],
    found: &mut Vec<Difference>,
) {
    let value = |of: &[(String, String)], field: &str| {
        of.iter().find(|(other, _)| other == field).map(|(_, value)| value.clone())
    };
    let only_right = right.iter().filter(|(field, _)| value(left, field).is_none());
    for (field, _) in left.iter().chain(only_right) {
        let (before, after) = (value(left, field), value(right, field));
        if before != after {
            let component = component.map(str::to_owned);
            found.push(Difference { component, field: field.clone(), left: before, right: after });
        }
    }
}

impl Value {
    /// The value as JSON. A number that is not whole is text: no contract takes one, and its digits stay as written.
    fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) | Self::Real(text) => text.clone().into(),
            Self::Whole(digits) => {
                digits.parse::<i64>().map_or_else(|_| digits.clone().into(), serde_json::Value::from)
            }
            Self::Truth(truth) => (*truth).into(),
            Self::Null => serde_json::Value::Null,
            Self::List(nodes) => nodes.iter().map(|node| node.value.json()).collect(),
            Self::Table(entries) => {
                let entries = entries.iter().map(|(key, node)| (key.clone(), node.value.json()));
                serde_json::Value::Object(entries.collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: &str = r#"version = 1
payment_terms_days = 30
[[components]]
id = "power"
kind = "metered_energy"
unit_price = "0.0725"
[[components]]
id = "fee"
kind = "fixed_fee"
amount = "10"
"#;

    #[test]
    fn documents_differ_by_component_and_field_whatever_they_are_written_in() {
        let right = r#"{"version":2,"components":[{"id":"power","kind":"metered_energy","unit_price":"0.0690",
            "description":"x"},{"id":"tax","kind":"tax"}]}"#;
        let found = differences((LEFT, Format::Toml), (right, Format::Json)).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|d| {
                let text = |side: &Option<String>| side.clone().unwrap_or_default();
                (d.component.clone().unwrap_or_default(), d.field.clone(), text(&d.left), text(&d.right))
            })
            .collect();
        let row = |a: &str, b: &str, c: &str, d: &str| (a.into(), b.into(), c.into(), d.into());
        assert_eq!(
            shown,
            [
                row("", "version", "1", "2"),
                row("", "payment_terms_days", "30", ""),
                row("power", "unit_price", "\"0.0725\"", "\"0.0690\""),
                row("power", "description", "", "\"x\""),
                row("fee", "", "\"fixed_fee\"", ""),
                row("tax", "", "", "\"tax\""),
            ]
        );
        let json = document_json(LEFT, Format::Toml).unwrap().to_string();
        assert!(differences((LEFT, Format::Toml), (&json, Format::Json)).unwrap().is_empty());
        let swapped = r#"{"components":[{"id":"b"},{"id":"a"}]}"#;
        let found =
            differences((r#"{"components":[{"id":"a"},{"id":"b"}]}"#, Format::Json), (swapped, Format::Json));
        assert!(found.unwrap().iter().all(|difference| difference.field == "position"));
    }
}
