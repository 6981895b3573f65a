//! Authentication of clients.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, ORIGIN};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::request::Query;
use crate::config::{Credentials, EngineConfig};
use crate::exception::{ChException, code};

/// Checks the client's user and password, in any way that ClickHouse accepts: headers, Basic, Bearer (only the
/// password), or URL.
pub(super) fn check(config: &EngineConfig, headers: &HeaderMap, query: &Query) -> Result<(), ChException> {
    let Some(wanted) = &config.credentials else {
        // Without a password, any web page open on this machine could send queries. Browsers set the Origin header.
        return if headers.contains_key(ORIGIN) {
            Err(ChException::denied("Requests from web pages are not allowed where no password is set"))
        } else {
            Ok(())
        };
    };
    let given = given(headers, query);
    let user_matches = given.user.as_deref().is_none_or(|u| same(u, &wanted.user));
    if user_matches && same(&given.password, &wanted.password) {
        return Ok(());
    }
    let user = given.user.unwrap_or_else(|| "default".to_owned());
    Err(ChException::new(
        code::AUTHENTICATION_FAILED,
        "AUTHENTICATION_FAILED",
        format!("{user}: Authentication failed: password is incorrect, or there is no user with such name"),
    ))
}

struct Given {
    user: Option<String>,
    password: String,
}

fn given(headers: &HeaderMap, query: &Query) -> Given {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    if let Some(password) = text("X-ClickHouse-Key") {
        return Given { user: text("X-ClickHouse-User").or_else(|| Some("default".to_owned())), password };
    }
    if let Some(value) = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()) {
        if let Some(token) = value.strip_prefix("Bearer ") {
            return Given { user: None, password: token.trim().to_owned() };
        }
        if let Some(pair) = value.strip_prefix("Basic ").and_then(basic) {
            return pair;
        }
    }
    Given {
        user: text("X-ClickHouse-User").or_else(|| query.user.clone()).or_else(|| Some("default".to_owned())),
        password: query.password.clone().unwrap_or_default(),
    }
}

fn basic(encoded: &str) -> Option<Given> {
    let plain = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = plain.split_once(':')?;
    Some(Given { user: Some(user.to_owned()), password: password.to_owned() })
}

/// Compares in constant time.
fn same(given: &str, wanted: &str) -> bool {
    let (given, wanted) = (given.as_bytes(), wanted.as_bytes());
    let mut difference = u8::from(given.len() != wanted.len());
    for (i, byte) in given.iter().enumerate() {
        let other = wanted.get(i % wanted.len().max(1)).copied().unwrap_or(0);
        difference |= byte ^ other;
    }
    difference == 0
}

/// Checks a configuration's address and password; returns what is wrong.
pub(crate) fn check_config(config: &EngineConfig) -> Result<(), String> {
    match &config.credentials {
        None if !config.listen.ip().is_loopback() => Err(format!(
            "the ClickHouse interface would listen on {} without a password; set one, or listen on 127.0.0.1",
            config.listen
        )),
        Some(Credentials { password, .. }) if password.is_empty() => {
            Err("the password of the ClickHouse interface is empty; set one, or leave the credentials out"
                .to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_is_exact() {
        for (a, b, want) in [
            ("x", "x", true),
            ("x", "y", false),
            ("", "x", false),
            ("x", "", false),
            ("xx", "x", false),
            ("", "", true),
        ] {
            assert_eq!(same(a, b), want, "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_public_address_needs_a_password() {
        let mut config = EngineConfig::new("/lib.so", "/data");
        assert!(check_config(&config).is_ok());
        config.listen = std::net::SocketAddr::from(([0, 0, 0, 0], 8123));
        assert!(check_config(&config).is_err());
        config.credentials = Some(Credentials { user: "default".into(), password: "s".into() });
        assert!(check_config(&config).is_ok());
    }
}
