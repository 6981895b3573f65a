//! Why a connector ends.

use std::path::PathBuf;

/// Why a connector cannot go on. What it had acknowledged is kept; started again, it goes on from there.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A URL that is none.
    #[code("WB-5701")]
    #[error("{what} {url:?} is no URL of the form http://host:port")]
    Url {
        /// Whose URL.
        what: &'static str,
        /// What was given, without a password.
        url: String,
    },
    /// No HTTP client could be made.
    #[code("WB-5702")]
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
    /// Ingest refuses this source or this form of request; trying again would not help.
    #[code("WB-5703")]
    #[error("ingest refuses the requests of this connector: {status} {answer}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of its answer.
        answer: String,
    },
    /// Ingest answered with something else than its answer.
    #[code("WB-5704")]
    #[error("ingest's answer to {events} events is not understood: {detail}")]
    Answer {
        /// How many events were sent.
        events: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// A file or folder cannot be read or written.
    #[code("WB-5705")]
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The position file is of another form.
    #[code("WB-5706")]
    #[error(
        "{} is no position file: put it aside to begin from the start, which repeats events harmlessly ({detail})",
        path.display()
    )]
    Position {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The node refuses this client.
    #[code("WB-5707")]
    #[error("the node refuses the credentials: {status}; check user and password of the URL against rpcauth")]
    NodeRefuses {
        /// The HTTP status.
        status: u16,
    },
    /// A name that cannot be part of an id.
    #[code("WB-5708")]
    #[error("{what} {text:?} is no id: take 1 to 40 characters of A-Z a-z 0-9 . _ -")]
    Name {
        /// What it is the name of.
        what: &'static str,
        /// What was given.
        text: String,
    },
    /// A line of a list of miners that names none.
    #[code("WB-5710")]
    #[error(
        "line {line} of the list, {text:?}: {detail}; write ADDRESS, ADDRESS:PORT or either with a machine's id"
    )]
    List {
        /// Line number, from 1.
        line: usize,
        /// The line.
        text: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A range that is none.
    #[code("WB-5711")]
    #[error("{text:?} is no range of addresses: write one such as 10.4.0.0/22")]
    Range {
        /// What was given.
        text: String,
    },
    /// More addresses than a collector polls.
    #[code("WB-5712")]
    #[error(
        "{targets} addresses are too many for one collector, {max} are polled: run one for each part of the site",
        max = crate::bounds::TARGETS_MAX
    )]
    TooManyTargets {
        /// How many there would be.
        targets: usize,
    },
    /// Nothing to poll.
    #[code("WB-5713")]
    #[error("there is no address to poll: give a --list or a --range")]
    NoTargets,
    /// The file of machines by address is of another form.
    #[code("WB-5714")]
    #[error("the machines are no JSON object from IP or MAC address to machine id: {detail}")]
    Machines {
        /// What is wrong with it.
        detail: String,
    },
    /// A folder without recordings, or with too many.
    #[code("WB-5715")]
    #[error(
        "{} holds {files} .json files: 1 to {max} recordings of miners' answers are checked at once",
        folder.display(),
        max = crate::bounds::FILES_MAX
    )]
    NoRecordings {
        folder: PathBuf,
        /// How many it holds.
        files: usize,
    },
    /// No exporter to scrape, or too many.
    #[code("WB-5716")]
    #[error("{urls} exporters are given: 1 to {max} are scraped by one connector", max = crate::bounds::URLS_MAX)]
    Urls {
        /// How many are given.
        urls: usize,
    },
    /// Accounting rows that cannot be read as a whole.
    #[code(source)]
    #[error("the accounting rows cannot be read")]
    Sacct(#[source] wb_metering::gpu::sacct::SacctError),
    /// A file with rows that cannot be taken.
    #[code("WB-5717")]
    #[error("{} rows cannot be taken, and nothing is sent before all can: {}", count, rows.join("; "))]
    Rows {
        /// How many.
        count: usize,
        /// The first of them, in words.
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

/// A row that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file, from 1; of JSON its place in the array, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl std::fmt::Display for BadRow {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.reason)
    }
}
