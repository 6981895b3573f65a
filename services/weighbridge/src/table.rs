//! Tables of text for people.

use wb_units::time::rfc3339;

/// A table with a heading, whose columns are as wide as their widest text.
pub(crate) struct Table {
    /// The name of each column, and whether it is of numbers, which stand on the right.
    columns: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&str, bool)]) -> Self {
        let columns = columns.iter().map(|(name, is_number)| ((*name).to_owned(), *is_number)).collect();
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines of the table, without blanks at their ends.
    pub(crate) fn text(&self) -> String {
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, (name, _))| {
                let cells = self.rows.iter().filter_map(|row| row.get(index));
                cells.chain([name]).map(|text| text.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: Vec<&str>| {
            let mut line = String::new();
            for ((text, width), (_, is_number)) in cells.iter().zip(&widths).zip(&self.columns) {
                let blanks = " ".repeat(width.saturating_sub(text.chars().count()));
                let (left, right) = if *is_number { (blanks.as_str(), "") } else { ("", blanks.as_str()) };
                line.push_str(&format!("{left}{text}{right}  "));
            }
            line.trim_end().to_owned()
        };
        let heading = line(self.columns.iter().map(|(name, _)| name.as_str()).collect());
        let rows = self.rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
        std::iter::once(heading).chain(rows).collect::<Vec<_>>().join("\n")
    }
    /// The table as CSV by RFC 4180. Text that a spreadsheet would take for a formula has an apostrophe before it.
    pub(crate) fn csv(&self) -> String {
        let field = |text: &str, is_number: bool| {
            let is_formula = !is_number && text.starts_with(['=', '+', '-', '@', '\t', '\'']);
            let text = if is_formula { format!("'{text}") } else { text.to_owned() };
            if text.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text
            }
        };
        let heading = self.columns.iter().map(|(name, _)| field(name, false)).collect::<Vec<_>>().join(",");
        let row = |row: &Vec<String>| {
            let cells = row.iter().zip(&self.columns).map(|(text, (_, is_number))| field(text, *is_number));
            cells.collect::<Vec<_>>().join(",")
        };
        std::iter::once(heading).chain(self.rows.iter().map(row)).collect::<Vec<_>>().join("\r\n")
    }
}

/// The day of an instant in UTC, such as 2026-10-31.
pub(crate) fn day(at_us: i64) -> String {
    rfc3339(at_us).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[("name", false), ("amount", true), ("unit", false)]);
        table.row(vec!["a".to_owned(), "5.00".to_owned(), "USD".to_owned()]);
        table.row(vec!["long name".to_owned(), "12345.00".to_owned(), String::new()]);
        assert_eq!(table.text(), "name         amount  unit\na              5.00  USD\nlong name  12345.00");
        assert_eq!(day(1_790_812_800_000_000), "2026-10-01");
    }
}
