//! What can be wrong with a contract, a period or usage; each with a stable code.

use wb_proof::TargetError;
use wb_units::MoneyError;
use wb_units::decimal::DecimalError;

/// Why a contract document was not taken. Names the field, its value and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// Not JSON, or a field is missing, unknown or of the wrong type.
    #[error("[WB-5101] the contract's {place} cannot be read: {detail}")]
    Form {
        /// `document`, or the component by its position.
        place: String,
        /// What the JSON reader says.
        detail: String,
    },
    /// A name that is no identifier.
    #[error(
        "[WB-5102] {field} is {value:?}; an identifier has 1 to 128 characters of A-Z a-z 0-9 . _ : / -, such as \"lab-1\""
    )]
    Identifier {
        /// The field.
        field: String,
        /// What was given.
        value: String,
    },
    /// A time zone that is not in the IANA table.
    #[error(
        "[WB-5103] time_zone is {value:?}; write a zone of the IANA table, such as \"America/Chicago\" or \"UTC\""
    )]
    TimeZone {
        /// What was given.
        value: String,
    },
    /// A kind of component that is not known.
    #[error("[WB-5104] {field} is {value:?}; the kinds known are \"pool_earnings\" and \"metered_energy\"")]
    UnknownKind {
        /// The field.
        field: String,
        /// What was given.
        value: String,
    },
    /// No component, or too many.
    #[error("[WB-5105] components has {count} entries; a contract has 1 to {max}")]
    ComponentCount {
        /// How many were given.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// Two components of one id: their lines would have one name.
    #[error(
        "[WB-5106] {field} is {value:?}, which an earlier component has; ids of a contract's components differ"
    )]
    RepeatedId {
        /// The field.
        field: String,
        /// What was given.
        value: String,
    },
    /// A currency that does not exist, or that this kind cannot have.
    #[error("[WB-5107] {field} is {value:?}; {right}")]
    Currency {
        /// The field.
        field: String,
        /// What was given.
        value: String,
        /// What would be right.
        right: String,
        /// Why, where the table of currencies refused it.
        #[source]
        source: Option<MoneyError>,
    },
    /// A unit that does not fit currency and quantity.
    #[error(
        "[WB-5108] {field} is {value:?}, but the component is paid in {currency} by kWh; right would be \"{currency}/kWh\""
    )]
    Unit {
        /// The field.
        field: String,
        /// What was given.
        value: String,
        /// The component's currency.
        currency: &'static str,
    },
    /// A price or fee that is no such number.
    #[error("[WB-5109] {field} is {value:?}; {right}")]
    Number {
        /// The field.
        field: String,
        /// What was given.
        value: String,
        /// What would be right.
        right: &'static str,
        /// Why, where the text is no decimal number.
        #[source]
        source: Option<DecimalError>,
    },
    /// A chain whose work does not earn.
    #[error("[WB-5110] {field} is {value:?}; only work on the chain \"main\" earns")]
    Chain {
        /// The field.
        field: String,
        /// What was given.
        value: String,
    },
}

impl ContractError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Form { .. } => "WB-5101",
            Self::Identifier { .. } => "WB-5102",
            Self::TimeZone { .. } => "WB-5103",
            Self::UnknownKind { .. } => "WB-5104",
            Self::ComponentCount { .. } => "WB-5105",
            Self::RepeatedId { .. } => "WB-5106",
            Self::Currency { .. } => "WB-5107",
            Self::Unit { .. } => "WB-5108",
            Self::Number { .. } => "WB-5109",
            Self::Chain { .. } => "WB-5110",
        }
    }
}

/// Why a period was not taken.
#[derive(Debug, thiserror::Error)]
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
}

impl PeriodError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "WB-5120",
            Self::UnknownZone { .. } => "WB-5121",
            Self::Unsettled { .. } => "WB-5122",
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
}

impl RatingError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoTarget { .. } => "WB-5201",
            Self::Overflow { .. } => "WB-5202",
        }
    }
}
