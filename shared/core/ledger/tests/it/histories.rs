//! Random histories of commands: in any order of commands debits equal credits, what customers owe is what their
//! statements and invoices say, and numbers have no gaps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a test stops at what it did not expect; helpers are shared by tests that use some of them"
)]

use std::collections::BTreeMap;

use crate::support::{
    Books, DAY_US, END_US, ENTITY, Part, check_histories, close, draft, issue, note, payment, reviewed, step,
    tax_minor,
};
use proptest::prelude::*;
use wb_ledger::{
    Account, Amount, Command, DisputeRequest, DisputeWords, Event, InvoiceHistory, Minor, OpeningKind,
    OpeningRecorded, Replaced, Settle, invoice_id, postings,
};
use wb_units::Currency;

const CONTRACTS: [(&str, &str); 3] =
    [("lab-1", "satoshi-lab"), ("lab-2", "satoshi-lab"), ("desk-1", "hal-desk")];

/// A command with small numbers.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) what: u8,
    pub(crate) contract: usize,
    pub(crate) who: u8,
    pub(crate) amount: i128,
    pub(crate) day: i64,
}

fn parts(power: i128, earned: i128) -> Vec<Part> {
    vec![
        ("earnings", "pool_earnings", earned, Currency::BTC),
        ("power", "metered_energy", power, Currency::USD),
        ("uptime", "uptime_credit", -(power / 10), Currency::USD),
        ("tax", "tax", tax_minor(power), Currency::USD),
        ("deposit", "deposit", 500, Currency::USD),
        ("settle/from", "btc_settlement", -(power / 4), Currency::USD),
        ("settle/to", "btc_settlement", power * 3, Currency::BTC),
    ]
}

pub(crate) fn command(books: &Books, asked: &Asked) -> Command {
    let (contract, customer) = CONTRACTS[asked.contract];
    let id = invoice_id(ENTITY, contract, "2009-01", None).unwrap();
    let at_us = END_US + asked.day * DAY_US;
    let by = format!("person-{}", asked.who % 3);
    let reference = format!("r-{}", asked.who);
    let closed_cut = books.state.closed(contract, "2009-01").map_or(10, |closed| closed.cut);
    let pay_id = {
        let ids: Vec<_> = books.state.payments().map(|payment| payment.payment_id.clone()).collect();
        ids.get(usize::from(asked.who) % ids.len().max(1)).cloned().unwrap_or_default()
    };
    let dispute = books.state.disputes().last().map(|d| d.opened.dispute_id.clone()).unwrap_or_default();
    let words =
        || DisputeWords { dispute_id: dispute.clone(), text: "words".to_owned(), by: by.clone(), at_us };
    let first = |approvals| reviewed(contract, customer, closed_cut, &parts(10_000, 77), approvals);
    let power = format!("{contract}/power");
    match asked.what {
        0 => close(&first(0)),
        1 => issue(first(0)),
        2 => Command::MakeDraft { draft: Box::new(first(2)), at_us },
        3 => Command::Submit(step(&id, &by)),
        4 => Command::Approve(step(&id, &by)),
        5 => Command::Reject(step(&id, &by)),
        6 => Command::IssueApproved { invoice_id: id, issued_us: END_US },
        7 | 8 => {
            let cut = 11 + u64::from(asked.who);
            let approvals = u32::from(asked.who % 2);
            let parts = parts(asked.amount, asked.amount % 90);
            let later = reviewed(contract, customer, cut, &parts, approvals);
            Command::Adjust { draft: Box::new(later), at_us }
        }
        9 => note(&id, &reference, &power, -asked.amount / 3),
        10 => note(&id, &reference, &power, asked.amount / 3),
        11 => Command::Void { invoice_id: id, text: "wrong customer".to_owned(), at_us },
        12 | 13 => payment(&reference, customer, asked.amount, Settle::OldestFirst),
        14 => payment(&reference, customer, asked.amount, Settle::Nothing),
        15 => Command::Allocate { payment_id: pay_id, settle: Settle::OldestFirst, at_us },
        16 => Command::Reverse { payment_id: pay_id, at_us },
        17 => Command::Refund { payment_id: pay_id, reference, amount_minor: asked.amount / 9, at_us },
        18 => Command::MarkOverdue { invoice_id: id, at_us },
        19 => Command::ChargeLateFee { invoice_id: id, at_us },
        20 => Command::WriteOff { invoice_id: id, amounts: Vec::new(), at_us },
        21 => Command::OpenDispute(DisputeRequest {
            invoice_id: id,
            line_id: power,
            amount: Amount::new(asked.amount / 5 + 1, "USD"),
            text: "too much".to_owned(),
            by,
            at_us,
        }),
        22 => Command::AnswerDispute(words()),
        23 => Command::RejectDispute(words()),
        24 => Command::AcceptDispute { words: words(), credit_minor: asked.amount / 7 + 1 },
        26 => {
            let voids: Vec<_> =
                books.state.items().filter(|item| item.voided && !item.period.is_empty()).collect();
            let Some(void) = voids.get(usize::from(asked.who) % voids.len().max(1)) else {
                return Command::Submit(step(&id, &by));
            };
            let replaced = Replaced {
                invoice_id: void.id.clone(),
                number: void.number.clone(),
                moves_payments: asked.day % 2 == 0,
            };
            let parts = parts(asked.amount, 77);
            let again = reviewed(&void.contract_id, &void.customer_id, 40, &parts, 0).replacing(replaced);
            issue(again.unwrap())
        }
        27 => {
            let ids: Vec<_> = books.state.items().map(|item| item.id.clone()).collect();
            let invoice_id = ids.get(usize::from(asked.who) % ids.len().max(1)).cloned().unwrap_or_default();
            Command::Void { invoice_id, text: "wrong again".to_owned(), at_us }
        }
        28 => {
            let notes: Vec<_> = books.state.notes().map(|note| note.number.clone()).collect();
            let note = notes.get(usize::from(asked.who) % notes.len().max(1)).cloned().unwrap_or_default();
            Command::CancelNote { note, text: "a mistake".to_owned(), at_us }
        }
        29 => Command::Release { payment_id: pay_id, allocations: Vec::new(), at_us },
        30 => {
            let refund = books.events.iter().rev().find_map(|event| match event {
                Event::RefundPaid(refund) => Some(refund.refund_id.clone()),
                _ => None,
            });
            Command::ReverseRefund { refund_id: refund.unwrap_or_default(), at_us }
        }
        31 => Command::WithdrawOverdue { invoice_id: id, text: "not yet".to_owned(), at_us },
        32 => Command::ReverseWriteOff { invoice_id: id, at_us },
        _ => Command::RecordOpening(OpeningRecorded {
            item_id: String::new(),
            kind: OpeningKind::Balance,
            reference,
            legal_entity: ENTITY.to_owned(),
            customer_id: customer.to_owned(),
            open: vec![Amount { amount_minor: Minor(asked.amount - 5_000), currency: "USD".to_owned() }],
            issued_us: END_US - 90 * DAY_US,
            due_us: Some(END_US - 60 * DAY_US),
            late_fee_ppm: 10_000,
        }),
    }
}

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    (0_u8..34, 0_usize..3, 0_u8..6, 0_i128..30_000, 0_i64..200)
        .prop_map(|(what, contract, who, amount, day)| Asked { what, contract, who, amount, day })
}

fn check_balanced(event: &Event) {
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for posting in postings(event) {
        *sums.entry(posting.currency).or_default() += posting.amount_minor;
    }
    assert!(sums.values().all(|sum| *sum == 0), "{event:?} does not balance: {sums:?}");
}

pub(crate) fn check_books(books: &Books) {
    for customer in ["satoshi-lab", "hal-desk"] {
        let statements = books.state.statements(customer, i64::MAX);
        for currency in ["USD", "BTC"] {
            let items = books.state.items().filter(|item| item.customer_id == customer);
            let open: i128 = items.map(|item| item.open_minor(currency)).sum();
            let payments = books.state.payments().filter(|p| p.customer_id == customer);
            let left: i128 =
                payments.filter(|p| p.amount.currency == currency).map(wb_ledger::Payment::left_minor).sum();
            assert_eq!(books.sum("accounts_receivable", customer, currency), open, "{customer} {currency}");
            assert_eq!(-books.sum("customer_balance", customer, currency), left, "{customer} {currency}");
            let Some(statement) = statements.iter().find(|s| s.currency == currency) else {
                assert_eq!((open, left), (0, 0), "{customer} {currency} has no statement");
                continue;
            };
            assert_eq!((statement.receivable_minor.0, statement.unallocated_minor.0), (open, left));
            let aged = statement.ageing;
            let buckets = [
                aged.current_minor,
                aged.days_1_30_minor,
                aged.days_31_60_minor,
                aged.days_61_90_minor,
                aged.days_over_90_minor,
            ];
            assert_eq!(buckets.iter().map(|bucket| bucket.0).sum::<i128>(), open);
            let last = statement.entries.last().map_or(0, |entry| entry.balance_minor.0);
            assert_eq!(last, statement.balance_minor.0, "{statement:#?}");
        }
    }
    for item in books.state.items() {
        for ((line_id, _), line) in &item.lines {
            // Nothing is credited with more than was billed.
            if line.kind == "metered_energy" {
                assert!(line.billed_minor >= 0, "{line_id}: {line:?}");
            }
        }
        // A void invoice owes nothing and is owed nothing.
        if item.voided {
            assert!(item.open().is_empty(), "{} is void and open: {:?}", item.number, item.open());
        }
        // An invoice that payments settled too much gives back: only credits make it negative.
        for (currency, balance) in &item.balances {
            assert!(balance.paid_minor >= 0, "{} {currency} {balance:?}", item.number);
        }
    }
    for payment in books.state.payments() {
        assert!(payment.left_minor() >= 0 && payment.allocated.values().all(|minor| *minor > 0));
    }
}

fn check_numbers(books: &Books) {
    let mut series: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in &books.events {
        let number = match event {
            Event::InvoiceIssued(invoice) => &invoice.number,
            Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => &note.number,
            _ => continue,
        };
        series.entry(event.kind().to_owned()).or_default().push(number[number.len() - 6..].to_owned());
    }
    for numbers in series.values() {
        let gapless: Vec<_> = (1..=numbers.len()).map(|number| format!("{number:06}")).collect();
        assert_eq!(*numbers, gapless);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn debits_equal_credits_and_statements_equal_the_books(history in prop::collection::vec(asked(), 1..90)) {
        let mut books = Books::default();
        // Most histories begin with something that is owed.
        for contract in 0..2 {
            for what in [0, 1] {
                let first = Asked { what, contract, who: 0, amount: 0, day: 0 };
                books.act(&command(&books, &first)).unwrap();
            }
        }
        for asked in history {
            let command = command(&books, &asked);
            let before = books.state.clone();
            let Ok(events) = books.act(&command) else {
                prop_assert_eq!(&before, &books.state);
                continue;
            };
            for event in &events {
                check_balanced(event);
                let read = Event::read(event.kind(), &event.body().unwrap()).unwrap();
                prop_assert_eq!(&read, event);
                prop_assert!(Event::KINDS.contains(&event.kind()));
            }
            check_books(&books);
        }
        check_numbers(&books);
        check_histories(&books);
        let mut trial: BTreeMap<String, i128> = BTreeMap::new();
        for posting in &books.postings {
            *trial.entry(posting.currency.clone()).or_default() += posting.amount_minor;
        }
        prop_assert!(trial.values().all(|sum| *sum == 0));
        // A second reader of the log finds the same.
        let mut again = wb_ledger::State::default();
        for event in &books.events {
            again.apply(event).unwrap();
        }
        prop_assert_eq!(again, books.state);
    }

    /// A repeated command does not double anything: the second is refused or has no effect. Steps of different
    /// persons, and charges for further time, are not repeats.
    #[test]
    fn nothing_doubles(history in prop::collection::vec(asked(), 1..60)) {
        let mut books = Books::default();
        for asked in history {
            let command = command(&books, &asked);
            let Ok(events) = books.act(&command) else { continue };
            let again = books.act(&command);
            let repeatable = matches!(command, Command::Adjust { .. });
            prop_assert!(
                repeatable || events.is_empty() || again.as_ref().is_ok_and(Vec::is_empty) || again.is_err(),
                "{command:?} was done twice"
            );
            if matches!(command, Command::Adjust { .. }) {
                // One note each way at most.
                prop_assert_eq!(books.act(&command).unwrap_or_default().len(), 0);
            }
        }
    }
}

/// A record that a state would refuse never wins. A reader of a few invoices has no state, and must not be misled by
/// one.
#[test]
fn an_invoice_is_not_changed_by_what_is_anothers() {
    let mut books = Books::default();
    let first = draft("lab-1", "satoshi-lab", 10, &parts(10_000, 77));
    books.act(&close(&first)).unwrap();
    books.act(&issue(first.clone())).unwrap();
    books.act(&payment("r-1", "satoshi-lab", 400, Settle::OldestFirst)).unwrap();
    let [_, Event::InvoiceIssued(invoice), Event::PaymentReceived(paid)] = books.events.as_slice() else {
        panic!("closed, issued and paid")
    };
    let fold = |events: &[Event]| {
        let mut folded = InvoiceHistory::fold(vec![(**invoice).clone()], events).unwrap();
        folded.pop().unwrap().item().clone()
    };
    let mut of_another = paid.clone();
    of_another.customer_id = "hal-desk".to_owned();
    let mut for_another = paid.clone();
    for_another.allocations[0].invoice_id.push('x');
    let untouched = fold(&[]);
    assert_eq!(fold(&[Event::PaymentReceived(of_another)]), untouched);
    assert_eq!(fold(&[Event::PaymentReceived(for_another)]), untouched);
    assert_ne!(fold(&[Event::PaymentReceived(paid.clone())]), untouched);
    // Texts that are no amounts are refused, as the whole ledger would have refused the invoice.
    let mut beyond = (**invoice).clone();
    beyond.lines[0].amount_minor = "+100".to_owned();
    let error = InvoiceHistory::fold(vec![beyond], &books.events).unwrap_err();
    assert!(error.to_string().contains("+100"), "{error}");
}

#[test]
fn accounts_have_their_names() {
    let names = [
        Account::Receivable,
        Account::CustomerBalance,
        Account::Cash,
        Account::Revenue("metered_energy".to_owned()),
        Account::TaxPayable,
        Account::CustomerDeposits,
        Account::PrepaidLiability,
        Account::BadDebt,
        Account::MinedBitcoin,
        Account::MinedBitcoinPayable,
        Account::SettlementClearing,
        Account::OpeningBalances,
    ]
    .map(|account| account.name());
    assert_eq!(names[3], "revenue:metered_energy");
    let mut distinct = names.to_vec();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), names.len());
}
