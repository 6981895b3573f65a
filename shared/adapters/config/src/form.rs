//! The forms of texts in the configuration. Each function returns the value, or what is expected.

use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

use crate::mistake::MistakeKind;

/// Why a text was refused: the kind of mistake, and what is expected.
pub(crate) struct Flaw {
    pub(crate) kind: MistakeKind,
    pub(crate) right: String,
}

impl Flaw {
    pub(crate) fn new(kind: MistakeKind, right: impl Into<String>) -> Self {
        Self { kind, right: right.into() }
    }
}

/// The longest name of a database, in characters; the store's own limit.
const DATABASE_CHARS_MAX: usize = 63;

/// Text that is not empty and has no control characters.
pub(crate) fn plain(text: &str) -> Result<String, Flaw> {
    if text.is_empty() || text.chars().any(|letter| letter.is_control() || letter == '\u{fffd}') {
        let right = "a text that is not empty, is UTF-8 and has no control characters is needed";
        return Err(Flaw::new(MistakeKind::Text, right));
    }
    Ok(text.to_owned())
}

/// A path of a file or folder.
pub(crate) fn path(text: &str) -> Result<PathBuf, Flaw> {
    plain(text).map(PathBuf::from)
}

/// A path of a folder, or an empty text for none.
pub(crate) fn path_or_none(text: &str) -> Result<Option<PathBuf>, Flaw> {
    if text.is_empty() { Ok(None) } else { path(text).map(Some) }
}

/// An IP address and port to listen on; port 0 takes a free one.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, Flaw> {
    text.parse().map_err(|_| {
        let right = "an IP address and a port are needed, such as 127.0.0.1:8801 (this machine only), 0.0.0.0:8801 \
                     (every network) or [::1]:8801";
        Flaw::new(MistakeKind::Listen, right)
    })
}

/// A database: `[a-z][a-z0-9_]*`, so that it never needs quoting.
pub(crate) fn database(text: &str) -> Result<String, Flaw> {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let rest = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if first && rest && text.len() <= DATABASE_CHARS_MAX {
        return Ok(text.to_owned());
    }
    let right = format!(
        "a lower-case letter, then lower-case letters, digits and _ are needed, at most {DATABASE_CHARS_MAX} characters"
    );
    Err(Flaw::new(MistakeKind::DatabaseName, right))
}

/// The URL of a ClickHouse server's HTTP interface, without a slash at its end.
pub(crate) fn server_url(text: &str) -> Result<String, Flaw> {
    let refuse = |right: &str| Err(Flaw::new(MistakeKind::Url, right));
    let form = "an http:// or https:// URL with a host is needed, such as https://clickhouse.example:8443";
    let Ok(url) = Url::parse(text) else {
        return refuse(form);
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return refuse(form);
    }
    if has_credentials(text) {
        return refuse(
            "the user and password do not belong in the URL: set clickhouse.user and clickhouse.password",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("the URL must end before any ? or #: the database is set by clickhouse.database");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether a text may be a URL with a password, so that it must not be shown.
pub(crate) fn has_credentials(text: &str) -> bool {
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    authority.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

/// Bootstrap servers: `host:port`, separated by commas.
pub(crate) fn brokers(text: &str) -> Result<String, Flaw> {
    let known = |broker: &str| {
        let Some((host, port)) = broker.rsplit_once(':') else { return false };
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host_ok = match bare {
            Some(ipv6) => ipv6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
            }
        };
        host_ok && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let brokers: Vec<&str> = text.split(',').map(str::trim).collect();
    match brokers.iter().position(|broker| !known(broker)) {
        None => Ok(brokers.join(",")),
        Some(index) => {
            let (place, of) = (index + 1, brokers.len());
            let right =
                format!("host:port pairs separated by commas are needed, and number {place} of {of} is none");
            Err(Flaw::new(MistakeKind::Brokers, right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T>(form: fn(&str) -> Result<T, Flaw>, right: &[&str], wrong: &[&str]) {
        for text in right {
            assert!(form(text).is_ok(), "{text:?} is right");
        }
        for text in wrong {
            assert!(form(text).is_err(), "{text:?} is wrong");
        }
    }

    #[test]
    fn brokers_are_host_and_port() {
        check(
            brokers,
            &["kafka-1:9092", "a.example:9092, b.example:9093", "[::1]:9092", "10.0.0.1:1"],
            &[
                "",
                "kafka",
                "kafka:",
                ":9092",
                "kafka:0",
                "kafka:65536",
                "a:1,,b:2",
                "a:1,",
                "http://a:1",
                "::1:9092",
            ],
        );
        assert_eq!(brokers("a:1 , b:2").ok().as_deref(), Some("a:1,b:2"));
    }

    #[test]
    fn a_server_url_is_http_and_has_no_credentials() {
        check(
            server_url,
            &["http://127.0.0.1:8123", "https://clickhouse.example/", "http://[::1]:8123/path"],
            &[
                "",
                "clickhouse.example:8123",
                "tcp://a:9000",
                "http://",
                "http://a:99999",
                "http://user:word@a:8123",
                "http://user@a",
                "http://a/?database=x",
                "http://a/#x",
            ],
        );
        assert_eq!(server_url("http://a:1/").ok().as_deref(), Some("http://a:1"));
    }

    #[test]
    fn a_database_needs_no_quoting() {
        let longest = "a".repeat(DATABASE_CHARS_MAX);
        let longer = "a".repeat(DATABASE_CHARS_MAX + 1);
        check(
            database,
            &["weighbridge", "a", "a1_b", &longest],
            &["", "1a", "_a", "A", "a-b", "a b", "\u{e9}", &longer],
        );
    }

    #[test]
    fn an_address_is_an_ip_and_a_port() {
        check(
            listen,
            &["127.0.0.1:8801", "0.0.0.0:0", "[::]:1"],
            &["", "8801", ":8801", "localhost:8801", "127.0.0.1", "127.0.0.1:65536"],
        );
    }

    #[test]
    fn a_plain_text_has_something_in_it() {
        check(plain, &["a", "a b"], &["", "a\0b", "a\nb", "\u{fffd}"]);
    }
}
