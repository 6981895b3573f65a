//! The ClickHouse engine on one machine, behind ClickHouse's HTTP interface.
//!
//! The engine is the real one (libchdb), loaded at run time from a given path. This crate adds the HTTP protocol of
//! ClickHouse's clients: queries, parameters, settings, streamed inserts, compression, and errors in ClickHouse's
//! form.
//!
//! One process serves one data directory. Each request has its own connection;
//! [`EngineConfig::max_concurrent_queries`] limits how many run at once.
//!
//! # What is not supported
//! Sessions, roles, users, quotas and row policies: the embedded engine has none. Everything that reaches the host's
//! files or the network (table functions, table engines, `INTO OUTFILE`, the engine's `default` database) is refused.

mod codec;
mod config;
mod engine;
mod error;
mod exception;
mod ffi;
mod http;
mod job;
mod server;
mod sql;

pub use config::{Credentials, EngineConfig};
pub use error::EngineError;
pub use server::{Bound, bind, serve};
