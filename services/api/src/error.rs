//! Every way in which a request is refused or fails.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use wb_auth::AuthError;
use wb_clickhouse::StoreError;
use wb_export::ExportError;

/// Seconds after which a refused caller may come back.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The token is missing or refused.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// A body beyond the limit.
    #[error("the request's body is longer than {limit} bytes, or it broke off")]
    Body {
        /// The limit.
        limit: usize,
    },
    /// A body that is no GraphQL request.
    #[error(
        "the body is no GraphQL request: send JSON with Content-Type application/json, \
         such as {{\"query\": \"{{ me {{ subject }} }}\"}}; one request at a time"
    )]
    Form,
    /// A query that is refused before it is parsed, by its text.
    #[error("the query is refused: {what} is {actual}, at most {limit} is allowed")]
    QueryText {
        /// What is too large.
        what: &'static str,
        /// How large it is, as far as it was counted.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// A query that is refused after it is parsed, by its shape.
    #[error("the query is refused: more than {limit} {what}")]
    QueryShape {
        /// What is too many.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Arguments that cannot be used.
    #[error("the arguments cannot be used: {problem}")]
    Arguments {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The request took too long.
    #[error("no answer within {limit_ms} ms: ask for a shorter range or a wider bucket")]
    Time {
        /// The limit.
        limit_ms: u64,
    },
    /// Too many requests at once.
    #[error("all places are taken: come back in a second")]
    Busy,
    /// The store failed.
    #[error("the store cannot answer at the moment; the cause is in the log")]
    Store(#[source] StoreError),
    /// An export that cannot be made.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The server ended.
    #[error("the server ended: {0}")]
    Serve(#[source] std::io::Error),
}

impl ApiError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Auth(refusal) => refusal.code(),
            Self::Body { .. } => "WB-3301",
            Self::Form => "WB-3302",
            Self::QueryText { .. } => "WB-3303",
            Self::QueryShape { .. } => "WB-3304",
            Self::Arguments { .. } => "WB-3307",
            Self::Time { .. } => "WB-3308",
            Self::Busy => "WB-3309",
            Self::Store(failure) => failure.code(),
            Self::Export(failure) => failure.code(),
            Self::Serve(_) => "WB-3311",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Auth(refusal) if refusal.is_forbidden() => StatusCode::FORBIDDEN,
            Self::Auth(_) => StatusCode::UNAUTHORIZED,
            Self::Body { .. } => StatusCode::PAYLOAD_TOO_LARGE,
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

/// The code of a query that is nested too deep or asks for too much.
pub(crate) const CODE_COST: &str = "WB-3305";

/// The code of a query that does not fit the schema.
pub(crate) const CODE_QUERY: &str = "WB-3306";

impl From<StoreError> for ApiError {
    fn from(failure: StoreError) -> Self {
        if failure.is_request() {
            return Self::Arguments { problem: failure.to_string() };
        }
        tracing::error!(code = failure.code(), error = %failure, "the store failed");
        Self::Store(failure)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "code": self.code(), "message": self.to_string() });
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

/// The form in which an error stands in a GraphQL answer: message, and code under `extensions`.
/// A function and not `From`, because async-graphql takes every displayable error, without its
/// code.
pub(crate) fn graphql(failure: ApiError) -> async_graphql::Error {
    use async_graphql::ErrorExtensions;
    let code = failure.code();
    async_graphql::Error::new(failure.to_string()).extend_with(|_, extensions| extensions.set("code", code))
}
