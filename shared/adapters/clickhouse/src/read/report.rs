//! The report of a site or of all sites, put together machine by machine.
//!
//! What is additive is summed in ClickHouse: work, and claims beside the work of the same settlement
//! intervals. What depends on order in time, samples and registers and allocations, is read for a few
//! machines at a time and folded by `wb_metering::report`, so that memory is bounded by a site's
//! facts and not by its samples. The machines and times that are read at all come from one query
//! that keeps to the scope; every other query is limited to them.

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

/// Samples that are held at once: so many machines are read together as can have no more.
const SAMPLES_AT_ONCE: i64 = 400_000;

/// Machines that are read together at most: their ids go along as a parameter.
const MACHINES_AT_ONCE: usize = 200;

/// What a report is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRequest {
    /// The period, both ends on the settlement grid.
    pub period: Interval,
    /// One site, or all that the scope allows.
    pub site_id: Option<String>,
    /// What the figures go by.
    pub rules: Rules,
    /// The most machines that it may be about; more is refused.
    pub machines_max: usize,
}

/// A report with the sites it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRead {
    /// The figures.
    pub report: SiteReport,
    /// The sites, in order.
    pub site_ids: Vec<String>,
}

/// A calendar period's report, asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodRequest<'a> {
    pub period: ReportPeriod,
    /// The time zone of its days; the site's own unless given, UTC where there is none.
    pub zone: Option<&'a str>,
    /// One site, or all that the scope allows.
    pub site_id: Option<&'a str>,
    /// Now: a period that goes on is reported until the settlement boundary before it.
    pub now_us: Micros,
    /// The most settlement intervals, of all machines together, that it may be about.
    pub slots_max: u64,
}

/// A calendar period's report beside the one of the period before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodReport {
    /// The report.
    pub sheet: Sheet,
    /// The sites it is of, in order.
    pub site_ids: Vec<String>,
    /// The time zone of its days.
    pub zone: String,
    /// What of the period it is about.
    pub interval: Interval,
    /// Whether the period goes on.
    pub goes_on: bool,
}

/// The time zone of periods where no site gives one.
const ZONE: &str = "UTC";

/// Sites that a refusal names.
const SITES_NAMED: usize = 10;

fn unknown_site(site_id: &str, known: &[String]) -> StoreError {
    let names: Vec<&str> = known.iter().take(SITES_NAMED).map(String::as_str).collect();
    let more = if known.len() > SITES_NAMED { ", ..." } else { "" };
    let problem =
        format!("there is no site {site_id:?} in this period; there are {}{more}", names.join(", "));
    StoreError::Range { problem }
}

/// The samples that a machine may have in so many settlement intervals: a node's GPUs speak one by one.
fn samples_of(stands: &[Stand], slots: i64) -> i64 {
    let gpus = stands.iter().filter_map(|stand| stand.gpus).max().unwrap_or(0);
    slots.saturating_mul(i64::from(gpus.max(1)))
}

/// Machines with their stands, each machine's in order of time.
type Standing = BTreeMap<String, Vec<Stand>>;

impl Read {
    /// The report of a period: of one site or of all that the scope allows. A customer is told of
    /// its machines while they were its own, and nothing of the sites'.
    ///
    /// # Errors
    /// [`StoreError::Range`] for a period that is empty or off the settlement grid, or too many
    /// machines; [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn report(&self, request: &ReportRequest) -> Result<ReportRead, StoreError> {
        let range = SeriesRange::whole(request.period.start_us, request.period.end_us)?;
        let known = self.report_sites(range).await?;
        let site_ids: Vec<String> = match &request.site_id {
            // What a customer's scope does not allow is as what does not exist: nothing is told of it.
            Some(site_id) if known.contains(site_id) || self.scope.customer().is_some() => {
                known.into_iter().filter(|known| known == site_id).collect()
            }
            Some(site_id) => return Err(unknown_site(site_id, &known)),
            None => known,
        };
        let mut left = request.machines_max;
        let mut reports = Vec::new();
        for site_id in &site_ids {
            reports.push(self.site_report(request, range, site_id, &mut left).await?);
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

    /// A calendar period's report with its changes on the period before. A period that has not begun
    /// is reported as a whole: of it nothing is known but what stands there.
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
                // A site that was not there yet has no period before.
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
        site_id: &str,
        left: &mut usize,
    ) -> Result<SiteReport, StoreError> {
        let at_site = Selection::Site(site_id.to_owned());
        let facts = self.report_facts(range, site_id, &at_site).await?;
        let mut standing: Standing = self.report_stands(range, &at_site).await?;
        // What stands at a site's meter is no machine.
        let meters: BTreeSet<&String> = facts.meter_machines.iter().collect();
        standing.retain(|machine_id, _| !meters.contains(machine_id));
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
                let record = Record { machine_id: machine_id.clone(), stands, assigned, ..Record::default() };
                records.insert(machine_id, record);
            }
            self.fill_records(range, &rules, &mut records).await?;
            for record in records.values_mut() {
                record.left_out = leave_out(record, &rules);
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

    /// What was corrected of the meters of a site, and that events are voided, for people.
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
            notes.push(format!("{voids} corrections void events, here or elsewhere: they count no more"));
        }
        Ok(notes)
    }
}
