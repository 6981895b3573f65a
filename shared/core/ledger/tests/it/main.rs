//! The integration tests of this crate, one program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod books;
mod drawing;
mod histories;
mod inverses;
mod replace;
mod statements;
mod stored_forms;
mod support;
mod taxes;
