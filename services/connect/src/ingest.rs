//! A client of the ingest API, which retries until everything is durable.

use std::time::Duration;

use reqwest::header;
use serde::Deserialize;
use serde_json::Value;

use crate::{ConnectError, Stop};

/// The timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// The first pause after a failure; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How many characters of a refusal are kept for the message.
const ANSWER_CHARS_MAX: usize = 400;

/// A refused event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its index in the request.
    pub index: usize,
    /// The stable code.
    pub code: String,
    pub field: String,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

impl Refused {
    pub(crate) fn log(&self) {
        let Self { code, field, reason, .. } = self;
        tracing::error!(code, field, reason, "an event was refused");
    }
}

#[derive(Deserialize)]
struct Answer {
    events: Vec<EventAnswer>,
}

#[derive(Deserialize)]
struct EventAnswer {
    status: String,
    index: usize,
    #[serde(default)]
    code: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    reason: String,
}

/// The client.
#[derive(Debug, Clone)]
pub struct Ingest {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Ingest {
    /// Creates a client for an ingest at a base URL, with the API key of a source.
    ///
    /// # Errors
    /// [`ConnectError::Url`] and [`ConnectError::Client`].
    pub fn new(base_url: &str, key: String) -> Result<Self, ConnectError> {
        let bad = || ConnectError::Url { what: "the ingest URL", url: base_url.to_owned() };
        let base = reqwest::Url::parse(base_url).map_err(|_| bad())?;
        let url = base.join("/v1/events").map_err(|_| bad())?;
        let http =
            reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build().map_err(ConnectError::Client)?;
        Ok(Self { http, url: url.to_string(), key })
    }

    /// Sends events until they are durable; returns those that were refused. `None` if it was stopped before; then
    /// some may be durable.
    ///
    /// # Errors
    /// [`ConnectError::Refused`] if the whole request is refused for good.
    pub async fn post(&self, events: &[Value], stop: &Stop) -> Result<Option<Vec<Refused>>, ConnectError> {
        let lines = events.iter().map(|event| format!("{event}\n")).collect();
        self.post_lines(lines, events.len(), stop).await
    }

    /// [`Self::post`] for events that are already encoded, one per line.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub async fn post_lines(
        &self,
        lines: String,
        events: usize,
        stop: &Stop,
    ) -> Result<Option<Vec<Refused>>, ConnectError> {
        let lines = bytes::Bytes::from(lines);
        let mut pause = PAUSE;
        while !stop.is_told() {
            let sent = self
                .http
                .post(&self.url)
                .bearer_auth(&self.key)
                .header(header::CONTENT_TYPE, "application/x-ndjson")
                .body(lines.clone())
                .send()
                .await;
            match sent {
                Ok(answer) if answer.status().is_success() || answer.status() == 422 => {
                    match answer.json::<Answer>().await {
                        Ok(answer) => return understood(answer, events).map(Some),
                        // The connection may have broken before the end.
                        Err(error) => tracing::warn!(%error, "ingest's answer did not arrive whole"),
                    }
                }
                Ok(answer) if worth_another_try(answer.status().as_u16()) => {
                    tracing::warn!(status = answer.status().as_u16(), "ingest is busy");
                }
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    let text = answer.text().await.unwrap_or_default();
                    let answer = text.chars().take(ANSWER_CHARS_MAX).collect();
                    return Err(ConnectError::Refused { status, answer });
                }
                Err(error) => tracing::warn!(%error, "ingest does not answer"),
            }
            stop.sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
        Ok(None)
    }
}

fn worth_another_try(status: u16) -> bool {
    matches!(status, 408 | 429) || status >= 500
}

fn understood(answer: Answer, events: usize) -> Result<Vec<Refused>, ConnectError> {
    let wrong = |detail: String| ConnectError::Answer { events, detail };
    if answer.events.len() != events {
        return Err(wrong(format!("it is about {} events", answer.events.len())));
    }
    let mut refused = Vec::new();
    for event in answer.events {
        match event.status.as_str() {
            "accepted" => {}
            "refused" if event.index < events => refused.push(Refused {
                index: event.index,
                code: event.code,
                field: event.field,
                reason: event.reason,
            }),
            other => return Err(wrong(format!("event {} is {other:?}", event.index))),
        }
    }
    Ok(refused)
}
