//! Thin messages: what happened to what, and where to read it. Line amounts, prices and evidence are only in the API,
//! behind its tokens.

use serde_json::{Map, Value, json};
use wb_ledger::{Applied, Chain, Event, Hash, LedgerRecord, canonical};
use wb_units::time::rfc3339;

use crate::error::WebhookError;
use crate::ports::LedgerSource;

/// The subjects of events; the rest of a kind's name is what happened.
const SUBJECTS: [&str; 11] = [
    "credit_note",
    "debit_note",
    "invoice",
    "payment",
    "period",
    "draft",
    "delivery",
    "issue",
    "refund",
    "dispute",
    "opening",
];

/// The fields of an event's body that a message contains.
const FIELDS: [&str; 12] = [
    "invoice_id",
    "number",
    "contract_id",
    "invoice_number",
    "note_id",
    "payment_id",
    "refund_id",
    "dispute_id",
    "item_id",
    "reference",
    "totals",
    "amount",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The offset of its record.
    pub ledger_offset: u64,
    /// `msg_`, the record's offset, and the first 24 hex digits of its hash. It never changes.
    pub id: String,
    /// What happened, such as `invoice.issued`.
    pub event_type: String,
    /// The customer concerned.
    pub customer_id: String,
    /// Canonical JSON: the bytes that are signed and sent.
    pub body: Vec<u8>,
}

/// The type of a kind of event: `invoice_issued` is `invoice.issued`.
#[must_use]
pub fn event_type(kind: &str) -> String {
    let split = |subject: &str| {
        let rest = kind.strip_prefix(subject)?.strip_prefix('_')?;
        Some(format!("{subject}.{rest}"))
    };
    SUBJECTS.into_iter().find_map(split).unwrap_or_else(|| kind.to_owned())
}

impl Message {
    /// The message of a winning record.
    ///
    /// # Errors
    /// [`WebhookError::Event`] for an unknown kind, [`WebhookError::Message`] if it has no canonical form.
    pub fn new(ledger_offset: u64, hash: Hash, record: &LedgerRecord) -> Result<Self, WebhookError> {
        let event = Event::read(&record.kind, &record.body)
            .map_err(|source| WebhookError::Event { offset: ledger_offset, source })?;
        let event_type = event_type(&record.kind);
        let mut data = Map::from_iter([
            ("customer_id".to_owned(), Value::from(event.customer_id())),
            ("ledger_offset".to_owned(), Value::from(ledger_offset)),
            ("record_hash".to_owned(), Value::from(hash.to_string())),
        ]);
        if let Some(invoice_id) = event.invoice_id() {
            data.insert("invoice_id".to_owned(), Value::from(invoice_id));
        }
        for field in FIELDS {
            if let Some(value) = record.body.get(field) {
                data.insert(field.to_owned(), value.clone());
            }
        }
        if let Some(period) = record.body.get("period").and_then(|period| period.get("text")) {
            data.insert("period".to_owned(), period.clone());
        }
        let timestamp = rfc3339(record.at_us);
        let body = json!({ "type": event_type, "timestamp": timestamp, "data": data });
        let body = canonical::write(&body)
            .map_err(|source| WebhookError::Message { offset: ledger_offset, source })?;
        Ok(Self {
            ledger_offset,
            id: format!("msg_{ledger_offset}_{}", &hash.to_string()[..24]),
            event_type,
            customer_id: event.customer_id().to_owned(),
            body: body.into_bytes(),
        })
    }
}

/// The messages of the ledger's winning records, as far as it was read.
#[derive(Debug, Default)]
pub struct Outbox {
    chain: Chain,
    messages: Vec<Message>,
}

impl Outbox {
    /// Reads the ledger on. After an error the next call reads the same record again.
    ///
    /// # Errors
    /// [`WebhookError::Ledger`], or as [`Message::new`].
    pub async fn refresh<L: LedgerSource>(&mut self, ledger: &L) -> Result<(), WebhookError> {
        let records = ledger.read_from(self.chain.next_offset()).await.map_err(WebhookError::Ledger)?;
        for (offset, bytes) in records {
            let mut chain = self.chain.clone();
            // Losing and invalid records are never sent.
            if let Applied::Won { hash, record } = chain.apply(offset, &bytes) {
                self.messages.push(Message::new(offset, hash, &record)?);
            }
            self.chain = chain;
        }
        Ok(())
    }

    /// One past the last record that was read.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.chain.next_offset()
    }

    /// The messages from a ledger offset on, in order.
    #[must_use]
    pub fn from(&self, ledger_offset: u64) -> &[Message] {
        let first = self.messages.partition_point(|message| message.ledger_offset < ledger_offset);
        &self.messages[first..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_become_types() {
        for (kind, expected) in [
            ("invoice_issued", "invoice.issued"),
            ("invoice_written_off", "invoice.written_off"),
            ("credit_note_issued", "credit_note.issued"),
            ("period_closed", "period.closed"),
            ("something_else", "something_else"),
        ] {
            assert_eq!(event_type(kind), expected);
        }
        let plain: Vec<&&str> = Event::KINDS.iter().filter(|kind| !event_type(kind).contains('.')).collect();
        assert!(plain.is_empty(), "these kinds have no subject: {plain:?}");
    }
}
