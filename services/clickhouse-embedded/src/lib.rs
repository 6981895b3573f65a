//! The ClickHouse engine on one machine, behind ClickHouse's own HTTP interface.
//!
//! The engine is the real one (libchdb), loaded at run time from a path the
//! caller names. This crate puts the HTTP protocol that ClickHouse's clients
//! speak in front of it: queries, parameters, settings, streamed inserts,
//! compression, errors in ClickHouse's form.
//!
//! One process serves one data directory. A request gets a connection of its
//! own and never shares it; [`EngineConfig::max_concurrent_queries`] bounds how
//! many run at once.
//!
//! # What is deliberately absent
//! Sessions, roles, users, quotas and row policies: the embedded engine has
//! none. Whatever reaches the host's files or the network (table functions,
//! table engines, `INTO OUTFILE`, the engine's `default` database) is refused.

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
