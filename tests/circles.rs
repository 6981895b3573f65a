//! Circles of modules: files of one crate that use each other, so that none can be read or moved alone.
//!
//! A file uses another where it refers to something that the other defines: `use crate::a::B`, `super::b()`,
//! `child::C`. A re-export (`pub use child::C`) declares a name and uses nothing, and a re-exported name leads to the
//! file that defines it. What a module takes from one that it lies in does not count either: it is a part of that
//! module, sees its private items, and is read with it. Tests are left out, because they use what they test.

use std::collections::{BTreeMap, BTreeSet};

use crate::texts;

/// Circles that stay: the crate's folder, the files, and why.
const ACCEPTED: [(&str, &[&str], &str); 5] = [
    (
        "shared/core/ledger",
        &[
            "amounts.rs",
            "command.rs",
            "dispute.rs",
            "dunning.rs",
            "effect.rs",
            "event.rs",
            "inverse.rs",
            "invoice.rs",
            "item.rs",
            "note.rs",
            "note/decide.rs",
            "note/tax.rs",
            "opening.rs",
            "payment.rs",
            "postings.rs",
            "replace.rs",
            "review.rs",
            "state.rs",
            "statement.rs",
            "terms.rs",
        ],
        "one state machine: a command is decided on the state, gives events, and events make the state; each subject has \
         its commands, events and rules in one file",
    ),
    (
        "shared/core/rating",
        &["components.rs", "contract.rs", "scope.rs"],
        "a contract is its components, and a component rates within its contract",
    ),
    (
        "shared/core/metering",
        &["report/machine.rs", "report/sources.rs", "report/truth.rs"],
        "a machine's figures are made from its sources and its truth, which read the machine's record",
    ),
    (
        "shared/core/statistics",
        &["gamma.rs", "normal.rs"],
        "the normal distribution is a case of the gamma function, whose tails begin at its quantiles",
    ),
    (
        "services/clickhouse-embedded",
        &["ffi/connection.rs", "ffi/streams.rs"],
        "a connection opens streams, and a stream keeps its connection",
    ),
];

/// A path of modules from the root of a crate, or a path of an item.
type Path = Vec<String>;

/// A module: what its file declares, re-exports and names.
#[derive(Debug, Default)]
struct Module {
    file: String,
    children: BTreeSet<String>,
    /// Names given by a `use` that others can see, or by any other, and what they stand for.
    public: BTreeMap<String, Path>,
    private: BTreeMap<String, Path>,
    /// Modules of which everything is re-exported.
    globs: Vec<Path>,
    /// Paths in the code, as they are written, each with the number of inline modules it stands in.
    named: Vec<(Path, usize)>,
    /// All single words of the code outside `use`.
    words: BTreeSet<String>,
    /// Modules of which everything is imported.
    imported: Vec<Path>,
}

/// The words and signs of Rust text, without comments, strings and characters.
fn tokens(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let at = |index: usize| letters.get(index).copied().unwrap_or('\n');
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let (mut found, mut i) = (Vec::new(), 0);
    while i < letters.len() {
        let letter = at(i);
        if letter == '/' && at(i + 1) == '/' {
            while i < letters.len() && at(i) != '\n' {
                i += 1;
            }
        } else if letter == '/' && at(i + 1) == '*' {
            while i < letters.len() && !(at(i) == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if letter == 'r' && (at(i + 1) == '"' || (at(i + 1) == '#' && matches!(at(i + 2), '"' | '#')))
        {
            let hashes = (i + 1..).take_while(|index| at(*index) == '#').count();
            i += hashes + 2;
            while i < letters.len() && !(at(i) == '"' && (1..=hashes).all(|more| at(i + more) == '#')) {
                i += 1;
            }
            i += hashes + 1;
        } else if letter == '"' {
            i += 1;
            while i < letters.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if letter == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < letters.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
        } else if is_word(letter) {
            let from = i;
            while i < letters.len() && is_word(at(i)) {
                i += 1;
            }
            found.push(letters[from..i].iter().collect());
        } else if letter == ':' && at(i + 1) == ':' {
            found.push("::".to_owned());
            i += 2;
        } else {
            if !letter.is_whitespace() {
                found.push(letter.to_string());
            }
            i += 1;
        }
    }
    found
}

/// Tokens without the items that `#[cfg(test)]` stands before.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        if tokens[i..].len() < mark.len() || tokens[i..i + mark.len()] != mark {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        i += mark.len();
        let mut depth = 0_usize;
        while i < tokens.len() {
            match tokens[i].as_str() {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            let is_end = depth == 0 && matches!(tokens[i].as_str(), ";" | "}");
            i += 1;
            if is_end {
                break;
            }
        }
    }
    kept
}

/// The paths of a `use` tree with the names they get; `*` is the name of everything.
fn use_tree(tokens: &[String], i: &mut usize, before: &[String], found: &mut Vec<(String, Path)>) {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(*i) {
        match token.as_str() {
            "::" => *i += 1,
            "{" => {
                *i += 1;
                while tokens.get(*i).is_some_and(|token| token != "}") {
                    use_tree(tokens, i, &path, found);
                    if tokens.get(*i).is_some_and(|token| token == ",") {
                        *i += 1;
                    }
                }
                *i += 1;
                return;
            }
            "as" => {
                found.push((tokens.get(*i + 1).cloned().unwrap_or_default(), path));
                *i += 2;
                return;
            }
            "," | "}" | ";" => break,
            word => {
                path.push(word.to_owned());
                *i += 1;
            }
        }
    }
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(name) = path.last().cloned() {
        if name == "*" {
            path.pop();
        }
        found.push((name, path));
    }
}

/// Reads a file.
fn module_of(file: &str, text: &str) -> Module {
    let tokens = without_tests(tokens(text));
    let mut module = Module { file: file.to_owned(), ..Module::default() };
    let (mut i, mut depth) = (0, 0_usize);
    // Depths of braces at which inline modules began.
    let mut inline: Vec<usize> = Vec::new();
    let token = |index: usize| tokens.get(index).map_or("", String::as_str);
    while i < tokens.len() {
        match token(i) {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
            }
            "mod" if token(i + 2) == ";" => {
                module.children.insert(token(i + 1).to_owned());
                i += 2;
            }
            "mod" if token(i + 2) == "{" => {
                inline.push(depth);
                depth += 1;
                i += 2;
            }
            "use" if i == 0 || matches!(token(i - 1), ";" | "}" | "{" | "]" | "pub" | ")") => {
                let is_public = i > 0 && matches!(token(i - 1), "pub" | ")");
                let mut found = Vec::new();
                i += 1;
                use_tree(&tokens, &mut i, &[], &mut found);
                for (name, path) in found {
                    match (name.as_str(), is_public) {
                        ("*", true) => module.globs.push(path),
                        ("*", false) => module.imported.push(path),
                        (_, true) => drop(module.public.insert(name, path)),
                        (_, false) => drop(module.private.insert(name, path)),
                    }
                }
            }
            word if word.starts_with(|letter: char| letter.is_alphabetic() || letter == '_') => {
                let is_first = i == 0 || !matches!(token(i - 1), "::" | ".");
                if is_first {
                    module.words.insert(word.to_owned());
                }
                if is_first && token(i + 1) == "::" {
                    let mut path = vec![word.to_owned()];
                    while token(i + 1) == "::"
                        && token(i + 2).starts_with(|letter: char| letter.is_alphabetic())
                    {
                        path.push(token(i + 2).to_owned());
                        i += 2;
                    }
                    module.named.push((path, inline.len()));
                }
            }
            _ => {}
        }
        i += 1;
    }
    module
}

/// The modules of a crate, by their paths.
struct Crate(BTreeMap<Path, Module>);

impl Crate {
    /// The absolute path of what a module refers to; nothing where it is of another crate.
    fn absolute(&self, within: &Path, written: &[String], inline: usize) -> Option<Path> {
        let mut base = within.clone();
        let mut inline = inline;
        let mut rest = written;
        match written.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &written[1..];
            }
            "self" => rest = &written[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    if inline > 0 {
                        inline -= 1;
                    } else {
                        base.pop();
                    }
                    rest = &rest[1..];
                }
            }
            first if self.0[within].children.contains(first) => {}
            _ => return None,
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// The module whose file defines the item of an absolute path, and whether the path is that module itself.
    fn definer(&self, path: &Path, steps: usize) -> Option<(Path, bool)> {
        let mut at: Path = Vec::new();
        for (index, word) in path.iter().enumerate() {
            let mut below = at.clone();
            below.push(word.clone());
            if self.0.contains_key(&below) {
                at = below;
                continue;
            }
            if steps > 0 {
                let module = &self.0[&at];
                let rest = &path[index + 1..];
                let exported = module.public.get(word).or_else(|| module.private.get(word));
                if let Some(target) = exported.and_then(|target| self.absolute(&at, target, 0)) {
                    let whole: Path = target.into_iter().chain(rest.iter().cloned()).collect();
                    return self.definer(&whole, steps - 1);
                }
                for glob in &module.globs {
                    let target = self.absolute(&at, glob, 0)?;
                    let (of, _) = self.definer(&target, steps - 1)?;
                    if self.0[&of].words.contains(word) && !module.words.contains(word) {
                        return Some((of, false));
                    }
                }
            }
            return Some((at, false));
        }
        Some((at, true))
    }

    /// The modules that a module uses.
    fn used(&self, within: &Path) -> BTreeSet<Path> {
        let module = &self.0[within];
        let mut written: Vec<(Path, usize)> = Vec::new();
        for (name, path) in module.private.iter().chain(&module.public) {
            // A re-export alone declares a name; a name in the code is used.
            if module.private.contains_key(name) || module.words.contains(name) {
                written.push((path.clone(), 0));
            }
        }
        for (path, inline) in &module.named {
            let alias = module.private.get(&path[0]).or_else(|| module.public.get(&path[0]));
            match alias {
                Some(alias) => {
                    written.push((alias.iter().chain(&path[1..]).cloned().collect(), 0));
                }
                None => written.push((path.clone(), *inline)),
            }
        }
        let mut used = BTreeSet::new();
        for (path, inline) in written {
            let Some(absolute) = self.absolute(within, &path, inline) else { continue };
            // A `use` of a module uses nothing of it yet; the paths that begin with it do.
            if let Some((of, false)) = self.definer(&absolute, 8) {
                used.insert(of);
            }
        }
        for glob in &module.imported {
            let absolute = self.absolute(within, glob, 0);
            used.extend(absolute.and_then(|path| self.definer(&path, 8)).map(|(of, _)| of));
        }
        // A module is a part of those it lies in: it sees their private items, and is read with them.
        used.retain(|of| !within.starts_with(of));
        used
    }

    /// The circles: sets of files each of which uses every other one, over some way.
    fn circles(&self) -> Vec<BTreeSet<String>> {
        let uses: BTreeMap<&Path, BTreeSet<Path>> =
            self.0.keys().map(|path| (path, self.used(path))).collect();
        let reached = |from: &Path| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(next) = open.pop() {
                for to in &uses[&next] {
                    if seen.insert(to.clone()) {
                        open.push(to.clone());
                    }
                }
            }
            seen
        };
        let reach: BTreeMap<&Path, BTreeSet<Path>> =
            self.0.keys().map(|path| (path, reached(path))).collect();
        let mut circles = BTreeSet::new();
        for (path, to) in &reach {
            let circle: BTreeSet<String> = to
                .iter()
                .filter(|other| reach[other].contains(*path))
                .map(|other| self.0[other].file.clone())
                .collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

/// The crates by their folders.
fn crates() -> BTreeMap<String, Crate> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    for file in texts(&["rs"]) {
        let Some((folder, inside)) = file.path.split_once("/src/") else { continue };
        let group = folder.split('/').next().unwrap_or_default();
        if !matches!(group, "services" | "shared" | "demo") || inside.starts_with("bin/") {
            continue;
        }
        let inside = inside.trim_end_matches(".rs").trim_end_matches("/mod");
        let path: Path = match inside {
            "lib" | "main" => Vec::new(),
            other => other.split('/').map(str::to_owned).collect(),
        };
        if path.iter().any(|word| word == "tests") {
            continue;
        }
        let module = module_of(&file.path[folder.len() + "/src/".len()..], &file.text);
        crates.entry(folder.to_owned()).or_insert_with(|| Crate(BTreeMap::new())).0.insert(path, module);
    }
    crates.retain(|_, found| found.0.contains_key(&Vec::new()));
    crates
}

#[test]
fn no_new_circle_of_modules() {
    let crates = crates();
    assert!(crates.len() > 20, "the walk found {} crates", crates.len());
    let mut found: BTreeSet<(String, BTreeSet<String>)> = BTreeSet::new();
    for (folder, modules) in &crates {
        found.extend(modules.circles().into_iter().map(|circle| (folder.clone(), circle)));
    }
    let mut wrong = Vec::new();
    for (folder, files, reason) in ACCEPTED {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        if !found.remove(&(folder.to_owned(), files)) {
            wrong.push(format!("{folder}: no longer this circle ({reason}): correct the list"));
        }
    }
    wrong.extend(found.iter().map(|(folder, circle)| format!("{folder}: {} files {circle:?}", circle.len())));
    assert!(wrong.is_empty(), "move what both sides need into a file of its own:\n{}", wrong.join("\n"));
}

/// A crate of some files.
fn crate_of(files: &[(&str, &str)]) -> Crate {
    let modules = files.iter().map(|(path, text)| {
        let words = path.split('/').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        (words, module_of(path, text))
    });
    Crate(modules.collect())
}

#[test]
fn circles_are_found_and_declarations_are_none() {
    let circles = |files: &[(&str, &str)]| crate_of(files).circles().len();
    // Two files that name each other, by `use` and by a path in the code.
    let root = ("", "mod a; mod b; pub use a::A;");
    assert_eq!(
        circles(&[root, ("a", "use crate::b::B; pub struct A(B);"), ("b", "fn b() { crate::a::f() }")]),
        1
    );
    // A name that the root re-exports leads to the file that defines it.
    assert_eq!(
        circles(&[root, ("a", "use crate::b::B; pub struct A(B);"), ("b", "use crate::A; struct B(A);")]),
        1
    );
    // A parent that only re-exports is in no circle with a child that uses its sibling.
    assert_eq!(circles(&[root, ("a", "pub struct A;"), ("b", "use crate::A; use super::*;")]), 0);
    // A child is a part of its parent; of its parent's sibling it is none.
    let parent = ("", "mod a; struct P; fn f() { a::g() }");
    assert_eq!(circles(&[parent, ("a", "use super::P; pub fn g(_: P) {}")]), 0);
    let nested =
        [root, ("a", "mod c; pub struct A; fn a() { c::c() }"), ("b", "use crate::a::A; pub fn b() {}")];
    let child = ("a/c", "use crate::b::b; use super::A; pub fn c() { b() }");
    assert_eq!(circles(&[nested[0], nested[1], nested[2], child]), 1);
    // Text, comments and tests name nothing.
    let text = "// crate::b::B\nconst T: &str = \"crate::b::B\"; #[cfg(test)] mod tests { use crate::b::B; } fn a() {}";
    assert_eq!(circles(&[root, ("a", text), ("b", "use crate::a::a;")]), 0);
    // A module that is imported is used by what is taken from it.
    assert_eq!(
        circles(&[root, ("a", "use crate::b; fn a() { b::f() }"), ("b", "use crate::a; fn f() { a::a() }")]),
        1
    );
}
