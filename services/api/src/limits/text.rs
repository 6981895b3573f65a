//! Measures a query's text in one pass without allocating. Parsing costs more than linear time, so long or deeply
//! nested texts must not reach the parser.

use crate::config::Limits;
use crate::error::ApiError;

/// Refuses a text that exceeds a limit of bytes, tokens or nesting.
///
/// # Errors
/// [`ApiError::QueryText`] for the first limit that is exceeded.
pub(crate) fn check(query: &str, limits: &Limits) -> Result<(), ApiError> {
    let refuse = |what, actual, limit| Err(ApiError::QueryText { what, actual, limit });
    if query.len() > limits.query_bytes {
        return refuse("the number of bytes", query.len(), limits.query_bytes);
    }
    let (mut tokens, mut nesting) = (0_usize, 0_usize);
    let mut rest = query.as_bytes();
    while let Some((kind, after)) = next(rest) {
        rest = after;
        match kind {
            Token::Ignored => continue,
            Token::Open => nesting += 1,
            Token::Close => nesting = nesting.saturating_sub(1),
            Token::Other => {}
        }
        tokens += 1;
        if tokens > limits.query_tokens {
            return refuse("the number of tokens", tokens, limits.query_tokens);
        }
        if nesting > limits.query_nesting {
            return refuse("the nesting of brackets", nesting, limits.query_nesting);
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Ignored,
    Open,
    Close,
    Other,
}

/// Removes one lexical token of GraphQL (October 2021, 2.1) from the text. A byte that starts no token counts as one;
/// the parser reports it.
fn next(text: &[u8]) -> Option<(Token, &[u8])> {
    let (kind, length) = match *text.first()? {
        b' ' | b'\t' | b'\r' | b'\n' | b',' => (Token::Ignored, 1),
        b'#' => (Token::Ignored, run(text, |byte| byte != b'\n' && byte != b'\r')),
        b'{' | b'[' | b'(' => (Token::Open, 1),
        b'}' | b']' | b')' => (Token::Close, 1),
        b'"' if text.starts_with(b"\"\"\"") => (Token::Other, block_string(text)),
        b'"' => (Token::Other, string(text)),
        b'.' if text.starts_with(b"...") => (Token::Other, 3),
        byte if is_word(byte) => (Token::Other, run(text, is_word)),
        _ => (Token::Other, 1),
    };
    Some((kind, text.get(length..).unwrap_or_default()))
}

/// A name or a number. A number's point and signs may count as tokens of their own.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn run(text: &[u8], inside: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !inside(*byte)).unwrap_or(text.len())
}

/// The length of a string with its quotes; an unclosed string ends at the end of the line.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\n' | b'\r' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// The length of a block string with its quotes.
fn block_string(text: &[u8]) -> usize {
    let mut at = 3;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if rest.starts_with(b"\"\"\"") {
            return at + 3;
        } else {
            at += 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the tokens of a text by raising the limit until it is accepted.
    fn tokens(query: &str) -> usize {
        (0..1_000)
            .find(|limit| check(query, &Limits { query_tokens: *limit, ..Limits::default() }).is_ok())
            .unwrap()
    }

    #[test]
    fn tokens_are_counted_as_graphql_has_them() {
        for (query, count) in [
            ("", 0),
            ("  ,,\n# comment { } x\n", 0),
            ("{ me { subject } }", 6),
            ("query($a: Int = 5) { x(a: $a) @skip(if: true) }", 25),
            (r#"{ x(a: "{ { \" {") }"#, 8),
            ("{ x(a: \"\"\"a { \\\"\"\" {\n\"\"\") }", 8),
            ("...on A", 3),
            ("\"open", 1),
            ("\"\"\"open", 1),
            ("\u{e9}", 2),
        ] {
            assert_eq!(tokens(query), count, "{query}");
        }
    }

    #[test]
    fn long_wide_and_deep_texts_are_refused() {
        let limits = Limits::default();
        let aliases: String = (0..700).map(|index| format!("a{index}:cut ")).collect();
        for query in [
            "x".repeat(limits.query_bytes + 1),
            format!("{{ {aliases} }}"),
            format!("{{ x(a: {}1) }}", "[".repeat(30)),
            "{a".repeat(30),
        ] {
            assert_eq!(check(&query, &limits).unwrap_err().code(), "WB-3303");
        }
        assert!(check("{ me { subject } }", &limits).is_ok());
    }
}
