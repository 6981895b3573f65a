//! The text format of Prometheus exporters, read into samples whose values stay text.
//!
//! Source: Prometheus text exposition format 0.0.4. The adapter of another source (remote write) makes the same
//! [`Sample`], with values as decimal text.

use std::collections::BTreeMap;

use wb_units::decimal::{self, Excess};

/// The largest exposition that is read, in bytes: an exporter of eight GPUs writes a tenth of it.
pub const EXPOSITION_MAX_BYTES: usize = 16 * 1024 * 1024;

/// One sample.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value, as it was written.
    pub value: String,
}

impl Sample {
    /// A label; `None` where it is missing or empty, which Prometheus treats alike.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value scaled by 10^`places` and truncated; `None` for `NaN`, infinities, negatives and
    /// what is too large.
    #[must_use]
    pub fn scaled(&self, places: u32) -> Option<u128> {
        u128::try_from(decimal::parse(&self.value, places, Excess::Truncate).ok()?).ok()
    }
}

/// Why an exposition was refused as a whole.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpositionError {
    /// More bytes than are read.
    #[code("WB-3131")]
    #[error(
        "the exposition is {bytes} bytes; at most {EXPOSITION_MAX_BYTES} are read: scrape one exporter at \
         a time, with fewer fields"
    )]
    TooLarge {
        /// Bytes given.
        bytes: usize,
    },
    /// A line is no sample.
    #[code("WB-3132")]
    #[error("line {line} is no sample: name{{label=\"value\",...}} value is read")]
    Malformed {
        /// Line number, from 1.
        line: usize,
    },
}

/// Reads an exposition. Comments are skipped; a timestamp behind a value is ignored: the time of the scrape counts.
///
/// # Errors
/// [`ExpositionError`]. One broken line refuses the whole: it shows that the exposition is not complete.
pub fn parse(text: &str) -> Result<Vec<Sample>, ExpositionError> {
    if text.len() > EXPOSITION_MAX_BYTES {
        return Err(ExpositionError::TooLarge { bytes: text.len() });
    }
    let mut samples = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        samples.push(sample(line).ok_or(ExpositionError::Malformed { line: index + 1 })?);
    }
    Ok(samples)
}

fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(|letter: char| letter == '{' || letter.is_whitespace())?;
    let (name, rest) = line.split_at(name_end);
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':');
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let mut words = rest.split_whitespace();
    let value = words.next()?;
    let is_value =
        value.bytes().next()?.is_ascii_digit() || matches!(value.as_bytes()[0], b'-' | b'+' | b'N' | b'I');
    (is_name && is_value && words.count() <= 1).then(|| Sample {
        name: name.to_owned(),
        labels,
        value: value.strip_prefix('+').unwrap_or(value).to_owned(),
    })
}

/// Labels up to the closing brace, and what follows it. A value may hold `}`, `,` and escapes.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = quoted.char_indices();
        let end = loop {
            match letters.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => value.push(match letters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, letter) => value.push(letter),
            }
        };
        labels.insert(name.trim().to_owned(), value);
        rest = quoted.get(end..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_labels_escapes_and_timestamps() {
        let text = "# HELP a b\n# TYPE a gauge\na{x=\"1\",y=\"a}\\\"b,\\\\\",} 1.5 1395066363000\nplain 3e2\nnone NaN\n";
        let samples = parse(text).unwrap();
        assert_eq!(samples.len(), 3);
        assert_eq!(samples[0].label("y"), Some("a}\"b,\\"));
        assert_eq!(samples[0].scaled(3), Some(1_500));
        assert_eq!((samples[1].scaled(0), samples[1].labels.len()), (Some(300), 0));
        assert_eq!(samples[2].scaled(0), None);
    }

    #[test]
    fn a_broken_line_is_named() {
        for (text, line) in
            [("a 1\nb{x=\"1\" 2\n", 2), ("a{x=1} 2", 1), ("a", 1), ("a{} ", 1), ("a 1 2 3", 1)]
        {
            assert_eq!(parse(text), Err(ExpositionError::Malformed { line }), "{text}");
        }
        assert_eq!(ExpositionError::Malformed { line: 1 }.code(), "WB-3132");
        let large = "#".repeat(EXPOSITION_MAX_BYTES + 1);
        assert_eq!(parse(&large).unwrap_err().code(), "WB-3131");
    }
}
