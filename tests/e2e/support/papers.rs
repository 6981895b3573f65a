//! Documents and the books of the demonstration's invoices, by the commands.

use super::END_LIMIT;
use super::demo::Summary;
use super::place::Place;

/// Writes the first invoice as PDF and HTML in both languages, twice each, and asks for its customer's account.
pub(crate) fn assert_papers(place: &Place, summary: &Summary) {
    let invoice = &summary.invoices[0];
    for (shape, language, begins) in [
        ("pdf", "en", "%PDF-1."),
        ("pdf", "es", "%PDF-1."),
        ("html", "en", "<!doctype html>"),
        ("html", "es", "<!doctype html>"),
    ] {
        let written = ["first", "second"].map(|name| {
            let file = place.folder().join(format!("{name}.{language}.{shape}"));
            let arguments =
                ["invoice", shape, &invoice.id, "--language", language, "--out", file.to_str().unwrap()];
            place.run("paper", &arguments, END_LIMIT).success("invoice as a document");
            std::fs::read(file).unwrap()
        });
        assert!(written[0].starts_with(begins.as_bytes()), "{shape} {language}");
        assert!(written[0] == written[1], "{shape} {language} differs from one time to the next");
    }
    let page = std::fs::read_to_string(place.folder().join("first.es.html")).unwrap();
    assert!(page.contains(&format!("Factura {}", invoice.number)), "{page}");
    let refused = place.run("paper", &["invoice", "pdf", &invoice.id, "--language", "de"], END_LIMIT);
    assert!(refused.code == Some(1) && refused.stderr.contains("WB-5751"), "{}", refused.stderr);

    // A text in a script that the compiled-in fonts lack is set with the font that `make setup` installed.
    let ordered = place.folder().join("ordered.pdf");
    let order = ["--purchase-order", "注文書-1", "--out", ordered.to_str().unwrap()];
    let arguments = [&["invoice", "pdf", &invoice.id][..], &order].concat();
    let written = place.run("paper", &arguments, END_LIMIT).success("invoice with a Japanese order");
    assert!(!written.stderr.contains("WB-5754"), "{}", written.stderr);
    let bytes = std::fs::read(ordered).unwrap();
    assert!(bytes.windows(11).any(|part| part == b"NotoSansCJK"), "{} bytes", bytes.len());

    // By its number it is the same document.
    let by_number = place.folder().join("number.html");
    let arguments =
        ["invoice", "html", &invoice.number, "--language", "es", "--out", by_number.to_str().unwrap()];
    place.run("paper", &arguments, END_LIMIT).success("invoice by its number");
    assert_eq!(std::fs::read_to_string(by_number).unwrap(), page);

    for format in ["table", "csv", "json"] {
        let arguments = ["statement", "--customer", &invoice.customer_id, "--format", format];
        let account = place.run("statement", &arguments, END_LIMIT).success("statement").stdout;
        assert!(account.contains(&invoice.number) && !account.contains("_us\""), "{format}: {account}");
    }
    let payments = place.run("payment", &["payment", "list"], END_LIMIT).success("payment list").stdout;
    assert!(payments.starts_with("id "), "{payments}");
    let trial =
        ["adjust", "--yes", "--period", &invoice.period, "--who", "ana", "--why", "nothing came late"];
    let adjusted = place.run("adjust", &trial, END_LIMIT).success("adjust").stdout;
    assert!(adjusted.trim().is_empty(), "nothing came late, and yet: {adjusted}");
}
