//! Repairs the JSON of machines.
//!
//! Old firmware omits commas between elements and fields, leaves one before the first or after the last of them, writes
//! `nan` for a sensor without a value or nothing at all, a list of pairs for an object, ends an answer with a NUL byte,
//! and puts control characters into strings. All of this can be repaired without guessing; anything else is refused.

use serde::de::IgnoredAny;

/// The deepest nesting that is repaired; recorded machines need nine.
const DEPTH_MAX: usize = 64;

/// The first JSON object or array in an answer; `None` if there is none. Anything after it is ignored, because some
/// firmware answers twice.
#[must_use]
pub fn repaired(bytes: &[u8]) -> Option<String> {
    let until_nul = bytes.split(|byte| *byte == 0).find(|part| !part.is_empty())?;
    let text = String::from_utf8_lossy(until_nul);
    let text = text.trim_start_matches(|letter: char| letter == '\u{feff}' || letter.is_whitespace());
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut repair = Repair::default();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let taken = repair.take(letter, rest)?;
        rest = rest.get(taken..)?;
        if repair.depth == 0 {
            break;
        }
    }
    serde_json::from_str::<IgnoredAny>(&repair.written).is_ok().then_some(repair.written)
}

#[derive(Default)]
struct Repair {
    written: String,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The last character written outside of strings, without space.
    last: char,
    /// The brackets that are open.
    open: Vec<Open>,
}

/// An open bracket.
struct Open {
    /// Where it is written.
    at: usize,
    is_list: bool,
    /// Whether it is a list that turned out to hold pairs.
    holds_pairs: bool,
}

impl Repair {
    /// Handles what begins with `letter`; returns how many bytes that was.
    fn take(&mut self, letter: char, rest: &str) -> Option<usize> {
        let size = letter.len_utf8();
        if self.in_string {
            self.in_string = self.escaped || letter != '"';
            self.escaped = !self.escaped && letter == '\\';
            self.written.push(if letter.is_control() { ' ' } else { letter });
            if !self.in_string {
                self.last = '"';
            }
            return Some(size);
        }
        match letter {
            '{' | '[' => {
                if matches!(self.last, '}' | ']') {
                    self.written.push(',');
                }
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return None;
                }
                let is_list = letter == '[';
                self.open.push(Open { at: self.written.len(), is_list, holds_pairs: false });
            }
            '}' | ']' => {
                self.value_before();
                if self.last == ',' {
                    let end = self.written.rfind(',')?;
                    self.written.truncate(end);
                }
                self.depth = self.depth.checked_sub(1)?;
                let opened = self.open.pop()?;
                let closing = if letter == ']' && opened.holds_pairs { '}' } else { letter };
                self.written.push(closing);
                self.last = closing;
                return Some(size);
            }
            ',' if matches!(self.last, '{' | '[' | ',') => return Some(size),
            ',' => self.value_before(),
            ':' => self.pair_in_a_list()?,
            '"' => {
                if matches!(self.last, '"' | '0' | 'n' | '}' | ']') {
                    self.written.push(',');
                }
                self.in_string = true;
            }
            _ if letter.is_alphabetic() || (letter == '-' && !follows_digit(rest)) => {
                let end = rest
                    .char_indices()
                    .skip(1)
                    .find(|(_, letter)| !letter.is_alphanumeric())
                    .map_or(rest.len(), |(at, _)| at);
                return self.word(rest.get(..end)?);
            }
            // A number's exponent is part of the number.
            _ if letter == '-' || letter.is_ascii_digit() => {
                let part = |letter: char| letter.is_ascii_digit() || "+-.eE".contains(letter);
                let end = rest.find(|letter| !part(letter)).unwrap_or(rest.len());
                self.written.push_str(rest.get(..end)?);
                self.last = '0';
                return Some(end);
            }
            _ if letter.is_whitespace() || letter.is_control() => return Some(size),
            _ => {}
        }
        self.written.push(letter);
        self.last = letter;
        Some(size)
    }

    /// Nothing behind a colon is a sensor without a value.
    fn value_before(&mut self) {
        if self.last == ':' {
            self.written.push_str("null");
            self.last = 'n';
        }
    }

    /// A list that holds `"key":` is an object.
    fn pair_in_a_list(&mut self) -> Option<()> {
        let open = self.open.last_mut()?;
        if open.is_list && !open.holds_pairs {
            open.holds_pairs = true;
            self.written.replace_range(open.at..=open.at, "{");
        }
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<usize> {
        let known = match word {
            "true" | "false" | "null" => word,
            _ => match word.trim_start_matches('-').to_ascii_lowercase().as_str() {
                "nan" | "inf" | "infinity" => "null",
                _ => return None,
            },
        };
        self.written.push_str(known);
        self.last = 'n';
        Some(word.len())
    }
}

fn follows_digit(rest: &str) -> bool {
    rest.chars().nth(1).is_some_and(|letter| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_put_right_is() {
        for (said, meant) in [
            ("{\"a\":1}", Some("{\"a\":1}")),
            ("{\"a\":1}\0", Some("{\"a\":1}")),
            ("\0{\"a\":1}\0\0", Some("{\"a\":1}")),
            ("\u{feff} {\"a\":1}\n", Some("{\"a\":1}")),
            ("{\"S\":[{\"a\":1}{\"b\":2}]}", Some("{\"S\":[{\"a\":1},{\"b\":2}]}")),
            ("{\"S\":[{\"a\":1},],}", Some("{\"S\":[{\"a\":1}]}")),
            ("{\"a\":nan,\"b\":-inf,\"c\":-1.5e+3}", Some("{\"a\":null,\"b\":null,\"c\":-1.5e+3}")),
            ("{\"S\":[,{\"a\":1}]}", Some("{\"S\":[{\"a\":1}]}")),
            ("{,\"a\":1,,\"b\":2}", Some("{\"a\":1,\"b\":2}")),
            (
                "{\"a\":\"x\"\"b\":1\"c\":null \"d\":[1]\"e\":2}",
                Some("{\"a\":\"x\",\"b\":1,\"c\":null,\"d\":[1],\"e\":2}"),
            ),
            ("{\"e\":[\"329\":\"x\"],\"f\":1}", Some("{\"e\":{\"329\":\"x\"},\"f\":1}")),
            ("{\"e\":[\"1\":{\"a\":[2]},\"2\":3]}", Some("{\"e\":{\"1\":{\"a\":[2]},\"2\":3}}")),
            ("{\"a\":,\"b\":}", Some("{\"a\":null,\"b\":null}")),
            ("{\"e\":[\"1\":2,3]}", None),
            ("{\"a\" \"b\"}", None),
            ("{\"a\":\"x\ty\"}", Some("{\"a\":\"x y\"}")),
            ("{\"a\":\"}{ \\\" nan\"}", Some("{\"a\":\"}{ \\\" nan\"}")),
            ("{\"a\":1}{\"b\":2}", Some("{\"a\":1}")),
            ("{\"a\":true}HTTP", Some("{\"a\":true}")),
            ("[1, 2]", Some("[1,2]")),
            ("", None),
            ("\0", None),
            ("hello", None),
            ("{\"a\":", None),
            ("{\"a\":oops}", None),
            ("{\"a\" 1}", None),
            ("{]", None),
        ] {
            assert_eq!(repaired(said.as_bytes()).as_deref(), meant, "{said:?}");
        }
        assert_eq!(repaired(b"{\"a\":\"\xff\"}").as_deref(), Some("{\"a\":\"\u{fffd}\"}"));
        assert_eq!(repaired("[".repeat(1_000).as_bytes()), None);
    }

    #[test]
    fn numbers_keep_every_digit() {
        let text = r#"{"a":123456789012345678901234567890.12345678901234567890}"#;
        assert_eq!(repaired(text.as_bytes()).as_deref(), Some(text));
    }
}
