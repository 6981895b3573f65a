//! The files in the walkthroughs of ARCHITECTURE.md exist, and come in the order of the repository's folders.

use crate::markdown::{Page, root};

/// The most that ARCHITECTURE.md and README.md may hold, so that each is read in one go.
const ARCHITECTURE_BYTES_MAX: usize = 12 * 1024;
const README_LINES_MAX: usize = 120;

/// The folders that a walkthrough passes through, in the order in which they first occur.
const SHARE: [&str; 6] = [
    "services/ingest/",
    "shared/core/events/",
    "services/aggregator/",
    "shared/core/fold/",
    "shared/core/proof/",
    "shared/adapters/clickhouse/",
];
const INTERVAL: [&str; 3] = ["shared/core/units/", "shared/core/fold/", "shared/core/metering/"];
const INVOICE: [&str; 5] = [
    "services/billing/",
    "shared/adapters/clickhouse/",
    "shared/core/rating/",
    "shared/core/ledger/",
    "services/api/",
];

/// The files in the steps of a section, in order.
fn files(heading: &str) -> Vec<String> {
    let page = Page::read("ARCHITECTURE.md");
    let start =
        page.text.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let section = &page.text[start + 1..];
    let end = section[3..].find("\n## ").map_or(section.len(), |end| end + 3);
    let section = Page { path: page.path.clone(), text: section[..end].to_owned() };
    section.inline_code().into_iter().filter(|code| code.contains('/') && code.ends_with(".rs")).collect()
}

fn walk(heading: &str, rooms: &[&str], files_min: usize) {
    let files = files(heading);
    assert!(files.len() >= files_min, "{heading} has {} files: {files:?}", files.len());
    let gone: Vec<_> = files.iter().filter(|file| !root().join(file).is_file()).collect();
    assert!(gone.is_empty(), "{heading}: correct the walkthrough, these are gone: {gone:?}");
    let firsts: Vec<_> = rooms
        .iter()
        .map(|room| {
            let first = files.iter().position(|file| file.starts_with(room));
            first.unwrap_or_else(|| panic!("{heading} has no file of {room}"))
        })
        .collect();
    assert!(firsts.is_sorted(), "{heading} passes {rooms:?} in another order: {files:?}");
}

#[test]
fn one_share() {
    walk("One share", &SHARE, 15);
}

#[test]
fn one_interval() {
    walk("One interval", &INTERVAL, 5);
}

#[test]
fn one_invoice() {
    walk("One invoice", &INVOICE, 12);
}

#[test]
fn the_two_front_pages_are_short() {
    let architecture = Page::read("ARCHITECTURE.md").text.len();
    assert!(architecture <= ARCHITECTURE_BYTES_MAX, "ARCHITECTURE.md has {architecture} bytes");
    let readme = Page::read("README.md").text.lines().count();
    assert!(readme <= README_LINES_MAX, "README.md has {readme} lines");
}
