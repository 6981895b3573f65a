//! The errors of the API.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use wb_auth::AuthError;
use wb_clickhouse::StoreError;
use wb_export::ExportError;

/// Seconds after which a refused caller may retry.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// Why a request failed.
#[wb_coded::coded(message)]
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The token is missing or refused.
    #[code(source)]
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The body exceeds the limit.
    #[code("WB-3301")]
    #[error("the request's body is longer than {limit} bytes, or it ended early")]
    Body { limit: usize },
    /// The body is not a GraphQL request.
    #[code("WB-3302")]
    #[error(
        "the body is not a GraphQL request: send JSON with Content-Type application/json, \
         such as {{\"query\": \"{{ me {{ subject }} }}\"}}; one request at a time"
    )]
    Form,
    /// The query is refused before parsing, because of its text.
    #[code("WB-3303")]
    #[error("the query is refused: {what} is {actual}, at most {limit} is allowed")]
    QueryText {
        /// The limited quantity.
        what: &'static str,
        /// Its size, as far as it was counted.
        actual: usize,
        limit: usize,
    },
    /// The query is refused after parsing, because of its shape.
    #[code("WB-3304")]
    #[error("the query is refused: more than {limit} {what}")]
    QueryShape {
        /// The limited quantity.
        what: &'static str,
        limit: usize,
    },
    /// The arguments are not valid.
    #[code("WB-3307")]
    #[error("the arguments are not valid: {problem}")]
    Arguments {
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// Nothing can be read as of an instant.
    #[code(source)]
    #[error(transparent)]
    AsOf(StoreError),
    /// The log was not asked for the cut of an instant.
    #[code("WB-5418")]
    #[error("the cut of an instant cannot be found now; see the server's log for the cause")]
    Log,
    /// The request took too long.
    #[code("WB-3308")]
    #[error("no answer within {limit_ms} ms: ask for a shorter range or a wider bucket")]
    Time { limit_ms: u64 },
    /// Too many requests at once.
    #[code("WB-3309")]
    #[error("too many requests at once: retry in a second")]
    Busy,
    /// The store failed.
    #[code(source)]
    #[error("the store cannot answer now; see the server's log for the cause")]
    Store(#[source] StoreError),
    /// An export failed.
    #[code(source)]
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The server ended.
    #[code("WB-3311")]
    #[error("the server ended")]
    Serve(#[source] std::io::Error),
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Auth(refusal) if refusal.is_forbidden() => StatusCode::FORBIDDEN,
            Self::Auth(_) => StatusCode::UNAUTHORIZED,
            Self::Body { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::AsOf(_) => StatusCode::BAD_REQUEST,
            Self::Log => StatusCode::SERVICE_UNAVAILABLE,
            Self::Form | Self::QueryText { .. } | Self::QueryShape { .. } | Self::Arguments { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::Export(failure) if failure.is_request() => StatusCode::BAD_REQUEST,
            Self::Export(failure) if failure.is_request() => StatusCode::BAD_REQUEST,
            Self::Time { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Export(_) | Self::Serve(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The faults that async-graphql finds in a query by itself.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryFault {
    /// It is nested too deeply or asks for too much.
    #[code("WB-3305")]
    TooCostly,
    /// It does not match the schema.
    #[code("WB-3306")]
    NoFit,
}

impl From<StoreError> for ApiError {
    fn from(failure: StoreError) -> Self {
        if matches!(failure, StoreError::AsOf { .. }) {
            return Self::AsOf(failure);
        }
        if failure.is_request() {
            return Self::Arguments { problem: failure.to_string() };
        }
        let error = &failure as &(dyn std::error::Error + 'static);
        tracing::error!(code = failure.code(), error, "the store failed");
        Self::Store(failure)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "code": self.code(), "message": self.message() });
        let mut response = (self.status(), axum::Json(body)).into_response();
        let headers = response.headers_mut();
        match self.status() {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_S);
            }
            _ => {}
        }
        response
    }
}

/// Converts an error to its form in a GraphQL answer: the message, with the code under `extensions`. This is a
/// function, not `From`, because async-graphql already converts every displayable error, without its code.
pub(crate) fn graphql(failure: ApiError) -> async_graphql::Error {
    use async_graphql::ErrorExtensions;
    let code = failure.code();
    async_graphql::Error::new(failure.message()).extend_with(|_, extensions| extensions.set("code", code))
}
