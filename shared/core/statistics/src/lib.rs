//! What chance alone can explain: intervals of hashrate, moving averages, invented shares,
//! nameplates and luck.
//!
//! This is the one crate that may use floats, because nothing in it is billed: rating and ledger
//! never depend on it. No I/O, no clock, no randomness; every function is total and its time is
//! bounded. Sources and measured figures are in the crate's README.

pub mod ewma;
mod gamma;
pub mod hashrate;
pub mod luck;
pub mod nameplate;
mod normal;
mod number;
pub mod poisson;
pub mod uniformity;

pub use hashrate::{HashrateEstimate, WorkSums};
pub use poisson::{Bounds, Level, garwood};
