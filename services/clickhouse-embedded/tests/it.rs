//! The real engine behind real HTTP: the unchanged `clickhouse` client, curl,
//! broken connections and a killed process.

// A helper of a test fails the test; clippy's exception covers test functions only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "it/client.rs"]
mod client;
#[path = "it/crash.rs"]
mod crash;
#[path = "it/curl.rs"]
mod curl;
#[path = "it/server.rs"]
mod server;
#[path = "it/traps.rs"]
mod traps;
