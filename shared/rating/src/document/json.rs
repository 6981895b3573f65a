//! JSON into the tree. A key that occurs twice is refused: which of the two was signed?

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Malformed, Node, ROOT, Value, entry_path};

/// A value without its place.
enum Raw {
    Leaf(Value),
    List(Vec<Raw>),
    Table(Vec<(String, Raw)>),
}

/// Reads a whole text.
pub(super) fn read(text: &str) -> Result<Node, Malformed> {
    let raw: Raw = serde_json::from_str(text).map_err(|error| Malformed { detail: error.to_string() })?;
    let mut node = place(raw, "");
    ROOT.clone_into(&mut node.place);
    Ok(node)
}

fn place(raw: Raw, path: &str) -> Node {
    let value = match raw {
        Raw::Leaf(value) => value,
        Raw::List(items) => Value::List(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| place(item, &format!("{path}[{index}]")))
                .collect(),
        ),
        Raw::Table(entries) => Value::Table(
            entries
                .into_iter()
                .map(|(key, item)| {
                    let node = place(item, &entry_path(path, &key));
                    (key, node)
                })
                .collect(),
        ),
    };
    Node { place: path.to_owned(), value }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Leaf(Value::Text(text.to_owned())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Leaf(Value::Whole(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Leaf(Value::Whole(value.to_string())))
    }

    // Only to name it in the message that refuses it: prices are texts.
    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Leaf(Value::Real(value.to_string())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Leaf(Value::Truth(value)))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Leaf(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries: Vec<(String, Raw)> = Vec::new();
        while let Some((key, item)) = access.next_entry::<String, Raw>()? {
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format_args!("the field {key:?} occurs twice")));
            }
            entries.push((key, item));
        }
        Ok(Raw::Table(entries))
    }
}
