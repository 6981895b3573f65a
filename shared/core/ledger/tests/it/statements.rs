//! Statements of one customer of several legal entities.

use wb_ledger::{Amount, Command, OpeningKind, OpeningRecorded, PaymentRequest, Settle, payment_id};

use crate::support::{Books, DAY_US, END_US};

const CUSTOMER: &str = "satoshi-lab";

fn opening(legal_entity: &str, minor: i128, currency: &str) -> Command {
    Command::RecordOpening(OpeningRecorded {
        item_id: String::new(),
        kind: OpeningKind::Invoice,
        reference: format!("OLD-{currency}"),
        legal_entity: legal_entity.to_owned(),
        customer_id: CUSTOMER.to_owned(),
        open: vec![Amount::new(minor, currency)],
        issued_us: END_US,
        due_us: Some(END_US + 30 * DAY_US),
        late_fee_ppm: 0,
    })
}

fn payment(legal_entity: &str, minor: i128, currency: &str) -> Command {
    Command::ReceivePayment(PaymentRequest {
        reference: "wire-1".to_owned(),
        legal_entity: legal_entity.to_owned(),
        customer_id: CUSTOMER.to_owned(),
        amount: Amount::new(minor, currency),
        received_us: END_US + DAY_US,
        settle: Settle::Nothing,
    })
}

#[test]
fn statements_are_of_one_legal_entity_and_one_currency() {
    let mut books = Books::default();
    for command in [
        opening("genesis-hosting", 1_000, "USD"),
        opening("genesis-eu", 700, "USD"),
        opening("genesis-eu", 900, "EUR"),
        payment("genesis-hosting", 300, "USD"),
        payment("genesis-eu", 200, "USD"),
    ] {
        books.act(&command).unwrap();
    }
    let of = |legal_entity: &str| payment_id(legal_entity, "wire-1").unwrap();
    let (settle, at_us) = (Settle::OldestFirst, END_US + 2 * DAY_US);
    books.act(&Command::Allocate { payment_id: of("genesis-eu"), settle: settle.clone(), at_us }).unwrap();
    books.act(&Command::Allocate { payment_id: of("genesis-hosting"), settle, at_us }).unwrap();
    books.act(&Command::Reverse { payment_id: of("genesis-hosting"), at_us: at_us + DAY_US }).unwrap();
    let shown: Vec<_> = books
        .state
        .statements(CUSTOMER, END_US + 10 * DAY_US)
        .into_iter()
        .map(|s| (s.legal_entity, s.currency, s.receivable_minor.0, s.unallocated_minor.0, s.entries.len()))
        .collect();
    let expected = [
        ("genesis-eu", "EUR", 900, 0, 1),
        ("genesis-eu", "USD", 500, 0, 2),
        ("genesis-hosting", "USD", 1_000, 0, 3),
    ];
    assert_eq!(
        shown.iter().map(|(e, c, r, u, n)| (e.as_str(), c.as_str(), *r, *u, *n)).collect::<Vec<_>>(),
        expected
    );
}
