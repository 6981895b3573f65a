//! A report as CSV: one figure per line, in whole numbers of the stated unit.

use std::fmt::Display;

use wb_metering::report::sheet::Sheet;

use super::Head;
use super::amount::NOT_KNOWN;

/// The columns. A line fills the columns of its section; the others are empty.
const COLUMNS: [&str; 16] = [
    "section",
    "name",
    "unit",
    "value",
    "before",
    "change",
    "change_ppm",
    "share_ppm",
    "machine",
    "witness",
    "against",
    "against_value",
    "difference_ppm",
    "expected_ppm",
    "z_milli",
    "beyond",
];

/// Writes a report; the first line holds its period.
pub(super) fn write(head: &Head, sheet: &Sheet) -> String {
    let mut text = COLUMNS.join(",");
    text.push('\n');
    let mut line = |cells: &[(&str, String)]| {
        let row = COLUMNS.map(|column| {
            let found = cells.iter().find(|(name, _)| *name == column);
            found.map(|(_, value)| quoted(value)).unwrap_or_default()
        });
        text.push_str(&row.join(","));
        text.push('\n');
    };
    for (name, value) in [
        ("site", head.site_id.clone().unwrap_or_else(|| "fleet".to_owned())),
        ("customer", head.customer_id.clone().unwrap_or_default()),
        ("period", head.period.clone()),
        ("zone", head.zone.clone()),
        ("from_us", head.interval.start_us.to_string()),
        ("to_us", head.interval.end_us.to_string()),
        ("currency", sheet.currency.map(|currency| currency.code().to_owned()).unwrap_or_default()),
    ] {
        line(&[("section", "head".to_owned()), ("name", name.to_owned()), ("value", value)]);
    }
    for change in &sheet.terms {
        line(&[
            ("section", "term".to_owned()),
            ("name", change.term.name.clone()),
            ("unit", change.term.unit.as_str().to_owned()),
            ("value", known(change.term.value)),
            ("before", known(change.before)),
            ("change", known(change.change)),
            ("change_ppm", known(change.change_ppm)),
        ]);
    }
    for share in &sheet.witnesses {
        line(&[
            ("section", "witness".to_owned()),
            ("name", share.witness.as_str().to_owned()),
            ("unit", "nJ".to_owned()),
            ("value", share.energy_nj.to_string()),
            ("share_ppm", share.share_ppm.to_string()),
        ]);
    }
    for comparison in &sheet.comparisons {
        let pair = &comparison.pair;
        line(&[
            ("section", "comparison".to_owned()),
            ("name", comparison.quantity.as_str().to_owned()),
            ("unit", comparison.quantity.unit().to_owned()),
            ("value", pair.left.to_string()),
            ("machine", comparison.machine_id.clone().unwrap_or_default()),
            ("witness", pair.left_name.to_owned()),
            ("against", pair.right_name.to_owned()),
            ("against_value", pair.right.to_string()),
            ("difference_ppm", known(pair.difference_ppm)),
            ("expected_ppm", pair.expected_ppm.to_string()),
            ("z_milli", pair.z_milli.map(|z| z.to_string()).unwrap_or_default()),
            ("beyond", pair.is_beyond.to_string()),
        ]);
    }
    for of in &sheet.faults {
        let fault = &of.fault;
        line(&[
            ("section", "fault".to_owned()),
            ("name", format!("xid-{}", fault.xid)),
            ("unit", "us".to_owned()),
            ("value", fault.start_us.to_string()),
            ("machine", of.machine_id.clone()),
            ("witness", fault.device.to_string()),
            ("against", "end".to_owned()),
            ("against_value", known(fault.end_us)),
        ]);
    }
    for note in &sheet.notes {
        line(&[("section", "note".to_owned()), ("name", note.clone())]);
    }
    text
}

fn known(value: Option<impl Display>) -> String {
    value.map_or_else(|| NOT_KNOWN.to_owned(), |value| value.to_string())
}

/// A cell, quoted if needed (RFC 4180). Text that a spreadsheet would take for a formula gets a leading apostrophe,
/// because ids and notes come from outside.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '@', '\t', '\r'])
        || (text.starts_with('-') && text.parse::<i128>().is_err());
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_safe() {
        for (text, expected) in [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("-5", "-5"),
            ("-cmd", "'-cmd"),
        ] {
            assert_eq!(quoted(text), expected);
        }
        assert_eq!(known(None::<i128>), "not known");
    }
}
