//! The real engine behind real HTTP: the unchanged `clickhouse` client, curl,
//! broken connections and a killed process.

// A helper of a test fails the test; clippy's exception covers test functions only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod crash;
mod curl;
mod server;
mod traps;
