//! Every relative link and every path in backticks leads to something that is there.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::markdown::{Page, pages, root};

/// The folders of the repository to whose files pages may refer.
const FOLDERS: [&str; 9] =
    ["benches/", "demo/", "docs/", "fuzz/", "infra/", "schemas/", "services/", "shared/", "tests/"];

/// What marks a pattern or a place to fill in, and not a file.
const OPEN_ENDED: [char; 6] = ['*', '<', '{', ' ', '…', '='];

#[test]
fn links_lead_somewhere() {
    let root = root();
    let pages = pages();
    let anchors: BTreeMap<PathBuf, Vec<String>> =
        pages.iter().map(|page| (PathBuf::from(&page.path), page.anchors())).collect();
    let mut wrong = Vec::new();
    for page in &pages {
        for link in page.links() {
            if let Err(why) = check(&root, page, &link, &anchors) {
                wrong.push(format!("{}: {link} {why}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

fn check(
    root: &Path,
    page: &Page,
    link: &str,
    anchors: &BTreeMap<PathBuf, Vec<String>>,
) -> Result<(), String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let here = Path::new(&page.path);
    let target = if file.is_empty() {
        here.to_path_buf()
    } else {
        plain(&here.parent().unwrap_or(Path::new("")).join(file))
    };
    if !root.join(&target).exists() {
        return Err(format!("is not there ({})", target.display()));
    }
    // The book is also read outside of the repository.
    if here.starts_with("docs/src") && !target.starts_with("docs/src") {
        return Err("leads out of the book: write the file in backticks".to_owned());
    }
    match anchor {
        Some(anchor)
            if !anchors.get(&target).is_some_and(|known| known.iter().any(|name| name == anchor)) =>
        {
            Err(format!("has no such heading in {}", target.display()))
        }
        _ => Ok(()),
    }
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[test]
fn paths_in_backticks_exist() {
    let root = root();
    let mut wrong = Vec::new();
    for page in pages() {
        for code in page.inline_code() {
            let of_repository = FOLDERS.iter().any(|folder| code.starts_with(folder));
            if of_repository
                && !code.contains(OPEN_ENDED)
                && !code.contains("WB-nnnn")
                && !root.join(&code).exists()
            {
                wrong.push(format!("{}: {code}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "files that are not there:\n{}", wrong.join("\n"));
}
