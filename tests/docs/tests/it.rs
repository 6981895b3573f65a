//! The documentation: it builds, its links lead somewhere, its examples are computed, and the files in its
//! walkthroughs exist.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

#[path = "it/book.rs"]
mod book;
#[path = "it/components.rs"]
mod components;
#[path = "it/forms.rs"]
mod forms;
#[path = "it/links.rs"]
mod links;
#[path = "it/markdown.rs"]
mod markdown;
#[path = "it/quick_start.rs"]
mod quick_start;
#[path = "it/schema.rs"]
mod schema;
#[path = "it/walkthroughs.rs"]
mod walkthroughs;
