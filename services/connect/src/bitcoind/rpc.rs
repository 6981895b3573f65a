//! Bitcoin Core's JSON-RPC over HTTP.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ConnectError;

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest accepted answer: no call made here returns more than a few kilobytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RpcError {
    #[error("the node cannot be reached: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the node refuses the credentials: {status}")]
    Credentials { status: u16 },
    #[error("the answer to {method} has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong { method: &'static str },
    #[error("the answer to {method} is not understood: {detail}")]
    Form { method: &'static str, detail: String },
    #[error("{method} failed: {message} ({code})")]
    Failed { method: &'static str, code: i64, message: String },
}

pub(crate) struct Node {
    http: reqwest::Client,
    url: Url,
    user: String,
    password: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    result: Option<Value>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    message: String,
}

impl Node {
    /// A node at a URL that may contain user and password.
    pub(crate) fn new(text: &str) -> Result<Self, ConnectError> {
        // Errors about a bad URL must not show its password.
        let told = text.rsplit('@').next().unwrap_or_default().to_owned();
        let bad = || ConnectError::Url { what: "the node's URL", url: told.clone() };
        let mut url = Url::parse(text).map_err(|_| bad())?;
        if url.scheme() != "http" || url.host_str().is_none() {
            return Err(bad());
        }
        let (user, password) = (url.username().to_owned(), url.password().map(str::to_owned));
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| bad())?;
        let http = reqwest::Client::builder().timeout(CALL_TIMEOUT).build().map_err(ConnectError::Client)?;
        Ok(Self { http, url, user, password })
    }

    /// Calls a method.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, RpcError> {
        let body = json!({"jsonrpc": "1.0", "id": "weighbridge", "method": method, "params": params});
        let request = self.http.post(self.url.clone()).basic_auth(&self.user, self.password.as_deref());
        let mut answer = request.json(&body).send().await?;
        let status = answer.status().as_u16();
        if matches!(status, 401 | 403) {
            return Err(RpcError::Credentials { status });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(RpcError::TooLong { method });
            }
            bytes.extend_from_slice(&chunk);
        }
        let form = |detail: String| RpcError::Form { method, detail };
        // Failures come with status 500 and a body with details.
        let answer: Answer =
            serde_json::from_slice(&bytes).map_err(|error| form(format!("status {status}, {error}")))?;
        match answer {
            Answer { error: Some(error), .. } => {
                Err(RpcError::Failed { method, code: error.code, message: error.message })
            }
            Answer { result, .. } => {
                serde_json::from_value(result.unwrap_or_default()).map_err(|error| form(error.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_is_told_without_its_password() {
        for text in ["node", "https://user:secret@host:8332", "user:secret@host", "http://"] {
            let error = Node::new(text).err().unwrap();
            assert_eq!(error.code(), "WB-5701", "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let node = Node::new("http://user:secret@127.0.0.1:8332").unwrap();
        assert_eq!((node.user.as_str(), node.password.as_deref()), ("user", Some("secret")));
        assert_eq!(node.url.as_str(), "http://127.0.0.1:8332/");
    }
}
