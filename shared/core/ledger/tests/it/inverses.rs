//! Every act has an inverse that leaves the books as if neither had been: statements, ageing, open items, the trial
//! balance with its tax, and what is left of payments.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a test stops at what it did not expect; helpers are shared by tests that use some of them"
)]

use std::collections::{BTreeMap, BTreeSet};

use crate::histories::{Asked, asked, check_books, command};
use crate::support::{
    Books, DAY_US, END_US, ENTITY, Part, check_histories, close, draft, issue, note, payment, tax_minor,
};
use proptest::prelude::*;
use wb_ledger::{
    Allocation, Amount, Command, DisputeWords, Event, NoteReason, PaymentRequest, Replaced, Settle,
    invoice_id,
};
use wb_units::Currency;

const CUSTOMERS: [&str; 2] = ["satoshi-lab", "hal-desk"];
/// After all dates of the random acts.
const LATER_US: i64 = END_US + 400 * DAY_US;

/// What must be as before.
#[derive(Debug, PartialEq)]
struct Picture {
    trial: BTreeMap<(String, String, String), i128>,
    statements: Vec<(String, String, [i128; 5])>,
    ageing: Vec<(String, String, [i128; 5])>,
    open: Vec<(String, i128)>,
    states: BTreeMap<String, &'static str>,
    left: BTreeMap<String, i128>,
}

fn picture(books: &Books) -> Picture {
    let mut trial = BTreeMap::new();
    for posting in &books.postings {
        let key = (posting.account.name(), posting.customer_id.clone(), posting.currency.clone());
        *trial.entry(key).or_default() += posting.amount_minor;
    }
    trial.retain(|_, minor| *minor != 0);
    let (mut statements, mut ageing, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for customer in CUSTOMERS {
        for s in books.state.statements(customer, LATER_US + DAY_US) {
            let sums = [
                s.receivable_minor,
                s.unallocated_minor,
                s.balance_minor,
                s.disputed_minor,
                s.mined_payable_minor,
            ]
            .map(|minor| minor.0);
            let aged = [
                s.ageing.current_minor,
                s.ageing.days_1_30_minor,
                s.ageing.days_31_60_minor,
                s.ageing.days_61_90_minor,
                s.ageing.days_over_90_minor,
            ]
            .map(|minor| minor.0);
            // A currency of which nothing is left is as one that never was.
            if sums != [0; 5] {
                statements.push((customer.to_owned(), s.currency.clone(), sums));
            }
            if aged != [0; 5] {
                ageing.push((customer.to_owned(), s.currency.clone(), aged));
            }
            open.extend(s.open_items.iter().map(|item| (item.invoice_id.clone(), item.open_minor.0)));
        }
    }
    let states = books.state.items().filter(|item| !item.voided);
    let states = states.map(|item| (item.id.clone(), item.state().name())).collect();
    let left = books.state.payments().map(|p| (p.payment_id.clone(), p.left_minor()));
    let left = left.filter(|(_, minor)| *minor != 0).collect();
    Picture { trial, statements, ageing, open, states, left }
}

/// A payment as it was, under another reference.
fn paid_again(books: &Books, payment_id: &str, allocations: &[Allocation]) -> Command {
    let payment = books.state.payment(payment_id).unwrap();
    Command::ReceivePayment(PaymentRequest {
        reference: format!("{} again", payment.reference),
        legal_entity: payment.legal_entity.clone(),
        customer_id: payment.customer_id.clone(),
        amount: payment.amount.clone(),
        received_us: payment.received_us,
        settle: Settle::Given(allocations.to_vec()),
    })
}

/// The same lines as those of a void invoice, under a new number.
fn billed_again(books: &Books, void: &str) -> Option<Command> {
    let item = books.state.item(void).unwrap();
    let credited = books.events.iter().rev().find_map(|event| match event {
        Event::CreditNoteIssued(note) if note.invoice_id == void => Some(note.clone()),
        _ => None,
    })?;
    let parts: Vec<Part> = credited
        .lines
        .iter()
        .map(|line| {
            let component = line.line_id.split_once('/').map_or(line.line_id.as_str(), |(_, rest)| rest);
            let component: &'static str = Box::leak(component.to_owned().into_boxed_str());
            let kind: &'static str = Box::leak(line.kind.clone().into_boxed_str());
            (component, kind, -line.amount_minor.0, Currency::from_code(&line.currency).unwrap())
        })
        .collect();
    if item.period.is_empty() {
        return None;
    }
    let replaced =
        Replaced { invoice_id: void.to_owned(), number: item.number.clone(), moves_payments: true };
    let again = draft(&item.contract_id, &item.customer_id, 1_000, &parts).replacing(replaced).unwrap();
    Some(Command::IssueInvoice(Box::new(again.issued_at(LATER_US))))
}

/// What takes an event back; `None` where it moves nothing.
fn inverse(books: &Books, event: &Event) -> Option<Command> {
    let at_us = LATER_US;
    let text = "taken back".to_owned();
    Some(match event {
        Event::InvoiceIssued(invoice) => {
            Command::Void { invoice_id: invoice.invoice_id.clone(), text, at_us }
        }
        Event::OpeningRecorded(event) => Command::Void { invoice_id: event.item_id.clone(), text, at_us },
        Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => match &note.reason {
            NoteReason::Void { .. } => return billed_again(books, &note.invoice_id),
            NoteReason::Cancels { .. } => return None,
            _ => Command::CancelNote { note: note.number.clone(), text, at_us },
        },
        Event::PaymentReceived(event) => Command::Reverse { payment_id: event.payment_id.clone(), at_us },
        Event::PaymentReversed(event) => paid_again(books, &event.payment_id, &event.allocations),
        Event::PaymentAllocated(event) => Command::Release {
            payment_id: event.payment_id.clone(),
            allocations: event.allocations.clone(),
            at_us,
        },
        Event::PaymentReleased(event) => Command::Allocate {
            payment_id: event.payment_id.clone(),
            settle: Settle::Given(event.allocations.clone()),
            at_us,
        },
        Event::RefundPaid(event) => Command::ReverseRefund { refund_id: event.refund_id.clone(), at_us },
        Event::RefundReversed(event) => Command::Refund {
            payment_id: event.payment_id.clone(),
            reference: format!("{} again", event.refund_id),
            amount_minor: event.amount.amount_minor.0,
            at_us,
        },
        Event::InvoiceOverdue(event) => {
            Command::WithdrawOverdue { invoice_id: event.invoice_id.clone(), text, at_us }
        }
        Event::OverdueWithdrawn(event) => {
            Command::MarkOverdue { invoice_id: event.invoice_id.clone(), at_us }
        }
        Event::InvoiceWrittenOff(event) => {
            Command::ReverseWriteOff { invoice_id: event.invoice_id.clone(), at_us }
        }
        Event::WriteOffReversed(event) => {
            // No more than it was, also where a payment bounced after the first write-off.
            let (invoice_id, amounts) = (event.invoice_id.clone(), event.amounts.clone());
            Command::WriteOff { invoice_id, amounts, at_us }
        }
        Event::DisputeOpened(event) => Command::RejectDispute(DisputeWords {
            dispute_id: event.dispute_id.clone(),
            text,
            by: "ana".to_owned(),
            at_us,
        }),
        _ => return None,
    })
}

/// Whether something of it is new by its nature: what is billed again is due again, has another number, and is not
/// overdue; money that comes back after a bounce is another payment.
fn renews(event: &Event) -> (bool, bool) {
    let is_void = matches!(event, Event::CreditNoteIssued(note)
        if matches!(note.reason, NoteReason::Void { .. }));
    (is_void, matches!(event, Event::PaymentReversed(_)))
}

fn copy(books: &Books) -> Books {
    Books { state: books.state.clone(), events: books.events.clone(), postings: books.postings.clone() }
}

/// Takes the act back in a copy of the books, and compares. Returns the kinds that were taken back.
fn check_inverse(books: &Books, act: &Command) -> BTreeSet<String> {
    let mut after = copy(books);
    let Ok(events) = after.act(act) else { return BTreeSet::new() };
    let mut before = picture(books);
    let mut kinds = BTreeSet::new();
    for event in events.iter().rev() {
        let Some(back) = inverse(&after, event) else { continue };
        match after.act(&back) {
            Ok(done) => assert!(!done.is_empty(), "{back:?} of {event:?} did nothing"),
            Err(code) => panic!("{back:?} of {event:?} is refused: {code}"),
        }
        kinds.insert(event.kind().to_owned());
        let (billed_again, paid_again) = renews(event);
        let mut now = picture(&after);
        if billed_again {
            // It is due anew, under its new id.
            for picture in [&mut before, &mut now] {
                picture.ageing.clear();
                picture.open.clear();
                picture.states.clear();
                // Of several parts it is not said which payment settles which.
                let left = picture.left.values().sum();
                picture.left = BTreeMap::from([("all".to_owned(), left)]);
            }
        }
        if paid_again {
            for picture in [&mut before, &mut now] {
                let left = picture.left.values().sum();
                picture.left = BTreeMap::from([("all".to_owned(), left)]);
            }
        }
        assert_eq!(now, before, "{act:?} and {back:?}");
    }
    check_books(&after);
    check_histories(&after);
    kinds
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn an_act_and_its_inverse_leave_the_books_as_they_were(
        history in prop::collection::vec(asked(), 1..50),
        acts in prop::collection::vec(asked(), 12),
    ) {
        let mut books = Books::default();
        for contract in 0..2 {
            for what in [0, 1] {
                books.act(&command(&books, &Asked { what, contract, who: 0, amount: 0, day: 0 })).unwrap();
            }
        }
        for asked in history {
            let command = command(&books, &asked);
            let _ = books.act(&command);
        }
        for asked in acts {
            check_inverse(&books, &command(&books, &asked));
        }
    }
}

/// The property again on one history, in which every act is possible.
#[test]
fn every_act_that_moves_money_has_an_inverse() {
    let mut books = Books::default();
    let id = invoice_id(ENTITY, "lab-1", "2009-01", None).unwrap();
    let parts = [
        ("power", "metered_energy", 10_000, Currency::USD),
        ("tax", "tax", tax_minor(10_000), Currency::USD),
        ("earnings", "pool_earnings", 77, Currency::BTC),
    ];
    let mut kinds = BTreeSet::new();
    let mut act = |command: Command| {
        kinds.extend(check_inverse(&books, &command));
        let events = books.act(&command).unwrap_or_else(|code| panic!("{code}: {command:?}"));
        assert!(!events.is_empty(), "{command:?}");
    };
    let first = || draft("lab-1", CUSTOMERS[0], 10, &parts);
    let at = |day: i64| END_US + day * DAY_US;
    act(close(&first()));
    act(issue(first()));
    act(Command::Adjust {
        draft: Box::new(draft(
            "lab-1",
            CUSTOMERS[0],
            20,
            &[("power", "metered_energy", 9_000, Currency::USD), parts[1], parts[2]],
        )),
        at_us: at(1),
    });
    act(payment("wire-1", CUSTOMERS[0], 9_500, Settle::OldestFirst));
    // It frees a part of the payment, which settles it again when the note is cancelled.
    act(note(&id, "n-1", "lab-1/power", -1_000));
    act(note(&id, "n-2", "lab-1/power", 400));
    let wire = wb_ledger::payment_id(ENTITY, "wire-1").unwrap();
    act(Command::Allocate { payment_id: wire.clone(), settle: Settle::OldestFirst, at_us: at(7) });
    act(Command::Refund {
        payment_id: wire.clone(),
        reference: "out".to_owned(),
        amount_minor: 600,
        at_us: at(8),
    });
    let refund_id = books_refund(&books);
    let mut act = |command: Command| {
        kinds.extend(check_inverse(&books, &command));
        books.act(&command).unwrap_or_else(|code| panic!("{code}: {command:?}"));
    };
    act(Command::ReverseRefund { refund_id, at_us: at(9) });
    act(Command::Release { payment_id: wire.clone(), allocations: Vec::new(), at_us: at(10) });
    act(Command::MarkOverdue { invoice_id: id.clone(), at_us: at(40) });
    act(Command::ChargeLateFee { invoice_id: id.clone(), at_us: at(60) });
    act(Command::WriteOff { invoice_id: id.clone(), amounts: Vec::new(), at_us: at(70) });
    act(Command::ReverseWriteOff { invoice_id: id.clone(), at_us: at(71) });
    act(Command::Reverse { payment_id: wire, at_us: at(72) });
    act(Command::Void { invoice_id: id, text: "wrong".to_owned(), at_us: at(80) });
    let expected = [
        "credit_note_issued",
        "debit_note_issued",
        "invoice_issued",
        "invoice_overdue",
        "invoice_write_off_reversed",
        "invoice_written_off",
        "payment_allocated",
        "payment_received",
        "payment_released",
        "payment_reversed",
        "refund_paid",
        "refund_reversed",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

fn books_refund(books: &Books) -> String {
    let refund = books.events.iter().find_map(|event| match event {
        Event::RefundPaid(refund) => Some(refund.refund_id.clone()),
        _ => None,
    });
    refund.unwrap()
}

/// An overdue run with a date in the future bent the books: it is taken back whole, and a void never shows less than
/// nothing.
#[test]
fn a_run_with_a_date_in_the_future_is_taken_back_and_a_void_is_open_at_zero() {
    let mut books = Books::default();
    let id = invoice_id(ENTITY, "lab-1", "2009-01", None).unwrap();
    let first = || draft("lab-1", CUSTOMERS[0], 10, &[("power", "metered_energy", 10_000, Currency::USD)]);
    books.act(&close(&first())).unwrap();
    books.act(&issue(first())).unwrap();
    let before = picture(&books);
    let fee = |at_us| Command::ChargeLateFee { invoice_id: id.clone(), at_us };
    let (now, future) = (END_US + 5 * DAY_US, END_US + 90 * DAY_US);
    books.act(&Command::MarkOverdue { invoice_id: id.clone(), at_us: future }).unwrap();
    books.act(&fee(future)).unwrap();
    books.act(&fee(future + 30 * DAY_US)).unwrap();
    let void = Command::Void { invoice_id: id.clone(), text: "wrong".to_owned(), at_us: now };
    assert_eq!(books.act(&void), Err("WB-5361"));
    let withdraw = Command::WithdrawOverdue { invoice_id: id.clone(), text: "a slip".to_owned(), at_us: now };
    let cancel =
        |number: &str| Command::CancelNote { note: number.to_owned(), text: "a slip".to_owned(), at_us: now };
    // The latest first; each at its own date, so that no statement shows one without the other.
    assert_eq!(books.act(&cancel("GEN-DN-000001")), Err("WB-5345"));
    books.act(&cancel("GEN-DN-000002")).unwrap();
    books.act(&cancel("GEN-DN-000001")).unwrap();
    assert_eq!(books.act(&cancel("GEN-DN-000001")), Err("WB-5352"));
    assert_eq!(books.act(&cancel("GEN-CN-000001")), Err("WB-5345"));
    books.act(&withdraw).unwrap();
    assert_eq!(books.act(&withdraw), Err("WB-5345"));
    assert_eq!(picture(&books), before);
    for at_us in [now, future, future + 31 * DAY_US] {
        assert_eq!(books.state.statements(CUSTOMERS[0], at_us)[0].receivable_minor.0, 10_000);
    }
    // Charged again, the fee is that of the whole time.
    let due_us = books.state.item(&id).unwrap().due_us.unwrap();
    let mut again = copy(&books);
    again.act(&fee(due_us + 30 * DAY_US)).unwrap();
    assert_eq!(again.state.item(&id).unwrap().open_minor("USD"), 10_150);

    books
        .act(&Command::Void { invoice_id: id.clone(), text: "wrong".to_owned(), at_us: future + 30 * DAY_US })
        .unwrap();
    for at_us in (0..200).map(|day| END_US + day * DAY_US) {
        let statement = &books.state.statements(CUSTOMERS[0], at_us)[0];
        assert!(statement.open_items.iter().all(|item| item.open_minor.0 > 0), "{statement:?}");
    }
    assert!(books.state.item(&id).unwrap().open().is_empty());
    assert_eq!(Amount::new(0, "USD").text(), "0.00");
}
