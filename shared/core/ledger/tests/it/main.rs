//! The integration tests of this crate, one program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod books;
mod drawing;
mod histories;
mod statements;
mod inverses;
mod replace;
mod stored_forms;
mod support;
