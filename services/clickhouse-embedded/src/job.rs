//! Runs one statement on a blocking thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::codec::{HeaderTrim, is_streamable};
use crate::engine::{Engine, quoted_name, quoted_text};
use crate::exception::{ChException, code};
use crate::ffi::{Analysis, Answer, Connection, QueryClass};
use crate::sql::{TokenKind, starts_a_select, tokens};

/// Bytes of a complete answer that are sent at once.
const SLICE_BYTES: usize = 512 << 10;

/// What a job sends to its request, in this order: `Head`, any number of `Data`, `Done`; or `Failed` at any point.
pub(crate) enum Piece {
    Head(Summary),
    Data(Bytes),
    Done,
    Failed(ChException),
}

/// What a request sends to an insert. A channel that closes without `End` means an incomplete body: the insert is
/// cancelled.
pub(crate) enum Feed {
    Data(Bytes),
    End,
}

/// Counts for `X-ClickHouse-Summary`.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) read_rows: u64,
    pub(crate) read_bytes: u64,
    pub(crate) written_rows: u64,
    pub(crate) written_bytes: u64,
    pub(crate) result_rows: u64,
    pub(crate) result_bytes: u64,
}

/// The state of a job, shared with its request.
#[derive(Default)]
pub(crate) struct RunState {
    /// The client has disconnected.
    pub(crate) cancelled: AtomicBool,
    /// The engine has finished.
    pub(crate) finished: AtomicBool,
}

/// The statement to run.
pub(crate) enum Task {
    /// Anything but an insert with data.
    Query { sql: Vec<u8>, format: String },
    /// An insert whose data follows in the feed.
    Insert { sql: Vec<u8>, format: String, feed: mpsc::Receiver<Feed> },
}

/// A statement with its settings.
pub(crate) struct Job {
    pub(crate) engine: Arc<Engine>,
    pub(crate) tag: String,
    pub(crate) database: String,
    /// Applied before the client's settings, so that those take precedence.
    pub(crate) defaults: Vec<(String, String)>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) parameters: Vec<(String, String)>,
    /// Whether only reads are allowed, as for a GET.
    pub(crate) only_reads: bool,
    pub(crate) max_materialised_bytes: u64,
    pub(crate) state: Arc<RunState>,
    pub(crate) out: mpsc::Sender<Piece>,
}

/// The request is gone, so no answer is needed.
struct Gone;

impl Job {
    /// Runs the statement; every outcome is sent as a [`Piece`].
    pub(crate) fn run(self, task: Task) {
        let outcome = match task {
            Task::Query { sql, format } => self.query(&sql, &format),
            Task::Insert { sql, format, feed } => self.insert(&sql, &format, feed),
        };
        self.state.finished.store(true, Ordering::Release);
        let last = match outcome {
            Ok(()) => Piece::Done,
            Err(exception) => Piece::Failed(exception),
        };
        // A request that is gone needs no answer.
        let _ = self.out.blocking_send(last);
    }

    /// Opens a connection with the request's database and settings. The client's settings come last: they take
    /// precedence, and `readonly` among them would block ours.
    fn prepared(&self, more: &[(String, String)]) -> Result<Connection, ChException> {
        let mut connection = self.engine.connect()?;
        let mut execute = |sql: String| {
            connection.query(sql.as_bytes(), "Null", &[]).map(drop).map_err(|m| ChException::from_engine(&m))
        };
        execute(format!("USE {}", quoted_name(&self.database)))?;
        let mut ours = self.defaults.clone();
        ours.extend_from_slice(more);
        let is_comment = |setting: &&(String, String)| setting.0 == "log_comment";
        let own = self.settings.iter().rev().find(is_comment).map_or("", |(_, value)| value);
        ours.push(("log_comment".to_owned(), format!("{}{own}", self.tag)));
        execute(set_statement(&ours))?;
        let theirs: Vec<_> = self.settings.iter().filter(|s| !is_comment(s)).cloned().collect();
        if !theirs.is_empty() {
            execute(set_statement(&theirs))?;
        }
        Ok(connection)
    }

    fn query(&self, sql: &[u8], format: &str) -> Result<(), ChException> {
        let selects = starts_a_select(sql);
        let streams = selects && is_streamable(format) && !self.needs_whole(sql);
        let mut more = Vec::new();
        if selects && !streams {
            more.push(("max_result_bytes".to_owned(), self.max_materialised_bytes.to_string()));
        }
        let mut connection = self.prepared(&more)?;
        self.admit(sql, connection.classify(sql))?;
        if self.state.cancelled.load(Ordering::Acquire) {
            return Err(cancelled());
        }
        if streams {
            self.stream(&mut connection, sql, format)
        } else {
            self.materialise(&mut connection, sql, format)
        }
    }

    /// Whether the answer has parts besides rows, which streaming would repeat.
    fn needs_whole(&self, sql: &[u8]) -> bool {
        const NAMES: [&str; 3] = ["TOTALS", "extremes", "output_format_json_array_of_rows"];
        tokens(sql).any(|t| NAMES.iter().any(|n| t.is_word(n)))
            || self.settings.iter().any(|(name, _)| NAMES.contains(&name.as_str()))
    }

    /// Refuses a statement by the result of the engine's parser.
    fn admit(&self, sql: &[u8], analysis: Analysis) -> Result<(), ChException> {
        // A text that does not parse counts zero statements; the engine reports the error, unless a separator could
        // hide a second statement.
        let separated = analysis.statement_count == 0 && has_separator(sql);
        if analysis.statement_count > 1 || separated {
            return Err(ChException::syntax(
                "Syntax error (Multi-statements are not allowed): send one statement per request",
            ));
        }
        if analysis.class == QueryClass::MutatingGlobal {
            return Err(ChException::denied(
                "This statement changes something outside every database (a user, a function, a named collection, a system table); the embedded engine serves databases and tables only",
            ));
        }
        if self.only_reads && !matches!(analysis.class, QueryClass::ReadOnly) {
            return Err(ChException::new(
                code::READONLY,
                "READONLY",
                "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries",
            ));
        }
        Ok(())
    }

    fn stream(&self, connection: &mut Connection, sql: &[u8], format: &str) -> Result<(), ChException> {
        let mut trim = HeaderTrim::new(format);
        let mut started = false;
        let mut stream =
            connection.select(sql, format, &self.parameters).map_err(|m| ChException::from_engine(&m))?;
        while let Some(piece) = stream.next_piece().map_err(|m| ChException::from_engine(&m))? {
            if !started {
                started = true;
                self.send(Piece::Head(Summary::default())).map_err(|Gone| cancelled())?;
            }
            let rows = trim.trim(piece.bytes());
            if !rows.is_empty() {
                self.send(Piece::Data(Bytes::copy_from_slice(rows))).map_err(|Gone| cancelled())?;
            }
        }
        if !started {
            self.send(Piece::Head(Summary::default())).map_err(|Gone| cancelled())?;
        }
        Ok(())
    }

    fn materialise(&self, connection: &mut Connection, sql: &[u8], format: &str) -> Result<(), ChException> {
        let answer =
            connection.query(sql, format, &self.parameters).map_err(|m| ChException::from_engine(&m))?;
        self.send(Piece::Head(summary_of(&answer))).map_err(|Gone| cancelled())?;
        for slice in answer.bytes().chunks(SLICE_BYTES) {
            self.send(Piece::Data(Bytes::copy_from_slice(slice))).map_err(|Gone| cancelled())?;
        }
        Ok(())
    }

    fn insert(&self, sql: &[u8], format: &str, mut feed: mpsc::Receiver<Feed>) -> Result<(), ChException> {
        let mut connection = self.prepared(&[])?;
        // The head alone does not parse; with a format it does, and no data is read.
        let whole = [sql, b" FORMAT ", format.as_bytes()].concat();
        self.admit(&whole, connection.classify(&whole))?;
        let mut stream =
            connection.insert(sql, format, &self.parameters).map_err(|m| ChException::from_engine(&m))?;
        loop {
            match feed.blocking_recv() {
                Some(Feed::Data(data)) => {
                    if !stream.append(&data) {
                        break;
                    }
                }
                Some(Feed::End) => break,
                // Dropping the stream cancels it.
                None => {
                    return Err(ChException::aborted(
                        "The request body is incomplete; nothing of it was committed",
                    ));
                }
            }
        }
        let written = stream.finish().map_err(|m| ChException::from_engine(&m))?;
        let summary =
            Summary { written_rows: written.rows, written_bytes: written.bytes, ..Summary::default() };
        // The rows are committed even if the client is gone.
        let _ = self.send(Piece::Head(summary));
        Ok(())
    }

    fn send(&self, piece: Piece) -> Result<(), Gone> {
        self.out.blocking_send(piece).map_err(|_| Gone)
    }
}

fn cancelled() -> ChException {
    ChException::new(394, "QUERY_WAS_CANCELLED", "Query was cancelled: its client has gone")
}

fn has_separator(sql: &[u8]) -> bool {
    let mut seen = false;
    for token in tokens(sql) {
        if token.kind == TokenKind::Punct(b';') {
            seen = true;
        } else if seen {
            return true;
        }
    }
    false
}

fn set_statement(settings: &[(String, String)]) -> String {
    let list: Vec<String> =
        settings.iter().map(|(name, value)| format!("{name} = {}", quoted_text(value))).collect();
    format!("SET {}", list.join(", "))
}

fn summary_of(answer: &Answer) -> Summary {
    Summary {
        read_rows: answer.read_rows(),
        read_bytes: answer.read_bytes(),
        written_rows: answer.written_rows(),
        written_bytes: answer.written_bytes(),
        result_rows: answer.rows(),
        result_bytes: u64::try_from(answer.bytes().len()).unwrap_or(u64::MAX),
    }
}
