//! What can stop the biller; each with a stable code.

use wb_ledger::{EventError, Inconsistent, InvoiceError, RecordError, Refusal};
use wb_rating::{ContractError, PeriodError, PriceError, RatingError, StretchError};

use crate::issued::Issued;

/// Something outside did not do its part: the log, the tables or the cut.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[code("WB-5401")]
#[error("{operation} failed; nothing was lost, try again when it works")]
pub struct PortError {
    /// What was being done, such as `reading the ledger from offset 12`.
    pub operation: String,
    /// Why it failed.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl PortError {
    /// Names the operation that a foreign error stopped.
    pub fn new(
        operation: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { operation: operation.into(), source: source.into() }
    }
}

/// Why one contract could not be billed while others were.
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
    #[error("the biller could not go on")]
    Port(#[from] PortError),
    /// No such period.
    #[code(source)]
    #[error("no such period")]
    Period(#[from] PeriodError),
    /// The period is not over.
    #[code("WB-5402")]
    #[error(
        "period {period} of contract {contract_id} ends at {end_us} us, and it is {now_us} us by the biller's \
         clock; close it when it is over"
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
    /// A contract fact that is no contract.
    #[code(source)]
    #[error("the contract cannot be billed by")]
    Contract(#[from] ContractError),
    /// A contract that changes what may not change within a period.
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
    /// A fact that does not have its form.
    #[code("WB-5404")]
    #[error("the {kind} fact of {entity} cannot be read: {detail}; send a corrected fact")]
    Fact {
        kind: &'static str,
        entity: String,
        /// Why.
        detail: String,
    },
    /// An assignment and its contract name two customers.
    #[code("WB-5405")]
    #[error(
        "machine {machine_id} is assigned to contract {contract_id} as {assigned} uses it, but the contract is \
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
    /// Usage that cannot be rated.
    #[code(source)]
    #[error("usage cannot be rated")]
    Rating(#[from] RatingError),
    /// Prices that contradict each other.
    #[code(source)]
    #[error("prices cannot be used")]
    Price(#[from] PriceError),
    /// A machine of which nothing is recorded, under a contract that needs its rated power or its place.
    #[code("WB-5431")]
    #[error(
        "contract {contract_id} needs {what} of machine {machine_id} at {at}, but no machine fact covers that \
         instant; send the machine's fact from that instant on"
    )]
    NoMachine {
        contract_id: String,
        machine_id: String,
        /// What of it is needed.
        what: &'static str,
        /// The first instant that is not covered.
        at: String,
    },
    /// A payment of a pool that is for several contracts.
    #[code("WB-5432")]
    #[error(
        "what {pool} paid for site {site_id} at {at} is not said to be for one contract, and the site's machines are \
         under {contracts}; send the fact again with the contract_id it is for, one fact for each contract"
    )]
    SharedReceipt {
        pool: String,
        site_id: String,
        /// When.
        at: String,
        contracts: String,
    },
    /// An invoice that does not list all it drew from prepaid grants.
    #[code("WB-5433")]
    #[error(
        "invoice {invoice_id} drew from more prepaid grants than it lists, so what is left of them is not known; \
         put the grants of contract {contract_id} together in fewer"
    )]
    DrawsUnknown { invoice_id: String, contract_id: String },
    /// A document to try out that is no document of the contract asked for, or of none.
    #[code("WB-5434")]
    #[error("the document is of contract {found}, and {detail}")]
    NotThisContract {
        /// The contract of the document.
        found: String,
        /// What would be right.
        detail: String,
    },
    /// A bill that is no document.
    #[code(source)]
    #[error("the bill is no invoice")]
    Invoice(#[from] InvoiceError),
    /// The tables hold less than the ledger's cut.
    #[code("WB-5406")]
    #[error(
        "the tables hold names up to offset {held} of the cut {cut}; wait until the projection of names has \
         caught up, or rebuild it"
    )]
    Behind {
        /// The cut that is needed.
        cut: u64,
        /// One past the last name they hold below it.
        held: u64,
    },
    /// Rows of a block that no name names.
    #[code("WB-5407")]
    #[error(
        "block {block} of {topic}/{partition} stands behind a bill but is not committed before cut {cut}; scrub the tables"
    )]
    Uncommitted { topic: String, partition: u32, block: u64, cut: u64 },
    /// The ledger refused.
    #[code(source)]
    #[error("the ledger refuses")]
    Refused(#[from] Refusal),
    /// A record that cannot be written.
    #[code(source)]
    #[error("the ledger record cannot be written")]
    Record(#[from] RecordError),
    /// A winning record that this program does not understand.
    #[code(source)]
    #[error("the ledger cannot be read on from offset {offset}")]
    Event {
        /// The record's offset.
        offset: u64,
        /// Why.
        #[source]
        source: EventError,
    },
    /// A ledger that contradicts itself.
    #[code(source)]
    #[error("the ledger cannot be trusted from offset {offset} on")]
    Inconsistent {
        /// The record's offset.
        offset: u64,
        /// Why.
        #[source]
        source: Inconsistent,
    },
    /// Others wrote first, again and again.
    #[code("WB-5408")]
    #[error(
        "{attempts} records in a row lost against other writers; see who else writes to the ledger, then try again"
    )]
    Crowded {
        /// How often it was tried.
        attempts: u32,
    },
    /// A record was acknowledged, and reading does not find it.
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
        /// What was asked for.
        invoice_id: String,
    },
    /// What was billed can no longer be found.
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
    /// Usage is missing, and nobody answers for it.
    #[code("WB-5413")]
    #[error(
        "period {period} of contract {contract_id} is complete to {completeness_ppm} parts per million, and \
         {threshold_ppm} are asked for; wait for what is missing, or close it by name with a reason"
    )]
    Incomplete {
        contract_id: String,
        /// The month.
        period: String,
        /// What is there.
        completeness_ppm: u32,
        /// What is asked for.
        threshold_ppm: u32,
    },
    /// Some contracts could not be billed. The others were; a second close goes on with the rest.
    #[code("WB-5412")]
    #[error("{} of {} contracts could not be billed: {}", failures.len(), failures.len() + issued.len(), list(failures))]
    Some {
        /// The ones that failed.
        failures: Vec<ContractFailure>,
        /// The invoices of the others.
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
    /// Whether the log, the tables or the ledger itself are to blame: the next contract would meet the same.
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

/// Each failed contract with the whole chain of its reasons.
fn list(failures: &[ContractFailure]) -> String {
    let describe = |failure: &ContractFailure| {
        format!("{}: {}", failure.contract_id, wb_units::with_causes(&failure.error))
    };
    failures.iter().map(describe).collect::<Vec<_>>().join("; ")
}
