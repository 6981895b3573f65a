//! The rating engine: a pure function from usage and a contract to invoice lines.
//!
//! - [`Contract`]: the document a customer signed, with its units checked.
//! - [`Period`]: a calendar month of the contract's time zone as a half-open interval.
//! - [`Usage`]: what was counted, in groups that add exactly.
//! - [`rate`]: the lines, each with its quantity, price, formula, inputs and an amount rounded once.
//! - [`components`]: one module per kind of component, its formula in the module's comment.
//!
//! The order of the input never matters: groups are added as integers and sorted before they are
//! listed. There is no float, clock or I/O here; the calendar comes from a time zone table that is
//! compiled in, so that two machines agree on when a month begins.
#![deny(clippy::float_arithmetic)]

pub mod components;
mod contract;
mod error;
mod line;
mod period;
mod text;
mod usage;

pub use contract::{Component, Contract, ID_TEXT_MAX, MeteredEnergy, PoolEarnings};
pub use error::{ContractError, PeriodError, RatingError};
pub use line::{Input, Line, rate};
pub use period::Period;
pub use usage::{EnergyGroup, Usage, WorkGroup};
