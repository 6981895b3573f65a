//! Golden documents of the ledger's golden invoice, in both languages.
//! `WEIGHBRIDGE_WRITE_GOLDEN=1` writes files that do not exist yet; `WEIGHBRIDGE_KEEP_DOCUMENTS` is a folder for the PDFs.

use std::path::PathBuf;

use wb_document::{Fonts, Language, Sheet, html, missing_glyphs, pdf};
use wb_ledger::{Hash, Invoice};

use crate::support::{contains, invoice, keep, note, parties, sheet, statement};

/// The PDF with the compiled-in fonts alone.
fn plain_pdf(sheet: &Sheet) -> Vec<u8> {
    pdf(sheet, &Fonts::compiled_in()).unwrap()
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
        let first = plain_pdf(&sheet(language));
        assert!(first.starts_with(b"%PDF-1."));
        assert_eq!(first, plain_pdf(&sheet(language)));
        // Other processes, threads and machines must produce the same bytes; the golden hash comes from another one.
        let other = std::thread::spawn(move || plain_pdf(&sheet(language))).join().unwrap();
        assert_eq!(first, other);
        golden(
            &format!("invoice.{}.pdf.sha256", language.tag()),
            format!("{}\n", Hash::of(&first)).as_bytes(),
        );
        keep(&format!("invoice.{}.pdf", language.tag()), &first);
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
    assert_ne!(plain_pdf(&sheet_of(&invoice())), plain_pdf(&sheet_of(&other)));
}

#[test]
fn a_thousand_lines_run_over_pages() {
    let mut long = invoice();
    let line = long.lines[0].clone();
    long.lines = (0..1_000)
        .map(|index| wb_ledger::InvoiceLine { id: format!("{}/{index}", line.id), ..line.clone() })
        .collect();
    let bytes = plain_pdf(&Sheet::of_invoice(&long, &parties(), Language::English));
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
    let bytes = plain_pdf(&sheet(Language::English));
    for wanted in [
        "<pdfaid:part>2</pdfaid:part>",
        "<pdfaid:conformance>A</pdfaid:conformance>",
        "<pdfuaid:part>1</pdfuaid:part>",
        "Invoice GEN-000001",
    ] {
        assert!(contains(&bytes, wanted), "{wanted}");
    }
    for language in Language::ALL {
        assert_eq!(missing_glyphs(&sheet(language), &Fonts::compiled_in()), None);
    }
}

/// A page must fit a phone of 360 pixels: nothing has a width in pixels, and long words break.
#[test]
fn the_page_fits_a_phone() {
    let style = include_str!("../../templates/document.css");
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

#[test]
fn a_credit_note_is_a_document() {
    for language in Language::ALL {
        let sheet = note(language);
        golden(&format!("credit_note.{}.html", language.tag()), html(&sheet).as_bytes());
        let hash = Hash::of(&plain_pdf(&sheet));
        golden(&format!("credit_note.{}.pdf.sha256", language.tag()), format!("{hash}\n").as_bytes());
    }
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
    assert!(plain_pdf(&sheet).starts_with(b"%PDF-1."));
}
