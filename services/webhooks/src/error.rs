//! What can stop the dispatcher; each with a stable code.

use wb_ledger::{CanonicalError, EventError};

/// Why webhooks could not go on.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A secret that is none.
    #[error("[WB-6201] the secret of webhook endpoint {endpoint} cannot be used: {problem}")]
    Secret {
        /// The endpoint.
        endpoint: String,
        /// What is wrong and what would be right.
        problem: &'static str,
    },
    /// An endpoint that cannot be used.
    #[error("[WB-6202] webhook endpoint {endpoint} cannot be used: {problem}")]
    Endpoint {
        /// The endpoint.
        endpoint: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The ledger cannot be read.
    #[error("[WB-6203] the ledger cannot be read for webhooks; nothing is lost, it is tried again")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A winning record that this program does not know.
    #[error("the ledger cannot be told on from offset {offset}")]
    Event {
        /// The record's offset.
        offset: u64,
        /// Why.
        #[source]
        source: EventError,
    },
    /// A message that cannot be written.
    #[error("[WB-6204] the message of ledger offset {offset} cannot be written")]
    Message {
        /// The record's offset.
        offset: u64,
        /// Why.
        #[source]
        source: CanonicalError,
    },
    /// The state of deliveries cannot be read or kept.
    #[error("[WB-6205] cannot {what} {path}; nothing is sent while it cannot be noted")]
    State {
        /// What was being done, such as `keep the delivery state in`.
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A state that is none.
    #[error("[WB-6206] {path} does not hold a delivery state: {detail}; mend it, or remove it and replay")]
    Form {
        /// The file.
        path: String,
        /// What the reader of JSON says.
        detail: String,
    },
    /// Another dispatcher works with this folder.
    #[error("[WB-6207] another process delivers webhooks from {path}; one is enough, end one of the two")]
    Taken {
        /// The folder's lock.
        path: String,
    },
    /// The client cannot be made.
    #[error("[WB-6208] the HTTP client for webhooks cannot be made")]
    Client(#[source] reqwest::Error),
    /// No such endpoint.
    #[error("[WB-6209] there is no webhook endpoint {endpoint:?}; configured are {known}")]
    Unknown {
        /// What was asked for.
        endpoint: String,
        /// What there is.
        known: String,
    },
}

impl WebhookError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Secret { .. } => "WB-6201",
            Self::Endpoint { .. } => "WB-6202",
            Self::Ledger(_) => "WB-6203",
            Self::Event { source, .. } => source.code(),
            Self::Message { .. } => "WB-6204",
            Self::State { .. } => "WB-6205",
            Self::Form { .. } => "WB-6206",
            Self::Taken { .. } => "WB-6207",
            Self::Client(_) => "WB-6208",
            Self::Unknown { .. } => "WB-6209",
        }
    }
}
