//! Why a connector ends.

use std::path::PathBuf;

/// Why a connector cannot go on. What it had acknowledged is kept; started again, it goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A URL that is none.
    #[error("[WB-5701] {what} {url:?} is no URL of the form http://host:port")]
    Url {
        /// Whose URL.
        what: &'static str,
        /// What was given, without a password.
        url: String,
    },
    /// No HTTP client could be made.
    #[error("[WB-5702] the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
    /// Ingest refuses this source or this form of request; trying again would not help.
    #[error("[WB-5703] ingest refuses the requests of this connector: {status} {answer}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of its answer.
        answer: String,
    },
    /// Ingest answered with something else than its answer.
    #[error("[WB-5704] ingest's answer to {events} events is not understood: {detail}")]
    Answer {
        /// How many events were sent.
        events: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// A file or folder cannot be read or written.
    #[error("[WB-5705] cannot {operation} {}", path.display())]
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
    #[error(
        "[WB-5706] {} is no position file: put it aside to begin from the start, which repeats events harmlessly ({detail})",
        path.display()
    )]
    Position {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The node refuses this client.
    #[error(
        "[WB-5707] the node refuses the credentials: {status}; check user and password of the URL against rpcauth"
    )]
    NodeRefuses {
        /// The HTTP status.
        status: u16,
    },
    /// A name that cannot be part of an id.
    #[error("[WB-5708] {what} {text:?} is no id: take 1 to 40 characters of A-Z a-z 0-9 . _ -")]
    Name {
        /// What it is the name of.
        what: &'static str,
        /// What was given.
        text: String,
    },
    /// A line of a list of miners that names none.
    #[error(
        "[WB-5710] line {line} of the list, {text:?}: {detail}; write ADDRESS, ADDRESS:PORT or either with a machine's id"
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
    #[error("[WB-5711] {text:?} is no range of addresses: write one such as 10.4.0.0/22")]
    Range {
        /// What was given.
        text: String,
    },
    /// More addresses than a collector polls.
    #[error(
        "[WB-5712] {targets} addresses are too many for one collector, {max} are polled: run one for each part of the site",
        max = crate::miners::TARGETS_MAX
    )]
    TooManyTargets {
        /// How many there would be.
        targets: usize,
    },
    /// Nothing to poll.
    #[error("[WB-5713] there is no address to poll: give a --list or a --range")]
    NoTargets,
    /// The file of machines by address is of another form.
    #[error("[WB-5714] the machines are no JSON object from IP or MAC address to machine id: {detail}")]
    Machines {
        /// What is wrong with it.
        detail: String,
    },
    /// A folder without recordings, or with too many.
    #[error(
        "[WB-5715] {} holds {files} .json files: 1 to {max} recordings of miners' answers are checked at once",
        folder.display(),
        max = crate::miners::check::FILES_MAX
    )]
    NoRecordings {
        /// The folder.
        folder: PathBuf,
        /// How many it holds.
        files: usize,
    },
    /// No exporter to scrape, or too many.
    #[error("[WB-5716] {urls} exporters are given: 1 to {max} are scraped by one connector", max = crate::dcgm::URLS_MAX)]
    Urls {
        /// How many are given.
        urls: usize,
    },
    /// Accounting rows that cannot be read as a whole.
    #[error("[{}] the accounting rows cannot be read", .0.code())]
    Sacct(#[source] wb_metering::gpu::sacct::SacctError),
    /// A file with rows that cannot be taken.
    #[error("[WB-5717] {} rows cannot be taken, and nothing is sent before all can: {}", count, named.join("; "))]
    Rows {
        /// How many.
        count: usize,
        /// The first of them, in words.
        named: Vec<String>,
    },
}

impl ConnectError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "WB-5701",
            Self::Client(_) => "WB-5702",
            Self::Refused { .. } => "WB-5703",
            Self::Answer { .. } => "WB-5704",
            Self::File { .. } => "WB-5705",
            Self::Position { .. } => "WB-5706",
            Self::NodeRefuses { .. } => "WB-5707",
            Self::Name { .. } => "WB-5708",
            Self::List { .. } => "WB-5710",
            Self::Range { .. } => "WB-5711",
            Self::TooManyTargets { .. } => "WB-5712",
            Self::NoTargets => "WB-5713",
            Self::Machines { .. } => "WB-5714",
            Self::NoRecordings { .. } => "WB-5715",
            Self::Urls { .. } => "WB-5716",
            Self::Rows { .. } => "WB-5717",
            Self::Sacct(error) => error.code(),
        }
    }

    pub(crate) fn rows(bad: Vec<crate::import::BadRow>, committed_max: usize) -> Self {
        let named = bad.iter().take(committed_max).map(ToString::to_string).collect();
        Self::Rows { count: bad.len(), named }
    }

    pub(crate) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }
}
