//! Where an invoice stands: what its notes and payments did to it, folded from the projection of the
//! ledger in its order.
//!
//! Only records that won are projected, so nothing is checked again here; what has another form than it
//! needs is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Read;
use super::invoice_body::{Invoice, InvoiceTotal};
use crate::error::StoreError;
use crate::tenant::only_own;

/// The kind of lines that are owed to the customer.
const PAYABLE_KIND: &str = "pool_earnings";

/// Where an issued invoice stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InvoiceStanding {
    /// `issued`, `partially_paid`, `paid`, `overdue`, `void` or `written_off`.
    pub state: String,
    /// What payments settled, one per currency.
    pub paid: Vec<InvoiceTotal>,
    /// What is left to be paid, one per currency.
    pub open: Vec<InvoiceTotal>,
    /// Its credit and debit notes, in order.
    pub notes: Vec<InvoiceNote>,
}

/// A credit or debit note of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InvoiceNote {
    /// Its number.
    pub number: String,
    /// `credit_note_issued` or `debit_note_issued`.
    pub kind: String,
    /// Why it was issued, such as `adjustment` or `dispute`.
    pub reason: String,
    /// When, UTC microseconds.
    pub issued_us: i64,
    /// The lines that it corrects.
    pub lines: Vec<InvoiceNoteLine>,
    /// Its sums, one per currency; negative where credited.
    pub totals: Vec<InvoiceTotal>,
}

/// A line of a note.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct InvoiceNoteLine {
    /// The invoice's line.
    pub line_id: String,
    /// The component's kind.
    pub kind: String,
    /// What it says.
    pub description: String,
    /// What the note adds, in minor units; negative where it credits.
    pub amount_minor: String,
    /// What the line comes to with it, in minor units.
    pub after_minor: String,
    /// The currency's code.
    pub currency: String,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Row {
    #[expect(dead_code, reason = "the order of the rows")]
    ledger_offset: u64,
    kind: String,
    customer_id: String,
    body: String,
}

#[derive(Deserialize)]
struct NoteBody {
    number: String,
    invoice_id: String,
    reason: Reason,
    lines: Vec<InvoiceNoteLine>,
    totals: Vec<InvoiceTotal>,
    #[serde(default)]
    released: Vec<AmountBody>,
    at_us: i64,
}

#[derive(Deserialize)]
struct Reason {
    kind: String,
}

#[derive(Deserialize)]
struct AmountBody {
    amount_minor: String,
    currency: String,
}

#[derive(Deserialize)]
struct PaymentBody {
    #[serde(default)]
    amount: Option<AmountBody>,
    #[serde(default)]
    currency: Option<String>,
    allocations: Vec<AllocationBody>,
}

#[derive(Deserialize)]
struct AllocationBody {
    invoice_id: String,
    amount_minor: String,
}

#[derive(Deserialize)]
struct OverdueBody {
    invoice_id: String,
}

#[derive(Deserialize)]
struct WrittenOffBody {
    invoice_id: String,
    amounts: Vec<AmountBody>,
}

/// What is being added up of one invoice.
#[derive(Default)]
struct Folded {
    /// Charged by invoice and notes, and what payments settled, in minor units by currency.
    charged: BTreeMap<String, i128>,
    paid: BTreeMap<String, i128>,
    given_up: BTreeMap<String, i128>,
    notes: Vec<InvoiceNote>,
    void: bool,
    overdue: bool,
    written_off: bool,
}

impl Read {
    /// Says of each invoice where it stands.
    pub(super) async fn stand(&self, invoices: &mut [Invoice]) -> Result<(), StoreError> {
        let customers: BTreeSet<&String> = invoices.iter().map(|invoice| &invoice.customer_id).collect();
        if customers.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "SELECT ledger_offset, kind, customer_id, body FROM ledger
             WHERE kind IN ('credit_note_issued', 'debit_note_issued', 'payment_received', 'payment_allocated',
                            'payment_reversed', 'invoice_overdue', 'invoice_written_off')
               AND {} AND has({{customers:Array(String)}}, customer_id)
             ORDER BY ledger_offset LIMIT 1 BY ledger_offset",
            only_own(&self.scope, "customer_id")
        );
        let customers: Vec<&String> = customers.into_iter().collect();
        let query = self.query(&sql).param("customers", customers);
        let rows: Vec<Row> = self.fetch("see where invoices stand", query).await?;
        let mut folded: BTreeMap<(String, String), Folded> = BTreeMap::new();
        for invoice in invoices.iter() {
            let of = folded.entry((invoice.customer_id.clone(), invoice.invoice_id.clone())).or_default();
            for line in invoice.lines.iter().filter(|line| line.kind != PAYABLE_KIND) {
                add(&mut of.charged, &line.currency, &line.amount_minor, 1)?;
            }
        }
        for row in rows {
            fold(&mut folded, &row)?;
        }
        for invoice in invoices {
            let key = (invoice.customer_id.clone(), invoice.invoice_id.clone());
            if let Some(folded) = folded.remove(&key) {
                invoice.standing = folded.standing();
            }
        }
        Ok(())
    }
}

fn refuse(problem: String) -> StoreError {
    StoreError::Row { table: "ledger", problem }
}

fn read<'a, T: Deserialize<'a>>(row: &'a Row) -> Result<T, StoreError> {
    serde_json::from_str(&row.body)
        .map_err(|error| refuse(format!("a record of kind {} cannot be read: {error}", row.kind)))
}

fn add(sums: &mut BTreeMap<String, i128>, currency: &str, minor: &str, sign: i128) -> Result<(), StoreError> {
    let minor: i128 = minor.parse().map_err(|_| refuse(format!("{minor:?} is no amount in minor units")))?;
    let sum = sums.entry(currency.to_owned()).or_default();
    *sum = minor
        .checked_mul(sign)
        .and_then(|minor| sum.checked_add(minor))
        .ok_or_else(|| refuse("amounts do not fit 128 bits".to_owned()))?;
    Ok(())
}

fn fold(folded: &mut BTreeMap<(String, String), Folded>, row: &Row) -> Result<(), StoreError> {
    let key = |invoice_id: String| (row.customer_id.clone(), invoice_id);
    match row.kind.as_str() {
        "credit_note_issued" | "debit_note_issued" => {
            let note: NoteBody = read(row)?;
            let Some(of) = folded.get_mut(&key(note.invoice_id)) else { return Ok(()) };
            for line in note.lines.iter().filter(|line| line.kind != PAYABLE_KIND) {
                add(&mut of.charged, &line.currency, &line.amount_minor, 1)?;
            }
            for released in &note.released {
                add(&mut of.paid, &released.currency, &released.amount_minor, -1)?;
            }
            of.void |= note.reason.kind == "void";
            of.notes.push(InvoiceNote {
                number: note.number,
                kind: row.kind.clone(),
                reason: note.reason.kind,
                issued_us: note.at_us,
                lines: note.lines,
                totals: note.totals,
            });
        }
        "payment_received" | "payment_allocated" | "payment_reversed" => {
            let payment: PaymentBody = read(row)?;
            let currency = payment.currency.or(payment.amount.map(|amount| amount.currency));
            let currency = currency.ok_or_else(|| refuse("a payment has no currency".to_owned()))?;
            let sign = if row.kind == "payment_reversed" { -1 } else { 1 };
            for allocation in payment.allocations {
                if let Some(of) = folded.get_mut(&key(allocation.invoice_id)) {
                    add(&mut of.paid, &currency, &allocation.amount_minor, sign)?;
                }
            }
        }
        "invoice_overdue" => {
            if let Some(of) = folded.get_mut(&key(read::<OverdueBody>(row)?.invoice_id)) {
                of.overdue = true;
            }
        }
        _ => {
            let given_up: WrittenOffBody = read(row)?;
            let Some(of) = folded.get_mut(&key(given_up.invoice_id)) else { return Ok(()) };
            of.written_off = true;
            for amount in &given_up.amounts {
                add(&mut of.given_up, &amount.currency, &amount.amount_minor, 1)?;
            }
        }
    }
    Ok(())
}

impl Folded {
    fn standing(self) -> InvoiceStanding {
        let mut open = self.charged.clone();
        for (currency, minor) in self.paid.iter().chain(&self.given_up) {
            *open.entry(currency.clone()).or_default() -= minor;
        }
        let left = open.values().any(|minor| *minor > 0);
        let state = if self.void {
            "void"
        } else if !left {
            if self.written_off { "written_off" } else { "paid" }
        } else if self.overdue {
            "overdue"
        } else if self.paid.values().any(|minor| *minor > 0) {
            "partially_paid"
        } else {
            "issued"
        };
        InvoiceStanding {
            state: state.to_owned(),
            paid: totals(self.paid),
            open: totals(open),
            notes: self.notes,
        }
    }
}

fn totals(sums: BTreeMap<String, i128>) -> Vec<InvoiceTotal> {
    sums.into_iter()
        .map(|(currency, minor)| InvoiceTotal {
            amount: match wb_units::Currency::from_code(&currency) {
                Ok(currency) => wb_units::Money { minor, currency }.decimal_text(),
                Err(_) => minor.to_string(),
            },
            amount_minor: minor.to_string(),
            currency,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn standing(events: &[(&str, Value)]) -> (String, Vec<String>, Vec<String>) {
        let mut of = Folded::default();
        of.charged.insert("USD".to_owned(), 10_000);
        let mut folded = BTreeMap::from([(("acme".to_owned(), "inv_1".to_owned()), of)]);
        for (offset, (kind, body)) in (0..).zip(events) {
            let row = Row {
                ledger_offset: offset,
                kind: (*kind).to_owned(),
                customer_id: "acme".to_owned(),
                body: body.to_string(),
            };
            fold(&mut folded, &row).unwrap();
        }
        let standing = folded.into_values().next().unwrap().standing();
        let shown = |totals: Vec<InvoiceTotal>| totals.into_iter().map(|total| total.amount).collect();
        (standing.state, shown(standing.paid), shown(standing.open))
    }

    #[test]
    fn notes_and_payments_change_where_an_invoice_stands() {
        let note = |kind, amount: &str, released| {
            json!({"number": "N", "invoice_id": "inv_1", "reason": {"kind": kind}, "at_us": 1, "totals": [],
                "lines": [{"line_id": "power", "kind": "metered_energy", "amount_minor": amount, "currency": "USD"},
                    {"line_id": "earnings", "kind": "pool_earnings", "amount_minor": "7", "currency": "BTC"}],
                "released": released})
        };
        let pay = |amount: &str| {
            json!({"amount": {"amount_minor": "9999", "currency": "USD"},
                "allocations": [{"invoice_id": "inv_1", "amount_minor": amount}, {"invoice_id": "inv_2", "amount_minor": "5"}]})
        };
        let text = |text: &str| vec![text.to_owned()];
        assert_eq!(standing(&[]), ("issued".to_owned(), vec![], text("100.00")));
        let mut events = vec![("payment_received", pay("4000"))];
        assert_eq!(standing(&events), ("partially_paid".to_owned(), text("40.00"), text("60.00")));
        events.push(("invoice_overdue", json!({"invoice_id": "inv_1"})));
        assert_eq!(standing(&events).0, "overdue");
        events.push((
            "credit_note_issued",
            note("adjustment", "-7000", json!([{"amount_minor": "1000", "currency": "USD"}])),
        ));
        assert_eq!(standing(&events), ("paid".to_owned(), text("30.00"), text("0.00")));
        events.push(("payment_reversed", pay("3000")));
        assert_eq!(standing(&events), ("overdue".to_owned(), text("0.00"), text("30.00")));
        events.push((
            "invoice_written_off",
            json!({"invoice_id": "inv_1", "amounts": [{"amount_minor": "3000", "currency": "USD"}]}),
        ));
        assert_eq!(standing(&events).0, "written_off");
        events.push(("credit_note_issued", note("void", "-3000", json!([]))));
        assert_eq!(standing(&events).0, "void");
    }
}
