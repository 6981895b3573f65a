//! The journal balances, is dated by the month of each record, and has the columns that accounting systems
//! import.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;

use crate::support::{END_US, START_US, csv_rows, entry, ledger, read_csv};
use wb_export::{Exporter, Finished, Format, Profile, Request, Table};
use wb_ledger::{Amount, Event, Minor, PaymentReceived};

fn payment(received_us: i64) -> Event {
    Event::PaymentReceived(PaymentReceived {
        payment_id: "pay_1".to_owned(),
        reference: "bank 77".to_owned(),
        legal_entity: "Weigh AS".to_owned(),
        customer_id: "acme".to_owned(),
        amount: Amount { amount_minor: Minor(50_000), currency: "USD".to_owned() },
        received_us,
        allocations: Vec::new(),
    })
}

fn journal(request: Request) -> Finished {
    let mut exporter = Exporter::new(request).unwrap();
    for (offset, event) in ledger() {
        exporter.push(&entry(offset, &event)).unwrap();
    }
    exporter.push(&entry(20, &payment(START_US))).unwrap();
    exporter.push(&entry(21, &payment(END_US))).unwrap();
    exporter.finish(22).unwrap()
}

fn request() -> Request {
    Request::new(Table::Journal, Format::Csv, "2026-10", None).unwrap()
}

#[test]
fn debits_are_credits_in_every_entry() {
    let done = journal(request());
    let mut entries: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    for row in csv_rows(&done.bytes) {
        let minor = |name: &str| row[name].as_deref().unwrap().parse::<i128>().unwrap();
        let (debit, credit) = (minor("debit_minor"), minor("credit_minor"));
        assert!(debit >= 0 && credit >= 0 && (debit == 0) != (credit == 0));
        let sums = entries.entry(row["entry_id"].clone().unwrap()).or_default();
        *sums = (sums.0 + debit, sums.1 + credit);
    }
    // The invoice of September was issued in October, the second payment is of November.
    let ids: Vec<&str> = entries.keys().map(String::as_str).collect();
    assert_eq!(ids, ["L12-KWD", "L20-USD", "L3-USD", "L5-BTC", "L5-USD", "L6-JPY", "L9-JPY"]);
    assert!(entries.values().all(|(debits, credits)| debits == credits), "{entries:?}");
    let control = done.control;
    assert_eq!(control.sums["debit"], control.sums["credit"]);
    assert_eq!((control.records, control.last_record.unwrap().ledger_offset), (6, 20));
}

#[test]
fn accounting_systems_get_their_columns_and_accounts() {
    let rows = |profile| {
        let request = request().with_profile(profile).unwrap();
        let request = request.with_account("accounts_receivable", "1100").with_account("revenue", "4000");
        let done = journal(request.with_account("revenue:metered_energy", "4100"));
        assert_eq!(
            done.control.left_out.iter().map(|left| left.currency.as_str()).collect::<Vec<_>>(),
            ["BTC", "KWD"]
        );
        let text = |row: Vec<Option<String>>| {
            row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|")
        };
        read_csv(&done.bytes).into_iter().map(text).collect::<Vec<_>>()
    };
    let quickbooks = rows(Profile::Quickbooks);
    assert_eq!(quickbooks[0], "JournalNo|JournalDate|AccountName|Debits|Credits|Description|Name|Currency");
    assert_eq!(quickbooks[1], "L3-USD|10/31/2026|1100|196361.89||invoice issued INV-000001|acme|USD");
    assert_eq!(quickbooks[2], "L3-USD|10/31/2026|4100||174753.07|invoice issued INV-000001|acme|USD");
    assert_eq!(quickbooks[3], "L3-USD|10/31/2026|4000||12358.50|invoice issued INV-000001|acme|USD");
    assert_eq!(quickbooks[4], "L3-USD|10/31/2026|4000|100.25||invoice issued INV-000001|acme|USD");
    let xero = rows(Profile::Xero);
    assert!(xero[0].starts_with("*Narration|*Date|Description|*AccountCode|*TaxRate|*Amount|TrackingName1|"));
    assert_eq!(xero[2], "L3-USD acme|31/10/2026|invoice issued INV-000001|4100|Tax Exempt|-174753.07||||");
    let netsuite = rows(Profile::Netsuite);
    assert_eq!(netsuite[0], "External ID|Date|Currency|Account|Debit|Credit|Memo|Name");
    assert_eq!(netsuite[1], "L3-USD|10/31/2026|USD|1100|196361.89||invoice issued INV-000001|acme");
}
