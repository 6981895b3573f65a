//! The integration tests of this crate, one program.

mod form;
mod support;
mod tamper;
