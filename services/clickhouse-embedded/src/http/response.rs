//! Answers: headers, the streamed body, and errors within it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use super::{mark_gone, request};
use crate::codec::Encoder;
use crate::engine::Engine;
use crate::exception::ChException;
use crate::job::{Piece, RunState, Summary};

/// The longest exception text within a body: it must fit into one LZ4 block.
const MAX_EXCEPTION_BYTES: usize = 16 << 10;
/// How long an exception may take to reach the client before the connection is closed. A slow reader first reads the
/// socket's buffers, some megabytes.
const EXCEPTION_HEAD_START: Duration = Duration::from_secs(5);
/// Until the query has ended, its kill is repeated at this interval: the first kill may come before the engine has
/// registered the query.
const KILL_EVERY: Duration = Duration::from_millis(100);
const KILL_ROUNDS: u32 = 300;

/// Kills a query when its client disconnects.
pub(super) struct KillOnDrop {
    engine: Arc<Engine>,
    tag: String,
    state: Arc<RunState>,
    armed: bool,
}

impl KillOnDrop {
    pub(super) fn new(engine: Arc<Engine>, tag: String, state: Arc<RunState>) -> Self {
        Self { engine, tag, state, armed: true }
    }

    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if !self.armed || self.state.finished.load(Ordering::Acquire) {
            return;
        }
        mark_gone(&self.state);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (engine, tag, state) = (Arc::clone(&self.engine), self.tag.clone(), Arc::clone(&self.state));
        runtime.spawn(async move {
            for _ in 0..KILL_ROUNDS {
                if state.finished.load(Ordering::Acquire) {
                    return;
                }
                let (engine, tag) = (Arc::clone(&engine), tag.clone());
                let _ = tokio::task::spawn_blocking(move || engine.kill(&tag)).await;
                tokio::time::sleep(KILL_EVERY).await;
            }
            tracing::warn!("the query of a disconnected client did not end when killed");
        });
    }
}

/// An answer that has started successfully.
pub(super) struct Answering {
    pub(super) pieces: mpsc::Receiver<Piece>,
    pub(super) encoder: Encoder,
    /// Held for its drop: the query ends with the body.
    pub(super) _kill: KillOnDrop,
    pub(super) format: String,
    pub(super) summary: Summary,
}

enum Stage {
    Rows,
    Cut,
    End,
}

impl Answering {
    pub(super) fn into_response(self, query_id: &str, head_only: bool) -> Response {
        let tag = format!("{:016x}", request::random_u64());
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("x-clickhouse-query-id", query_id);
        put("x-clickhouse-format", &self.format);
        put("x-clickhouse-summary", &summary_json(&self.summary));
        put("x-clickhouse-exception-tag", &tag);
        put("content-type", content_type(&self.format));
        if let Some(encoding) = self.encoder.content_encoding() {
            put("content-encoding", encoding);
        }
        if !head_only {
            *response.body_mut() = self.into_body(tag);
        }
        response
    }

    fn into_body(self, tag: String) -> Body {
        let start = (self, tag, Stage::Rows);
        Body::from_stream(stream::unfold(start, |(mut answer, tag, stage)| async move {
            let (item, next) = match stage {
                Stage::Rows => answer.next(&tag).await,
                Stage::Cut => {
                    tokio::time::sleep(EXCEPTION_HEAD_START).await;
                    (Err(std::io::Error::other("the query failed in the middle of its answer")), Stage::End)
                }
                Stage::End => return None,
            };
            Some((item, (answer, tag, next)))
        }))
    }

    async fn next(&mut self, tag: &str) -> (std::io::Result<Bytes>, Stage) {
        match self.pieces.recv().await {
            Some(Piece::Data(data)) => (self.encoder.pack(data), Stage::Rows),
            Some(Piece::Head(_)) => (Ok(Bytes::new()), Stage::Rows),
            Some(Piece::Done) => (self.encoder.finish(), Stage::End),
            Some(Piece::Failed(exception)) => {
                (self.encoder.pack(exception_block(&exception, tag)), Stage::Cut)
            }
            None => {
                let exception = ChException::aborted("The query ended without saying how");
                (self.encoder.pack(exception_block(&exception, tag)), Stage::Cut)
            }
        }
    }
}

/// An exception within a body, in the form of ClickHouse 25.11 and later: the header's tag around the text and its
/// length.
fn exception_block(exception: &ChException, tag: &str) -> Bytes {
    let line = exception.text_line();
    let mut end = line.len().min(MAX_EXCEPTION_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let mut text = line[..end].trim_end().to_owned();
    text.push('\n');
    format!("\r\n__exception__\r\n{tag}\r\n{text}{} {tag}\r\n__exception__\r\n", text.len()).into()
}

/// An error before anything was sent.
pub(super) fn failure(exception: &ChException, query_id: &str) -> Response {
    let mut response = Response::new(Body::from(exception.text_line()));
    *response.status_mut() = exception.status();
    let headers = response.headers_mut();
    headers.insert("x-clickhouse-exception-code", HeaderValue::from(exception.code()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    if let Ok(value) = HeaderValue::from_str(query_id) {
        headers.insert("x-clickhouse-query-id", value);
    }
    if exception.status() == StatusCode::UNAUTHORIZED {
        headers.insert(
            "www-authenticate",
            HeaderValue::from_static("Basic realm=\"ClickHouse server HTTP API\""),
        );
    }
    response
}

/// A short text.
pub(super) fn text(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    response
}

fn summary_json(summary: &Summary) -> String {
    let Summary { read_rows, read_bytes, written_rows, written_bytes, result_rows, result_bytes } = summary;
    format!(
        "{{\"read_rows\":\"{read_rows}\",\"read_bytes\":\"{read_bytes}\",\"written_rows\":\"{written_rows}\",\"written_bytes\":\"{written_bytes}\",\"result_rows\":\"{result_rows}\",\"result_bytes\":\"{result_bytes}\"}}"
    )
}

fn content_type(format: &str) -> &'static str {
    let lower = format.to_ascii_lowercase();
    match lower.as_str() {
        "json" | "jsoncompact" | "jsonstrings" => "application/json; charset=UTF-8",
        "parquet" | "native" | "arrow" | "arrowstream" => "application/octet-stream",
        _ if lower.starts_with("rowbinary") => "application/octet-stream",
        _ if lower.starts_with("json") || lower == "ndjson" => "application/x-ndjson; charset=UTF-8",
        _ if lower.starts_with("csv") => "text/csv; charset=UTF-8",
        _ if lower.starts_with("tsv") || lower.starts_with("tabseparated") => {
            "text/tab-separated-values; charset=UTF-8"
        }
        _ => "text/plain; charset=UTF-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exception_block_states_the_length_of_its_text() {
        let exception =
            ChException::from_engine(&format!("Code: 395. DB::Exception: {}", "é".repeat(20_000)));
        let block = exception_block(&exception, "0123456789abcdef");
        let text = std::str::from_utf8(&block).unwrap();
        let body = text.strip_prefix("\r\n__exception__\r\n0123456789abcdef\r\n").unwrap();
        let body = body.strip_suffix(" 0123456789abcdef\r\n__exception__\r\n").unwrap();
        let (message, length) = body.rsplit_once('\n').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), message.len() + 1);
        assert!(block.len() < 17 << 10);
    }
}
