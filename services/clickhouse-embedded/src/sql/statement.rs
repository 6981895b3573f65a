//! Finds where an INSERT's data begins and which format an answer has.

use super::lexer::{Token, TokenKind, tokens};

/// An INSERT with data from the client, split in two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InsertHead {
    /// The statement without FORMAT, VALUES and data. The engine's streaming insert would insert anything more as
    /// rows.
    pub(crate) sql: Vec<u8>,
    /// The input format, if the statement has one (`Values` for VALUES).
    pub(crate) format: Option<String>,
    /// The offset of inline data in the text.
    pub(crate) data_start: usize,
}

/// Splits an INSERT. `None` if the text is not an INSERT or takes its rows from a SELECT.
pub(crate) fn insert_head(text: &[u8]) -> Option<InsertHead> {
    let mut stream = tokens(text).peekable();
    if !stream.next()?.is_word("INSERT") {
        return None;
    }
    let mut depth = 0_u32;
    let mut head_end = 0;
    while let Some(token) = stream.next() {
        match token.kind {
            TokenKind::Punct(b'(') => {
                let selects = stream.peek().is_some_and(|t| t.is_word("SELECT") || t.is_word("WITH"));
                if depth == 0 && selects {
                    return None;
                }
                depth += 1;
            }
            TokenKind::Punct(b')') => depth = depth.saturating_sub(1),
            TokenKind::Broken => return None,
            _ if depth > 0 => {}
            TokenKind::Word if is_any(&token, &["SELECT", "WITH", "WATCH", "INFILE"]) => return None,
            TokenKind::Word if token.is_word("VALUES") => {
                return Some(InsertHead {
                    sql: text[..token.start].to_vec(),
                    format: Some("Values".to_owned()),
                    data_start: token.end,
                });
            }
            TokenKind::Word if token.is_word("FORMAT") => {
                // In `INSERT INTO format ...`, `format` is the table, because no table precedes it.
                if head_end > 0
                    && let Some(name) = stream.next_if(|t| t.kind == TokenKind::Word)
                {
                    return Some(with_format(text, &token, &name));
                }
            }
            TokenKind::Punct(b';') => break,
            TokenKind::Word if is_any(&token, &["INTO", "TABLE"]) => continue,
            _ => {}
        }
        head_end = token.end;
    }
    let end = tokens(text).find(|t| t.is_punct(b';')).map_or(text.len(), |t| t.start);
    Some(InsertHead { sql: text[..end].to_vec(), format: None, data_start: text.len() })
}

/// Settings may follow the format (`FORMAT CSV SETTINGS a = 1`); they belong to the head. After blanks and at most
/// one line end follows the data.
fn with_format(text: &[u8], format: &Token<'_>, name: &Token<'_>) -> InsertHead {
    let mut sql = text[..format.start].trim_ascii_end().to_vec();
    let mut at = name.end;
    let mut rest = tokens(&text[name.end..]);
    if rest.next().is_some_and(|t| t.is_word("SETTINGS"))
        && let Some(end) = settings_end(&text[name.end..])
    {
        let has_settings = tokens(&sql).any(|t| t.is_word("SETTINGS"));
        let list = &text[name.end..name.end + end];
        let word = tokens(list).next().map_or(0, |t| t.end);
        sql.extend_from_slice(if has_settings { b"," } else { b" SETTINGS" });
        sql.extend_from_slice(&list[word..]);
        at += end;
    }
    while text.get(at).is_some_and(|b| matches!(b, b' ' | b'\t' | 0x0c)) {
        at += 1;
    }
    if text.get(at) == Some(&b'\r') {
        at += 1;
    }
    if text.get(at) == Some(&b'\n') {
        at += 1;
    }
    InsertHead { sql, format: Some(String::from_utf8_lossy(name.bytes).into_owned()), data_start: at }
}

/// The end of `SETTINGS name = literal [, ...]` at the start of `text`.
fn settings_end(text: &[u8]) -> Option<usize> {
    let mut stream = tokens(text).peekable();
    stream.next()?;
    loop {
        let name = stream.next()?;
        let equals = stream.next()?;
        if name.kind != TokenKind::Word || !equals.is_punct(b'=') {
            return None;
        }
        let mut value = stream.next()?;
        if value.is_punct(b'-') {
            value = stream.next()?;
        }
        if !matches!(value.kind, TokenKind::Text | TokenKind::Number | TokenKind::Word) {
            return None;
        }
        let mut end = value.end;
        // The lexer splits a decimal fraction into two numbers and a point.
        while stream
            .peek()
            .is_some_and(|t| t.start == end && (t.is_punct(b'.') || t.kind == TokenKind::Number))
        {
            end = stream.next()?.end;
        }
        match stream.peek() {
            Some(comma) if comma.is_punct(b',') => {
                stream.next();
            }
            _ => return Some(end),
        }
    }
}

/// Removes `FORMAT name` from the end of a statement (also before SETTINGS), and trailing semicolons. The engine
/// would let it override the format argument, and removing headers requires the actual format.
pub(crate) fn output_format(text: &[u8]) -> (Vec<u8>, Option<String>) {
    let all: Vec<Token<'_>> = tokens(text).collect();
    let mut last = all.len();
    while last > 0 && all[last - 1].is_punct(b';') {
        last -= 1;
    }
    let end = if last == all.len() { text.len() } else { all[last].start };
    let all = &all[..last];
    let mut depth = 0_i64;
    for i in (0..all.len()).rev() {
        match all[i].kind {
            TokenKind::Punct(b')' | b']' | b'}') => depth += 1,
            TokenKind::Punct(b'(' | b'[' | b'{') => depth -= 1,
            TokenKind::Word if depth == 0 && i > 0 && all[i].is_word("FORMAT") => {
                let Some(name) = all.get(i + 1) else { continue };
                let closes = all.get(i + 2).is_none_or(|t| t.is_word("SETTINGS"));
                if name.kind == TokenKind::Word && closes && !all[i - 1].is_punct(b'.') {
                    let mut sql = text[..all[i].start].to_vec();
                    sql.push(b' ');
                    sql.extend_from_slice(&text[name.end..end]);
                    return (sql, Some(String::from_utf8_lossy(name.bytes).into_owned()));
                }
            }
            _ => {}
        }
    }
    (text[..end].to_vec(), None)
}

/// Whether the engine can stream this statement's answer, which it can only for SELECT.
pub(crate) fn starts_a_select(text: &[u8]) -> bool {
    tokens(text).find(|t| !t.is_punct(b'(')).is_some_and(|t| is_any(&t, &["SELECT", "WITH", "FROM"]))
}

fn is_any(token: &Token<'_>, words: &[&str]) -> bool {
    words.iter().any(|w| token.is_word(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Option<(String, Option<String>, String)> {
        insert_head(text.as_bytes()).map(|h| {
            let data = String::from_utf8_lossy(&text.as_bytes()[h.data_start..]).into_owned();
            (String::from_utf8_lossy(&h.sql).trim().to_owned(), h.format, data)
        })
    }

    #[test]
    fn insert_is_cut_before_format_and_values() {
        let table: [(&str, &str, Option<&str>, &str); 10] = [
            ("INSERT INTO t FORMAT CSV\n1,2\n", "INSERT INTO t", Some("CSV"), "1,2\n"),
            ("insert into t (a, b) format RowBinary", "insert into t (a, b)", Some("RowBinary"), ""),
            ("INSERT INTO t VALUES (1),(2)", "INSERT INTO t", Some("Values"), " (1),(2)"),
            ("INSERT INTO t(`values`) FORMAT Values (1)", "INSERT INTO t(`values`)", Some("Values"), "(1)"),
            (
                "INSERT INTO t SETTINGS a = 1 FORMAT TSV\r\nx",
                "INSERT INTO t SETTINGS a = 1",
                Some("TSV"),
                "x",
            ),
            (
                "INSERT INTO t FORMAT CSV SETTINGS a = 1, b = 'x'\n1",
                "INSERT INTO t SETTINGS a = 1, b = 'x'",
                Some("CSV"),
                "1",
            ),
            (
                "INSERT INTO t SETTINGS c=2 FORMAT CSV SETTINGS a=0.5 1",
                "INSERT INTO t SETTINGS c=2, a=0.5",
                Some("CSV"),
                "1",
            ),
            ("INSERT INTO t FORMAT CSV\nSETTINGS,1", "INSERT INTO t", Some("CSV"), "SETTINGS,1"),
            ("INSERT INTO format FORMAT CSV\n1", "INSERT INTO format", Some("CSV"), "1"),
            ("INSERT INTO t (a);", "INSERT INTO t (a)", None, ""),
        ];
        for (text, sql, format, data) in table {
            let got = cut(text).unwrap_or_else(|| panic!("no head: {text}"));
            assert_eq!(got, (sql.to_owned(), format.map(str::to_owned), data.to_owned()), "{text}");
        }
    }

    #[test]
    fn insert_from_a_select_has_no_data() {
        for text in [
            "INSERT INTO t SELECT 1",
            "INSERT INTO t (a) WITH 1 AS x SELECT x",
            "INSERT INTO t (SELECT 1)",
            "SELECT 1",
        ] {
            assert_eq!(cut(text), None, "{text}");
        }
    }

    #[test]
    fn output_format_is_taken_off_the_end_only() {
        let table = [
            ("SELECT 1 FORMAT JSON", "SELECT 1", Some("JSON")),
            ("SELECT 1 FORMAT JSON ;", "SELECT 1", Some("JSON")),
            ("SELECT 1 FORMAT CSV SETTINGS max_threads=1", "SELECT 1   SETTINGS max_threads=1", Some("CSV")),
            ("SELECT 1 SETTINGS max_threads=1 FORMAT TSV", "SELECT 1 SETTINGS max_threads=1", Some("TSV")),
            ("SELECT format FROM t", "SELECT format FROM t", None),
            ("SELECT format('{}', 1)", "SELECT format('{}', 1)", None),
            ("SELECT (SELECT 'FORMAT JSON')", "SELECT (SELECT 'FORMAT JSON')", None),
            ("SHOW TABLES", "SHOW TABLES", None),
        ];
        for (text, sql, format) in table {
            let (got, name) = output_format(text.as_bytes());
            assert_eq!((String::from_utf8_lossy(&got).trim(), name.as_deref()), (sql, format), "{text}");
        }
    }

    #[test]
    fn only_selects_are_streamed() {
        for (text, want) in [
            ("SELECT 1", true),
            ("(SELECT 1) UNION ALL SELECT 2", true),
            ("/* a */ with 1 as x select x", true),
            ("SHOW TABLES", false),
            ("DESCRIBE t", false),
            ("EXPLAIN SELECT 1", false),
            ("", false),
        ] {
            assert_eq!(starts_a_select(text.as_bytes()), want, "{text}");
        }
    }
}
