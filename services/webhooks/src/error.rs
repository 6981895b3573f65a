//! The errors of webhooks, each with a stable code.

use wb_ledger::{CanonicalError, EventError};

/// Why webhooks failed.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A secret that is not valid.
    #[code("WB-6201")]
    #[error("the secret of webhook endpoint {endpoint} cannot be used: {problem}")]
    Secret {
        endpoint: String,
        /// What is wrong, and what is allowed.
        problem: &'static str,
    },
    /// An endpoint that is not valid.
    #[code("WB-6202")]
    #[error("webhook endpoint {endpoint} cannot be used: {problem}")]
    Endpoint {
        endpoint: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// The ledger cannot be read.
    #[code("WB-6203")]
    #[error("the ledger cannot be read for webhooks; nothing is lost, it will be retried")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A winning record of an unknown form.
    #[code(source)]
    #[error("webhooks cannot continue at ledger offset {offset}")]
    Event {
        /// The record's offset.
        offset: u64,
        /// The cause.
        #[source]
        source: EventError,
    },
    /// A message that cannot be encoded.
    #[code("WB-6204")]
    #[error("the message of ledger offset {offset} cannot be written")]
    Message {
        /// The record's offset.
        offset: u64,
        /// The cause.
        #[source]
        source: CanonicalError,
    },
    /// The state of deliveries cannot be read or written.
    #[code("WB-6205")]
    #[error("cannot {what} {path}; nothing is sent while deliveries cannot be recorded")]
    State {
        /// What was tried, such as `keep the delivery state in`.
        what: &'static str,
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A state file that is not valid.
    #[code("WB-6206")]
    #[error("{path} does not hold a delivery state: {detail}; repair it, or remove it and replay")]
    Form {
        /// The file.
        path: String,
        /// The error of the JSON parser.
        detail: String,
    },
    /// Another dispatcher uses this folder.
    #[code("WB-6207")]
    #[error("another process delivers webhooks from {path}; stop one of the two")]
    Taken {
        /// The folder's lock.
        path: String,
    },
    /// The HTTP client could not be created.
    #[code("WB-6208")]
    #[error("the HTTP client for webhooks cannot be created")]
    Client(#[source] reqwest::Error),
    /// No such endpoint.
    #[code("WB-6209")]
    #[error("there is no webhook endpoint {endpoint:?}; configured are {known}")]
    Unknown {
        /// The requested id.
        endpoint: String,
        /// The configured ids.
        known: String,
    },
}
