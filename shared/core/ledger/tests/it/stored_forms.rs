//! Golden files of a close and an invoice that went through no review, and what may be decided from them. A golden file is
//! never edited by hand: it is written anew for a reviewed change of the form.
//! `WEIGHBRIDGE_WRITE_GOLDEN=1` writes files that do not exist yet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::path::PathBuf;

use serde_json::json;
use wb_ledger::{
    Billed, BillingTerms, ChainHead, Command, ContractVersion, Draft, Event, EvidenceBlock, Hash, Invoice,
    LedgerRecord, PeriodClosed, PeriodDocument, State, canonical, decide, evolve, invoice_id,
};
use wb_rating::{Contract, EnergyGroup, Period, Usage, WorkGroup, rate};

const WHO: &str = "biller";
const AT_US: i64 = 1_233_446_400_000_000;

fn contract_text(contract_id: &str, entity: &str) -> String {
    json!({
        "contract_id": contract_id, "customer_id": "satoshi-lab", "legal_entity": entity, "time_zone": "UTC",
        "components": [
            {"id": "earnings", "kind": "pool_earnings", "chain": "main", "currency": "BTC", "mean_fees_sat": "0"},
            {"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "0.0725"},
        ],
    })
    .to_string()
}

fn usage() -> Usage {
    let group = |machine: &str, energy_mwh| EnergyGroup {
        machine_id: machine.to_owned(),
        meter_id: format!("{machine}-meter"),
        witness: "meter".to_owned(),
        energy_mwh,
        resets: 0,
        unknown_us: 0,
    };
    let work = |chain: &str, credited_q32| WorkGroup {
        chain: chain.to_owned(),
        nbits: 0x1d00_ffff,
        subsidy_sat: 5_000_000_000,
        credited_q32,
        shares: 267,
    };
    Usage {
        work: vec![work("testnet3", 5 << 32), work("main", 267 << 32)],
        energy: vec![group("gen-2", 1_500_001), group("gen-1", 71_000_000)],
        ..Usage::default()
    }
}

fn billed(contract_id: &str, entity: &str, cut: u64) -> Billed {
    let text = contract_text(contract_id, entity);
    let contract = Contract::parse(&text).unwrap();
    let period = Period::month("2009-01", "UTC").unwrap();
    let block = |topic: &str, block| EvidenceBlock {
        topic: topic.to_owned(),
        partition: 3,
        block,
        content_hash: Hash::of(b"content"),
        merkle_root: Hash::of(b"root"),
    };
    Billed {
        legal_entity: contract.legal_entity.clone(),
        customer_id: contract.customer_id.clone(),
        contract_id: contract.contract_id.clone(),
        contract_versions: vec![ContractVersion {
            start_us: period.interval.start_us,
            end_us: period.interval.end_us,
            digest: canonical::digest_of_text(&text).unwrap(),
        }],
        period: PeriodDocument::from(&period),
        terms: BillingTerms { late_fee_ppm: 15_000, ..BillingTerms::default() },
        lines: rate(&contract, &usage()).unwrap(),
        cut,
        blocks: vec![block("shares", 1), block("shares", 0), block("energy", 0), block("shares", 1)],
        days: Vec::new(),
        chain_heads: vec![ChainHead {
            topic: "shares".to_owned(),
            partition: 3,
            block: 9,
            commit_hash: Hash::of(b"name"),
        }],
    }
}

fn close(billed: &Billed) -> PeriodClosed {
    PeriodClosed {
        contract_id: billed.contract_id.clone(),
        customer_id: billed.customer_id.clone(),
        period: billed.period.clone(),
        cut: billed.cut,
        incomplete: None,
    }
}

/// Decides and takes what was decided.
fn act(state: State, command: Command) -> (State, Vec<Event>) {
    let events = decide(&state, &command).unwrap();
    let state = events.iter().fold(state, |state, event| evolve(state, event).unwrap());
    (state, events)
}

fn issue(state: State, billed: Billed) -> (State, Invoice) {
    let (state, _) = act(state, Command::ClosePeriod(close(&billed)));
    let (state, mut events) = act(state, Command::IssueInvoice(Box::new(Draft::new(billed).unwrap())));
    let Some(Event::InvoiceIssued(invoice)) = events.pop() else { panic!("no invoice") };
    (state, *invoice)
}

fn golden(name: &str, actual: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if !path.exists() && std::env::var_os("WEIGHBRIDGE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(String::from_utf8_lossy(actual), String::from_utf8_lossy(&expected), "{name}");
}

#[test]
fn stored_forms_are_those_of_the_golden_files() {
    let billed = billed("lab-1", "genesis-hosting", 41);
    let closed = Event::PeriodClosed(close(&billed));
    let (_, invoice) = issue(State::default(), billed);
    let mut predecessor = Hash::ZERO;
    for (name, event) in [
        ("period_closed.alone.json", closed),
        ("invoice_issued.alone.json", Event::InvoiceIssued(Box::new(invoice))),
    ] {
        let record = LedgerRecord::new(
            predecessor,
            event.kind(),
            event.body().unwrap(),
            WHO,
            "close of 2009-01",
            AT_US,
        );
        let bytes = record.to_bytes().unwrap();
        golden(name, &bytes);
        let read = LedgerRecord::from_bytes(&bytes).unwrap();
        assert_eq!(Event::read(&read.kind, &read.body).unwrap(), event);
        predecessor = Hash::of(&bytes);
    }
}

#[test]
fn the_bill_digest_covers_what_is_charged_and_nothing_else() {
    let base = Draft::new(billed("lab-1", "gen", 41)).unwrap();
    let mut gathered_otherwise = billed("lab-1", "gen", 99);
    gathered_otherwise.blocks.pop();
    gathered_otherwise.chain_heads.clear();
    let other = Draft::new(gathered_otherwise).unwrap();
    assert_eq!(base.document().bill_digest, other.document().bill_digest);
    assert_ne!(base.document().evidence_digest, other.document().evidence_digest);

    let mut reordered = billed("lab-1", "gen", 41);
    reordered.blocks.reverse();
    assert_eq!(Draft::new(reordered).unwrap(), base);

    let mut later = billed("lab-1", "gen", 41);
    later.terms = BillingTerms { approvals: 2, payment_terms_days: 60, ..BillingTerms::default() };
    let later = Draft::new(later).unwrap();
    assert_eq!(base.document().bill_digest, later.document().bill_digest);
    assert_eq!(base.document().evidence_digest, later.document().evidence_digest);

    type Change = fn(&mut Billed);
    let changes: [Change; 8] = [
        |b| b.customer_id.push('x'),
        |b| b.contract_versions[0].digest = Hash::ZERO,
        |b| b.period.end_us += 1,
        |b| b.lines[0].amount.minor += 1,
        |b| b.lines[0].quantity.push('0'),
        |b| b.lines[1].unit_price.push('0'),
        |b| {
            b.lines[1].inputs.pop();
        },
        |b| {
            b.lines.pop();
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut changed = billed("lab-1", "gen", 41);
        change(&mut changed);
        let changed = Draft::new(changed).unwrap();
        assert_ne!(changed.document().bill_digest, base.document().bill_digest, "change {index}");
        assert_eq!(changed.document().evidence_digest, base.document().evidence_digest, "change {index}");
    }
}

#[test]
fn totals_are_the_sums_of_their_lines() {
    let draft = Draft::new(billed("lab-1", "gen", 41)).unwrap();
    let totals: Vec<_> =
        draft.document().totals.iter().map(|t| (t.currency.as_str(), t.amount.as_str())).collect();
    // 267 blocks of 50 BTC; 72.500001 kWh at 0.0725 USD are 5.2562500725.
    assert_eq!(totals, [("BTC", "13350.00000000"), ("USD", "5.26")]);
}

#[test]
fn an_invoice_is_issued_once_after_its_close_and_numbers_have_no_gaps() {
    let draft =
        || Command::IssueInvoice(Box::new(Draft::new(billed("lab-1", "genesis-hosting", 41)).unwrap()));
    let state = State::default();
    assert_eq!(decide(&state, &draft()).unwrap_err().code(), "WB-5341");
    let (state, _) = act(state, Command::ClosePeriod(close(&billed("lab-1", "genesis-hosting", 41))));
    let refusal =
        decide(&state, &Command::ClosePeriod(close(&billed("lab-1", "genesis-hosting", 50)))).unwrap_err();
    assert_eq!(refusal.code(), "WB-5340");
    assert!(refusal.to_string().contains("cut 41"));
    let later = Command::IssueInvoice(Box::new(Draft::new(billed("lab-1", "genesis-hosting", 50)).unwrap()));
    assert_eq!(decide(&state, &later).unwrap_err().code(), "WB-5342");
    let (state, _) = act(state, draft());
    let refusal = decide(&state, &draft()).unwrap_err();
    let id = invoice_id("genesis-hosting", "lab-1", "2009-01", None).unwrap();
    assert!(refusal.to_string().contains(&id) && refusal.to_string().contains("GEN-000001"), "{refusal}");

    // A second entity with the same first letters gets a longer prefix; each has its own count.
    let (state, second) = issue(state, billed("lab-2", "genesis-hosting", 1));
    let (state, other) = issue(state, billed("lab-3", "generators", 1));
    let (state, third) = issue(state, billed("lab-4", "genesis-hosting", 1));
    let (state, short) = issue(state, billed("lab-5", "x", 1));
    let (_, short_again) = issue(state, billed("lab-6", "x", 1));
    let numbers = [second, other, third, short, short_again].map(|invoice| invoice.number);
    assert_eq!(numbers, ["GEN-000002", "GENE-000001", "GEN-000003", "X.2-000001", "X.2-000002"]);
}

#[test]
fn a_history_that_no_decision_made_is_refused() {
    let billed_one = billed("lab-1", "gen", 41);
    let (closed_state, closed) = act(State::default(), Command::ClosePeriod(close(&billed_one)));
    let (_, invoice) = issue(State::default(), billed_one);
    let refused = |state: &State, invoice: Invoice| {
        evolve(state.clone(), &Event::InvoiceIssued(Box::new(invoice))).unwrap_err().to_string()
    };
    assert!(refused(&State::default(), invoice.clone()).contains("does not follow"));
    assert!(
        refused(&closed_state, Invoice { number: "GEN-000002".to_owned(), ..invoice.clone() })
            .contains("the next is")
    );
    let mut dearer = invoice.clone();
    dearer.lines[0].amount_minor = "1".to_owned();
    assert!(refused(&closed_state, dearer).contains("bill digest"));
    let issued_state =
        evolve(closed_state.clone(), &Event::InvoiceIssued(Box::new(invoice.clone()))).unwrap();
    assert!(refused(&issued_state, Invoice { number: "GEN-000002".to_owned(), ..invoice }).contains("twice"));
    assert!(evolve(closed_state, &closed[0]).unwrap_err().to_string().contains("WB-5350"));
    assert_eq!(Event::read("invoice_eaten", &json!({})).unwrap_err().code(), "WB-5320");
    assert_eq!(Event::read("period_closed", &json!({"cut": 1})).unwrap_err().code(), "WB-5321");
}

#[test]
fn a_stored_invoice_can_be_verified_without_this_program() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    let verify = |path: &std::path::Path| {
        let output = std::process::Command::new("python3")
            .arg(here.join("oracle/verify_invoice.py"))
            .arg(path)
            .output();
        let output = output.expect("the oracle needs python3 on the PATH");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let golden = here.join("golden/invoice_issued.alone.json");
    let (good, said) = verify(&golden);
    assert!(good, "{said}");
    // One satoshi less, or another cut, is found.
    let text = std::fs::read_to_string(&golden).unwrap();
    for (from, to, finding) in [
        ("\"amount_minor\":\"1335000000000\"", "\"amount_minor\":\"1334999999999\"", "bill_digest"),
        ("\"cut\":41", "\"cut\":40", "evidence_digest"),
        ("\"energy_kwh\":\"71\"", "\"energy_kwh\":\"70\"", "inputs_digest"),
    ] {
        let changed = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{finding}.json"));
        assert!(text.contains(from));
        std::fs::write(&changed, text.replace(from, to)).unwrap();
        let (good, said) = verify(&changed);
        assert!(!good && said.contains(finding), "{said}");
    }
}
