//! ClickHouse's HTTP interface.

mod auth;
mod body;
mod request;
mod response;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::config::EngineConfig;
use crate::engine::Engine;
use crate::exception::{ChException, code};
use crate::job::{Feed, Job, Piece, RunState, Task};
use crate::sql::{InsertHead, insert_head, output_format, tokens};
pub(crate) use auth::check_config;
use body::BodyReader;
use request::Query;
use response::{Answering, KillOnDrop};

/// The most pieces of an answer that wait for a slow client.
const PIECES_IN_FLIGHT: usize = 2;
/// The most chunks of a body that wait for the engine.
const FEED_IN_FLIGHT: usize = 4;
/// How much of the body is still read after a failed insert, so that the client receives the error, not a broken
/// connection.
const DRAIN_BYTES: u64 = 64 << 20;

/// State that all requests share.
pub(crate) struct Gate {
    pub(crate) config: EngineConfig,
    pub(crate) engine: Arc<Engine>,
    pub(crate) turns: Arc<Semaphore>,
}

/// Handles a request.
pub(crate) async fn handle(State(gate): State<Arc<Gate>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default(), &parts.headers);
    let id = query.query_id.clone();
    let plain = |text: &'static str| response::text(StatusCode::OK, text);
    match parts.uri.path() {
        "/ping" | "/replicas_status" => return plain("Ok.\n"),
        "/" if parts.method == Method::GET && query.is_empty() => return plain("Ok.\n"),
        "/" => {}
        _ => {
            return response::text(
                StatusCode::NOT_FOUND,
                "There is no such path here. Send queries to /, see /ping for a sign of life.\n",
            );
        }
    }
    if ![Method::GET, Method::POST, Method::HEAD].contains(&parts.method) {
        return response::text(StatusCode::METHOD_NOT_ALLOWED, "Use GET or POST.\n");
    }
    match answer(&gate, &parts.method, &parts.headers, query, body).await {
        Ok(response) => response,
        Err(exception) => response::failure(&exception, &id),
    }
}

async fn answer(
    gate: &Arc<Gate>,
    method: &Method,
    headers: &HeaderMap,
    mut query: Query,
    body: Body,
) -> Result<Response, ChException> {
    auth::check(&gate.config, headers, &query)?;
    let mut reader = BodyReader::new(body, &gate.config, query.decompress, headers)?;
    if let Some(boundary) = request::multipart_boundary(headers) {
        query.read_form(reader.into_body(), &boundary, gate.config.max_query_bytes).await?;
        reader = BodyReader::empty(&gate.config);
    }
    if let Some(refused) = query.refused.take() {
        return Err(refused);
    }
    let statement = Statement::read(&query, &mut reader, gate.config.max_query_bytes).await?;
    statement.check(gate, &query)?;

    let turn = turn(gate).await?;
    let (out, mut pieces) = mpsc::channel(PIECES_IN_FLIGHT);
    let (feed_in, feed) = mpsc::channel(FEED_IN_FLIGHT);
    let state = Arc::new(RunState::default());
    let job = job(gate, method, &query, &statement, Arc::clone(&state), out);
    let mut kill = KillOnDrop::new(Arc::clone(&gate.engine), job.tag.clone(), state);
    let format = statement.output_format(&query);
    let task = match &statement.insert {
        Some(head) => Task::Insert {
            sql: head.sql.clone(),
            format: head.format.clone().or(query.format.clone()).unwrap_or_else(|| "Values".to_owned()),
            feed,
        },
        None => Task::Query { sql: statement.sql.clone(), format: format.clone() },
    };
    if !statement.may_be_killed() {
        kill.disarm();
    }
    spawn(job, task, turn);

    if statement.insert.is_some() {
        let fed = feed_all(statement.inline, &mut reader, feed_in).await;
        if fed.is_ok() {
            // The data is complete, so it is committed even if the client does not wait for the answer.
            kill.disarm();
        } else {
            reader.drain(DRAIN_BYTES).await;
        }
        fed?;
    }
    let summary = match pieces.recv().await {
        Some(Piece::Head(summary)) => summary,
        Some(Piece::Failed(exception)) => {
            reader.drain(DRAIN_BYTES).await;
            return Err(exception);
        }
        _ => return Err(ChException::aborted("The query ended without an answer")),
    };
    let answering = Answering { pieces, encoder: query.encoder(headers), _kill: kill, format, summary };
    Ok(answering.into_response(&query.query_id, *method == Method::HEAD))
}

/// The statement of a request.
struct Statement {
    /// The text without its output format, unless it is an insert with data.
    sql: Vec<u8>,
    named_format: Option<String>,
    insert: Option<InsertHead>,
    /// Data after the insert's text.
    inline: Bytes,
    /// Whether `inline` is all of the data.
    inline_is_all: bool,
}

impl Statement {
    async fn read(query: &Query, reader: &mut BodyReader, limit: usize) -> Result<Self, ChException> {
        if let Some(text) = &query.text
            && let Some(head) = insert_head(text.as_bytes())
        {
            let inline = Bytes::copy_from_slice(&text.as_bytes()[head.data_start..]);
            let inline_is_all = !reader.has_more();
            return Ok(Self {
                sql: Vec::new(),
                named_format: None,
                insert: Some(head),
                inline,
                inline_is_all,
            });
        }
        // ClickHouse appends the body to the text in the URL.
        let mut text = query.text.clone().map(|t| t.into_bytes()).unwrap_or_default();
        let mut whole = true;
        let url_text = text.len();
        while let Some(chunk) = reader.next().await? {
            if url_text > 0 && text.len() == url_text {
                text.push(b'\n');
            }
            text.extend_from_slice(&chunk);
            if text.len() > limit {
                whole = false;
                break;
            }
        }
        if url_text == 0
            && let Some(head) = insert_head(&text)
            && head.data_start <= limit
            && (whole || head.format.is_some())
        {
            let inline = Bytes::from(text.split_off(head.data_start.min(text.len())));
            return Ok(Self {
                sql: Vec::new(),
                named_format: None,
                insert: Some(head),
                inline,
                inline_is_all: whole,
            });
        }
        if !whole {
            return Err(ChException::new(
                code::QUERY_IS_TOO_LARGE,
                "QUERY_IS_TOO_LARGE",
                format!(
                    "The query text is longer than {limit} bytes; shorten it, or send data as the body of an INSERT"
                ),
            ));
        }
        if text.trim_ascii().is_empty() {
            return Err(ChException::syntax("Empty query: put the SQL into the body or into ?query="));
        }
        let (sql, named_format) = output_format(&text);
        Ok(Self { sql, named_format, insert: None, inline: Bytes::new(), inline_is_all: true })
    }

    fn check(&self, gate: &Gate, query: &Query) -> Result<(), ChException> {
        let guard = gate.engine.guard();
        let text = self.insert.as_ref().map_or(&self.sql, |head| &head.sql);
        guard.check(text)?;
        // VALUES may contain expressions. They are checked too, or disabled if the data is too long to check (see
        // `job`).
        if self.values_are_read() {
            guard.check(&self.inline)?;
        }
        for (name, _) in &query.settings {
            guard.check_setting(name)?;
        }
        if tokens(text).any(|t| t.is_word("Identifier")) {
            for (_, value) in &query.parameters {
                guard.check_parameter(value)?;
            }
        }
        guard.check_database(query.database.as_deref().unwrap_or_default())
    }

    fn is_values(&self) -> bool {
        self.insert
            .as_ref()
            .is_some_and(|h| h.format.as_ref().is_none_or(|f| f.eq_ignore_ascii_case("Values")))
    }

    fn values_are_read(&self) -> bool {
        self.is_values() && self.inline_is_all
    }

    /// Reads and inserts end when their client disconnects; a change of schema runs to its end.
    fn may_be_killed(&self) -> bool {
        const ENDS_WITH_CLIENT: [&str; 10] =
            ["SELECT", "WITH", "FROM", "INSERT", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK"];
        self.insert.is_some()
            || tokens(&self.sql)
                .find(|t| !t.is_punct(b'('))
                .is_some_and(|t| ENDS_WITH_CLIENT.iter().any(|w| t.is_word(w)))
    }

    fn output_format(&self, query: &Query) -> String {
        self.named_format
            .clone()
            .or_else(|| query.format.clone())
            .unwrap_or_else(|| "TabSeparated".to_owned())
    }
}

fn job(
    gate: &Gate,
    method: &Method,
    query: &Query,
    statement: &Statement,
    state: Arc<RunState>,
    out: mpsc::Sender<Piece>,
) -> Job {
    let config = &gate.config;
    let mut defaults = vec![
        // The engine's own default is 1: acknowledged before it is on disk.
        ("async_insert".to_owned(), "0".to_owned()),
        ("max_execution_time".to_owned(), config.max_execution_time_s.to_string()),
        ("max_memory_usage".to_owned(), config.max_memory_usage_bytes.to_string()),
        ("max_query_size".to_owned(), config.max_query_bytes.saturating_add(1024).to_string()),
    ];
    if statement.is_values() && !statement.values_are_read() {
        defaults.push(("input_format_values_interpret_expressions".to_owned(), "0".to_owned()));
    }
    Job {
        engine: Arc::clone(&gate.engine),
        tag: gate.engine.new_tag(),
        database: query.database.clone().unwrap_or_else(|| config.database.clone()),
        defaults,
        settings: query.settings.clone(),
        parameters: query.parameters.clone(),
        only_reads: *method != Method::POST,
        max_materialised_bytes: config.max_materialised_bytes,
        state,
        out,
    }
}

/// Waits for a free slot; refuses the query, as ClickHouse does, after too long a wait.
async fn turn(gate: &Gate) -> Result<OwnedSemaphorePermit, ChException> {
    let wait = tokio::time::timeout(gate.config.max_queue_wait, Arc::clone(&gate.turns).acquire_owned());
    match wait.await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(ChException::aborted("The server is shutting down")),
        Err(_) => Err(ChException::new(
            code::TOO_MANY_SIMULTANEOUS_QUERIES,
            "TOO_MANY_SIMULTANEOUS_QUERIES",
            format!(
                "Too many simultaneous queries: {} run and this one waited {} s; try again",
                gate.config.max_concurrent_queries,
                gate.config.max_queue_wait.as_secs()
            ),
        )),
    }
}

fn spawn(job: Job, task: Task, turn: OwnedSemaphorePermit) {
    tokio::task::spawn_blocking(move || {
        job.run(task);
        drop(turn);
    });
}

/// Passes the body to the engine. On an error the body is incomplete; `feed` is then dropped without its end, which
/// cancels the insert.
async fn feed_all(
    inline: Bytes,
    reader: &mut BodyReader,
    feed: mpsc::Sender<Feed>,
) -> Result<(), ChException> {
    if !inline.is_empty() && feed.send(Feed::Data(inline)).await.is_err() {
        return Ok(());
    }
    while let Some(chunk) = reader.next().await? {
        // The engine has stopped reading; its own error gives the reason.
        if feed.send(Feed::Data(chunk)).await.is_err() {
            return Ok(());
        }
    }
    let _ = feed.send(Feed::End).await;
    Ok(())
}

/// Marks a job's client as disconnected.
pub(crate) fn mark_gone(state: &RunState) {
    state.cancelled.store(true, Ordering::Release);
}
