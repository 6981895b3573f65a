//! The content of a document, without layout.

use serde::Serialize;
use wb_units::Micros;

/// A document, as text in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sheet {
    /// The language tag.
    pub language: &'static str,
    /// The kind of document and its number.
    pub title: String,
    /// Its permanent id.
    pub id: String,
    /// When it is dated, UTC microseconds.
    pub dated_us: Micros,
    /// The issuer and the customer.
    pub parties: Vec<Section>,
    /// Number, dates and other facts at its head.
    pub facts: Vec<Fact>,
    pub tables: Vec<Table>,
    /// The explanation of signs and rounding.
    pub remark: String,
    /// Payment instructions and the like.
    pub sections: Vec<Section>,
    /// What follows after the document itself.
    pub annexes: Vec<Annex>,
    /// The word between a page's number and the number of pages.
    pub page_of: String,
}

/// Lines under a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    pub heading: String,
    pub lines: Vec<String>,
}

/// A label and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub name: String,
    /// The value.
    pub value: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// The heading over it; empty if it has none.
    pub heading: String,
    pub columns: Vec<Column>,
    /// The rows, with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// The sums at its end.
    pub totals: Vec<Fact>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    pub heading: String,
    /// Whether it is of numbers, which stand on the right.
    pub is_number: bool,
}

/// A cell of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Text in strong type; may be empty.
    pub strong: String,
    /// Text below it; may be empty.
    pub text: String,
}

/// An annex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annex {
    pub heading: String,
    /// An explanation; may be empty.
    pub remark: String,
    pub details: Vec<Detail>,
    pub facts: Vec<Fact>,
}

/// How a line was computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// The line's id.
    pub id: String,
    /// What is computed, in words.
    pub words: String,
    /// The formula in symbols, in terms of the contract and the ledger, which are not translated.
    pub formula: String,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { strong: String::new(), text: text.into() }
    }
}

impl Fact {
    pub(crate) fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.into() }
    }
}

impl Sheet {
    /// Every text of the document.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let sections = self.parties.iter().chain(&self.sections);
        let sections = sections.flat_map(|section| section.lines.iter().chain([&section.heading]));
        let of_facts = self.facts.iter().chain(self.annexes.iter().flat_map(|annex| &annex.facts));
        let of_facts = of_facts.chain(self.tables.iter().flat_map(|table| &table.totals));
        let of_facts = of_facts.flat_map(|fact| [&fact.name, &fact.value]);
        let of_tables = self.tables.iter().flat_map(|table| {
            let cells = table.rows.iter().flatten().flat_map(|cell| [&cell.strong, &cell.text]);
            table.columns.iter().map(|column| &column.heading).chain(cells).chain([&table.heading])
        });
        let of_annexes = self.annexes.iter().flat_map(|annex| {
            let details =
                annex.details.iter().flat_map(|detail| [&detail.id, &detail.words, &detail.formula]);
            details.chain([&annex.heading, &annex.remark])
        });
        let own = [&self.title, &self.remark, &self.page_of];
        own.into_iter().chain(sections).chain(of_facts).chain(of_tables).chain(of_annexes).map(String::as_str)
    }
}
