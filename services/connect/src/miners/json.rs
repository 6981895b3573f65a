//! Repairs the JSON of machines.
//!
//! Old firmware omits commas between array elements, leaves one after the last element, writes `nan` for a sensor
//! without a value, ends an answer with a NUL byte, and puts control characters into strings. All of this can be
//! repaired without guessing; anything else is refused.

use serde::de::IgnoredAny;

/// The deepest nesting that is repaired; recorded machines need nine.
const DEPTH_MAX: usize = 64;

/// The first JSON object or array in an answer; `None` if there is none. Anything after it is ignored, because some
/// firmware answers twice.
pub(crate) fn repaired(bytes: &[u8]) -> Option<String> {
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
}

impl Repair {
    /// Handles what begins with `letter`; returns how many bytes that was.
    fn take(&mut self, letter: char, rest: &str) -> Option<usize> {
        let size = letter.len_utf8();
        if self.in_string {
            self.in_string = self.escaped || letter != '"';
            self.escaped = !self.escaped && letter == '\\';
            self.written.push(if letter.is_control() { ' ' } else { letter });
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
            }
            '}' | ']' => {
                if self.last == ',' {
                    let end = self.written.rfind(',')?;
                    self.written.truncate(end);
                }
                self.depth = self.depth.checked_sub(1)?;
            }
            '"' => self.in_string = true,
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

/// Detects the end of an answer that arrives in pieces, for firmware that keeps the connection open.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    depth: usize,
    begun: bool,
    in_string: bool,
    escaped: bool,
}

impl Ending {
    /// Adds the next piece; returns whether the answer is complete.
    pub(crate) fn reached(&mut self, piece: &[u8]) -> bool {
        for byte in piece {
            match (self.in_string, byte) {
                (_, 0) => return true,
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (true, b'"') => self.in_string = false,
                (true, _) => {}
                (false, b'"') => self.in_string = true,
                (false, b'{' | b'[') => {
                    self.begun = true;
                    self.depth += 1;
                }
                (false, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.begun && self.depth == 0 {
                        return true;
                    }
                }
                (false, _) => {}
            }
        }
        false
    }
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

    #[test]
    fn an_answer_ends_with_its_last_bracket_or_a_nul_however_it_is_cut() {
        for (text, ends) in [
            ("{\"a\":[1,\"}\\\"]\"]}", true),
            ("{\"a\":1", false),
            ("{\"a\":1\0", true),
            ("no json", false),
            (" ]", false),
        ] {
            for cut in 0..text.len() {
                let mut ending = Ending::default();
                let (first, second) = text.as_bytes().split_at(cut);
                let early = ending.reached(first);
                assert!(!early, "{text} is over after {cut} bytes");
                assert_eq!(ending.reached(second), ends, "{text} cut at {cut}");
            }
        }
    }
}
