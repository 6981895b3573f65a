//! What the ledger's events add up to, and what may be decided next.

use std::collections::BTreeMap;

use crate::event::{Event, PeriodClosed};
use crate::hash::Hash;
use crate::invoice::{Draft, Invoice};

/// The shortest prefix of an invoice number.
const PREFIX_CHARS_MIN: usize = 3;

/// The ledger so far: closed periods, issued invoices and the next numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    closed: BTreeMap<(String, String), PeriodClosed>,
    issued: BTreeMap<String, IssuedInvoice>,
    last_numbers: BTreeMap<String, u64>,
    prefixes: BTreeMap<String, String>,
}

/// What is remembered of an issued invoice; the document itself is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedInvoice {
    /// Its number.
    pub number: String,
    /// Its customer.
    pub customer_id: String,
    /// The digest of what is charged.
    pub bill_digest: Hash,
    /// The digest of what it was computed from.
    pub evidence_digest: Hash,
}

/// Something that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Settle what counts for a contract's period.
    ClosePeriod(PeriodClosed),
    /// Give a draft its number.
    IssueInvoice(Box<Draft>),
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The period was closed before; its cut stands.
    #[error(
        "[WB-5340] period {period} of contract {contract_id} is already closed, at cut {cut}; what comes later is an adjustment"
    )]
    AlreadyClosed {
        /// The contract.
        contract_id: String,
        /// The month.
        period: String,
        /// The cut that stands.
        cut: u64,
    },
    /// The period is open.
    #[error(
        "[WB-5341] period {period} of contract {contract_id} is not closed; close it before its invoice is issued"
    )]
    NotClosed {
        /// The contract.
        contract_id: String,
        /// The month.
        period: String,
    },
    /// The draft was computed otherwise than the period was closed.
    #[error(
        "[WB-5342] the draft for period {period} of contract {contract_id} was computed at cut {draft_cut} over other \
         bounds, customer or cut than the close, which is at cut {cut}; compute it again as it was closed"
    )]
    OtherClose {
        /// The contract.
        contract_id: String,
        /// The month.
        period: String,
        /// The draft's cut.
        draft_cut: u64,
        /// The close's cut.
        cut: u64,
    },
    /// It exists.
    #[error("[WB-5343] invoice {invoice_id} is already issued as {number}; an issued invoice never changes")]
    AlreadyIssued {
        /// Its id.
        invoice_id: String,
        /// Its number.
        number: String,
    },
}

impl Refusal {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyClosed { .. } => "WB-5340",
            Self::NotClosed { .. } => "WB-5341",
            Self::OtherClose { .. } => "WB-5342",
            Self::AlreadyIssued { .. } => "WB-5343",
        }
    }
}

/// A winning record that no decision of this program could have made. Billing stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[WB-5350] the ledger contradicts itself: {detail}; billing stops until this is explained")]
pub struct Inconsistent {
    /// What does not fit.
    pub detail: String,
}

impl State {
    /// The close of a contract's period, if it is closed.
    #[must_use]
    pub fn closed(&self, contract_id: &str, period: &str) -> Option<&PeriodClosed> {
        self.closed.get(&(contract_id.to_owned(), period.to_owned()))
    }

    /// All closes of a period, sorted by contract.
    pub fn closed_in<'a>(&'a self, period: &'a str) -> impl Iterator<Item = &'a PeriodClosed> {
        self.closed.values().filter(move |closed| closed.period.text == period)
    }

    /// An issued invoice by its id.
    #[must_use]
    pub fn issued(&self, invoice_id: &str) -> Option<&IssuedInvoice> {
        self.issued.get(invoice_id)
    }

    /// The next number of a legal entity: its prefix and a gapless count from 1.
    ///
    /// The prefix is the shortest beginning of the entity's letters and digits, three or more, that
    /// no other entity has. It is fixed by the entity's first invoice.
    fn next_number(&self, legal_entity: &str) -> String {
        let next = self.last_numbers.get(legal_entity).map_or(1, |last| last.saturating_add(1));
        format!("{}-{next:06}", self.prefix(legal_entity))
    }

    fn prefix(&self, legal_entity: &str) -> String {
        if let Some((prefix, _)) = self.prefixes.iter().find(|(_, owner)| *owner == legal_entity) {
            return prefix.clone();
        }
        let letters: String = legal_entity
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let free = |prefix: &str| !self.prefixes.contains_key(prefix);
        (PREFIX_CHARS_MIN..=letters.len())
            .filter_map(|length| letters.get(..length))
            .find(|prefix| free(prefix))
            .map_or_else(|| self.counted_prefix(&letters), str::to_owned)
    }

    /// For entities whose letters are too few or all taken: the letters and the first free count.
    fn counted_prefix(&self, letters: &str) -> String {
        let mut count = self.prefixes.len();
        loop {
            let prefix = format!("{letters}.{count}");
            if !self.prefixes.contains_key(&prefix) {
                return prefix;
            }
            count += 1;
        }
    }
}

/// What a command comes to in a state: events to append, or why not.
///
/// # Errors
/// [`Refusal`], which leaves the state as it is.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::ClosePeriod(close) => decide_close(state, close),
        Command::IssueInvoice(draft) => decide_issue(state, draft),
    }
}

fn decide_close(state: &State, close: &PeriodClosed) -> Result<Vec<Event>, Refusal> {
    match state.closed(&close.contract_id, &close.period.text) {
        Some(existing) => Err(Refusal::AlreadyClosed {
            contract_id: close.contract_id.clone(),
            period: close.period.text.clone(),
            cut: existing.cut,
        }),
        None => Ok(vec![Event::PeriodClosed(close.clone())]),
    }
}

fn decide_issue(state: &State, draft: &Draft) -> Result<Vec<Event>, Refusal> {
    let document = draft.document();
    if let Some(existing) = state.issued(&document.invoice_id) {
        return Err(Refusal::AlreadyIssued {
            invoice_id: document.invoice_id.clone(),
            number: existing.number.clone(),
        });
    }
    let (contract_id, period) = (document.contract_id.clone(), document.period.text.clone());
    let Some(close) = state.closed(&contract_id, &period) else {
        return Err(Refusal::NotClosed { contract_id, period });
    };
    if !matches_close(document, close) {
        return Err(Refusal::OtherClose {
            contract_id,
            period,
            draft_cut: document.evidence.cut,
            cut: close.cut,
        });
    }
    let number = state.next_number(&document.legal_entity);
    Ok(vec![Event::InvoiceIssued(Box::new(draft.numbered(number)))])
}

fn matches_close(document: &Invoice, close: &PeriodClosed) -> bool {
    document.evidence.cut == close.cut
        && document.period == close.period
        && document.customer_id == close.customer_id
}

/// The state after a winning event.
///
/// # Errors
/// [`Inconsistent`] for an event that [`decide`] would not have made in this state.
pub fn evolve(mut state: State, event: &Event) -> Result<State, Inconsistent> {
    state.apply(event)?;
    Ok(state)
}

impl State {
    /// [`evolve`] in place. An event that is refused leaves the state as it was.
    ///
    /// # Errors
    /// As [`evolve`].
    pub fn apply(&mut self, event: &Event) -> Result<(), Inconsistent> {
        match event {
            Event::PeriodClosed(close) => {
                decide_close(self, close).map_err(|refusal| Inconsistent { detail: refusal.to_string() })?;
                let key = (close.contract_id.clone(), close.period.text.clone());
                self.closed.insert(key, close.clone());
                Ok(())
            }
            Event::InvoiceIssued(invoice) => evolve_issued(self, invoice),
        }
    }
}

fn evolve_issued(state: &mut State, invoice: &Invoice) -> Result<(), Inconsistent> {
    let number = state.next_number(&invoice.legal_entity);
    if invoice.number != number {
        let detail =
            format!("invoice {} has number {}, the next is {number}", invoice.invoice_id, invoice.number);
        return Err(Inconsistent { detail });
    }
    if state.issued.contains_key(&invoice.invoice_id) {
        return Err(Inconsistent { detail: format!("invoice {} is issued twice", invoice.invoice_id) });
    }
    let close = state.closed(&invoice.contract_id, &invoice.period.text);
    if !close.is_some_and(|close| matches_close(invoice, close)) {
        let detail = format!("invoice {} does not follow from a close of its period", invoice.invoice_id);
        return Err(Inconsistent { detail });
    }
    if invoice.compute_bill_digest().ok() != Some(invoice.bill_digest) {
        let detail = format!("invoice {} does not have the bill digest it states", invoice.invoice_id);
        return Err(Inconsistent { detail });
    }
    let prefix = state.prefix(&invoice.legal_entity);
    state.prefixes.insert(prefix, invoice.legal_entity.clone());
    *state.last_numbers.entry(invoice.legal_entity.clone()).or_default() += 1;
    state.issued.insert(
        invoice.invoice_id.clone(),
        IssuedInvoice {
            number: invoice.number.clone(),
            customer_id: invoice.customer_id.clone(),
            bill_digest: invoice.bill_digest,
            evidence_digest: invoice.evidence_digest,
        },
    );
    Ok(())
}
