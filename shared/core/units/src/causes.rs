//! One line for an error and everything that caused it.

use std::error::Error;

/// An error and its causes, from the outermost to the innermost, as `a: b: c`.
///
/// A cause that the error before it already quotes at its end is not repeated.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    followed_by_causes(error.to_string(), error)
}

/// As [`with_causes`], with another text for the error itself.
#[must_use]
pub fn followed_by_causes(mut text: String, error: &dyn Error) -> String {
    for cause in std::iter::successors(error.source(), |cause| (*cause).source()) {
        let part = cause.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
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
    fn causes_follow_the_error() {
        for (texts, expected) in [
            (&["a"][..], "a"),
            (&["a", "b", "c"], "a: b: c"),
            (&["cannot read x: no such file", "no such file"], "cannot read x: no such file"),
            (&["a: b", "b", "c"], "a: b: c"),
        ] {
            assert_eq!(with_causes(layers(texts).unwrap().as_ref()), expected);
        }
        let error = layers(&["a", "b"]).unwrap();
        assert_eq!(followed_by_causes("no answer".to_owned(), error.as_ref()), "no answer: b");
    }
}
