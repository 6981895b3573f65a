//! Invoices to export, and readers that share no code with the writers.
#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;

use wb_export::{Entry, Exporter, Finished, Format, Request, Table};
use wb_ledger::{
    Billed, BillingTerms, ChainHead, ContractVersion, Draft, Event, EvidenceBlock, Hash, Invoice,
    InvoiceDates, Minor, Note, NoteLine, NoteReason, PeriodDocument, Total,
};
use wb_rating::Line;
use wb_units::{Currency, Money};

/// 2026-10-01T00:00:00Z, microseconds.
pub(crate) const START_US: i64 = 1_790_812_800_000_000;
/// 2026-11-01T00:00:00Z, microseconds.
pub(crate) const END_US: i64 = START_US + 31 * 86_400_000_000;

/// A line with two inputs.
pub(crate) fn line(
    kind: &str,
    code: &str,
    quantity: &str,
    unit: &str,
    unit_price: &str,
    amount: &str,
) -> Line {
    let currency = Currency::from_code(code).unwrap();
    let input = |machine: &str| {
        BTreeMap::from([
            ("machine_id".to_owned(), machine.to_owned()),
            ("energy_kwh".to_owned(), quantity.to_owned()),
        ])
    };
    Line {
        id: format!("contract-1/{kind}"),
        component: kind.to_owned(),
        kind: kind.to_owned(),
        description: format!("Line of {kind}"),
        quantity: quantity.to_owned(),
        unit: unit.to_owned(),
        unit_price: unit_price.to_owned(),
        formula: "sum of what there is, rounded half to even".to_owned(),
        amount: Money::parse(amount, currency).unwrap(),
        tax: None,
        inputs: vec![input("machine-1"), input("machine-2")],
    }
}

pub(crate) fn invoice(number: &str, customer: &str, period: &str, lines: Vec<Line>) -> Invoice {
    let draft = Draft::new(Billed {
        legal_entity: "Weigh AS".to_owned(),
        customer_id: customer.to_owned(),
        contract_id: "contract-1".to_owned(),
        contract_versions: vec![ContractVersion {
            start_us: START_US,
            end_us: END_US,
            digest: Hash::of(b"contract"),
        }],
        period: PeriodDocument { text: period.to_owned(), start_us: START_US, end_us: END_US },
        terms: BillingTerms::default(),
        lines,
        cut: 77,
        blocks: vec![EvidenceBlock {
            topic: "energy".to_owned(),
            partition: 0,
            block: 3,
            content_hash: Hash::of(b"content"),
            merkle_root: Hash::of(b"root"),
        }],
        days: Vec::new(),
        chain_heads: vec![ChainHead {
            topic: "energy".to_owned(),
            partition: 0,
            block: 3,
            commit_hash: Hash::of(b"n"),
        }],
    })
    .unwrap();
    let dates = InvoiceDates { issued_us: END_US - 3_600_000_000, due_us: END_US + 14 * 86_400_000_000 };
    Invoice { number: number.to_owned(), dates: Some(dates), ..draft.document().clone() }
}

/// A ledger with all cases that exports distinguish.
pub(crate) fn ledger() -> Vec<(u64, Event)> {
    let hosting = vec![
        line("metered_energy", "USD", "2410387.2", "kWh", "0.0725 USD/kWh", "174753.07"),
        line("management_fee", "USD", "3531", "kW-month", "3.50 USD/kW-month", "12358.50"),
        line("uptime_credit", "USD", "1", "period", "", "-100.25"),
        line("tax", "USD", "187011.32", "USD", "5 percent", "9350.57"),
    ];
    let gpus = vec![
        line("gpu_reserved", "USD", "5760", "GPU-hour", "2.85 USD/GPU-hour", "16416.00"),
        line("gpu_on_demand", "USD", "47444", "GPU-second", "3.99 USD/GPU-hour", "52.58"),
        line("mig_slice", "USD", "100/7", "GPU-hour", "2.85 USD/GPU-hour", "40.71"),
        line("hashrate_fee", "BTC", "12.5", "PH-day", "0.00000100 BTC/PH-day", "0.00001250"),
    ];
    let yen = vec![line("indexed_energy", "JPY", "1000.5", "kWh", "12.25 JPY/kWh", "12256")];
    let dinar = vec![line("one_off", "KWD", "1", "charge", "2.125 KWD/charge", "2.125")];
    let all = [
        (3, "INV-000001", "acme", "2026-10", hosting),
        (5, "INV-000002", "=cmd|birch", "2026-10", gpus),
        (6, "INV-000003", "acme", "2026-09", yen.clone()),
        (9, "INV-000004", "cedar", "2026-10", yen),
        (12, "INV-000005", "acme", "2026-10", dinar),
    ];
    let mut ledger: Vec<(u64, Event)> = Vec::new();
    let (mut first_id, mut second_id) = (String::new(), String::new());
    for (offset, number, customer, period, lines) in all {
        let mut made = invoice(number, customer, period, lines);
        // The contract has one invoice a month; these are of several contracts.
        made.invoice_id = format!("inv_{number}");
        match offset {
            3 => first_id.clone_from(&made.invoice_id),
            6 => second_id.clone_from(&made.invoice_id),
            _ => {}
        }
        ledger.push((offset, issued(&made)));
    }
    ledger.push((14, credit_note("CN-000001", &first_id, "INV-000001")));
    // Of an invoice of another month.
    ledger.push((15, credit_note("CN-000002", &second_id, "INV-000003")));
    ledger
}

/// A note that credits 500.25 dollars of an invoice of Acme's.
pub(crate) fn credit_note(number: &str, invoice_id: &str, invoice_number: &str) -> Event {
    let line = NoteLine {
        line_id: "contract-1/metered_energy".to_owned(),
        kind: "metered_energy".to_owned(),
        description: "Metered energy, corrected".to_owned(),
        quantity: "2403487.2".to_owned(),
        unit: "kWh".to_owned(),
        before_minor: Minor(17_475_307),
        amount_minor: Minor(-50_025),
        after_minor: Minor(17_425_282),
        computed_minor: None,
        currency: "USD".to_owned(),
        tax: None,
    };
    Event::CreditNoteIssued(Box::new(Note {
        note_id: format!("note_{number}"),
        number: number.to_owned(),
        legal_entity: "Weigh AS".to_owned(),
        customer_id: "acme".to_owned(),
        invoice_id: invoice_id.to_owned(),
        invoice_number: invoice_number.to_owned(),
        reason: NoteReason::ByHand { reference: "r-1".to_owned(), text: "a wrong meter".to_owned() },
        lines: vec![line],
        totals: vec![Total {
            currency: "USD".to_owned(),
            amount: "-500.25".to_owned(),
            amount_minor: "-50025".to_owned(),
        }],
        released: Vec::new(),
        settled: Vec::new(),
        at_us: END_US + 86_400_000_000,
    }))
}

pub(crate) fn issued(invoice: &Invoice) -> Event {
    Event::InvoiceIssued(Box::new(invoice.clone()))
}

pub(crate) fn entry(offset: u64, event: &Event) -> Entry<'_> {
    Entry { ledger_offset: offset, record_hash: Hash::of(&offset.to_be_bytes()), event }
}

/// The whole file and its totals, the bytes taken after every invoice.
pub(crate) fn export_of(request: Request, ledger: &[(u64, Event)]) -> Finished {
    let mut exporter = Exporter::new(request).unwrap();
    let mut bytes = Vec::new();
    for (offset, event) in ledger {
        exporter.push(&entry(*offset, event)).unwrap();
        bytes.extend(exporter.take());
    }
    let mut done = exporter.finish(16).unwrap();
    bytes.append(&mut done.bytes);
    Finished { bytes, ..done }
}

pub(crate) fn export(table: Table, format: Format) -> Finished {
    export_of(Request::new(table, format, "2026-10", None).unwrap(), &ledger())
}

/// Reads CSV by RFC 4180; `None` is an empty field without quotes, text loses its one apostrophe.
pub(crate) fn read_csv(bytes: &[u8]) -> Vec<Vec<Option<String>>> {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut rows = Vec::new();
    let mut letters = text.chars().peekable();
    while letters.peek().is_some() {
        let mut row = Vec::new();
        loop {
            let mut field = String::new();
            let mut quoted = false;
            if letters.peek() == Some(&'"') {
                quoted = true;
                letters.next();
                loop {
                    match letters.next().unwrap() {
                        '"' if letters.peek() == Some(&'"') => {
                            letters.next();
                            field.push('"');
                        }
                        '"' => break,
                        letter => field.push(letter),
                    }
                }
            } else {
                while let Some(letter) = letters.next_if(|letter| *letter != ',' && *letter != '\r') {
                    assert!(letter != '"' && letter != '\n', "a quote or line feed outside quotes");
                    field.push(letter);
                }
            }
            let field = field.strip_prefix('\'').map(str::to_owned).unwrap_or(field);
            row.push((quoted || !field.is_empty()).then_some(field));
            match letters.next() {
                Some(',') => {}
                Some('\r') => {
                    assert_eq!(letters.next(), Some('\n'));
                    break;
                }
                other => panic!("{other:?} after a field"),
            }
        }
        rows.push(row);
    }
    rows
}

/// Rows of a CSV file as maps.
pub(crate) fn csv_rows(bytes: &[u8]) -> Vec<BTreeMap<String, Option<String>>> {
    let mut rows = read_csv(bytes);
    let header = rows.remove(0);
    rows.into_iter()
        .map(|row| {
            assert_eq!(row.len(), header.len());
            header.iter().map(|name| name.clone().unwrap()).zip(row).collect()
        })
        .collect()
}
