//! Canonical JSON by RFC 8785, of the values a ledger needs.
//!
//! No white space; members sorted by the UTF-16 code units of their names; strings with the shortest
//! escapes (only `"`, `\` and control characters are escaped); integers in plain digits. Numbers are
//! integers of at most 2^53 - 1 either way, which every JSON reader holds exactly: anything else is
//! refused, as amounts and quantities are decimal text here.

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::hash::Hash;

/// The largest integer that every reader of JSON holds exactly: 2^53 - 1.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// How deep values may nest: as deep as the reader follows, far deeper than any stored form.
const DEPTH_MAX: usize = 100;

/// Why a value has no canonical form here.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// A number with a point or exponent, or beyond 2^53 - 1.
    #[code("WB-5302")]
    #[error("{number} is no integer of at most 2^53 - 1 either way; write it as decimal text")]
    Number {
        /// The number as read.
        number: String,
    },
    /// Nested too deeply.
    #[code("WB-5303")]
    #[error("the JSON nests deeper than {DEPTH_MAX} levels")]
    Depth,
    /// Bytes that are no JSON, or a value that cannot be written as JSON.
    #[code("WB-5304")]
    #[error("not JSON: {detail}")]
    Json {
        /// What the JSON library says.
        detail: String,
    },
    /// JSON, but not in canonical form.
    #[code("WB-5305")]
    #[error("the JSON is not canonical from byte {position} on; write it by RFC 8785")]
    NotCanonical {
        /// The first byte that differs from the canonical form.
        position: usize,
    },
}

/// The canonical text of a JSON value.
///
/// # Errors
/// [`CanonicalError`] for numbers that are no small integers and for values nested too deeply.
pub fn write(value: &Value) -> Result<String, CanonicalError> {
    let mut out = String::new();
    write_value(value, DEPTH_MAX, &mut out)?;
    Ok(out)
}

/// The canonical text of anything that serialises to JSON.
///
/// # Errors
/// As [`write()`], and [`CanonicalError::Json`] where it does not serialise.
pub fn write_document<T: Serialize>(document: &T) -> Result<String, CanonicalError> {
    let value =
        serde_json::to_value(document).map_err(|error| CanonicalError::Json { detail: error.to_string() })?;
    write(&value)
}

/// The SHA-256 of the canonical text.
///
/// # Errors
/// As [`write_document`].
pub fn digest<T: Serialize>(document: &T) -> Result<Hash, CanonicalError> {
    write_document(document).map(|text| Hash::of(text.as_bytes()))
}

/// The digest of JSON text, whatever its white space and order of members.
///
/// # Errors
/// As [`write()`], and [`CanonicalError::Json`] for text that is no JSON.
pub fn digest_of_text(json: &str) -> Result<Hash, CanonicalError> {
    let value: Value =
        serde_json::from_str(json).map_err(|error| CanonicalError::Json { detail: error.to_string() })?;
    write(&value).map(|text| Hash::of(text.as_bytes()))
}

/// Reads bytes that must be canonical.
///
/// Repeated members, other white space and other escapes all show as a difference from the
/// canonical form, so that one value has one hash.
///
/// # Errors
/// [`CanonicalError::Json`] or [`CanonicalError::NotCanonical`], and as [`write()`].
pub fn read(bytes: &[u8]) -> Result<Value, CanonicalError> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| CanonicalError::Json { detail: error.to_string() })?;
    let canonical = write(&value)?;
    if canonical.as_bytes() == bytes {
        return Ok(value);
    }
    let position = canonical.bytes().zip(bytes).take_while(|(left, right)| left == *right).count();
    Err(CanonicalError::NotCanonical { position })
}

fn write_value(value: &Value, depth_left: usize, out: &mut String) -> Result<(), CanonicalError> {
    let deeper = depth_left.checked_sub(1).ok_or(CanonicalError::Depth)?;
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, deeper, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => write_object(members, deeper, out)?,
    }
    Ok(())
}

fn write_object(members: &Map<String, Value>, deeper: usize, out: &mut String) -> Result<(), CanonicalError> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    // Not the order of UTF-8 bytes: a character beyond U+FFFF sorts by its surrogates, before U+E000.
    sorted.sort_by(|left, right| left.0.encode_utf16().cmp(right.0.encode_utf16()));
    out.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(name, out);
        out.push(':');
        write_value(value, deeper, out)?;
    }
    out.push('}');
    Ok(())
}

fn write_number(number: &Number, out: &mut String) -> Result<(), CanonicalError> {
    let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    match magnitude {
        Some(magnitude) if magnitude <= INTEGER_MAX => {
            out.push_str(&number.to_string());
            Ok(())
        }
        _ => Err(CanonicalError::Number { number: number.to_string() }),
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(json: &str) -> Result<String, CanonicalError> {
        write(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn values_are_written_by_the_rfc() {
        for (json, expected) in [
            (" { \"b\" : [ true , null ] , \"a\" : -7 } ", r#"{"a":-7,"b":[true,null]}"#),
            (r#""\u0041\u00e9\u2028\/""#, "\"Aé\u{2028}/\""),
            (r#""\u0000\u001f\u007f\b\t\n\f\r\"\\""#, "\"\\u0000\\u001f\u{7f}\\b\\t\\n\\f\\r\\\"\\\\\""),
            ("9007199254740991", "9007199254740991"),
            ("-9007199254740991", "-9007199254740991"),
            ("{}", "{}"),
            // The sorting example's point: U+1F600 (d83d de00) comes before U+FB33.
            (
                r#"{"\ufb33":1,"\ud83d\ude00":2,"1":3,"\r":4,"\u20ac":5,"\u00f6":6,"\u0080":7}"#,
                "{\"\\r\":4,\"1\":3,\"\u{80}\":7,\"ö\":6,\"€\":5,\"😀\":2,\"\u{fb33}\":1}",
            ),
        ] {
            assert_eq!(text(json).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn numbers_that_readers_hold_differently_are_refused() {
        for json in [
            "1.0",
            "0.5",
            "1e3",
            "-0",
            "9007199254740992",
            "-9007199254740992",
            "1e400000",
            "18446744073709551616",
        ] {
            let Ok(value) = serde_json::from_str(json) else { continue };
            assert_eq!(write(&value).unwrap_err().code(), "WB-5302", "{json}");
        }
    }

    #[test]
    fn only_canonical_bytes_are_read() {
        assert!(read(br#"{"a":1,"b":"x"}"#).is_ok());
        for (bytes, code) in [
            (&br#"{"b":"x","a":1}"#[..], "WB-5305"),
            (br#"{"a":1, "b":"x"}"#, "WB-5305"),
            (br#"{"a":1,"a":1}"#, "WB-5305"),
            (br#"{"a":"\u0041"}"#, "WB-5305"),
            (b"{\"a\":1}\n", "WB-5305"),
            (br#"{"a":"#, "WB-5304"),
            (b"\"\xff\"", "WB-5304"),
            (b"", "WB-5304"),
        ] {
            assert_eq!(read(bytes).unwrap_err().code(), code, "{}", String::from_utf8_lossy(bytes));
        }
        let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
        assert_eq!(text(&deep).unwrap_err().code(), "WB-5303");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-((1_i64 << 53) - 1)..(1_i64 << 53)).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any_json()) {
            let text = write(&value).unwrap();
            prop_assert_eq!(read(text.as_bytes()).unwrap(), value);
        }
    }
}
