//! Reviews, payments, notes and adjustments over ports in memory. Kills and races never cause duplicates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a test stops at what it did not expect; helpers are shared by tests that use some of them"
)]

mod dates;
mod drawing;
mod reissue;
mod terms;

use crate::memory::{Fault, MemoryCuts, MemoryLog, MemoryStore, TestClock, World};
use wb_billing::{Adjusted, Biller, BillerError, CloseRequest, Done, Signature};
use wb_ledger::{
    Amount, BillingTerms, Command, Event, LineAmount, NoteByHand, PaymentRequest, Settle, State, Step,
};

/// 2009-01-01T00:00:00Z.
const JANUARY_US: i64 = 1_230_768_000_000_000;
const DAY_US: i64 = 86_400_000_000;
/// 2009-02-01T00:00:01Z.
const AFTER_US: u64 = 1_233_446_401_000_000;
const MONTH: &str = "2009-01";
const ENTITY: &str = "genesis-hosting";

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

fn biller(log: &MemoryLog, store: &MemoryStore, who: &str) -> TestBiller {
    Biller::new(log.clone(), store.clone(), MemoryCuts(store.clone()), TestClock::at(AFTER_US), who)
}

/// The operator's terms in the kill test: late fees of 1.5 % a month.
fn with_late_fees(biller: TestBiller) -> TestBiller {
    biller.with_defaults(BillingTerms { late_fee_ppm: 15_000, ..BillingTerms::default() })
}

fn signed() -> Signature {
    Signature { who: "ana".to_owned(), why: "a test".to_owned() }
}

/// One machine of one customer, 1 kW all month at 0.10 USD/kWh, and an idle one.
fn world() -> World {
    let mut world = World::default();
    world.contract("lab-1", "satoshi-lab", JANUARY_US, "0.10");
    world.contract("idle-1", "hal-desk", JANUARY_US, "0.10");
    world.assign("gen-1", "satoshi-lab", "lab-1", JANUARY_US);
    world.assign("gen-2", "hal-desk", "idle-1", JANUARY_US);
    world.mined("gen-1", JANUARY_US + DAY_US, 7 << 32);
    for hour in 0..=31 * 24_u64 {
        let at_us = JANUARY_US + i64::try_from(hour).unwrap() * DAY_US / 24;
        world.read("gen-1", at_us, hour * 1_000);
    }
    world
}

fn pay(reference: &str, minor: i128) -> Command {
    Command::ReceivePayment(PaymentRequest {
        reference: reference.to_owned(),
        legal_entity: ENTITY.to_owned(),
        customer_id: "satoshi-lab".to_owned(),
        amount: Amount::new(minor, "USD"),
        received_us: JANUARY_US + 40 * DAY_US,
        settle: Settle::OldestFirst,
    })
}

fn credit(invoice_id: &str, reference: &str, minor: i128) -> Command {
    Command::IssueNote(NoteByHand {
        invoice_id: invoice_id.to_owned(),
        reference: reference.to_owned(),
        text: "goodwill".to_owned(),
        lines: vec![LineAmount { line_id: "lab-1/power".to_owned(), amount: Amount::new(minor, "USD") }],
        at_us: JANUARY_US + 41 * DAY_US,
    })
}

fn shown(adjusted: &[Adjusted]) -> Vec<(&'static str, &str, String)> {
    adjusted
        .iter()
        .map(|a| {
            let totals = a.totals.iter().map(|t| format!("{} {}", t.amount, t.currency)).collect::<Vec<_>>();
            (a.kind, a.number.as_str(), totals.join(" "))
        })
        .collect()
}

async fn open(biller: &TestBiller, customer: &str, currency: &str) -> i128 {
    let statements = biller.statements(customer, i64::MAX).await.unwrap();
    statements.iter().find(|s| s.currency == currency).map_or(0, |s| s.balance_minor.0)
}

#[tokio::test]
async fn late_data_suspense_and_unused_months_are_billed_by_adjustments() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let biller = biller(&log, &store, "a");
    let issued = biller.close(MONTH, None).await.unwrap();
    assert_eq!(issued.len(), 1);
    assert_eq!(open(&biller, "satoshi-lab", "USD").await, 7_440);
    assert!(biller.adjust(MONTH, None, &signed()).await.unwrap().is_empty());

    // Late work of a billed machine, usage of a machine that had none, and an unassigned machine.
    store.change(|world| {
        world.mined("gen-1", JANUARY_US + 2 * DAY_US, 3 << 32);
        world.read("gen-2", JANUARY_US, 0);
        world.read("gen-2", JANUARY_US + DAY_US, 5_000);
        world.read("gen-9", JANUARY_US, 0);
        world.read("gen-9", JANUARY_US + DAY_US, 11_000);
    });
    let adjusted = biller.adjust(MONTH, None, &signed()).await.unwrap();
    assert_eq!(
        shown(&adjusted),
        [
            // The unused month gets its invoice, and 3 blocks of 50 BTC are credited to their miner.
            ("invoice_issued", "GEN-000002", "0.00000000 BTC 0.50 USD".to_owned()),
            ("credit_note_issued", "GEN-CN-000001", "150.00000000 BTC".to_owned()),
        ]
    );
    let length = log.records().len();
    assert!(biller.adjust(MONTH, None, &signed()).await.unwrap().is_empty());
    assert_eq!(log.records().len(), length, "a second run at the same cut does nothing");

    // The machine is assigned after the close: its energy is billed by a debit note.
    store.change(|world| world.assign("gen-9", "satoshi-lab", "lab-1", JANUARY_US));
    let adjusted = biller.adjust(MONTH, Some("satoshi-lab"), &signed()).await.unwrap();
    assert_eq!(shown(&adjusted), [("debit_note_issued", "GEN-DN-000001", "1.10 USD".to_owned())]);
    let note = biller.note("GEN-DN-000001").await.unwrap();
    assert_eq!(note.note.lines[0].line_id, "lab-1/power");
    assert_eq!((note.note.lines[0].before_minor.0, note.note.lines[0].after_minor.0), (7_440, 7_550));
    // The invoice itself is unchanged and recomputes to the same digests.
    let again = biller.recompute(&issued[0].invoice_id).await.unwrap();
    assert!(again.bill_matches && again.evidence_matches);
    assert_eq!(biller.close(MONTH, None).await.unwrap().iter().filter(|invoice| invoice.new).count(), 0);
}

#[tokio::test]
async fn what_was_granted_stays_granted_when_late_data_comes() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let biller = biller(&log, &store, "a");
    let id = biller.close(MONTH, None).await.unwrap()[0].invoice_id.clone();
    biller.act(&credit(&id, "c-1", -7_000), &signed()).await.unwrap();
    let over = biller.act(&credit(&id, "c-2", -441), &signed()).await.unwrap_err();
    assert_eq!(over.code(), "WB-5348");
    // All of the energy belongs to another customer: only the rest is credited, not 74.40 once more.
    store.change(|world| world.assign("gen-1", "hal-desk", "idle-1", JANUARY_US));
    let adjusted = biller.adjust(MONTH, Some("satoshi-lab"), &signed()).await.unwrap();
    let credited: Vec<_> = adjusted.iter().flat_map(|a| &a.totals).filter(|t| t.currency == "USD").collect();
    assert_eq!(credited.iter().map(|t| t.amount.as_str()).collect::<Vec<_>>(), ["-4.40"]);
    assert_eq!(open(&biller, "satoshi-lab", "USD").await, 0);
    // It is assigned back: 74.40 minus the granted 70.00.
    store.change(|world| world.assign("gen-1", "satoshi-lab", "lab-1", JANUARY_US));
    biller.adjust(MONTH, Some("satoshi-lab"), &signed()).await.unwrap();
    assert_eq!(open(&biller, "satoshi-lab", "USD").await, 440);
}

#[tokio::test]
async fn a_credit_frees_what_was_paid_and_a_void_number_is_never_used_again() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let biller = biller(&log, &store, "a");
    let id = biller.close(MONTH, None).await.unwrap()[0].invoice_id.clone();
    let done = biller.act(&pay("wire-1", 7_440), &signed()).await.unwrap();
    let [Event::PaymentReceived(payment)] = done.events() else { panic!("{done:?}") };
    biller.act(&credit(&id, "c-1", -1_000), &signed()).await.unwrap();
    let state = biller.state().await.unwrap();
    assert_eq!(state.payment(&payment.payment_id).unwrap().left_minor(), 1_000);
    assert_eq!(state.state_of(&id), Some("paid"));

    let void =
        Command::Void { invoice_id: id.clone(), text: "wrong".to_owned(), at_us: JANUARY_US + 42 * DAY_US };
    biller.act(&void, &signed()).await.unwrap();
    let state = biller.state().await.unwrap();
    assert_eq!(state.state_of(&id), Some("void"));
    assert_eq!(state.payment(&payment.payment_id).unwrap().left_minor(), 7_440);
    assert_eq!(open(&biller, "satoshi-lab", "USD").await, -7_440);
    assert_eq!(biller.act(&void, &signed()).await.unwrap_err().code(), "WB-5345");
    // Nothing more is billed on it, and the next invoice has the next number.
    store.change(|world| {
        world.mined("gen-1", JANUARY_US + 2 * DAY_US, 3 << 32);
        world.mined("gen-2", JANUARY_US + 2 * DAY_US, 3 << 32);
    });
    let adjusted = biller.adjust(MONTH, None, &signed()).await.unwrap();
    assert_eq!(shown(&adjusted)[0].1, "GEN-000002");
    assert_eq!(adjusted.len(), 1);
    assert_eq!(biller.close(MONTH, None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_rejected_draft_is_drafted_again_where_corrections_count() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let biller =
        biller(&log, &store, "a").with_defaults(BillingTerms { approvals: 2, ..BillingTerms::default() });
    let issued = biller.close(MONTH, Some("satoshi-lab")).await.unwrap();
    let id = issued[0].invoice_id.clone();
    let step = |by: &str| Step { invoice_id: id.clone(), by: by.to_owned(), at_us: JANUARY_US };
    biller.act(&Command::Submit(step("ana")), &signed()).await.unwrap();
    biller.act(&Command::Reject(step("ben")), &signed()).await.unwrap();
    // Nothing was corrected, so the same draft would be rejected again.
    assert!(!biller.close(MONTH, Some("satoshi-lab")).await.unwrap()[0].new);
    store.change(|world| world.contract("lab-1", "satoshi-lab", JANUARY_US, "0.20"));
    let again = biller.close(MONTH, Some("satoshi-lab")).await.unwrap();
    assert!(again[0].new && again[0].bill_digest != issued[0].bill_digest);
    assert!(!biller.close(MONTH, Some("satoshi-lab")).await.unwrap()[0].new);
    biller.act(&Command::Submit(step("ana")), &signed()).await.unwrap();
    for by in ["ben", "cem"] {
        assert_eq!(biller.issue(&id, &signed()).await.unwrap_err().code(), "WB-5345");
        biller.act(&Command::Approve(step(by)), &signed()).await.unwrap();
    }
    // Late data during the review is billed after the invoice is issued, not before.
    store.change(|world| world.mined("gen-1", JANUARY_US + 2 * DAY_US, 3 << 32));
    assert!(biller.adjust(MONTH, None, &signed()).await.unwrap().is_empty());
    biller.issue(&id, &signed()).await.unwrap();
    let invoice = biller.invoice(&id).await.unwrap();
    assert_eq!(invoice.invoice.totals[1].amount, "148.80");
    let dates = invoice.invoice.dates.clone().unwrap();
    assert_eq!(dates.due_us - dates.issued_us, 30 * DAY_US);
    let again = biller.recompute(&id).await.unwrap();
    assert!(again.bill_matches && again.evidence_matches);
    assert_eq!(shown(&biller.adjust(MONTH, None, &signed()).await.unwrap())[0].1, "GEN-CN-000001");
}

#[tokio::test]
async fn an_incomplete_month_is_closed_only_by_name() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    // One register is read every hour; the other machine has no data.
    store.change(|world| world.mined("gen-2", JANUARY_US + DAY_US, 7 << 32));
    let defaults = BillingTerms { completeness_ppm: 990_000, ..BillingTerms::default() };
    let biller = biller(&log, &store, "a").with_defaults(defaults);
    let BillerError::Some { failures, issued } = biller.close(MONTH, None).await.unwrap_err() else {
        panic!()
    };
    assert_eq!((failures[0].contract_id.as_str(), failures[0].error.code()), ("idle-1", "WB-5413"));
    assert!(failures[0].error.to_string().contains("990000"), "{}", failures[0].error);
    assert_eq!((failures.len(), issued.len()), (1, 1));
    let records = log.records().len();
    assert_eq!(records, 2, "nothing half-issued");
    let incomplete = Some(Signature { who: "ana".to_owned(), why: "the meter is lost".to_owned() });
    let request = CloseRequest { period: MONTH.to_owned(), incomplete, ..CloseRequest::default() };
    let issued = biller.close_with(&request, &mut |_| {}).await.unwrap();
    assert_eq!((issued.len(), issued.iter().filter(|invoice| invoice.new).count()), (2, 1));
    let state = biller.state().await.unwrap();
    assert!(state.closed("lab-1", MONTH).unwrap().incomplete.is_none());
    let stands = state.closed("idle-1", MONTH).unwrap().incomplete.clone().unwrap();
    assert_eq!((stands.by.as_str(), stands.reason.as_str()), ("ana", "the meter is lost"));
    assert_eq!((stands.completeness_ppm, stands.threshold_ppm), (0, 990_000));
}

/// All commands of the kill test, in order. Each may be repeated.
async fn whole_story(biller: &TestBiller, store: &MemoryStore) -> Result<(), BillerError> {
    let issued = biller.close(MONTH, None).await?;
    let id = issued.iter().find(|i| i.contract_id == "lab-1").unwrap().invoice_id.clone();
    store.change(|world| {
        if !world.readings.iter().any(|(_, row)| row.machine_id == "gen-2") {
            world.read("gen-2", JANUARY_US, 0);
            world.read("gen-2", JANUARY_US + DAY_US, 5_000);
            world.mined("gen-1", JANUARY_US + 2 * DAY_US, 3 << 32);
        }
    });
    biller.adjust(MONTH, None, &signed()).await?;
    biller.act(&pay("wire-1", 3_000), &signed()).await?;
    biller.act(&credit(&id, "c-1", -1_000), &signed()).await?;
    let due_us = biller.state().await?.item(&id).unwrap().due_us.unwrap();
    biller.overdue(due_us + DAY_US, None, &signed()).await?;
    biller.late_fees(due_us + 90 * DAY_US, None, &signed()).await?;
    Ok(())
}

/// The result of a ledger, without clocks and without data that differs between runs.
fn summary(state: &State) -> Vec<String> {
    let mut lines: Vec<String> = state
        .items()
        .map(|item| format!("{} {} {:?} {:?}", item.id, item.state().name(), item.open(), item.notes))
        .collect();
    lines.extend(state.payments().map(|p| format!("{} {} {:?}", p.payment_id, p.left_minor(), p.allocated)));
    lines.extend(state.notes().map(|note| format!("{} {:?}", note.number, note.totals)));
    lines
}

#[tokio::test]
async fn killed_at_any_append_a_repeat_ends_with_the_same_books() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let undisturbed = with_late_fees(biller(&log, &store, "a"));
    whole_story(&undisturbed, &store).await.unwrap();
    let expected = summary(&undisturbed.state().await.unwrap());
    let appends = i64::try_from(log.records().len()).unwrap();
    assert!(appends >= 9, "{appends}");
    for fault in [Fault::BeforeWrite, Fault::AfterWrite] {
        for death in 1..=appends {
            let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
            let dying = with_late_fees(biller(&log.dying_at(death, fault), &store, "a"));
            assert_eq!(whole_story(&dying, &store).await.unwrap_err().code(), "WB-5401", "death {death}");
            let after = with_late_fees(biller(&log, &store, "b"));
            whole_story(&after, &store).await.unwrap();
            assert_eq!(summary(&after.state().await.unwrap()), expected, "death {death}");
            assert_eq!(i64::try_from(log.records().len()).unwrap(), appends, "death {death}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn billers_that_race_pay_credit_and_adjust_once() {
    for round in 0..12 {
        let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
        let id = biller(&log, &store, "z").close(MONTH, None).await.unwrap()[0].invoice_id.clone();
        store.change(|world| world.mined("gen-1", JANUARY_US + 2 * DAY_US, 3 << 32));
        let runs = ["a", "b", "c"].map(|who| {
            let (biller, id) = (biller(&log, &store, who), id.clone());
            tokio::spawn(async move {
                let mut recorded = 0;
                for command in [pay("wire-1", 2_000), credit(&id, "c-1", -500), pay("wire-2", 1_000)] {
                    match biller.act(&command, &signed()).await.unwrap() {
                        Done::Recorded(events) => recorded += events.len(),
                        Done::Existed(_) => {}
                    }
                }
                recorded + biller.adjust(MONTH, None, &signed()).await.unwrap().len()
            })
        });
        let mut recorded = 0;
        for run in runs {
            recorded += run.await.unwrap();
        }
        assert_eq!(recorded, 4, "round {round}: two payments, one credit, one adjustment");
        let biller = biller(&log, &store, "d");
        assert_eq!(open(&biller, "satoshi-lab", "USD").await, 7_440 - 2_000 - 500 - 1_000);
        assert_eq!(biller.notes().await.unwrap().len(), 2);
        // A reference that is used for something else is refused, in either order.
        assert_eq!(biller.act(&pay("wire-1", 2_001), &signed()).await.unwrap_err().code(), "WB-5351");
    }
}
