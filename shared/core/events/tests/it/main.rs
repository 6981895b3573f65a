//! The integration tests of this crate, one program.

mod bad_input;
mod readme;
