//! What the PDFs claim, judged by veraPDF: PDF/A-2a and PDF/UA-1.

use std::path::{Path, PathBuf};
use std::process::Command;

use wb_document::{Fonts, Language, Sheet, pdf};

use crate::support::{invoice, invoice_to, keep, note, parties, sheet, stack, statement};

/// The profiles of what the PDFs claim to be.
const PROFILES: [&str; 2] = ["2a", "ua1"];

/// Runs veraPDF on all files of a folder: its exit code, and a line of each file that begins with PASS or FAIL.
fn validate(profile: &str, folder: &Path) -> (Option<i32>, String) {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let java = home.map_or_else(|| PathBuf::from("java"), |home| Path::new(&home).join("bin/java"));
    let output = Command::new(java)
        .arg("-Djava.awt.headless=true")
        .arg("-cp")
        .arg(stack("verapdf/verapdf.jar"))
        .arg("org.verapdf.apps.GreenfieldCliWrapper")
        .args(["--format", "text", "-v", "--flavour", profile])
        .arg(folder)
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// An invoice whose lines run over pages.
fn long() -> Sheet {
    let mut long = invoice();
    let line = long.lines[0].clone();
    long.lines = (0..100)
        .map(|index| wb_ledger::InvoiceLine { id: format!("{}/{index}", line.id), ..line.clone() })
        .collect();
    Sheet::of_invoice(&long, &parties(), Language::Spanish)
}

#[test]
fn verapdf_finds_nothing_wrong_with_any_kind_of_document() {
    let mut sheets = vec![long()];
    for language in Language::ALL {
        sheets.extend([sheet(language), note(language)]);
        sheets.push(Sheet::of_statement(&statement(), &parties(), language));
    }
    for name in
        ["株式会社計算", "上海计算电力有限公司", "주식회사 계산", "Υπολογιστική Α.Ε.", "Вычислительный центр"]
    {
        sheets.push(invoice_to(name));
        let mut named = parties();
        name.clone_into(&mut named.customer.name);
        sheets.push(Sheet::of_statement(&statement(), &named, Language::English));
    }
    let folder = tempfile::tempdir().unwrap();
    for (index, sheet) in sheets.iter().enumerate() {
        let bytes = pdf(sheet, &Fonts::of(sheet, &stack("fonts")).unwrap()).unwrap();
        let name = format!("{index}.pdf");
        keep(&name, &bytes);
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    for profile in PROFILES {
        let (code, text) = validate(profile, folder.path());
        assert_eq!(code, Some(0), "{profile}: {text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("PASS ")).count(), sheets.len(), "{text}");
    }
}

/// The validator sees an empty box, and so would tell of one.
#[test]
fn verapdf_refuses_a_document_with_an_empty_box() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = pdf(&invoice_to("株式会社計算"), &Fonts::compiled_in()).unwrap();
    std::fs::write(folder.path().join("box.pdf"), bytes).unwrap();
    let (code, text) = validate("2a", folder.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("FAIL ") && text.contains("6.2.11.8"), "{text}");
}
