//! Rules for the whole repository: the direction of dependencies, what no file may hold, and a page for every error.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

mod circles;
mod features;
mod unused;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The crates without I/O, clock, randomness or async.
const PURE: [&str; 12] = [
    "wb-coded",
    "wb-error-pages",
    "wb-units",
    "wb-proof",
    "wb-events",
    "wb-fold",
    "wb-metering",
    "wb-rating",
    "wb-ledger",
    "wb-counted",
    "wb-evidence",
    "wb-statistics",
];

/// Dependencies that would bring I/O, a clock, randomness or async into them.
const IMPURE: [&str; 10] = [
    "tokio",
    "tokio-util",
    "rdkafka",
    "clickhouse",
    "reqwest",
    "axum",
    "rand",
    "getrandom",
    "async-graphql",
    "tracing-subscriber",
];

/// The one service that puts the others together.
const WHOLE: &str = "weighbridge";

/// The engine that tests of stores run on; a test may start it wherever it is.
const TEST_ENGINE: &str = "wb-clickhouse-embedded";

/// How far above an unsafe block its reason begins, at most.
const SAFETY_LINES_MAX: usize = 8;

/// Where code may be unsafe: a foreign library is called, or lanes of the processor are.
const UNSAFE: [&str; 3] = [
    "services/clickhouse-embedded/src/ffi",
    "shared/adapters/kafka/src/topic_ids.rs",
    "shared/core/proof/src/lanes",
];

/// The most lines of a Rust file, so that it has one subject and is read in one go.
const RUST_LINES_MAX: usize = 600;

/// Folders that no commit holds, wherever they are.
const SKIPPED: [&str; 6] = ["target", ".stack", ".git", ".weighbridge", "node_modules", "dist"];

/// Files with text that people wrote, by extension.
const WRITTEN: [&str; 14] =
    ["rs", "toml", "md", "sql", "proto", "graphql", "sh", "yaml", "yml", "ts", "css", "html", "json", "xml"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A file's path from the root, and its text.
struct Text {
    path: String,
    text: String,
}

/// The files that people wrote, of some extensions, sorted by path. Recorded data is left out: others wrote it.
fn texts(extensions: &[&str]) -> Vec<Text> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) && path != root.join("tests/data") {
                folders.push(path);
            } else if kind.is_file()
                && !name.ends_with("-lock.json")
                && let Some(extension) = path.extension()
                && extensions.iter().any(|wanted| extension == *wanted)
            {
                let text = std::fs::read_to_string(&path)
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let path = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                found.push(Text { path, text });
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

/// A package of the workspace, and the packages in its Cargo.toml.
struct Package {
    /// Its folder: `services`, `shared`, `demo`, `tests` or `benches`.
    group: String,
    name: String,
    /// (section, package), such as `("dev-dependencies", "tempfile")`.
    needs: Vec<(String, String)>,
}

fn packages() -> Vec<Package> {
    let manifests = texts(&["toml"]).into_iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    let packages: Vec<Package> = manifests
        .map(|file| {
            let manifest: toml::Table =
                file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
            let mut needs = Vec::new();
            dependencies(&manifest, &mut needs);
            Package {
                group: file.path.split('/').next().unwrap_or_default().to_owned(),
                name: manifest["package"]["name"].as_str().unwrap().to_owned(),
                needs,
            }
        })
        .collect();
    assert!(packages.len() > 10, "the walk found {} packages", packages.len());
    packages
}

/// Collects the dependencies of a manifest or of one of its `[target.'...']` tables.
fn dependencies(table: &toml::Table, needs: &mut Vec<(String, String)>) {
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, value) in table.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
            let package = value.get("package").and_then(toml::Value::as_str).unwrap_or(name);
            needs.push((section.to_owned(), package.to_owned()));
        }
    }
    for target in table.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|map| map.values())
    {
        if let Some(target) = target.as_table() {
            dependencies(target, needs);
        }
    }
}

#[test]
fn pure_crates_name_only_pure_crates() {
    let packages = packages();
    let mut wrong = Vec::new();
    for name in PURE {
        let package = packages.iter().find(|package| package.name == name);
        let package = package.unwrap_or_else(|| panic!("{name} is gone: correct the list of pure crates"));
        for (section, needed) in &package.needs {
            let ours = packages.iter().any(|package| package.name == *needed);
            if (ours && !PURE.contains(&needed.as_str())) || IMPURE.contains(&needed.as_str()) {
                wrong.push(format!("{name} [{section}] names {needed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "a pure crate has no I/O, clock, randomness or async:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_whole_names_a_service() {
    let packages = packages();
    let services: BTreeSet<&str> = packages
        .iter()
        .filter(|package| package.group == "services")
        .map(|package| package.name.as_str())
        .collect();
    assert!(services.contains(WHOLE) && services.contains(TEST_ENGINE), "{services:?}");
    let mut wrong = Vec::new();
    let is_part = |group: &str| matches!(group, "services" | "shared" | "demo");
    let parts = packages.iter().filter(|package| is_part(&package.group));
    for package in parts.filter(|package| package.name != WHOLE) {
        for (section, needed) in &package.needs {
            let for_tests = section == "dev-dependencies" && needed == TEST_ENGINE;
            if services.contains(needed.as_str()) && !for_tests {
                wrong.push(format!("{} [{section}] names {needed}", package.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the arrows point from services to adapters to the core:\n{}",
        wrong.join("\n")
    );
}

/// Whether a text holds a word that is no part of a longer one.
fn holds_word(line: &str, word: &str) -> bool {
    let inside =
        |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    line.match_indices(word).any(|(start, _)| {
        !inside(line[..start].chars().next_back()) && !inside(line[start + word.len()..].chars().next())
    })
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not hold them.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let in_rust = [
        concat!("#[", "ignore"),
        concat!("should", "_panic"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    let mut wrong = Vec::new();
    for file in texts(&WRITTEN) {
        for (index, line) in file.text.lines().enumerate() {
            let word = words.iter().find(|word| holds_word(line, word));
            let rust = in_rust.iter().find(|part| file.path.ends_with(".rs") && line.contains(**part));
            if let Some(found) = word.or(rust) {
                wrong.push(format!("{}:{} holds {found}", file.path, index + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "finish it or take it out:\n{}", wrong.join("\n"));
}

#[test]
fn rust_files_are_short() {
    let files = texts(&["rs"]);
    assert!(files.len() > 50, "the walk found {} files", files.len());
    let lines = |file: &Text| file.text.lines().count();
    let long = files.iter().filter(|file| lines(file) > RUST_LINES_MAX);
    let wrong: Vec<String> = long.map(|file| format!("{}: {} lines", file.path, lines(file))).collect();
    assert!(wrong.is_empty(), "one subject a file, at most {RUST_LINES_MAX} lines:\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_where_it_is_known_and_says_why_it_is_sound() {
    // Put together here, so that this file does not hold them.
    let (word, allowed) = (concat!("un", "safe"), concat!("un", "safe_code"));
    let mut wrong = Vec::new();
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for file in texts(&["rs"]) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let opens = code.contains(concat!("un", "safe {")) || code.contains(concat!("un", "safe impl"));
            if !holds_word(code, word) && !holds_word(code, allowed) || code.contains('"') {
                continue;
            }
            match UNSAFE.iter().find(|place| file.path.starts_with(**place)) {
                Some(place) => found.insert(place),
                None => {
                    wrong.push(format!("{}:{}: not here", file.path, index + 1));
                    continue;
                }
            };
            // The statement that the block belongs to may have begun some lines above.
            let above = &lines[index.saturating_sub(SAFETY_LINES_MAX)..index];
            if opens && !above.iter().any(|line| line.trim_start().starts_with("// SAFETY: ")) {
                wrong.push(format!("{}:{}: without its reason (`// SAFETY: `)", file.path, index + 1));
            }
        }
    }
    assert_eq!(found.len(), UNSAFE.len(), "correct the list of places: {found:?}");
    assert!(wrong.is_empty(), "code whose soundness we answer for:\n{}", wrong.join("\n"));
}

/// The places that may put a file in another's place: the one helper, and the code that sets a log aside.
const RENAMING: [&str; 2] = ["shared/adapters/files/src/lib.rs", "shared/adapters/stack/src/process.rs"];

#[test]
fn files_are_replaced_by_one_helper() {
    let is_product = |path: &str| {
        let folder = path.starts_with("shared/") || path.starts_with("services/");
        folder && path.contains("/src/") && !path.starts_with("shared/adapters/testkit/")
    };
    let rust = texts(&["rs"]);
    let renaming: Vec<&str> = rust
        .iter()
        .filter(|file| is_product(&file.path) && product_code(&file.text).contains("fs::rename("))
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(renaming, RENAMING, "wb_files::replace also syncs the file and its folder");
}

/// The stable codes in a text: `WB-` and exactly four digits.
fn codes(text: &str) -> BTreeSet<String> {
    let marks = text.match_indices("WB-").map(|(start, mark)| &text[start + mark.len()..]);
    let digits = marks.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.filter(|digits| digits.len() == 4).map(|digits| format!("WB-{digits}")).collect()
}

/// The pages in `schemas/errors`, by code.
fn pages() -> BTreeMap<String, Text> {
    let pages = texts(&["md"]).into_iter().filter(|file| file.path.starts_with("schemas/errors/WB-"));
    pages
        .map(|page| (page.path["schemas/errors/".len()..page.path.len() - ".md".len()].to_owned(), page))
        .collect()
}

#[test]
fn a_page_says_what_it_means_why_and_what_to_do() {
    let pages = pages();
    assert!(!pages.is_empty());
    let mut wrong = Vec::new();
    for (code, page) in &pages {
        let title = page.text.lines().next().unwrap_or_default();
        let parts = ["**Means.**", "**Why.**", "**Do.**"];
        if !title.starts_with(&format!("# {code}: ")) || !parts.iter().all(|part| page.text.contains(part)) {
            wrong.push(page.path.clone());
        }
    }
    assert!(wrong.is_empty(), "`# WB-nnnn: title`, then Means, Why and Do:\n{}", wrong.join("\n"));
}

/// Errors without a code: each is only the cause of an error that has one, and is never shown alone.
const UNCODED: [&str; 10] = [
    "DecimalError",
    "MoneyError",
    "InputError",
    "ConfigErrors",
    "TestkitError",
    "CannotRedrive",
    "RpcError",
    "Fault",
    "NoRecord",
    "NotConserved",
];

/// The code that writes codes, and so holds examples.
const CODED_CRATE: &str = "shared/core/coded/";

/// Whether a file is part of the product and not of its tests.
fn is_product(path: &str) -> bool {
    let of_tests = path.ends_with("tests.rs")
        || path.contains("/tests/")
        || path.starts_with("shared/adapters/testkit/");
    ["shared/", "services/", "demo/"].iter().any(|group| path.starts_with(group))
        && path.contains("/src/")
        && !of_tests
}

/// A Rust file without comments and without the tests at its end.
fn product_code(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'))
        {
            break;
        }
        if !line.trim_start().starts_with("//") {
            kept.push(line);
        }
    }
    kept.join("\n")
}

#[test]
fn a_code_stands_once_beside_its_variant_and_has_a_page() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for file in texts(&["rs"]).iter().filter(|file| is_product(&file.path)) {
        if file.path.starts_with(CODED_CRATE) {
            continue;
        }
        for line in product_code(&file.text).lines() {
            for code in codes(line) {
                if line.trim() == format!("#[code(\"{code}\")]") {
                    places.entry(code).or_default().push(file.path.clone());
                } else {
                    wrong.push(format!("{}: {} holds {code}", file.path, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "a code stands in #[code(...)] alone:\n{}", wrong.join("\n"));
    assert!(places.len() > 300, "the walk found {} codes", places.len());
    let twice = places.iter().filter(|(_, at)| at.len() > 1);
    wrong.extend(twice.map(|(code, at)| format!("{code} stands in {at:?}")));
    let pages = pages();
    let without = places.iter().filter(|(code, _)| !pages.contains_key(*code));
    wrong.extend(without.map(|(code, at)| format!("{code} ({}) has no page", at[0])));
    let unused = pages.iter().filter(|(code, _)| !places.contains_key(*code));
    wrong.extend(unused.map(|(_, page)| format!("{} is of no code in use", page.path)));
    assert!(wrong.is_empty(), "one code, one place, one page:\n{}", wrong.join("\n"));
}

#[test]
fn every_error_has_codes() {
    let mut wrong = Vec::new();
    for file in texts(&["rs"]).iter().filter(|file| is_product(&file.path)) {
        let code = product_code(&file.text);
        let lines: Vec<&str> = code.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            if !line.starts_with("#[derive(") || !line.contains("Error") {
                continue;
            }
            let item =
                lines[index + 1..].iter().find(|line| line.contains("enum ") || line.contains("struct "));
            let words = item.unwrap_or(&"").split(|letter: char| !letter.is_alphanumeric());
            let name = words.skip_while(|word| !["enum", "struct"].contains(word)).nth(1).unwrap_or_default();
            let coded = index > 0 && lines[index - 1].starts_with("#[wb_coded::coded");
            if coded == UNCODED.contains(&name) {
                wrong.push(format!("{}: {name}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "#[wb_coded::coded] above it, or in the list of causes:\n{}", wrong.join("\n"));
}

/// The folders whose product code may hold SQL: the adapter, and the engine, which checks statements.
const SQL_ROOMS: [&str; 2] = ["shared/adapters/clickhouse/", "services/clickhouse-embedded/"];

/// The string literals of Rust code, without what stands in line comments.
fn literals(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, here) = rest.split_at(at);
        let hashes = before.len() - before.trim_end_matches('#').len();
        let is_raw = before.trim_end_matches('#').ends_with('r');
        rest = if here.starts_with("//") {
            here.split_once('\n').map_or("", |(_, next)| next)
        } else if let Some(after) = here.strip_prefix("'\"'").or_else(|| here.strip_prefix("'\\\"'")) {
            after
        } else if let Some(content) = here.strip_prefix('"') {
            let end = if is_raw {
                content.find(&format!("\"{}", "#".repeat(hashes)))
            } else {
                let mut is_escaped = false;
                content.find(|letter: char| {
                    let ends = letter == '"' && !is_escaped;
                    is_escaped = letter == '\\' && !is_escaped;
                    ends
                })
            };
            let end = end.unwrap_or(content.len());
            found.push(&content[..end]);
            content.get(end + 1..).unwrap_or_default()
        } else {
            &here[1..]
        };
    }
    found
}

/// Whether a literal is a statement of SQL, or the beginning of one.
fn is_sql(literal: &str) -> bool {
    let words: Vec<&str> = literal.split_whitespace().filter(|word| *word != "\\").collect();
    let follow = |pair: [&str; 2]| words.windows(2).any(|found| found == pair);
    let selects = words.iter().position(|word| word.trim_start_matches('(') == "SELECT");
    selects.is_some_and(|at| words[at..].contains(&"FROM"))
        || [["INSERT", "INTO"], ["ALTER", "TABLE"], ["DELETE", "FROM"]].into_iter().any(follow)
}

#[test]
fn only_the_clickhouse_adapter_holds_sql() {
    let mut read = 0;
    let mut wrong = Vec::new();
    for file in texts(&["rs"]) {
        let is_product = file.path.starts_with("services/") || file.path.starts_with("shared/");
        let is_product = is_product && file.path.contains("/src/") && !file.path.ends_with("/tests.rs");
        if !is_product || SQL_ROOMS.iter().any(|room| file.path.starts_with(room)) {
            continue;
        }
        read += 1;
        let code = product_code(&file.text);
        for literal in literals(&code).into_iter().filter(|literal| is_sql(literal)) {
            wrong.push(format!("{}: {literal}", file.path));
        }
    }
    assert!(read > 100, "the walk found {read} files");
    assert!(
        wrong.is_empty(),
        "counted rows have one reader, shared/adapters/clickhouse: ask it, or give it a method:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn sql_is_found_in_literals_only() {
    let code = concat!(
        "let a = \"SELECT 1 \\\n FROM t\"; // \"SELECT x FROM y\"\n",
        "let b = '\"'; let c = r#\"DELETE FROM \"t\" WHERE 1\"#; // INSERT INTO\n",
        "let d = format!(\"INSERT  INTO {t}\"); let e = \"select an item from a list\"; let f = 'a';",
    );
    let found: Vec<bool> = literals(code).into_iter().map(is_sql).collect();
    assert_eq!(found, [true, true, true, false]);
    assert!(is_sql("x IN (SELECT a FROM b)") && is_sql("ALTER TABLE t DROP") && !is_sql("SELECT 1"));
}

#[test]
fn codes_are_found_whole() {
    let text = concat!("\"W", "B-1234\" [W", "B-12345] W", "B-123 xW", "B-0001: W", "B-xxxx");
    assert_eq!(codes(text).into_iter().collect::<Vec<_>>(), [concat!("W", "B-0001"), concat!("W", "B-1234")]);
    assert!(holds_word("a word.", "word") && !holds_word("a sword", "word") && !holds_word("words", "word"));
}
