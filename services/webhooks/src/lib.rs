//! Webhooks: sends the events of the ledger to endpoints, by the Standard Webhooks scheme.
//!
//! ```text
//! topic ledger -> the chain's winners -> a thin message each -> endpoint by endpoint, in order
//!     -> 2xx: the endpoint's position moves on, durably     -> anything else: the same message again, later
//! ```
//!
//! - Only a record that was read back as the winner of its place in the chain is sent. The message's id follows from
//!   the record's offset and hash, so an event has one id forever.
//! - An endpoint gets its messages in the order of the ledger, each at least once. After a kill between an answer and
//!   its recording, the same message is sent again with the same id. Receivers keep the ids that they have handled.
//! - A failing endpoint delays only itself. After [`FAILURES_MAX`] failures in a row, or at once after `410 Gone`, it
//!   is disabled until `weighbridge webhooks retry` or `replay`.
//! - [`ports`]: the ledger, the clock and the jitter, as traits; [`Delivery`]: the state of an endpoint, in its own
//!   file; [`Dispatcher`]: the loop.

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

/// Failures in a row after which an endpoint is disabled. With the pauses between them this takes about two days.
pub const FAILURES_MAX: u32 = 20;
