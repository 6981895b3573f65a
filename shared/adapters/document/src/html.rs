//! Writes a sheet as HTML: one file without scripts and without external resources.

use crate::sheet::{Fact, Sheet};

/// The style of the page. It contains no address, so opening the page causes no request.
const STYLE: &str = include_str!("../templates/invoice.css");

/// The HTML of a sheet, UTF-8.
#[must_use]
pub fn html(sheet: &Sheet) -> String {
    let mut page = Page(String::new());
    page.raw(&format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n",
        sheet.language
    ));
    page.raw("<meta name=\"viewport\" content=\"width=device-width\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.element("title", "", &sheet.title)
        .raw("\n<style>\n")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n<main>\n");
    page.element("h1", "", &sheet.title).raw("\n<div class=\"parties\">\n");
    for (heading, lines) in [&sheet.from, &sheet.to] {
        page.raw("<section>").element("h2", "", heading);
        lines.iter().for_each(|line| {
            page.element("p", "", line);
        });
        page.raw("</section>\n");
    }
    page.raw("</div>\n").facts(&sheet.facts);
    lines(&mut page, sheet);
    page.element("p", "remark", &sheet.remark).raw("\n");
    if !sheet.payment.1.is_empty() {
        page.element("h2", "", &sheet.payment.0);
        sheet.payment.1.iter().for_each(|line| {
            page.element("p", "", line);
        });
        page.raw("\n");
    }
    page.element("h2", "", &sheet.formulas).raw("\n<dl class=\"formulas\">\n");
    for detail in &sheet.details {
        page.element("dt", "", &detail.id).element("dd", "", &detail.formula).raw("\n");
    }
    page.raw("</dl>\n").element("h2", "", &sheet.evidence).raw("\n").facts(&sheet.proof);
    page.element("p", "", &sheet.verify).raw("\n</main>\n</body>\n</html>\n");
    page.0
}

fn lines(page: &mut Page, sheet: &Sheet) {
    page.raw("<table>\n<thead><tr>");
    for (index, heading) in sheet.headings.iter().enumerate() {
        page.element("th", if index == 0 { "" } else { "number" }, heading);
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for row in &sheet.rows {
        page.raw("<tr><td>").element("strong", "", &row.kind);
        if !row.description.is_empty() {
            page.raw("<br>").text(&row.description);
        }
        page.raw("</td>")
            .element("td", "number", &format!("{} {}", row.quantity, row.unit))
            .element("td", "number", &row.unit_price)
            .element("td", "number", &format!("{} {}", row.amount, row.currency))
            .raw("</tr>\n");
    }
    page.raw("</tbody>\n<tfoot>\n");
    for total in &sheet.totals {
        page.raw("<tr><th colspan=\"3\" class=\"number\">")
            .text(&sheet.total)
            .raw("</th>")
            .element("th", "number", &format!("{} {}", total.amount, total.currency))
            .raw("</tr>\n");
    }
    page.raw("</tfoot>\n</table>\n");
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

    fn facts(&mut self, facts: &[Fact]) -> &mut Self {
        self.raw("<dl>\n");
        for fact in facts {
            self.element("dt", "", &fact.name).element("dd", "", &fact.value).raw("\n");
        }
        self.raw("</dl>\n")
    }
}
