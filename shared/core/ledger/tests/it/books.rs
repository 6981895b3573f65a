//! One story with every kind of event: its figures, its stored forms, and its refused commands.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a test stops at what it did not expect; helpers are shared by tests that use some of them"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::support::{
    Books, DAY_US, END_US, ENTITY, Part, check_histories, close, draft, issue, note, payment, reviewed, step,
    tax_minor,
};
use wb_ledger::{
    Allocation, Amount, Command, DisputeRequest, DisputeWords, Event, Hash, InvoiceDelivered, LedgerRecord,
    Minor, OpeningKind, OpeningRecorded, PaymentRequest, Refusal, Settle, StepFailed, decide, invoice_id,
    payment_id,
};
use wb_units::Currency;

const CUSTOMER: &str = "satoshi-lab";

fn parts(power: i128) -> Vec<Part> {
    vec![
        ("earnings", "pool_earnings", 77, Currency::BTC),
        ("power", "metered_energy", power, Currency::USD),
        ("tax", "tax", tax_minor(power), Currency::USD),
    ]
}

fn failed(invoice_id: &str) -> StepFailed {
    StepFailed {
        invoice_id: invoice_id.to_owned(),
        customer_id: CUSTOMER.to_owned(),
        code: "WB-5313".to_owned(),
        detail: "too large".to_owned(),
        at_us: END_US,
    }
}

fn opening(reference: &str, kind: OpeningKind, minor: i128) -> Command {
    Command::RecordOpening(OpeningRecorded {
        item_id: String::new(),
        kind,
        reference: reference.to_owned(),
        legal_entity: ENTITY.to_owned(),
        customer_id: CUSTOMER.to_owned(),
        open: vec![Amount::new(minor, "USD")],
        issued_us: END_US - 90 * DAY_US,
        due_us: Some(END_US - 60 * DAY_US),
        late_fee_ppm: 0,
    })
}

/// Every kind once, in an order in which each follows.
fn whole_story() -> Books {
    let mut books = Books::default();
    let id = invoice_id(ENTITY, "lab-1", "2009-01", None).unwrap();
    let first = || reviewed("lab-1", CUSTOMER, 10, &parts(10_000), 1);
    let mut act = |command: Command| {
        let events = books.act(&command).unwrap_or_else(|code| panic!("{code}: {command:?}"));
        assert!(!events.is_empty(), "{command:?}");
        events
    };
    let make = |draft| Command::MakeDraft { draft: Box::new(draft), at_us: END_US };
    act(opening("OLD-1", OpeningKind::Invoice, 700));
    act(close(&first()));
    act(make(first()));
    act(Command::Submit(step(&id, "ana")));
    act(Command::Reject(step(&id, "ben")));
    act(make(reviewed("lab-1", CUSTOMER, 12, &parts(10_000), 1)));
    act(Command::Submit(step(&id, "ana")));
    act(Command::Approve(step(&id, "ben")));
    act(Command::IssueFailed(failed(&id)));
    act(Command::IssueApproved { invoice_id: id.clone(), issued_us: END_US });
    act(Command::DeliveryFailed(failed(&id)));
    let delivered = InvoiceDelivered {
        invoice_id: id.clone(),
        customer_id: CUSTOMER.to_owned(),
        channel: "email".to_owned(),
        at_us: END_US + 1,
    };
    act(Command::Delivered(delivered));
    act(Command::Adjust {
        draft: Box::new(draft("lab-1", CUSTOMER, 20, &parts(9_000))),
        at_us: END_US + DAY_US,
    });
    let given = vec![Allocation { invoice_id: id.clone(), amount_minor: Minor(2_000) }];
    act(payment("wire-1", CUSTOMER, 5_000, Settle::Given(given)));
    let payment_id = payment_id(ENTITY, "wire-1").unwrap();
    let at_us = END_US + 6 * DAY_US;
    act(Command::Allocate { payment_id: payment_id.clone(), settle: Settle::OldestFirst, at_us });
    act(payment("wire-2", CUSTOMER, 300, Settle::Nothing));
    let second = wb_ledger::payment_id(ENTITY, "wire-2").unwrap();
    act(Command::Refund { payment_id: second, reference: "out-1".to_owned(), amount_minor: 100, at_us });
    act(Command::Reverse { payment_id, at_us: END_US + 7 * DAY_US });
    act(Command::MarkOverdue { invoice_id: id.clone(), at_us: END_US + 31 * DAY_US });
    // 90.00 and 4.50 tax over a month of 30 days at 1.5 %: 1.4175.
    let fee = Command::ChargeLateFee { invoice_id: id.clone(), at_us: END_US + 60 * DAY_US };
    let Some(Event::DebitNoteIssued(note)) = act(fee).pop() else { panic!() };
    assert_eq!(note.totals[0].amount, "1.42");
    let open = Command::OpenDispute(DisputeRequest {
        invoice_id: id.clone(),
        line_id: "lab-1/power".to_owned(),
        amount: Amount::new(1_000, "USD"),
        text: "too much".to_owned(),
        by: "hal".to_owned(),
        at_us: END_US + 61 * DAY_US,
    });
    let words = |books: &[Event], text: &str| {
        let Some(Event::DisputeOpened(opened)) = books.last() else { panic!() };
        DisputeWords {
            dispute_id: opened.dispute_id.clone(),
            text: text.to_owned(),
            by: "ana".to_owned(),
            at_us: END_US + 62 * DAY_US,
        }
    };
    let opened = act(open.clone());
    act(Command::AnswerDispute(words(&opened, "we look into it")));
    act(Command::RejectDispute(words(&opened, "the meter agrees")));
    // A second dispute of the line has an id of its own, and a credit note resolves it.
    let opened = act(open);
    act(Command::AcceptDispute { words: words(&opened, "after all"), credit_minor: 1_000 });
    act(Command::WriteOff { invoice_id: id.clone(), amounts: Vec::new(), at_us: END_US + 200 * DAY_US });
    // What was done by mistake is taken back, and done again.
    let later = END_US + 200 * DAY_US;
    act(Command::ReverseWriteOff { invoice_id: id.clone(), at_us: later });
    let text = || "a slip".to_owned();
    act(Command::CancelNote { note: "GEN-DN-000001".to_owned(), text: text(), at_us: later });
    act(Command::WithdrawOverdue { invoice_id: id.clone(), text: text(), at_us: later });
    act(Command::ReceivePayment(PaymentRequest {
        reference: "wire-3".to_owned(),
        legal_entity: ENTITY.to_owned(),
        customer_id: CUSTOMER.to_owned(),
        amount: Amount::new(100, "USD"),
        received_us: later,
        settle: Settle::OldestFirst,
    }));
    let third = wb_ledger::payment_id(ENTITY, "wire-3").unwrap();
    act(Command::Release { payment_id: third.clone(), allocations: Vec::new(), at_us: later });
    let Some(Event::RefundPaid(refund)) = act(Command::Refund {
        payment_id: third.clone(),
        reference: "out-2".to_owned(),
        amount_minor: 100,
        at_us: later,
    })
    .pop() else {
        panic!()
    };
    act(Command::ReverseRefund { refund_id: refund.refund_id, at_us: later });
    act(Command::Reverse { payment_id: third, at_us: later });
    act(Command::WriteOff { invoice_id: id, amounts: Vec::new(), at_us: later });
    books
}

fn golden(name: &str, actual: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if !path.exists() && std::env::var_os("WEIGHBRIDGE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(String::from_utf8_lossy(actual), String::from_utf8_lossy(&expected), "{name}");
}

#[test]
fn every_kind_has_a_stored_form_that_is_read_again() {
    let books = whole_story();
    check_histories(&books);
    let mut seen = BTreeSet::new();
    let mut predecessor = Hash::ZERO;
    for event in &books.events {
        let body = event.body().unwrap();
        let record = LedgerRecord::new(predecessor, event.kind(), body, "biller", "a golden file", END_US);
        let bytes = record.to_bytes().unwrap();
        predecessor = Hash::of(&bytes);
        let read = LedgerRecord::from_bytes(&bytes).unwrap();
        assert_eq!(Event::read(&read.kind, &read.body).unwrap(), *event);
        // The first of its kind.
        if seen.insert(event.kind()) {
            golden(&format!("{}.json", event.kind()), &bytes);
        }
    }
    assert_eq!(seen, Event::KINDS.iter().copied().collect::<BTreeSet<_>>());
}

#[test]
fn the_accounts_of_the_story() {
    let books = whole_story();
    let mut accounts: BTreeMap<(String, String), i128> = BTreeMap::new();
    for posting in &books.postings {
        *accounts.entry((posting.account.name(), posting.currency.clone())).or_default() +=
            posting.amount_minor;
    }
    accounts.retain(|_, minor| *minor != 0);
    let shown: Vec<_> =
        accounts.iter().map(|((name, code), minor)| (name.as_str(), code.as_str(), *minor)).collect();
    assert_eq!(
        shown,
        [
            ("accounts_receivable", "USD", 700),
            // 90.00 + 4.50 - 10.00 - 0.50, all given up; the late fee was cancelled.
            ("bad_debt", "USD", 8_400),
            ("cash", "USD", 200),
            ("customer_balance", "USD", -200),
            ("mined_bitcoin", "BTC", 77),
            ("mined_bitcoin_payable", "BTC", -77),
            ("opening_balances", "USD", -700),
            ("revenue:metered_energy", "USD", -8_000),
            ("tax_payable", "USD", -400),
        ]
    );
}

#[test]
fn statements_are_as_of_an_instant_and_age_what_is_open() {
    let books = whole_story();
    let at = |day: i64| {
        let statements = books.state.statements(CUSTOMER, END_US + day * DAY_US);
        let usd = statements.into_iter().find(|statement| statement.currency == "USD").unwrap();
        let aged = usd.ageing;
        let buckets = [
            aged.current_minor.0,
            aged.days_1_30_minor.0,
            aged.days_31_60_minor.0,
            aged.days_61_90_minor.0,
            aged.days_over_90_minor.0,
        ];
        (usd.receivable_minor.0, usd.unallocated_minor.0, buckets)
    };
    // Before the payment: the invoice is not due, OLD-1 is 63 days over.
    assert_eq!(at(3), (700 + 9_450, 0, [9_450, 0, 0, 700, 0]));
    // 20.00 and 30.00 of wire-1, the second part on OLD-1 and on; wire-2 waits, less its refund.
    assert_eq!(at(6), (700 + 9_450 - 5_000, 200, [5_150, 0, 0, 0, 0]));
    // It bounced.
    assert_eq!(at(20), (700 + 9_450, 200, [9_450, 0, 0, 700, 0]));
    assert_eq!(at(60).2, [0, 9_592, 0, 0, 700]);
    assert_eq!(at(61).2, [0, 0, 9_592, 0, 700]);
    assert_eq!(at(121).2, [0, 0, 0, 0, 700 + 8_542]);
    assert_eq!(at(300), (700, 200, [0, 0, 0, 0, 700]));
}

#[test]
fn what_cannot_be_is_refused_with_its_code() {
    let mut books = Books::default();
    let id = invoice_id(ENTITY, "lab-1", "2009-01", None).unwrap();
    let first = draft("lab-1", CUSTOMER, 10, &parts(10_000));
    books.act(&close(&first)).unwrap();
    books.act(&issue(first)).unwrap();
    books.act(&payment("wire-1", CUSTOMER, 1_000, Settle::Nothing)).unwrap();
    let pay_id = payment_id(ENTITY, "wire-1").unwrap();
    let given =
        |minor| Settle::Given(vec![Allocation { invoice_id: id.clone(), amount_minor: Minor(minor) }]);
    let at_us = END_US + DAY_US;
    let adjust =
        |cut| Command::Adjust { draft: Box::new(draft("lab-1", CUSTOMER, cut, &parts(9_000))), at_us };
    books.act(&adjust(20)).unwrap();
    let approved = reviewed("lab-2", CUSTOMER, 10, &parts(10_000), 1);
    books.act(&close(&approved)).unwrap();
    for (command, code) in [
        (Command::Submit(step(&id, "ana")), "WB-5343"),
        (Command::Submit(step("inv_none", "ana")), "WB-5344"),
        (Command::WriteOff { invoice_id: "inv_none".to_owned(), amounts: Vec::new(), at_us }, "WB-5344"),
        (payment("wire-1", CUSTOMER, 1_000, Settle::Nothing), "WB-5352"),
        (payment("wire-1", CUSTOMER, 1_001, Settle::Nothing), "WB-5351"),
        (payment("wire-2", CUSTOMER, 0, Settle::Nothing), "WB-5347"),
        (payment("wire-2", CUSTOMER, -5, Settle::Nothing), "WB-5347"),
        (payment("wire-2", CUSTOMER, (1 << 96) + 1, Settle::Nothing), "WB-5347"),
        (payment("wire-2", CUSTOMER, 20_000, given(9_501)), "WB-5353"),
        (payment("wire-2", "hal-desk", 100, given(100)), "WB-5354"),
        (payment("", CUSTOMER, 100, Settle::Nothing), "WB-5357"),
        (Command::Allocate { payment_id: pay_id.clone(), settle: given(1_001), at_us }, "WB-5353"),
        (
            Command::Refund { payment_id: pay_id, reference: "out".to_owned(), amount_minor: 1_001, at_us },
            "WB-5353",
        ),
        (note(&id, "c-1", "lab-1/power", -9_001), "WB-5348"),
        (note(&id, "c-1", "lab-1/none", -1), "WB-5355"),
        (note(&id, "c-1", "lab-1/power", 0), "WB-5347"),
        (adjust(19), "WB-5349"),
        (Command::MarkOverdue { invoice_id: id.clone(), at_us }, "WB-5356"),
        (Command::ChargeLateFee { invoice_id: id.clone(), at_us }, "WB-5356"),
        (opening("OLD-1", OpeningKind::Invoice, -700), "WB-5347"),
        // Its terms ask for an approval.
        (issue(approved), "WB-5345"),
    ] {
        let refusal: Refusal = decide(&books.state, &command).unwrap_err();
        assert_eq!(refusal.code(), code, "{command:?}: {refusal}");
        assert!(refusal.to_string().starts_with(&format!("[{code}]")), "{refusal}");
    }
}

#[test]
fn late_data_of_an_unused_month_is_drafted_where_its_terms_ask_for_approval() {
    let mut books = Books::default();
    let id = invoice_id(ENTITY, "lab-1", "2009-01", None).unwrap();
    books.act(&close(&reviewed("lab-1", CUSTOMER, 10, &[], 1))).unwrap();
    let late = reviewed("lab-1", CUSTOMER, 20, &parts(9_000), 1);
    let adjust = Command::Adjust { draft: Box::new(late), at_us: END_US + DAY_US };
    let events = books.act(&adjust).unwrap();
    assert_eq!(events.iter().map(Event::kind).collect::<Vec<_>>(), ["draft_made"]);
    assert!(books.act(&adjust).unwrap().is_empty(), "what lies in review is left alone");
    books.act(&Command::Submit(step(&id, "ana"))).unwrap();
    books.act(&Command::Approve(step(&id, "ben"))).unwrap();
    let issued_us = END_US + 2 * DAY_US;
    books.act(&Command::IssueApproved { invoice_id: id.clone(), issued_us }).unwrap();
    assert_eq!(books.state.item(&id).unwrap().due_us, Some(issued_us + 30 * DAY_US));
}

#[test]
fn a_record_that_no_decision_made_stops_the_ledger() {
    let books = whole_story();
    type Change = fn(&mut Event);
    let changes: [(&str, Change); 10] = [
        ("credit_note_issued", |event| {
            let Event::CreditNoteIssued(note) = event else { return };
            note.number = "GEN-CN-000007".to_owned();
        }),
        ("credit_note_issued", |event| {
            let Event::CreditNoteIssued(note) = event else { return };
            note.totals[0].amount_minor = "-1".to_owned();
        }),
        ("credit_note_issued", |event| {
            let Event::CreditNoteIssued(note) = event else { return };
            note.lines[0].before_minor.0 += 1;
        }),
        ("debit_note_issued", |event| {
            let Event::DebitNoteIssued(note) = event else { return };
            if let wb_ledger::NoteReason::LateFee { ppm_per_month, .. } = &mut note.reason {
                *ppm_per_month += 9_000;
            }
        }),
        ("invoice_issued", |event| {
            let Event::InvoiceIssued(invoice) = event else { return };
            invoice.terms.payment_terms_days = 0;
        }),
        ("invoice_issued", |event| {
            let Event::InvoiceIssued(invoice) = event else { return };
            if let Some(dates) = &mut invoice.dates {
                dates.due_us += 1;
            }
        }),
        ("invoice_issued", |event| {
            let Event::InvoiceIssued(invoice) = event else { return };
            invoice.terms.late_fee_ppm = 0;
        }),
        ("payment_received", |event| {
            let Event::PaymentReceived(payment) = event else { return };
            payment.allocations[0].amount_minor.0 = 1 << 40;
        }),
        ("payment_reversed", |event| {
            let Event::PaymentReversed(reversed) = event else { return };
            reversed.allocations.pop();
        }),
        ("invoice_approved", |event| {
            let Event::InvoiceApproved(step) = event else { return };
            step.by = "ana".to_owned();
        }),
    ];
    for (kind, change) in changes {
        let mut state = wb_ledger::State::default();
        let at = books.events.iter().position(|event| event.kind() == kind).unwrap();
        for event in &books.events[..at] {
            state.apply(event).unwrap();
        }
        let mut forged = books.events[at].clone();
        change(&mut forged);
        assert_ne!(forged, books.events[at]);
        let before = state.clone();
        let error = state.apply(&forged).unwrap_err();
        assert!(error.to_string().starts_with("[WB-5350]"), "{error}");
        assert_eq!(state, before);
        state.apply(&books.events[at]).unwrap();
    }
}
