//! One customer's story, from the first draft to the dispute of the second month, with its whole ledger as a golden
//! file. `WEIGHBRIDGE_WRITE_GOLDEN=1` writes a missing file; an existing one is never changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a test stops at what it did not expect; helpers are shared by tests that use some of them"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, World, contract_body};
use wb_billing::ports::Clock;
use wb_billing::{Biller, BillerError, CloseRequest, Done, IssuedAs, Progress, Signature};
use wb_ledger::{
    Amount, Applied, BillingTerms, Chain, Command, DisputeRequest, DisputeWords, Event, LineAmount,
    NoteByHand, OpeningKind, OpeningRecorded, PaymentRequest, Settle, State, Step, postings,
};
use wb_units::Micros;

/// 2009-01-01T00:00:00Z.
pub(crate) const JANUARY_US: i64 = 1_230_768_000_000_000;
pub(crate) const DAY_US: i64 = 86_400_000_000;
/// 2009-02-01T00:00:00Z.
pub(crate) const FEBRUARY_US: i64 = JANUARY_US + 31 * DAY_US;
/// 2009-03-01T00:00:00Z.
const MARCH_US: i64 = FEBRUARY_US + 28 * DAY_US;
pub(crate) const CUSTOMER: &str = "satoshi-lab";
pub(crate) const ENTITY: &str = "genesis-hosting";

/// A clock that stands still until it is set.
#[derive(Clone)]
pub(crate) struct SetClock(Arc<AtomicI64>);

impl Clock for SetClock {
    fn now_us(&self) -> Micros {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) struct Story {
    pub(crate) log: MemoryLog,
    pub(crate) store: MemoryStore,
    clock: SetClock,
    pub(crate) biller: Biller<MemoryLog, MemoryStore, MemoryCuts, SetClock>,
}

pub(crate) fn signed(who: &str, why: &str) -> Signature {
    Signature { who: who.to_owned(), why: why.to_owned() }
}

impl Story {
    pub(crate) fn new(world: World) -> Self {
        let (log, store) = (MemoryLog::new(), MemoryStore::new(world));
        let clock = SetClock(Arc::new(AtomicI64::new(FEBRUARY_US)));
        let defaults = BillingTerms { approvals: 1, late_fee_ppm: 15_000, ..BillingTerms::default() };
        let biller =
            Biller::new(log.clone(), store.clone(), MemoryCuts(store.clone()), clock.clone(), "biller")
                .with_defaults(defaults);
        Self { log, store, clock, biller }
    }

    pub(crate) fn at(&self, now_us: i64) {
        self.clock.0.store(now_us, Ordering::SeqCst);
    }

    pub(crate) async fn act(&self, command: Command, who: &str, why: &str) -> Vec<Event> {
        let done = self.biller.act(&command, &signed(who, why)).await.unwrap();
        // The answer was lost and the command is repeated; it has no further effect.
        let length = self.log.records().len();
        match self.biller.act(&command, &signed(who, why)).await {
            Ok(Done::Existed(_)) | Err(BillerError::Refused(_)) => {}
            Ok(Done::Recorded(events)) => assert!(events.is_empty(), "{command:?}"),
            Err(error) => panic!("{command:?}: {error}"),
        }
        assert_eq!(self.log.records().len(), length, "{command:?}");
        done.events().to_vec()
    }

    async fn open(&self) -> Vec<(String, i128)> {
        let statements = self.biller.statements(CUSTOMER, i64::MAX).await.unwrap();
        statements.iter().map(|s| (s.currency.clone(), s.balance_minor.0)).collect()
    }

    pub(crate) async fn state_of(&self, invoice_id: &str) -> String {
        self.biller.state().await.unwrap().state_of(invoice_id).unwrap().to_owned()
    }

    /// Draft, review, issue of a month; returns the invoice's id.
    async fn bill(&self, month: &str) -> String {
        let issued = self.biller.close(month, None).await.unwrap();
        assert_eq!((issued.len(), issued[0].issued_as), (1, IssuedAs::Draft));
        let id = issued[0].invoice_id.clone();
        let step = |by: &str| Step { invoice_id: id.clone(), by: by.to_owned(), at_us: self.biller.now_us() };
        assert_eq!(self.state_of(&id).await, "draft");
        self.act(Command::Submit(step("ana")), "ana", "checked against the meters").await;
        assert_eq!(self.state_of(&id).await, "in_review");
        let error =
            self.biller.act(&Command::Approve(step("ana")), &signed("ana", "mine")).await.unwrap_err();
        assert_eq!(error.code(), "WB-5346");
        let early = self.biller.issue(&id, &signed("ana", "early")).await.unwrap_err();
        assert_eq!(early.code(), "WB-5345");
        self.act(Command::Approve(step("ben")), "ben", "within the budget").await;
        let done = self.biller.issue(&id, &signed("ana", "approved")).await.unwrap();
        assert_eq!(done.events().len(), 1);
        assert!(matches!(self.biller.issue(&id, &signed("ana", "again")).await.unwrap(), Done::Existed(_)));
        id
    }
}

/// A meter of 1 kW over both months at 0.10 USD/kWh, read twice a day, and no mining.
fn world() -> World {
    let mut world = World::default();
    world.fact("contract", "lab-1", JANUARY_US, {
        let mut body = contract_body("lab-1", CUSTOMER, "0.10");
        let power = body["components"][1].clone();
        body["components"] = serde_json::json!([power]);
        body
    });
    world.assign("gen-1", CUSTOMER, "lab-1", JANUARY_US);
    for hour in (0..=(31 + 28) * 24_u64).step_by(12) {
        let at_us = JANUARY_US + i64::try_from(hour).unwrap() * DAY_US / 24;
        world.read("gen-1", at_us, hour * 1_000);
    }
    world
}

pub(crate) fn golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if !path.exists() && std::env::var_os("WEIGHBRIDGE_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (index, (left, right)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(left, right, "record {index} of {name}");
    }
    assert_eq!(actual, expected, "{name}");
}

#[tokio::test]
async fn two_months_from_draft_to_dispute() {
    let story = Story::new(world());
    let biller = &story.biller;

    // What was owed before this ledger began.
    let opening = OpeningRecorded {
        item_id: String::new(),
        kind: OpeningKind::Invoice,
        reference: "OLD-77".to_owned(),
        legal_entity: ENTITY.to_owned(),
        customer_id: CUSTOMER.to_owned(),
        open: vec![Amount::new(1_000, "USD")],
        issued_us: JANUARY_US - 20 * DAY_US,
        due_us: Some(JANUARY_US + 10 * DAY_US),
        late_fee_ppm: 0,
    };
    story.act(Command::RecordOpening(opening), "ana", "taken over from the earlier books").await;

    // A dry run appends nothing and returns what would be issued.
    let before = story.log.records().len();
    let mut told = Vec::new();
    let dry = CloseRequest { period: "2009-01".to_owned(), dry_run: true, ..CloseRequest::default() };
    let would = biller.close_with(&dry, &mut |progress| told.push(progress.clone())).await.unwrap();
    assert_eq!((would[0].issued_as, would[0].totals[0].amount.as_str()), (IssuedAs::WouldBe, "74.40"));
    assert!(matches!(
        &told[..],
        [
            Progress::Settled { contracts: 1, .. },
            Progress::Drafted { .. },
            Progress::Contract { done: 1, of: 1, .. }
        ]
    ));
    assert_eq!(story.log.records().len(), before);

    // January: 744 kWh at 0.10.
    let january = story.bill("2009-01").await;
    assert_eq!(biller.invoice(&january).await.unwrap().invoice.number, "GEN-000001");
    assert_eq!(story.open().await, [("USD".to_owned(), 8_440)]);

    // A meter's reading was too high: a later recorded reading of the same instant reduces the last day by 12 kWh.
    story.at(FEBRUARY_US + 3 * DAY_US);
    story.store.change(|world| {
        world.readings.retain(|(_, row)| {
            row.reading.at_us <= FEBRUARY_US - DAY_US / 2 || row.reading.at_us > FEBRUARY_US
        });
        world.read("gen-1", FEBRUARY_US, 744_000 - 12_000);
    });
    let by = signed("ana", "late data of january");
    let adjusted = biller.adjust("2009-01", None, &by).await.unwrap();
    let shown: Vec<_> =
        adjusted.iter().map(|a| (a.kind, a.number.as_str(), a.totals[0].amount.as_str())).collect();
    assert_eq!(shown, [("credit_note_issued", "GEN-CN-000001", "-1.20")]);
    assert!(biller.adjust("2009-01", None, &by).await.unwrap().is_empty());
    let note = biller.note("GEN-CN-000001").await.unwrap();
    assert_eq!(note.note.lines[0].line_id, "lab-1/power");
    assert_eq!(note.note.invoice_number, "GEN-000001");
    assert_eq!(story.open().await, [("USD".to_owned(), 8_320)]);

    // A payment settles the oldest first: all of OLD-77, and 40.00 of 73.20.
    story.at(FEBRUARY_US + 20 * DAY_US);
    let pay = |reference: &str, minor| {
        Command::ReceivePayment(PaymentRequest {
            reference: reference.to_owned(),
            legal_entity: ENTITY.to_owned(),
            customer_id: CUSTOMER.to_owned(),
            amount: Amount::new(minor, "USD"),
            received_us: biller.now_us(),
            settle: Settle::OldestFirst,
        })
    };
    story.act(pay("wire-1", 5_000), "ben", "bank statement of 21 February").await;
    assert_eq!(story.state_of(&january).await, "partially_paid");
    assert_eq!(story.open().await, [("USD".to_owned(), 3_320)]);

    // Due 30 days after its issue: overdue from then on, and half a month later 1.5 percent a month.
    let due_us = FEBRUARY_US + 30 * DAY_US;
    story.at(due_us + 15 * DAY_US);
    let by = signed("dunning", "daily run");
    assert!(biller.overdue(due_us, None, &by).await.unwrap().is_empty());
    assert_eq!(biller.overdue(due_us + 1, None, &by).await.unwrap().len(), 1);
    assert!(biller.overdue(due_us + 1, None, &by).await.unwrap().is_empty());
    assert_eq!(story.state_of(&january).await, "overdue");
    // 33.20 x 1.5 % x 15/30 = 0.249.
    let fees = biller.late_fees(due_us + 15 * DAY_US, None, &by).await.unwrap();
    let [Event::DebitNoteIssued(fee)] = &fees[..] else { panic!("{fees:?}") };
    assert_eq!((fee.number.as_str(), fee.totals[0].amount.as_str()), ("GEN-DN-000001", "0.25"));
    assert!(biller.late_fees(due_us + 15 * DAY_US, None, &by).await.unwrap().is_empty());
    // Another 15 days: 0.498 in all, rounded once.
    let fees = biller.late_fees(due_us + 30 * DAY_US, None, &by).await.unwrap();
    let [Event::DebitNoteIssued(fee)] = &fees[..] else { panic!("{fees:?}") };
    assert_eq!(fee.totals[0].amount, "0.25");
    let ageing = biller.statements(CUSTOMER, due_us + 40 * DAY_US).await.unwrap()[0].ageing;
    assert_eq!((ageing.current_minor.0, ageing.days_31_60_minor.0), (0, 3_370));

    // February: 672 kWh, and the register's 12 kWh that January no longer has.
    story.at(MARCH_US + 17 * DAY_US);
    let february = story.bill("2009-02").await;
    let invoice = biller.invoice(&february).await.unwrap();
    assert_eq!(
        (invoice.invoice.number.as_str(), invoice.invoice.totals[0].amount.as_str()),
        ("GEN-000002", "68.40")
    );

    // The customer disputes 10.00 of it; 4.00 are granted.
    let opened = story
        .act(
            Command::OpenDispute(DisputeRequest {
                invoice_id: february.clone(),
                line_id: "lab-1/power".to_owned(),
                amount: Amount::new(1_000, "USD"),
                text: "The machine was off on the second.".to_owned(),
                by: "hal".to_owned(),
                at_us: biller.now_us(),
            }),
            "hal",
            "letter of 20 March",
        )
        .await;
    let [Event::DisputeOpened(dispute)] = &opened[..] else { panic!("{opened:?}") };
    let words = |text: &str| DisputeWords {
        dispute_id: dispute.dispute_id.clone(),
        text: text.to_owned(),
        by: "ben".to_owned(),
        at_us: biller.now_us(),
    };
    assert_eq!(biller.statements(CUSTOMER, i64::MAX).await.unwrap()[0].disputed_minor.0, 1_000);
    story.act(Command::AnswerDispute(words("We look into it.")), "ben", "answer").await;
    let accept = Command::AcceptDispute { words: words("Off for four hours."), credit_minor: 400 };
    story.act(accept, "ben", "the site's log agrees").await;
    assert_eq!(biller.statements(CUSTOMER, i64::MAX).await.unwrap()[0].disputed_minor.0, 0);

    // A granted amount stays granted when the month is adjusted: nothing changed, so nothing is billed.
    assert!(biller.adjust("2009-02", None, &signed("ana", "monthly run")).await.unwrap().is_empty());

    // The rest is paid, bounces, and is paid again with an excess, which is refunded.
    let paid = story.act(pay("wire-2", 9_810), "ben", "bank statement").await;
    let [Event::PaymentReceived(payment)] = &paid[..] else { panic!("{paid:?}") };
    assert_eq!(story.state_of(&february).await, "paid");
    let payment_id = payment.payment_id.clone();
    let at_us = biller.now_us();
    story.act(Command::Reverse { payment_id, at_us }, "ben", "returned by the bank").await;
    assert_eq!(story.state_of(&february).await, "issued");
    let paid = story.act(pay("wire-3", 10_000), "ben", "bank statement").await;
    let [Event::PaymentReceived(payment)] = &paid[..] else { panic!("{paid:?}") };
    let refund = Command::Refund {
        payment_id: payment.payment_id.clone(),
        reference: "wire-out-1".to_owned(),
        amount_minor: 190,
        at_us,
    };
    story.act(refund, "ben", "overpaid").await;
    assert_eq!(story.open().await, [("USD".to_owned(), 0)]);

    billed_again(&story, &february).await;
    assert_eq!(story.open().await, [("USD".to_owned(), 0)]);

    let history = biller.history(&january).await.unwrap();
    let kinds: Vec<_> = history.iter().map(|entry| (entry.kind, entry.who.as_str())).collect();
    assert_eq!(
        kinds[..4],
        [
            ("draft_made", "biller"),
            ("invoice_submitted", "ana"),
            ("invoice_approved", "ben"),
            ("invoice_issued", "ana"),
        ]
    );

    check_the_books(&story).await;
    let records: String =
        story.log.records().iter().map(|bytes| format!("{}\n", String::from_utf8_lossy(bytes))).collect();
    golden("story.jsonl", &records);
}

/// February is voided and billed again: the new invoice names the old one, and what was paid settles it. What was granted
/// is granted again by hand.
async fn billed_again(story: &Story, february: &str) {
    let biller = &story.biller;
    story.at(MARCH_US + 20 * DAY_US);
    let done = biller.reissue(february, true, &signed("ana", "the wrong address")).await.unwrap();
    let [Event::CreditNoteIssued(void), Event::DraftMade(made)] = done.events() else { panic!("{done:?}") };
    assert_eq!(void.released[0].amount_minor.0, 6_440);
    assert_eq!(made.draft.replaces.as_ref().unwrap().number, "GEN-000002");
    assert_eq!(story.state_of(february).await, "void");
    assert_eq!(story.open().await, [("USD".to_owned(), -6_440)]);
    let id = made.draft.invoice_id.clone();
    let step = |by: &str| Step { invoice_id: id.clone(), by: by.to_owned(), at_us: biller.now_us() };
    // Sent back, and right after all.
    story.act(Command::Submit(step("ana")), "ana", "the right address").await;
    story.act(Command::Reject(step("ben")), "ben", "is it?").await;
    story.act(Command::Submit(step("ana")), "ana", "it is").await;
    story.act(Command::Approve(step("ben")), "ben", "seen").await;
    biller.issue(&id, &signed("ana", "approved")).await.unwrap();
    let next = biller.invoice(&id).await.unwrap().invoice.clone();
    assert_eq!((next.number.as_str(), next.settled[0].amount_minor.0), ("GEN-000003", 6_440));
    assert_eq!(story.state_of(&id).await, "partially_paid");
    let line = LineAmount { line_id: "lab-1/power".to_owned(), amount: Amount::new(-400, "USD") };
    let note = NoteByHand {
        invoice_id: id.clone(),
        reference: "goodwill-1".to_owned(),
        text: "as granted before".to_owned(),
        lines: vec![line],
        at_us: biller.now_us(),
    };
    story.act(Command::IssueNote(note), "ben", "as granted before").await;
    for id in [february, &id] {
        let again = biller.recompute(id).await.unwrap();
        assert!(again.bill_matches && again.evidence_matches, "{id}");
    }
    assert!(biller.adjust("2009-02", None, &signed("ana", "monthly run")).await.unwrap().is_empty());
}

/// Reads the log like any reader, and adds up every account.
async fn check_the_books(story: &Story) {
    let (mut chain, mut state) = (Chain::default(), State::default());
    let mut accounts = std::collections::BTreeMap::<String, i128>::new();
    for (offset, bytes) in (0..).zip(story.log.records()) {
        let Applied::Won { record, .. } = chain.apply(offset, &bytes) else { panic!("{offset} did not win") };
        let event = Event::read(&record.kind, &record.body).unwrap();
        state.apply(&event).unwrap();
        for posting in postings(&event) {
            *accounts.entry(posting.account.name()).or_default() += posting.amount_minor;
        }
    }
    assert_eq!(accounts.values().sum::<i128>(), 0);
    let expected = [
        ("accounts_receivable", 0),
        ("cash", 5_000 + 10_000 - 190),
        ("customer_balance", 0),
        ("opening_balances", -1_000),
        ("revenue:late_fee", -50),
        // 74.40 - 1.20 + 68.40 - 4.00.
        ("revenue:metered_energy", -13_760),
    ];
    let expected: std::collections::BTreeMap<_, _> =
        expected.into_iter().map(|(name, minor)| (name.to_owned(), minor)).collect();
    assert_eq!(accounts, expected);
    assert_eq!(state, story.biller.state().await.unwrap());
}
