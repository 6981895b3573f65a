//! Checks that the command line accepts the commands in the book.

use std::path::{Path, PathBuf};

use clap::Parser as _;

use super::Arguments;

#[test]
fn commands_of_the_book_are_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = pages(&root.join("docs/src"));
    pages.extend(["README.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    let (mut tried, mut wrong) = (0, Vec::new());
    for page in pages {
        for command in commands(&std::fs::read_to_string(&page).unwrap()) {
            tried += 1;
            if let Err(error) = Arguments::try_parse_from(words(&command))
                && error.use_stderr()
            {
                wrong.push(format!("{}: {command}\n{error}", page.display()));
            }
        }
    }
    assert!(tried > 30, "{tried} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// The weighbridge commands in a page's shell blocks, each on one line.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_shell = false;
    for line in page.replace("\\\n", " ").lines() {
        if line.starts_with("```") {
            in_shell = line == "```sh";
        } else if in_shell {
            let inner = line.split_once("$(").map_or(line, |(_, inner)| inner.trim_end_matches(')'));
            found.extend(inner.starts_with("weighbridge ").then(|| inner.to_owned()));
        }
    }
    found
}

/// Splits a line into words as a shell does, up to a comment or a pipe.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    let end = words.iter().position(|word| word == "#" || word == "|").unwrap_or(words.len());
    words.truncate(end);
    words
}
