//! What machines, meters and schedulers say, read into exact quantities.
//!
//! - [`miner`] normalises the answers of a miner's own interface, whatever its firmware.
//! - [`counters`] takes differences of counters that are reset, repeated and interrupted.
//! - [`energy`] turns registers, counters and power into energy, each amount with its witness.
//! - [`uptime`] says what a machine did with its time.
//! - [`gpu`] turns rows of schedulers and samples of exporters into spans and GPU time.
//! - [`corrections`] says which events count no more, and which ratio of a meter was right.
//! - [`completeness`] counts what should have come, and places what comes late.
//! - [`compare`] holds witnesses of one quantity against each other.
//! - [`revenue`] and [`report`] are the figures of a site and a period.
//!
//! Everything is an integer with its unit in its name. What was not said is `None`, never zero.
#![deny(clippy::float_arithmetic)]
#![deny(missing_docs)]

pub mod billable;
pub mod compare;
pub mod completeness;
pub mod corrections;
pub mod counters;
pub mod energy;
pub mod gpu;
pub mod miner;
pub mod prometheus;
pub mod ratio;
pub mod report;
pub mod revenue;
pub mod uptime;
