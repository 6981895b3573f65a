//! Tokens of ClickHouse's SQL, over bytes (inline data need not be UTF-8).

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A bare word: keyword or identifier.
    Word,
    /// An identifier in backticks or double quotes.
    Quoted,
    /// A string literal or heredoc.
    Text,
    Number,
    /// One byte of anything else.
    Punct(u8),
    /// A quote or comment without an end; it is the last token.
    Broken,
}

/// A token and its position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'t> {
    pub(crate) kind: TokenKind,
    pub(crate) bytes: &'t [u8],
    /// Offset of the first byte.
    pub(crate) start: usize,
    /// Offset after the last byte.
    pub(crate) end: usize,
}

impl Token<'_> {
    /// Whether this is the bare word `word` (case ignored).
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }

    pub(crate) fn is_punct(&self, byte: u8) -> bool {
        self.kind == TokenKind::Punct(byte)
    }

    /// The identifier of this token in lower case, or `None`. Escapes in quotes are not resolved, because the guard
    /// refuses identifiers with any.
    pub(crate) fn identifier(&self) -> Option<String> {
        let inner = match self.kind {
            TokenKind::Word => self.bytes,
            TokenKind::Quoted => self.bytes.get(1..self.bytes.len().saturating_sub(1))?,
            _ => return None,
        };
        Some(String::from_utf8_lossy(inner).to_ascii_lowercase())
    }
}

/// Iterates over the tokens of `text`; comments and white space are left out.
pub(crate) fn tokens(text: &[u8]) -> Tokens<'_> {
    Tokens { text, at: 0 }
}

/// See [`tokens`].
#[derive(Clone)]
pub(crate) struct Tokens<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Tokens<'t> {
    fn skip_blank(&mut self) -> bool {
        loop {
            let rest = &self.text[self.at..];
            match rest {
                [b, ..] if b.is_ascii_whitespace() || *b == 0x0b || *b == 0 => self.at += 1,
                // A no-break space, which ClickHouse treats as white space.
                [0xc2, 0xa0, ..] => self.at += 2,
                [0xef, 0xbb, 0xbf, ..] if self.at == 0 => self.at += 3,
                [b'-', b'-', ..] | [b'#', b' ' | b'!', ..] => {
                    self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                }
                [b'/', b'*', ..] => match find(&rest[2..], b"*/") {
                    Some(end) => self.at += 2 + end + 2,
                    None => return false,
                },
                _ => return true,
            }
        }
    }

    fn token(&mut self, kind: TokenKind, length: usize) -> Token<'t> {
        let start = self.at;
        self.at = self.text.len().min(start + length.max(1));
        Token { kind, bytes: &self.text[start..self.at], start, end: self.at }
    }

    fn broken(&mut self) -> Token<'t> {
        let rest = self.text.len() - self.at;
        self.token(TokenKind::Broken, rest)
    }

    fn quoted(&mut self, kind: TokenKind, quote: u8) -> Token<'t> {
        let rest = &self.text[self.at..];
        let mut i = 1;
        while let Some(b) = rest.get(i) {
            let doubled = *b == quote && rest.get(i + 1) == Some(&quote);
            if *b == b'\\' || doubled {
                i += 2;
            } else if *b == quote {
                return self.token(kind, i + 1);
            } else {
                i += 1;
            }
        }
        self.broken()
    }

    /// `$tag$ ... $tag$`; `None` if this dollar does not open one.
    fn heredoc(&mut self) -> Option<Token<'t>> {
        let rest = &self.text[self.at..];
        let tag = rest[1..].iter().position(|b| !word_byte(*b) || *b == b'$')?;
        if rest.get(1 + tag) != Some(&b'$') {
            return None;
        }
        let mark = &rest[..tag + 2];
        let end = find(&rest[mark.len()..], mark)?;
        Some(self.token(TokenKind::Text, mark.len() * 2 + end))
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        if !self.skip_blank() {
            return Some(self.broken());
        }
        let rest = &self.text[self.at..];
        let first = *rest.first()?;
        Some(match first {
            b'\'' => self.quoted(TokenKind::Text, first),
            b'"' | b'`' => self.quoted(TokenKind::Quoted, first),
            b'$' => match self.heredoc() {
                Some(token) => token,
                None => self.token(TokenKind::Word, run(rest)),
            },
            b'0'..=b'9' => self.token(TokenKind::Number, run(rest)),
            b if word_byte(b) => self.token(TokenKind::Word, run(rest)),
            b => self.token(TokenKind::Punct(b), 1),
        })
    }
}

fn word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

fn run(text: &[u8]) -> usize {
    text.iter().position(|b| !word_byte(*b)).unwrap_or(text.len())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> Vec<(TokenKind, String)> {
        tokens(text.as_bytes()).map(|t| (t.kind, String::from_utf8_lossy(t.bytes).into_owned())).collect()
    }

    #[test]
    fn words_quotes_comments_and_heredocs_are_told_apart() {
        let got = kinds("SELECT 'a''b\\'', `x\"y` -- c ' \n/* file( */ , $t$ it's $t$ 1e3;");
        let want = [
            (TokenKind::Word, "SELECT"),
            (TokenKind::Text, "'a''b\\''"),
            (TokenKind::Punct(b','), ","),
            (TokenKind::Quoted, "`x\"y`"),
            (TokenKind::Punct(b','), ","),
            (TokenKind::Text, "$t$ it's $t$"),
            (TokenKind::Number, "1e3"),
            (TokenKind::Punct(b';'), ";"),
        ];
        let want: Vec<_> = want.iter().map(|(k, s)| (*k, (*s).to_owned())).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn what_has_no_end_is_broken() {
        for text in ["select 'a", "select `a", "select /* x", "select \"a\\\""] {
            assert_eq!(kinds(text).last().map(|t| t.0), Some(TokenKind::Broken), "{text}");
        }
    }

    proptest! {
        #[test]
        fn tokens_are_in_order_and_inside_the_text(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut last = 0;
            for token in tokens(&text) {
                prop_assert!(token.start >= last && token.end > token.start && token.end <= text.len());
                prop_assert_eq!(&text[token.start..token.end], token.bytes);
                last = token.end;
            }
        }
    }
}
