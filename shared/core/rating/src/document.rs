//! A contract document as a tree, for both formats: every value has its place.
//!
//! A place reads `components[1].unit` for JSON and `components[1].unit (line 14)` for TOML, so that messages can give
//! it. Numbers keep the digits they were written with.

mod json;
mod toml;

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its path, with the line where the format has lines.
    pub(crate) place: String,
    /// The value.
    pub(crate) value: Value,
}

/// A value of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text; dates and times of TOML are texts here.
    Text(String),
    /// A whole number, as its digits.
    Whole(String),
    /// Any other number, as it was written.
    Real(String),
    /// Yes or no.
    Truth(bool),
    /// JSON's null.
    Null,
    /// A list.
    List(Vec<Node>),
    /// A table in the order of the document.
    Table(Vec<(String, Node)>),
}

/// Why a text is not a document.
#[derive(Debug)]
pub(crate) struct Malformed {
    /// The reader's message, with line and column.
    pub(crate) detail: String,
}

/// The name of the whole document in messages.
pub(crate) const ROOT: &str = "document";

impl Node {
    /// Reads JSON.
    pub(crate) fn from_json(text: &str) -> Result<Self, Malformed> {
        json::read(text)
    }

    /// Reads TOML.
    pub(crate) fn from_toml(text: &str) -> Result<Self, Malformed> {
        toml::read(text)
    }
}

impl Value {
    /// The kind of value as text, with the value where it is short.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Text(text) => format!("the string {:?}", text.chars().take(64).collect::<String>()),
            Self::Whole(digits) | Self::Real(digits) => format!("the number {digits}"),
            Self::Truth(truth) => format!("{truth}"),
            Self::Null => "null".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

/// The path of a table's entry.
fn entry_path(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(node: &Node, found: &mut Vec<String>) {
        found.push(format!("{} = {}", node.place, node.value.describe()));
        match &node.value {
            Value::List(nodes) => nodes.iter().for_each(|inner| places(inner, found)),
            Value::Table(entries) => entries.iter().for_each(|(_, inner)| places(inner, found)),
            _ => {}
        }
    }

    #[test]
    fn every_value_knows_its_place() {
        let mut found = Vec::new();
        places(&Node::from_json(r#"{"a":{"b":[1,{"c":"x"}]},"d":0.10}"#).unwrap(), &mut found);
        assert_eq!(
            found,
            [
                "document = a table",
                "a = a table",
                "a.b = a list",
                "a.b[0] = the number 1",
                "a.b[1] = a table",
                "a.b[1].c = the string \"x\"",
                "d = the number 0.10",
            ]
        );
        let mut found = Vec::new();
        let toml = "at = 2026-10-01T00:00:00Z\n\n[[parts]]\nid = \"a\"\n[[parts]]\nid = 7\nprice = 0.10\n";
        places(&Node::from_toml(toml).unwrap(), &mut found);
        assert_eq!(
            found,
            [
                "document = a table",
                "at (line 1) = the string \"2026-10-01T00:00:00Z\"",
                "parts (line 3) = a list",
                "parts[0] (line 3) = a table",
                "parts[0].id (line 4) = the string \"a\"",
                "parts[1] (line 5) = a table",
                "parts[1].id (line 6) = the number 7",
                "parts[1].price (line 7) = the number 0.10",
            ]
        );
    }

    #[test]
    fn what_is_malformed_or_said_twice_is_refused() {
        for text in ["", "{", "[1", r#"{"a":1,"a":2}"#, r#"{"a":1} x"#] {
            assert!(Node::from_json(text).is_err(), "{text}");
        }
        for text in ["a = ", "a = 1\na = 2", "[x", "a = 1 b = 2"] {
            assert!(Node::from_toml(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        assert!(Node::from_json(&deep).is_err());
    }
}
