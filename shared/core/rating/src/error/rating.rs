//! Why prices or usage were not taken, and why usage could not be rated.

use wb_proof::TargetError;
use wb_units::decimal::DecimalError;

/// Why dated prices were not taken.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// A price that is no number.
    #[code("WB-5130")]
    #[error(
        "series {series:?}: the price {value:?} of {at} is no decimal number with at most 12 places, such as \"41.37\""
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
    #[code("WB-5131")]
    #[error(
        "series {series:?} has the prices {first} and {second} for {at} with one place in the record; void one of them"
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

/// Why a usage document was not taken.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// No usage document: unknown or missing fields, or a quantity that is negative or no whole number.
    #[code("WB-5140")]
    #[error("usage cannot be read: {detail}")]
    Form {
        /// What the reader says.
        detail: String,
    },
    /// A quantity that contradicts itself.
    #[code("WB-5141")]
    #[error("{what} cannot be: {detail}")]
    Contradiction {
        /// Whose quantity.
        what: String,
        /// Why.
        detail: String,
    },
    /// What was counted by interval is not what was counted by group.
    #[code("WB-5142")]
    #[error(
        "{what} by five-minute interval adds up to {by_interval}, by group to {by_group}; both must count the same"
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

/// Why usage could not be rated. None of these ends by waiting: they stop the invoice.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum RatingError {
    /// Work whose bits encode no target.
    #[code("WB-5201")]
    #[error(
        "component {component}: work on {chain} carries nBits {nbits:08x}, which encode no target; such work cannot have been accepted"
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
    #[code("WB-5202")]
    #[error(
        "component {component}: the {what} does not fit its integer; the usage is far beyond any fleet, check it"
    )]
    Overflow {
        /// The component's id.
        component: String,
        /// What was computed.
        what: &'static str,
    },
    /// A component that depends on the period, and no period.
    #[code("WB-5150")]
    #[error(
        "component {component} depends on the period, but only usage was given; rate it with its period and prices"
    )]
    NoPeriod {
        /// The component's id.
        component: String,
    },
    /// No price for an instant.
    #[code("WB-5151")]
    #[error(
        "component {component}: series {series:?} has no price for {at}{why}; record that price, an older or newer one is not used in its place"
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
    #[code("WB-5152")]
    #[error(
        "component {component}: series {series:?} is in {unit:?} at {at}, but the contract expects {expected:?}"
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
    #[code("WB-5153")]
    #[error(
        "component {component}: the fixing of series {series:?} at {at} is {value}; a fixing is above zero"
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
    /// A loss or PUE that had to be measured and was not.
    #[code("WB-5154")]
    #[error("component {component}: the site's uplift cannot be measured: {detail}")]
    Unmeasured {
        /// The component's id.
        component: String,
        /// Why.
        detail: String,
    },
    /// Usage that cannot be.
    #[code("WB-5155")]
    #[error("component {component} cannot be rated: its usage contradicts itself")]
    Usage {
        /// The component's id.
        component: String,
        /// Why.
        #[source]
        source: UsageError,
    },
}
