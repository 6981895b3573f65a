//! Measurements of the statistics: how often the interval holds the truth, and how often invented
//! shares are found and honest workers flagged. Each one prints its seed and its figures, which
//! the README states.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod coverage;
mod generator;
mod invented;
mod report;
