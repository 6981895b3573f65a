//! The integration tests of this crate, one program.

mod demo;
mod edge;
