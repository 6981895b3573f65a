//! Dates of acts, and runs over all customers that are looked at before they are recorded.

use super::{DAY_US, JANUARY_US, MONTH, biller, credit, signed, with_late_fees, world};
use crate::memory::{MemoryLog, MemoryStore};
use wb_billing::GivenDate;
use wb_ledger::{Command, Event};

#[tokio::test]
async fn a_date_in_the_future_or_in_a_closed_month_is_said_twice() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let biller = biller(&log, &store, "a");
    biller.close(MONTH, Some("satoshi-lab")).await.unwrap();
    let now_us = biller.now_us();
    let at = |at_us| GivenDate { at_us: Some(at_us), ..GivenDate::default() };
    assert!(biller.date(GivenDate::default()).await.unwrap() >= now_us);
    assert_eq!(biller.date(at(now_us)).await.unwrap(), now_us);
    let future = at(now_us + DAY_US);
    assert_eq!(biller.date(future).await.unwrap_err().code(), "WB-5414");
    assert_eq!(biller.date(GivenDate { future_is_meant: true, ..future }).await.unwrap(), now_us + DAY_US);
    let closed = at(JANUARY_US + DAY_US);
    assert_eq!(biller.date(closed).await.unwrap_err().code(), "WB-5415");
    let meant = GivenDate { closed_is_meant: true, ..closed };
    assert_eq!(biller.date(meant).await.unwrap(), JANUARY_US + DAY_US);
    // It is open for another customer.
    let other = GivenDate { customer: Some("hal-desk"), ..closed };
    assert_eq!(biller.date(other).await.unwrap(), JANUARY_US + DAY_US);
}

#[tokio::test]
async fn a_plan_of_a_run_is_what_the_run_records_and_records_nothing() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    store.change(|world| {
        world.read("gen-2", JANUARY_US, 0);
        world.read("gen-2", JANUARY_US + DAY_US, 500_000);
    });
    let biller = with_late_fees(biller(&log, &store, "a"));
    biller.close(MONTH, None).await.unwrap();
    let at_us = JANUARY_US + 100 * DAY_US;
    let length = log.records().len();
    let plan = biller.overdue_plan(at_us, None).await.unwrap();
    let kinds: Vec<_> = plan.iter().map(Event::kind).collect();
    assert_eq!(kinds, ["invoice_overdue", "invoice_overdue", "debit_note_issued", "debit_note_issued"]);
    let one = biller.overdue_plan(at_us, Some("hal-desk")).await.unwrap();
    assert_eq!(one.iter().map(Event::customer_id).collect::<Vec<_>>(), ["hal-desk", "hal-desk"]);
    assert_eq!(log.records().len(), length);
    // Only the customer who was asked for.
    assert_eq!(biller.overdue(at_us, Some("hal-desk"), &signed()).await.unwrap().len(), 1);
    let fees = biller.late_fees(at_us, Some("hal-desk"), &signed()).await.unwrap();
    assert_eq!(fees, one[1..]);
    // And taken back.
    let Event::DebitNoteIssued(fee) = &fees[0] else { panic!("{fees:?}") };
    let text = || "a slip".to_owned();
    let cancel = Command::CancelNote { note: fee.number.clone(), text: text(), at_us };
    biller.act(&cancel, &signed()).await.unwrap();
    let withdraw = Command::WithdrawOverdue { invoice_id: fee.invoice_id.clone(), text: text(), at_us };
    biller.act(&withdraw, &signed()).await.unwrap();
    let again = biller.overdue_plan(at_us, None).await.unwrap();
    assert_eq!(again.iter().map(Event::kind).collect::<Vec<_>>(), kinds);
}

#[tokio::test]
async fn a_plan_of_adjustments_is_what_is_issued_and_records_nothing() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let biller = biller(&log, &store, "a");
    let id = biller.close(MONTH, None).await.unwrap()[0].invoice_id.clone();
    biller.act(&credit(&id, "c-1", -100), &signed()).await.unwrap();
    store.change(|world| {
        world.mined("gen-1", JANUARY_US + 2 * DAY_US, 3 << 32);
        world.read("gen-2", JANUARY_US, 0);
        world.read("gen-2", JANUARY_US + DAY_US, 5_000);
    });
    let length = log.records().len();
    let plan = biller.adjust_plan(MONTH, None).await.unwrap();
    assert_eq!(log.records().len(), length);
    assert_eq!(plan.len(), 2);
    let issued = biller.adjust(MONTH, None, &signed()).await.unwrap();
    let shown = |adjusted: &[wb_billing::Adjusted]| -> Vec<_> {
        adjusted.iter().map(|a| (a.kind, a.invoice_id.clone(), a.totals.clone())).collect()
    };
    assert_eq!(shown(&plan), shown(&issued));
}
