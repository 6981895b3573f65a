//! The rating engine: a pure function from usage, a contract and dated prices to invoice lines.
//!
//! - [`Contract`]: the document a customer signed, in JSON or TOML, with its units checked; [`Versions`]: its
//!   history, in which versions do not overlap.
//! - [`Period`]: a calendar month of the contract's time zone as a half-open interval; [`Context`]: the
//!   part of it that is rated, with dated [`Prices`] and balances.
//! - [`Usage`]: what was counted, in groups that add exactly.
//! - [`rate`] and [`rate_in`]: the lines, each with its quantity, price, formula, inputs and an amount
//!   rounded once.
//! - [`RatedStretch`]: all that the lines of a version's part of a period follow from, in a form that is kept and
//!   rated again; [`Needs`]: the usage and prices that a contract's components need.
//! - [`UsageBilling`] and [`Finding`]: which component bills which usage, what is billed twice, and what by none.
//! - [`components`]: one module per kind of component, its formula in the module's comment.
//!
//! The order of the input never matters: groups are added as integers or exact fractions ([`Exact`]) and
//! sorted before they are listed. There is no float, clock or I/O here; the calendar comes from a time zone
//! table that is compiled in, so that two machines agree on when a month begins.
#![deny(clippy::float_arithmetic)]
#![deny(missing_docs)]

mod compare;
pub mod components;
mod context;
mod contract;
mod coverage;
mod document;
mod error;
mod exact;
mod fields;
mod line;
mod line_tax;
mod locate;
mod needs;
mod period;
mod prices;
mod rate;
mod reader;
mod recorded;
mod rules;
mod scope;
mod stretch;
mod text;
mod usage;
mod versions;

pub use compare::{Difference, differences, document_json};
pub use components::pool_earnings::EARNING_CHAIN;
pub use components::{Component, KINDS};
pub use context::{Context, DepositHeld, PrepaidGrant};
pub use contract::{Contract, Format};
pub use coverage::{Finding, Metered, UsageBilling};
pub use error::{ContractError, PeriodError, PriceError, RatingError, UsageError};
pub use exact::{DECIMAL_PLACES_MAX, Exact};
pub use fields::{Decimal, Head, ID_TEXT_MAX};
pub use line::{Input, Line};
pub use line_tax::LineTax;
pub use locate::{Position, position_of};
pub use needs::Needs;
pub use period::Period;
pub use prices::{Missing, Price, PriceFact, Prices};
pub use rate::{rate, rate_in};
pub use recorded::{RecordedVersions, VersionRefused, version_of};
pub use rules::{CARVE_OUTS, CountingRules, WITNESSES};
pub use stretch::{RatedStretch, StretchError, rate_stretches};
pub use usage::{
    CountGroup, CurtailedSlice, EnergyGroup, EnergySlice, FleetGroup, GpuAvailability, GpuOutage, GpuSpan,
    Receipt, SiteEnergy, UptimeGroup, Usage, WorkGroup, WorkSlice,
};
pub use versions::Versions;
