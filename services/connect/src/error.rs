//! The errors that end a connector.

use std::path::PathBuf;

/// Why a connector ended. Its acknowledged position is kept; a restart continues there.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A bad URL.
    #[code("WB-5701")]
    #[error("{what} {url:?} is not a URL of the form http://host:port")]
    Url {
        /// What the URL is for.
        what: &'static str,
        /// The URL without its password.
        url: String,
    },
    /// The HTTP client could not be created.
    #[code("WB-5702")]
    #[error("the HTTP client cannot be created")]
    Client(#[source] reqwest::Error),
    /// Ingest refuses this source or this form of request; a retry would not help.
    #[code("WB-5703")]
    #[error("ingest refuses the requests of this connector: {status} {answer}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of its answer.
        answer: String,
    },
    /// Ingest's answer has the wrong form.
    #[code("WB-5704")]
    #[error("ingest's answer to {events} events is not understood: {detail}")]
    Answer {
        /// How many events were sent.
        events: usize,
        /// What is wrong.
        detail: String,
    },
    /// A file or folder cannot be read or written.
    #[code("WB-5705")]
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The position file has another format.
    #[code("WB-5706")]
    #[error(
        "{} is not a position file: move it away to start from the beginning, which repeats events harmlessly \
         ({detail})",
        path.display()
    )]
    Position {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The node refuses this client.
    #[code("WB-5707")]
    #[error("the node refuses the credentials: {status}; check user and password of the URL against rpcauth")]
    NodeRefuses {
        /// The HTTP status.
        status: u16,
    },
    /// A name that is not valid in an id.
    #[code("WB-5708")]
    #[error("{what} {text:?} is not valid: use 1 to 40 characters of A-Z a-z 0-9 . _ -")]
    Name {
        /// What it names.
        what: &'static str,
        /// The given name.
        text: String,
    },
    /// A line of a list of miners that is not valid.
    #[code("WB-5710")]
    #[error(
        "line {line} of the list, {text:?}: {detail}; write ADDRESS, ADDRESS:PORT or either with a machine's id"
    )]
    List {
        /// Line number, from 1.
        line: usize,
        /// The line.
        text: String,
        /// What is wrong.
        detail: String,
    },
    /// A range that is not valid.
    #[code("WB-5711")]
    #[error("{text:?} is not a range of addresses: write one such as 10.4.0.0/22")]
    Range {
        /// The given range.
        text: String,
    },
    /// Too many addresses for one connector.
    #[code("WB-5712")]
    #[error(
        "{targets} addresses are too many for one connector, the limit is {max}: run one for each part of the site",
        max = crate::bounds::TARGETS_MAX
    )]
    TooManyTargets {
        /// How many there are.
        targets: usize,
    },
    /// There is nothing to poll.
    #[code("WB-5713")]
    #[error("there is no address to poll: give --list or --range")]
    NoTargets,
    /// The file of machines by address has another format.
    #[code("WB-5714")]
    #[error("the file of machines is not a JSON object from IP or MAC address to machine id: {detail}")]
    Machines {
        /// What is wrong.
        detail: String,
    },
    /// The folder has no recordings, or too many.
    #[code("WB-5715")]
    #[error(
        "{} holds {files} .json files: 1 to {max} recordings can be checked at once",
        folder.display(),
        max = crate::bounds::FILES_MAX
    )]
    NoRecordings {
        folder: PathBuf,
        /// How many there are.
        files: usize,
    },
    /// No exporter, or too many.
    #[code("WB-5716")]
    #[error("{urls} exporters are given: 1 to {max} can be scraped by one connector", max = crate::bounds::URLS_MAX)]
    Urls {
        /// How many there are.
        urls: usize,
    },
    /// The accounting rows cannot be parsed.
    #[code(source)]
    #[error("the accounting rows cannot be read")]
    Sacct(#[source] wb_metering::gpu::sacct::SacctError),
    /// A file with bad rows.
    #[code("WB-5717")]
    #[error("{} rows are not valid, so nothing was sent: {}", count, rows.join("; "))]
    Rows {
        /// How many.
        count: usize,
        /// The first of them, with their reasons.
        rows: Vec<String>,
    },
}

impl ConnectError {
    pub(crate) fn rows(bad: Vec<BadRow>, rows_max: usize) -> Self {
        let rows = bad.iter().take(rows_max).map(ToString::to_string).collect();
        Self::Rows { count: bad.len(), rows }
    }

    pub(crate) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }
}

/// A bad row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file, or its place in a JSON array, from 1.
    pub line: usize,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

impl std::fmt::Display for BadRow {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.reason)
    }
}
