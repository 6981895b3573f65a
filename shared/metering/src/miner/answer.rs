//! Lazy access to JSON answers: only what is asked for is parsed, and numbers stay text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use wb_units::decimal::{self, Excess};

use super::{ANSWERS_MAX_BYTES, ANSWERS_MAX_DEPTH, MinerError};

/// An object key; borrowed from the text unless it holds escapes.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The answers of one machine, by command.
pub(super) struct Answers<'a>(BTreeMap<Key<'a>, &'a RawValue>);

impl<'a> Answers<'a> {
    /// Checks the bounds and splits the text by command.
    pub(super) fn parse(text: &'a str) -> Result<Self, MinerError> {
        if text.len() > ANSWERS_MAX_BYTES {
            return Err(MinerError::TooLarge { bytes: text.len() });
        }
        check_depth(text)?;
        serde_json::from_str(text)
            .map(Self)
            .map_err(|fault| MinerError::NotAnObject { line: fault.line(), column: fault.column() })
    }

    /// How many commands were answered.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All answers, in the order of their commands' names.
    pub(super) fn iter(&self) -> impl Iterator<Item = Answer<'a>> + '_ {
        self.0.values().map(|raw| Answer(raw))
    }

    /// The first answer that has something at this path. Commands are named differently by every
    /// collector; what an answer holds is not.
    pub(super) fn find(&self, path: &[&str]) -> Option<Answer<'a>> {
        self.iter().find_map(|answer| answer.at(path))
    }
}

/// One JSON value that has not been parsed yet.
#[derive(Clone, Copy)]
pub(super) struct Answer<'a>(&'a RawValue);

impl<'a> Answer<'a> {
    /// Its fields; empty where it is no object.
    pub(super) fn fields(self) -> Fields<'a> {
        Fields(serde_json::from_str(self.0.get()).unwrap_or_default())
    }

    /// Its elements; empty where it is no array.
    pub(super) fn items(self) -> Vec<Answer<'a>> {
        serde_json::from_str::<Vec<&'a RawValue>>(self.0.get())
            .unwrap_or_default()
            .into_iter()
            .map(Answer)
            .collect()
    }

    /// What lies at a path of field names; `None` where it is missing or null.
    pub(super) fn at(self, path: &[&str]) -> Option<Answer<'a>> {
        path.iter().try_fold(self, |answer, key| answer.fields().get(key))
    }

    /// The first element of the array in a field: how the cgminer protocol wraps every section.
    pub(super) fn section(self, name: &str) -> Option<Answer<'a>> {
        self.fields().get(name)?.items().into_iter().next()
    }

    /// A string's content.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        serde_json::from_str::<Key<'a>>(self.0.get()).ok().map(|key| key.0)
    }

    /// A boolean, also where it is written as a string.
    pub(super) fn flag(self) -> Option<bool> {
        match self.0.get().trim_matches('"') {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A number of zero or more, scaled by 10^`places` and truncated, from a JSON number or a
    /// string that holds one. Negative values are sentinels, thus `None`.
    pub(super) fn scaled(self, places: u32) -> Option<u128> {
        let literal = self.0.get();
        let unquoted = match literal.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?.trim(),
            None => literal,
        };
        u128::try_from(decimal::parse(unquoted, places, Excess::Truncate).ok()?).ok()
    }

    /// A count.
    pub(super) fn count(self) -> Option<u64> {
        u64::try_from(self.scaled(0)?).ok()
    }

    /// Watts, as milliwatts.
    pub(super) fn watts_as_mw(self) -> Option<u64> {
        u64::try_from(self.scaled(3)?).ok()
    }

    fn is_null(self) -> bool {
        self.0.get() == "null"
    }
}

/// The fields of one object.
pub(super) struct Fields<'a>(BTreeMap<Key<'a>, &'a RawValue>);

impl<'a> Fields<'a> {
    /// A field's value; `None` where it is missing or null.
    pub(super) fn get(&self, key: &str) -> Option<Answer<'a>> {
        self.0.get(&Key(Cow::Borrowed(key))).map(|raw| Answer(raw)).filter(|answer| !answer.is_null())
    }

    /// The first of several fields that is there.
    pub(super) fn first_of(&self, keys: &[&str]) -> Option<Answer<'a>> {
        keys.iter().find_map(|key| self.get(key))
    }
}

/// Refuses nesting beyond the bound before any parser sees the text.
fn check_depth(text: &str) -> Result<(), MinerError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > ANSWERS_MAX_DEPTH {
                    return Err(MinerError::TooDeep { at });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}
