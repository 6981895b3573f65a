//! A voided month is billed again.

use super::{DAY_US, JANUARY_US, MONTH, biller, credit, open, pay, signed, world};
use crate::memory::{Fault, MemoryLog, MemoryStore};
use wb_billing::{Done, IssuedAs};
use wb_ledger::{BillingTerms, Command, Event, Step};

#[tokio::test]
async fn a_voided_month_is_billed_again_under_a_number_that_names_the_old_one() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let biller = biller(&log, &store, "a");
    let id = biller.close(MONTH, Some("satoshi-lab")).await.unwrap()[0].invoice_id.clone();
    biller.act(&pay("wire-1", 7_000), &signed()).await.unwrap();
    let void =
        Command::Void { invoice_id: id.clone(), text: "wrong".to_owned(), at_us: JANUARY_US + 42 * DAY_US };
    biller.act(&void, &signed()).await.unwrap();
    // A close says what it is, and bills nothing by itself.
    let closed = biller.close(MONTH, Some("satoshi-lab")).await.unwrap();
    assert_eq!((closed.len(), closed[0].issued_as, closed[0].new), (1, IssuedAs::Void, false));

    store.change(|world| world.contract("lab-1", "satoshi-lab", JANUARY_US, "0.20"));
    let done = biller.reissue(&id, true, &signed()).await.unwrap();
    let [Event::InvoiceIssued(next)] = done.events() else { panic!("{done:?}") };
    assert_eq!((next.number.as_str(), next.totals[1].amount.as_str()), ("GEN-000002", "148.80"));
    assert_eq!(next.replaces.as_ref().unwrap().number, "GEN-000001");
    assert_eq!(next.settled.iter().map(|part| part.amount_minor.0).collect::<Vec<_>>(), [7_000]);
    assert_eq!(open(&biller, "satoshi-lab", "USD").await, 14_880 - 7_000);
    // Both invoices are computed again to the same digests.
    for id in [&id, &next.invoice_id] {
        let again = biller.recompute(id).await.unwrap();
        assert!(again.bill_matches && again.evidence_matches, "{id}");
        assert!(biller.evidence(id).await.is_ok(), "{id}");
    }
    // A repeat does nothing, and the close knows the new one.
    assert_eq!(biller.reissue(&id, true, &signed()).await.unwrap(), Done::Existed("GEN-000002".to_owned()));
    let closed = biller.close(MONTH, Some("satoshi-lab")).await.unwrap();
    assert_eq!((closed[0].number.as_str(), closed[0].issued_as), ("GEN-000002", IssuedAs::Invoice));
    // What comes late is billed on the new one.
    store.change(|world| world.contract("lab-1", "satoshi-lab", JANUARY_US, "0.25"));
    let adjusted = biller.adjust(MONTH, Some("satoshi-lab"), &signed()).await.unwrap();
    assert_eq!((adjusted.len(), &adjusted[0].invoice_id), (1, &next.invoice_id));
    assert_eq!(adjusted[0].totals[0].amount, "37.20");
    biller.act(&credit(&next.invoice_id, "c-1", -100), &signed()).await.unwrap();
}

#[tokio::test]
async fn one_act_voids_and_bills_again_in_review() {
    let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
    let first = biller(&log, &store, "a");
    let id = first.close(MONTH, Some("satoshi-lab")).await.unwrap()[0].invoice_id.clone();
    let biller =
        biller(&log, &store, "b").with_defaults(BillingTerms { approvals: 1, ..BillingTerms::default() });
    let done = biller.reissue(&id, false, &signed()).await.unwrap();
    assert_eq!(
        done.events().iter().map(Event::kind).collect::<Vec<_>>(),
        ["credit_note_issued", "draft_made"]
    );
    let Some(Event::DraftMade(made)) = done.events().last() else { panic!("{done:?}") };
    let next = made.draft.invoice_id.clone();
    assert_eq!(biller.reissue(&id, false, &signed()).await.unwrap(), Done::Existed(next.clone()));
    let step = |by: &str| Step { invoice_id: next.clone(), by: by.to_owned(), at_us: JANUARY_US };
    // It is rejected and, with what was corrected, drafted again as the same replacement.
    biller.act(&Command::Reject(step("ben")), &signed()).await.unwrap();
    assert_eq!(biller.close(MONTH, Some("satoshi-lab")).await.unwrap()[0].issued_as, IssuedAs::Rejected);
    store.change(|world| world.contract("lab-1", "satoshi-lab", JANUARY_US, "0.20"));
    let again = biller.close(MONTH, Some("satoshi-lab")).await.unwrap();
    assert_eq!((again[0].new, &again[0].invoice_id), (true, &next));
    biller.act(&Command::Submit(step("ana")), &signed()).await.unwrap();
    biller.act(&Command::Approve(step("ben")), &signed()).await.unwrap();
    biller.issue(&next, &signed()).await.unwrap();
    let invoice = biller.invoice(&next).await.unwrap();
    assert_eq!((invoice.invoice.number.as_str(), invoice.invoice.replaces.is_some()), ("GEN-000002", true));
    assert!(biller.recompute(&next).await.unwrap().bill_matches);
}

#[tokio::test]
async fn killed_between_void_and_invoice_a_repeat_makes_the_invoice() {
    for fault in [Fault::BeforeWrite, Fault::AfterWrite] {
        for death in 1..=2 {
            let (log, store) = (MemoryLog::new(), MemoryStore::new(world()));
            let id = biller(&log, &store, "a").close(MONTH, Some("satoshi-lab")).await.unwrap()[0]
                .invoice_id
                .clone();
            let dying = biller(&log.dying_at(death, fault), &store, "a");
            assert_eq!(dying.reissue(&id, true, &signed()).await.unwrap_err().code(), "WB-5401");
            let after = biller(&log, &store, "b");
            after.reissue(&id, true, &signed()).await.unwrap();
            assert_eq!(log.records().len(), 4, "closed, issued, voided and issued again: death {death}");
            assert_eq!(open(&after, "satoshi-lab", "USD").await, 7_440);
        }
    }
}
