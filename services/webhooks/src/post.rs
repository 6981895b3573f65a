//! Sends one message to one endpoint.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, header};
use wb_units::followed_by_causes;

use crate::endpoint::Endpoint;
use crate::error::WebhookError;
use crate::message::Message;

/// The time limit from the connection to the head of the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// The time limit of a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Characters of a failure that are kept.
const FAILURE_CHARS_MAX: usize = 300;

/// The longest `Retry-After` that is respected, in seconds.
const RETRY_AFTER_S_MAX: u64 = 3_600;

/// The outcome of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The endpoint accepted it.
    Taken,
    /// The endpoint is gone.
    Gone,
    /// It was not accepted, or this is unknown.
    Failed {
        /// What happened.
        why: String,
        /// The answer's `Retry-After`, in seconds.
        retry_after_s: Option<u64>,
    },
}

/// Sends messages.
#[derive(Debug, Clone)]
pub struct Post {
    client: Client,
}

impl Post {
    /// Creates a client that follows no redirects, so a message goes only where the configuration says.
    ///
    /// # Errors
    /// [`WebhookError::Client`].
    pub fn new() -> Result<Self, WebhookError> {
        Self::with_timeout(ANSWER_TIMEOUT)
    }

    /// The same with another time limit.
    ///
    /// # Errors
    /// [`WebhookError::Client`].
    pub fn with_timeout(timeout: Duration) -> Result<Self, WebhookError> {
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .user_agent("weighbridge-webhooks/1")
            .no_proxy()
            .build()
            .map_err(WebhookError::Client)?;
        Ok(Self { client })
    }

    /// Sends a message once. The answer's body is not read, because it may have any length.
    pub async fn send(&self, endpoint: &Endpoint, message: &Message, now_us: i64) -> Answer {
        let timestamp_s = now_us.div_euclid(1_000_000);
        let signature = endpoint.secret.sign(&message.id, timestamp_s, &message.body);
        let request = self
            .client
            .post(endpoint.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp_s.to_string())
            .header("webhook-signature", signature)
            .body(message.body.clone());
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Answer::Failed { why: words_of(&error.without_url()), retry_after_s: None },
        };
        let status = answer.status();
        if status.is_success() {
            return Answer::Taken;
        }
        if status == StatusCode::GONE {
            return Answer::Gone;
        }
        let retry_after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after_s = retry_after.and_then(|text| text.parse::<u64>().ok());
        let redirect = if status.is_redirection() { "; redirects are not followed" } else { "" };
        Answer::Failed {
            why: format!("it answered {status}{redirect}"),
            retry_after_s: retry_after_s.map(|seconds| seconds.min(RETRY_AFTER_S_MAX)),
        }
    }
}

/// An error and its causes without the address, whose query may hold a key.
fn words_of(error: &reqwest::Error) -> String {
    let outermost =
        if error.is_timeout() { "it did not answer in time".to_owned() } else { error.to_string() };
    followed_by_causes(outermost, error).chars().take(FAILURE_CHARS_MAX).collect()
}
