//! `#[coded]`: an error's code stands once, beside its variant.
//!
//! ```text
//! #[wb_coded::coded]
//! #[derive(Debug, thiserror::Error)]
//! pub enum LogError {
//!     #[code("WB-5002")]
//!     #[error("too much is waiting for Kafka already: try again in a moment")]
//!     QueueFull,
//!     #[code(source)]
//!     #[error("the commits cannot be read")]
//!     Commits(#[source] CommitsError),
//! }
//! ```
//!
//! `Display` then writes `[WB-5002] too much is waiting ...`, and `code()` gives `WB-5002`. A variant that only
//! passes on another error (`#[code(source)]`) has that error's code, and its own text has no code: the code is
//! printed where it arises. A variant without a code does not compile. Each code has its page,
//! `schemas/errors/WB-5002.md`, which `weighbridge explain WB-5002` prints; `tests/tidy.rs` checks that.
//!
//! `#[coded]` stands above `#[derive(...)]`, because it puts the code into the text before thiserror reads it. It
//! also works on an enum that is not an error, such as the verdicts of a check: that gets `code()` alone.
//! `#[coded(message)]` adds `message()`, the text without the code, for answers that give both separately;
//! `#[coded(codes)]` adds `CODES`, all codes of the type's own.

mod expand;

use proc_macro::TokenStream;

/// Gives an error its codes; see the [crate's documentation](crate).
#[proc_macro_attribute]
pub fn coded(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::coded(arguments.into(), item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}
