//! The HTTP interface: authentication, limits and timeouts.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{ErrorExtensionValues, ServerError};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use wb_auth::{Principal, Verifier};
use wb_clickhouse::Store;

use crate::config::{ApiConfig, Limits};
use crate::cuts::CommitsAt;
use crate::error::{ApiError, QueryFault};
use crate::exports;
use crate::limits::check_text;
use crate::schema::{ApiSchema, RequestReader, schema};

/// What all requests share.
struct Api {
    schema: ApiSchema,
    store: Store,
    commits_at: CommitsAt,
    verifier: Verifier,
    limits: Limits,
    places: Semaphore,
}

/// The routes: `POST /graphql`, `GET /graphql` if GraphiQL is on, `GET /v1/exports/NAME`, and `GET /health`.
pub fn router(config: &ApiConfig, store: Store, commits_at: CommitsAt, verifier: Verifier) -> Router {
    let limits = config.limits.clone();
    let places = Semaphore::new(limits.concurrent_requests);
    let exports = exports::router(&limits, store.clone(), verifier.clone());
    let api = Arc::new(Api { schema: schema(&limits), store, commits_at, verifier, limits, places });
    let mut graphql = post(answer);
    if config.graphiql {
        graphql = graphql.get(graphiql);
    }
    Router::new().route("/graphql", graphql).route("/health", get(health)).with_state(api).merge(exports)
}

/// Serves on a bound listener until `shutdown` completes; requests in progress are finished.
///
/// # Errors
/// [`ApiError::Serve`].
pub async fn run(
    listener: TcpListener,
    config: ApiConfig,
    store: Store,
    commits_at: CommitsAt,
    verifier: Verifier,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ApiError> {
    let router = router(&config, store, commits_at, verifier);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await.map_err(ApiError::Serve)
}

async fn answer(State(api): State<Arc<Api>>, headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let principal = api.verifier.authenticate(authorization)?;
    let _place = api.places.try_acquire().map_err(|_| ApiError::Busy)?;
    let limit_ms = api.limits.time_ms;
    // Receiving the body counts towards the time limit, too, because a slow sender holds a permit.
    let work = respond(&api, principal, &headers, body);
    let answered = tokio::time::timeout(Duration::from_millis(limit_ms), work).await;
    answered.map_err(|_| ApiError::Time { limit_ms })?
}

async fn respond(
    api: &Api,
    principal: Principal,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    if !media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json")) {
        return Err(ApiError::Form);
    }
    let limit = api.limits.body_bytes;
    let bytes = axum::body::to_bytes(body, limit).await.map_err(|_| ApiError::Body { limit })?;
    let request: async_graphql::Request = serde_json::from_slice(&bytes).map_err(|_| ApiError::Form)?;
    if request.query.trim().is_empty() {
        return Err(ApiError::Form);
    }
    check_text(&request.query, &api.limits)?;
    let reader = RequestReader::new(principal, api.store.clone(), Arc::clone(&api.commits_at));
    let mut response = api.schema.execute(request.data(reader)).await;
    response.errors.iter_mut().for_each(give_code);
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, axum::Json(response)).into_response())
}

/// Adds a code to every error, also to those that async-graphql finds by itself.
fn give_code(error: &mut ServerError) {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    if extensions.get("code").is_none() {
        let costly = error.message.contains("too deep") || error.message.contains("too complex");
        let fault = if costly { QueryFault::TooCostly } else { QueryFault::NoFit };
        extensions.set("code", fault.code());
    }
}

async fn graphiql() -> Html<&'static str> {
    Html(include_str!("graphiql.html"))
}

async fn health(State(api): State<Arc<Api>>) -> Response {
    match api.store.ping().await {
        Ok(()) => axum::Json(serde_json::json!({ "status": "ok" })).into_response(),
        Err(failure) => {
            let error = &failure as &(dyn std::error::Error + 'static);
            tracing::warn!(code = failure.code(), error, "the store does not answer");
            let body = serde_json::json!({ "status": "unavailable", "code": failure.code() });
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(body)).into_response()
        }
    }
}
