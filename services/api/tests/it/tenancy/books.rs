//! GraphQL shows the same state of an invoice as the ledger, whatever happened to the invoice.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wb_clickhouse::Store;
use wb_ledger::{
    Amount, Billed, BillingTerms, Command, Draft, Event, Item, LineAmount, NoteByHand, PaymentRequest,
    PeriodDocument, Settle, State, Total, decide, payment_id,
};
use wb_rating::{Line, Period};
use wb_units::{Currency, Money};

use super::fixture::{CUSTOMER_A, CUSTOMER_B, insert};
use super::server::{Reader, World};

const ENTITY: &str = "genesis-hosting";
const MONTH: &str = "2026-10";
const DAY_US: i64 = 86_400_000_000;

const ASKED: &str = "{ id number state issuedAt dueAt periodStart periodEnd evidenceCut evidenceBlocks billDigest \
    paid { currency amount amountMinor } open { currency amount amountMinor } \
    totals { currency amount amountMinor } lines { id amount amountMinor inputsCount } \
    notes { number kind reason lines { lineId amountMinor afterMinor } totals { currency amountMinor } } }";

/// A ledger in progress.
#[derive(Default)]
struct Books {
    state: State,
    events: Vec<Event>,
}

impl Books {
    fn act(&mut self, command: &Command) {
        for event in decide(&self.state, command).unwrap() {
            self.state.apply(&event).unwrap();
            self.events.push(event);
        }
    }

    /// Issues the invoice of a contract, with dates or without them.
    fn issue(
        &mut self,
        contract_id: &str,
        customer_id: &str,
        parts: &[(&str, i128, Currency)],
        dated: bool,
    ) -> String {
        let draft = draft(contract_id, customer_id, 10, parts);
        self.act(&Command::ClosePeriod(draft.closing()));
        let id = draft.document().invoice_id.clone();
        let draft = if dated { draft.issued_at(end_us() + DAY_US) } else { draft };
        self.act(&Command::IssueInvoice(Box::new(draft)));
        id
    }

    fn pay(&mut self, reference: &str, customer_id: &str, minor: i128) {
        self.act(&Command::ReceivePayment(PaymentRequest {
            reference: reference.to_owned(),
            legal_entity: ENTITY.to_owned(),
            customer_id: customer_id.to_owned(),
            amount: Amount::new(minor, "USD"),
            received_us: end_us() + 2 * DAY_US,
            settle: Settle::OldestFirst,
        }));
    }

    fn note(&mut self, invoice_id: &str, line_id: &str, minor: i128) {
        self.act(&Command::IssueNote(NoteByHand {
            invoice_id: invoice_id.to_owned(),
            reference: format!("note of {invoice_id}"),
            text: "agreed".to_owned(),
            lines: vec![LineAmount { line_id: line_id.to_owned(), amount: Amount::new(minor, "USD") }],
            at_us: end_us() + 3 * DAY_US,
        }));
    }
}

fn end_us() -> i64 {
    Period::month(MONTH, "UTC").unwrap().interval.end_us
}

fn draft(contract_id: &str, customer_id: &str, cut: u64, parts: &[(&str, i128, Currency)]) -> Draft {
    let period = Period::month(MONTH, "UTC").unwrap();
    let lines = parts.iter().map(|(kind, minor, currency)| Line {
        id: format!("{contract_id}/{kind}"),
        component: (*kind).to_owned(),
        kind: (*kind).to_owned(),
        description: format!("{kind} of {contract_id}"),
        quantity: "1".to_owned(),
        unit: "month".to_owned(),
        unit_price: "1".to_owned(),
        formula: "quantity x unit price".to_owned(),
        amount: Money { minor: *minor, currency: *currency },
        tax: None,
        inputs: vec![BTreeMap::from([("minor".to_owned(), minor.to_string())])],
    });
    Draft::new(Billed {
        legal_entity: ENTITY.to_owned(),
        customer_id: customer_id.to_owned(),
        contract_id: contract_id.to_owned(),
        contract_versions: Vec::new(),
        period: PeriodDocument::from(&period),
        terms: BillingTerms { late_fee_ppm: 500_000, ..BillingTerms::default() },
        lines: lines.collect(),
        cut,
        blocks: Vec::new(),
        days: Vec::new(),
        chain_heads: Vec::new(),
    })
    .unwrap()
}

/// Every state of an invoice, each once.
fn story() -> Books {
    let mut books = Books::default();
    let at_us = end_us() + 40 * DAY_US;
    let power = |minor| [("metered_energy", minor, Currency::USD)];
    books.issue("paid", CUSTOMER_A, &power(100), true);
    books.pay("in full", CUSTOMER_A, 100);
    let bounced = books.issue("bounced", CUSTOMER_A, &power(200), true);
    books.pay("bounces", CUSTOMER_A, 200);
    books.act(&Command::Reverse { payment_id: payment_id(ENTITY, "bounces").unwrap(), at_us });
    books.act(&Command::MarkOverdue { invoice_id: bounced.clone(), at_us });
    books.act(&Command::ChargeLateFee { invoice_id: bounced.clone(), at_us });
    books.act(&Command::WriteOff { invoice_id: bounced, amounts: Vec::new(), at_us });
    let credited = books.issue("credited", CUSTOMER_A, &power(300), true);
    books.pay("too much", CUSTOMER_A, 300);
    books.note(&credited, "credited/metered_energy", -300);
    let mixed = [
        ("pool_earnings", 77, Currency::BTC),
        ("metered_energy", 1_000, Currency::USD),
        ("btc_settlement", 5, Currency::BTC),
        ("tax", 0, Currency::from_code("EUR").unwrap()),
    ];
    let parts = books.issue("mixed", CUSTOMER_B, &mixed, true);
    books.pay("a part", CUSTOMER_B, 400);
    books.note(&parts, "mixed/metered_energy", 50);
    let void = books.issue("void", CUSTOMER_B, &power(70), true);
    books.act(&Command::Void { invoice_id: void, text: "wrong customer".to_owned(), at_us });
    let late = books.issue("late", CUSTOMER_B, &power(500), true);
    books.act(&Command::MarkOverdue { invoice_id: late, at_us });
    let more = draft("late", CUSTOMER_B, 12, &power(650));
    books.act(&Command::Adjust { draft: Box::new(more), at_us });
    books.issue("undated", CUSTOMER_B, &power(10), false);
    books
}

async fn project(store: &Store, offset: usize, event: &Event) {
    let columns = "ledger_offset, kind, customer_id, invoice_id, body";
    let (customer, invoice) = (event.customer_id(), event.invoice_id().unwrap_or_default());
    let body = wb_ledger::canonical::write(&event.body().unwrap()).unwrap();
    let values = format!("{offset}, '{}', '{customer}', '{invoice}', '{body}'", event.kind());
    insert(store, "ledger", columns, &values).await;
}

fn totals(totals: &[Total]) -> Value {
    totals
        .iter()
        .map(|total| {
            json!({"currency": total.currency, "amount": total.amount, "amountMinor": total.amount_minor})
        })
        .collect()
}

/// Where an answer differs from the item.
fn differences(item: &Item, answer: &Value) -> Vec<String> {
    let at = |at_us: i64| Value::from(jiff::Timestamp::from_microsecond(at_us).unwrap().to_string());
    let notes: Value =
        answer["notes"].as_array().unwrap().iter().map(|note| note["number"].clone()).collect();
    let told = |name: &str| answer[name].clone();
    [
        ("number", told("number"), json!(item.number)),
        ("state", told("state"), json!(item.state().name())),
        ("open", told("open"), totals(&item.open())),
        ("paid", told("paid"), totals(&item.paid())),
        ("issuedAt", told("issuedAt"), at(item.issued_us)),
        ("dueAt", told("dueAt"), item.due_us.map_or(Value::Null, at)),
        ("billDigest", told("billDigest"), json!(item.bill_digest)),
        ("notes", notes, json!(item.notes)),
    ]
    .into_iter()
    .filter(|(_, told, wanted)| told != wanted)
    .map(|(field, told, wanted)| format!("{field} of {} is {told}, not {wanted}", item.contract_id))
    .collect()
}

pub(crate) async fn stand_as_the_ledger_says(world: &World) {
    let books = story();
    let store = world.store("books").await;
    for (offset, event) in books.events.iter().enumerate() {
        project(&store, offset, event).await;
    }
    let api = world.serve(store.clone()).await;
    let list = format!("{{ invoices {{ nodes {ASKED} }} }}");
    let answer = api.ask(Reader::Operator, &list).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    let nodes = answer["data"]["invoices"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 7);
    let item = |node: &Value| books.state.item(node["id"].as_str().unwrap()).unwrap();
    let different: Vec<String> = nodes.iter().flat_map(|node| differences(item(node), node)).collect();
    assert!(different.is_empty(), "{different:#?}");
    for node in nodes {
        let id = node["id"].as_str().unwrap();
        let one = api.ask(Reader::Operator, &format!("{{ invoice(id: \"{id}\") {ASKED} }}")).await;
        assert_eq!(&one["data"]["invoice"], node, "one invoice is the same as in the list");
    }
    let states: Vec<&str> = nodes.iter().map(|node| node["state"].as_str().unwrap()).collect();
    assert_eq!(
        states,
        ["paid", "written_off", "paid", "partially_paid", "void", "overdue", "issued"],
        "every way to stand"
    );
    for (reader, customer) in [(Reader::CustomerA, CUSTOMER_A), (Reader::CustomerB, CUSTOMER_B)] {
        let answer = api.ask(reader, &list).await;
        let wanted: Vec<&Value> = nodes.iter().filter(|node| item(node).customer_id == customer).collect();
        let own: Vec<&Value> = answer["data"]["invoices"]["nodes"].as_array().unwrap().iter().collect();
        assert_eq!(own, wanted, "{customer}");
    }
    // They are of a later month than the payment and the invoice whose legal entity is theirs.
    let later = api.export(Reader::Operator, "journal?period=2026-12").await.text().await.unwrap();
    for kind in ["payment reversed", "invoice written off"] {
        assert!(later.lines().any(|row| row.contains(kind) && row.contains(ENTITY)), "{kind}: {later}");
    }
    refuses_other_forms(world).await;
}

/// An invalid record of the ledger is not shown.
async fn refuses_other_forms(world: &World) {
    let mut books = Books::default();
    let id = books.issue("lab", CUSTOMER_A, &[("metered_energy", 100, Currency::USD)], true);
    let [Event::PeriodClosed(_), issued] = books.events.as_slice() else { panic!("closed and issued") };
    let body = issued.body().unwrap();
    let payment = json!({"payment_id": "pay_1", "reference": "r", "legal_entity": ENTITY, "customer_id": CUSTOMER_A,
        "amount": {"amount_minor": "7", "currency": "USD"}, "received_us": 1,
        "allocations": [{"invoice_id": id, "amount_minor": "7"}]});
    let changed = |of: &Value, place: &str, to: Value| {
        let mut changed = of.clone();
        *changed.pointer_mut(place).unwrap() = to;
        changed
    };
    let mut more = body.clone();
    more["more"] = Value::from(1);
    let mut dateless = payment.clone();
    dateless.as_object_mut().unwrap().remove("received_us");
    let wrong = [
        ("unknown_field", "invoice_issued", more),
        ("nested", "invoice_issued", json!({"invoice": body})),
        ("period_as_text", "invoice_issued", changed(&body, "/period", json!(MONTH))),
        ("quantity_as_number", "invoice_issued", changed(&body, "/lines/0/quantity", json!(1))),
        ("digest_of_nothing", "invoice_issued", changed(&body, "/bill_digest", json!(""))),
        ("amount_in_other_words", "invoice_issued", changed(&body, "/lines/0/amount_minor", json!("+100"))),
        (
            "settles_in_other_words",
            "payment_received",
            changed(&payment, "/allocations/0/amount_minor", json!("+7")),
        ),
        (
            "settles_beyond_bounds",
            "payment_received",
            changed(&payment, "/allocations/0/amount_minor", json!((1_i128 << 97).to_string())),
        ),
        ("no_instant", "payment_received", dateless),
    ];
    let mut taken = Vec::new();
    for (case, kind, body) in wrong {
        let store = world.store(&format!("form_{case}")).await;
        if kind != issued.kind() {
            project(&store, 0, issued).await;
        }
        let columns = "ledger_offset, kind, customer_id, invoice_id, body";
        let about = if kind == issued.kind() { id.as_str() } else { "" };
        insert(&store, "ledger", columns, &format!("1, '{kind}', '{CUSTOMER_A}', '{about}', '{body}'")).await;
        let api = world.serve(store).await;
        let one = format!("{{ invoice(id: \"{id}\") {{ id state }} }}");
        let answer = api.ask(Reader::CustomerA, &one).await;
        if answer["errors"][0]["extensions"]["code"] != "WB-3206" {
            taken.push(format!("{case}: {answer}"));
        }
    }
    assert!(taken.is_empty(), "{taken:#?}");
}
