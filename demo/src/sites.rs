//! The demonstration's site reports.

use serde::Serialize;
use wb_metering::report::sheet::Sheet;
use wb_metering::report::truth::Quantity;

/// The reports: site and period, in UTC.
pub(crate) const REPORTS: [(&str, &str); 3] =
    [("genesis", "2009-01"), ("tx-1", "2026-10"), ("no-1", "2026-10-01")];

/// A site's report of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteReport {
    site_id: String,
    period: String,
    /// The report as `weighbridge report --format csv` writes it.
    csv: String,
    /// The machines whose firmware claims more or less than chance and its tolerance explain.
    flagged: Vec<String>,
    completeness_ppm: Option<String>,
    #[serde(skip)]
    text: String,
}

impl SiteReport {
    /// A report with its figures, as CSV and as a table.
    #[must_use]
    pub fn new(site_id: &str, period: &str, sheet: &Sheet, csv: String, text: String) -> Self {
        Self {
            site_id: site_id.to_owned(),
            period: period.to_owned(),
            csv,
            flagged: flagged(sheet),
            completeness_ppm: completeness(sheet),
            text,
        }
    }

    /// The report as a table.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether exactly these machines of a site are flagged and the report has a completeness.
    pub(crate) fn flags(&self, site_id: &str, machines: &[&str]) -> bool {
        self.site_id == site_id && self.flagged == machines && self.completeness_ppm.is_some()
    }
}

fn flagged(sheet: &Sheet) -> Vec<String> {
    let beyond = sheet
        .comparisons
        .iter()
        .filter(|comparison| comparison.quantity == Quantity::Hashes && comparison.pair.is_beyond);
    beyond.filter_map(|comparison| comparison.machine_id.clone()).collect()
}

fn completeness(sheet: &Sheet) -> Option<String> {
    let change = sheet.terms.iter().find(|change| change.term.name == "completeness")?;
    change.term.value.map(|value| value.to_string())
}
