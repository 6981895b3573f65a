//! A GPU customer's month with two legal entities, from the draft to the last payment: reserved capacity with use above
//! it, an outage, tax, late data, a dispute, goodwill, and a late fee that is taken back. The whole ledger is a golden
//! file, and `oracle/gpu_month.py` computes the amounts from the facts alone.
#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command as Process, Stdio};

use serde_json::json;
use wb_ledger::{
    Amount, Applied, Books, Chain, Command, DisputeRequest, DisputeWords, Event, LineAmount, NoteByHand,
    PaymentRequest, Settle, State, Step, postings,
};

use crate::components::reserved_with_overage;
use crate::memory::{World, contract_body};
use crate::story::{CUSTOMER, DAY_US, ENTITY, FEBRUARY_US, JANUARY_US, Story, golden, signed};

const CLOUD: &str = "cumulus-cloud";
const HOUR_US: i64 = DAY_US / 24;

/// The facts as the oracle takes them: hours from the first of January.
fn case() -> serde_json::Value {
    json!({
        "hours": 744, "gpus": 8, "reserved_price": "2.85", "on_demand_price": "3.99", "tax": "5",
        "tiers": [{"below": "99", "credit": "10"}, {"below": "95", "credit": "25"}],
        "allocations": [
            {"gpus": 8, "from": "0", "to": "744"},
            {"gpus": 4, "from": "720", "to": "730"},
        ],
        "outages": [{"gpus": 8, "from": "0", "to": "10"}],
        "steps": [
            {"allocation": {"gpus": 2, "from": "456", "to": "461"}},
            {"line": "on-demand", "credit": "21.50"},
            {"line": "reserved", "credit": "100.00"},
        ],
    })
}

fn world() -> World {
    let mut world = World::default();
    let mut energy = contract_body("lab-1", CUSTOMER, "0.10");
    let power = energy["components"][1].clone();
    energy["components"] = json!([power]);
    world.fact("contract", "lab-1", JANUARY_US, energy);
    world.assign("gen-1", CUSTOMER, "lab-1", JANUARY_US);
    for half_day in 0..=62_i64 {
        let register_wh = u64::try_from(half_day * 12_000).unwrap();
        world.read("gen-1", JANUARY_US + half_day * 12 * HOUR_US, register_wh);
    }
    let components = reserved_with_overage();
    let contract = json!({"contract_id": "gpu-1", "customer_id": CUSTOMER, "legal_entity": CLOUD, "time_zone": "UTC",
        "components": components});
    world.fact("contract", "gpu-1", JANUARY_US, contract);
    for node in ["n1", "n2"] {
        world.assign(node, CUSTOMER, "gpu-1", JANUARY_US);
        let machine = json!({"site_id": "s", "model": "HGX", "rated_power_mw": 9, "gpus": 8});
        world.fact("machine", node, JANUARY_US, machine);
    }
    world.allocated("n1", "train", (8, ""), JANUARY_US, FEBRUARY_US);
    let tune_us = JANUARY_US + 720 * HOUR_US;
    world.allocated("n2", "tune", (4, ""), tune_us, tune_us + 10 * HOUR_US);
    let outage = json!({"machine_id": "n1", "gpus": 8, "reason": "XID 79"});
    world.fact_until("outage", "o", JANUARY_US, Some(JANUARY_US + 10 * HOUR_US), outage);
    world
}

/// What stands of each line of the GPU invoice, by the books and by the oracle's names.
async fn stands(story: &Story, invoice_id: &str) -> BTreeMap<String, String> {
    let state = story.biller.state().await.unwrap();
    let item = state.item(invoice_id).unwrap();
    let mut found: BTreeMap<String, i128> = BTreeMap::new();
    for ((line, _), stands) in &item.lines {
        let name = line.trim_start_matches("gpu-1/").replace("vat/state", "tax");
        if name != "late-fee" {
            *found.entry(name).or_default() += stands.billed_minor;
        }
    }
    found.insert("total".to_owned(), found.values().sum());
    found.into_iter().map(|(name, minor)| (name, wb_ledger::money_text(minor, "USD"))).collect()
}

/// What the oracle says stands, at the issue and after each step.
fn oracle() -> Vec<BTreeMap<String, String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/gpu_month.py");
    let mut process = Process::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle needs python3 on the PATH");
    process.stdin.take().unwrap().write_all(case().to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the customer owes each legal entity.
async fn owed(story: &Story) -> Vec<(String, i128)> {
    let statements = story.biller.statements(CUSTOMER, i64::MAX).await.unwrap();
    statements.iter().map(|s| (s.legal_entity.clone(), s.balance_minor.0)).collect()
}

fn both(cloud: i128, hosting: i128) -> Vec<(String, i128)> {
    vec![(CLOUD.to_owned(), cloud), (ENTITY.to_owned(), hosting)]
}

fn pay(story: &Story, reference: &str, legal_entity: &str, minor: i128) -> Command {
    Command::ReceivePayment(PaymentRequest {
        reference: reference.to_owned(),
        legal_entity: legal_entity.to_owned(),
        customer_id: CUSTOMER.to_owned(),
        amount: Amount::new(minor, "USD"),
        received_us: story.biller.now_us(),
        settle: Settle::OldestFirst,
    })
}

/// By hand, in dollars:
///
/// ```text
/// invoice       8 x 744 h x 2.85 = 16,963.20; 4 x 10 h x 3.99 = 159.60; 98.66 % available: 10 % = -1,696.32
///               15,426.48, 5 % = 771.32                                       16,197.80
/// late data     2 GPUs x 5 h above the 8 x 3.99 = 39.90
///               15,466.38, 5 % = 773.319: 773.32, so 2.00 more                16,239.70
/// dispute       -21.50 of the use above
///               15,444.88, 5 % = 772.244: 772.24, so -1.08                    16,217.12
/// goodwill      -100.00 of the reserved
///               15,344.88, 5 % = 767.244: 767.24, so -5.00                    16,112.12
/// paid          10,000.00                                                      6,112.12
/// late fee      1.5 % of 6,112.12 = 91.6818: 91.68, and taken back             6,112.12
/// ```
///
/// The energy is billed by another legal entity: 744 kWh x 0.10 = 74.40, of which 50.00 are paid.
#[tokio::test]
async fn a_gpu_month_with_two_legal_entities_from_draft_to_paid() {
    let story = Story::new(world());
    let biller = &story.biller;
    let expected = oracle();

    let drafts = biller.close("2009-01", None).await.unwrap();
    assert_eq!(drafts.len(), 2);
    for draft in &drafts {
        let id = draft.invoice_id.clone();
        let step = |by: &str| Step { invoice_id: id.clone(), by: by.to_owned(), at_us: biller.now_us() };
        story.act(Command::Submit(step("ana")), "ana", "checked").await;
        story.act(Command::Approve(step("ben")), "ben", "within the budget").await;
        biller.issue(&id, &signed("ana", "approved")).await.unwrap();
    }
    let of = |contract: &str| {
        drafts.iter().find(|draft| draft.contract_id == contract).unwrap().invoice_id.clone()
    };
    let (gpu, energy) = (of("gpu-1"), of("lab-1"));
    let issued = [biller.invoice(&gpu).await.unwrap(), biller.invoice(&energy).await.unwrap()];
    assert_eq!(issued.map(|found| found.invoice.number.clone()), ["CUM-000001", "GEN-000001"]);
    assert_eq!(stands(&story, &gpu).await, expected[0]);
    assert_eq!(owed(&story).await, both(1_619_780, 7_440));

    // Late data.
    story.at(FEBRUARY_US + 3 * DAY_US);
    let late_us = JANUARY_US + 456 * HOUR_US;
    story.store.change(|world| world.allocated("n2", "late", (2, ""), late_us, late_us + 5 * HOUR_US));
    let by = signed("ana", "late data of january");
    let adjusted = biller.adjust("2009-01", None, &by).await.unwrap();
    let shown: Vec<_> =
        adjusted.iter().map(|a| (a.kind, a.number.as_str(), a.totals[0].amount.as_str())).collect();
    assert_eq!(shown, [("debit_note_issued", "CUM-DN-000001", "41.90")]);
    assert_eq!(stands(&story, &gpu).await, expected[1]);

    // The customer disputes 60.00 of the use above; 21.50 are granted, with their tax.
    let request = DisputeRequest {
        invoice_id: gpu.clone(),
        line_id: "gpu-1/on-demand".to_owned(),
        amount: Amount::new(6_000, "USD"),
        text: "The tuning job hung for hours.".to_owned(),
        by: "hal".to_owned(),
        at_us: biller.now_us(),
    };
    let opened = story.act(Command::OpenDispute(request), "hal", "letter of 4 February").await;
    let [Event::DisputeOpened(dispute)] = &opened[..] else { panic!("{opened:?}") };
    let words = DisputeWords {
        dispute_id: dispute.dispute_id.clone(),
        text: "It hung once.".to_owned(),
        by: "ben".to_owned(),
        at_us: biller.now_us(),
    };
    let granted = story
        .act(Command::AcceptDispute { words, credit_minor: 2_150 }, "ben", "the node's log agrees")
        .await;
    let [Event::CreditNoteIssued(note)] = &granted[..] else { panic!("{granted:?}") };
    assert_eq!((note.number.as_str(), note.totals[0].amount.as_str()), ("CUM-CN-000001", "-22.58"));
    assert_eq!(stands(&story, &gpu).await, expected[2]);

    // Goodwill.
    let note = NoteByHand {
        invoice_id: gpu.clone(),
        reference: "goodwill-1".to_owned(),
        text: "for the first week".to_owned(),
        lines: vec![LineAmount { line_id: "gpu-1/reserved".to_owned(), amount: Amount::new(-10_000, "USD") }],
        at_us: biller.now_us(),
    };
    story.act(Command::IssueNote(note), "ben", "agreed by phone").await;
    assert_eq!(stands(&story, &gpu).await, expected[3]);
    assert!(biller.adjust("2009-01", None, &by).await.unwrap().is_empty());
    assert_eq!(owed(&story).await, both(1_611_212, 7_440));

    // Money for one legal entity settles nothing of the other's.
    story.at(FEBRUARY_US + 20 * DAY_US);
    story.act(pay(&story, "wire-1", CLOUD, 1_000_000), "ben", "bank statement").await;
    story.act(pay(&story, "wire-2", ENTITY, 5_000), "ben", "bank statement").await;
    assert_eq!(owed(&story).await, both(611_212, 2_440));

    // A month too late; the fee of the GPU invoice is taken back, and it is charged no other time.
    let due_us = FEBRUARY_US + 30 * DAY_US;
    story.at(due_us + 30 * DAY_US);
    let run = signed("dunning", "monthly run");
    biller.overdue(due_us + 30 * DAY_US, None, &run).await.unwrap();
    let fees = biller.late_fees(due_us + 30 * DAY_US, None, &run).await.unwrap();
    let shown: Vec<_> = fees
        .iter()
        .map(|event| match event {
            Event::DebitNoteIssued(note) => (note.number.clone(), note.totals[0].amount.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    let fee = |number: &str, amount: &str| (number.to_owned(), amount.to_owned());
    let mut sorted = shown.clone();
    sorted.sort();
    assert_eq!(sorted, [fee("CUM-DN-000002", "91.68"), fee("GEN-DN-000001", "0.37")]);
    assert_eq!(owed(&story).await, both(611_212 + 9_168, 2_440 + 37));
    let at_us = biller.now_us();
    let cancel = Command::CancelNote {
        note: "CUM-DN-000002".to_owned(),
        text: "the bank was closed".to_owned(),
        at_us,
    };
    story.act(cancel, "ben", "bank holiday").await;
    let withdraw =
        Command::WithdrawOverdue { invoice_id: gpu.clone(), text: "the bank was closed".to_owned(), at_us };
    story.act(withdraw, "ben", "bank holiday").await;
    assert_eq!(owed(&story).await, both(611_212, 2_477));
    assert_eq!(story.state_of(&gpu).await, "partially_paid");
    assert_eq!(stands(&story, &gpu).await, expected[3]);

    story.act(pay(&story, "wire-3", CLOUD, 611_212), "ben", "bank statement").await;
    assert_eq!(story.state_of(&gpu).await, "paid");
    assert_eq!(story.state_of(&energy).await, "overdue");
    assert_eq!(owed(&story).await, both(0, 2_477));

    check_the_books(&story).await;
    let records: String =
        story.log.records().iter().map(|bytes| format!("{}\n", String::from_utf8_lossy(bytes))).collect();
    golden("gpu_story.jsonl", &records);
}

/// Reads the log like any reader, and adds up every account of each legal entity.
async fn check_the_books(story: &Story) {
    let (mut chain, mut state) = (Chain::default(), State::default());
    let mut accounts = BTreeMap::<(String, String), i128>::new();
    for (offset, bytes) in (0..).zip(story.log.records()) {
        let Applied::Won { record, .. } = chain.apply(offset, &bytes) else { panic!("{offset} did not win") };
        let event = Event::read(&record.kind, &record.body).unwrap();
        state.apply(&event).unwrap();
        let entity = match event.books() {
            Some(Books::OfEntity(entity)) => entity.to_owned(),
            Some(Books::OfInvoice(id)) => state.item(id).map_or_else(String::new, |i| i.legal_entity.clone()),
            Some(Books::OfPayment(id)) => state.payment(id).unwrap().legal_entity.clone(),
            None => String::new(),
        };
        for posting in postings(&event) {
            *accounts.entry((entity.clone(), posting.account.name())).or_default() += posting.amount_minor;
        }
    }
    accounts.retain(|_, minor| *minor != 0);
    let expected = [
        (CLOUD, "cash", 1_611_212),
        (CLOUD, "revenue:gpu_on_demand", -(15_960 + 3_990 - 2_150)),
        (CLOUD, "revenue:gpu_reserved", -(1_696_320 - 10_000)),
        (CLOUD, "revenue:gpu_sla_credit", 169_632),
        (CLOUD, "tax_payable", -76_724),
        (ENTITY, "accounts_receivable", 2_477),
        (ENTITY, "cash", 5_000),
        (ENTITY, "revenue:late_fee", -37),
        (ENTITY, "revenue:metered_energy", -7_440),
    ];
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|(entity, name, minor)| ((entity.to_owned(), name.to_owned()), minor))
        .collect();
    assert_eq!(accounts, expected);
    assert_eq!(state, story.biller.state().await.unwrap());
}
