//! Errors of the biller, each with a stable code.

use wb_counted::Unresolved;
use wb_ledger::{EventError, Inconsistent, InvoiceError, RecordError, Refusal};
use wb_rating::{ContractError, PeriodError, PriceError, RatingError, StretchError};

use wb_units::time::rfc3339;

use crate::issued::Issued;

/// A port failed: the log, the tables or the cut.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[code("WB-5401")]
#[error("{operation} failed; nothing was lost, try again later")]
pub struct PortError {
    /// The operation, such as `reading the ledger from offset 12`.
    pub operation: String,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl PortError {
    /// Adds the operation to a foreign error.
    pub fn new(
        operation: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { operation: operation.into(), source: source.into() }
    }
}

/// A contract that could not be billed.
#[derive(Debug)]
pub struct ContractFailure {
    pub contract_id: String,
    /// Why.
    pub error: BillerError,
}

/// Why the biller stopped.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum BillerError {
    /// Log, tables or cut.
    #[code(source)]
    #[error("a port of the biller failed")]
    Port(#[from] PortError),
    /// No such period.
    #[code(source)]
    #[error("no such period")]
    Period(#[from] PeriodError),
    /// The period is not over.
    #[code("WB-5402")]
    #[error(
        "period {period} of contract {contract_id} ends at {}, and it is {} by the biller's clock; close it when \
         it is over",
        rfc3339(*end_us),
        rfc3339(*now_us)
    )]
    NotOver {
        contract_id: String,
        /// The month.
        period: String,
        /// Its end, UTC microseconds.
        end_us: i64,
        /// The clock, UTC microseconds.
        now_us: i64,
    },
    /// The recorded document is not a valid contract.
    #[code(source)]
    #[error("the contract document is not valid")]
    Contract(#[from] ContractError),
    /// A contract changes a field that must not change within a period.
    #[code("WB-5403")]
    #[error(
        "contract {contract_id} changes {field} within period {period}; a change of {field} takes effect at \
         the start of a month, or as a new contract"
    )]
    ChangedWithin {
        contract_id: String,
        field: &'static str,
        /// The month.
        period: String,
    },
    /// A fact of the wrong form.
    #[code("WB-5404")]
    #[error("the {kind} fact of {entity} cannot be read: {detail}; send a corrected fact")]
    Fact {
        kind: &'static str,
        entity: String,
        /// The reason.
        detail: String,
    },
    /// An assignment and its contract have different customers.
    #[code("WB-5405")]
    #[error(
        "machine {machine_id} is assigned to contract {contract_id} for customer {assigned}, but the contract is \
         {customer}'s; correct the assignment"
    )]
    OtherCustomer {
        machine_id: String,
        contract_id: String,
        /// The assignment's customer.
        assigned: String,
        /// The contract's customer.
        customer: String,
    },
    /// A fact maps an account to a contract of another customer.
    #[code("WB-5416")]
    #[error(
        "account {account} is mapped to contract {contract_id} for customer {mapped}, but the contract is \
         {customer}'s; correct the account"
    )]
    AccountOfOther {
        account: String,
        contract_id: String,
        /// The fact's customer.
        mapped: String,
        /// The contract's customer.
        customer: String,
    },
    /// Usage that cannot be rated.
    #[code(source)]
    #[error("usage cannot be rated")]
    Rating(#[from] RatingError),
    /// Prices that contradict each other.
    #[code(source)]
    #[error("prices cannot be used")]
    Price(#[from] PriceError),
    /// A contract needs the rated power or the site of a machine that has no fact.
    #[code("WB-5431")]
    #[error(
        "contract {contract_id} needs {what} of machine {machine_id} at {at}, but no machine fact covers that \
         instant; send the machine's fact from that instant on"
    )]
    NoMachine {
        contract_id: String,
        machine_id: String,
        /// What is needed.
        what: &'static str,
        /// The first instant without a fact.
        at: String,
    },
    /// A pool's payment that concerns several contracts.
    #[code("WB-5432")]
    #[error(
        "the payment of {pool} for site {site_id} at {at} states no contract, and the site's machines are \
         under {contracts}; send the fact again with a contract_id, one fact for each contract"
    )]
    SharedReceipt {
        pool: String,
        site_id: String,
        /// The instant.
        at: String,
        contracts: String,
    },
    /// An invoice does not list all of its draws on grants.
    #[code("WB-5433")]
    #[error(
        "invoice {invoice_id} drew from more prepaid grants than it lists, so their remaining amounts are unknown; \
         merge the grants of contract {contract_id}"
    )]
    DrawsUnknown { invoice_id: String, contract_id: String },
    /// A document to try out is of another contract, or of an unknown one.
    #[code("WB-5434")]
    #[error("the document is of contract {found}, and {detail}")]
    NotThisContract {
        /// The contract of the document.
        found: String,
        /// What is expected.
        detail: String,
    },
    /// The bill does not make a valid invoice.
    #[code(source)]
    #[error("the bill is not a valid invoice")]
    Invoice(#[from] InvoiceError),
    /// The tables are not projected up to the ledger's cut.
    #[code("WB-5406")]
    #[error(
        "the tables hold commits up to offset {held} of the cut {cut}; wait until the projection of commits has \
         caught up, or rebuild it"
    )]
    Behind {
        /// The required cut.
        cut: u64,
        /// One past the last projected commit below it.
        held: u64,
    },
    /// Rows of a block that is not committed.
    #[code("WB-5407")]
    #[error(
        "block {block} of {topic}/{partition} is counted in a bill but not committed before cut {cut}; scrub the tables"
    )]
    Uncommitted { topic: String, partition: u32, block: u64, cut: u64 },
    /// The ledger refused a command.
    #[code(source)]
    #[error("the ledger refuses")]
    Refused(#[from] Refusal),
    /// A record that cannot be written.
    #[code(source)]
    #[error("the ledger record cannot be written")]
    Record(#[from] RecordError),
    /// A winning record of an unknown form.
    #[code(source)]
    #[error("the ledger cannot be read on from offset {offset}")]
    Event {
        /// The record's offset.
        offset: u64,
        /// The cause.
        #[source]
        source: EventError,
    },
    /// The ledger contradicts itself.
    #[code(source)]
    #[error("the ledger cannot be trusted from offset {offset} on")]
    Inconsistent {
        /// The record's offset.
        offset: u64,
        /// The cause.
        #[source]
        source: Inconsistent,
    },
    /// Other writers won every attempt.
    #[code("WB-5408")]
    #[error(
        "{attempts} records in a row lost to other writers; find the other writer to the ledger, then try again"
    )]
    Crowded {
        /// The number of attempts.
        attempts: u32,
    },
    /// An acknowledged record is missing.
    #[code("WB-5409")]
    #[error("the ledger acknowledged offset {offset} but ends before it; the log lost its tail")]
    LostTail {
        /// The acknowledged offset.
        offset: u64,
    },
    /// No such invoice.
    #[code("WB-5410")]
    #[error(
        "there is no invoice {invoice_id}; ids are those that a close returns, such as inv_0123456789abcdef0123"
    )]
    NoSuchInvoice {
        /// The requested id.
        invoice_id: String,
    },
    /// An invoice cannot be computed again.
    #[code("WB-5411")]
    #[error(
        "contract {contract_id} has no terms in period {period} at cut {cut}, though it was billed; rebuild the tables"
    )]
    NoTerms {
        contract_id: String,
        /// The month.
        period: String,
        cut: u64,
    },
    /// Usage is missing, and no signature allows it.
    #[code("WB-5413")]
    #[error(
        "period {period} of contract {contract_id} is complete to {completeness_ppm} parts per million, but \
         {threshold_ppm} are required; wait for the missing data, or close it with your name and a reason"
    )]
    Incomplete {
        contract_id: String,
        /// The month.
        period: String,
        /// The completeness.
        completeness_ppm: u32,
        /// The required completeness.
        threshold_ppm: u32,
    },
    /// A party that nothing is recorded of.
    #[code("WB-5435")]
    #[error(
        "there is no {} {id}: no fact, contract or invoice names it{}",
        what.replace('_', " "),
        like.as_ref().map_or_else(String::new, |like| format!("; did you mean {like}?"))
    )]
    Unknown {
        /// `customer` or `legal_entity`.
        what: &'static str,
        /// The name.
        id: String,
        /// The known name that is most like it.
        like: Option<String>,
    },
    /// A void of an event that is not recorded.
    #[code("WB-5437")]
    #[error(
        "no event {id} is recorded: check source, epoch, key and sequence; void it all the same if the event is still to \
         come"
    )]
    UnknownEvent {
        /// The event's identity.
        id: String,
    },
    /// Facts refer to something unknown, and no signature allows it.
    #[code("WB-5436")]
    #[error(
        "period {period} of contract {contract_id} rests on facts that refer to nothing: {}; send what is missing or \
         correct the fact, or close it with your name and a reason",
        unresolved.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Unresolved {
        contract_id: String,
        /// The month.
        period: String,
        /// The facts.
        unresolved: Vec<Unresolved>,
    },
    /// A date in the future, said once.
    #[code("WB-5414")]
    #[error(
        "{at} is in the future: it is {now} by the biller's clock; give a date that has come, or say that it is meant"
    )]
    FutureDate {
        /// The date of the act.
        at: String,
        /// The present.
        now: String,
    },
    /// A date in a closed month, said once.
    #[code("WB-5415")]
    #[error(
        "{at} is in {month}, which is closed for customer {customer_id}; give a date in an open month, or say that \
         the closed one is meant"
    )]
    ClosedDate {
        /// The date of the act.
        at: String,
        /// Its month.
        month: String,
        customer_id: String,
    },
    /// Some contracts could not be billed, the others were. A second close continues with the failed ones.
    #[code("WB-5412")]
    #[error("{} of {} contracts could not be billed: {}", failures.len(), failures.len() + issued.len(), list(failures))]
    Some {
        /// The failed contracts.
        failures: Vec<ContractFailure>,
        /// The invoices of the other contracts.
        issued: Vec<Issued>,
    },
}

impl From<StretchError> for BillerError {
    fn from(error: StretchError) -> Self {
        match error {
            StretchError::Contract(error) => Self::Contract(error),
            StretchError::Period(error) => Self::Period(error),
            StretchError::Prices(error) => Self::Price(error),
            StretchError::Rating(error) => Self::Rating(error),
        }
    }
}

impl BillerError {
    /// Whether the log, the tables or the ledger failed, so that the next contract would fail too.
    pub(crate) fn stops_everything(&self) -> bool {
        matches!(
            self,
            Self::Port(_)
                | Self::Event { .. }
                | Self::Inconsistent { .. }
                | Self::LostTail { .. }
                | Self::Crowded { .. }
        )
    }
}

/// Each failed contract with its chain of causes.
fn list(failures: &[ContractFailure]) -> String {
    let describe = |failure: &ContractFailure| {
        format!("{}: {}", failure.contract_id, wb_units::with_causes(&failure.error))
    };
    failures.iter().map(describe).collect::<Vec<_>>().join("; ")
}
