//! The integration tests of this crate, one program.

mod dcgm;
mod miner_answers;
mod revenue;
mod slurm;
