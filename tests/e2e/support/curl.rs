//! Requests with the program `curl`, as any user would make them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::place::Place;

/// How long one request may take, in seconds.
const TIME_MAX_S: &str = "120";

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("status {} and no JSON ({error}): {:?}", self.status, self.body))
    }
}

/// A request: POST with a body, GET without one. `Err` is curl's message where there is no answer.
pub(crate) fn try_request(url: &str, headers: &[String], body: Option<&[u8]>) -> Result<Answer, String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", TIME_MAX_S, "--write-out", "\n%{http_code}"]);
    // Nothing waits for `100 Continue`, and no Content-Type is invented.
    for header in ["Expect:", "Content-Type:"] {
        if !headers.iter().any(|given| given.starts_with(header)) {
            command.args(["--header", header]);
        }
    }
    for header in headers {
        command.args(["--header", header]);
    }
    if body.is_some() {
        command.args(["--data-binary", "@-"]);
    }
    command.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("curl does not start: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let body = body.unwrap_or_default().to_vec();
    let writer = std::thread::spawn(move || {
        // A server may refuse before it has read everything.
        let _ = stdin.write_all(&body);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    if !output.status.success() {
        return Err(format!("curl {url}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    Ok(Answer { status: status.parse().unwrap(), body: body.to_owned() })
}

/// A request that must be answered.
pub(crate) fn request(url: &str, headers: &[String], body: Option<&[u8]>) -> Answer {
    try_request(url, headers, body).unwrap_or_else(|error| panic!("{error}"))
}

/// The header of a bearer.
pub(crate) fn bearer(secret: &str) -> String {
    format!("Authorization: Bearer {secret}")
}

/// A GraphQL request.
pub(crate) fn graphql(place: &Place, token: Option<&str>, query: &str) -> Answer {
    let mut headers = vec!["Content-Type: application/json".to_owned()];
    headers.extend(token.map(bearer));
    let body = json!({ "query": query }).to_string();
    request(&place.graphql_url(), &headers, Some(body.as_bytes()))
}

/// The data of a GraphQL request that must succeed.
pub(crate) fn graphql_data(place: &Place, token: &str, query: &str) -> Value {
    let answer = graphql(place, Some(token), query);
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let json = answer.json();
    assert!(json.get("errors").is_none(), "{query}: {json}");
    json["data"].clone()
}
