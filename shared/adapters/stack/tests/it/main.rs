//! The integration tests of this crate, one program.

mod kafka;
mod process;
