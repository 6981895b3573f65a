//! Golden documents of the ledger's golden invoice, in both languages.
//! `WEIGHBRIDGE_WRITE_GOLDEN=1` writes files that do not exist yet.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::path::PathBuf;

use wb_document::{Language, Parties, Party, Sheet, html, missing_glyphs, pdf};
use wb_ledger::{Hash, Invoice, InvoiceDates, Note, Statement};

fn invoice() -> Invoice {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../core/ledger/tests/golden/invoice_issued.alone.json");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let invoice: Invoice = serde_json::from_value(record["body"].clone()).unwrap();
    // Issued on 1 February 2009.
    let dates = InvoiceDates { issued_us: 1_233_446_400_000_000, due_us: 1_234_742_400_000_000 };
    Invoice { dates: Some(dates), ..invoice }
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
            address: vec!["Calle Mayor 1".to_owned(), "28013 Madrid".to_owned()],
            tax_id: Some("B00000000".to_owned()),
        },
        purchase_order: Some("PO-4711".to_owned()),
        payment: vec!["IBAN ES00 0000 0000 0000 0000 0000".to_owned()],
    }
}

fn sheet(language: Language) -> Sheet {
    Sheet::of_invoice(&invoice(), &parties(), language)
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
    let sheet_of = |invoice: &Invoice| Sheet::of_invoice(invoice, &parties(), Language::English);
    assert_ne!(pdf(&sheet_of(&invoice())).unwrap(), pdf(&sheet_of(&other)).unwrap());
}

#[test]
fn a_thousand_lines_run_over_pages() {
    let mut long = invoice();
    let line = long.lines[0].clone();
    long.lines = (0..1_000)
        .map(|index| wb_ledger::InvoiceLine { id: format!("{}/{index}", line.id), ..line.clone() })
        .collect();
    let bytes = pdf(&Sheet::of_invoice(&long, &parties(), Language::English)).unwrap();
    // Each page object states its type.
    assert!(bytes.len() > 100_000, "{} bytes", bytes.len());
}

/// The page without its annexes.
fn front(page: &str) -> &str {
    page.split("Annex A").next().unwrap()
}

/// A line of the invoice with another quantity, unit and price.
fn with_line(kind: &str, (quantity, unit): (&str, &str), unit_price: &str) -> Invoice {
    let mut other = invoice();
    other.lines.remove(0);
    other.totals.remove(0);
    let line = &mut other.lines[0];
    kind.clone_into(&mut line.kind);
    line.description.clear();
    quantity.clone_into(&mut line.quantity);
    unit.clone_into(&mut line.unit);
    unit_price.clone_into(&mut line.unit_price);
    other
}

fn english(invoice: &Invoice) -> String {
    html(&Sheet::of_invoice(invoice, &parties(), Language::English))
}

#[test]
fn an_invoice_has_what_finance_needs() {
    let page = html(&sheet(Language::English));
    for wanted in [
        "<dt>Issued</dt><dd>1 February 2009</dd>",
        "<dt>Due</dt><dd>16 February 2009</dd>",
        "<dt>Service period</dt><dd>January 2009 (1 January 2009 – 31 January 2009)</dd>",
        "<dt>Purchase order</dt><dd>PO-4711</dd>",
        "<p>Pecos, TX 79772</p><p>Tax id: EIN 00-0000000</p>",
        "<p>28013 Madrid</p><p>Tax id: B00000000</p>",
        "IBAN ES00",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
}

#[test]
fn quantities_and_prices_are_those_that_people_use() {
    for (kind, quantity, price, wanted) in [
        ("gpu_on_demand", ("172800", "GPU-second"), "3.99 USD/GPU-hour", "48.00 GPU-hours"),
        ("gpu_on_demand", ("172800", "GPU-second"), "3.99 USD/GPU-hour", "3.99 USD/GPU-hour"),
        (
            "uptime_credit",
            ("9175/93", "percent adjusted uptime"),
            "10 percent credited",
            "98.66 % adjusted uptime",
        ),
        ("metered_energy", ("2410387.2", "kWh"), "0.0725 USD/kWh", "2,410.387 MWh"),
        ("metered_energy", ("2410387.2", "kWh"), "0.0725 USD/kWh", "72.50 USD/MWh"),
    ] {
        let page = english(&with_line(kind, quantity, price));
        let front = front(&page);
        assert!(front.contains(wanted), "{wanted}: {front}");
        assert!(!front.contains(quantity.0) && !front.contains("percent"), "{front}");
        // The exact quantity is in the annex.
        assert!(page.contains(&format!("{} {}, exactly", quantity.0, quantity.1)), "{page}");
    }
}

#[test]
fn formulas_are_in_the_annex_and_only_invoices_in_bitcoin_speak_of_satoshi() {
    let page = html(&sheet(Language::English));
    for formula in ["T(nbits)", "subsidy", "D1", "satoshi", "2^48", " x "] {
        assert!(!front(&page).contains(formula), "{formula}: {}", front(&page));
    }
    assert!(front(&page).contains("see annex"));
    assert!(page.contains("target of the block × (block subsidy in satoshi + 0)"), "{page}");
    let dollars = english(&with_line("metered_energy", ("12", "kWh"), "0.0725 USD/kWh"));
    assert!(!dollars.contains("satoshi") && !dollars.contains("BTC"), "{dollars}");
}

#[test]
fn a_pdf_says_that_it_is_for_archives_and_for_readers_by_ear() {
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let bytes = pdf(&sheet(Language::English)).unwrap();
    for wanted in [
        "<pdfaid:part>2</pdfaid:part>",
        "<pdfaid:conformance>A</pdfaid:conformance>",
        "<pdfuaid:part>1</pdfuaid:part>",
        "Invoice GEN-000001",
    ] {
        assert!(has(&bytes, wanted), "{wanted}");
    }
    // A Japanese name: the fonts do not have it, so the document cannot be for archives, and says so.
    let mut other = parties();
    "株式会社計算".clone_into(&mut other.customer.name);
    let sheet = Sheet::of_invoice(&invoice(), &other, Language::English);
    let missing = missing_glyphs(&sheet).unwrap();
    assert_eq!(missing.code(), "WB-5754");
    assert!(missing.to_string().contains("会 式 株"), "{missing}");
    assert!(!has(&pdf(&sheet).unwrap(), "pdfaid:part"));
    assert!(html(&sheet).contains("株式会社計算"));
    for language in Language::ALL {
        assert_eq!(missing_glyphs(&self::sheet(language)), None);
    }
}

/// A page must fit a phone of 360 pixels: nothing has a width in pixels, and long words break.
#[test]
fn the_page_fits_a_phone() {
    let style = include_str!("../templates/document.css");
    let page = html(&sheet(Language::English));
    assert!(page.contains("width=device-width, initial-scale=1"));
    assert!(style.contains("overflow-wrap: anywhere") && style.contains("flex-wrap: wrap"));
    for rule in style.split([';', '{', '}']).map(str::trim) {
        let fixed = ["width:", "min-width:", "max-width:", "flex-basis:", "white-space:"];
        let is_fixed = fixed.iter().any(|name| rule.starts_with(name)) && rule != "width: 100%";
        // A widest width does not keep a page from being narrower.
        assert!(!is_fixed || rule.starts_with("max-width"), "{rule}");
        assert!(!rule.contains("nowrap"), "{rule}");
    }
    assert!(style.contains("@media (max-width: 40rem)"), "tables become blocks on narrow screens");
    assert!(page.contains("data-heading=\"Unit price\""));
}

fn note(language: Language) -> Sheet {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../core/ledger/tests/golden/credit_note_issued.json");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let note: Note = serde_json::from_value(record["body"].clone()).unwrap();
    Sheet::of_note(&note, true, Some(&invoice().period), &parties(), language)
}

#[test]
fn a_credit_note_is_a_document() {
    for language in Language::ALL {
        let sheet = note(language);
        golden(&format!("credit_note.{}.html", language.tag()), html(&sheet).as_bytes());
        let hash = Hash::of(&pdf(&sheet).unwrap());
        golden(&format!("credit_note.{}.pdf.sha256", language.tag()), format!("{hash}\n").as_bytes());
    }
}

fn statement() -> Statement {
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

#[test]
fn a_statement_is_a_document_with_days() {
    let sheet = Sheet::of_statement(&statement(), &parties(), Language::English);
    let page = html(&sheet);
    golden("statement.en.html", page.as_bytes());
    for wanted in ["1 January 2009", "12,345.67 USD", "Opening balance", "OLD-1", "16 February 2009", "1–30"]
    {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert!(!page.contains("1230768000"));
    assert!(pdf(&sheet).unwrap().starts_with(b"%PDF-1."));
}
