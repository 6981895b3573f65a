//! The errors of contracts, periods, prices and usage; each with a stable code.

mod contract;
mod rating;

pub use contract::ContractError;
pub use rating::{PriceError, RatingError, UsageError};

/// Why a period was not taken.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum PeriodError {
    /// Not a month.
    #[code("WB-5120")]
    #[error("the period is {text:?}; write a month from 2009-01 to 9998-12, such as 2026-10")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// The zone is unknown.
    #[code("WB-5121")]
    #[error(
        "the time zone {zone:?} is not in the IANA table; write one such as \"America/Chicago\" or \"UTC\""
    )]
    UnknownZone {
        /// What was given.
        zone: String,
    },
    /// The calendar of that zone does not give when the month begins or ends.
    #[code("WB-5122")]
    #[error("the month {text} has no settled bounds in {zone}: {detail}")]
    Unsettled {
        /// The month.
        text: String,
        /// The zone.
        zone: String,
        /// The reason.
        detail: String,
    },
    /// The part of a period that is to be rated does not lie in it, or not on the grid.
    #[code("WB-5123")]
    #[error(
        "the stretch {start} to {end} cannot be rated: {detail}; a stretch begins and ends on five-minute boundaries inside its period"
    )]
    Stretch {
        /// Its first instant.
        start: String,
        /// The first instant after it.
        end: String,
        /// The reason.
        detail: &'static str,
    },
}
