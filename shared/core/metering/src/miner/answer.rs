//! Lazy access to JSON answers: only the fields that are read are parsed, and numbers stay text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use wb_units::decimal::{self, Excess};

use super::{ANSWERS_MAX_BYTES, ANSWERS_MAX_DEPTH, MinerError};

/// A string; borrowed from the text unless it holds escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of one object, in its order. An object has some ten fields, so a linear search costs less than sorting.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<(Key<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(Key<'de>, &'de RawValue)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Object).map(Self)
    }
}

impl<'a> Fields<'a> {
    /// A field's value; `None` where it is missing or null. Of a repeated name the last counts.
    pub(super) fn get(&self, key: &str) -> Option<Answer<'a>> {
        let found = self.0.iter().rev().find(|(name, _)| name.0 == key);
        found.map(|(_, raw)| Answer(raw)).filter(|answer| !answer.is_null())
    }

    /// The first of several fields that is there.
    pub(super) fn first_of(&self, keys: &[&str]) -> Option<Answer<'a>> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// The names of its fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.0.as_ref())
    }

    /// The first of several values that can be read, with the name it came from. Names are full
    /// (`SUMMARY.MHS 5s`); what follows the last point is the field.
    pub(super) fn said<T>(
        &self,
        names: &[&'static str],
        read: impl Fn(Answer<'a>) -> Option<T>,
    ) -> Option<(T, &'static str)> {
        names.iter().find_map(|name| Some((read(self.get(field_of(name))?)?, *name)))
    }
}

/// The field in a full name.
pub(super) fn field_of(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The sections of the cgminer protocol that any normaliser looks into: each is parsed once.
const SECTIONS: [&str; 12] = [
    "CONFIG",
    "DEVDETAILS",
    "DEVS",
    "Mode",
    "POOLS",
    "POWER",
    "PSU",
    "STATS",
    "STATUS",
    "SUMMARY",
    "TUNERSTATUS",
    "VERSION",
];

/// The answers of one machine, by command, each with its fields.
pub(super) struct Answers<'a> {
    tops: Vec<Fields<'a>>,
    /// Every element of a section that is an array, in the order of the commands.
    sections: Vec<Section<'a>>,
}

/// An element of a section.
struct Section<'a> {
    name: &'static str,
    /// The answer that it is in.
    top: usize,
    fields: Fields<'a>,
}

impl<'a> Answers<'a> {
    /// Checks the bounds and splits the text by command.
    pub(super) fn parse(text: &'a str) -> Result<Self, MinerError> {
        if text.len() > ANSWERS_MAX_BYTES {
            return Err(MinerError::TooLarge { bytes: text.len() });
        }
        check_depth(text)?;
        let mut commands: Fields<'a> = serde_json::from_str(text)
            .map_err(|fault| MinerError::NotAnObject { line: fault.line(), column: fault.column() })?;
        // In the order of the commands' names, whatever order a collector sends.
        commands.0.sort_by(|(left, _), (right, _)| left.0.cmp(&right.0));
        let tops: Vec<Fields<'a>> =
            commands.0.into_iter().map(|(_, raw)| Answer(raw).unwrapped().fields()).collect();
        let mut sections = Vec::new();
        for (top, fields) in tops.iter().enumerate() {
            for (name, value) in &fields.0 {
                if let Some(name) = SECTIONS.iter().find(|section| **section == name.0) {
                    let items = Answer(value).items().into_iter();
                    sections.extend(items.map(|item| Section { name, top, fields: item.fields() }));
                }
            }
        }
        Ok(Self { tops, sections })
    }

    /// How many commands were answered.
    pub(super) fn len(&self) -> usize {
        self.tops.len()
    }

    /// The fields of all answers.
    pub(super) fn tops(&self) -> impl Iterator<Item = &Fields<'a>> + '_ {
        self.tops.iter()
    }

    /// The first answer that has something at this path. Collectors use different names for commands, so only what an
    /// answer holds is used.
    pub(super) fn find(&self, path: &[&str]) -> Option<Answer<'a>> {
        let (first, rest) = path.split_first()?;
        self.tops().find_map(|fields| fields.get(first)?.at(rest))
    }

    /// The first element of a section, from whichever command gave it.
    pub(super) fn section(&self, name: &str) -> Option<&Fields<'a>> {
        self.sections(name).next()
    }

    /// All elements of the sections of this name, in all answers.
    pub(super) fn sections(&self, name: &str) -> impl Iterator<Item = &Fields<'a>> {
        self.sections.iter().filter(move |section| section.name == name).map(|section| &section.fields)
    }

    /// The elements of the sections of this name, by answer. Two commands can say the same thing (`stats` and
    /// `litestats`, `devs` and `edevs`), so what one says is never added to what another says.
    pub(super) fn by_answer(&self, name: &str) -> Vec<Vec<&Fields<'a>>> {
        let mut lists: Vec<(usize, Vec<&Fields<'a>>)> = Vec::new();
        for section in self.sections.iter().filter(|section| section.name == name) {
            match lists.last_mut() {
                Some((top, list)) if *top == section.top => list.push(&section.fields),
                _ => lists.push((section.top, vec![&section.fields])),
            }
        }
        lists.into_iter().map(|(_, list)| list).collect()
    }

    /// The elements of a section in the answer that lists most of them, the first of several.
    pub(super) fn list(&self, name: &str) -> Vec<&Fields<'a>> {
        let lists = self.by_answer(name).into_iter();
        lists.reduce(|most, list| if list.len() > most.len() { list } else { most }).unwrap_or_default()
    }
}

/// One JSON value that has not been parsed yet.
#[derive(Clone, Copy)]
pub(super) struct Answer<'a>(&'a RawValue);

impl<'a> Answer<'a> {
    /// Its fields; empty where it is no object.
    pub(super) fn fields(self) -> Fields<'a> {
        let text = self.0.get();
        if text.starts_with('{') { serde_json::from_str(text).unwrap_or_default() } else { Fields::default() }
    }

    /// The answer in an array of one: those to joined commands (`summary+pools`) lie in such arrays. Anything else is
    /// itself.
    fn unwrapped(self) -> Answer<'a> {
        match self.items().as_slice() {
            // A section that is an array of one, such as `SUMMARY`, holds no `STATUS` of its own.
            [only] if only.fields().get("STATUS").is_some_and(|status| !status.items().is_empty()) => *only,
            _ => self,
        }
    }

    /// Its elements; empty where it is no array.
    pub(super) fn items(self) -> Vec<Answer<'a>> {
        let text = self.0.get();
        if !text.starts_with('[') {
            return Vec::new();
        }
        let items: Vec<&'a RawValue> = serde_json::from_str(text).unwrap_or_default();
        items.into_iter().map(Answer).collect()
    }

    /// What lies at a path of field names; `None` where it is missing or null.
    pub(super) fn at(self, path: &[&str]) -> Option<Answer<'a>> {
        path.iter().try_fold(self, |answer, key| answer.fields().get(key))
    }

    /// A string's content.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        if !self.0.get().starts_with('"') {
            return None;
        }
        serde_json::from_str::<Key<'a>>(self.0.get()).ok().map(|key| key.0)
    }

    /// A boolean, also where it is written as a string or as cgminer's `Y` and `N`.
    pub(super) fn flag(self) -> Option<bool> {
        match self.0.get().trim_matches('"') {
            "true" | "Y" => Some(true),
            "false" | "N" => Some(false),
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
        scaled_text(unquoted, places)
    }

    /// A count.
    pub(super) fn count(self) -> Option<u64> {
        u64::try_from(self.scaled(0)?).ok()
    }

    /// Watts, as milliwatts.
    pub(super) fn watts_as_mw(self) -> Option<u64> {
        u64::try_from(self.scaled(3)?).ok()
    }

    /// Watts with their unit behind them, such as `"58.94W"`, as milliwatts.
    pub(super) fn named_watts_as_mw(self) -> Option<u64> {
        let text = self.text()?;
        u64::try_from(scaled_text(text.trim().strip_suffix('W')?.trim_end(), 3)?).ok()
    }

    fn is_null(self) -> bool {
        self.0.get() == "null"
    }
}

/// A number of zero or more in a text, scaled by 10^`places` and truncated.
pub(super) fn scaled_text(text: &str, places: u32) -> Option<u128> {
    u128::try_from(decimal::parse(text, places, Excess::Truncate).ok()?).ok()
}

/// A count with a suffix, such as `524K`, `483k` or `1.2G`, and whether the suffix hides digits:
/// 524K stands for anything from 523,500 to 524,499 (as it is, 524,288).
pub(super) fn suffixed(text: &str) -> Option<(u128, bool)> {
    let text = text.trim();
    let places = match text.bytes().last()? {
        b'k' | b'K' => 3,
        b'm' | b'M' => 6,
        b'g' | b'G' => 9,
        b't' | b'T' => 12,
        b'p' | b'P' => 15,
        _ => return scaled_text(text, 0).map(|value| (value, false)),
    };
    scaled_text(text.get(..text.len() - 1)?.trim_end(), places).map(|value| (value, true))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_read_and_said_to_hide_digits() {
        for (text, expected) in [
            ("524K", Some((524_000, true))),
            ("483k", Some((483_000, true))),
            ("1.25G", Some((1_250_000_000, true))),
            ("65536", Some((65_536, false))),
            ("65536.0", Some((65_536, false))),
            ("", None),
            ("K", None),
            ("n/a", None),
        ] {
            assert_eq!(suffixed(text), expected, "{text}");
        }
    }
}
