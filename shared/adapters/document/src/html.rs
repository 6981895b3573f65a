//! Writes a sheet as HTML: one file without scripts and without external resources, which fits a phone.

use crate::sheet::{Annex, Cell, Fact, Section, Sheet, Table};

/// The style of the page. It contains no address, so opening the page causes no request.
const STYLE: &str = include_str!("../templates/document.css");

/// The HTML of a sheet, UTF-8.
#[must_use]
pub fn html(sheet: &Sheet) -> String {
    let mut page = Page(String::new());
    page.raw(&format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n",
        sheet.language
    ));
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.element("title", "", &sheet.title)
        .raw("\n<style>\n")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n<main>\n");
    page.element("h1", "", &sheet.title).raw("\n<div class=\"parties\">\n");
    sheet.parties.iter().for_each(|party| page.section(party));
    page.raw("</div>\n").facts(&sheet.facts);
    sheet.tables.iter().for_each(|table| page.table(table));
    page.element("p", "remark", &sheet.remark).raw("\n");
    sheet.sections.iter().for_each(|section| page.section(section));
    sheet.annexes.iter().for_each(|annex| page.annex(annex));
    page.raw("</main>\n</body>\n</html>\n");
    page.0
}

/// HTML in progress.
struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Writes text with escaped markup.
    fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    fn element(&mut self, name: &str, class: &str, text: &str) -> &mut Self {
        self.raw("<").raw(name);
        if !class.is_empty() {
            self.raw(" class=\"").raw(class).raw("\"");
        }
        self.raw(">").text(text).raw("</").raw(name).raw(">")
    }

    fn section(&mut self, section: &Section) {
        self.raw("<section>").element("h2", "", &section.heading);
        section.lines.iter().for_each(|line| {
            self.element("p", "", line);
        });
        self.raw("</section>\n");
    }

    fn table(&mut self, table: &Table) {
        if !table.heading.is_empty() {
            self.element("h2", "", &table.heading).raw("\n");
        }
        self.raw("<table>\n<thead><tr>");
        for column in &table.columns {
            self.element("th", if column.is_number { "number" } else { "" }, &column.heading);
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in &table.rows {
            self.raw("<tr>");
            for (column, cell) in table.columns.iter().zip(row) {
                // On a narrow screen a row is a block, and each cell has its heading before it.
                let class = if column.is_number { " class=\"number\"" } else { "" };
                self.raw(&format!("<td{class} data-heading=\"")).text(&column.heading).raw("\">");
                self.cell(cell);
                self.raw("</td>");
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n<tfoot>\n");
        for total in &table.totals {
            let columns = table.columns.len().saturating_sub(1);
            self.raw(&format!("<tr><th colspan=\"{columns}\" class=\"number\">")).text(&total.name);
            self.raw("</th>").element("th", "number", &total.value).raw("</tr>\n");
        }
        self.raw("</tfoot>\n</table>\n");
    }

    fn cell(&mut self, cell: &Cell) {
        if !cell.strong.is_empty() {
            self.element("strong", "", &cell.strong);
            if !cell.text.is_empty() {
                self.raw("<br>");
            }
        }
        self.text(&cell.text);
    }

    fn annex(&mut self, annex: &Annex) {
        self.element("h2", "", &annex.heading).raw("\n");
        if !annex.remark.is_empty() {
            self.element("p", "remark", &annex.remark).raw("\n");
        }
        if !annex.details.is_empty() {
            self.raw("<dl class=\"formulas\">\n");
            for detail in &annex.details {
                self.element("dt", "", &detail.id).element("dd", "", &detail.words);
                self.element("dd", "formula", &detail.formula).raw("\n");
            }
            self.raw("</dl>\n");
        }
        if !annex.facts.is_empty() {
            self.facts(&annex.facts);
        }
    }

    fn facts(&mut self, facts: &[Fact]) -> &mut Self {
        self.raw("<dl>\n");
        for fact in facts {
            self.element("dt", "", &fact.name).element("dd", "", &fact.value).raw("\n");
        }
        self.raw("</dl>\n")
    }
}
