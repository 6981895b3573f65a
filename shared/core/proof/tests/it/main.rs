//! The integration tests of this crate, one program.

mod chain;
mod paths;
mod properties;
mod sessions;
mod stratum_v2;
mod vectors;
