//! The integration tests of this crate, one program.

mod focus;
mod formats;
mod journal;
mod support;
