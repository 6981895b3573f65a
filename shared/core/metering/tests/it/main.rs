//! The integration tests of this crate, one program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod dcgm;
mod miner_answers;
mod miner_cases;
mod revenue;
mod slurm;
