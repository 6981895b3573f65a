//! An invoice as the ledger's record holds it.
//!
//! The ledger belongs to billing and grows by its own rules, so this reader takes what it needs
//! and lets fields be missing or new.

use serde::Deserialize;
use serde_json::Value;

use super::standing::InvoiceStanding;
use crate::error::StoreError;

/// An issued invoice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Invoice {
    /// Its identifier, the same whenever the same contract and period are billed.
    pub invoice_id: String,
    /// Its number, gapless per legal entity.
    pub number: String,
    /// Who is billed.
    pub customer_id: String,
    /// Under which contract.
    pub contract_id: String,
    /// Who issues it.
    pub legal_entity: String,
    /// What is billed, such as the month `2026-10`.
    #[serde(deserialize_with = "period")]
    pub period: InvoicePeriod,
    /// What is charged.
    pub lines: Vec<InvoiceLine>,
    /// The sums, one per currency.
    pub totals: Vec<InvoiceTotal>,
    /// SHA-256 over what is charged, in hex.
    pub bill_digest: String,
    /// SHA-256 over the blocks it was computed from, in hex.
    pub evidence_digest: String,
    /// What it was computed from.
    pub evidence: InvoiceEvidence,
    /// When it was issued and is due, where the record says it.
    pub dates: Option<InvoiceDates>,
    /// Where it stands; not of its own record.
    #[serde(skip)]
    pub standing: InvoiceStanding,
}

/// When an invoice was issued and is due.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct InvoiceDates {
    /// When it was issued, UTC microseconds.
    pub issued_us: i64,
    /// When it is due, UTC microseconds.
    pub due_us: i64,
}

/// The period of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct InvoicePeriod {
    /// Its name, such as `2026-10`.
    pub text: String,
    /// Its first instant, UTC microseconds, where the record has it.
    pub start_us: Option<i64>,
    /// The first instant after it, UTC microseconds, where the record has it.
    pub end_us: Option<i64>,
}

/// What an invoice was computed from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct InvoiceEvidence {
    /// The offset in `commits` before which a block counted.
    pub cut: Option<u64>,
    /// Named blocks behind the lines.
    pub blocks_count: Option<u64>,
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct InvoiceLine {
    /// Its identifier within the invoice.
    pub id: String,
    /// The contract's component that it is for.
    pub component: String,
    /// The kind of the component.
    pub kind: String,
    /// What it says.
    pub description: String,
    /// The quantity, exact, as decimal text.
    #[serde(deserialize_with = "plain_text")]
    pub quantity: String,
    /// The quantity's unit.
    pub unit: String,
    /// The price of one unit, as decimal text.
    #[serde(deserialize_with = "plain_text")]
    pub unit_price: String,
    /// How the amount follows from quantity and price, with its rounding.
    pub formula: String,
    /// The amount in minor units (cents, satoshi), as text.
    #[serde(deserialize_with = "plain_text")]
    pub amount_minor: String,
    /// The currency's code.
    pub currency: String,
    /// How many inputs the quantity was added up from.
    pub inputs_count: Option<u64>,
    /// SHA-256 of the list of all inputs, in hex.
    pub inputs_digest: String,
}

/// The sum of an invoice's lines in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct InvoiceTotal {
    /// The currency's code.
    pub currency: String,
    /// The sum as decimal text with all places of the currency.
    #[serde(deserialize_with = "plain_text")]
    pub amount: String,
    /// The sum in minor units (cents, satoshi), as text.
    #[serde(deserialize_with = "plain_text")]
    pub amount_minor: String,
}

/// Where in a record the invoice may stand.
const PLACES: [&[&str]; 2] = [&[], &["invoice"]];

/// Finds the invoice in a ledger record's JSON.
///
/// # Errors
/// [`StoreError::Row`] where the record holds no invoice.
pub(super) fn parse(record: &str) -> Result<Invoice, StoreError> {
    let refuse = |problem: String| StoreError::Row { table: "ledger", problem };
    let whole: Value =
        serde_json::from_str(record).map_err(|error| refuse(format!("body is not JSON: {error}")))?;
    for place in PLACES {
        let found = place.iter().try_fold(&whole, |value, field| value.get(field));
        if let Some(found) = found.filter(|value| value.get("invoice_id").is_some()) {
            // A record may name the invoice beside it; the one with lines is the invoice.
            if found.get("lines").is_some() {
                return Invoice::deserialize(found)
                    .map_err(|error| refuse(format!("its invoice cannot be read: {error}")));
            }
        }
    }
    Err(refuse("an invoice_issued record holds no invoice with lines".to_owned()))
}

/// Text, or an integer as its text; a quantity is never a float.
fn plain_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Value::Null => Ok(String::new()),
        other => Err(serde::de::Error::custom(format!("{other} is neither text nor an integer"))),
    }
}

/// A period with its bounds, or its name alone.
fn period<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<InvoicePeriod, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(InvoicePeriod { text, ..InvoicePeriod::default() }),
        other => InvoicePeriod::deserialize(other).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_invoice_is_found_wherever_the_record_has_it() {
        let invoice = json!({"invoice_id": "inv_1", "period": "2026-10", "customer_id": "acme", "new": [1],
            "lines": [{"id": "power", "quantity": "1.5", "amount_minor": 7, "currency": "USD"}],
            "totals": [{"currency": "USD", "amount": "0.07", "amount_minor": "7"}]});
        let mut bounded = invoice.clone();
        bounded["period"] = json!({"text": "2026-10", "start_us": 5, "end_us": 6});
        for record in [invoice.clone(), bounded, json!({"invoice": invoice, "invoice_id": "inv_1"})] {
            let found = parse(&record.to_string()).unwrap();
            assert_eq!((found.invoice_id.as_str(), found.period.text.as_str()), ("inv_1", "2026-10"));
            assert_eq!(found.lines[0].amount_minor, "7");
            assert_eq!(found.number, "");
        }
    }

    #[test]
    fn what_is_no_invoice_is_refused() {
        for record in
            ["", "[]", "{}", r#"{"invoice_id":"x"}"#, r#"{"invoice_id":"x","lines":[{"quantity":1.5}]}"#]
        {
            assert_eq!(parse(record).unwrap_err().code(), "WB-3206", "{record}");
        }
    }
}
