//! Public items without a user.

use std::collections::{BTreeMap, BTreeSet};

use super::{Text, is_product, product_code, texts};

/// Crates for use by others: a use by their tests counts. So it does for items that exist for tests.
const USED_BY_TESTS: [&str; 11] = [
    "shared/core/units/",
    "shared/core/proof/",
    "shared/core/events/",
    "shared/core/fold/",
    "shared/core/rating/",
    "shared/core/metering/",
    "shared/core/ledger/",
    "shared/core/evidence/",
    "shared/core/statistics/",
    "shared/adapters/stack/",
    "shared/adapters/testkit/",
];

/// Items that only tests use from outside: the SDL that is compared with its file, and whether tables fit their rows.
const ASKED_BY_TESTS: [&str; 2] = ["sdl", "check_columns"];

/// The names of the public items that code defines: functions, types, constants.
fn defined(code: &str) -> Vec<String> {
    const KINDS: [&str; 7] = ["fn", "struct", "enum", "trait", "const", "type", "static"];
    let mut names = Vec::new();
    for line in code.lines() {
        let Some(rest) = line.trim_start().strip_prefix("pub ") else { continue };
        let words: Vec<&str> = rest.split_whitespace().take(5).collect();
        let Some(at) = words.iter().rposition(|word| KINDS.contains(word)) else { continue };
        // `pub const fn` is a function; a word after the name may be a kind only where a body stands on the line.
        let first = words.iter().position(|word| KINDS.contains(word)).unwrap_or(at);
        let at =
            if words.get(first + 1).is_some_and(|next| KINDS.contains(next)) { first + 1 } else { first };
        let Some(name) = words.get(at + 1) else { continue };
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !name.is_empty() {
            names.push(name);
        }
    }
    names
}

/// How often each word occurs in code, apart from comments and from re-exports.
fn count<'a>(code: &'a str, counts: &mut BTreeMap<&'a str, usize>) {
    let mut is_handed_on = false;
    for line in code.lines() {
        let line = line.split("//").next().unwrap_or_default();
        is_handed_on |= line.trim_start().starts_with("pub use ");
        if !is_handed_on {
            for word in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
                *counts.entry(word).or_default() += 1;
            }
        }
        is_handed_on &= !line.contains(';');
    }
}

/// Public items whose names occur only where they are defined, with their files.
fn unused(files: &[Text]) -> Vec<String> {
    let product: Vec<(&str, String)> = files
        .iter()
        .filter(|file| is_product(&file.path) || file.path.starts_with("shared/adapters/testkit/src/"))
        .map(|file| (file.path.as_str(), product_code(&file.text)))
        .collect();
    let (mut by_product, mut by_all) = (BTreeMap::new(), BTreeMap::new());
    for (_, code) in &product {
        count(code, &mut by_product);
    }
    for file in files {
        count(&file.text, &mut by_all);
    }
    let mut definitions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (path, code) in &product {
        for name in defined(code) {
            definitions.entry(name).or_default().push(path);
        }
    }
    let mut found = BTreeSet::new();
    for (name, paths) in &definitions {
        let for_tests = ASKED_BY_TESTS.contains(&name.as_str())
            || paths.iter().all(|path| USED_BY_TESTS.iter().any(|room| path.starts_with(room)));
        let counts = if for_tests { &by_all } else { &by_product };
        if counts.get(name.as_str()).copied().unwrap_or(0) <= paths.len() && name != "main" {
            found.extend(paths.iter().map(|path| format!("{path}: {name}")));
        }
    }
    found.into_iter().collect()
}

#[test]
fn every_public_item_has_a_user() {
    let found = unused(&texts(&["rs"]));
    assert!(found.is_empty(), "nobody uses these; delete them or make them private:\n{}", found.join("\n"));
}

#[test]
fn an_item_without_a_user_is_found() {
    let file = |path: &str, text: &str| Text { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file(
            "shared/adapters/x/src/lib.rs",
            "pub use inner::{\n    lone,\n};\n/// See [`lone`].\npub fn used() {}\npub struct Own;\n\
             impl Own {\n    pub const fn asked(&self) {}\n}\n\
             #[cfg(test)]\nmod tests {\n    fn t() { tested(); }\n}\n",
        ),
        file(
            "shared/adapters/x/src/inner.rs",
            "pub async fn lone() {}\npub fn tested() { super::used(); }\n",
        ),
        file("shared/core/units/src/lib.rs", "pub fn helper() {}\npub(crate) fn hidden() {}\n"),
        file("shared/core/units/tests/it/main.rs", "fn t() { helper(); }\n"),
        file("services/y/src/lib.rs", "fn f(own: Own) { own.asked(); }\n"),
    ];
    let expected = ["shared/adapters/x/src/inner.rs: lone", "shared/adapters/x/src/inner.rs: tested"];
    assert_eq!(unused(&files), expected);
}
