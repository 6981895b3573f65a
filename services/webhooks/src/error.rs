//! What can stop the dispatcher; each with a stable code.

use wb_ledger::{CanonicalError, EventError};

/// Why webhooks could not go on.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A secret that is none.
    #[code("WB-6201")]
    #[error("the secret of webhook endpoint {endpoint} cannot be used: {problem}")]
    Secret {
        endpoint: String,
        /// What is wrong and what would be right.
        problem: &'static str,
    },
    /// An endpoint that cannot be used.
    #[code("WB-6202")]
    #[error("webhook endpoint {endpoint} cannot be used: {problem}")]
    Endpoint {
        endpoint: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The ledger cannot be read.
    #[code("WB-6203")]
    #[error("the ledger cannot be read for webhooks; nothing is lost, it is tried again")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A winning record that this program does not know.
    #[code(source)]
    #[error("the ledger cannot be told on from offset {offset}")]
    Event {
        /// The record's offset.
        offset: u64,
        /// Why.
        #[source]
        source: EventError,
    },
    /// A message that cannot be written.
    #[code("WB-6204")]
    #[error("the message of ledger offset {offset} cannot be written")]
    Message {
        /// The record's offset.
        offset: u64,
        /// Why.
        #[source]
        source: CanonicalError,
    },
    /// The state of deliveries cannot be read or kept.
    #[code("WB-6205")]
    #[error("cannot {what} {path}; nothing is sent while it cannot be noted")]
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
    #[code("WB-6206")]
    #[error("{path} does not hold a delivery state: {detail}; mend it, or remove it and replay")]
    Form {
        /// The file.
        path: String,
        /// What the reader of JSON says.
        detail: String,
    },
    /// Another dispatcher works with this folder.
    #[code("WB-6207")]
    #[error("another process delivers webhooks from {path}; one is enough, end one of the two")]
    Taken {
        /// The folder's lock.
        path: String,
    },
    /// The client cannot be made.
    #[code("WB-6208")]
    #[error("the HTTP client for webhooks cannot be made")]
    Client(#[source] reqwest::Error),
    /// No such endpoint.
    #[code("WB-6209")]
    #[error("there is no webhook endpoint {endpoint:?}; configured are {known}")]
    Unknown {
        /// What was asked for.
        endpoint: String,
        /// What there is.
        known: String,
    },
}
