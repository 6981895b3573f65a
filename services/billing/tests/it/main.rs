//! The integration tests of this crate, one program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod biller;
mod books;
mod clickhouse;
mod components;
mod conservation;
mod corrections;
mod gpu_story;
mod memory;
mod policies;
mod random;
mod references;
mod running;
mod story;
mod unbilled;
mod versions;
