//! The machines' web interfaces: bounded GETs, with digest or token authentication if required.

use std::net::SocketAddr;
use std::time::Duration;

use md5::{Digest as _, Md5};
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use wb_metering::miner::ANSWERS_MAX_BYTES;
use wb_metering::miner::repair::repaired;
use wb_units::with_causes;

use super::rpc::{Fault, beginning};
use crate::ConnectError;
/// A user and a password, for all machines of a connector.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    user: String,
    password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Login({}:...)", self.user)
    }
}

impl Login {
    /// Parses `user:password`; `None` without a colon.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

/// A client of web interfaces.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    http: reqwest::Client,
    login: Option<Login>,
    within: Duration,
}

impl Web {
    pub(crate) fn new(login: Option<Login>, within: Duration) -> Result<Self, ConnectError> {
        // Redirects are not followed, so that a machine cannot send the connector elsewhere.
        let http = reqwest::Client::builder()
            .timeout(within)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(ConnectError::Client)?;
        Ok(Self { http, login, within })
    }

    /// Gets an answer in JSON. Uses digest authentication if required and a login is known.
    pub(crate) async fn get(&self, address: SocketAddr, path: &str) -> Result<String, Fault> {
        let request = || self.http.get(format!("http://{address}{path}"));
        let first = sent(request(), self.within).await?;
        if first.status() != 401 {
            return read(first).await;
        }
        let login = self.login.as_ref().ok_or(Fault::Login)?;
        let challenge = first.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let digest = challenge.and_then(|challenge| digest(login, challenge, path)).ok_or(Fault::Login)?;
        read(sent(request().header(AUTHORIZATION, digest), self.within).await?).await
    }

    /// Sends a GraphQL query.
    pub(crate) async fn query(&self, address: SocketAddr, query: &str) -> Result<String, Fault> {
        let body = json!({"query": query});
        read(sent(self.http.post(format!("http://{address}/graphql")).json(&body), self.within).await?).await
    }

    /// Gets a token of Braiins OS's REST interface.
    pub(crate) async fn braiins_token(&self, address: SocketAddr) -> Result<String, Fault> {
        let login = self.login.as_ref().ok_or(Fault::Login)?;
        let body = json!({"username": login.user, "password": login.password});
        let request = self.http.post(format!("http://{address}/api/v1/auth/login")).json(&body);
        let answer = read(sent(request, self.within).await?).await?;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        answer.get("token").and_then(Value::as_str).map(str::to_owned).ok_or(Fault::Login)
    }

    /// [`Self::get`] with such a token.
    pub(crate) async fn get_with(
        &self,
        address: SocketAddr,
        path: &str,
        token: &str,
    ) -> Result<String, Fault> {
        let request = self.http.get(format!("http://{address}{path}")).header(AUTHORIZATION, token);
        read(sent(request, self.within).await?).await
    }
}

async fn sent(request: RequestBuilder, within: Duration) -> Result<Response, Fault> {
    request.send().await.map_err(|error| {
        let whole = with_causes(&error);
        if error.is_timeout() {
            Fault::Slow { within, bytes: 0 }
        } else if error.is_connect() {
            Fault::Connect(whole)
        } else {
            Fault::Closed(format!(": {whole}"))
        }
    })
}

async fn read(mut answer: Response) -> Result<String, Fault> {
    match answer.status().as_u16() {
        200..=299 => {}
        401 | 403 => return Err(Fault::Login),
        status => return Err(Fault::Status(status)),
    }
    let mut taken = Vec::new();
    // A web server that began to answer is not silent.
    let broken = |error: reqwest::Error| Fault::NotJson(format!("it breaks off: {}", with_causes(&error)));
    while let Some(piece) = answer.chunk().await.map_err(broken)? {
        if taken.len() + piece.len() > ANSWERS_MAX_BYTES {
            return Err(Fault::TooLarge);
        }
        taken.extend_from_slice(&piece);
    }
    repaired(&taken).ok_or_else(|| Fault::NotJson(beginning(&taken)))
}

/// The answer to a digest challenge (RFC 7616 with MD5, as such machines use it); `None` for other challenges. The
/// format requires a client nonce, but the server's nonce is new for each request anyway.
fn digest(login: &Login, challenge: &str, path: &str) -> Option<String> {
    let parameters = challenge.trim().strip_prefix("Digest ")?;
    let (realm, nonce) = (parameter(parameters, "realm")?, parameter(parameters, "nonce")?);
    if parameter(parameters, "algorithm").is_some_and(|name| !name.eq_ignore_ascii_case("MD5")) {
        return None;
    }
    let user = hash(&format!("{}:{realm}:{}", login.user, login.password));
    let wanted = hash(&format!("GET:{path}"));
    let mut answer =
        format!("Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{path}\"", login.user);
    match parameter(parameters, "qop") {
        Some(qop) if qop.split(',').any(|one| one.trim() == "auth") => {
            let ours = hash(&nonce).get(..16).unwrap_or_default().to_owned();
            let response = hash(&format!("{user}:{nonce}:00000001:{ours}:auth:{wanted}"));
            answer.push_str(&format!(", qop=auth, nc=00000001, cnonce=\"{ours}\", response=\"{response}\""));
        }
        Some(_) => return None,
        None => answer.push_str(&format!(", response=\"{}\"", hash(&format!("{user}:{nonce}:{wanted}")))),
    }
    if let Some(opaque) = parameter(parameters, "opaque") {
        answer.push_str(&format!(", opaque=\"{opaque}\""));
    }
    Some(answer)
}

fn hash(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A parameter of a challenge, quoted or not.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim().to_owned());
        }
        rest = next.trim_start_matches([',', ' ']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_standard() {
        // RFC 2617, 3.5, with the client's nonce that is taken here, and without one (RFC 2069).
        let login = Login::parse("Mufasa:Circle Of Life").unwrap();
        let challenge = r#"Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        let user = "939e7578ed9e3c518a452acee763bce9";
        let wanted = "39aff3a2bab6126f332b942af96d3366";
        let ours = &hash("dcd98b7102dd2f0e8b11d0f600bfb0c093")[..16];
        let response =
            hash(&format!("{user}:dcd98b7102dd2f0e8b11d0f600bfb0c093:00000001:{ours}:auth:{wanted}"));
        let answer = digest(&login, challenge, "/dir/index.html").unwrap();
        assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
        assert!(answer.contains("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""), "{answer}");
        let old = r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#;
        let answer = digest(&login, old, "/dir/index.html").unwrap();
        assert!(answer.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""), "{answer}");
        for other in ["Basic realm=\"x\"", "Digest realm=\"x\"", "Digest realm=x, nonce=y, algorithm=SHA-256"]
        {
            assert_eq!(digest(&login, other, "/"), None, "{other}");
        }
    }

    #[test]
    fn a_login_is_not_shown() {
        let login = Login::parse("root:a:b").unwrap();
        assert_eq!(format!("{login:?}"), "Login(root:...)");
        assert_eq!(login.password, "a:b");
        assert_eq!(Login::parse("root"), None);
    }
}
