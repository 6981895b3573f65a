//! Reads the repository's Markdown pages.

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// A page that people wrote.
pub(crate) struct Page {
    /// Its path from the root.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A code block: the words behind its fence, its text, and where that text lies in the page.
pub(crate) struct Code {
    pub(crate) info: String,
    pub(crate) text: String,
    pub(crate) range: std::ops::Range<usize>,
}

/// The pages of the book, the root and the schemas, sorted by path. The pages of the error codes have a test of their
/// own.
pub(crate) fn pages() -> Vec<Page> {
    let root = root();
    let mut paths = markdown_files(&root, false);
    paths.extend(markdown_files(&root.join("docs/src"), true));
    paths.extend(markdown_files(&root.join("schemas"), true));
    let mut pages: Vec<Page> = paths
        .into_iter()
        .map(|path| Page {
            text: with_includes(&path),
            path: path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(),
        })
        .filter(|page| !page.path.starts_with("schemas/errors/"))
        .collect();
    pages.sort_by(|left, right| left.path.cmp(&right.path));
    pages
}

/// A page's text, with the files that mdBook includes as a whole.
fn with_includes(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().map(|line| match line.strip_prefix("{{#include ") {
        Some(rest) => with_includes(&path.parent().unwrap().join(rest.trim_end_matches("}}"))),
        None => format!("{line}\n"),
    });
    lines.collect()
}

fn markdown_files(folder: &Path, whole_tree: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && whole_tree {
            found.extend(markdown_files(&path, true));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

impl Page {
    /// One page by its path from the root.
    pub(crate) fn read(path: &str) -> Self {
        Self { path: path.to_owned(), text: with_includes(&root().join(path)) }
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = (Event<'_>, std::ops::Range<usize>)> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter()
    }

    /// Where its links and pictures lead.
    pub(crate) fn links(&self) -> Vec<String> {
        self.events()
            .filter_map(|(event, _)| match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    Some(dest_url.into_string())
                }
                _ => None,
            })
            .collect()
    }

    /// The texts in backticks.
    pub(crate) fn inline_code(&self) -> Vec<String> {
        let code = |event| if let Event::Code(text) = event { Some(text.into_string()) } else { None };
        self.events().filter_map(|(event, _)| code(event)).collect()
    }

    /// The anchors of its headings, as mdBook and GitHub make them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors = Vec::new();
        let mut heading: Option<String> = None;
        for (event, _) in self.events() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => anchors.extend(heading.take().map(|text| anchor(&text))),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        anchors
    }

    /// Its code blocks, in order.
    pub(crate) fn code_blocks(&self) -> Vec<Code> {
        let mut blocks = Vec::new();
        let mut open: Option<Code> = None;
        for (event, range) in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    let info = info.into_string();
                    open = Some(Code { info, text: String::new(), range: range.end..range.end });
                }
                Event::Text(text) => {
                    if let Some(block) = &mut open {
                        block.range = block.range.start.min(range.start)..range.end;
                        block.text.push_str(&text);
                    }
                }
                Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
                _ => {}
            }
        }
        blocks
    }
}

fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => letter.is_alphanumeric().then_some(letter),
        })
        .collect()
}
