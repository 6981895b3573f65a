//! The integration tests of this crate, one program.

mod gpu_samples;
mod version;
