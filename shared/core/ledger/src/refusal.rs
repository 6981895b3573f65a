//! Why the ledger refuses a command.

/// Why a command is refused.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The period was closed before; its cut stands.
    #[code("WB-5340")]
    #[error(
        "period {period} of contract {contract_id} is already closed, at cut {cut}; what comes later is an adjustment"
    )]
    AlreadyClosed {
        contract_id: String,
        /// The month.
        period: String,
        /// The cut of the close.
        cut: u64,
    },
    /// The period is open.
    #[code("WB-5341")]
    #[error("period {period} of contract {contract_id} is not closed; close it before its invoice is issued")]
    NotClosed {
        contract_id: String,
        /// The month.
        period: String,
    },
    /// The draft differs from the close of its period.
    #[code("WB-5342")]
    #[error(
        "the draft for period {period} of contract {contract_id} was computed at cut {draft_cut} over other \
         bounds, customer or cut than the close, which is at cut {cut}; compute it again as it was closed"
    )]
    OtherClose {
        contract_id: String,
        /// The month.
        period: String,
        /// The draft's cut.
        draft_cut: u64,
        /// The close's cut.
        cut: u64,
    },
    /// The invoice is issued already.
    #[code("WB-5343")]
    #[error("invoice {invoice_id} is already issued as {number}; an issued invoice never changes")]
    AlreadyIssued { invoice_id: String, number: String },
    /// No such thing in the ledger.
    #[code("WB-5344")]
    #[error(
        "the ledger has no {what} {id}; give an id that it lists{}",
        like.as_ref().map_or_else(String::new, |like| format!("; did you mean {like}?"))
    )]
    NoSuch {
        /// What was looked for, such as `invoice`.
        what: &'static str,
        id: String,
        /// What is known and most like it.
        like: Option<String>,
    },
    /// A step that the present state of the thing does not allow.
    #[code("WB-5345")]
    #[error("{what} {id} is {state}; this step needs it to be {needed}")]
    WrongState {
        /// What it is, such as `invoice`.
        what: &'static str,
        id: String,
        /// Its state.
        state: &'static str,
        /// The state that the step needs.
        needed: &'static str,
    },
    /// One person acts twice where two persons are needed.
    #[code("WB-5346")]
    #[error("{by} has already {did} invoice {invoice_id}; somebody else must approve it")]
    SamePerson {
        invoice_id: String,
        /// Who.
        by: String,
        /// What they did.
        did: &'static str,
    },
    /// An impossible amount.
    #[code("WB-5347")]
    #[error("{what} is {amount} {currency}; it must be {right}")]
    Amount {
        /// What the amount is of.
        what: &'static str,
        amount: String,
        currency: String,
        /// What is allowed.
        right: &'static str,
    },
    /// More would be credited than was billed.
    #[code("WB-5348")]
    #[error(
        "line {line_id} of invoice {invoice_id} stands at {billed} {currency}, and a credit of {credit} is \
         more; credit at most what stands"
    )]
    OverCredited {
        invoice_id: String,
        line_id: String,
        /// What stands.
        billed: String,
        /// The credit that was asked for.
        credit: String,
        currency: String,
    },
    /// An adjustment from before the last one.
    #[code("WB-5349")]
    #[error(
        "invoice {invoice_id} was adjusted at cut {adjusted_cut}, and this adjustment is of cut {cut}; compute \
         it at a newer cut"
    )]
    OlderCut {
        invoice_id: String,
        /// The cut of the draft.
        cut: u64,
        /// The cut of the last adjustment.
        adjusted_cut: u64,
    },
    /// A reference that is used already for something else.
    #[code("WB-5351")]
    #[error(
        "reference {reference} of {legal_entity} is already used for {id} with other content; a reference \
         is used once"
    )]
    ReferenceReused {
        /// The issuer.
        legal_entity: String,
        reference: String,
        /// What the reference is used for.
        id: String,
    },
    /// The same was recorded before: nothing is left to do.
    #[code("WB-5352")]
    #[error("{id} is already recorded with the same content; nothing is left to be done")]
    AlreadyRecorded { id: String },
    /// More would be allocated or paid out than is left.
    #[code("WB-5353")]
    #[error("{wanted} {currency} are more than the {left} that {id} has left; give at most that")]
    OverAllocated {
        /// The payment or invoice.
        id: String,
        /// The amount asked for.
        wanted: String,
        left: String,
        currency: String,
    },
    /// Two things that do not belong together.
    #[code("WB-5354")]
    #[error(
        "{id} belongs to {owner}, not to {other}; a payment settles invoices of its own customer and issuer"
    )]
    OtherOwner {
        /// The invoice.
        id: String,
        /// The invoice's customer and issuer.
        owner: String,
        /// The payment's customer and issuer.
        other: String,
    },
    #[code("WB-5355")]
    #[error("invoice {invoice_id} has no line {line_id} in {currency}; give one of its lines")]
    NoSuchLine { invoice_id: String, line_id: String, currency: String },
    /// Nothing is due.
    #[code("WB-5356")]
    #[error("invoice {invoice_id} has nothing overdue at {}; it is due at {due}", wb_units::time::rfc3339(*at_us))]
    NotDue {
        invoice_id: String,
        /// The instant of the run, UTC microseconds.
        at_us: i64,
        /// When it is due.
        due: String,
    },
    /// A text that is empty or too long.
    #[code("WB-5357")]
    #[error("{what} has {bytes} bytes; write 1 to {max}")]
    Text {
        /// What it is.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The most.
        max: usize,
    },
    /// Another bill of the contract is not finished.
    #[code("WB-5359")]
    #[error(
        "period {period} of contract {contract_id} draws on grants or deposits, and so does its draft of \
         {other_period}, which is {state}; issue that one first, or close its period again"
    )]
    OtherDraft {
        contract_id: String,
        /// The month of the bill.
        period: String,
        /// The month of the other one.
        other_period: String,
        /// The state of the other one.
        state: &'static str,
    },
    /// The balances that it was computed on have changed.
    #[code("WB-5360")]
    #[error(
        "what is left of grants or deposits of contract {contract_id} changed while its bill of {period} was \
         made; close the period again"
    )]
    StaleBalances {
        contract_id: String,
        /// The month.
        period: String,
    },
    /// A void from before something that it takes back.
    #[code("WB-5361")]
    #[error(
        "a void of invoice {invoice_id} at {at_us} us would be dated before something booked on it for {last_us} us; \
         cancel what has the later date first"
    )]
    BeforeLast {
        invoice_id: String,
        /// The instant of the void, UTC microseconds.
        at_us: i64,
        /// The latest instant that something was booked for, UTC microseconds.
        last_us: i64,
    },
    /// A note that names a line and the tax on it.
    #[code("WB-5370")]
    #[error(
        "line {line_id} of invoice {invoice_id} is tax on line {taxed}, which the note corrects too; leave it out, the \
         tax follows by itself"
    )]
    TaxFollows {
        invoice_id: String,
        /// The line of tax.
        line_id: String,
        /// The line that it taxes.
        taxed: String,
    },
    /// An event whose parts do not add up or that is out of order.
    #[code("WB-5358")]
    #[error("{id} does not follow from the ledger: {detail}; let it be decided again")]
    DoesNotFollow {
        /// The thing the event is about.
        id: String,
        /// What does not fit.
        detail: String,
    },
}

impl Refusal {
    pub(crate) fn mismatch(id: &str, detail: impl Into<String>) -> Self {
        Self::DoesNotFollow { id: id.to_owned(), detail: detail.into() }
    }
}

/// The longest text that a person gives, in bytes.
const TEXT_BYTES_MAX: usize = 2_000;

/// The longest name, reference or id, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// Checks that a text was given and is not too long.
pub(crate) fn check_text(what: &'static str, text: &str) -> Result<(), Refusal> {
    check_length(what, text, TEXT_BYTES_MAX)
}

/// Checks that a name was given and is not too long.
pub(crate) fn check_name(what: &'static str, text: &str) -> Result<(), Refusal> {
    check_length(what, text, NAME_BYTES_MAX)
}

fn check_length(what: &'static str, text: &str, max: usize) -> Result<(), Refusal> {
    let bytes = text.trim().len();
    if (1..=max).contains(&bytes) { Ok(()) } else { Err(Refusal::Text { what, bytes, max }) }
}

impl Refusal {
    /// The refusal of an id or number that is unknown, with the known one that is most like it.
    #[must_use]
    pub fn no_such<'a>(what: &'static str, id: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let like = wb_units::nearest(id, known).map(str::to_owned);
        Self::NoSuch { what, id: id.chars().take(64).collect(), like }
    }
}
