//! What can be wrong with a contract, a period, a price or usage; each with a stable code.

mod contract;
mod rating;

use thiserror::Error;

pub use contract::ContractError;
pub use rating::{PriceError, RatingError, UsageError};

/// Why a period was not taken.
#[derive(Debug, Error)]
pub enum PeriodError {
    /// Not a month.
    #[error("[WB-5120] the period is {text:?}; write a month from 2009-01 to 9998-12, such as 2026-10")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// The zone is unknown.
    #[error(
        "[WB-5121] the time zone {zone:?} is not in the IANA table; write one such as \"America/Chicago\" or \"UTC\""
    )]
    UnknownZone {
        /// What was given.
        zone: String,
    },
    /// The calendar of that zone cannot say when the month begins or ends.
    #[error("[WB-5122] the month {text} has no settled bounds in {zone}: {detail}")]
    Unsettled {
        /// The month.
        text: String,
        /// The zone.
        zone: String,
        /// Why.
        detail: String,
    },
    /// The part of a period that is to be rated does not lie in it, or not on the grid.
    #[error(
        "[WB-5123] the stretch {start} to {end} cannot be rated: {detail}; a stretch begins and ends on five-minute boundaries inside its period"
    )]
    Stretch {
        /// Its first instant.
        start: String,
        /// The first instant after it.
        end: String,
        /// Why.
        detail: &'static str,
    },
}

impl PeriodError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "WB-5120",
            Self::UnknownZone { .. } => "WB-5121",
            Self::Unsettled { .. } => "WB-5122",
            Self::Stretch { .. } => "WB-5123",
        }
    }
}
