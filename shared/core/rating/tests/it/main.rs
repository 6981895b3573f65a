//! The integration tests of this crate, one program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod base;
mod catalogue;
mod coverage;
mod documents;
mod oracle;
mod properties;
mod random;
