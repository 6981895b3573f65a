//! The demonstration's site reports.

use anyhow::Result;
use serde::Serialize;
use wb_auth::TenantScope;
use wb_clickhouse::Store;
use wb_metering::report::sheet::Sheet;
use wb_metering::report::truth::Quantity;

use crate::commands::report::{Format, now_us, render, sheet_of};

/// The reports: site and period, in UTC.
const REPORTS: [(&str, &str); 3] = [("genesis", "2009-01"), ("tx-1", "2026-10"), ("no-1", "2026-10-01")];

/// A site's report of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SiteReport {
    site_id: &'static str,
    period: &'static str,
    /// As `weighbridge report --format csv` gives it.
    csv: String,
    /// The machines whose firmware claims more or less than chance and its class explain.
    flagged: Vec<String>,
    completeness_ppm: Option<String>,
    #[serde(skip)]
    text: String,
}

impl SiteReport {
    /// As people read it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether of a site exactly these machines are flagged, and a completeness is told.
    pub(crate) fn flags(&self, site_id: &str, machines: &[&str]) -> bool {
        self.site_id == site_id && self.flagged == machines && self.completeness_ppm.is_some()
    }
}

/// Reads all of them as of the newest cut.
pub(crate) async fn reports(store: &Store) -> Result<Vec<SiteReport>> {
    let read = store.read(TenantScope::Operator, store.cut().await?);
    let mut reports = Vec::new();
    for (site_id, period) in REPORTS {
        let (head, sheet) = sheet_of(&read, Some(site_id), period, Some("UTC"), now_us()?).await?;
        reports.push(SiteReport {
            site_id,
            period,
            csv: render(Format::Csv, &head, &sheet),
            flagged: flagged(&sheet),
            completeness_ppm: completeness(&sheet),
            text: render(Format::Table, &head, &sheet),
        });
    }
    Ok(reports)
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
