//! The numbers of Weighbridge: time, decimals, rounding and money, all of them integers.
//!
//! Nothing here reads a clock or uses a float. A quantity carries its unit in its name
//! (`energy_wh`, `power_mw` for milliwatts, `amount_sat`), and every division that reaches a
//! bill goes through [`rounding`], which names its rule.
#![deny(clippy::float_arithmetic)]

pub mod decimal;
pub mod money;
pub mod rounding;
pub mod time;

pub use money::{Currency, Money, MoneyError};
pub use time::{Interval, Micros, SETTLEMENT_INTERVAL_US};
