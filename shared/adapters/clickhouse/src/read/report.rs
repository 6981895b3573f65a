//! Reports of a site or of all sites, built machine by machine.
//!
//! Work, and firmware's claims beside it, are summed in ClickHouse. Samples, registers and allocations depend on
//! order in time, so they are read for a few machines at once and folded by `wb_metering::report`. Memory is thus
//! bounded by a site's facts, not by its samples. One query, which applies the scope, selects machines and times; all
//! others are limited to them.

mod accounts;
mod claims;
mod facts;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use wb_metering::report::machine::{Record, Rules, Stand};
use wb_metering::report::period::ReportPeriod;
use wb_metering::report::sheet::{Sheet, known_part};
use wb_metering::report::site::{SiteFold, SiteReport};
use wb_metering::report::sources::leave_out;
use wb_units::time::rfc3339;
use wb_units::{Interval, Micros, SETTLEMENT_INTERVAL_US};

use super::{Read, Selection, SeriesRange};
use crate::error::StoreError;
use accounts::LentMachines;

/// The most samples in memory. It limits how many machines are read together.
const SAMPLES_AT_ONCE: i64 = 400_000;

/// The most machines that are read together: the query contains their ids.
const MACHINES_AT_ONCE: usize = 200;

/// A request for a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRequest {
    /// The period, both ends on the settlement grid.
    pub period: Interval,
    /// One site; without it, all in the scope.
    pub site_id: Option<String>,
    /// The rules of the figures.
    pub rules: Rules,
    /// The most machines; more are an error.
    pub machines_max: usize,
}

/// A report and its sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRead {
    /// The figures.
    pub report: SiteReport,
    /// The sites, in order.
    pub site_ids: Vec<String>,
}

/// A request for the report of a calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodRequest<'a> {
    pub period: ReportPeriod,
    /// The time zone of its days. Without it, the site's time zone, or UTC.
    pub zone: Option<&'a str>,
    /// One site; without it, all in the scope.
    pub site_id: Option<&'a str>,
    /// The present. An unfinished period is reported up to the settlement boundary before it.
    pub now_us: Micros,
    /// The most settlement intervals of all machines together.
    pub slots_max: u64,
}

/// The report of a calendar period, with its changes since the period before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodReport {
    /// The report.
    pub sheet: Sheet,
    /// The sites it is of, in order.
    pub site_ids: Vec<String>,
    /// The time zone of its days.
    pub zone: String,
    /// The reported part of the period.
    pub interval: Interval,
    /// Whether the period is unfinished.
    pub goes_on: bool,
}

/// The time zone if no site has one.
const ZONE: &str = "UTC";

/// The most sites that an error lists.
const SITES_LISTED: usize = 10;

fn unknown_site(site_id: &str, known: &[String]) -> StoreError {
    let names: Vec<&str> = known.iter().take(SITES_LISTED).map(String::as_str).collect();
    let more = if known.len() > SITES_LISTED { ", ..." } else { "" };
    let problem =
        format!("there is no site {site_id:?} in this period; there are {}{more}", names.join(", "));
    StoreError::Range { problem }
}

/// The most samples that a machine has in some settlement intervals; the GPUs of a node send separate samples.
fn samples_of(stands: &[Stand], slots: i64) -> i64 {
    let gpus = stands.iter().filter_map(|stand| stand.gpus).max().unwrap_or(0);
    slots.saturating_mul(i64::from(gpus.max(1)))
}

/// Machines with their stands, each machine's in order of time.
type Standing = BTreeMap<String, Vec<Stand>>;

impl Read {
    /// The report of a period, of one site or of the whole scope. For a customer it covers its machines while they
    /// were assigned to it, and nothing of the site itself.
    ///
    /// # Errors
    /// [`StoreError::Range`] if the period is empty or off the settlement grid or there are too many machines;
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn report(&self, request: &ReportRequest) -> Result<ReportRead, StoreError> {
        let range = SeriesRange::whole(request.period.start_us, request.period.end_us)?;
        let lent = self.report_lent(range).await?;
        let mut known = self.report_sites(range).await?;
        known.extend(lent.by_site.keys().cloned());
        known.sort_unstable();
        known.dedup();
        let rules = Rules { whose: lent.whose.clone(), ..request.rules.clone() };
        let request = &ReportRequest { rules, ..request.clone() };
        let site_ids: Vec<String> = match &request.site_id {
            // Outside a customer's scope, a site looks as if it did not exist.
            Some(site_id) if known.contains(site_id) || self.scope.customer().is_some() => {
                known.into_iter().filter(|known| known == site_id).collect()
            }
            Some(site_id) => return Err(unknown_site(site_id, &known)),
            None => known,
        };
        let mut left = request.machines_max;
        let mut reports = Vec::new();
        for site_id in &site_ids {
            reports.push(self.site_report(request, range, (site_id, lent.at(site_id)), &mut left).await?);
        }
        let is_one = request.site_id.is_some();
        let report = match (is_one, reports.len()) {
            (true, 1) => reports.pop().unwrap_or_default(),
            (true, _) => SiteReport::default(),
            (false, _) => {
                let mut fleet = SiteReport::nothing(&request.rules);
                for (site_id, report) in site_ids.iter().zip(reports) {
                    fleet.add(site_id, report);
                }
                fleet
            }
        };
        Ok(ReportRead { report, site_ids })
    }

    /// The report of a calendar period with its changes since the period before. A period that has not begun is
    /// reported whole; only the standing of machines is known of it.
    ///
    /// # Errors
    /// As [`Read::report`], and [`StoreError::Range`] for an unknown time zone.
    pub async fn period_report(&self, request: &PeriodRequest<'_>) -> Result<PeriodReport, StoreError> {
        let own_zone = match (request.zone, request.site_id) {
            (None, Some(site_id)) => self.site_time_zone(site_id).await?,
            _ => None,
        };
        let zone = request.zone.map(str::to_owned).or(own_zone).unwrap_or_else(|| ZONE.to_owned());
        let refused = |error: wb_metering::report::period::ReportPeriodError| StoreError::Range {
            problem: error.to_string(),
        };
        let whole = request.period.interval(&zone).map_err(refused)?;
        let interval = known_part(whole, request.now_us).unwrap_or(whole);
        let rules = Rules::default();
        let of = |period: Interval| {
            let slots = u64::try_from(period.duration_us() / SETTLEMENT_INTERVAL_US).unwrap_or(1).max(1);
            ReportRequest {
                period,
                site_id: request.site_id.map(str::to_owned),
                rules: rules.clone(),
                machines_max: usize::try_from(request.slots_max / slots).unwrap_or(usize::MAX),
            }
        };
        let now = self.report(&of(interval)).await?;
        let before = match request.period.before().map(|before| before.interval(&zone)) {
            Some(Ok(interval)) => match self.report(&of(interval)).await {
                Ok(read) => Some((read.report, interval)),
                // A new site has no period before.
                Err(error) if error.is_request() => None,
                Err(error) => return Err(error),
            },
            _ => None,
        };
        let before = before.as_ref().map(|(report, interval)| (report, *interval));
        Ok(PeriodReport {
            sheet: Sheet::new(&now.report, interval, before, &rules),
            site_ids: now.site_ids,
            zone,
            interval,
            goes_on: interval != whole,
        })
    }

    async fn site_report(
        &self,
        request: &ReportRequest,
        range: SeriesRange,
        (site_id, lent): (&str, LentMachines),
        left: &mut usize,
    ) -> Result<SiteReport, StoreError> {
        let at_site = Selection::Site(site_id.to_owned());
        let facts = self.report_facts(range, site_id, &at_site).await?;
        let mut standing: Standing = self.report_stands(range, &at_site).await?;
        // A site's meter is not a machine.
        let meters: BTreeSet<&String> = facts.meter_machines.iter().collect();
        standing.retain(|machine_id, _| !meters.contains(machine_id));
        for machine_id in lent.keys() {
            standing.entry(machine_id.clone()).or_default();
        }
        *left = left.checked_sub(standing.len()).ok_or_else(|| StoreError::Range {
            problem: format!(
                "the report is about more than {} machines: ask for one site, or use `weighbridge report`",
                request.machines_max
            ),
        })?;
        let mut assigned = self.report_assigned(range, &at_site).await?;
        let mut metered: BTreeSet<String> =
            facts.site.meters.iter().map(|register| register.meter_id.clone()).collect();
        let rules = Rules { policies: facts.policies, ..request.rules.clone() };
        let mut fold = SiteFold::new(facts.site, rules.clone(), request.period);
        let slots = request.period.duration_us() / SETTLEMENT_INTERVAL_US;
        let mut machines = standing.into_iter().peekable();
        while machines.peek().is_some() {
            let mut records: BTreeMap<String, Record> = BTreeMap::new();
            let mut room = SAMPLES_AT_ONCE;
            while let Some((machine_id, stands)) = machines.next_if(|(_, stands)| {
                records.is_empty() || (records.len() < MACHINES_AT_ONCE && room >= samples_of(stands, slots))
            }) {
                room = room.saturating_sub(samples_of(&stands, slots));
                let assigned = assigned.remove(&machine_id).unwrap_or_default();
                let lent = accounts::outside(lent.get(&machine_id), &stands);
                let machine_id_of = machine_id.clone();
                let record =
                    Record { machine_id: machine_id_of, stands, assigned, lent, ..Record::default() };
                records.insert(machine_id, record);
            }
            self.fill_records(range, &rules, &mut records).await?;
            for record in records.values_mut() {
                record.left_out = leave_out(record, &rules, request.period);
                metered.extend(record.registers.iter().map(|register| register.meter_id.clone()));
                fold.add(record);
            }
        }
        let mut report = fold.finish();
        if self.scope.customer().is_none() {
            report.notes.extend(self.correction_notes(request.period, &metered).await?);
        }
        Ok(report)
    }

    /// Notes on corrections of a site's meters and on voided events.
    async fn correction_notes(
        &self,
        period: Interval,
        meters: &BTreeSet<String>,
    ) -> Result<Vec<String>, StoreError> {
        let said = &self.corrections().await?.said;
        let mut notes: Vec<String> = said
            .iter()
            .filter(|one| meters.contains(&one.entity))
            .filter_map(|one| Some((one, one.ratio.filter(|ratio| ratio.intersect(&period).is_some())?)))
            .map(|(one, ratio)| {
                let (from, to) = (rfc3339(ratio.start_us), rfc3339(ratio.end_us));
                format!(
                    "the ratio of {} is corrected from {from} to {to}, by {}: {}",
                    one.entity, one.who, one.why
                )
            })
            .collect();
        let voids = said.iter().filter(|one| one.ratio.is_none()).count();
        if voids > 0 {
            notes.push(format!(
                "{voids} corrections void events, here or elsewhere; voided events do not count"
            ));
        }
        Ok(notes)
    }
}
