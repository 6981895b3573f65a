//! Why a contract document was not taken.

use wb_units::MoneyError;
use wb_units::decimal::DecimalError;

/// Why a contract document was not taken. Each error gives the field (with its line, where the document has lines),
/// its value and what would be right.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// Neither JSON nor TOML, or a field is missing, unknown or of the wrong type.
    #[code("WB-5101")]
    #[error("the contract's {place} cannot be read: {detail}")]
    Form {
        /// `document`, or the component by its position.
        place: String,
        /// What the reader says.
        detail: String,
    },
    /// A text that is no identifier.
    #[code("WB-5102")]
    #[error(
        "{field} is {value:?}; an identifier has 1 to 128 characters of A-Z a-z 0-9 . _ : / -, such as \"lab-1\""
    )]
    Identifier {
        /// The field.
        field: String,
        /// What was given.
        value: String,
    },
    /// A time zone that is not in the IANA table.
    #[code("WB-5103")]
    #[error("{field} is {value:?}; write a zone of the IANA table, such as \"America/Chicago\" or \"UTC\"")]
    TimeZone {
        /// The field.
        field: String,
        /// What was given.
        value: String,
    },
    /// A kind of component that is not known.
    #[code("WB-5104")]
    #[error("{field} is {value:?}; the kinds known are {known}")]
    UnknownKind {
        /// The field.
        field: String,
        /// What was given.
        value: String,
        /// All kinds.
        known: String,
    },
    /// No component, or too many.
    #[code("WB-5105")]
    #[error("components has {count} entries; a contract has 1 to {max}")]
    ComponentCount {
        /// How many were given.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// Two components with one id: their lines would have one id, too.
    #[code("WB-5106")]
    #[error("{field} is {value:?}, which an earlier component has; ids of a contract's components differ")]
    RepeatedId {
        /// The field.
        field: String,
        /// What was given.
        value: String,
    },
    /// A currency that does not exist, or that this kind cannot have.
    #[code("WB-5107")]
    #[error("{field} is {value:?}; {right}")]
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
    #[code("WB-5108")]
    #[error("{field} is {value:?}, which does not fit what is counted here; right would be {right}")]
    Unit {
        /// The field.
        field: String,
        /// What was given.
        value: String,
        /// What would be right.
        right: String,
    },
    /// A price, fee or share that is no such number.
    #[code("WB-5109")]
    #[error("{field} is {value:?}; {right}")]
    Number {
        /// The field.
        field: String,
        /// What was given.
        value: String,
        /// What would be right.
        right: String,
        /// Why, where the text is no decimal number.
        #[source]
        source: Option<DecimalError>,
    },
    /// A chain whose work does not earn.
    #[code("WB-5110")]
    #[error("{field} is {value:?}; only work on the chain \"main\" earns")]
    Chain {
        /// The field.
        field: String,
        /// What was given.
        value: String,
    },
    /// A component that another refers to is not there, comes later or is of a kind that does not fit.
    #[code("WB-5111")]
    #[error("{field} names {value:?}; {right}")]
    Reference {
        /// The field.
        field: String,
        /// What was given.
        value: String,
        /// What would be right.
        right: String,
    },
    /// An instant, a date or a time of day that cannot be read.
    #[code("WB-5112")]
    #[error("{field} is {value:?}; {right}")]
    Moment {
        /// The field.
        field: String,
        /// What was given.
        value: String,
        /// What would be right.
        right: &'static str,
    },
    /// A word that is not allowed, or fields of which exactly one is to be given.
    #[code("WB-5113")]
    #[error("{field} is {value}; {right}")]
    Choice {
        /// The field.
        field: String,
        /// What was given.
        value: String,
        /// What would be right.
        right: String,
    },
    /// Tiers or rates whose order or ends do not fit.
    #[code("WB-5114")]
    #[error("{field}: {detail}")]
    Steps {
        /// The field.
        field: String,
        /// What is wrong and what would be right.
        detail: &'static str,
    },
    /// Shares that are not the whole.
    #[code("WB-5115")]
    #[error("the shares of {field} add up to {sum} percent; they must add up to 100")]
    Shares {
        /// The field.
        field: String,
        /// What they add up to.
        sum: String,
    },
    /// A component that would bill usage that another one bills.
    #[code("WB-5119")]
    #[error("{field} does not say what covers it: {detail}")]
    Coverage {
        /// The component.
        field: String,
        /// What would be billed twice, with an example, and what would be right.
        detail: String,
    },
    /// Two versions for one instant.
    #[code("WB-5116")]
    #[error(
        "versions {earlier} and {later} of contract {contract_id} both hold at {at}; end the earlier at or before the start of the later"
    )]
    Overlap {
        /// The contract.
        contract_id: String,
        /// The version with the lower number.
        earlier: u64,
        /// The other.
        later: u64,
        /// The first instant at which both hold.
        at: String,
    },
    /// No version for an instant.
    #[code("WB-5117")]
    #[error("contract {contract_id} has no version in effect at {at}; register one that covers it")]
    NoVersion {
        /// The contract.
        contract_id: String,
        /// The first instant that is not covered.
        at: String,
    },
    /// Documents that are not versions of one contract.
    #[code("WB-5118")]
    #[error("version {version} cannot stand in the history of contract {contract_id}: {detail}")]
    History {
        /// The contract.
        contract_id: String,
        /// The version.
        version: u64,
        /// Why.
        detail: String,
    },
}

impl ContractError {
    /// The place in the document that the error is about, where it is about one.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Form { place, .. } => Some(place),
            Self::Identifier { field, .. }
            | Self::TimeZone { field, .. }
            | Self::UnknownKind { field, .. }
            | Self::RepeatedId { field, .. }
            | Self::Currency { field, .. }
            | Self::Unit { field, .. }
            | Self::Number { field, .. }
            | Self::Chain { field, .. }
            | Self::Reference { field, .. }
            | Self::Moment { field, .. }
            | Self::Choice { field, .. }
            | Self::Steps { field, .. }
            | Self::Shares { field, .. }
            | Self::Coverage { field, .. } => Some(field),
            Self::ComponentCount { .. } => Some("components"),
            Self::Overlap { .. } | Self::NoVersion { .. } | Self::History { .. } => None,
        }
    }
}
