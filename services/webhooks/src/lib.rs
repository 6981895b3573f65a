//! The dispatcher: tells endpoints what the ledger decided, by the Standard Webhooks scheme.
//!
//! ```text
//! topic ledger -> the chain's winners -> a thin message each -> endpoint by endpoint, in order
//!     -> 2xx: the endpoint's position moves on, durably     -> anything else: the same message again, later
//! ```
//!
//! - A message follows only a record that was read back as the winner of its place in the chain; a record that
//!   lost is never told. Its id follows from the record's offset and hash, so one event has one id for ever.
//! - An endpoint gets its messages in the order of the ledger, each at least once: whoever is killed between
//!   an answer and the note of it sends the same message, with the same id, again. Receivers keep the ids
//!   that they have handled.
//! - An endpoint that fails holds only itself back. After [`FAILURES_MAX`] failures in a row, or at once for
//!   `410 Gone`, it is disabled until `weighbridge webhooks retry` or `replay`.
//! - [`ports`]: the ledger, the clock and the jitter, as traits; [`Delivery`]: the state of an endpoint in a
//!   file of its own; [`Dispatcher`]: the loop.

mod dispatcher;
mod endpoint;
mod error;
mod message;
pub mod ports;
mod post;
mod secret;
mod state;
mod system;

pub use dispatcher::{Dispatcher, Pace};
pub use endpoint::{Endpoint, EndpointConfig};
pub use error::WebhookError;
pub use message::{Message, Outbox, event_type};
pub use post::{Answer, Post};
pub use secret::Secret;
pub use state::{Delivery, Disabled, Order, StateDir};
pub use system::{SystemClock, SystemJitter};

/// Failures in a row after which an endpoint is disabled: with the pauses between them about two days.
pub const FAILURES_MAX: u32 = 20;
