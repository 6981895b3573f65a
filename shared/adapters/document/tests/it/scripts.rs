//! Names in scripts that the compiled-in fonts lack: shown with the fonts of a folder, or warned of.

use wb_document::{Fonts, Language, html, missing_glyphs, pdf};

use crate::support::{contains, invoice_to, sheet, stack};

/// Names in Japanese, simplified Chinese, traditional Chinese and Korean.
const OTHER_SCRIPTS: [&str; 5] = [
    "株式会社計算",
    "カブシキガイシャ ひらがな",
    "上海计算电力有限公司",
    "臺灣運算股份有限公司",
    "주식회사 계산 뷁",
];

/// Names in scripts of the compiled-in fonts.
const OWN_SCRIPTS: [&str; 3] =
    ["Υπολογιστική Α.Ε.", "ООО «Вычислительный центр», Ёлкино", "Zażółć gęślą jaźń"];

#[test]
fn names_in_other_scripts_are_shown_with_a_font_of_the_folder() {
    let folder = stack("fonts");
    for name in OTHER_SCRIPTS {
        let sheet = invoice_to(name);
        let missing = missing_glyphs(&sheet, &Fonts::compiled_in()).unwrap();
        assert!(missing.characters.contains(name.chars().next().unwrap()), "{missing}");
        let fonts = Fonts::of(&sheet, &folder).unwrap();
        assert_eq!(missing_glyphs(&sheet, &fonts), None, "{name}");
        // Typst refuses PDF/A where a character has no glyph.
        let bytes = pdf(&sheet, &fonts).unwrap();
        assert!(contains(&bytes, "pdfaid:part") && contains(&bytes, "NotoSansCJK"), "{name}");
        // Only the glyphs in use are in the file, and it is the same each time.
        assert!(bytes.len() < 200_000, "{name}: {} bytes", bytes.len());
        assert_eq!(bytes, pdf(&sheet, &Fonts::of(&sheet, &folder).unwrap()).unwrap());
        // A page has the fonts of whoever reads it.
        assert!(html(&sheet).contains(name) && !html(&sheet).contains("Noto"));
    }
}

#[test]
fn documents_that_need_no_other_font_do_not_depend_on_the_folder() {
    let folder = stack("fonts");
    let own = OWN_SCRIPTS.map(invoice_to);
    for sheet in own.into_iter().chain(Language::ALL.map(sheet)) {
        let fonts = Fonts::of(&sheet, &folder).unwrap();
        assert_eq!(missing_glyphs(&sheet, &fonts), None);
        assert_eq!(pdf(&sheet, &fonts).unwrap(), pdf(&sheet, &Fonts::compiled_in()).unwrap());
    }
}

#[test]
fn characters_that_no_font_has_are_warned_of_with_the_folder_that_was_searched() {
    let sheet = invoice_to("株式会社計算");
    let folder = tempfile::tempdir().unwrap();
    let warned = |folder: &std::path::Path| {
        let fonts = Fonts::of(&sheet, folder).unwrap();
        let missing = missing_glyphs(&sheet, &fonts).unwrap();
        assert_eq!(missing.code(), "WB-5754");
        assert!(!contains(&pdf(&sheet, &fonts).unwrap(), "pdfaid:part"));
        missing.to_string()
    };
    // Neither a file that is no font nor a torn one gives a glyph.
    let font = std::fs::read(stack("fonts/NotoSansCJK-Regular.ttc")).unwrap();
    std::fs::create_dir(folder.path().join("within")).unwrap();
    std::fs::write(folder.path().join("within/torn.ttc"), &font[..1_000]).unwrap();
    std::fs::write(folder.path().join("words.otf"), "no font").unwrap();
    std::fs::write(folder.path().join("LICENSE"), &font).unwrap();
    let shown = warned(folder.path());
    assert!(shown.contains("会 式 株") && shown.contains(&format!("or in {}", folder.path().display())));
    let none = folder.path().join("none");
    assert!(warned(&none).contains(&format!("({} does not exist)", none.display())));
    // A font in a folder within is found.
    std::fs::write(folder.path().join("within/Whole.TTC"), &font).unwrap();
    assert_eq!(missing_glyphs(&sheet, &Fonts::of(&sheet, folder.path()).unwrap()), None);
    // No font has the hieroglyph.
    let hieroglyph = invoice_to("株 𓀀");
    let missing = missing_glyphs(&hieroglyph, &Fonts::of(&hieroglyph, folder.path()).unwrap()).unwrap();
    assert_eq!(missing.characters, "𓀀");
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error_only_where_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Fonts::of(&invoice_to("株式会社計算"), &file).unwrap_err();
    assert_eq!(error.code(), "WB-5755");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert!(Fonts::of(&invoice_to("Acme"), &file).is_ok());
}
