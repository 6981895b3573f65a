//! One line for an error and everything that caused it.

use std::error::Error;

/// Writes an error and its sources, from the outermost to the innermost, as `a: b: c`.
///
/// A source that the error before it has quoted at its end already is not said twice.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let part = source.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        #[source]
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Option<Box<Layer>> {
        let (text, rest) = texts.split_first()?;
        Some(Box::new(Layer { text, source: layers(rest) }))
    }

    #[test]
    fn sources_follow_the_error() {
        for (texts, expected) in [
            (&["a"][..], "a"),
            (&["a", "b", "c"], "a: b: c"),
            (&["cannot read x: no such file", "no such file"], "cannot read x: no such file"),
            (&["a: b", "b", "c"], "a: b: c"),
        ] {
            let error = layers(texts).unwrap();
            assert_eq!(chain(error.as_ref()), expected);
        }
    }
}
