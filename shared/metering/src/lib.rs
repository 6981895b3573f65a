//! What machines, meters and schedulers say, read into exact quantities.
//!
//! - [`miner`] normalises the answers of a miner's own interface, whatever its firmware.
//! - [`energy`] turns cumulative registers into the energy of a period.
//! - [`gpu`] turns a scheduler's accounting rows into spans and GPU-seconds.
//!
//! Everything is an integer with its unit in its name. What was not said is `None`, never zero.
#![deny(clippy::float_arithmetic)]

pub mod energy;
pub mod gpu;
pub mod miner;
