//! Names all fields that a JSON object lacks, where a parser names only the first.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::refusal::InputError;

/// The most fields that are looked for: more than any form has.
const FIELDS_MAX: usize = 64;

/// The longest text whose missing fields are all looked for; of a longer one only the first is named.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Reads a form. An error names the field under `prefix`, or all fields that are missing.
pub(crate) fn read<T: DeserializeOwned>(text: &str, prefix: &str) -> Result<T, InputError> {
    read_owned(text).map_err(|(path, message)| refusal(prefix, &path, message, &missing_fields::<T>(text)))
}

/// The refusal of a text that a parser did not take.
pub(crate) fn refusal(prefix: &str, path: &str, message: String, missing: &[String]) -> InputError {
    let under = |path: &str| match (prefix, path) {
        ("", "." | "") => "event".to_owned(),
        ("", path) => path.to_owned(),
        (prefix, "." | "") => prefix.to_owned(),
        (prefix, path) => format!("{prefix}.{path}"),
    };
    match missing {
        [] => InputError::field(under(path), message),
        [one] => InputError::field(under(one), told(missing)),
        _ => InputError::field(under("."), told(missing)),
    }
}

/// The path of an error in JSON, and its text.
fn read_owned<T: DeserializeOwned>(text: &str) -> Result<T, (String, String)> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| (error.path().to_string(), error.into_inner().to_string()))
}

/// The name in a parser's message on a missing field.
fn named_missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}

/// The fields of `T` that the JSON object `text` lacks, in the order of the form; none where the text is no object.
///
/// The parser names one missing field at a time, so each named one is filled with a value of a type that it takes,
/// and the parser asked again.
pub(crate) fn missing_fields<T: DeserializeOwned>(text: &str) -> Vec<String> {
    if text.len() > TEXT_BYTES_MAX {
        return Vec::new();
    }
    let Ok(mut object) = serde_json::from_str::<Map<String, Value>>(text) else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    while found.len() < FIELDS_MAX {
        let Err((path, message)) = read_owned::<T>(&Value::Object(object.clone()).to_string()) else { break };
        let Some(name) = named_missing(&message).filter(|_| path == ".") else { break };
        if found.iter().any(|known| known == name) {
            break;
        }
        let Some(filler) = filler::<T>(&object, name) else {
            found.push(name.to_owned());
            break;
        };
        found.push(name.to_owned());
        object.insert(name.to_owned(), filler);
    }
    found
}

/// A value that the field takes.
fn filler<T: DeserializeOwned>(object: &Map<String, Value>, name: &str) -> Option<Value> {
    let candidates = [json!(""), json!(0), json!([]), json!({}), json!(false)];
    candidates.into_iter().find(|candidate| {
        let mut filled = object.clone();
        filled.insert(name.to_owned(), candidate.clone());
        match read_owned::<T>(&Value::Object(filled).to_string()) {
            Ok(_) => true,
            Err((path, _)) => !path.starts_with(name),
        }
    })
}

/// What to answer where fields are missing.
fn told(missing: &[String]) -> String {
    match missing {
        [] => String::new(),
        [one] => format!("{one} is missing: send it"),
        [others @ .., last] => format!("{} and {last} are missing: send all of them", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its form is read")]
    struct Form {
        name: String,
        count: u64,
        parts: Vec<String>,
        truth: bool,
        maybe: Option<String>,
        #[serde(default)]
        with_default: u8,
    }

    #[test]
    fn all_missing_fields_are_named_and_no_optional_one() {
        assert_eq!(missing_fields::<Form>("{}"), ["name", "count", "parts", "truth"]);
        assert_eq!(missing_fields::<Form>(r#"{"name":"n","parts":[]}"#), ["count", "truth"]);
        for whole in [r#"{"name":"n","count":1,"parts":[],"truth":true}"#, "[]", "nonsense", r#"{"other":1}"#]
        {
            assert!(missing_fields::<Form>(whole).is_empty(), "{whole}");
        }
        assert_eq!(told(&["a".to_owned()]), "a is missing: send it");
        assert_eq!(
            told(&["a".to_owned(), "b".to_owned(), "c".to_owned()]),
            "a, b and c are missing: send all of them"
        );
    }
}
