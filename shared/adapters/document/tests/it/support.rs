//! The golden invoice, note and statement of the ledger, as sheets.

use std::path::PathBuf;

use wb_document::{Language, Parties, Party, Sheet};
use wb_ledger::{Invoice, InvoiceDates, Note, Statement};

pub(crate) fn invoice() -> Invoice {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../core/ledger/tests/golden/invoice_issued.alone.json");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let invoice: Invoice = serde_json::from_value(record["body"].clone()).unwrap();
    // Issued on 1 February 2009.
    let dates = InvoiceDates { issued_us: 1_233_446_400_000_000, due_us: 1_234_742_400_000_000 };
    Invoice { dates: Some(dates), ..invoice }
}

pub(crate) fn parties() -> Parties {
    Parties {
        issuer: Party {
            name: "Genesis Hosting LLC".to_owned(),
            address: vec!["1 Substation Road".to_owned(), "Pecos, TX 79772".to_owned()],
            tax_id: Some("EIN 00-0000000".to_owned()),
        },
        customer: Party {
            name: "Cómputo Pradera, S.L. <& hijos> #strong[x] $y$".to_owned(),
            address: vec!["Calle Mayor 1".to_owned(), "28013 Madrid".to_owned()],
            tax_id: Some("B00000000".to_owned()),
        },
        purchase_order: Some("PO-4711".to_owned()),
        payment: vec!["IBAN ES00 0000 0000 0000 0000 0000".to_owned()],
    }
}

pub(crate) fn sheet(language: Language) -> Sheet {
    Sheet::of_invoice(&invoice(), &parties(), language)
}

pub(crate) fn note(language: Language) -> Sheet {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../core/ledger/tests/golden/credit_note_issued.json");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let note: Note = serde_json::from_value(record["body"].clone()).unwrap();
    Sheet::of_note(&note, true, Some(&invoice().period), &parties(), language)
}

pub(crate) fn statement() -> Statement {
    let mut state = wb_ledger::State::default();
    let opening = wb_ledger::OpeningRecorded {
        item_id: String::new(),
        kind: wb_ledger::OpeningKind::Invoice,
        reference: "OLD-1".to_owned(),
        legal_entity: "genesis-hosting".to_owned(),
        customer_id: "satoshi-lab".to_owned(),
        open: vec![wb_ledger::Amount::new(1_234_567, "USD")],
        issued_us: 1_230_768_000_000_000,
        due_us: Some(1_233_446_400_000_000),
        late_fee_ppm: 0,
    };
    for event in wb_ledger::decide(&state, &wb_ledger::Command::RecordOpening(opening)).unwrap() {
        state.apply(&event).unwrap();
    }
    state.statements("satoshi-lab", 1_234_742_400_000_000).remove(0)
}

/// An invoice in English to a customer of another name.
pub(crate) fn invoice_to(customer: &str) -> Sheet {
    let mut parties = parties();
    customer.clone_into(&mut parties.customer.name);
    Sheet::of_invoice(&invoice(), &parties, Language::English)
}

/// What `make setup` installed.
pub(crate) fn stack(path: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../.stack").join(path);
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    path
}

pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Keeps a document in the folder `WEIGHBRIDGE_KEEP_DOCUMENTS`, if it is given, for a person to look at.
pub(crate) fn keep(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("WEIGHBRIDGE_KEEP_DOCUMENTS") {
        std::fs::write(PathBuf::from(folder).join(name), bytes).unwrap();
    }
}
