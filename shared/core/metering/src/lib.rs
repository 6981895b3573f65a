//! Data of machines, meters and schedulers, read into exact quantities.
//!
//! - [`miner`] normalises the answers of a miner's own interface, for every known firmware.
//! - [`counters`] takes differences of counters that are reset, repeated and interrupted.
//! - [`energy`] turns registers, counters and power into energy, each amount with its witness.
//! - [`uptime`] gives a machine's time by status.
//! - [`gpu`] turns rows of schedulers and samples of exporters into spans and GPU time.
//! - [`corrections`] gives the voided events, and the right ratio of each meter.
//! - [`completeness`] counts what should have come, and decides what happens to late events.
//! - [`compare`] compares the witnesses of one quantity.
//! - [`revenue`] and [`report`] are the figures of a site and a period.
//!
//! Everything is an integer with its unit in its name. A missing value is `None`, never zero.
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
