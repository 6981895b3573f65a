//! The events of Weighbridge: their wire form, their identity, their frames, the facts that they refer to, and the
//! commits of blocks. Pure: nothing here reads a clock or a socket.
#![deny(clippy::float_arithmetic)]
#![deny(missing_docs)]

pub mod commits;
pub mod facts;
pub mod forms;
pub mod frame;
pub mod identity;
pub mod input;
mod missing;
pub mod output;
pub mod published;
mod refusal;
pub mod topics;
pub mod u128_bytes;

/// The messages of `schemas/events/weighbridge.proto`, as generated.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod wire {
    include!(concat!(env!("OUT_DIR"), "/weighbridge.events.v1.rs"));
}

pub use wire::event::Body;
pub use wire::{Event, Fact, Share};
