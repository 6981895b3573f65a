//! Bills that draw on grants or deposits follow one another.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use serde_json::json;
use wb_ledger::{
    Billed, BillingTerms, Command, Draft, Invoice, PeriodDocument, Refusal, State, Step, decide, evolve,
};
use wb_rating::{Contract, EnergyGroup, Period, Usage, rate};

/// A month's bill of a contract; its one line draws on grants, or does not.
fn billed(contract_id: &str, month: &str, draws: bool) -> Billed {
    let document = json!({
        "contract_id": contract_id, "customer_id": "acme", "legal_entity": "gen", "time_zone": "UTC",
        "components": [
            {"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "0.1"},
        ],
    });
    let contract = Contract::parse(&document.to_string()).unwrap();
    let period = Period::month(month, "UTC").unwrap();
    let energy = EnergyGroup {
        machine_id: "m".to_owned(),
        meter_id: "e".to_owned(),
        witness: "meter".to_owned(),
        energy_mwh: 310_000_000,
        resets: 0,
        unknown_us: 0,
    };
    let usage = Usage { energy: vec![energy], ..Usage::default() };
    let mut lines = rate(&contract, &usage).unwrap();
    if draws {
        lines[0].kind = "prepaid_credit".to_owned();
    }
    Billed {
        legal_entity: contract.legal_entity,
        customer_id: contract.customer_id,
        contract_id: contract.contract_id,
        contract_versions: Vec::new(),
        period: PeriodDocument::from(&period),
        terms: BillingTerms::default(),
        lines,
        cut: 7,
        blocks: Vec::new(),
        days: Vec::new(),
        chain_heads: Vec::new(),
    }
}

struct Books(State);

impl Books {
    fn act(&mut self, command: &Command) -> Result<(), Refusal> {
        for event in decide(&self.0, command)? {
            self.0 = evolve(std::mem::take(&mut self.0), &event).unwrap();
        }
        Ok(())
    }

    fn close(&mut self, billed: &Billed) {
        self.act(&Command::ClosePeriod(draft(billed).closing())).unwrap();
    }

    fn draft(&mut self, draft: Draft) -> Result<(), Refusal> {
        self.act(&Command::MakeDraft { draft: Box::new(draft), at_us: 1 })
    }

    fn issue(&mut self, draft: Draft) -> Result<(), Refusal> {
        self.act(&Command::IssueInvoice(Box::new(draft)))
    }
}

fn draft(billed: &Billed) -> Draft {
    Draft::new(billed.clone()).unwrap()
}

/// A draft that somebody must approve.
fn reviewed(billed: &Billed) -> Draft {
    let terms = BillingTerms { approvals: 1, ..billed.terms };
    draft(&Billed { terms, ..billed.clone() })
}

#[test]
fn a_draft_in_review_holds_back_what_draws_on_the_same() {
    let mut books = Books(State::default());
    let january = billed("c", "2009-01", true);
    let (february, plain) = (billed("c", "2009-02", true), billed("c", "2009-03", false));
    let other = billed("d", "2009-02", true);
    for billed in [&january, &february, &plain, &other] {
        books.close(billed);
    }
    books.draft(reviewed(&january)).unwrap();
    let refused = books.draft(reviewed(&february)).unwrap_err();
    assert_eq!((refused.code(), refused.to_string().contains("2009-01, which is draft")), ("WB-5359", true));
    assert_eq!(books.issue(draft(&february)).unwrap_err().code(), "WB-5359");
    // What draws on nothing, and what is of another contract, is not held back.
    books.draft(reviewed(&plain)).unwrap();
    books.issue(draft(&other)).unwrap();
    let invoice: Invoice = reviewed(&january).document().clone();
    let step = |by: &str| Step { invoice_id: invoice.invoice_id.clone(), by: by.to_owned(), at_us: 2 };
    books.act(&Command::Submit(step("ana"))).unwrap();
    books.act(&Command::Approve(step("ben"))).unwrap();
    assert_eq!(books.draft(reviewed(&february)).unwrap_err().code(), "WB-5359", "approved, but not issued");
    books.act(&Command::IssueApproved { invoice_id: invoice.invoice_id.clone(), issued_us: 3 }).unwrap();
    books.draft(reviewed(&february)).unwrap();
}

#[test]
fn what_was_computed_before_another_document_drew_is_refused() {
    let mut books = Books(State::default());
    let (january, february) = (billed("c", "2009-01", true), billed("c", "2009-02", true));
    let plain = billed("c", "2009-03", false);
    for billed in [&january, &february, &plain] {
        books.close(billed);
    }
    let changes = books.0.balance_changes("acme");
    books.issue(draft(&january).on_balances(changes)).unwrap();
    let stale = draft(&february).on_balances(changes);
    assert_eq!(books.issue(stale.clone()).unwrap_err().code(), "WB-5360");
    assert_eq!(books.draft(stale).unwrap_err().code(), "WB-5360");
    books.issue(draft(&plain).on_balances(changes)).unwrap();
    let now = books.0.balance_changes("acme");
    assert_eq!(now, changes + 1, "one document drew");
    books.issue(draft(&february).on_balances(now)).unwrap();
    // A void gives back what was drawn.
    let invoice_id = draft(&february).document().invoice_id.clone();
    books.act(&Command::Void { invoice_id, text: "wrong".to_owned(), at_us: i64::MAX }).unwrap();
    assert_eq!(books.0.balance_changes("acme"), now + 2);
    assert_eq!(books.0.balance_changes("birch"), 0);
}
