//! The book builds, and every page of it is reached from its summary.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mdbook_driver::MDBook;

use crate::markdown::{Page, pages, root};

const SOURCE: &str = "docs/src/";

/// The most terms of the glossary, so that it can be read in one go.
const TERMS_MAX: usize = 60;

#[test]
fn the_book_builds() {
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("WEIGHBRIDGE_BOOK_DIR").map(PathBuf::from);
    let folder = kept.unwrap_or_else(|| temporary.path().to_path_buf());
    let mut book = MDBook::load(root().join("docs")).unwrap_or_else(|error| panic!("{error:#}"));
    book.config.build.build_dir = folder.clone();
    book.build().unwrap_or_else(|error| panic!("{error:#}"));
    for page in book_pages() {
        let html = folder.join(page.path.strip_prefix(SOURCE).unwrap()).with_extension("html");
        assert!(html.exists(), "{} gave no page of the book", page.path);
    }
}

#[test]
fn the_summary_names_every_page() {
    let named: BTreeSet<String> = Page::read("docs/src/SUMMARY.md").links().into_iter().collect();
    let mut wrong = Vec::new();
    for page in book_pages() {
        if !named.contains(page.path.strip_prefix(SOURCE).unwrap()) {
            wrong.push(page.path);
        }
    }
    assert!(wrong.is_empty(), "docs/src/SUMMARY.md leaves out:\n{}", wrong.join("\n"));
}

#[test]
fn the_glossary_has_few_terms_each_once_in_order() {
    let page = Page::read("docs/src/glossary.md");
    let rows = page.text.lines().filter_map(|line| line.strip_prefix("| **"));
    let terms: Vec<&str> = rows.filter_map(|row| row.split("**").next()).collect();
    assert!(terms.len() > 30 && terms.len() <= TERMS_MAX, "{} terms", terms.len());
    let sorted: BTreeSet<&str> = terms.iter().copied().collect();
    assert_eq!(terms, sorted.into_iter().collect::<Vec<_>>(), "in the order of the alphabet, each once");
}

fn book_pages() -> Vec<Page> {
    let of_book = |page: &Page| page.path.starts_with(SOURCE) && !page.path.ends_with("SUMMARY.md");
    pages().into_iter().filter(of_book).collect()
}
