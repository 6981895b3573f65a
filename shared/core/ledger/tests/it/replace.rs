//! A voided month is billed again, and a rejected draft is submitted again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a test stops at what it did not expect; helpers are shared by tests that use some of them"
)]

use crate::support::{
    Books, DAY_US, END_US, ENTITY, Part, check_histories, close, draft, issue, payment, reviewed, step,
    tax_minor,
};
use wb_ledger::{Command, Draft, Event, Replaced, Settle, invoice_id, payment_id};
use wb_units::Currency;

const CUSTOMER: &str = "satoshi-lab";

fn parts(power: i128) -> Vec<Part> {
    vec![("power", "metered_energy", power, Currency::USD), ("tax", "tax", tax_minor(power), Currency::USD)]
}

fn replacing(draft: Draft, invoice_id: &str, number: &str, moves_payments: bool) -> Draft {
    let replaced = Replaced { invoice_id: invoice_id.to_owned(), number: number.to_owned(), moves_payments };
    draft.replacing(replaced).unwrap()
}

fn void(invoice_id: &str) -> Command {
    let at_us = END_US + 10 * DAY_US;
    Command::Void { invoice_id: invoice_id.to_owned(), text: "wrong price".to_owned(), at_us }
}

/// An invoice of 105.00, paid by 60.00 and 45.00.
fn paid() -> (Books, String) {
    let mut books = Books::default();
    let id = invoice_id(ENTITY, "lab-1", "2009-01", None).unwrap();
    let first = draft("lab-1", CUSTOMER, 10, &parts(10_000));
    books.act(&close(&first)).unwrap();
    books.act(&issue(first)).unwrap();
    books.act(&payment("wire-1", CUSTOMER, 6_000, Settle::OldestFirst)).unwrap();
    books.act(&payment("wire-2", CUSTOMER, 4_500, Settle::OldestFirst)).unwrap();
    (books, id)
}

#[test]
fn a_void_invoice_is_replaced_once_under_a_new_number_with_its_payments() {
    let (mut books, id) = paid();
    let again = |moves| replacing(draft("lab-1", CUSTOMER, 20, &parts(8_000)), &id, "GEN-000001", moves);
    assert_eq!(books.act(&issue(again(true))), Err("WB-5345"), "an invoice that stands is not replaced");
    books.act(&void(&id)).unwrap();
    let freed: Vec<_> = books
        .state
        .freed_by_void(&id)
        .iter()
        .map(|part| (part.payment_id.clone(), part.amount_minor.0))
        .collect();
    let wires = ["wire-1", "wire-2"].map(|reference| payment_id(ENTITY, reference).unwrap());
    assert_eq!(freed.iter().map(|(_, minor)| minor).sum::<i128>(), 10_500);

    let events = books.act(&issue(again(true))).unwrap();
    let [Event::InvoiceIssued(invoice)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(invoice.number, "GEN-000002");
    assert_eq!(invoice.replaces.as_ref().unwrap().number, "GEN-000001");
    assert_ne!(invoice.invoice_id, id);
    // 84.00 of 105.00; the rest is left of one payment.
    let item = books.state.item(&invoice.invoice_id).unwrap();
    assert_eq!((item.state().name(), item.open_minor("USD")), ("paid", 0));
    let left: i128 = wires.iter().map(|id| books.state.payment(id).unwrap().left_minor()).sum();
    assert_eq!(left, 2_100);
    let (old, statement) = (books.state.item(&id).unwrap(), books.state.statements(CUSTOMER, i64::MAX));
    assert_eq!((old.state().name(), old.open_minor("USD")), ("void", 0));
    assert_eq!((statement[0].receivable_minor.0, statement[0].unallocated_minor.0), (0, 2_100));
    assert_eq!(books.sum("tax_payable", CUSTOMER, "USD"), -400);
    check_histories(&books);
    // Once.
    assert_eq!(books.act(&issue(again(true))), Err("WB-5343"));
    assert_eq!(books.act(&issue(again(false))), Err("WB-5343"));
    // And again: the new one is voided and replaced in its turn.
    let second = invoice.invoice_id.clone();
    books.act(&void(&second)).unwrap();
    let third = replacing(draft("lab-1", CUSTOMER, 30, &parts(9_000)), &second, "GEN-000002", false);
    books.act(&issue(third)).unwrap();
    let statement = books.state.statements(CUSTOMER, i64::MAX);
    assert_eq!((statement[0].receivable_minor.0, statement[0].unallocated_minor.0), (9_450, 10_500));
    check_histories(&books);
}

#[test]
fn a_replacement_is_reviewed_where_its_terms_ask_for_it() {
    let (mut books, id) = paid();
    books.act(&void(&id)).unwrap();
    let again = replacing(reviewed("lab-1", CUSTOMER, 20, &parts(8_000), 1), &id, "GEN-000001", true);
    let next = again.document().invoice_id.clone();
    books.act(&Command::MakeDraft { draft: Box::new(again), at_us: END_US + 11 * DAY_US }).unwrap();
    books.act(&Command::Submit(step(&next, "ana"))).unwrap();
    books.act(&Command::Approve(step(&next, "ben"))).unwrap();
    // A payment that went back meanwhile settles nothing.
    let wire = payment_id(ENTITY, "wire-1").unwrap();
    books.act(&Command::Reverse { payment_id: wire, at_us: END_US + 12 * DAY_US }).unwrap();
    books.act(&Command::IssueApproved { invoice_id: next.clone(), issued_us: END_US + 13 * DAY_US }).unwrap();
    let item = books.state.item(&next).unwrap();
    assert_eq!((item.number.as_str(), item.open_minor("USD")), ("GEN-000002", 8_400 - 4_500));
}

#[test]
fn a_replacement_of_something_else_is_refused() {
    let (mut books, id) = paid();
    books.act(&void(&id)).unwrap();
    let other = draft("lab-2", CUSTOMER, 10, &parts(100));
    books.act(&close(&other)).unwrap();
    assert_eq!(books.act(&issue(replacing(other, &id, "GEN-000001", false))), Err("WB-5358"));
    let first = || draft("lab-1", CUSTOMER, 20, &parts(100));
    assert_eq!(books.act(&issue(replacing(first(), &id, "GEN-000009", false))), Err("WB-5358"));
    assert_eq!(books.act(&issue(replacing(first(), "inv_none", "GEN-000001", false))), Err("WB-5344"));
}

#[test]
fn a_rejected_draft_is_submitted_again_and_approved_anew() {
    let mut books = Books::default();
    let first = || reviewed("lab-1", CUSTOMER, 10, &parts(10_000), 1);
    let id = first().document().invoice_id.clone();
    books.act(&close(&first())).unwrap();
    books.act(&Command::MakeDraft { draft: Box::new(first()), at_us: END_US }).unwrap();
    // A draft that nobody submitted can be sent back, too.
    books.act(&Command::Reject(step(&id, "ben"))).unwrap();
    assert_eq!(books.act(&Command::Reject(step(&id, "ben"))), Err("WB-5345"));
    books.act(&Command::Submit(step(&id, "ana"))).unwrap();
    books.act(&Command::Approve(step(&id, "ben"))).unwrap();
    books.act(&Command::Reject(step(&id, "cem"))).unwrap();
    books.act(&Command::Submit(step(&id, "ben"))).unwrap();
    assert_eq!(books.act(&Command::Approve(step(&id, "ben"))), Err("WB-5346"));
    assert_eq!(
        books.act(&Command::IssueApproved { invoice_id: id.clone(), issued_us: END_US }),
        Err("WB-5345")
    );
    books.act(&Command::Approve(step(&id, "ana"))).unwrap();
    books.act(&Command::IssueApproved { invoice_id: id.clone(), issued_us: END_US }).unwrap();
}
