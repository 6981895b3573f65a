//! The numbers of Weighbridge: time, decimals, rounding and money, all of them integers; the text of an error
//! with its causes; and the known name that a misspelt one means.
//!
//! Nothing here reads a clock or uses a float. A quantity carries its unit in its name (`energy_wh`, `power_mw` for
//! milliwatts, `amount_sat`), and every division that reaches a bill goes through [`rounding`], which states its
//! rule.
#![deny(clippy::float_arithmetic)]
#![deny(missing_docs)]

pub mod causes;
pub mod decimal;
pub mod money;
mod nearest;
pub mod rounding;
pub mod time;
pub mod timeline;

pub use causes::{followed_by_causes, with_causes};
pub use money::{Currency, Money, MoneyError};
pub use nearest::{did_you_mean, nearest};
pub use time::{Interval, Micros, SETTLEMENT_INTERVAL_US};
