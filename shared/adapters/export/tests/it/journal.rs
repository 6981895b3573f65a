//! The journal balances, is dated by the month of each record, keeps legal entities apart, and has the columns that
//! accounting systems import.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{END_US, START_US, csv_rows, entry, invoice, issued, ledger, line, read_csv};
use wb_export::{ExportError, Exporter, Finished, Format, JournalOption, Profile, Request, Table};
use wb_ledger::{
    Allocation, Amount, Event, InvoiceDates, InvoiceWrittenOff, Minor, PaymentAllocated, PaymentReceived,
};

const DAY_US: i64 = 86_400_000_000;

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

fn of(request: Request, events: &[(u64, Event)]) -> Result<Finished, ExportError> {
    let mut exporter = Exporter::new(request)?;
    for (offset, event) in events {
        exporter.push(&entry(*offset, event))?;
    }
    exporter.finish(1_000)
}

fn events() -> Vec<(u64, Event)> {
    let mut events = ledger();
    events.extend([(20, payment(START_US)), (21, payment(END_US))]);
    events
}

fn journal(request: Request) -> Finished {
    of(request, &events()).unwrap()
}

fn request() -> Request {
    Request::new(Table::Journal, Format::Csv, "2026-10", None).unwrap()
}

fn with(request: Request, options: &[(JournalOption, &str)]) -> Request {
    options.iter().fold(request, |request, (option, text)| request.with_option(*option, text).unwrap())
}

/// All accounts that the events of these tests post to.
const ACCOUNTS: [(JournalOption, &str); 9] = [
    (JournalOption::Account, "accounts_receivable=1100"),
    (JournalOption::Account, "revenue=4000"),
    (JournalOption::Account, "revenue:metered_energy=4100"),
    (JournalOption::Account, "tax_payable=2200"),
    (JournalOption::Account, "cash=1000"),
    (JournalOption::Account, "customer_balance=2300"),
    (JournalOption::Account, "accrued_revenue=1200"),
    (JournalOption::Account, "bad_debt=6000"),
    (JournalOption::CustomerName, "acme=Acme Mining Inc."),
];

/// A request with all accounts, for the books of one legal entity in dollars.
fn imported(profile: Profile) -> Request {
    let request = request().with_profile(profile).unwrap().with_legal_entity("Weigh AS").unwrap();
    with(with(request, &ACCOUNTS), &[(JournalOption::Currency, "USD")])
}

/// An invoice of a legal entity, issued at an instant.
fn invoice_of(legal_entity: &str, number: &str, code: &str, amount: &str, issued_us: i64) -> Event {
    let lines = vec![
        line("metered_energy", code, "1", "kWh", "1", amount),
        line("tax", code, "1", code, "25 percent", "7"),
    ];
    let mut made = invoice(number, "acme", "2026-10", lines);
    made.invoice_id = format!("inv_{number}");
    legal_entity.clone_into(&mut made.legal_entity);
    made.dates = Some(InvoiceDates { issued_us, due_us: issued_us + DAY_US });
    issued(&made)
}

/// Three legal entities, each with its currency.
fn group() -> Vec<(u64, Event)> {
    vec![
        (1, invoice_of("Weigh AS", "WEI-000001", "USD", "100.00", END_US - DAY_US)),
        (2, invoice_of("Weigh GmbH", "WGM-000001", "EUR", "80.00", END_US - DAY_US)),
        (3, invoice_of("Weigh KK", "WKK-000001", "JPY", "12345", END_US - DAY_US)),
    ]
}

fn written_off(invoice_id: &str) -> Event {
    Event::InvoiceWrittenOff(InvoiceWrittenOff {
        invoice_id: invoice_id.to_owned(),
        customer_id: "acme".to_owned(),
        amounts: vec![Amount { amount_minor: Minor(500), currency: "EUR".to_owned() }],
        at_us: START_US,
    })
}

fn column(done: &Finished, name: &str) -> Vec<String> {
    csv_rows(&done.bytes).iter().map(|row| row[name].clone().unwrap_or_default()).collect()
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
        let done = journal(imported(profile));
        let text = |row: Vec<Option<String>>| {
            row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|")
        };
        read_csv(&done.bytes).into_iter().map(text).collect::<Vec<_>>()
    };
    let quickbooks = rows(Profile::Quickbooks);
    assert_eq!(quickbooks[0], "JournalNo|JournalDate|AccountName|Debits|Credits|Description|Name|Currency");
    let rest = "invoice issued INV-000001|Acme Mining Inc.|USD";
    assert_eq!(quickbooks[1], format!("L3-USD|10/31/2026|1100|196361.89||{rest}"));
    assert_eq!(quickbooks[2], format!("L3-USD|10/31/2026|4100||174753.07|{rest}"));
    assert_eq!(quickbooks[3], format!("L3-USD|10/31/2026|4000||12358.50|{rest}"));
    assert_eq!(quickbooks[4], format!("L3-USD|10/31/2026|4000|100.25||{rest}"));
    let xero = rows(Profile::Xero);
    assert!(xero[0].starts_with("*Narration|*Date|Description|*AccountCode|*TaxRate|*Amount|TrackingName1|"));
    assert_eq!(
        xero[2],
        "L3-USD Acme Mining Inc.|31/10/2026|invoice issued INV-000001|4100|Tax Exempt|-174753.07||||"
    );
    let netsuite = rows(Profile::Netsuite);
    assert_eq!(netsuite[0], "External ID|Date|Subsidiary|Currency|Account|Debit|Credit|Memo|Name");
    assert_eq!(
        netsuite[1],
        "L3-USD|10/31/2026|Weigh AS|USD|1100|196361.89||invoice issued INV-000001|Acme Mining Inc."
    );
}

#[test]
fn currencies_that_a_system_cannot_hold_are_told() {
    let all = with(request().with_profile(Profile::Netsuite).unwrap(), &ACCOUNTS);
    let left = journal(all).control.left_out;
    assert_eq!(left.iter().map(|left| left.currency.as_str()).collect::<Vec<_>>(), ["BTC", "KWD"]);
}

#[test]
fn the_books_of_legal_entities_are_kept_apart() {
    let all = of(request(), &group()).unwrap();
    let entities: BTreeSet<String> = column(&all, "legal_entity").into_iter().collect();
    assert_eq!(entities.len(), 3, "{entities:?}");
    let german = of(request().with_legal_entity("Weigh GmbH").unwrap(), &group()).unwrap();
    assert!(column(&german, "document_number").iter().all(|number| number == "WGM-000001"));
    assert_eq!((german.control.rows, german.control.legal_entity.as_deref()), (3, Some("Weigh GmbH")));
    for table in [Table::Invoices, Table::Lines, Table::Usage, Table::Focus] {
        let request = Request::new(table, Format::Csv, "2026-10", None).unwrap();
        let one = of(request.with_legal_entity("Weigh KK").unwrap(), &group()).unwrap();
        assert_eq!(one.control.records, 1, "{table}");
    }
    let netsuite = with(request().with_profile(Profile::Netsuite).unwrap(), &ACCOUNTS);
    let netsuite = with(netsuite, &[(JournalOption::Subsidiary, "Weigh KK=Weigh : Japan")]);
    let subsidiaries: BTreeSet<String> =
        column(&of(netsuite, &group()).unwrap(), "Subsidiary").into_iter().collect();
    assert_eq!(
        subsidiaries.iter().map(String::as_str).collect::<Vec<_>>(),
        ["Weigh : Japan", "Weigh AS", "Weigh GmbH"]
    );
}

/// A write-off and an allocation state no legal entity: theirs is that of the invoice and of the payment.
#[test]
fn a_record_without_a_legal_entity_has_that_of_its_invoice_or_payment() {
    let mut events = group();
    events.push((4, written_off("inv_WGM-000001")));
    events.push((5, payment(START_US)));
    events.push((
        6,
        Event::PaymentAllocated(PaymentAllocated {
            payment_id: "pay_1".to_owned(),
            customer_id: "acme".to_owned(),
            currency: "USD".to_owned(),
            allocations: vec![Allocation {
                invoice_id: "inv_WEI-000001".to_owned(),
                amount_minor: Minor(100),
            }],
            at_us: START_US,
        }),
    ));
    let rows = csv_rows(&of(request(), &events).unwrap().bytes);
    let entity = |id: &str| {
        rows.iter().find(|row| row["entry_id"].as_deref() == Some(id)).unwrap()["legal_entity"].clone()
    };
    assert_eq!(entity("L4-EUR").as_deref(), Some("Weigh GmbH"));
    assert_eq!(entity("L6-USD").as_deref(), Some("Weigh AS"));
    let orphan = of(request(), &[(4, written_off("inv_none"))]).unwrap_err();
    assert_eq!(orphan.code(), "WB-5828");
    let mut told = Exporter::new(request()).unwrap();
    told.own("inv_none", "Weigh KK");
    told.push(&entry(4, &written_off("inv_none"))).unwrap();
    assert_eq!(column(&told.finish(5).unwrap(), "legal_entity"), ["Weigh KK", "Weigh KK"]);
}

/// Yen would be imported as the organisation's own currency, as Xero's file has no column for one.
#[test]
fn a_xero_file_has_one_currency_and_one_organisation() {
    let request = || request().with_profile(Profile::Xero).unwrap();
    assert_eq!(of(with(request(), &ACCOUNTS), &group()).unwrap_err().code(), "WB-5821");
    let of_entity = with(request().with_legal_entity("Weigh KK").unwrap(), &ACCOUNTS);
    assert_eq!(of(of_entity.clone(), &group()).unwrap_err().code(), "WB-5821");
    for (code, rows) in [("JPY", 3), ("EUR", 0)] {
        let done = of(with(of_entity.clone(), &[(JournalOption::Currency, code)]), &group()).unwrap();
        assert_eq!(done.control.rows, rows, "{code}");
        assert_eq!(done.control.file.name, format!("weighbridge-journal-xero-2026-10-Weigh_KK-{code}.csv"));
    }
}

#[test]
fn accounts_without_a_name_are_all_told() {
    let some = [(JournalOption::Account, "accounts_receivable=1100")];
    for profile in [None, Some(Profile::Netsuite)] {
        let request = match profile {
            Some(profile) => request().with_profile(profile).unwrap(),
            None => request(),
        };
        let refused = of(with(request, &some), &group()).unwrap_err();
        assert_eq!(refused.code(), "WB-5829");
        let told = refused.to_string();
        assert!(told.contains("revenue:metered_energy, tax_payable"), "{told}");
        assert!(told.contains("revenue:metered_energy=2200"), "{told}");
    }
    // Without any mapping our own names stand.
    assert!(column(&of(request(), &group()).unwrap(), "account").contains(&"tax_payable".to_owned()));
}

/// October's revenue, invoiced in November: accrued on the last day of October and reversed on the next day.
#[test]
fn revenue_can_be_dated_by_service_period() {
    let events = [(7, invoice_of("Weigh AS", "WEI-000001", "USD", "100.00", END_US + 2 * DAY_US))];
    let rows = |period: &str, revenue: &str| {
        let request = Request::new(Table::Journal, Format::Csv, period, None).unwrap();
        let done = of(with(request, &[(JournalOption::Revenue, revenue)]), &events).unwrap();
        assert_eq!(done.control.sums.get("debit"), done.control.sums.get("credit"));
        let text = |row: &BTreeMap<String, Option<String>>| {
            ["entry_id", "date", "account", "debit", "credit"]
                .map(|name| row[name].clone().unwrap())
                .join(" ")
        };
        csv_rows(&done.bytes).iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(rows("2026-10", "issue"), [""; 0]);
    assert_eq!(
        rows("2026-10", "service"),
        [
            "L7-USD-A 2026-10-31 accrued_revenue 100.00 0.00",
            "L7-USD-A 2026-10-31 revenue:metered_energy 0.00 100.00",
        ]
    );
    assert_eq!(
        rows("2026-11", "service"),
        [
            "L7-USD-R 2026-11-01 accrued_revenue 0.00 100.00",
            "L7-USD-R 2026-11-01 revenue:metered_energy 100.00 0.00",
            "L7-USD 2026-11-03 accounts_receivable 107.00 0.00",
            "L7-USD 2026-11-03 revenue:metered_energy 0.00 100.00",
            "L7-USD 2026-11-03 tax_payable 0.00 7.00",
        ]
    );
    // Issued within its own month, revenue needs no accrual.
    let within = [(7, invoice_of("Weigh AS", "WEI-000001", "USD", "100.00", END_US - DAY_US))];
    let done = of(with(request(), &[(JournalOption::Revenue, "service")]), &within).unwrap();
    assert_eq!(done.control.rows, 3);
}

/// What the systems document: dates, amounts, lengths, the name of the tax rate, balanced entries, unique numbers.
#[test]
fn every_row_keeps_the_rules_of_its_system() {
    for profile in [Profile::Quickbooks, Profile::Xero, Profile::Netsuite] {
        let (number, date, debit, credit) = match profile {
            Profile::Quickbooks => ("JournalNo", "JournalDate", "Debits", "Credits"),
            Profile::Xero => ("*Narration", "*Date", "*Amount", "*Amount"),
            Profile::Netsuite => ("External ID", "Date", "Debit", "Credit"),
        };
        let done = of(imported(profile), &events()).unwrap();
        let mut sums: BTreeMap<(String, String), i128> = BTreeMap::new();
        for row in csv_rows(&done.bytes) {
            let text = |name: &str| row[name].clone().unwrap_or_default();
            let parts: Vec<usize> = text(date).split('/').map(str::len).collect();
            assert_eq!(parts, [2, 2, 4], "{profile}");
            let minor = |name: &str| text(name).replace('.', "").parse::<i128>().unwrap_or(0);
            let sum = if debit == credit { minor(debit) } else { minor(debit) - minor(credit) };
            assert!(sum != 0 && text(debit).split('.').nth(1).is_none_or(|places| places.len() == 2));
            *sums.entry((text(number), text(date))).or_default() += sum;
            match profile {
                Profile::Quickbooks => {
                    assert!(text(number).len() <= 21 && text("Name").len() <= 100);
                    assert!(text(debit).is_empty() != text(credit).is_empty());
                }
                Profile::Xero => {
                    assert!(text("*AccountCode").len() <= 10);
                    assert_eq!(text("*TaxRate"), "Tax Exempt");
                }
                Profile::Netsuite => assert!(!text("Subsidiary").is_empty() && text("Memo").len() <= 999),
            }
        }
        // One entry for each number, and it balances.
        assert_eq!(sums.len(), 3, "{profile}: {sums:?}");
        assert!(sums.values().all(|sum| *sum == 0), "{profile}: {sums:?}");
    }
    let named = with(imported(Profile::Xero), &[(JournalOption::TaxRate, "BAS Excluded")]);
    assert!(column(&journal(named), "*TaxRate").iter().all(|rate| rate == "BAS Excluded"));
}

#[test]
fn what_a_system_would_refuse_is_refused_here() {
    let code =
        |request: Request, events: &[(u64, Event)]| of(request, events).map_err(|error| error.code()).err();
    let long = "x".repeat(101);
    for (profile, option, text) in [
        (Profile::Quickbooks, JournalOption::CustomerName, format!("acme={long}")),
        (Profile::Quickbooks, JournalOption::Account, format!("cash={long}")),
        (Profile::Xero, JournalOption::Account, "cash=10000000001".to_owned()),
    ] {
        assert_eq!(code(imported(profile).with_option(option, &text).unwrap(), &events()), Some("WB-5830"));
    }
    for (profile, amount, refused) in [
        (Profile::Netsuite, "9999999992.99", None),
        (Profile::Netsuite, "9999999993.00", Some("WB-5830")),
        (Profile::Quickbooks, "99999999992.99", None),
        (Profile::Quickbooks, "99999999993.00", Some("WB-5830")),
    ] {
        let events = [(1, invoice_of("Weigh AS", "WEI-1", "USD", amount, START_US))];
        assert_eq!(code(imported(profile), &events), refused, "{profile} {amount}");
    }
}

/// Xero imports at most 300 lines of a file.
#[test]
fn a_long_month_is_cut_in_parts_between_entries() {
    let events: Vec<(u64, Event)> = (1..=150)
        .map(|offset| (offset, invoice_of("Weigh AS", &format!("WEI-{offset}"), "USD", "1.00", START_US)))
        .collect();
    let part = |number: &str| {
        of(with(imported(Profile::Xero), &[(JournalOption::Part, number)]), &events).unwrap().control
    };
    let (first, second, third) = (part("1"), part("2"), part("3"));
    assert_eq!((first.rows, first.part, first.parts), (300, 1, 2));
    assert_eq!((second.rows, second.part, second.parts), (150, 2, 2));
    assert_eq!((third.rows, third.part, third.parts), (0, 3, 2));
    assert!(second.file.name.ends_with("-USD-part2.csv"));
    assert_eq!(first.sums["debit"], first.sums["credit"]);
}
