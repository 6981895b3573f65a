//! The integration tests of this crate, one program.

mod delivery;
mod world;
