//! Why prices or usage were not taken, and why usage could not be rated.

use wb_proof::TargetError;
use wb_units::decimal::DecimalError;

/// Why dated prices were not taken.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// A price that is no number.
    #[error(
        "[WB-5130] series {series:?}: the price {value:?} of {at} is no decimal number with at most 12 places, such as \"41.37\""
    )]
    Value {
        /// The series.
        series: String,
        /// What was given.
        value: String,
        /// Its instant.
        at: String,
        /// Why.
        #[source]
        source: DecimalError,
    },
    /// Two prices of one instant, and nothing says which was recorded later.
    #[error(
        "[WB-5131] series {series:?} has the prices {first} and {second} for {at} with one place in the record; void one of them"
    )]
    Conflict {
        /// The series.
        series: String,
        /// One.
        first: String,
        /// The other.
        second: String,
        /// Their instant.
        at: String,
    },
}

impl PriceError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Value { .. } => "WB-5130",
            Self::Conflict { .. } => "WB-5131",
        }
    }
}

/// Why a usage document or what it says was not taken.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// No usage document: unknown or missing fields, or a quantity that is negative or no whole number.
    #[error("[WB-5140] usage cannot be read: {detail}")]
    Form {
        /// What the reader says.
        detail: String,
    },
    /// A quantity that contradicts itself.
    #[error("[WB-5141] {what} cannot be: {detail}")]
    Contradiction {
        /// Whose quantity.
        what: String,
        /// Why.
        detail: String,
    },
    /// What was counted by interval is not what was counted by group.
    #[error(
        "[WB-5142] {what} by five-minute interval adds up to {by_interval}, by group to {by_group}; both must count the same"
    )]
    Unequal {
        /// Of what.
        what: String,
        /// The sum of the intervals.
        by_interval: String,
        /// The sum of the groups.
        by_group: String,
    },
}

impl UsageError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Form { .. } => "WB-5140",
            Self::Contradiction { .. } => "WB-5141",
            Self::Unequal { .. } => "WB-5142",
        }
    }
}

/// Why usage could not be rated. None of these can be waited out: they stop the invoice.
#[derive(Debug, thiserror::Error)]
pub enum RatingError {
    /// Work whose bits encode no target.
    #[error(
        "[WB-5201] component {component}: work on {chain} carries nBits {nbits:08x}, which encode no target; such work cannot have been accepted"
    )]
    NoTarget {
        /// The component's id.
        component: String,
        /// The chain.
        chain: String,
        /// The bits.
        nbits: u32,
        /// Why.
        #[source]
        source: TargetError,
    },
    /// A sum beyond the width of the integers.
    #[error(
        "[WB-5202] component {component}: the {what} does not fit its integer; the usage is far beyond any fleet, check it"
    )]
    Overflow {
        /// The component's id.
        component: String,
        /// What was computed.
        what: &'static str,
    },
    /// A component that depends on the period, and no period.
    #[error(
        "[WB-5150] component {component} depends on the period, but only usage was given; rate it with its period and prices"
    )]
    NoPeriod {
        /// The component's id.
        component: String,
    },
    /// No price for an instant.
    #[error(
        "[WB-5151] component {component}: series {series:?} has no price for {at}{why}; record that price, an older or newer one is not used in its place"
    )]
    NoPrice {
        /// The component's id.
        component: String,
        /// The series.
        series: String,
        /// The instant.
        at: String,
        /// What there is instead.
        why: String,
    },
    /// A price in another unit than the component expects.
    #[error(
        "[WB-5152] component {component}: series {series:?} is in {unit:?} at {at}, but the contract expects {expected:?}"
    )]
    PriceUnit {
        /// The component's id.
        component: String,
        /// The series.
        series: String,
        /// The unit of the price.
        unit: String,
        /// The instant.
        at: String,
        /// The unit of the contract.
        expected: String,
    },
    /// A fixing that cannot be divided by.
    #[error(
        "[WB-5153] component {component}: the fixing of series {series:?} at {at} is {value}; a fixing is above zero"
    )]
    Fixing {
        /// The component's id.
        component: String,
        /// The series.
        series: String,
        /// The instant.
        at: String,
        /// The value.
        value: String,
    },
    /// A loss or PUE that was to be measured and was not.
    #[error("[WB-5154] component {component}: the site's uplift cannot be measured: {detail}")]
    Unmeasured {
        /// The component's id.
        component: String,
        /// Why.
        detail: String,
    },
    /// Usage that cannot be.
    #[error("[WB-5155] component {component} cannot be rated: its usage contradicts itself")]
    Usage {
        /// The component's id.
        component: String,
        /// Why.
        #[source]
        source: UsageError,
    },
}

impl RatingError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoTarget { .. } => "WB-5201",
            Self::Overflow { .. } => "WB-5202",
            Self::NoPeriod { .. } => "WB-5150",
            Self::NoPrice { .. } => "WB-5151",
            Self::PriceUnit { .. } => "WB-5152",
            Self::Fixing { .. } => "WB-5153",
            Self::Unmeasured { .. } => "WB-5154",
            Self::Usage { .. } => "WB-5155",
        }
    }
}
