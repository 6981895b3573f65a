//! The integration tests of this crate, one program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod documents;
mod scripts;
mod standards;
mod support;
