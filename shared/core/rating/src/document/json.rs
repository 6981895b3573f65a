//! JSON into the tree. A key that occurs twice is refused, because it would be unclear which of the two was signed.
//!
//! Numbers stay the text that was written, so that a message that refuses one shows it as it stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Malformed, Node, ROOT, Value, entry_path};

/// How deep lists and tables may lie in each other.
const DEPTH_MAX: usize = 128;

/// Reads a whole text.
pub(super) fn read(text: &str) -> Result<Node, Malformed> {
    let raw: &RawValue = serde_json::from_str(text).map_err(malformed)?;
    let mut node = place(raw, "", 0)?;
    ROOT.clone_into(&mut node.place);
    Ok(node)
}

fn malformed(error: serde_json::Error) -> Malformed {
    Malformed { detail: error.to_string() }
}

fn place(raw: &RawValue, path: &str, depth: usize) -> Result<Node, Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed {
            detail: format!("lists and tables lie in each other more than {DEPTH_MAX} deep"),
        });
    }
    let text = raw.get();
    let value = match text.as_bytes().first() {
        Some(b'"') => Value::Text(serde_json::from_str(text).map_err(malformed)?),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(malformed)?;
            let items = items.into_iter().enumerate();
            let items = items.map(|(index, item)| place(item, &format!("{path}[{index}]"), depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(text).map_err(malformed)?;
            let mut nodes: Vec<(String, Node)> = Vec::new();
            for (key, item) in entries {
                let path = entry_path(path, &key);
                if nodes.iter().any(|(known, _)| *known == key) {
                    return Err(Malformed { detail: format!("the field {key:?} occurs twice, at {path}") });
                }
                let node = place(item, &path, depth + 1)?;
                nodes.push((key, node));
            }
            Value::Table(nodes)
        }
        Some(b't') => Value::Truth(true),
        Some(b'f') => Value::Truth(false),
        Some(b'n') => Value::Null,
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => Value::Whole(text.to_owned()),
        _ => Value::Real(text.to_owned()),
    };
    Ok(Node { place: path.to_owned(), value })
}

/// The entries of a table in their order, with repeated keys.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Entries<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read(text).unwrap_err().detail
    }

    #[test]
    fn numbers_are_the_text_that_was_written() {
        let Value::List(items) = read("[ 0.10, 1e400, 12345678901234567890123, -7 ]").unwrap().value else {
            panic!("no list")
        };
        let texts: Vec<String> = items.into_iter().map(|item| format!("{:?}", item.value)).collect();
        assert_eq!(
            texts,
            [r#"Real("0.10")"#, r#"Real("1e400")"#, r#"Whole("12345678901234567890123")"#, r#"Whole("-7")"#]
        );
    }

    #[test]
    fn what_is_not_json_or_ambiguous_or_too_deep_is_refused() {
        assert!(refused(r#"{"a": [{"b": 1, "b": 2}]}"#).contains(r#"the field "b" occurs twice, at a[0].b"#));
        assert!(refused(r#"{"a": 1} x"#).contains("trailing characters"));
        assert!(refused("[01]").contains("line 1 column 3"));
        assert!(refused(&"[".repeat(100_000)).contains("EOF"));
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert!(refused(&nested(100_000)).contains("more than 128 deep"));
    }
}
