//! Refuses statements that reach the host's files, the network, or the process itself.
//!
//! Table functions and engines are refused unless known to be safe: at the start the engine lists them, and all but
//! the ones below are denied. So a table function that a newer engine adds is refused until somebody has reviewed it.

use std::collections::HashSet;

use super::lexer::{Token, TokenKind, tokens};
use crate::exception::ChException;

/// Table functions that generate their rows.
const SAFE_FUNCTIONS: &[&str] = &[
    "format",
    "generate_series",
    "generaterandom",
    "generateseries",
    "null",
    "numbers",
    "numbers_mt",
    "primes",
    "values",
    "view",
    "zeros",
    "zeros_mt",
];

/// Table and database engines that use only the data directory.
const SAFE_ENGINES: &[&str] = &[
    "aggregatingmergetree",
    "atomic",
    "coalescingmergetree",
    "collapsingmergetree",
    "generaterandom",
    "join",
    "log",
    "materializedview",
    "memory",
    "mergetree",
    "null",
    "replacingmergetree",
    "set",
    "stripelog",
    "summingmergetree",
    "tinylog",
    "versionedcollapsingmergetree",
    "view",
];

/// Refused even if the engine does not list them: scalar functions and aliases.
const ALWAYS_DENIED: &[&str] = &[
    "aiclassify",
    "aiembed",
    "aiextract",
    "aigenerate",
    "aitranslate",
    "arrowflight",
    "catboostevaluate",
    "cluster",
    "clusterallreplicas",
    "disk",
    "eval",
    "executable",
    "executablepool",
    "file",
    "filecluster",
    "filelog",
    "filesystem",
    "filesystemavailable",
    "filesystemcapacity",
    "filesystemunreserved",
    "hdfs",
    "input",
    "jdbc",
    "loop",
    "merge",
    "mongodb",
    "mysql",
    "odbc",
    "postgresql",
    "python",
    "redis",
    "remote",
    "remotesecure",
    "s3",
    "sqlite",
    "url",
    "urlcluster",
];

/// Settings that add text that the tokens do not show, or change the parser.
const DENIED_SETTINGS: &[&str] = &[
    "additional_result_filter",
    "additional_table_filters",
    "default_table_engine",
    "default_temporary_table_engine",
    "dialect",
    "format_schema",
    "format_schema_source",
    "input_format_values_interpret_expressions",
    "rename_files_after_processing",
];

/// `SYSTEM` verbs that do not end or stop the process.
const SAFE_SYSTEM: &[&str] = &["FLUSH", "START", "STOP", "SYNC", "WAIT"];

/// Checks a text before the engine gets it.
pub(crate) struct Guard {
    denied_functions: HashSet<String>,
    denied_engines: HashSet<String>,
}

impl Guard {
    /// `functions` and `engines` are the engine's lists.
    pub(crate) fn new<'n>(
        functions: impl Iterator<Item = &'n str>,
        engines: impl Iterator<Item = &'n str>,
    ) -> Self {
        let denied = |names: Vec<String>, safe: &[&str]| -> HashSet<String> {
            names.into_iter().filter(|n| !safe.contains(&n.as_str())).collect()
        };
        let functions = functions.map(str::to_ascii_lowercase);
        let engines = engines.map(str::to_ascii_lowercase);
        let always = || ALWAYS_DENIED.iter().map(|n| (*n).to_owned());
        Self {
            denied_functions: denied(functions.chain(always()).collect(), SAFE_FUNCTIONS),
            denied_engines: denied(engines.chain(always()).collect(), SAFE_ENGINES),
        }
    }

    /// Refuses a setting by name.
    pub(crate) fn check_setting(&self, name: &str) -> Result<(), ChException> {
        let lower = name.to_ascii_lowercase();
        if DENIED_SETTINGS.contains(&lower.as_str()) {
            return Err(ChException::denied(format!(
                "The setting `{name}` is not allowed here: it brings in a query text, a file or another dialect that cannot be checked"
            )));
        }
        Ok(())
    }

    /// Refuses a database by name.
    pub(crate) fn check_database(&self, name: &str) -> Result<(), ChException> {
        if name.eq_ignore_ascii_case("default") {
            return Err(ChException::denied(
                "The database `default` of the embedded engine shows the host's files and is not served; use your own database",
            ));
        }
        Ok(())
    }

    /// Refuses a parameter that could refer to the `default` database.
    pub(crate) fn check_parameter(&self, value: &str) -> Result<(), ChException> {
        let first = value.split('.').next().unwrap_or(value);
        let bare: String = first.chars().filter(|c| !matches!(c, '`' | '"' | '\\' | ' ')).collect();
        if value.contains('.') || bare.len() == value.len() {
            self.check_database(&bare)?;
        }
        Ok(())
    }

    /// Refuses a statement (without its inline data).
    pub(crate) fn check(&self, text: &[u8]) -> Result<(), ChException> {
        let all: Vec<Token<'_>> = tokens(text).collect();
        if let Some(broken) = all.iter().find(|t| t.kind == TokenKind::Broken) {
            return Err(ChException::syntax(format!(
                "Syntax error: a quote or comment that opens at byte {} is not closed",
                broken.start
            )));
        }
        if all.iter().any(|t| t.kind == TokenKind::Quoted && t.bytes.contains(&b'\\')) {
            return Err(ChException::denied(
                "A quoted identifier with a backslash is not allowed here: an escape can hide a name that is refused",
            ));
        }
        // The engine accepts typographic quotes, exotic blanks and `$anything$` as delimiters. Nothing may hide
        // behind text that this lexer reads differently.
        if let Some(odd) = all.iter().find(|t| is_odd_word(t)) {
            return Err(ChException::denied(format!(
                "The word at byte {} is not allowed here: outside quotes, words are ASCII and do not begin with `$`; quote it in backticks",
                odd.start
            )));
        }
        self.check_verb(&all)?;
        for (i, token) in all.iter().enumerate() {
            let Some(name) = token.identifier() else { continue };
            let next = all.get(i + 1);
            let previous = i.checked_sub(1).map(|p| &all[p]);
            if next.is_some_and(|t| t.is_punct(b'(')) && self.denied_functions.contains(&name) {
                return Err(ChException::denied(format!(
                    "`{name}` is not allowed here: table functions and functions that reach files, the network or other tables by name are switched off in the embedded engine"
                )));
            }
            let committed_engine = previous.is_some_and(|t| t.is_word("ENGINE"))
                || (previous.is_some_and(|t| t.is_punct(b'=')) && i >= 2 && all[i - 2].is_word("ENGINE"));
            let called = next.is_some_and(|t| t.is_punct(b'('));
            if (committed_engine || called)
                && self.denied_engines.contains(&name)
                && (committed_engine || !self.is_plain_function(&name))
            {
                return Err(ChException::denied(format!(
                    "The engine `{name}` is not allowed here: it reaches files, the network or other tables; use a table of the MergeTree family"
                )));
            }
            if name == "default" && next.is_some_and(|t| t.is_punct(b'.')) {
                self.check_database("default")?;
            }
            let names_a_database = previous.is_some_and(|t| t.is_word("USE") || t.is_word("DATABASE"))
                || (i == 2 || i == 3)
                    && all[0].is_word("SHOW")
                    && previous.is_some_and(|t| t.is_word("FROM") || t.is_word("IN"));
            if name == "default" && names_a_database {
                self.check_database("default")?;
            }
            if next.is_some_and(|t| t.is_punct(b'=')) {
                self.check_setting(&name)?;
            }
            let outfile = (token.is_word("OUTFILE") && previous.is_some_and(|t| t.is_word("INTO")))
                || (token.is_word("INFILE") && previous.is_some_and(|t| t.is_word("FROM")));
            if outfile {
                return Err(ChException::denied(
                    "INTO OUTFILE and FROM INFILE reach the host's files and are not allowed here; send and receive data in the HTTP body",
                ));
            }
        }
        Ok(())
    }

    // `CREATE TABLE t AS Loop(..)` is not SQL, so an engine's name with arguments matters only if it is not an
    // ordinary function.
    fn is_plain_function(&self, name: &str) -> bool {
        matches!(
            name,
            "dictionary" | "ordinary" | "replicated" | "backup" | "alias" | "buffer" | "kafka" | "timeseries"
        ) && !self.denied_functions.contains(name)
    }

    fn check_verb(&self, all: &[Token<'_>]) -> Result<(), ChException> {
        let Some(first) = all.first() else { return Ok(()) };
        let second = all.get(1);
        let refuse =
            |what: &str, why: &str| Err(ChException::denied(format!("{what} is not allowed here: {why}")));
        let creates = ["CREATE", "REPLACE", "ATTACH", "ALTER"].iter().any(|w| first.is_word(w));
        if first.is_word("SYSTEM") && !second.is_some_and(|t| SAFE_SYSTEM.iter().any(|w| t.is_word(w))) {
            return refuse(
                "This SYSTEM statement",
                "SHUTDOWN, KILL and similar verbs end or stop the shared process; FLUSH, START, STOP, SYNC and WAIT are allowed",
            );
        }
        if ["BACKUP", "RESTORE", "SNAPSHOT", "COPY", "EXECUTE"].iter().any(|w| first.is_word(w)) {
            return refuse("This statement", "it writes or reads files of the host or changes who runs it");
        }
        if first.is_word("ATTACH") {
            return refuse("ATTACH", "it can bring in any directory of the host");
        }
        if creates && all.iter().take(5).any(|t| t.is_word("DICTIONARY")) {
            return refuse("A dictionary", "its source reaches files, commands or the network");
        }
        if first.is_word("KILL") && all.iter().any(|t| t.is_word("SYNC")) {
            return Err(ChException::not_implemented(
                "KILL ... SYNC waits forever in the embedded engine; use ASYNC, the default",
            ));
        }
        Ok(())
    }
}

fn is_odd_word(token: &Token<'_>) -> bool {
    let plain = matches!(token.kind, TokenKind::Word | TokenKind::Number);
    plain && (!token.bytes.is_ascii() || token.bytes.starts_with(b"$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(
            ["numbers", "file", "url", "icebergLocal", "format", "values"].into_iter(),
            ["MergeTree", "File", "Kafka", "Merge", "Atomic", "Filesystem", "Buffer"].into_iter(),
        )
    }

    #[test]
    fn what_reaches_outside_is_refused() {
        for text in [
            "SELECT * FROM file('/etc/passwd')",
            "SELECT * FROM FILE /* x */ ('/etc/passwd')",
            "SELECT * FROM `file`('/etc/passwd')",
            "SELECT * FROM \"fi\\le\"('/etc/passwd')",
            "SELECT file('/etc/passwd')",
            "SELECT $'$ a' $'$, file('/etc/passwd') -- '",
            "SELECT * FROM “file”('/etc/passwd')",
            "SELECT ‘ ' ’, file('/etc/passwd') -- '",
            "SELECT * FROM file\u{a0}('/etc/passwd')",
            "SELECT * FROM `fi\\x6ce`('/etc/passwd')",
            "INSERT INTO FUNCTION url('http://x', CSV) SELECT 1",
            "SELECT * FROM icebergLocal('/x')",
            "SELECT * FROM merge('default', '.*')",
            "SELECT * FROM default.`/etc/passwd`",
            "SELECT * FROM `default`.x",
            "USE default",
            "SHOW TABLES FROM default",
            "CREATE TABLE t (a Int8) ENGINE = Kafka",
            "CREATE TABLE t (a Int8) ENGINE File(CSV)",
            "CREATE DATABASE d ENGINE = Filesystem('/')",
            "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(FILE(path '/x')) LAYOUT(FLAT())",
            "CREATE OR REPLACE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(NULL()) LAYOUT(FLAT())",
            "SELECT 1 INTO OUTFILE '/x'",
            "INSERT INTO t FROM INFILE '/x' FORMAT CSV",
            "SYSTEM SHUTDOWN",
            "SYSTEM KILL",
            "SYSTEM SUSPEND FOR 3 SECOND",
            "BACKUP TABLE t TO File('x')",
            "ATTACH TABLE t FROM '/x' (a Int8) ENGINE = MergeTree",
            "SELECT 1 SETTINGS dialect = 'kusto'",
            "SELECT 1 SETTINGS additional_result_filter = 'file(1)'",
            "KILL QUERY WHERE 1 SYNC",
        ] {
            assert!(guard().check(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn everyday_statements_pass() {
        for text in [
            "SELECT url, file FROM t WHERE engine = 'File'",
            "SELECT 'file(1)', format('{}', 1) -- url('x')",
            "SELECT * FROM numbers(10)",
            "SELECT $tag$ it's 'file(1)' $tag$, 'Zürich', `Größe` FROM t",
            "CREATE TABLE t (a Int8 DEFAULT 1) ENGINE = MergeTree ORDER BY a SETTINGS fsync_after_insert = 1",
            "CREATE DATABASE d ENGINE = Atomic",
            "INSERT INTO t (a) VALUES (1)",
            "SYSTEM STOP MERGES t",
            "KILL QUERY WHERE query_id = 'x' ASYNC",
            "ALTER TABLE t DROP PARTITION 'x'",
            "SELECT URLHash('x'), toString(1)",
        ] {
            assert!(guard().check(text.as_bytes()).is_ok(), "{text}: {:?}", guard().check(text.as_bytes()));
        }
    }

    #[test]
    fn default_is_no_database_for_anyone() {
        for value in ["default", "DEFAULT", "default.x", "`default`.x"] {
            assert!(guard().check_parameter(value).is_err(), "{value}");
        }
        for value in ["defaults", "x.default", "a default value"] {
            assert!(guard().check_parameter(value).is_ok(), "{value}");
        }
    }
}
