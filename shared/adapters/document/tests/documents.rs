//! Golden documents of the ledger's golden invoice, in both languages.
//! `WEIGHBRIDGE_WRITE_GOLDEN=1` writes files that do not exist yet.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::path::PathBuf;

use wb_document::{Language, Parties, Party, Sheet, html, pdf};
use wb_ledger::{Hash, Invoice};

fn invoice() -> Invoice {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../core/ledger/tests/golden/invoice_issued.alone.json");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    serde_json::from_value(record["body"].clone()).unwrap()
}

fn parties() -> Parties {
    Parties {
        issuer: Party {
            name: "Genesis Hosting LLC".to_owned(),
            address: vec!["1 Substation Road".to_owned(), "Pecos, TX 79772".to_owned()],
            tax_id: Some("EIN 00-0000000".to_owned()),
        },
        customer: Party {
            name: "Cómputo Pradera, S.L. <& hijos> #strong[x] $y$".to_owned(),
            ..Party::default()
        },
        payment: vec!["IBAN ES00 0000 0000 0000 0000 0000".to_owned()],
    }
}

fn sheet(language: Language) -> Sheet {
    Sheet::of_invoice(&invoice(), &parties(), Some(1_234_742_400_000_000), language)
}

/// Compares with a golden file.
fn golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if !path.exists() && std::env::var_os("WEIGHBRIDGE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    let expected = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let differs = expected.iter().zip(bytes).position(|(left, right)| left != right);
    assert!(
        expected == bytes,
        "{name} has {} bytes, the golden file {}; the first difference is at {differs:?}",
        bytes.len(),
        expected.len()
    );
}

#[test]
fn html_is_the_golden_one_in_both_languages() {
    for language in Language::ALL {
        golden(&format!("invoice.{}.html", language.tag()), html(&sheet(language)).as_bytes());
    }
}

#[test]
fn pdf_has_the_golden_bytes_each_time_in_both_languages() {
    for language in Language::ALL {
        let first = pdf(&sheet(language)).unwrap();
        assert!(first.starts_with(b"%PDF-1."));
        assert_eq!(first, pdf(&sheet(language)).unwrap());
        // Other processes, threads and machines must produce the same bytes; the golden hash comes from another one.
        let other = std::thread::spawn(move || pdf(&sheet(language)).unwrap()).join().unwrap();
        assert_eq!(first, other);
        golden(
            &format!("invoice.{}.pdf.sha256", language.tag()),
            format!("{}\n", Hash::of(&first)).as_bytes(),
        );
        if let Some(folder) = std::env::var_os("WEIGHBRIDGE_KEEP_DOCUMENTS") {
            std::fs::write(PathBuf::from(folder).join(format!("invoice.{}.pdf", language.tag())), &first)
                .unwrap();
        }
    }
}

#[test]
fn what_a_party_is_called_is_never_markup() {
    let page = html(&sheet(Language::Spanish));
    assert!(page.contains("Cómputo Pradera, S.L. &lt;&amp; hijos&gt; #strong[x] $y$"));
    assert!(!page.contains("<& hijos>"));
    // A page loads nothing: no address, no script.
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"));
}

#[test]
fn a_changed_cent_is_another_document() {
    let mut other = invoice();
    other.totals[0].amount = "0.01".to_owned();
    let sheet_of = |invoice: &Invoice| Sheet::of_invoice(invoice, &parties(), None, Language::English);
    assert_ne!(pdf(&sheet_of(&invoice())).unwrap(), pdf(&sheet_of(&other)).unwrap());
}

#[test]
fn a_thousand_lines_run_over_pages() {
    let mut long = invoice();
    let line = long.lines[0].clone();
    long.lines = (0..1_000)
        .map(|index| wb_ledger::InvoiceLine { id: format!("{}/{index}", line.id), ..line.clone() })
        .collect();
    let bytes = pdf(&Sheet::of_invoice(&long, &parties(), None, Language::English)).unwrap();
    // Each page object states its type.
    assert!(bytes.len() > 100_000, "{} bytes", bytes.len());
}
