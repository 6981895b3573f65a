//! The answers of ingest, event by event.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use wb_events::input::InputError;

use crate::limits;

/// The answer to one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum EventAnswer {
    /// It is in the log. The aggregator decides whether it counts.
    Accepted {
        /// Its index in the request.
        index: usize,
    },
    /// It is not in the log.
    Refused {
        /// Its index in the request.
        index: usize,
        /// The stable code.
        code: &'static str,
        field: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

impl EventAnswer {
    pub(crate) fn refused(index: usize, error: InputError) -> Self {
        Self::Refused { index, code: error.code, field: error.field, reason: error.reason }
    }
}

/// How many refused events the answer to a remote write lists: the sender logs only the beginning.
const SHOWN_MAX: usize = 20;

#[derive(Serialize)]
struct Answer {
    accepted: usize,
    refused: usize,
    events: Vec<EventAnswer>,
}

/// The answer to a request that could be read: 200 if at least one event was accepted or there was none, 422 if all
/// were refused.
pub(crate) fn events(events: Vec<EventAnswer>) -> Response {
    let accepted = events.iter().filter(|event| matches!(event, EventAnswer::Accepted { .. })).count();
    let refused = events.len() - accepted;
    let status = if accepted == 0 && refused > 0 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, Json(Answer { accepted, refused, events })).into_response()
}

/// The answer to a remote write with refused events. It is a 4xx, because a retry would be refused again.
pub(crate) fn write_refused(answers: Vec<EventAnswer>) -> Response {
    let total = answers.len();
    let mut refused: Vec<EventAnswer> =
        answers.into_iter().filter(|answer| matches!(answer, EventAnswer::Refused { .. })).collect();
    let count = refused.len();
    refused.truncate(SHOWN_MAX);
    let answer = Answer { accepted: total - count, refused: count, events: refused };
    (StatusCode::UNPROCESSABLE_ENTITY, Json(answer)).into_response()
}

/// Why a whole request is refused. No event of it is accepted, unless the code says otherwise.
#[wb_coded::coded(message)]
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[code(source)]
    #[error(transparent)]
    Auth(wb_auth::AuthError),
    #[code("WB-2101")]
    #[error("the body has more than {} bytes: send fewer events at once", limits::BODY_BYTES_MAX)]
    BodyTooLarge,
    #[code("WB-2102")]
    #[error(
        "the body decompresses to more than {} bytes: send fewer events at once",
        limits::DECOMPRESSED_BYTES_MAX
    )]
    DecompressedTooLarge,
    #[code("WB-2103")]
    #[error("Content-Encoding {0:?} is unknown: send identity, gzip or zstd")]
    UnknownEncoding(String),
    #[code("WB-2104")]
    #[error("the body is not valid {encoding}: {detail}")]
    Undecompressable { encoding: &'static str, detail: String },
    #[code("WB-2105")]
    #[error(
        "Content-Type {0:?} is unknown: send application/json, application/x-ndjson or application/x-protobuf"
    )]
    UnknownType(String),
    #[code("WB-2106")]
    #[error("the body is empty: send at least one event")]
    Empty,
    #[code("WB-2107")]
    #[error("the body does not match its Content-Type: {0}")]
    Malformed(String),
    #[code("WB-2108")]
    #[error("{0} events in one request, at most {max} are accepted", max = limits::EVENTS_MAX)]
    TooManyEvents(usize),
    #[code("WB-2109")]
    #[error("the body did not arrive within {} seconds", limits::BODY_TIMEOUT.as_secs())]
    TooSlow,
    #[code("WB-2110")]
    #[error("too many requests at once: retry in a moment")]
    Busy,
    #[code("WB-2111")]
    #[error(
        "the log did not acknowledge all events: send the whole request again, repeats are harmless ({0})"
    )]
    NotDurable(String),
    #[code("WB-2112")]
    #[error("the facts recorded so far could not be read in time: send the request again ({0})")]
    ReferenceBehind(String),
    #[code("WB-2113")]
    #[error("Content-Encoding {0:?}: a remote write is compressed as a snappy block")]
    NotSnappy(String),
    #[code("WB-2114")]
    #[error("Content-Type {0:?}: send application/x-protobuf, remote write 1.0 (prometheus.WriteRequest)")]
    NotRemoteWrite(String),
    #[code("WB-2115")]
    #[error(
        "more than {} series in one remote write: set queue_config.max_samples_per_send lower",
        limits::SERIES_MAX
    )]
    TooManySeries,
    #[code("WB-2116")]
    #[error("series {0} has more than {max} bytes: its labels are too long", max = limits::SERIES_BYTES_MAX)]
    SeriesTooLarge(usize),
    #[code("WB-2117")]
    #[error(
        "more than {} samples of pods, or {} exporters, wait for their scrapes to be complete: give each cluster a source",
        limits::POD_SAMPLES_MAX,
        limits::EXPORTERS_MAX
    )]
    TooManyPods,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Auth(error) if error.is_forbidden() => StatusCode::FORBIDDEN,
            Self::Auth(_) => StatusCode::UNAUTHORIZED,
            Self::BodyTooLarge
            | Self::DecompressedTooLarge
            | Self::TooManyEvents(_)
            | Self::TooManySeries
            | Self::SeriesTooLarge(_)
            | Self::TooManyPods => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownEncoding(_)
            | Self::UnknownType(_)
            | Self::NotSnappy(_)
            | Self::NotRemoteWrite(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Undecompressable { .. } | Self::Empty | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::NotDurable(_) | Self::ReferenceBehind(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The answer to a sender that retries only after a 5xx.
    pub(crate) fn for_remote_write(self) -> Response {
        let again = matches!(self, Self::Busy | Self::TooSlow);
        let mut response = self.into_response();
        if again {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            let wait = HeaderValue::from_static(limits::RETRY_AFTER_S);
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}

#[derive(Serialize)]
struct ErrorBody {
    code: &'static str,
    error: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = ErrorBody { code: self.code(), error: self.message() };
        let mut response = (status, Json(body)).into_response();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static(limits::RETRY_AFTER_S));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
