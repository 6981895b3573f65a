//! The integration tests of this crate, one program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod chain;
mod paths;
mod properties;
mod sessions;
mod stratum_v2;
mod vectors;
