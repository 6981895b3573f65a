//! The documentation: it builds, and its links lead somewhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

#[path = "it/book.rs"]
mod book;
#[path = "it/links.rs"]
mod links;
#[path = "it/markdown.rs"]
mod markdown;
