//! Commands that name an invoice, note, payment or dispute that does not exist, or one of another customer.

use wb_ledger::{
    Allocation, Amount, Command, DisputeRequest, DisputeWords, LineAmount, Minor, NoteByHand, PaymentRequest,
    Settle, Step,
};

use super::{JANUARY_US, MONTH, biller, payment, signed, world};

/// An error with its causes.
fn words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Every command that names an invoice, with this name.
fn of_invoice(name: &str) -> Vec<Command> {
    let (invoice_id, at_us, text) = (name.to_owned(), JANUARY_US, "why".to_owned());
    let (line_id, amount, by) = ("acme-1/fee".to_owned(), Amount::new(-100, "USD"), "ana".to_owned());
    let step = Step { invoice_id: invoice_id.clone(), by: by.clone(), at_us };
    vec![
        Command::Submit(step.clone()),
        Command::Approve(step.clone()),
        Command::Reject(step),
        Command::IssueApproved { invoice_id: invoice_id.clone(), issued_us: at_us },
        Command::IssueNote(NoteByHand {
            invoice_id: invoice_id.clone(),
            reference: "r".to_owned(),
            text: text.clone(),
            lines: vec![LineAmount { line_id: line_id.clone(), amount: amount.clone() }],
            at_us,
        }),
        Command::Void { invoice_id: invoice_id.clone(), text: text.clone(), at_us },
        Command::WithdrawOverdue { invoice_id: invoice_id.clone(), text: text.clone(), at_us },
        Command::ReverseWriteOff { invoice_id: invoice_id.clone(), at_us },
        Command::MarkOverdue { invoice_id: invoice_id.clone(), at_us },
        Command::WriteOff { invoice_id: invoice_id.clone(), amounts: Vec::new(), at_us },
        Command::OpenDispute(DisputeRequest {
            invoice_id: invoice_id.clone(),
            line_id,
            amount: Amount::new(100, "USD"),
            text,
            by,
            at_us,
        }),
        Command::ReceivePayment(PaymentRequest {
            reference: "settles".to_owned(),
            legal_entity: "gen-hosting".to_owned(),
            customer_id: "acme".to_owned(),
            amount: Amount::new(100, "USD"),
            received_us: at_us,
            settle: Settle::Given(vec![Allocation { invoice_id, amount_minor: Minor(100) }]),
        }),
    ]
}

/// Commands that name a dispute, note, payment or refund, with this name.
fn of_others(name: &str) -> Vec<Command> {
    let (id, at_us, text) = (name.to_owned(), JANUARY_US, "why".to_owned());
    let words = DisputeWords { dispute_id: id.clone(), text: text.clone(), by: "ana".to_owned(), at_us };
    vec![
        Command::AnswerDispute(words.clone()),
        Command::RejectDispute(words.clone()),
        Command::AcceptDispute { words, credit_minor: 1 },
        Command::CancelNote { note: id.clone(), text, at_us },
        Command::Allocate { payment_id: id.clone(), settle: Settle::OldestFirst, at_us },
        Command::Reverse { payment_id: id.clone(), at_us },
        Command::Release { payment_id: id.clone(), allocations: Vec::new(), at_us },
        Command::Refund { payment_id: id.clone(), reference: "r".to_owned(), amount_minor: 1, at_us },
        Command::ReverseRefund { refund_id: id, at_us },
    ]
}

#[tokio::test]
async fn what_does_not_exist_is_refused_with_what_is_like_it() {
    let (biller, _, log) = biller(world());
    biller.close(MONTH, None).await.unwrap();
    let id = biller.invoices().await.unwrap()[0].invoice.invoice_id.clone();
    let wrong = format!("{}x", &id[..id.len() - 1]);
    let before = log.records().len();
    for command in of_invoice(&wrong) {
        let error = biller.act(&command, &signed()).await.unwrap_err();
        assert_eq!(error.code(), "WB-5344", "{command:?}: {error}");
        // There is no draft that could be meant.
        let is_of_drafts = matches!(
            command,
            Command::Submit(_) | Command::Approve(_) | Command::Reject(_) | Command::IssueApproved { .. }
        );
        let like = format!("did you mean {id}?");
        assert!(is_of_drafts || words(&error).contains(&like), "{command:?}: {}", words(&error));
    }
    for command in of_others("no-such") {
        let error = biller.act(&command, &signed()).await.unwrap_err();
        assert_eq!(error.code(), "WB-5344", "{command:?}: {error}");
    }
    assert_eq!(log.records().len(), before, "nothing is recorded");
}

#[tokio::test]
async fn a_payment_does_not_settle_another_customers_invoice() {
    let (biller, ..) = biller(world());
    biller.close(MONTH, None).await.unwrap();
    let invoices = biller.invoices().await.unwrap();
    let others = invoices.iter().find(|document| document.invoice.customer_id == "other").unwrap();
    let Command::ReceivePayment(mut request) = payment("acme", "gen-hosting") else { return };
    let invoice_id = others.invoice.invoice_id.clone();
    request.settle = Settle::Given(vec![Allocation { invoice_id, amount_minor: Minor(100) }]);
    let error = biller.act(&Command::ReceivePayment(request), &signed()).await.unwrap_err();
    assert!(words(&error).contains("belongs to other"), "{}", words(&error));
}
